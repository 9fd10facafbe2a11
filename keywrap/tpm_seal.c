/* tpm_seal - see tpm_seal.h. */
#include "keywrap/tpm_seal.h"

#include <string.h>

#include <tss2/tss2_rc.h>

#include "keywrap/tpm_seal_private.h"

/* What the object is to be sealed under, or may have been. */
struct terms {
    const struct tpm_seal *seal;
    TPML_PCR_SELECTION pcrs; /* none when count is 0 */
    const struct secret *pin;
};

static bool terms_read(struct terms *terms, const struct tpm_seal *seal, struct error *error)
{
    bool has_pin = seal->pin != NULL && seal->pin->length > 0;
    *terms = (struct terms){.seal = seal, .pin = has_pin ? seal->pin : NULL};
    return seal->pcrs == NULL || tpm_seal_pcrs_parse(seal->pcrs, &terms->pcrs, error);
}

/* The TPM leaves banks that it does not keep out of a policy, silently: then it binds nothing. */
static bool check_banks(struct tpm_link *link, const struct terms *terms, struct error *error)
{
    TPMS_CAPABILITY_DATA *capability = NULL;
    TSS2_RC rc = Esys_GetCapability(link->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                    TPM2_CAP_PCRS, 0, 1, NULL, &capability);
    if (rc != TSS2_RC_SUCCESS)
        return tpm_link_fail("tell its PCRs", rc, error);
    const TPML_PCR_SELECTION *kept = &capability->data.assignedPCR;
    bool all = true;
    for (size_t i = 0; i < terms->pcrs.count; i++) {
        const TPMS_PCR_SELECTION *wanted = &terms->pcrs.pcrSelections[i];
        bool found = false;
        for (size_t k = 0; k < kept->count; k++) {
            const TPMS_PCR_SELECTION *bank = &kept->pcrSelections[k];
            bool fits = bank->hash == wanted->hash;
            for (size_t b = 0; b < wanted->sizeofSelect; b++)
                fits = fits && b < bank->sizeofSelect &&
                       (wanted->pcrSelect[b] & ~bank->pcrSelect[b]) == 0;
            found = found || fits;
        }
        all = all && found;
    }
    Esys_Free(capability);
    return all || error_set(error, ERROR_FAILED, "the TPM does not keep all of the PCRs %.200s",
                            terms->seal->pcrs);
}

static TSS2_RC policy_auth_value(struct tpm_link *link)
{
    return Esys_PolicyAuthValue(link->esys, link->policy, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE);
}

static TSS2_RC policy_pcrs(struct tpm_link *link, const TPML_PCR_SELECTION *pcrs)
{
    static const TPM2B_DIGEST as_they_are = {.size = 0};
    return Esys_PolicyPCR(link->esys, link->policy, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                          &as_they_are, pcrs);
}

static bool policy_digest(struct tpm_link *link, TSS2_RC before, TPM2B_DIGEST *digest,
                          struct error *error)
{
    TPM2B_DIGEST *now = NULL;
    TSS2_RC rc = before;
    if (rc == TSS2_RC_SUCCESS)
        rc = Esys_PolicyGetDigest(link->esys, link->policy, ESYS_TR_NONE, ESYS_TR_NONE,
                                  ESYS_TR_NONE, &now);
    if (rc != TSS2_RC_SUCCESS)
        return tpm_link_fail("compute a policy", rc, error);
    *digest = *now;
    Esys_Free(now);
    return true;
}

/* The policy for a new object: PCRs, and the PIN when there is one. */
static bool new_policy(struct tpm_link *link, const struct terms *terms, TPM2B_DIGEST *digest,
                       struct error *error)
{
    if (!check_banks(link, terms, error) ||
        !tpm_link_start_policy(link, TPM2_SE_TRIAL, TPM2_ALG_SHA256, error))
        return false;
    TSS2_RC rc = policy_pcrs(link, &terms->pcrs);
    if (rc == TSS2_RC_SUCCESS && terms->pin != NULL)
        rc = policy_auth_value(link);
    bool ok = policy_digest(link, rc, digest, error);
    tpm_link_flush(link, &link->policy);
    return ok;
}

