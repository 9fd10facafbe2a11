/* cli_tpm_replay - vmcrypt tpm replay: the PCRs that a log leads to, beside those of a TPM. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "tools/cli_explain.h"
#include "tools/cli_tpm.h"
#include "tpm/replay.h"

static const struct cli_option options[] = {
    {"pcrs", 0, "FILE", "PCR values to compare with: of tpm2_quote, tpm2_pcrread, vCenter …"},
    {"selection", 0, "PCRS",
     "compare these only, as in sha256:0,1,7; needed where FILE has no names"},
    {"bank", 0, "BANK", "this bank only, as in sha256"},
};

const struct cli_options cli_tpm_replay_options = {options, sizeof options / sizeof options[0]};

struct replay_job {
    struct cli *cli;
    struct cli_tpm_input input;
    uint16_t bank; /* 0: all */
    struct pcr_set computed, values;
    struct replay_skipped skipped;
    bool has_values;
    const char *form; /* of the values */
    struct replay_report report;
};

static const char *match_name(enum replay_match match)
{
    static const char *const names[] = {"matches",        "differs", "absent-initial",
                                        "absent-differs", "unknown", "skipped"};
    return names[match];
}

/* The banks of SET but ALGORITHM away. */
static bool keep_bank(struct pcr_set *set, uint16_t algorithm)
{
    for (size_t b = 0; b < set->bank_count; b++)
        if (set->banks[b].algorithm == algorithm) {
            set->banks[0] = set->banks[b];
            set->bank_count = 1;
            return true;
        }
    return false;
}

static void keep_selected(struct pcr_set *set, const struct pcr_selection *selection)
{
    for (size_t b = 0; b < set->bank_count; b++) {
        uint32_t kept = 0;
        for (size_t i = 0; i < selection->count; i++)
            if (selection->banks[i].algorithm == set->banks[b].algorithm)
                kept |= selection->banks[i].pcrs;
        set->banks[b].known &= kept;
    }
}

static bool load_values(struct replay_job *job, struct error *error)
{
    const char *path = cli_value(job->cli, "pcrs"), *text = cli_value(job->cli, "selection");
    struct pcr_selection selection;
    if (text != NULL && path == NULL)
        return error_set(error, ERROR_USAGE, "--selection goes with --pcrs");
    if (text != NULL && !pcr_selection_parse(text, &selection, error))
        return false;
    if (path != NULL) {
        job->has_values =
            pcr_load(path, text == NULL ? NULL : &selection, &job->values, &job->form, error);
        if (!job->has_values)
            return false;
    } else
        job->has_values = cli_tpm_own_values(&job->input, &job->values, &job->form);
    if (job->has_values && text != NULL)
        keep_selected(&job->values, &selection);
    if (job->has_values && job->bank != 0 && !keep_bank(&job->values, job->bank)) {
        char name[16];
        error_set(error, ERROR_FAILED, "has no values of bank %s", bank_name(job->bank, name));
        return error_in_file(error, path == NULL ? job->input.path : path);
    }
    return true;
}

static json_t *value_json(const struct pcr_set *set, const struct replay_result *result)
{
    const struct pcr_bank *bank = pcr_bank(set, result->algorithm);
    if (bank == NULL || (bank->known >> result->pcr & 1) == 0)
        return json_null();
    return cli_tpm_hex(bank->value[result->pcr], bank->size);
}

static json_t *comparison_json(const struct replay_job *job)
{
    json_t *results = json_array();
    for (size_t i = 0; i < job->report.count; i++) {
        const struct replay_result *result = &job->report.results[i];
        char name[16];
        json_t *entry = json_pack(
            "{s:s, s:i, s:s, s:o, s:o}", "bank", bank_name(result->algorithm, name), "pcr",
            (int)result->pcr, "match", match_name(result->match), "computed",
            value_json(&job->computed, result), "given", value_json(&job->values, result));
        if (result->why[0] != '\0') {
            json_object_set_new(entry, "why", cli_json_text(result->why));
            json_object_set_new(entry, "explained", json_boolean(result->explained));
            json_object_set_new(
                entry, "event",
                result->event == SIZE_MAX ? json_null() : json_integer((json_int_t)result->event));
        }
        json_array_append_new(results, entry);
    }
    return json_pack("{s:b, s:s, s:o}", "matches", job->report.all_match, "form", job->form,
                     "results", results);
}

