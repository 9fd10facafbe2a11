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

/* True when a quote and the replay vouch for EVENT in a bank of the policy: its digest in that bank
 * is then what was measured. *DIGEST (or NULL) is it. */
bool judge_vouches(const struct judge *j, const struct eventlog_event *event,
                   const struct eventlog_digest **digest);
/* True when all of PCR is known in bank I of the policy. */
bool judge_proven(const struct judge *j, size_t bank, unsigned pcr);

/* verdict_boot.c: R8. */
void judge_boot(struct judge *j);
/* verdict_esxi.c: the part of it that ESXi's own measurements are. */
void judge_esxi(struct judge *j);
/* verdict_identity.c: R6, R7, R9. */
void judge_ak(struct judge *j);
void judge_ek(struct judge *j);
void judge_authority(struct judge *j);

#endif
