/* cli_tpm_predict - vmcrypt tpm predict: what PCRs will be when something in a boot is another. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "tools/cli_explain.h"
#include "tools/cli_tpm.h"
#include "tpm/event_tag.h"
#include "tpm/predict.h"
#include "tpm/replay.h"

static const struct cli_option options[] = {
    {"module", 0, "NAME=FILE", "the ESXi module or boot option called NAME is FILE"},
    {"cmdline", 0, "TEXT", "ESXi's command line: the kernel's file and its options"},
    {"replace", 0, "PCR:NAME=FILE", "what the event of PCR that says NAME measured is FILE"},
    {"drop", 0, "NUMBER", "this event does not happen"},
    {"set-digest", 0, "NUMBER=BANK:HEX", "this event's digest in one bank is another"},
    {"bank", 0, "BANK", "this bank only, as in sha256"},
};

const struct cli_options cli_tpm_predict_options = {options, sizeof options / sizeof options[0]};

struct predict_job {
    struct cli *cli;
    struct cli_tpm_input input;
    struct predict predict;
    uint16_t bank;
    struct pcr_set before, after;
};

static bool parse_number(const char *text, const char *end, size_t *number)
{
    char *stop;
    *number = strtoul(text, &stop, 10);
    return *text >= '0' && *text <= '9' && stop == end;
}

static bool apply_module(struct predict_job *job, const char *text, struct error *error)
{
    static const uint32_t tags[] = {EVENT_TAG_ESXI_MODULE, EVENT_TAG_ESXI_BOOT_OPTION};
    const char *equals = strchr(text, '=');
    char name[256];
    size_t number;
    if (equals == NULL || equals == text || (size_t)(equals - text) >= sizeof name)
        return error_set(error, ERROR_USAGE, "--module takes NAME=FILE");
    snprintf(name, sizeof name, "%.*s", (int)(equals - text), text);
    return predict_find_tag(&job->predict, tags, 2, name, &number, error) &&
           predict_set_file(&job->predict, number, equals + 1, true, error);
}

static bool apply_cmdline(struct predict_job *job, const char *text, struct error *error)
{
    static const uint32_t tag = EVENT_TAG_ESXI_COMMAND_LINE;
    size_t number;
    return predict_find_tag(&job->predict, &tag, 1, NULL, &number, error) &&
           predict_set_data(&job->predict, number, text, strlen(text), error);
}

/* The one event of PCR whose summary has NAME in it. */
static bool find_named(const struct predict_job *job, size_t pcr, const char *name, size_t *number,
                       struct error *error)
{
    size_t found = 0;
    *number = 0;
    for (size_t i = 0; i < job->input.log->event_count; i++) {
        const struct eventlog_event *event = &job->input.log->events[i];
        char summary[1024];
        if (event->pcr != pcr)
            continue;
        if (!cli_tpm_summary(&job->input, event, summary, sizeof summary))
            return error_memory(error);
        if (strstr(summary, name) == NULL)
            continue;
        *number = i;
        found++;
    }
    return found == 1 || error_set(error, ERROR_FAILED,
                                   "%zu events of PCR %zu say \"%s\"; one must", found, pcr, name);
}

static bool apply_replace(struct predict_job *job, const char *text, struct error *error)
{
    const char *colon = strchr(text, ':');
    const char *equals = colon == NULL ? NULL : strchr(colon, '=');
    char name[256];
    size_t pcr, number;
    if (equals == NULL || !parse_number(text, colon, &pcr) || equals == colon + 1 ||
        (size_t)(equals - colon) >= sizeof name)
        return error_set(error, ERROR_USAGE, "--replace takes PCR:NAME=FILE");
    snprintf(name, sizeof name, "%.*s", (int)(equals - colon - 1), colon + 1);
    return find_named(job, pcr, name, &number, error) &&
           predict_set_file(&job->predict, number, equals + 1, false, error);
}

static bool apply_drop(struct predict_job *job, const char *text, struct error *error)
{
    size_t number;
    if (!parse_number(text, text + strlen(text), &number))
        return error_set(error, ERROR_USAGE, "--drop takes the number of an event");
    return predict_drop(&job->predict, number, error);
}

