/* replay_explain - why a PCR may hold something else than the log leads to. */
#include "tpm/replay_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tpm/event_types.h"

const uint8_t *replay_state(const struct replay_trial *trial, size_t i)
{
    return trial->states + i * trial->size;
}

bool replay_extend(struct replay_trial *trial, uint8_t *value, const uint8_t *digest)
{
    if (trial->budget == 0) {
        trial->exhausted = true;
        return false;
    }
    trial->budget--;
    return bank_extend(trial->hasher, value, digest);
}

static bool is_wanted(const struct replay_trial *trial, const uint8_t *value)
{
    return memcmp(value, trial->wanted, trial->size) == 0;
}

bool replay_reaches(struct replay_trial *trial, uint8_t *value, size_t from)
{
    for (size_t i = from; i < trial->count; i++)
        if (!replay_extend(trial, value, trial->digests[i]))
            return false;
    return is_wanted(trial, value);
}

bool replay_tell(struct replay_trial *trial, const struct eventlog_event *event, const char *format,
                 ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(trial->result->why, sizeof trial->result->why, format, args);
    va_end(args);
    trial->result->explained = true;
    trial->result->event = event == NULL ? SIZE_MAX : event->number;
    return true;
}

const char *replay_event_name(const struct eventlog_event *event, char text[64])
{
    char type[24];
    snprintf(text, 64, "event %zu (%s)", event->number, eventlog_type_name(event->type, type));
    return text;
}

/* PCR 0 starts with the locality of the TPM's startup, 17 to 22 with what a dynamic launch left. */
static bool try_start(struct replay_trial *trial)
{
    uint8_t value[BANK_DIGEST_MAX];
    unsigned pcr = trial->result->pcr;
    for (unsigned locality = 0; pcr == 0 && locality <= 4; locality++) {
        memset(value, 0, trial->size);
        value[trial->size - 1] = (uint8_t)locality;
        if (memcmp(value, replay_state(trial, 0), trial->size) != 0 &&
            replay_reaches(trial, value, 0))
            return replay_tell(trial, NULL,
                               "would match if the TPM was started at locality %u, which the log "
                               "does not say (no fitting StartupLocality event)",
                               locality);
    }
    for (unsigned byte = 0; pcr >= 17 && pcr <= 22 && byte <= 0xff; byte += 0xff) {
        memset(value, (int)byte, trial->size);
        if (memcmp(value, replay_state(trial, 0), trial->size) != 0 &&
            replay_reaches(trial, value, 0))
            return replay_tell(trial, NULL, "would match if it had started as %s",
                               byte == 0 ? "zeros, after a dynamic launch"
                                         : "0xff, without a dynamic launch");
    }
    return false;
}

/* Whether the events from FROM on are the ones before them once more. */
static bool repeats(const struct replay_trial *trial, size_t from)
{
    size_t length = trial->count - from;
    for (size_t i = from; i < trial->count; i++)
        if (length > from ||
            memcmp(trial->digests[i], trial->digests[i - length], trial->size) != 0)
            return false;
    return true;
}

static bool try_prefix(struct replay_trial *trial)
{
    char name[64];
    for (size_t i = trial->count; i-- > 0;) {
        const struct eventlog_event *event = trial->events[i];
        if (!is_wanted(trial, replay_state(trial, i)))
            continue;
        replay_event_name(event, name);
        if (i == 0)
            return replay_tell(trial, event,
                               "holds its start value: none of its %zu events was extended, or it "
                               "was reset since",
                               trial->count);
        if (repeats(trial, i))
            return replay_tell(trial, event,
                               "would match without its last %zu events, from %s on, which repeat "
                               "those before (final events joined twice?)",
                               trial->count - i, name);
        return replay_tell(trial, event,
                           "is what it was before %s: that and the %zu after it were not extended, "
                           "or the values were taken earlier",
                           name, trial->count - i - 1);
    }
    return false;
}

static bool try_cut_record(struct replay_trial *trial)
{
    const struct eventlog_event *cut = &trial->search->log->cut;
    uint8_t value[BANK_DIGEST_MAX];
    const struct eventlog_digest *digest =
        trial->search->log->has_cut && cut->pcr == trial->result->pcr
            ? eventlog_digest(cut, trial->result->algorithm)
            : NULL;
    if (digest == NULL)
        return false;
    memcpy(value, replay_state(trial, trial->count), trial->size);
    return replay_extend(trial, value, digest->bytes) && is_wanted(trial, value) &&
           replay_tell(trial, NULL,
                       "would match with the record that is cut off at byte %llu: the log is not "
                       "whole",
                       (unsigned long long)cut->offset);
}

