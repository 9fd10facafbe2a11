/*
 * tpm_seal - secrets bound to a TPM 2.0 and the state of its PCRs, through tss2-esys.
 *
 * The two blobs of a sealed object are TPM2B_PUBLIC and TPM2B_PRIVATE as tpm2_create writes and
 * tpm2_load reads them. The parent is either a persistent handle, or the primary key that
 * tpm2_createprimary makes in the owner hierarchy without options (its template is fixed, so the
 * TPM makes the same key each time). [source: tpm2-tools, TCG TPM 2.0 Library Part 1, 2]
 *
 * Policies: PCRs alone are PolicyPCR; PCRs and a PIN are PolicyPCR, then PolicyAuthValue, with
 * userWithAuth clear so that neither opens it alone (tpm2_create -L -p leaves it set: there the
 * PIN alone is enough). A PIN alone is the object's authValue. Secrets
 * and PINs never cross the bus in the clear: sessions are salted with the parent.
 *
 * To be called by one thread at a time, as it changes settings of the process for a while.
 */
#ifndef VMCRYPT_KEYWRAP_TPM_SEAL_H
#define VMCRYPT_KEYWRAP_TPM_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/secret.h"

/* What a sealed secret holds at most: bytes of a TPM's sensitive data. */
enum { TPM_SEAL_MAX = 128 };

/* All zero: the default TPM, the default primary key, no policy. */
struct tpm_seal {
    const char *tcti;         /* "device:/dev/tpmrm0", "swtpm:port=2321"; NULL: what $TPM2TOOLS_TCTI
                               * says, else the default of tss2 */
    uint32_t parent;          /* persistent handle, 0x81……; 0: the default primary key */
    const char *pcrs;         /* "sha256:0,2,4,7" as tpm2-tools write it; NULL: any state */
    const struct secret *pin; /* NULL: none */
};

/* A parent as users write it, "0x81000001"; ERROR_USAGE when it is no persistent handle. */
bool tpm_seal_parent_parse(const char *text, uint32_t *parent, struct error *error);

/* Seal SECRET; appends the public and the private blob. The PCR policy binds to the values that
 * the PCRs have now. Proved by unsealing it before they are returned. */
bool tpm_seal_make(const struct tpm_seal *seal, const struct secret *secret,
                   struct buffer *public_blob, struct buffer *private_blob, struct error *error);

/* Unseal. ERROR_NO_KEY, saying which, when the PCRs are not what they were, the PIN is wrong or
 * missing, or the object belongs to another TPM or parent; ERROR_DAMAGED for blobs that are none;
 * ERROR_FAILED when the TPM cannot be reached or is locked out after too many wrong PINs. PCRs that
 * the object does not ask for may be given; a PIN counts as a wrong one then. */
struct secret *tpm_seal_open(const struct tpm_seal *seal, const struct buffer *public_blob,
                             const struct buffer *private_blob, struct error *error);

#endif
