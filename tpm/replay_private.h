/* replay_private - what the files of the replay share. */
#ifndef VMCRYPT_TPM_REPLAY_PRIVATE_H
#define VMCRYPT_TPM_REPLAY_PRIVATE_H

#include "tpm/replay.h"

/* The event was extended into a PCR, not only noted. */
bool replay_extends(const struct eventlog_event *event);

struct replay_search {
    const struct eventlog *log;
    const struct pcr_set *values, *computed;
    size_t budget; /* extensions that may still be tried, over all PCRs */
};

/* Look for a reason why RESULT's PCR holds WANTED; fills why, explained and event. */
bool replay_explain(struct replay_search *search, struct replay_result *result,
                    const uint8_t *wanted, struct error *error);

/* One PCR of one bank for which a reason is looked for: its events in that bank, and what it holds
 * before each. */
struct replay_trial {
    const struct replay_search *search;
    struct replay_result *result;
    struct bank_hasher *hasher;
    size_t size;
    const uint8_t *wanted;
    size_t count; /* events */
    const struct eventlog_event **events;
    const uint8_t **digests;
    uint8_t *states; /* (count + 1) * size bytes */
    size_t budget;   /* extensions left; none: every trial fails */
    bool exhausted;
};

const uint8_t *replay_state(const struct replay_trial *trial, size_t i);
/* VALUE extended by DIGEST. */
bool replay_extend(struct replay_trial *trial, uint8_t *value, const uint8_t *digest);
/* VALUE, extended by the events from FROM on, becomes what is wanted. VALUE is overwritten. */
bool replay_reaches(struct replay_trial *trial, uint8_t *value, size_t from);
/* Tell the reason; EVENT NULL for none. Returns true. */
bool replay_tell(struct replay_trial *trial, const struct eventlog_event *event, const char *format,
                 ...) __attribute__((format(printf, 3, 4)));
/* "event 12 (EV_SEPARATOR)" in TEXT. */
const char *replay_event_name(const struct eventlog_event *event, char text[64]);

/* Reasons that are more than linear in the events; true when one was found and told. */
bool replay_try_known_inserted(struct replay_trial *trial);
bool replay_try_dropped(struct replay_trial *trial);
bool replay_try_doubled(struct replay_trial *trial);
bool replay_try_rehashed(struct replay_trial *trial);
bool replay_try_swapped(struct replay_trial *trial);
bool replay_try_flipped(struct replay_trial *trial);
bool replay_try_moved(struct replay_trial *trial);
bool replay_try_two_dropped(struct replay_trial *trial);

/* What firmware measures into many PCRs and logs may lack. */
struct replay_known {
    const char *name, *data;
    size_t length;
};
enum { REPLAY_KNOWN = 8 };
extern const struct replay_known replay_known[REPLAY_KNOWN];

#endif
