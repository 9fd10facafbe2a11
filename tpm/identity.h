/*
 * identity - whose TPM it is: endorsement keys and certificates, manufacturers' CAs, and what binds
 * an attestation key to them.
 */
#ifndef VMCRYPT_TPM_IDENTITY_H
#define VMCRYPT_TPM_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>
#include <openssl/x509.h>

#include "base/error.h"
#include "tpm/quote.h"

/* CA certificates: files (PEM bundle in any order, DER, PKCS#7) and directories of them. */
struct identity_cas {
    size_t count;
    X509 **certificates;
};
bool identity_cas_add(struct identity_cas *cas, const char *path, struct error *error);
bool identity_cas_add_der(struct identity_cas *cas, const void *der, size_t length,
                          struct error *error);
void identity_cas_free(struct identity_cas *cas);

/* What an EK or AK certificate says of its TPM, from the subject alternative name. */
struct identity_tpm {
    char manufacturer[32]; /* "id:49465800" */
    char vendor[64];       /* "IFX" and its name when known */
    char model[128], version[64];
    bool has_tpm_san, san_critical, ek_usage; /* EKU 2.23.133.8.1 */
    bool ak_usage;                            /* EKU 2.23.133.8.3 */
    char subject[256], issuer[256], serial[80];
    char aia[512]; /* where its issuer would be fetched, which we never do */
};
void identity_describe(const X509 *certificate, struct identity_tpm *out);

/* Chain from CERTIFICATE to a CA of CAS, intermediates from CAS and MORE (NULL), at the time WHEN
 * (0: now). Knows the critical SAN of TPM certificates. Roots are the self-signed ones of CAS. */
bool identity_verify_chain(X509 *certificate, const struct identity_cas *cas,
                           const struct identity_cas *more, int64_t when, char detail[240],
                           struct error *error);

/* The secret of a makecredential blob (tpm2_makecredential's file or TPM2B_ID_OBJECT ||
 * TPM2B_ENCRYPTED_SECRET) cannot be opened without the TPM; what can be checked is a record: the
 * verifier that made BLOB for EK and the name of the AK keeps SECRET, and the TPM returned it. */
struct identity_binding {
    enum {
        IDENTITY_UNBOUND,
        IDENTITY_BY_CERTIFICATE,
        IDENTITY_BY_CREDENTIAL,
        IDENTITY_BY_NAME
    } how;
    char detail[240];
};

#endif
