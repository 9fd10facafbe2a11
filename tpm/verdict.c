/* verdict - see verdict.h: the ladder, and its first five rungs. */
#include "tpm/verdict_private.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/encode.h"
#include "tpm/replay.h"

enum { NOTES_MAX = 1000 /* of a rung; a log can have a million events */ };

const char *verdict_rung_name(size_t i)
{
    static const char *const names[VERDICT_RUNGS] = {
        "log parses",       "digests match data",       "banks replay",
        "PCR values match", "quote is genuine",         "attestation key is the TPM's",
        "TPM is permitted", "what booted is permitted", "Trust Authority settings"};
    return names[i];
}

void judge_note(struct judge *j, enum rung rung, const char *check, enum quote_outcome outcome,
                const char *format, ...)
{
    struct verdict_rung *r = &j->verdict->rungs[rung];
    char detail[600];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    if (outcome == QUOTE_FAIL || r->outcome == QUOTE_NOT_CHECKED ||
        (outcome == QUOTE_WARN && r->outcome == QUOTE_PASS))
        r->outcome = outcome;
    if (json_array_size(r->details) >= NOTES_MAX)
        return;
    /* A detail cut in the middle of a character is no JSON text. */
    json_t *text = json_string(detail);
    if (text == NULL)
        text = json_string("(not shown: no UTF-8)");
    json_t *line = json_pack("{s:s, s:s, s:o}", "check", check, "outcome",
                             quote_outcome_name(outcome), "detail", text);
    if (line == NULL || json_array_append_new(r->details, line) != 0)
        j->failed = true;
}

/* R1, R2. */

static void judge_log(struct judge *j)
{
    const struct eventlog *log = j->evidence->log;
    static const char *const tails[] = {"", "unused room of 0xff", "unused room of zeros",
                                        "the last record is cut off", "what follows is no record"};
    bool whole = log->tail == EVENTLOG_TAIL_NONE || log->tail == EVENTLOG_TAIL_FF ||
                 log->tail == EVENTLOG_TAIL_ZERO;
    if (log->cc)
        judge_note(j, RUNG_LOG, "registers", QUOTE_FAIL,
                   "this is the log of a confidential VM, whose registers no TPM quotes");
    judge_note(j, RUNG_LOG, "events", QUOTE_PASS, "%zu events, %" PRIu64 " of %" PRIu64 " bytes",
               log->event_count, log->parsed, log->size);
    if (log->tail != EVENTLOG_TAIL_NONE)
        judge_note(j, RUNG_LOG, "end of log", whole ? QUOTE_PASS : QUOTE_WARN,
                   "%s, from byte %" PRIu64, tails[log->tail], log->parsed);
    for (size_t i = 0; i < log->quirk_count; i++)
        judge_note(j, RUNG_LOG, "quirk", QUOTE_WARN, "byte %" PRIu64 ": %s", log->quirks[i].offset,
                   log->quirks[i].text);
}

static void judge_data(struct judge *j)
{
    const struct eventlog *log = j->evidence->log;
    size_t covered = 0, bare = 0;
    for (size_t i = 0; i < log->event_count; i++) {
        const struct event_check *check = &j->checks[i];
        char name[24];
        if (check->failed)
            judge_note(j, RUNG_DATA, "re-hash", QUOTE_FAIL,
                       "event %zu, %s in PCR %" PRIu32 ": its digest is not that of its data (%s)",
                       log->events[i].number, eventlog_type_name(log->events[i].type, name),
                       log->events[i].pcr, check->rule);
        covered += check->coverage != EVENT_COVERS_NOTHING;
        bare += check->coverage == EVENT_COVERS_NOTHING;
    }
    judge_note(j, RUNG_DATA, "coverage", QUOTE_PASS,
               "%zu events with data that their digests cover, %zu without: what those say of "
               "themselves is not authenticated",
               covered, bare);
}

/* R3. */

