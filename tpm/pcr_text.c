/* pcr_text - PCR values as text: "sha256:" and lines "  0 : 0x…" below it, as tpm2_pcrread,
 * tpm2_quote and tpm2_eventlog print them; "PCR-00: 85 38 …" as Linux shows a TPM 1.2's. */
#include "tpm/pcr_private.h"

#include <ctype.h>
#include <string.h>

#include "base/encode.h"

struct lines {
    const struct bank_algorithm *bank; /* of the lines that follow; NULL: of none */
    size_t values;
};

static const char *skip_blanks(const char *text, const char *end)
{
    while (text < end && (*text == ' ' || *text == '\t'))
        text++;
    return text;
}

/* "sha256:", alone on its line but for a "{ }" of tpm2_pcrread for a bank without PCRs. */
static bool is_bank(const char *text, const char *end, struct lines *lines)
{
    char name[16];
    const char *colon = memchr(text, ':', (size_t)(end - text));
    size_t length = colon == NULL ? 0 : (size_t)(colon - text);
    if (length == 0 || length >= sizeof name || isdigit((unsigned char)text[0]))
        return false;
    memcpy(name, text, length);
    name[length] = '\0';
    const struct bank_algorithm *bank = bank_by_name(name);
    const char *rest = skip_blanks(colon + 1, end);
    if (bank == NULL || (rest < end && *rest != '{'))
        return false;
    lines->bank = bank;
    return true;
}

static bool add_value(const char *text, const char *end, struct lines *lines, unsigned index,
                      struct pcr_set *out, struct error *error)
{
    char hex[2 * BANK_DIGEST_MAX];
    uint8_t value[BANK_DIGEST_MAX];
    size_t length = 0, written = sizeof value;
    for (; text < end; text++)
        if (*text != ' ' && length < sizeof hex)
            hex[length++] = *text;
        else if (*text != ' ')
            return error_set(error, ERROR_DAMAGED, "value of PCR %u is too long", index);
    if (length == 0 || !hex_decode(hex, length, value, &written))
        return error_set(error, ERROR_DAMAGED, "value of PCR %u is no hex", index);
    lines->values++;
    return pcr_set_add(out, lines->bank->id, index, value, written, error);
}

/* One line; other ones than of PCRs end their bank. */
static bool parse_line(const char *text, const char *end, struct lines *lines, struct pcr_set *out,
                       struct error *error)
{
    while (end > text && isspace((unsigned char)end[-1]))
        end--;
    const char *start = text = skip_blanks(text, end);
    if (text == end || is_bank(text, end, lines))
        return true;
    if (end - text > 4 && strncmp(text, "PCR-", 4) == 0) {
        lines->bank = bank_by_id(BANK_SHA1);
        start = text += 4;
    }
    unsigned index = 0;
    for (; text < end && isdigit((unsigned char)*text) && index <= PCR_COUNT; text++)
        index = 10 * index + (unsigned)(*text - '0');
    bool numbered = text > start;
    text = skip_blanks(text, end);
    if (!numbered || lines->bank == NULL || text == end || *text != ':') {
        lines->bank = NULL;
        return true;
    }
    text = skip_blanks(text + 1, end);
    if (end - text >= 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
        text += 2;
    return add_value(text, end, lines, index, out, error);
}

bool pcr_parse_text(const char *data, size_t length, struct pcr_set *out, bool *fits,
                    struct error *error)
{
    struct lines lines = {0};
    *fits = memchr(data, '\0', length) == NULL;
    for (size_t at = 0; *fits && at < length;) {
        const char *end = memchr(data + at, '\n', length - at);
        if (end == NULL)
            end = data + length;
        if (!parse_line(data + at, end, &lines, out, error))
            return false;
        at = (size_t)(end - data) + 1;
    }
    *fits = *fits && lines.values > 0;
    return *fits;
}