/* One or two of these at the end, where firmware notes that boot services ended. */
static bool try_appended(struct replay_trial *trial)
{
    static const struct {
        size_t first, second; /* REPLAY_KNOWN: none */
    } tries[] = {{0, REPLAY_KNOWN}, {0, 1}, {0, 2}, {1, REPLAY_KNOWN}, {2, REPLAY_KNOWN}, {5, 0}};
    uint8_t value[BANK_DIGEST_MAX], digest[BANK_DIGEST_MAX];
    for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
        const struct replay_known *first = &replay_known[tries[i].first];
        const struct replay_known *second =
            tries[i].second == REPLAY_KNOWN ? NULL : &replay_known[tries[i].second];
        memcpy(value, replay_state(trial, trial->count), trial->size);
        bool ok = bank_hash(trial->result->algorithm, first->data, first->length, "", 0, digest) &&
                  replay_extend(trial, value, digest);
        if (ok && second != NULL)
            ok = bank_hash(trial->result->algorithm, second->data, second->length, "", 0, digest) &&
                 replay_extend(trial, value, digest);
        if (ok && is_wanted(trial, value))
            return replay_tell(
                trial, NULL, "would match with \"%s\"%s%s%s added at the end: the log lacks %s",
                first->name, second == NULL ? "" : " and \"", second == NULL ? "" : second->name,
                second == NULL ? "" : "\"", second == NULL ? "this event" : "these events");
    }
    return false;
}

/* Firmware that measures nothing into a PCR ends it with one separator all the same. */
static bool try_separator_alone(struct replay_trial *trial)
{
    uint8_t value[BANK_DIGEST_MAX], digest[BANK_DIGEST_MAX];
    for (size_t i = 0; i < REPLAY_KNOWN; i++) {
        memcpy(value, replay_state(trial, 0), trial->size);
        if (replay_known[i].length == 4 &&
            bank_hash(trial->result->algorithm, replay_known[i].data, 4, "", 0, digest) &&
            replay_extend(trial, value, digest) && is_wanted(trial, value))
            return replay_tell(trial, NULL, "holds \"%s\" and nothing else", replay_known[i].name);
    }
    return false;
}

/* All its digests of another bank, cut or filled with zeros, as faulty firmware extends them. */
static bool replay_other_bank(struct replay_trial *trial, uint16_t other)
{
    uint8_t value[BANK_DIGEST_MAX];
    memcpy(value, replay_state(trial, 0), trial->size);
    for (size_t i = 0; i < trial->count; i++) {
        const struct eventlog_digest *digest = eventlog_digest(trial->events[i], other);
        uint8_t fitted[BANK_DIGEST_MAX] = {0};
        if (digest == NULL)
            return false;
        memcpy(fitted, digest->bytes, digest->size < trial->size ? digest->size : trial->size);
        if (!replay_extend(trial, value, fitted))
            return false;
    }
    return is_wanted(trial, value);
}

static bool try_other_bank(struct replay_trial *trial)
{
    const struct eventlog *log = trial->search->log;
    const struct pcr_set *computed = trial->search->computed;
    uint16_t own = trial->result->algorithm;
    unsigned pcr = trial->result->pcr;
    char name[16];
    for (size_t b = 0; b < computed->bank_count; b++) {
        const struct pcr_bank *bank = &computed->banks[b];
        if (bank->algorithm != own && bank->size == trial->size && (bank->known >> pcr & 1) != 0 &&
            is_wanted(trial, bank->value[pcr]))
            return replay_tell(trial, NULL, "is the value of bank %s: the banks are mixed up",
                               bank_name(bank->algorithm, name));
        for (unsigned i = 0; bank->algorithm == own && i < PCR_COUNT; i++)
            if (i != pcr && (bank->known >> i & 1) != 0 && is_wanted(trial, bank->value[i]))
                return replay_tell(trial, NULL, "is the value that PCR %u should have", i);
    }
    for (size_t b = 0; b < log->bank_count; b++)
        if (log->banks[b].algorithm != own && replay_other_bank(trial, log->banks[b].algorithm))
            return replay_tell(trial, NULL,
                               "would match if the digests of bank %s had been extended into it",
                               bank_name(log->banks[b].algorithm, name));
    return false;
}