static void judge_replay(struct judge *j)
{
    struct error error = ERROR_INIT;
    struct replay_skipped skipped = {.count = 0};
    char name[16];
    if (!replay_log(j->evidence->log, &j->replayed, &skipped, &error)) {
        judge_note(j, RUNG_REPLAY, "replay", QUOTE_FAIL, "%s", error.message);
        return;
    }
    for (size_t i = 0; i < j->replayed.bank_count; i++)
        judge_note(j, RUNG_REPLAY, "bank", QUOTE_PASS, "%s: %d PCRs",
                   bank_name(j->replayed.banks[i].algorithm, name),
                   __builtin_popcount(j->replayed.banks[i].known));
    for (size_t i = 0; i < skipped.count; i++)
        judge_note(j, RUNG_REPLAY, "bank", QUOTE_WARN, "%s cannot be computed here",
                   bank_name(skipped.algorithm[i], name));
    if (j->replayed.bank_count == 0)
        judge_note(j, RUNG_REPLAY, "bank", QUOTE_FAIL, "no bank could be replayed");
}

/* R4, R5. */

/* The values that QUOTE selects, of those given along with it. */
static void selected_values(const struct verdict_quote *q, struct pcr_set *out)
{
    *out = (struct pcr_set){.bank_count = 0};
    for (size_t b = 0; b < q->quote->selection.count; b++) {
        uint16_t algorithm = q->quote->selection.banks[b].algorithm;
        const struct pcr_bank *bank = pcr_bank(q->values, algorithm);
        for (unsigned n = 0; bank != NULL && n < PCR_COUNT; n++)
            if ((q->quote->selection.banks[b].pcrs & bank->known) >> n & 1)
                pcr_put(out, algorithm, n, bank->value[n], bank->size);
    }
}

static size_t policy_bank(const struct policy *policy, uint16_t algorithm)
{
    size_t i = 0;
    while (i < policy->bank_count && policy->banks[i] != algorithm)
        i++;
    return i;
}

static const char *match_reason(const struct replay_result *r)
{
    if (r->why[0] != '\0')
        return r->why;
    return r->match == REPLAY_ABSENT_DIFFERS ? "the log has no event for it, but it holds something"
                                             : "nothing was found that would explain it";
}

static void prove(struct judge *j, const struct pcr_set *values, const struct replay_result *r)
{
    const struct pcr_bank *bank = pcr_bank(values, r->algorithm);
    if (policy_bank(j->policy, r->algorithm) < j->policy->bank_count)
        pcr_put(&j->verdict->proven, r->algorithm, r->pcr, bank->value[r->pcr], bank->size);
}

static void compare_values(struct judge *j, const struct pcr_set *values, bool genuine)
{
    struct replay_report report;
    struct error error = ERROR_INIT;
    char name[16];
    if (!replay_compare(j->evidence->log, values, &report, &error)) {
        judge_note(j, RUNG_PCRS, "compare", QUOTE_FAIL, "%s", error.message);
        return;
    }
    size_t matches = 0;
    for (size_t i = 0; i < report.count; i++) {
        const struct replay_result *r = &report.results[i];
        bank_name(r->algorithm, name);
        if (r->match == REPLAY_MATCHES || r->match == REPLAY_ABSENT_INITIAL) {
            matches++;
            if (genuine)
                prove(j, values, r);
        } else if (r->match == REPLAY_UNKNOWN) {
            judge_note(j, RUNG_PCRS, "PCR", QUOTE_WARN, "%s PCR %u is in no quote", name, r->pcr);
        } else if (r->match == REPLAY_SKIPPED) {
            judge_note(j, RUNG_PCRS, "PCR", QUOTE_WARN, "%s PCR %u cannot be computed here", name,
                       r->pcr);
        } else {
            bool ignored = j->policy->ignored_pcrs >> r->pcr & 1;
            judge_note(j, RUNG_PCRS, "PCR", ignored ? QUOTE_WARN : QUOTE_FAIL,
                       "%s PCR %u differs: %s", name, r->pcr, match_reason(r));
        }
    }
    if (matches > 0)
        judge_note(j, RUNG_PCRS, "PCRs", QUOTE_PASS, "%zu of %zu values are what the log gives",
                   matches, report.count);
    replay_report_free(&report);
}