static int print_json(const struct replay_job *job, int status)
{
    json_t *object = json_object(), *skipped = json_array();
    json_object_set_new(object, "version", json_integer(1));
    json_object_set_new(object, "file", cli_json_text(job->input.path));
    json_object_set_new(object, "banks", cli_tpm_pcrs_json(&job->computed, job->bank));
    json_object_set_new(object, "events", json_integer((json_int_t)job->input.log->event_count));
    cli_tpm_log_json(object, &job->input);
    for (size_t i = 0; i < job->skipped.count; i++) {
        char name[16];
        json_array_append_new(skipped, json_string(bank_name(job->skipped.algorithm[i], name)));
    }
    json_object_set_new(object, "skipped_banks", skipped);
    json_object_set_new(object, "comparison", job->has_values ? comparison_json(job) : json_null());
    return cli_print_json(object, status);
}

static void print_values(const struct replay_job *job)
{
    for (size_t b = 0; b < job->computed.bank_count; b++) {
        const struct pcr_bank *bank = &job->computed.banks[b];
        char name[16], hex[2 * BANK_DIGEST_MAX + 1];
        if (job->bank != 0 && bank->algorithm != job->bank)
            continue;
        printf("%s:\n", bank_name(bank->algorithm, name));
        for (unsigned pcr = 0; pcr < PCR_COUNT; pcr++)
            if ((bank->known >> pcr & 1) != 0)
                printf("  %-2u: 0x%s\n", pcr, hex_text(bank->value[pcr], bank->size, hex));
    }
}

static void print_comparison(const struct replay_job *job)
{
    size_t matching = 0, differing = 0, without = 0;
    for (size_t i = 0; i < job->report.count; i++) {
        const struct replay_result *result = &job->report.results[i];
        char name[16];
        static const char *const words[] = {
            "matches",
            "DIFFERS",
            "holds its start value, as it has no events",
            "DIFFERS, as it has no events",
            "not compared: the report has no events of it",
            "not compared: this bank cannot be computed from the log",
        };
        matching += result->match == REPLAY_MATCHES;
        differing += result->match == REPLAY_DIFFERS || result->match == REPLAY_ABSENT_DIFFERS;
        const struct pcr_bank *given = pcr_bank(&job->values, result->algorithm);
        if (given == NULL || (given->known >> result->pcr & 1) == 0) {
            without++;
            continue;
        }
        printf("%-8s PCR %-2u  %s\n", bank_name(result->algorithm, name), result->pcr,
               words[result->match]);
        if (result->why[0] != '\0')
            printf("%20s%s%s\n", "", result->explained ? "perhaps: it " : "",
                   cli_printable(result->why));
    }
    printf("%zu of %zu PCRs match, %zu differ (values: %s)", matching, job->report.count - without,
           differing, job->form);
    printf(without == 0 ? "\n" : "; %zu of the log have no value to compare with\n", without);
}

static bool differs(const struct replay_report *report)
{
    for (size_t i = 0; i < report->count; i++)
        if (report->results[i].match == REPLAY_DIFFERS ||
            report->results[i].match == REPLAY_ABSENT_DIFFERS)
            return true;
    return false;
}

/* What is compared decides: differences are damage, and so is it when nothing matches. */
static int finish(struct replay_job *job)
{
    int status = !job->has_values || job->report.all_match ? 0 : ERROR_DAMAGED;
    bool partial = status != 0 && !differs(&job->report);
    if (job->cli->json)
        status = print_json(job, status);
    else if (job->has_values)
        print_comparison(job);
    else
        print_values(job);
    if (!job->has_values || job->report.all_match)
        return status;
    fprintf(stderr, "%s: %s: %s\n", job->cli->program->name, cli_printable(job->input.path),
            partial ? "not all of the values could be compared with the log (see --bank)"
                    : "the log does not lead to these PCR values");
    return status;
}

int cli_tpm_replay(struct cli *cli)
{
    struct error error = ERROR_INIT;
    struct replay_job *job = calloc(1, sizeof *job);
    int status = ERROR_FAILED;
    if (job == NULL) {
        error_memory(&error);
        return cli_fail(cli, &error);
    }
    job->cli = cli;
    bool ok = cli_tpm_bank(cli, "bank", &job->bank, &error) &&
              cli_tpm_open(&job->input, cli->operands[0], &error);
    if (!ok) {
        free(job);
        return cli_fail(cli, &error);
    }
    cli_tpm_warn(cli, &job->input);
    ok = load_values(job, &error) &&
         replay_log(job->input.log, &job->computed, &job->skipped, &error);
    if (ok && job->bank != 0 && pcr_bank(&job->computed, job->bank) == NULL) {
        error_set(&error, ERROR_FAILED, "has no bank %s", cli_value(cli, "bank"));
        ok = error_in_file(&error, job->input.path);
    }
    if (ok && job->has_values)
        ok = replay_compare(job->input.log, &job->values, &job->report, &error);
    status = ok ? finish(job) : cli_fail(cli, &error);
    replay_report_free(&job->report);
    cli_tpm_close(&job->input);
    free(job);
    return status;
}
