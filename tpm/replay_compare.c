/* replay_compare - the PCRs that a log leads to beside those that a TPM told; see replay.h. */
#include "tpm/replay.h"

#include <stdlib.h>
#include <string.h>

#include "tpm/replay_private.h"

/* Extensions that the search for reasons may cost, which is about a second. */
enum { SEARCH_BUDGET = 4000000 };

/* Events of PCR in the log, whatever their banks. */
static bool has_events(const struct eventlog *log, unsigned pcr)
{
    for (size_t i = 0; i < log->event_count; i++)
        if (log->events[i].pcr == pcr && replay_extends(&log->events[i]))
            return true;
    return false;
}

static enum replay_match match_absent(const struct eventlog *log, const struct pcr_bank *value,
                                      unsigned pcr)
{
    uint8_t initial[BANK_DIGEST_MAX];
    if (log->partial)
        return REPLAY_UNKNOWN;
    replay_initial(log, value->algorithm, pcr, initial);
    return memcmp(initial, value->value[pcr], value->size) == 0 ? REPLAY_ABSENT_INITIAL
                                                                : REPLAY_ABSENT_DIFFERS;
}

static enum replay_match match(const struct eventlog *log, const struct pcr_set *computed,
                               const struct pcr_bank *value, unsigned pcr)
{
    const struct pcr_bank *bank = pcr_bank(computed, value->algorithm);
    if (bank == NULL)
        return has_events(log, pcr) ? REPLAY_SKIPPED : match_absent(log, value, pcr);
    if ((bank->known >> pcr & 1) == 0)
        return match_absent(log, value, pcr);
    return memcmp(bank->value[pcr], value->value[pcr], bank->size) == 0 ? REPLAY_MATCHES
                                                                        : REPLAY_DIFFERS;
}

/* The PCRs of one bank, and of those that only the log has. */
static bool compare_bank(struct replay_search *search, const struct pcr_bank *value,
                         struct replay_report *report, struct error *error)
{
    for (unsigned pcr = 0; pcr < PCR_COUNT; pcr++) {
        if ((value->known >> pcr & 1) == 0)
            continue;
        struct replay_result *result = &report->results[report->count++];
        *result = (struct replay_result){
            .algorithm = value->algorithm,
            .pcr = pcr,
            .match = match(search->log, search->computed, value, pcr),
            .event = SIZE_MAX,
        };
        bool differs = result->match == REPLAY_DIFFERS || result->match == REPLAY_ABSENT_DIFFERS;
        if (differs && !replay_explain(search, result, value->value[pcr], error))
            return false;
    }
    return true;
}

/* PCRs that the log has extended, of which VALUES tells nothing. */
static void add_untold(const struct pcr_set *computed, const struct pcr_set *values,
                       struct replay_report *report)
{
    for (size_t b = 0; b < values->bank_count; b++) {
        const struct pcr_bank *bank = pcr_bank(computed, values->banks[b].algorithm);
        for (unsigned pcr = 0; bank != NULL && pcr < PCR_COUNT; pcr++)
            if ((bank->known >> pcr & 1) != 0 && (values->banks[b].known >> pcr & 1) == 0)
                report->results[report->count++] = (struct replay_result){
                    .algorithm = bank->algorithm,
                    .pcr = pcr,
                    .match = REPLAY_UNKNOWN,
                    .event = SIZE_MAX,
                };
    }
}

static bool all_match(const struct replay_report *report)
{
    bool any = false;
    for (size_t i = 0; i < report->count; i++) {
        enum replay_match match = report->results[i].match;
        any |= match == REPLAY_MATCHES;
        if (match == REPLAY_DIFFERS || match == REPLAY_ABSENT_DIFFERS || match == REPLAY_SKIPPED)
            return false;
    }
    return any;
}

static int by_bank(const void *a, const void *b)
{
    const struct replay_result *left = a, *right = b;
    if (left->algorithm != right->algorithm)
        return left->algorithm < right->algorithm ? -1 : 1;
    return left->pcr < right->pcr ? -1 : left->pcr > right->pcr;
}

bool replay_compare(const struct eventlog *log, const struct pcr_set *values,
                    struct replay_report *report, struct error *error)
{
    *report = (struct replay_report){0};
    struct pcr_set *computed = malloc(sizeof *computed);
    report->results = calloc(BANK_MAX * PCR_COUNT, sizeof *report->results);
    bool ok = computed != NULL && report->results != NULL;
    if (!ok)
        error_memory(error);
    ok = ok && replay_log(log, computed, NULL, error);
    struct replay_search search = {log, values, computed, SEARCH_BUDGET};
    for (size_t b = 0; ok && b < values->bank_count; b++)
        ok = compare_bank(&search, &values->banks[b], report, error);
    if (ok) {
        add_untold(computed, values, report);
        qsort(report->results, report->count, sizeof *report->results, by_bank);
        report->all_match = all_match(report);
    } else
        replay_report_free(report);
    free(computed);
    return ok;
}

void replay_report_free(struct replay_report *report)
{
    free(report->results);
    *report = (struct replay_report){0};
}