static bool same_digest(const TPM2B_DIGEST *a, const TPM2B_DIGEST *b)
{
    return a->size == b->size && memcmp(a->buffer, b->buffer, a->size) == 0;
}

enum met { MET_NOT, MET, MET_WITH_PIN, MET_ERROR };

/*
 * Bring the policy session where WANTED is, by one of the policies that people use. Comparing the
 * digests here, rather than letting the TPM refuse, tells a wrong state from a wrong PIN. It does
 * not tell PolicyPassword from PolicyAuthValue, which is as well: the second opens both.
 */
static enum met meet_policy(struct tpm_link *link, const struct terms *terms,
                            const TPM2B_DIGEST *wanted, struct error *error)
{
    static const struct {
        bool pin_first, pcrs, pin_last;
    } ways[] = {
        {false, true, false}, {false, true, true}, {true, true, false}, {true, false, false}};
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        TPM2B_DIGEST digest;
        if (ways[i].pcrs && terms->pcrs.count == 0)
            continue;
        TSS2_RC rc =
            Esys_PolicyRestart(link->esys, link->policy, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE);
        if (rc == TSS2_RC_SUCCESS && ways[i].pin_first)
            rc = policy_auth_value(link);
        if (rc == TSS2_RC_SUCCESS && ways[i].pcrs)
            rc = policy_pcrs(link, &terms->pcrs);
        if (rc == TSS2_RC_SUCCESS && ways[i].pin_last)
            rc = policy_auth_value(link);
        if (!policy_digest(link, rc, &digest, error))
            return MET_ERROR;
        if (same_digest(&digest, wanted))
            return ways[i].pin_first || ways[i].pin_last ? MET_WITH_PIN : MET;
    }
    return MET_NOT;
}

static bool policy_not_met(const struct terms *terms, struct error *error)
{
    if (terms->seal->pcrs == NULL)
        return error_set(error, ERROR_NO_KEY,
                         "it is sealed under a policy, probably of PCRs; say which, as in "
                         "sha256:0,2,4,7");
    return error_set(error, ERROR_NO_KEY,
                     "the PCRs are not what they were when it was sealed (policy %.200s), or its "
                     "policy is another one",
                     terms->seal->pcrs);
}

/* Find out how the object opens. *SESSION authorizes; *NEEDS_PIN tells whether the PIN counts. */
static bool authorize(struct tpm_link *link, const struct terms *terms, const TPMT_PUBLIC *public,
                      ESYS_TR *session, bool *needs_pin, struct error *error)
{
    bool user = (public->objectAttributes & TPMA_OBJECT_USERWITHAUTH) != 0;
    *session = link->session;
    *needs_pin = true;
    if (user && (public->authPolicy.size == 0 || terms->pcrs.count == 0))
        return true;
    if (!tpm_link_start_policy(link, TPM2_SE_POLICY, public->nameAlg, error))
        return false;
    enum met met = meet_policy(link, terms, &public->authPolicy, error);
    if (met == MET_ERROR)
        return false;
    /* An object of tpm2_create -L -p opens with its PIN in any state. */
    if (met == MET_NOT)
        return (user && terms->pin != NULL) || policy_not_met(terms, error);
    if (met == MET_WITH_PIN && terms->pin == NULL)
        return error_set(error, ERROR_NO_KEY, "it is sealed with a PIN, and none was given");
    *needs_pin = met == MET_WITH_PIN;
    *session = link->policy;
    return true;
}

