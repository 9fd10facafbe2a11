/*
 * replay - what the PCRs must hold if the events of a log, and no others, were extended; and, when
 * they hold something else, why.
 */
#ifndef VMCRYPT_TPM_REPLAY_H
#define VMCRYPT_TPM_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/error.h"
#include "tpm/eventlog.h"
#include "tpm/pcr.h"

/* Replay every bank that the log has and OpenSSL can hash. PCRs without an event are not known in
 * OUT, except PCR 0 of a log that tells its locality. Other banks are listed in *skipped (NULL
 * when of no interest). */
struct replay_skipped {
    size_t count;
    uint16_t algorithm[BANK_MAX];
};
bool replay_log(const struct eventlog *log, struct pcr_set *out, struct replay_skipped *skipped,
                struct error *error);

/* What a PCR holds at reset: zeros; 0xff for 17 to 22 unless the log has extended them after a
 * dynamic launch; the locality in PCR 0. */
void replay_initial(const struct eventlog *log, uint16_t algorithm, unsigned pcr, uint8_t *value);

enum replay_match {
    REPLAY_MATCHES,
    REPLAY_DIFFERS,
    REPLAY_ABSENT_INITIAL, /* no event, and the PCR holds its initial value */
    REPLAY_ABSENT_DIFFERS, /* no event, but the PCR holds something: not explained by the log */
    REPLAY_UNKNOWN,        /* no value to compare with */
    REPLAY_SKIPPED,        /* the bank cannot be computed */
};

struct replay_result {
    uint16_t algorithm;
    unsigned pcr;
    enum replay_match match;
    char why[400]; /* of a difference: what would explain it, "" when nothing was found */
    bool explained;
    size_t event; /* the event that the explanation names; SIZE_MAX for none */
};

struct replay_report {
    size_t count;
    struct replay_result *results; /* banks ascending, PCRs ascending */
    bool all_match; /* of the values given, nothing but MATCHES and ABSENT_INITIAL, UNKNOWN in a
                     * partial log, and at least one MATCHES */
};

/*
 * Compare the log with VALUES. PCRs that the log has and VALUES lack are UNKNOWN. For each
 * difference look for a reason, as a diagnosis and never as a pass: another start value (locality
 * of PCR 0, dynamic launch), a prefix of the log (values taken before boot ended, or events doubled
 * at the end), missing ExitBootServices events and separators, a log that was cut off, the digests
 * or the value of another bank or PCR, one event that was altered, left out, added or moved, two
 * that were left out. Bounded: what costs more than linear time has a budget of extensions, and the
 * reason says when it ran out.
 */
bool replay_compare(const struct eventlog *log, const struct pcr_set *values,
                    struct replay_report *report, struct error *error);
void replay_report_free(struct replay_report *report);

#endif
