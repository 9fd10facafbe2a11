/* cli_tpm_log - vmcrypt tpm log: events, what they say, and what their digests vouch for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "tools/cli_explain.h"
#include "tools/cli_tpm.h"
#include "tpm/event.h"
#include "tpm/eventlog_yaml.h"

static const struct cli_option options[] = {
    {"pcr", 0, "N", "only events of this PCR; may be given several times"},
    {"yaml", 0, NULL, "print the document that tpm2_eventlog prints"},
    {"yaml-version", 0, "N", "its version: 1, the default, or 2"},
    {"yaml-paths", 0, "FORM", "device paths in it: hex, the default, efivar or efivar39"},
};

const struct cli_options cli_tpm_log_options = {options, sizeof options / sizeof options[0]};

struct filter {
    bool any;
    uint32_t pcrs; /* bit N: PCR N */
};

static bool read_filter(const struct cli *cli, struct filter *filter, struct error *error)
{
    const char *text;
    *filter = (struct filter){0};
    for (size_t i = 0; (text = cli_value_at(cli, "pcr", i)) != NULL; i++) {
        char *end;
        unsigned long pcr = strtoul(text, &end, 10);
        if (*text < '0' || *text > '9' || *end != '\0' || pcr >= PCR_COUNT)
            return error_set(error, ERROR_USAGE, "--pcr takes a number from 0 to 23");
        filter->any = true;
        filter->pcrs |= 1u << pcr;
    }
    return true;
}

static bool wanted(const struct filter *filter, const struct eventlog_event *event)
{
    return !filter->any || (event->pcr < PCR_COUNT && (filter->pcrs >> event->pcr & 1) != 0);
}

static const char *coverage_name(const struct event_check *check)
{
    static const char *const names[] = {"nothing", "all", "part", "fixed"};
    return names[check->coverage];
}

static json_t *banks_json(const struct eventlog_event *event, uint32_t bits)
{
    json_t *list = json_array();
    for (size_t i = 0; i < event->digest_count && i < 32; i++) {
        char name[16];
        if ((bits >> i & 1) != 0)
            json_array_append_new(list, json_string(bank_name(event->digests[i].algorithm, name)));
    }
    return list;
}

static json_t *check_json(const struct eventlog_event *event, const struct event_check *check)
{
    return json_pack("{s:s, s:I, s:I, s:s?, s:b, s:b, s:o, s:o}", "covers", coverage_name(check),
                     "start", (json_int_t)check->start, "length", (json_int_t)check->length, "rule",
                     check->rule, "required", check->required, "failed", check->failed, "holds",
                     banks_json(event, check->holds), "fails", banks_json(event, check->fails));
}

static json_t *digests_json(const struct eventlog_event *event)
{
    json_t *digests = json_object();
    for (size_t i = 0; i < event->digest_count; i++) {
        char name[16];
        json_object_set_new(digests, bank_name(event->digests[i].algorithm, name),
                            cli_tpm_hex(event->digests[i].bytes, event->digests[i].size));
    }
    return digests;
}

static json_t *ranges_json(const struct cli_tpm_input *input, const struct eventlog_event *event,
                           const struct event_check *check)
{
    struct event_range ranges[EVENT_RANGES_MAX];
    size_t count = event_unauthenticated(input->log, event, check, ranges);
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(
            list, json_pack("[I, I]", (json_int_t)ranges[i].start, (json_int_t)ranges[i].end));
    return list;
}

static void set_text(json_t *object, const char *name, const char *text)
{
    if (text != NULL)
        json_object_set_new(object, name, cli_json_text(text));
}

static json_t *report_event_json(const struct report_event *event)
{
    json_t *object = json_pack("{s:s, s:[]}", "kind", event->kind, "authenticated");
    set_text(object, "name", event->name);
    set_text(object, "detail", event->detail);
    return object;
}

static json_t *event_json(const struct cli_tpm_input *input, const struct eventlog_event *event)
{
    char type[24], name[32];
    json_t *object =
        json_pack("{s:I, s:I, s:I, s:s, s:s, s:I, s:o, s:I}", "number", (json_int_t)event->number,
                  "offset", (json_int_t)event->offset, "pcr", (json_int_t)event->pcr, "register",
                  eventlog_register_name(input->log, event->pcr, name), "type",
                  eventlog_type_name(event->type, type), "type_number", (json_int_t)event->type,
                  "digests", digests_json(event), "data_bytes", (json_int_t)event->length);
    if (input->is_report) {
        json_object_set_new(object, "decoded",
                            report_event_json(&input->report.events[event->number]));
        return object;
    }
    struct event_check check;
    event_check(input->log, event, &check);
    json_object_set_new(object, "check", check_json(event, &check));
    json_object_set_new(object, "unauthenticated", ranges_json(input, event, &check));
    json_object_set_new(object, "decoded", event_decode(input->log, event, &check));
    return object;
}