static bool load_failed(TSS2_RC rc, struct error *error)
{
    switch (tpm_link_code(rc)) {
    case TPM2_RC_INTEGRITY:
        return error_set(error, ERROR_NO_KEY,
                         "the sealed object is not of this TPM and parent key, or its files were "
                         "changed");
    case TPM2_RC_AUTH_FAIL:
    case TPM2_RC_BAD_AUTH:
        return error_set(error, ERROR_FAILED, "the parent key has a password; use one without");
    default:
        /* What is wrong with a parameter is wrong with the blobs. */
        if ((tpm_link_code(rc) & TPM2_RC_FMT1) != 0 && (rc & TPM2_RC_P) != 0)
            return error_set(error, ERROR_DAMAGED, "the TPM refuses the sealed object: %s",
                             Tss2_RC_Decode(rc));
        return tpm_link_fail("load the sealed object", rc, error);
    }
}

static bool unseal_failed(TSS2_RC rc, const struct terms *terms, struct error *error)
{
    switch (tpm_link_code(rc)) {
    case TPM2_RC_AUTH_FAIL:
    case TPM2_RC_BAD_AUTH:
        return error_set(error, ERROR_NO_KEY,
                         terms->pin == NULL ? "it is sealed with a PIN, and none was given"
                                            : "the PIN is wrong, or it was sealed without one");
    case TPM2_RC_POLICY_FAIL:
    case TPM2_RC_PCR_CHANGED:
        return policy_not_met(terms, error);
    default:
        return tpm_link_fail("unseal", rc, error);
    }
}

static bool set_pin(struct tpm_link *link, const struct secret *pin, struct error *error)
{
    TPM2B_AUTH auth = {.size = 0};
    if (pin == NULL)
        return true;
    if (pin->length > sizeof auth.buffer)
        return error_set(error, ERROR_NO_KEY, "the PIN is wrong: longer than any can be");
    auth.size = (UINT16)pin->length;
    memcpy(auth.buffer, pin->data, pin->length);
    TSS2_RC rc = Esys_TR_SetAuth(link->esys, link->object, &auth);
    secret_wipe(&auth, sizeof auth);
    return rc == TSS2_RC_SUCCESS || tpm_link_fail("take the PIN", rc, error);
}

static struct secret *unseal(struct tpm_link *link, const struct terms *terms,
                             const struct tpm_seal_object *object, struct error *error)
{
    ESYS_TR session;
    bool needs_pin;
    tpm_link_hide(link, 0);
    TSS2_RC rc = Esys_Load(link->esys, link->parent, link->session, ESYS_TR_NONE, ESYS_TR_NONE,
                           &object->private, &object->public, &link->object);
    if (rc != TSS2_RC_SUCCESS) {
        load_failed(rc, error);
        return NULL;
    }
    if (!authorize(link, terms, &object->public.publicArea, &session, &needs_pin, error) ||
        !set_pin(link, needs_pin ? terms->pin : NULL, error))
        return NULL;
    TPM2B_SENSITIVE_DATA *data = NULL;
    tpm_link_hide(link, TPMA_SESSION_ENCRYPT);
    rc = Esys_Unseal(link->esys, link->object, session,
                     session == link->session ? ESYS_TR_NONE : link->session, ESYS_TR_NONE, &data);
    if (rc != TSS2_RC_SUCCESS) {
        unseal_failed(rc, terms, error);
        return NULL;
    }
    struct secret *secret = secret_copy(data->buffer, data->size, error);
    secret_wipe(data, sizeof *data);
    Esys_Free(data);
    return secret;
}

struct secret *tpm_seal_open(const struct tpm_seal *seal, const struct buffer *public_blob,
                             const struct buffer *private_blob, struct error *error)
{
    struct tpm_seal_object object;
    struct terms terms;
    struct tpm_link link;
    if (!terms_read(&terms, seal, error) ||
        !tpm_seal_object_parse(public_blob, private_blob, &object, error) ||
        !tpm_link_open(&link, seal, error))
        return NULL;
    struct secret *secret = unseal(&link, &terms, &object, error);
    tpm_link_close(&link);
    return secret;
}

