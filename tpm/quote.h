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

enum { QUOTE_FILE_MAX = 1 << 20 /* bytes of a key, a message or a signature */ };

/* A key of a TPM (an AK or an EK), from PEM, TPM2B_PUBLIC, TPMT_PUBLIC, a certificate (PEM or DER,
 * also with the padding of an NV index behind it). */
struct quote_key {
    EVP_PKEY *key;
    bool has_public; /* PUBLIC is known: attributes and name too */
    TPMT_PUBLIC public;
    uint8_t name[2 + BANK_DIGEST_MAX]; /* algorithm, digest */
    size_t name_length;                /* 0 when not known */
    X509 *certificate;                 /* NULL when it came without */
};
bool quote_key_load(struct quote_key *key, const char *path, struct error *error);
/* The same from bytes at hand, NAME for messages. */
bool quote_key_parse(struct quote_key *key, const char *name, const void *data, size_t length,
                     struct error *error);
/* Add the certificate that a key came without. One of another key is refused, ERROR_DAMAGED: the
 * certificate of a quote_key is always its own. */
bool quote_key_add_certificate(struct quote_key *key, const char *path, struct error *error);
void quote_key_free(struct quote_key *key);

struct quote {
    TPMS_ATTEST attest;
    uint8_t *attest_bytes; /* as they were signed */
    size_t attest_length;
    TPMT_SIGNATURE signature;
    bool is_plain;                  /* the signature does not tell its scheme and hash */
    struct pcr_selection selection; /* empty when it is no quote */
};
/* MSG is TPMS_ATTEST, or TPM2B_ATTEST; SIG is TPMT_SIGNATURE, or plain (tpm2_quote -f plain; then
 * SCHEME and HASH of the key count, and where it has none PKCS #1 v1.5 or ECDSA and the hash of
 * the quote's digest), or both the JSON of go-attestation. Nothing may follow. */
bool quote_load(struct quote *quote, const char *msg, const char *sig, const struct quote_key *key,
                struct error *error);
bool quote_parse(struct quote *quote, const char *msg_name, const void *msg, size_t msg_length,
                 const char *sig_name, const void *sig, size_t sig_length,
                 const struct quote_key *key, struct error *error);
void quote_free(struct quote *quote);

enum quote_outcome { QUOTE_PASS, QUOTE_FAIL, QUOTE_WARN, QUOTE_NOT_CHECKED };

/* One check and what came of it. */
struct quote_check {
    const char
        *name; /* "magic", "type", "signature", "scheme", "hash", "key-strength", "nonce",
                * "selection", "selection-form", "bank", "digest", "values",
                * "key-restricted", "key-sign", "key-no-decrypt", "key-fixed-tpm",
                * "key-fixed-parent", "key-origin", "qualified-signer", "clock-safe"; static */
    enum quote_outcome outcome;
    char detail[240]; /* safe to show */
};
enum { QUOTE_CHECKS_MAX = 32 };
struct quote_verdict {
    bool valid; /* no FAIL, and magic, type, signature and digest PASS */
    size_t count;
    struct quote_check checks[QUOTE_CHECKS_MAX];
};

/* Add a check; the text is made printable and cut to fit. */
void quote_note(struct quote_verdict *verdict, const char *name, enum quote_outcome outcome,
                const char *format, ...) __attribute__((format(printf, 4, 5)));
/* NULL when it is not there. */
const struct quote_check *quote_find(const struct quote_verdict *verdict, const char *name);
/* "pass", "FAIL", "warn", "not checked". */
const char *quote_outcome_name(enum quote_outcome outcome);

/* "sha256:0-7,11 sha1:4", cut to fit SIZE; "none" when it is empty. */
const char *quote_selection_text(const struct pcr_selection *selection, char *text, size_t size);
/* All of SELECTION's entries for a bank together; 0 for one that it does not have. */
uint32_t quote_selected(const struct pcr_selection *selection, uint16_t algorithm);

struct quote_expect {
    const void *nonce; /* NULL: not checked, which is told */
    size_t nonce_length;
    const struct pcr_set *values;          /* NULL: the digest is not checked */
    const struct pcr_selection *selection; /* must be among what is signed; NULL: any */
    const struct quote_key *ek; /* whose child the key may be; NULL when not known. What that
                                 * shows rests on the key being a TPM's */
    bool allow_unrestricted;    /* a key whose attributes do not bind it to a TPM */
    bool allow_sha1;            /* a signature over SHA-1, PCRs of SHA-1 alone */
};
/* False only when memory is short; what fails is in VERDICT. */
bool quote_verify(const struct quote *quote, const struct quote_key *key,
                  const struct quote_expect *expect, struct quote_verdict *verdict,
                  struct error *error);

/* The signature over the quote's bytes by KEY, with the scheme that it names. False with a reason
 * in *error. */
bool quote_signature_verify(const struct quote *quote, const struct quote_key *key,
                            struct error *error);

#endif
