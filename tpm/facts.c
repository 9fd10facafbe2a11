/* facts - see facts.h. */
#include "tpm/facts_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/printable.h"
#include "tpm/event_types.h"

/* Room for one more entry of SIZE bytes. */
static bool grow(void **array, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return true;
    size_t more = *room == 0 ? 16 : *room * 2;
    void *grown = more > SIZE_MAX / 2 / size ? NULL : realloc(*array, more * size);
    if (grown == NULL)
        return false;
    *array = grown;
    *room = more;
    return true;
}

/* A text's copy that may be shown as it is; NULL also when there is none. */
static char *take_text(struct finding *f, json_t *text)
{
    if (text == NULL)
        return NULL;
    size_t size = json_string_length(text) * 4 + 5;
    char *copy = malloc(size);
    if (copy == NULL)
        f->failed = true;
    else
        printable_copy(json_string_value(text), copy, size);
    json_decref(text);
    return copy;
}

void finding_add(struct finding *f, const struct eventlog_event *event, struct claim claim)
{
    void *array = f->facts->facts;
    char *name = take_text(f, claim.name), *value = take_text(f, claim.value);
    if (f->failed || !grow(&array, f->facts->count, &f->fact_room, sizeof *f->facts->facts)) {
        f->failed = true;
        free(name);
        free(value);
        return;
    }
    f->facts->facts = array;
    f->facts->facts[f->facts->count++] = (struct fact){.kind = claim.kind,
                                                       .event = event,
                                                       .authenticated = claim.authenticated,
                                                       .name = name,
                                                       .value = value,
                                                       .blob = claim.blob,
                                                       .blob_length = claim.blob_length};
}

void finding_problem(struct finding *f, const struct eventlog_event *event, bool grave,
                     const char *format, ...)
{
    void *array = f->facts->problems;
    /* The last place is kept for what is grave. */
    if (f->facts->problem_count == FACTS_PROBLEMS_MAX && grave)
        f->facts->problem_count--;
    if (f->facts->problem_count == FACTS_PROBLEMS_MAX)
        return;
    if (!grow(&array, f->facts->problem_count, &f->problem_room, sizeof *f->facts->problems)) {
        f->failed = true;
        return;
    }
    f->facts->problems = array;
    struct fact_problem *problem = &f->facts->problems[f->facts->problem_count++];
    problem->event = event == NULL ? SIZE_MAX : event->number;
    problem->grave = grave;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(problem->text, sizeof problem->text, format, arguments);
    va_end(arguments);
}

bool facts_find(const struct eventlog *log, struct facts *out, struct error *error)
{
    *out = (struct facts){.count = 0};
    struct finding f = {.log = log, .facts = out};
    facts_esxi_begin(&f);
    for (size_t i = 0; i < log->event_count && !f.failed; i++) {
        const struct eventlog_event *event = &log->events[i];
        struct event_check check;
        if (event->type == EV_NO_ACTION)
            continue;
        event_check(log, event, &check);
        facts_boot(&f, event, &check);
        facts_esxi(&f, event, &check);
    }
    facts_boot_end(&f);
    if (!f.failed)
        return true;
    facts_free(out);
    return error_memory(error);
}

void facts_free(struct facts *facts)
{
    for (size_t i = 0; i < facts->count; i++) {
        free(facts->facts[i].name);
        free(facts->facts[i].value);
    }
    free(facts->facts);
    free(facts->problems);
    *facts = (struct facts){.count = 0};
}
