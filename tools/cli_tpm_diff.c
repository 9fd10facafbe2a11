/* cli_tpm_diff - vmcrypt tpm diff: which events changed between two boots. */
#include <stdio.h>
#include <string.h>

#include "base/encode.h"
#include "tools/cli_explain.h"
#include "tools/cli_tpm.h"
#include "tpm/logdiff.h"
#include "tpm/replay.h"

static const char *kind_name(enum logdiff_kind kind)
{
    static const char *const names[] = {"removed", "added", "changed", "relabelled"};
    return names[kind];
}

static json_t *event_json(const struct cli_tpm_input *input, const struct eventlog_event *event,
                          uint16_t bank)
{
    char type[24], summary[1024];
    if (event == NULL || !cli_tpm_summary(input, event, summary, sizeof summary))
        return json_null();
    const struct eventlog_digest *digest = eventlog_digest(event, bank);
    return json_pack("{s:I, s:s, s:o, s:o}", "number", (json_int_t)event->number, "type",
                     eventlog_type_name(event->type, type), "digest",
                     digest == NULL ? json_null() : cli_tpm_hex(digest->bytes, digest->size),
                     "summary", cli_json_text(summary));
}

static int print_json(const struct cli_tpm_input inputs[2], const struct logdiff *diff)
{
    json_t *changes = json_array();
    char name[16];
    for (size_t i = 0; i < diff->count; i++) {
        const struct logdiff_change *change = &diff->changes[i];
        const struct eventlog_event *event = change->a != NULL ? change->a : change->b;
        uint16_t bank = logdiff_bank(change);
        json_array_append_new(
            changes, json_pack("{s:s, s:I, s:s, s:o, s:o}", "kind", kind_name(change->kind), "pcr",
                               (json_int_t)event->pcr, "bank", bank_name(bank, name), "a",
                               event_json(&inputs[0], change->a, bank), "b",
                               event_json(&inputs[1], change->b, bank)));
    }
    return cli_print_json(json_pack("{s:i, s:o, s:o, s:b, s:I, s:o}", "version", 1, "a",
                                    cli_json_text(inputs[0].path), "b",
                                    cli_json_text(inputs[1].path), "same", diff->count == 0,
                                    "common_events", (json_int_t)diff->same, "changes", changes),
                          0);
}

static void print_event(const struct cli_tpm_input *input, const struct eventlog_event *event,
                        char sign, uint16_t bank)
{
    char type[24], summary[1024], hex[2 * BANK_DIGEST_MAX + 1], name[16];
    if (event == NULL || !cli_tpm_summary(input, event, summary, sizeof summary))
        return;
    const struct eventlog_digest *digest = eventlog_digest(event, bank);
    printf("  %c %4zu  %-26s %s %.16s  %s\n", sign, event->number,
           eventlog_type_name(event->type, type), bank_name(bank, name),
           digest == NULL ? "-" : hex_text(digest->bytes, digest->size, hex),
           cli_printable(summary));
}

static void print_table(const struct cli_tpm_input inputs[2], const struct logdiff *diff)
{
    size_t counts[4] = {0};
    char name[32];
    for (size_t i = 0; i < diff->count; i++) {
        const struct logdiff_change *change = &diff->changes[i];
        const struct eventlog_event *event = change->a != NULL ? change->a : change->b;
        uint16_t bank = logdiff_bank(change);
        counts[change->kind]++;
        printf("%s: %s%s\n", eventlog_register_name(inputs[0].log, event->pcr, name),
               kind_name(change->kind),
               change->kind == LOGDIFF_RELABELLED
                   ? ": the digest is the same, so that no PCR tells which is true"
                   : "");
        print_event(&inputs[0], change->a, '-', bank);
        print_event(&inputs[1], change->b, '+', bank);
    }
    printf("%zu events are the same, %zu changed, %zu were added, %zu removed, %zu relabelled\n",
           diff->same, counts[LOGDIFF_CHANGED], counts[LOGDIFF_ADDED], counts[LOGDIFF_REMOVED],
           counts[LOGDIFF_RELABELLED]);
}

int cli_tpm_diff(struct cli *cli)
{
    struct error error = ERROR_INIT;
    struct cli_tpm_input inputs[2];
    struct logdiff diff;
    if (strcmp(cli->operands[0], "-") == 0 && strcmp(cli->operands[1], "-") == 0) {
        error_set(&error, ERROR_USAGE, "only one of the logs can be standard input");
        return cli_fail(cli, &error);
    }
    if (!cli_tpm_open(&inputs[0], cli->operands[0], &error))
        return cli_fail(cli, &error);
    if (!cli_tpm_open(&inputs[1], cli->operands[1], &error)) {
        cli_tpm_close(&inputs[0]);
        return cli_fail(cli, &error);
    }
    cli_tpm_warn(cli, &inputs[0]);
    cli_tpm_warn(cli, &inputs[1]);
    int status = 0;
    if (!logdiff_compare(inputs[0].log, inputs[1].log, &diff, &error))
        status = cli_fail(cli, &error);
    else if (cli->json)
        status = print_json(inputs, &diff);
    else
        print_table(inputs, &diff);
    logdiff_free(&diff);
    cli_tpm_close(&inputs[0]);
    cli_tpm_close(&inputs[1]);
    return status;
}