static int print_json(struct cli_tpm_input *input, const struct filter *filter)
{
    json_t *object = json_object(), *events = json_array();
    json_object_set_new(object, "version", json_integer(1));
    json_object_set_new(object, "file", cli_json_text(input->path));
    cli_tpm_log_json(object, input);
    for (size_t i = 0; i < input->log->event_count; i++)
        if (wanted(filter, &input->log->events[i]))
            json_array_append_new(events, event_json(input, &input->log->events[i]));
    json_object_set_new(object, "events", events);
    return cli_print_json(object, 0);
}

/* What the digest vouches for, in a word. */
static const char *vouched(const struct cli_tpm_input *input, const struct eventlog_event *event,
                           bool *failed)
{
    struct event_check check;
    *failed = false;
    if (input->is_report)
        return "none";
    event_check(input->log, event, &check);
    *failed = check.failed;
    if (check.failed)
        return "WRONG";
    return check.coverage == EVENT_COVERS_ALL     ? "all"
           : check.coverage == EVENT_COVERS_PART  ? "part"
           : check.coverage == EVENT_COVERS_FIXED ? "type"
                                                  : "none";
}

static bool print_event(const struct cli_tpm_input *input, const struct eventlog_event *event,
                        size_t *wrong)
{
    char type[24], summary[1024], index[16] = "-";
    bool failed;
    const char *vouches = vouched(input, event, &failed);
    const char *name = eventlog_type_name(event->type, type);
    *wrong += failed;
    if (!cli_tpm_summary(input, event, summary, sizeof summary))
        return false;
    if (event->pcr != UINT32_MAX)
        snprintf(index, sizeof index, "%u", event->pcr);
    printf("%4zu  %3s  %-33s %-5s  %s\n", event->number, index,
           input->is_report               ? "-"
           : strncmp(name, "EV_", 3) == 0 ? name + 3
                                          : name,
           vouches, cli_printable(summary));
    return true;
}

static int print_table(struct cli *cli, struct cli_tpm_input *input, const struct filter *filter)
{
    size_t wrong = 0, shown = 0;
    printf("%4s  %3s  %-33s %-5s  %s\n", "NO", input->log->cc ? "REG" : "PCR", "TYPE", "COVER",
           "WHAT IT SAYS");
    for (size_t i = 0; i < input->log->event_count; i++) {
        if (!wanted(filter, &input->log->events[i]))
            continue;
        shown++;
        if (!print_event(input, &input->log->events[i], &wrong)) {
            struct error error = ERROR_INIT;
            error_memory(&error);
            return cli_fail(cli, &error);
        }
    }
    printf("\n%zu events. COVER: the digest vouches for all that the event says, for a part of it "
           "(see --json), for its type alone, or for none of it.\n",
           shown);
    if (wrong > 0)
        log_say(&cli->log, LOG_WARN,
                "%s: digests of %zu events are not those of their data, as they should be",
                input->path, wrong);
    return 0;
}

static bool yaml_options(const struct cli *cli, struct eventlog_yaml_options *form,
                         struct error *error)
{
    static const char *const forms[] = {"hex", "efivar", "efivar39"};
    const char *paths = cli_value(cli, "yaml-paths");
    *form = (struct eventlog_yaml_options){.version = 1};
    if (cli_value(cli, "yaml-version") != NULL &&
        !cli_number(cli, "yaml-version", 2, &form->version, error))
        return false;
    for (size_t i = 0; paths != NULL && i < sizeof forms / sizeof forms[0]; i++)
        if (strcmp(paths, forms[i]) == 0) {
            form->paths = (enum eventlog_yaml_paths)i;
            paths = NULL;
        }
    return paths == NULL ||
           error_set(error, ERROR_USAGE, "--yaml-paths takes hex, efivar or efivar39");
}

static int print_yaml(struct cli *cli, const struct cli_tpm_input *input)
{
    struct buffer text = BUFFER_INIT;
    struct error error = ERROR_INIT;
    struct eventlog_yaml_options form;
    int status = 0;
    if (!yaml_options(cli, &form, &error))
        return cli_fail(cli, &error);
    if (input->is_report) {
        error_set(&error, ERROR_FAILED, "is a report, not the log that --yaml needs");
        error_in_file(&error, input->path);
        return cli_fail(cli, &error);
    }
    if (!eventlog_yaml(input->log, &form, &text, &error))
        status = cli_fail(cli, &error);
    else if (fwrite(buffer_text(&text), 1, text.length, stdout) != text.length)
        status = ERROR_FAILED;
    buffer_free(&text);
    return status;
}

int cli_tpm_log(struct cli *cli)
{
    struct error error = ERROR_INIT;
    struct cli_tpm_input input;
    struct filter filter;
    bool yaml = cli_value(cli, "yaml") != NULL;
    bool ok = read_filter(cli, &filter, &error);
    if (ok && yaml && (cli->json || filter.any))
        ok = error_set(&error, ERROR_USAGE, "--yaml goes without --json and --pcr");
    if (!ok || !cli_tpm_open(&input, cli->operands[0], &error))
        return cli_fail(cli, &error);
    cli_tpm_warn(cli, &input);
    int status = yaml        ? print_yaml(cli, &input)
                 : cli->json ? print_json(&input, &filter)
                             : print_table(cli, &input, &filter);
    cli_tpm_close(&input);
    return status;
}
