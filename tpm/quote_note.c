/* quote_note - how checks and selections are told; see quote.h. */
#include "tpm/quote.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/printable.h"

void quote_note(struct quote_verdict *verdict, const char *name, enum quote_outcome outcome,
                const char *format, ...)
{
    if (verdict->count == QUOTE_CHECKS_MAX) {
        verdict->checks[QUOTE_CHECKS_MAX - 1].outcome = QUOTE_FAIL;
        return;
    }
    struct quote_check *check = &verdict->checks[verdict->count++];
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    check->name = name;
    check->outcome = outcome;
    printable_copy(text, check->detail, sizeof check->detail);
}

const struct quote_check *quote_find(const struct quote_verdict *verdict, const char *name)
{
    for (size_t i = 0; i < verdict->count; i++)
        if (strcmp(verdict->checks[i].name, name) == 0)
            return &verdict->checks[i];
    return NULL;
}

const char *quote_outcome_name(enum quote_outcome outcome)
{
    static const char *const names[] = {[QUOTE_PASS] = "pass",
                                        [QUOTE_FAIL] = "FAIL",
                                        [QUOTE_WARN] = "warn",
                                        [QUOTE_NOT_CHECKED] = "not checked"};
    return names[outcome];
}

static void append(char *text, size_t size, const char *more)
{
    size_t used = strlen(text);
    snprintf(text + used, size - used, "%s", more);
}

static void append_pcrs(char *text, size_t size, uint32_t pcrs)
{
    const char *before = "";
    for (unsigned i = 0; i < 32; i++) {
        if ((pcrs >> i & 1) == 0)
            continue;
        unsigned last = i;
        while (last + 1 < 32 && (pcrs >> (last + 1) & 1) != 0)
            last++;
        char range[32];
        snprintf(range, sizeof range,
                 last == i       ? "%s%u"
                 : last == i + 1 ? "%s%u,%u"
                                 : "%s%u-%u",
                 before, i, last);
        append(text, size, range);
        before = ",";
        i = last;
    }
}

static void append_bank(char *text, size_t size, uint16_t algorithm, uint32_t pcrs)
{
    char name[16];
    append(text, size, text[0] == '\0' ? "" : " ");
    append(text, size, bank_name(algorithm, name));
    append(text, size, ":");
    append_pcrs(text, size, pcrs);
}

const char *quote_selection_text(const struct pcr_selection *selection, char *text, size_t size)
{
    text[0] = '\0';
    for (size_t i = 0; i < selection->count; i++)
        if (selection->banks[i].pcrs != 0)
            append_bank(text, size, selection->banks[i].algorithm, selection->banks[i].pcrs);
    if (text[0] == '\0')
        append(text, size, "none");
    return text;
}

uint32_t quote_selected(const struct pcr_selection *selection, uint16_t algorithm)
{
    uint32_t pcrs = 0;
    for (size_t i = 0; i < selection->count; i++)
        if (selection->banks[i].algorithm == algorithm)
            pcrs |= selection->banks[i].pcrs;
    return pcrs;
}