static void judge_one_quote(struct judge *j, size_t i)
{
    const struct verdict_quote *q = &j->evidence->quotes[i];
    struct quote_verdict result = {.valid = false};
    struct error error = ERROR_INIT;
    const struct quote_expect expect = {
        .nonce = j->evidence->nonce,
        .nonce_length = j->evidence->nonce_length,
        .values = q->values,
        .ek = j->evidence->ek,
        .allow_sha1 = policy_bank(j->policy, BANK_SHA1) < j->policy->bank_count,
    };
    if (!quote_verify(q->quote, j->evidence->ak, &expect, &result, &error)) {
        judge_note(j, RUNG_QUOTE, "quote", QUOTE_FAIL, "%s", error.message);
        return;
    }
    for (size_t k = 0; k < result.count; k++)
        judge_note(j, RUNG_QUOTE, result.checks[k].name, result.checks[k].outcome, "%s",
                   result.checks[k].detail);
    if (!result.valid)
        judge_note(j, RUNG_QUOTE, "quote", QUOTE_FAIL, "quote %zu does not hold", i + 1);
    if (q->values == NULL) {
        judge_note(j, RUNG_PCRS, "values", QUOTE_FAIL, "no PCR values came with quote %zu", i + 1);
        return;
    }
    struct pcr_set values;
    selected_values(q, &values);
    compare_values(j, &values, result.valid);
}

/* Parts of different boots, each good by itself, make one that never was. */
static void judge_one_boot(struct judge *j)
{
    const TPMS_ATTEST *first = &j->evidence->quotes[0].quote->attest;
    for (size_t i = 1; i < j->evidence->quote_count; i++) {
        const TPMS_ATTEST *next = &j->evidence->quotes[i].quote->attest;
        if (first->clockInfo.resetCount != next->clockInfo.resetCount ||
            first->clockInfo.restartCount != next->clockInfo.restartCount ||
            first->firmwareVersion != next->firmwareVersion)
            judge_note(j, RUNG_QUOTE, "one boot", QUOTE_FAIL, "quotes 1 and %zu are of two boots",
                       i + 1);
    }
}

static void judge_quotes(struct judge *j)
{
    const struct verdict_evidence *e = j->evidence;
    if (e->quote_count == 0 || e->ak == NULL) {
        judge_note(j, RUNG_QUOTE, "quote", QUOTE_FAIL, "%s: nothing tells what this log is worth",
                   e->ak == NULL ? "no attestation key was given" : "no quote was given");
        return;
    }
    if (j->policy->nonce_required && (e->nonce == NULL || e->nonce_length == 0))
        judge_note(j, RUNG_QUOTE, "nonce", QUOTE_FAIL,
                   "the policy requires one: without it the quote may be an old one");
    for (size_t i = 0; i < e->quote_count; i++)
        judge_one_quote(j, i);
    judge_one_boot(j);
    if (j->verdict->proven.bank_count == 0)
        judge_note(j, RUNG_PCRS, "bank", QUOTE_FAIL,
                   "no PCR is vouched for in a bank that the policy accepts");
}

const struct pcr_bank *judge_bank(const struct judge *j, unsigned pcr)
{
    for (size_t b = 0; pcr < PCR_COUNT && b < j->policy->bank_count; b++) {
        const struct pcr_bank *bank = pcr_bank(&j->verdict->proven, j->policy->banks[b]);
        if (bank != NULL && bank->known >> pcr & 1)
            return bank;
    }
    return NULL;
}

