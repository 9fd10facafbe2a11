/* replay_search - one or two events of a PCR changed, until what it holds comes out. */
#include "tpm/replay_private.h"

#include <string.h>

#include "base/reader.h"
#include "tpm/event_types.h"

#define TEXT(text) (text), (text), sizeof(text) - 1
const struct replay_known replay_known[REPLAY_KNOWN] = {
    {TEXT("Exit Boot Services Invocation")},
    {TEXT("Exit Boot Services Returned with Success")},
    {TEXT("Exit Boot Services Returned with Failure")},
    {TEXT("Calling EFI Application from Boot Option")},
    {TEXT("Returning from EFI Application from Boot Option")},
    {"separator 00000000", "\0\0\0\0", 4},
    {"separator ffffffff", "\xff\xff\xff\xff", 4},
    {"error separator", "\1\0\0\0", 4},
};

/* What the PCR holds before event I, to go on from. */
static void start_from(const struct replay_trial *trial, size_t i, uint8_t *value)
{
    memcpy(value, replay_state(trial, i), trial->size);
}

/* In all of these late events come first, as few are to be extended behind them. */

bool replay_try_dropped(struct replay_trial *trial)
{
    uint8_t value[BANK_DIGEST_MAX];
    char name[64];
    for (size_t i = trial->count; i-- > 0 && trial->budget > 0;) {
        start_from(trial, i, value);
        if (replay_reaches(trial, value, i + 1))
            return replay_tell(trial, trial->events[i],
                               "would match without %s: the log has it, the TPM did not extend it",
                               replay_event_name(trial->events[i], name));
    }
    return false;
}

bool replay_try_doubled(struct replay_trial *trial)
{
    uint8_t value[BANK_DIGEST_MAX];
    char name[64];
    for (size_t i = trial->count; i-- > 0 && trial->budget > 0;) {
        start_from(trial, i + 1, value);
        if (replay_extend(trial, value, trial->digests[i]) && replay_reaches(trial, value, i + 1))
            return replay_tell(trial, trial->events[i],
                               "would match if %s had been extended twice: the log has it once",
                               replay_event_name(trial->events[i], name));
    }
    return false;
}

bool replay_try_known_inserted(struct replay_trial *trial)
{
    uint8_t value[BANK_DIGEST_MAX], digests[REPLAY_KNOWN][BANK_DIGEST_MAX];
    char name[64];
    for (size_t k = 0; k < REPLAY_KNOWN; k++)
        if (!bank_hash(trial->result->algorithm, replay_known[k].data, replay_known[k].length, "",
                       0, digests[k]))
            return false;
    for (size_t i = trial->count + 1; i-- > 0 && trial->budget > 0;)
        for (size_t k = 0; k < REPLAY_KNOWN; k++) {
            start_from(trial, i, value);
            if (!replay_extend(trial, value, digests[k]) || !replay_reaches(trial, value, i))
                continue;
            const struct eventlog_event *event = i < trial->count ? trial->events[i] : NULL;
            return replay_tell(trial, event, "would match with \"%s\" added %s%s: the log lacks it",
                               replay_known[k].name, event == NULL ? "at the end" : "before ",
                               event == NULL ? "" : replay_event_name(event, name));
        }
    return false;
}

/* VALUE is what the PCR holds before event I; with DIGEST instead of that event's, the wanted
 * comes out. */
static bool fits_instead(struct replay_trial *trial, size_t i, const uint8_t *digest)
{
    uint8_t value[BANK_DIGEST_MAX];
    start_from(trial, i, value);
    return replay_extend(trial, value, digest) && replay_reaches(trial, value, i + 1);
}

/* Parts of an event's data that digests are taken of. */
static size_t candidates(const struct eventlog_event *event, size_t start[4], size_t length[4])
{
    size_t count = 0;
    start[count] = 0;
    length[count++] = event->length;
    if (event->length > 0) {
        start[count] = 0;
        length[count++] = event->length - 1;
    }
    if (event->type == EV_EVENT_TAG && event->length >= 8) {
        start[count] = 8;
        length[count++] = event->length - 8;
    }
    struct reader r = reader_over(event->data, event->length);
    reader_skip(&r, 16);
    uint64_t characters = reader_u64(&r), data = reader_u64(&r);
    if (!r.failed && characters <= reader_left(&r) / 2 &&
        data == reader_left(&r) - 2 * characters) {
        start[count] = event->length - (size_t)data;
        length[count++] = (size_t)data;
    }
    return count;
}