static bool check_new(const struct terms *terms, const struct secret *secret, struct error *error)
{
    const struct secret *pin = terms->seal->pin;
    if (secret->length == 0 || secret->length > TPM_SEAL_MAX)
        return error_set(error, ERROR_USAGE, "a TPM seals 1 to %d bytes, not %zu", TPM_SEAL_MAX,
                         secret->length);
    if (pin != NULL && (pin->length == 0 || pin->length > TPM2_SHA256_DIGEST_SIZE))
        return error_set(error, ERROR_USAGE, "a PIN for the TPM has 1 to %d bytes, not %zu",
                         TPM2_SHA256_DIGEST_SIZE, pin->length);
    /* The TPM cuts zero bytes off the end: the PIN would be another one for other programs. */
    if (pin != NULL && pin->data[pin->length - 1] == 0)
        return error_set(error, ERROR_USAGE, "a PIN for the TPM cannot end in a zero byte");
    return true;
}

static bool create(struct tpm_link *link, const struct terms *terms, const struct secret *secret,
                   struct tpm_seal_object *object, struct error *error)
{
    static const TPM2B_DATA no_info = {.size = 0};
    static const TPML_PCR_SELECTION no_pcrs = {.count = 0};
    TPM2B_PUBLIC template = {
        .publicArea = {.type = TPM2_ALG_KEYEDHASH,
                       .nameAlg = TPM2_ALG_SHA256,
                       .objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT,
                       .parameters.keyedHashDetail.scheme.scheme = TPM2_ALG_NULL}};
    if (terms->pcrs.count == 0)
        template.publicArea.objectAttributes |= TPMA_OBJECT_USERWITHAUTH;
    else if (!new_policy(link, terms, &template.publicArea.authPolicy, error))
        return false;
    struct secret *memory = secret_new(sizeof(TPM2B_SENSITIVE_CREATE), error);
    if (memory == NULL)
        return false;
    TPMS_SENSITIVE_CREATE *sensitive = &((TPM2B_SENSITIVE_CREATE *)(void *)memory->data)->sensitive;
    sensitive->data.size = (UINT16)secret->length;
    memcpy(sensitive->data.buffer, secret->data, secret->length);
    if (terms->pin != NULL) {
        sensitive->userAuth.size = (UINT16)terms->pin->length;
        memcpy(sensitive->userAuth.buffer, terms->pin->data, terms->pin->length);
    }
    TPM2B_PRIVATE *private = NULL;
    TPM2B_PUBLIC *public = NULL;
    tpm_link_hide(link, TPMA_SESSION_DECRYPT);
    TSS2_RC rc = Esys_Create(link->esys, link->parent, link->session, ESYS_TR_NONE, ESYS_TR_NONE,
                             (const TPM2B_SENSITIVE_CREATE *)(void *)memory->data, &template,
                             &no_info, &no_pcrs, &private, &public, NULL, NULL, NULL);
    secret_free(memory);
    if (rc != TSS2_RC_SUCCESS) {
        tpm_link_fail("seal under this parent key", rc, error);
        return false;
    }
    *object = (struct tpm_seal_object){.public = *public, .private = *private};
    Esys_Free(public);
    Esys_Free(private);
    return true;
}

/* The key's other copies may be destroyed next: see that this one opens. */
static bool prove(struct tpm_link *link, const struct terms *terms, const struct secret *secret,
                  const struct tpm_seal_object *object, struct error *error)
{
    struct secret *back = unseal(link, terms, object, error);
    if (back == NULL)
        return error_prefix(error, "sealed, but it does not open again");
    bool same = secret_equal(back, secret);
    secret_free(back);
    return same || error_set(error, ERROR_FAILED, "the TPM gives back another secret");
}

bool tpm_seal_make(const struct tpm_seal *seal, const struct secret *secret,
                   struct buffer *public_blob, struct buffer *private_blob, struct error *error)
{
    struct tpm_seal_object object;
    struct terms terms;
    struct tpm_link link;
    if (!terms_read(&terms, seal, error) || !check_new(&terms, secret, error) ||
        !tpm_link_open(&link, seal, error))
        return false;
    bool ok = create(&link, &terms, secret, &object, error) &&
              prove(&link, &terms, secret, &object, error);
    tpm_link_close(&link);
    return ok && tpm_seal_object_write(&object, public_blob, private_blob, error);
}
