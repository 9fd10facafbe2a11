/*
 * tpm_seal_private - what tpm_seal.c is made of: texts and blobs (tpm_seal_blob.c), the
 * conversation with the TPM (tpm_seal_link.c).
 */
#ifndef VMCRYPT_KEYWRAP_TPM_SEAL_PRIVATE_H
#define VMCRYPT_KEYWRAP_TPM_SEAL_PRIVATE_H

#include <tss2/tss2_esys.h>

#include "keywrap/tpm_seal.h"

/* "sha256:0,2,4,7", "sha1:all+sha256:0". Not NULL; ERROR_USAGE says what is wrong. */
bool tpm_seal_pcrs_parse(const char *text, TPML_PCR_SELECTION *pcrs, struct error *error);

/* A connection is a library to load, a file to write to or a program to run: only kinds that talk
 * to a TPM are accepted, since keyring files may name one. */
bool tpm_seal_tcti_check(const char *tcti, struct error *error);

/* A sealed object as it is stored. */
struct tpm_seal_object {
    TPM2B_PUBLIC public;
    TPM2B_PRIVATE private;
};

/* ERROR_DAMAGED when the blobs are not those of a sealed object. */
bool tpm_seal_object_parse(const struct buffer *public_blob, const struct buffer *private_blob,
                           struct tpm_seal_object *object, struct error *error);
bool tpm_seal_object_write(const struct tpm_seal_object *object, struct buffer *public_blob,
                           struct buffer *private_blob, struct error *error);

/* A connection with the parent loaded. All of it is gone from the TPM after tpm_link_close: there
 * may be no resource manager that cleans up. */
struct tpm_link {
    TSS2_TCTI_CONTEXT *tcti;
    ESYS_CONTEXT *esys;
    ESYS_TR parent, object, session, policy; /* ESYS_TR_NONE when not there */
    bool own_parent;                         /* the default primary key, made by us */
};

/* Salted session included, which authorizes the parent's use and hides parameters. On failure
 * nothing is left to close. */
bool tpm_link_open(struct tpm_link *link, const struct tpm_seal *seal, struct error *error);
void tpm_link_close(struct tpm_link *link);

/* A policy session, or a trial one, salted too. */
bool tpm_link_start_policy(struct tpm_link *link, TPM2_SE type, TPMI_ALG_HASH hash,
                           struct error *error);
void tpm_link_flush(struct tpm_link *link, ESYS_TR *handle);

/* Which first parameter the session hides in the next command: TPMA_SESSION_DECRYPT the
 * command's, TPMA_SESSION_ENCRYPT the response's, or 0. */
void tpm_link_hide(struct tpm_link *link, TPMA_SESSION parameter);

/* A code of the TPM without the place it is about; 0 for one that is not the TPM's own. */
uint32_t tpm_link_code(TSS2_RC rc);

/* "the TPM cannot WHAT: …", with advice for what can happen at any step. Returns false. */
bool tpm_link_fail(const char *what, TSS2_RC rc, struct error *error);

#endif
