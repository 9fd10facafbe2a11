/* tpm_seal_link - the conversation with the TPM; see tpm_seal_private.h. */
#include "keywrap/tpm_seal_private.h"

#include <malloc.h>
#include <stdlib.h>

#include <tss2/tss2_rc.h>
#include <tss2/tss2_tctildr.h>

/* What tpm2_createprimary makes when it is told nothing. [read back from tpm2-tools 5.4] */
static const TPM2B_PUBLIC primary_template = {
    .publicArea =
        {
            .type = TPM2_ALG_RSA,
            .nameAlg = TPM2_ALG_SHA256,
            .objectAttributes = TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT |
                                TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
                                TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_USERWITHAUTH,
            .parameters.rsaDetail =
                {
                    .symmetric = {.algorithm = TPM2_ALG_AES,
                                  .keyBits.aes = 128,
                                  .mode.aes = TPM2_ALG_CFB},
                    .scheme.scheme = TPM2_ALG_NULL,
                    .keyBits = 2048,
                },
        },
};

uint32_t tpm_link_code(TSS2_RC rc)
{
    uint32_t layer = rc & TSS2_RC_LAYER_MASK;
    if (layer != TSS2_TPM_RC_LAYER && layer != TSS2_RESMGR_TPM_RC_LAYER)
        return 0;
    uint32_t code = rc & 0xfff;
    /* Format one also says in which parameter, handle or session. */
    return (code & TPM2_RC_FMT1) != 0 ? code & (TPM2_RC_FMT1 | 0x3f) : code;
}

bool tpm_link_fail(const char *what, TSS2_RC rc, struct error *error)
{
    switch (tpm_link_code(rc)) {
    case TPM2_RC_LOCKOUT:
        return error_set(error, ERROR_FAILED,
                         "the TPM is locked out after too many wrong PINs; wait, or see "
                         "tpm2_dictionarylockout");
    case TPM2_RC_OBJECT_MEMORY:
    case TPM2_RC_SESSION_MEMORY:
    case TPM2_RC_OBJECT_HANDLES:
    case TPM2_RC_SESSION_HANDLES:
        return error_set(error, ERROR_FAILED,
                         "the TPM has no room left by other programs; use its resource manager "
                         "(device:/dev/tpmrm0), or see tpm2_flushcontext");
    default:
        return error_set(error, ERROR_FAILED, "the TPM cannot %s: %s", what, Tss2_RC_Decode(rc));
    }
}

static bool connect_tpm(struct tpm_link *link, const char *tcti, struct error *error)
{
    if (tcti == NULL)
        tcti = secure_getenv("TPM2TOOLS_TCTI");
    if (tcti != NULL && !tpm_seal_tcti_check(tcti, error))
        return false;
    /* What tss2 writes on standard error by itself says less than our errors; whoever set it
     * already wants to read it. */
    setenv("TSS2_LOG", "all+none", 0);
    if (Tss2_TctiLdr_Initialize(tcti, &link->tcti) != TSS2_RC_SUCCESS)
        return error_set(error, ERROR_FAILED,
                         "no TPM can be reached through %.200s; is it there, and may you use it "
                         "(group tss)?",
                         tcti == NULL ? "the usual devices" : tcti);
    TSS2_RC rc = Esys_Initialize(&link->esys, link->tcti, NULL);
    return rc == TSS2_RC_SUCCESS || tpm_link_fail("be talked to", rc, error);
}

static bool make_primary(struct tpm_link *link, struct error *error)
{
    static const TPM2B_SENSITIVE_CREATE no_auth = {.size = 0};
    static const TPM2B_DATA no_info = {.size = 0};
    static const TPML_PCR_SELECTION no_pcrs = {.count = 0};
    TSS2_RC rc = Esys_CreatePrimary(link->esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                    ESYS_TR_NONE, &no_auth, &primary_template, &no_info, &no_pcrs,
                                    &link->parent, NULL, NULL, NULL, NULL);
    if (rc == TSS2_RC_SUCCESS)
        return true;
    uint32_t code = tpm_link_code(rc);
    if (code == TPM2_RC_AUTH_FAIL || code == TPM2_RC_BAD_AUTH)
        return error_set(error, ERROR_FAILED,
                         "the owner of the TPM has set a password; keep a parent key in the TPM "
                         "(tpm2_evictcontrol) and name its handle");
    return tpm_link_fail("make its primary key", rc, error);
}

