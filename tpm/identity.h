/*
 * identity - whose TPM it is: endorsement keys and certificates, manufacturers' CAs, and what binds
 * an attestation key to them. [source: TCG EK Credential Profile 2.5; RFC 5280]
 */
#ifndef VMCRYPT_TPM_IDENTITY_H
#define VMCRYPT_TPM_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>
#include <openssl/x509.h>

#include "base/buffer.h"
#include "base/error.h"
#include "tpm/quote.h"

enum {
    IDENTITY_CAS_MAX = 20000,
    IDENTITY_CA_FILE_MAX = 16 << 20,
    IDENTITY_CA_DEPTH = 4, /* of folders */
};

/* CA certificates: files (PEM bundle in any order, DER, PKCS#7) and directories of them, in which
 * other files are passed over. */
struct identity_cas {
    size_t count;
    X509 **certificates;
};
bool identity_cas_add(struct identity_cas *cas, const char *path, struct error *error);
/* All that a file holds; NAME for messages. */
bool identity_cas_parse(struct identity_cas *cas, const char *name, const void *data, size_t length,
                        struct error *error);
void identity_cas_free(struct identity_cas *cas);

/* What an EK or AK certificate says of its TPM, from the subject alternative name. All is safe to
 * show, and worth as much as the chain of the certificate is. */
struct identity_tpm {
    char manufacturer[32]; /* "id:49465800" */
    char vendor_id[8];     /* "IFX": those four bytes as text, "" when they are none */
    char vendor[64];       /* "IFX", "IFX (Infineon)" when its name is known, "" like that id */
    char model[128], version[64];
    bool has_tpm_san, san_critical, ek_usage; /* EKU 2.23.133.8.1 */
    bool ak_usage;                            /* EKU 2.23.133.8.3 */
    bool has_usage;                           /* an EKU at all */
    bool is_ca;
    char subject[256], issuer[256], serial[80];
    char not_before[32], not_after[32]; /* "2026-11-22T04:49:04Z" */
    char aia[512];                      /* where its issuer would be fetched, which we never do */
};
void identity_describe(const X509 *certificate, struct identity_tpm *out);

/* Chain from CERTIFICATE to a CA of CAS, intermediates from CAS and MORE (NULL), at the time WHEN
 * (0: now). Knows the critical SAN of TPM certificates; any other critical extension that OpenSSL
 * does not handle is refused, so are SHA-1 and keys under 112 bits. Roots are the self-signed ones
 * of CAS. Revocation is not checked. DETAIL tells the chain. */
bool identity_verify_chain(X509 *certificate, const struct identity_cas *cas,
                           const struct identity_cas *more, int64_t when, char detail[240],
                           struct error *error);

/* SHA-256 of the SubjectPublicKeyInfo of a key, by which EKs are pinned. */
bool identity_key_digest(EVP_PKEY *key, uint8_t digest[32]);

struct identity_binding {
    enum {
        IDENTITY_UNBOUND,
        IDENTITY_BY_CERTIFICATE,
        IDENTITY_BY_CREDENTIAL,
        IDENTITY_BY_NAME
    } how;
    char detail[240];
};

/*
 * The secret of a makecredential blob (tpm2_makecredential's file or TPM2B_ID_OBJECT ||
 * TPM2B_ENCRYPTED_SECRET) cannot be opened without the TPM, nor made again from its parts, since
 * its seed is random. What can be checked is a record that the verifier keeps:
 *
 *   {"version": 1,
 *    "ek": BASE64 of TPM2B_PUBLIC or TPMT_PUBLIC,    the EK that the blob was made for
 *    "ak_name": HEX,                                  the Name that it was made for
 *    "blob": BASE64,                                  as it was sent
 *    "secret": HEX,                                   what was hidden in it
 *    "returned": HEX}                                 what the TPM gave back
 *
 * That the blob was made of that secret and name, and that the answer came from the host, nobody
 * can tell from it: it proves as much as its keeper is trusted.
 */
struct identity_credential {
    struct quote_key ek;
    uint8_t ak_name[2 + BANK_DIGEST_MAX];
    size_t ak_name_length;
    struct buffer blob, secret, returned;
};
bool identity_credential_load(struct identity_credential *credential, const char *path,
                              struct error *error);
bool identity_credential_parse(struct identity_credential *credential, const char *name,
                               const void *text, size_t length, struct error *error);
void identity_credential_free(struct identity_credential *credential);
/* All that can be checked of a record, against the keys (EK may be NULL: the record's own). On
 * success BINDING says what it proves, and on whose word. */
bool identity_credential_check(const struct identity_credential *credential,
                               const struct quote_key *ak, const struct quote_key *ek,
                               struct identity_binding *binding, struct error *error);
/* A blob has the form that one for EK has; *SECRET_LENGTH is what it hides. */
bool identity_blob_check(const void *blob, size_t length, const struct quote_key *ek,
                         size_t *secret_length, struct error *error);

/* A permitted EK: the digest of its key (32 bytes) or its Name. */
struct identity_pin {
    uint8_t bytes[2 + BANK_DIGEST_MAX];
    size_t length;
};

/* All is borrowed. NULL or 0: not at hand. */
struct identity_evidence {
    const struct quote_key *ak;        /* with its certificate, when there is one */
    const struct quote_key *ek;        /* the same */
    const struct identity_cas *cas;    /* that EK certificates are to lead to */
    const struct identity_cas *ak_cas; /* and AK certificates; NULL: CAS */
    const struct identity_cas *intermediates;
    const struct identity_credential *credential;
    const uint8_t *ak_name; /* pinned */
    size_t ak_name_length;
    const struct identity_pin *pinned_eks;
    size_t pinned_count;
    int64_t when; /* seconds since 1970; 0: now */
};

/*
 * Check all that is at hand: "ek-public", "ek-certificate", "ek-usage", "ek-tpm",
 * "ek-pinned", "ak-certificate", "ak-usage", "ak-name", "credential", "revocation",
 * "binding". VERDICT->valid: no FAIL, the AK is bound, and the EK is vouched for by a certificate
 * or pinned, except when the AK's own certificate or its pinned name makes an EK needless.
 */
void identity_check(const struct identity_evidence *evidence, struct quote_verdict *verdict,
                    struct identity_binding *binding);

#endif
