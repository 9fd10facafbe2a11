/*
 * quote - a TPM's signed statement of PCR values: parsing, and every check that can be made
 * without the TPM. Structures by tpm2-tss (tss2-mu) [source: TPM 2.0 part 2].
 */
#ifndef VMCRYPT_TPM_QUOTE_H
#define VMCRYPT_TPM_QUOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <tss2/tss2_tpm2_types.h>

#include "base/error.h"
#include "tpm/pcr.h"

/* An attestation key, from PEM, TPM2B_PUBLIC, TPMT_PUBLIC, a certificate (PEM or DER). */
struct quote_key {
    EVP_PKEY *key;
    bool has_public; /* PUBLIC is known: attributes and name too */
    TPMT_PUBLIC public;
    uint8_t name[2 + BANK_DIGEST_MAX]; /* algorithm, digest */
    size_t name_length;
    X509 *certificate; /* NULL when it came without */
};
bool quote_key_load(struct quote_key *key, const char *path, struct error *error);
void quote_key_free(struct quote_key *key);

struct quote {
    TPMS_ATTEST attest;
    uint8_t *attest_bytes; /* as they were signed */
    size_t attest_length;
    TPMT_SIGNATURE signature;
    struct pcr_selection selection;
};
/* MSG is TPMS_ATTEST, or TPM2B_ATTEST; SIG is TPMT_SIGNATURE, or plain (tpm2_quote -f plain; then
 * SCHEME and HASH of the key count). Nothing may follow. */
bool quote_load(struct quote *quote, const char *msg, const char *sig, const struct quote_key *key,
                struct error *error);
void quote_free(struct quote *quote);

enum quote_outcome { QUOTE_PASS, QUOTE_FAIL, QUOTE_WARN, QUOTE_NOT_CHECKED };

/* One check and what came of it. */
struct quote_check {
    const char *name; /* "magic", "type", "signature", "scheme", "nonce", "selection", "digest",
                       * "key-restricted", "key-fixed-tpm", "clock-safe", "firmware" ...; static */
    enum quote_outcome outcome;
    char detail[240];
};
enum { QUOTE_CHECKS_MAX = 32 };
struct quote_verdict {
    bool valid; /* no FAIL, and magic, type, signature and digest PASS */
    size_t count;
    struct quote_check checks[QUOTE_CHECKS_MAX];
};

struct quote_expect {
    const void *nonce; /* NULL: not checked, which is told */
    size_t nonce_length;
    const struct pcr_set *values;          /* NULL: the digest is not checked */
    const struct pcr_selection *selection; /* must be among what is signed; NULL: any */
    bool allow_unrestricted;               /* a key whose attributes do not bind it to a TPM */
    bool allow_sha1;                       /* a signature over SHA-1 */
};
/* False only when memory is short; what fails is in VERDICT. */
bool quote_verify(const struct quote *quote, const struct quote_key *key,
                  const struct quote_expect *expect, struct quote_verdict *verdict,
                  struct error *error);

#endif
