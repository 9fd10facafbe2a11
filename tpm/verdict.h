/*
 * verdict - the ladder from a log and a quote to "this host booted what the policy permits".
 *
 *   R1 the log parses            R2 digests match data       R3 every bank replays
 *   R4 PCR values match          R5 the quote is genuine     R6 the AK is the TPM's
 *   R7 the TPM is permitted      R8 what booted is permitted R9 Trust Authority's settings are met
 *
 * A rung that was not checked never counts as passed. A fact counts for R8 only when a quote that
 * passed covers its PCR in a bank of the policy and the replay of that PCR in that bank matches.
 * Each PCR is judged in one bank, the first of the policy's for which that is so: an event of it
 * that has no digest in that bank counts as unexplained, not as one to be judged by another.
 */
#ifndef VMCRYPT_TPM_VERDICT_H
#define VMCRYPT_TPM_VERDICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/error.h"
#include "tpm/eventlog.h"
#include "tpm/facts.h"
#include "tpm/identity.h"
#include "tpm/pcr.h"
#include "tpm/policy.h"
#include "tpm/quote.h"

enum { VERDICT_QUOTES_MAX = 8, VERDICT_RUNGS = 9 };

struct verdict_quote {
    const struct quote *quote;
    const struct pcr_set *values; /* given along with it */
};

/* All is borrowed. NULL: not at hand. */
struct verdict_evidence {
    const struct eventlog *log;
    size_t quote_count;
    struct verdict_quote quotes[VERDICT_QUOTES_MAX];
    const struct quote_key *ak;
    const struct quote_key *ek; /* public area or PEM */
    X509 *ek_certificate;
    const struct identity_cas *intermediates;
    const struct identity_binding
        *credential; /* a record that was checked: IDENTITY_BY_CREDENTIAL */
    const void *nonce;
    size_t nonce_length;
    int64_t now; /* seconds since 1970 */
};

struct verdict_rung {
    enum quote_outcome outcome;
    bool required;   /* the policy makes it count */
    json_t *details; /* array of {"check", "outcome", "detail"} */
};

struct verdict {
    bool trusted;                             /* every required rung passed */
    struct verdict_rung rungs[VERDICT_RUNGS]; /* R1 is 0 */
    struct pcr_set
        proven; /* values in the policy's banks that a quote signs and the log explains */
};

/* False only when memory is short. */
bool verdict_judge(const struct verdict_evidence *evidence, const struct policy *policy,
                   struct verdict *verdict, struct error *error);
void verdict_free(struct verdict *verdict);

/* "log parsed" ... for rung I. */
const char *verdict_rung_name(size_t i);

/* {"trusted", "policy", "rungs": [{"rung": "R1", "name", "outcome", "required", "checks": [...]}]}.
 */
json_t *verdict_json(const struct verdict *verdict, const struct policy *policy);

#endif
