/* What the parts of a verdict share. */
#ifndef VMCRYPT_TPM_VERDICT_PRIVATE_H
#define VMCRYPT_TPM_VERDICT_PRIVATE_H

#include "tpm/event.h"
#include "tpm/verdict.h"

enum rung {
    RUNG_LOG,
    RUNG_DATA,
    RUNG_REPLAY,
    RUNG_PCRS,
    RUNG_QUOTE,
    RUNG_AK,
    RUNG_EK,
    RUNG_BOOT,
    RUNG_AUTHORITY
};

struct judge {
    const struct verdict_evidence *evidence;
    const struct policy *policy;
    struct verdict *verdict;
    struct event_check *checks; /* of each event of the log */
    struct facts facts;
    struct pcr_set replayed;
    enum { LINK_NONE, LINK_CERTIFICATE, LINK_CREDENTIAL, LINK_NAME } link; /* of AK and EK */
    bool base_image; /* what booted is one permitted base image */
    bool failed;     /* memory is short */
};

/* Add a line to a rung. FAIL stays; WARN stays unless something fails. */
void judge_note(struct judge *j, enum rung rung, const char *check, enum quote_outcome outcome,
                const char *format, ...) __attribute__((format(printf, 5, 6)));

/* The bank in which PCR is judged: the first of the policy's in which a quote and the replay vouch
 * for it. NULL: nothing does. */
const struct pcr_bank *judge_bank(const struct judge *j, unsigned pcr);
/* What was measured when EVENT was: its digest in the bank in which its PCR is judged. NULL when
 * nothing vouches for that. */
const struct eventlog_digest *judge_digest(const struct judge *j,
                                           const struct eventlog_event *event);

/* verdict_boot.c: R8. */
void judge_boot(struct judge *j);
/* The bytes that event I was extended with the hash of; NULL when the log does not have them, or
 * nothing vouches for its PCR. Neither type nor tag nor what else stands in the event can change
 * what they are. */
const uint8_t *judge_measured(const struct judge *j, size_t i, size_t *length);
/* They are a separator: of four bytes that are all 0 or all 0xff. */
bool judge_is_separator(const uint8_t *bytes, size_t length);
/* They are a separator or a short printable text: nothing that could be run or be a key. */
bool judge_is_harmless(const uint8_t *bytes, size_t length);
/* EVENT extended PCR. */
bool judge_extends(const struct eventlog_event *event, unsigned pcr);
/* verdict_secure_boot.c: the part of it that PCR 7 is. */
void judge_secure_boot(struct judge *j);
/* verdict_esxi.c: the part of it that ESXi's own measurements are. */
void judge_esxi(struct judge *j);
/* verdict_identity.c: R6, R7, R9. */
void judge_ak(struct judge *j);
void judge_ek(struct judge *j);
void judge_authority(struct judge *j);

#endif