static bool use_persistent(struct tpm_link *link, uint32_t handle, struct error *error)
{
    TSS2_RC rc = Esys_TR_FromTPMPublic(link->esys, handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                       &link->parent);
    if (rc == TSS2_RC_SUCCESS)
        return true;
    if (tpm_link_code(rc) == TPM2_RC_HANDLE)
        return error_set(error, ERROR_NO_KEY, "the TPM holds no parent key 0x%08x", handle);
    return tpm_link_fail("read its parent key", rc, error);
}

static bool start(struct tpm_link *link, TPM2_SE type, TPMI_ALG_HASH hash, ESYS_TR *session,
                  const char *what, struct error *error)
{
    static const TPMT_SYM_DEF aes = {
        .algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB};
    TSS2_RC rc = Esys_StartAuthSession(link->esys, link->parent, ESYS_TR_NONE, ESYS_TR_NONE,
                                       ESYS_TR_NONE, ESYS_TR_NONE, NULL, type, &aes, hash, session);
    return rc == TSS2_RC_SUCCESS || tpm_link_fail(what, rc, error);
}

bool tpm_link_open(struct tpm_link *link, const struct tpm_seal *seal, struct error *error)
{
    *link = (struct tpm_link){.parent = ESYS_TR_NONE,
                              .object = ESYS_TR_NONE,
                              .session = ESYS_TR_NONE,
                              .policy = ESYS_TR_NONE,
                              .own_parent = seal->parent == 0};
    /* tss2 frees secrets, decrypted responses and session keys without wiping them: glibc
     * overwrites whatever is freed until the link is closed. */
    mallopt(M_PERTURB, 0xa5);
    bool ok = connect_tpm(link, seal->tcti, error) &&
              (link->own_parent ? make_primary(link, error)
                                : use_persistent(link, seal->parent, error)) &&
              start(link, TPM2_SE_HMAC, TPM2_ALG_SHA256, &link->session,
                    "start a session with this parent key", error);
    if (!ok)
        tpm_link_close(link);
    return ok;
}

/* The stack that tss2's functions used; deeper than they go. */
static __attribute__((noinline)) void wipe_stack(void)
{
    uint8_t below[128 << 10];
    secret_wipe(below, sizeof below);
}

void tpm_link_close(struct tpm_link *link)
{
    tpm_link_flush(link, &link->policy);
    tpm_link_flush(link, &link->session);
    tpm_link_flush(link, &link->object);
    if (link->own_parent)
        tpm_link_flush(link, &link->parent);
    Esys_Finalize(&link->esys);
    Tss2_TctiLdr_Finalize(&link->tcti);
    mallopt(M_PERTURB, 0);
    wipe_stack();
}

bool tpm_link_start_policy(struct tpm_link *link, TPM2_SE type, TPMI_ALG_HASH hash,
                           struct error *error)
{
    return start(link, type, hash, &link->policy, "start a policy session", error);
}

void tpm_link_flush(struct tpm_link *link, ESYS_TR *handle)
{
    if (*handle != ESYS_TR_NONE)
        Esys_FlushContext(link->esys, *handle);
    *handle = ESYS_TR_NONE;
}

void tpm_link_hide(struct tpm_link *link, TPMA_SESSION parameter)
{
    /* Cannot fail for a session of ours; if it did, the TPM would refuse the command. */
    Esys_TRSess_SetAttributes(link->esys, link->session, TPMA_SESSION_CONTINUESESSION | parameter,
                              TPMA_SESSION_CONTINUESESSION | TPMA_SESSION_DECRYPT |
                                  TPMA_SESSION_ENCRYPT);
}