const struct eventlog_digest *judge_digest(const struct judge *j,
                                           const struct eventlog_event *event)
{
    const struct pcr_bank *bank = judge_bank(j, event->pcr);
    return bank == NULL ? NULL : eventlog_digest(event, bank->algorithm);
}

static void set_required(struct judge *j)
{
    const struct policy *p = j->policy;
    for (size_t i = 0; i < VERDICT_RUNGS; i++)
        j->verdict->rungs[i].required = i <= RUNG_AK;
    bool ek = p->ek_required || p->ek_certificate_required || p->manufacturers != NULL;
    bool boot = p->secure_boot_required || p->authorities != NULL || p->images != NULL ||
                p->pcrs != NULL || p->base_images != NULL;
    j->verdict->rungs[RUNG_EK].required = ek;
    j->verdict->rungs[RUNG_BOOT].required = boot;
    j->verdict->rungs[RUNG_AUTHORITY].required =
        p->ek_required || p->ek_certificate_required || p->base_images != NULL;
}

bool verdict_judge(const struct verdict_evidence *evidence, const struct policy *policy,
                   struct verdict *verdict, struct error *error)
{
    struct judge j = {.evidence = evidence, .policy = policy, .verdict = verdict};
    *verdict = (struct verdict){.trusted = false};
    for (size_t i = 0; i < VERDICT_RUNGS; i++) {
        verdict->rungs[i].outcome = QUOTE_NOT_CHECKED;
        verdict->rungs[i].details = json_array();
    }
    set_required(&j);
    j.checks = calloc(evidence->log->event_count + 1, sizeof *j.checks);
    bool ok = j.checks != NULL || error_memory(error);
    for (size_t i = 0; ok && i < evidence->log->event_count; i++)
        event_check(evidence->log, &evidence->log->events[i], &j.checks[i]);
    ok = ok && facts_find(evidence->log, &j.facts, error);
    if (ok) {
        judge_log(&j);
        judge_data(&j);
        judge_replay(&j);
        judge_quotes(&j);
        judge_ak(&j);
        judge_ek(&j);
        judge_boot(&j);
        judge_authority(&j);
        verdict->trusted = true;
        for (size_t i = 0; i < VERDICT_RUNGS; i++) {
            const struct verdict_rung *r = &verdict->rungs[i];
            bool passed = r->outcome == QUOTE_PASS || r->outcome == QUOTE_WARN;
            if (r->outcome == QUOTE_FAIL || (r->required && !passed))
                verdict->trusted = false;
        }
        facts_free(&j.facts);
    }
    free(j.checks);
    if (ok && j.failed)
        ok = error_memory(error);
    if (!ok)
        verdict_free(verdict);
    return ok;
}

void verdict_free(struct verdict *verdict)
{
    for (size_t i = 0; i < VERDICT_RUNGS; i++)
        json_decref(verdict->rungs[i].details);
    *verdict = (struct verdict){.trusted = false};
}

json_t *verdict_json(const struct verdict *verdict, const struct policy *policy)
{
    struct buffer hex = BUFFER_INIT;
    json_t *rungs = json_array();
    hex_encode(policy->sha256, sizeof policy->sha256, &hex);
    for (size_t i = 0; i < VERDICT_RUNGS; i++) {
        const struct verdict_rung *r = &verdict->rungs[i];
        char rung[4] = {'R', (char)('1' + i), '\0', '\0'};
        json_array_append_new(rungs, json_pack("{s:s, s:s, s:s, s:b, s:O}", "rung", rung, "name",
                                               verdict_rung_name(i), "outcome",
                                               quote_outcome_name(r->outcome), "required",
                                               r->required, "checks", r->details));
    }
    json_t *root = json_pack("{s:b, s:{s:s*, s:s}, s:o}", "trusted", verdict->trusted, "policy",
                             "name", policy->name, "sha256", buffer_text(&hex), "rungs", rungs);
    buffer_free(&hex);
    return root;
}
