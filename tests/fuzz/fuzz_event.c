/* Any bytes as a log: every event is checked and decoded, facts are found, and tpm2_eventlog's
 * document is written in each of its forms and loads again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "tpm/event.h"
#include "tpm/eventlog_yaml.h"
#include "tpm/facts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is said to be authenticated is there, and the digest covers something. */
static void check_decoded(const json_t *decoded, const struct event_check *check)
{
    const json_t *names = json_object_get(decoded, "authenticated");
    const json_t *fields = json_object_get(decoded, "fields");
    if (json_string_value(json_object_get(decoded, "kind")) == NULL ||
        json_string_value(json_object_get(decoded, "summary")) == NULL ||
        !json_is_array(json_object_get(decoded, "problems")))
        abort();
    for (size_t i = 0; i < json_array_size(names); i++)
        if (json_object_get(fields, json_string_value(json_array_get(names, i))) == NULL)
            abort();
    if (json_array_size(names) > 0 &&
        (check->failed || check->fails != 0 || check->holds == 0 ||
         (check->coverage != EVENT_COVERS_ALL && check->coverage != EVENT_COVERS_PART)))
        abort();
}

static void try_events(const struct eventlog *log)
{
    for (size_t i = 0; i < log->event_count; i++) {
        const struct eventlog_event *event = &log->events[i];
        struct event_check check;
        event_check(log, event, &check);
        if (check.rule == NULL || check.start > event->length ||
            check.length > event->length - check.start || (check.holds & check.fails) != 0)
            abort();
        json_t *decoded = event_decode(log, event, &check);
        if (decoded == NULL)
            abort();
        check_decoded(decoded, &check);
        json_decref(decoded);
    }
}

static void try_facts(const struct eventlog *log)
{
    struct facts facts;
    struct error error = ERROR_INIT;
    if (!facts_find(log, &facts, &error))
        abort();
    const uint8_t *first = log->event_count > 0 ? log->events[0].data : NULL;
    for (size_t i = 0; i < facts.count; i++)
        if (facts.facts[i].blob != NULL && facts.facts[i].blob < first)
            abort();
    facts_free(&facts);
}

static void check_loads(const struct buffer *text)
{
    yaml_parser_t parser;
    yaml_document_t document;
    if (!yaml_parser_initialize(&parser))
        abort();
    yaml_parser_set_input_string(&parser, (const uint8_t *)text->data, text->length);
    if (!yaml_parser_load(&parser, &document) || yaml_document_get_root_node(&document) == NULL)
        abort();
    yaml_document_delete(&document);
    yaml_parser_delete(&parser);
}

static void try_yaml(const struct eventlog *log)
{
    struct eventlog_yaml_options options;
    for (options.version = 1; options.version <= 2; options.version++) {
        for (options.paths = EVENTLOG_YAML_PATHS_HEX;
             options.paths <= EVENTLOG_YAML_PATHS_EFIVAR_39; options.paths++) {
            struct buffer text = BUFFER_INIT;
            struct error error = ERROR_INIT;
            if (!eventlog_yaml(log, &options, &text, &error))
                abort();
            check_loads(&text);
            buffer_free(&text);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct eventlog log;
    struct error error = ERROR_INIT;
    if (!eventlog_parse(&log, data, size, &error))
        return 0;
    try_events(&log);
    try_facts(&log);
    try_yaml(&log);
    eventlog_free(&log);
    return 0;
}