bool replay_try_rehashed(struct replay_trial *trial)
{
    uint8_t digest[BANK_DIGEST_MAX];
    char name[64];
    for (size_t i = trial->count; i-- > 0 && trial->budget > 0;) {
        const struct eventlog_event *event = trial->events[i];
        size_t start[4], length[4],
            count = event->data == NULL ? 0 : candidates(event, start, length);
        for (size_t c = 0; c < count; c++) {
            if (bank_hash(trial->result->algorithm, event->data + start[c], length[c], "", 0,
                          digest) &&
                memcmp(digest, trial->digests[i], trial->size) != 0 &&
                fits_instead(trial, i, digest))
                return replay_tell(trial, event,
                                   "would match if the digest of %s were that of its %s: the log's "
                                   "digest was altered",
                                   replay_event_name(event, name),
                                   length[c] == event->length ? "data" : "data's measured part");
        }
    }
    return false;
}

bool replay_try_flipped(struct replay_trial *trial)
{
    uint8_t digest[BANK_DIGEST_MAX];
    char name[64];
    for (size_t i = trial->count; i-- > 0 && trial->budget > 0;)
        for (size_t bit = 0; bit < 8 * trial->size; bit++) {
            memcpy(digest, trial->digests[i], trial->size);
            digest[bit / 8] ^= (uint8_t)(1u << bit % 8);
            if (fits_instead(trial, i, digest))
                return replay_tell(trial, trial->events[i],
                                   "would match with bit %zu of byte %zu of the digest of %s "
                                   "flipped: the log is altered or damaged",
                                   bit % 8, bit / 8, replay_event_name(trial->events[i], name));
        }
    return false;
}

bool replay_try_swapped(struct replay_trial *trial)
{
    uint8_t value[BANK_DIGEST_MAX];
    char name[64], other[64];
    for (size_t i = trial->count; i-- > 1 && trial->budget > 0;) {
        start_from(trial, i - 1, value);
        if (replay_extend(trial, value, trial->digests[i]) &&
            replay_extend(trial, value, trial->digests[i - 1]) &&
            replay_reaches(trial, value, i + 1))
            return replay_tell(trial, trial->events[i],
                               "would match with %s before %s: the log's order was changed",
                               replay_event_name(trial->events[i], name),
                               replay_event_name(trial->events[i - 1], other));
    }
    return false;
}

/* Event FROM where event TO is, those between moved by one. */
static bool fits_moved(struct replay_trial *trial, size_t from, size_t to)
{
    uint8_t value[BANK_DIGEST_MAX];
    size_t low = from < to ? from : to, high = from < to ? to : from;
    bool ok = true;
    start_from(trial, low, value);
    if (to < from)
        ok = replay_extend(trial, value, trial->digests[from]);
    for (size_t i = low; ok && i <= high; i++)
        if (i != from)
            ok = replay_extend(trial, value, trial->digests[i]);
    if (ok && to > from)
        ok = replay_extend(trial, value, trial->digests[from]);
    return ok && replay_reaches(trial, value, high + 1);
}

bool replay_try_moved(struct replay_trial *trial)
{
    char name[64], other[64];
    for (size_t from = trial->count; from-- > 0 && trial->budget > 0;)
        for (size_t to = trial->count; to-- > 0 && trial->budget > 0;) {
            if (from == to || !fits_moved(trial, from, to))
                continue;
            return replay_tell(trial, trial->events[from],
                               "would match with %s moved to the place of %s: the log's order was "
                               "changed",
                               replay_event_name(trial->events[from], name),
                               replay_event_name(trial->events[to], other));
        }
    return false;
}

bool replay_try_two_dropped(struct replay_trial *trial)
{
    uint8_t value[BANK_DIGEST_MAX], after[BANK_DIGEST_MAX];
    char name[64], other[64];
    for (size_t i = trial->count; i-- > 0 && trial->budget > 0;) {
        start_from(trial, i, value);
        for (size_t j = i + 1; j < trial->count && trial->budget > 0; j++) {
            memcpy(after, value, trial->size);
            if (replay_reaches(trial, after, j + 1))
                return replay_tell(trial, trial->events[i],
                                   "would match without %s and %s: the log has them, the TPM did "
                                   "not extend them",
                                   replay_event_name(trial->events[i], name),
                                   replay_event_name(trial->events[j], other));
            if (!replay_extend(trial, value, trial->digests[j]))
                break;
        }
    }
    return false;
}