static bool apply_digest(struct predict_job *job, const char *text, struct error *error)
{
    const char *equals = strchr(text, '='), *colon = equals == NULL ? NULL : strchr(equals, ':');
    uint8_t digest[BANK_DIGEST_MAX];
    size_t number, length = sizeof digest;
    char name[24];
    const struct bank_algorithm *bank = NULL;
    if (colon != NULL && (size_t)(colon - equals) < sizeof name) {
        snprintf(name, sizeof name, "%.*s", (int)(colon - equals - 1), equals + 1);
        bank = bank_by_name(name);
    }
    if (bank == NULL || !parse_number(text, equals, &number) ||
        !hex_decode(colon + 1, strlen(colon + 1), digest, &length))
        return error_set(error, ERROR_USAGE, "--set-digest takes NUMBER=BANK:HEX");
    return predict_set_digest(&job->predict, number, bank->id, digest, length, error);
}

static bool apply_all(struct predict_job *job, struct error *error)
{
    static const struct {
        const char *name;
        bool (*apply)(struct predict_job *job, const char *text, struct error *error);
    } kinds[] = {{"module", apply_module},
                 {"cmdline", apply_cmdline},
                 {"replace", apply_replace},
                 {"drop", apply_drop},
                 {"set-digest", apply_digest}};
    const char *text;
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
        for (size_t i = 0; (text = cli_value_at(job->cli, kinds[k].name, i)) != NULL; i++)
            if (!kinds[k].apply(job, text, error))
                return false;
    return true;
}

static bool pcr_changes(const struct predict_job *job, const struct pcr_bank *bank, unsigned pcr)
{
    const struct pcr_bank *before = pcr_bank(&job->before, bank->algorithm);
    return before == NULL || memcmp(before->value[pcr], bank->value[pcr], bank->size) != 0;
}

static int print_json(const struct predict_job *job)
{
    json_t *changed = json_array();
    for (unsigned pcr = 0; pcr < PCR_COUNT; pcr++) {
        bool any = false;
        for (size_t b = 0; b < job->after.bank_count; b++)
            any |= (job->bank == 0 || job->after.banks[b].algorithm == job->bank) &&
                   pcr_changes(job, &job->after.banks[b], pcr);
        if (any)
            json_array_append_new(changed, json_integer(pcr));
    }
    return cli_print_json(json_pack("{s:i, s:o, s:o, s:o, s:o}", "version", 1, "file",
                                    cli_json_text(job->input.path), "banks",
                                    cli_tpm_pcrs_json(&job->after, job->bank), "before",
                                    cli_tpm_pcrs_json(&job->before, job->bank), "changed", changed),
                          0);
}

static void print_table(const struct predict_job *job)
{
    for (size_t b = 0; b < job->after.bank_count; b++) {
        const struct pcr_bank *bank = &job->after.banks[b];
        char name[16], hex[2 * BANK_DIGEST_MAX + 1];
        if (job->bank != 0 && bank->algorithm != job->bank)
            continue;
        printf("%s:\n", bank_name(bank->algorithm, name));
        for (unsigned pcr = 0; pcr < PCR_COUNT; pcr++) {
            bool changes = pcr_changes(job, bank, pcr);
            if (changes || (bank->known >> pcr & 1) != 0)
                printf("  %-2u: 0x%s%s\n", pcr, hex_text(bank->value[pcr], bank->size, hex),
                       changes ? "  # changes" : "");
        }
    }
}

static bool predict_run(struct predict_job *job, struct error *error)
{
    return predict_begin(&job->predict, job->input.log, error) && apply_all(job, error) &&
           replay_log(job->input.log, &job->before, NULL, error) &&
           replay_log(&job->predict.log, &job->after, NULL, error);
}

int cli_tpm_predict(struct cli *cli)
{
    struct error error = ERROR_INIT;
    struct predict_job *job = calloc(1, sizeof *job);
    int status = 0;
    if (job == NULL) {
        error_memory(&error);
        return cli_fail(cli, &error);
    }
    job->cli = cli;
    if (!cli_tpm_bank(cli, "bank", &job->bank, &error) ||
        !cli_tpm_open(&job->input, cli->operands[0], &error)) {
        free(job);
        return cli_fail(cli, &error);
    }
    cli_tpm_warn(cli, &job->input);
    if (!predict_run(job, &error))
        status = cli_fail(cli, &error);
    else if (cli->json)
        status = print_json(job);
    else
        print_table(job);
    predict_end(&job->predict);
    cli_tpm_close(&job->input);
    free(job);
    return status;
}