static void tell_not_found(struct replay_trial *trial)
{
    const struct eventlog *log = trial->search->log;
    char *why = trial->result->why;
    size_t size = sizeof trial->result->why;
    int at;
    if (trial->count == 0)
        at = snprintf(why, size,
                      "was extended, and the log has no event of this bank for it: software that "
                      "keeps another log may have done it%s",
                      trial->result->pcr == 10 ? " (Linux IMA uses PCR 10)" : "");
    else
        at = snprintf(why, size,
                      "no start value, no prefix of its %zu events and no single event altered, "
                      "left out, added or moved%s leads to it",
                      trial->count, trial->exhausted ? ", as far as it was searched," : "");
    if (log->tail == EVENTLOG_TAIL_TRUNCATED || log->tail == EVENTLOG_TAIL_GARBAGE)
        at += snprintf(why + at, size - (size_t)at,
                       "; the log is not whole (byte %llu): what is missing may explain it",
                       (unsigned long long)log->parsed);
    else if (trial->count > 0)
        at += snprintf(why + at, size - (size_t)at,
                       "; another log, or events after the log was taken");
    (void)at;
}

/* From cheap to dear; the dear ones share what is left of the budget. */
static void look(struct replay_trial *trial)
{
    static bool (*const linear[])(struct replay_trial *) = {
        try_start, try_prefix, try_cut_record, try_appended, try_separator_alone, try_other_bank,
    };
    static bool (*const dear[])(struct replay_trial *) = {
        replay_try_dropped, replay_try_rehashed, replay_try_known_inserted, replay_try_doubled,
        replay_try_swapped, replay_try_flipped,  replay_try_moved,          replay_try_two_dropped,
    };
    enum { DEAR = sizeof dear / sizeof dear[0] };
    for (size_t i = 0; i < sizeof linear / sizeof linear[0]; i++)
        if (linear[i](trial))
            return;
    size_t left = trial->budget;
    for (size_t i = 0; i < DEAR; i++) {
        size_t share = left / (DEAR - i);
        trial->budget = share;
        bool found = dear[i](trial);
        left -= share - trial->budget;
        if (found)
            return;
    }
    trial->budget = left;
    tell_not_found(trial);
}

/* The events of the PCR that have a digest of the bank, and what it holds before each of them. */
static bool collect(struct replay_trial *trial)
{
    const struct eventlog *log = trial->search->log;
    uint16_t algorithm = trial->result->algorithm;
    unsigned pcr = trial->result->pcr;
    size_t most = 0;
    for (size_t i = 0; i < log->event_count; i++)
        most += log->events[i].pcr == pcr && replay_extends(&log->events[i]);
    trial->events = calloc(most + 1, sizeof *trial->events);
    trial->digests = calloc(most + 1, sizeof *trial->digests);
    trial->states = calloc(most + 1, trial->size);
    if (trial->events == NULL || trial->digests == NULL || trial->states == NULL)
        return false;
    replay_initial(log, algorithm, pcr, trial->states);
    for (size_t i = 0; i < log->event_count; i++) {
        const struct eventlog_event *event = &log->events[i];
        const struct eventlog_digest *digest =
            event->pcr == pcr && replay_extends(event) ? eventlog_digest(event, algorithm) : NULL;
        if (digest == NULL || digest->size != trial->size)
            continue;
        uint8_t *next = trial->states + (trial->count + 1) * trial->size;
        memcpy(next, replay_state(trial, trial->count), trial->size);
        bank_extend(trial->hasher, next, digest->bytes);
        trial->events[trial->count] = event;
        trial->digests[trial->count++] = digest->bytes;
    }
    return true;
}

bool replay_explain(struct replay_search *search, struct replay_result *result,
                    const uint8_t *wanted, struct error *error)
{
    struct replay_trial trial = {
        .search = search,
        .result = result,
        .hasher = bank_hasher_open(result->algorithm),
        .size = bank_by_id(result->algorithm)->size,
        .wanted = wanted,
        .budget = search->budget / 4,
    };
    bool ok = true;
    if (trial.hasher != NULL) {
        size_t before = trial.budget;
        ok = collect(&trial) || error_memory(error);
        if (ok)
            look(&trial);
        search->budget -= before - trial.budget;
    }
    bank_hasher_close(trial.hasher);
    free(trial.events);
    free(trial.digests);
    free(trial.states);
    return ok;
}
