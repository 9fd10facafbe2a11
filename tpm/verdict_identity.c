/* verdict_identity - R6, R7, R9: whose attestation key it is, and whether that TPM is permitted. */
#include <string.h>

#include <openssl/bio.h>
#include <openssl/pem.h>

#include "base/encode.h"
#include "tpm/verdict_private.h"

enum { HEX_MAX = 2 * (2 + BANK_DIGEST_MAX) + 1 };

/* A CA's own key, or one that was certified for something else, is no attestation key. Some clouds
 * call the only certificate of their TPM that of an EK, whatever its key does. */
static bool is_for_attesting(const X509 *certificate)
{
    struct identity_tpm about;
    identity_describe(certificate, &about);
    return !about.is_ca && (about.ak_usage || about.ek_usage || !about.has_usage);
}

/* R6: by a certificate. */
static bool by_certificate(struct judge *j)
{
    const struct policy *p = j->policy;
    const struct quote_key *ak = j->evidence->ak;
    const struct identity_cas *cas = p->ak_cas.count > 0 ? &p->ak_cas : &p->cas;
    struct error error = ERROR_INIT;
    char detail[240] = "";
    if (!p->bind_certificate || ak->certificate == NULL)
        return false;
    bool ok =
        cas->count > 0 && identity_verify_chain(ak->certificate, cas, j->evidence->intermediates,
                                                j->evidence->now, detail, &error);
    bool usable = is_for_attesting(ak->certificate);
    judge_note(j, RUNG_AK, "certificate", ok && usable ? QUOTE_PASS : QUOTE_WARN, "%s",
               cas->count == 0 ? "the policy names no CA for attestation keys"
               : !ok           ? error.message
               : !usable       ? "it is for another use than an attestation key"
                               : detail);
    if (ok && usable && !ak->has_public)
        judge_note(j, RUNG_AK, "key", QUOTE_WARN,
                   "its public area is not given: that it signs only what its TPM says rests on "
                   "the CA");
    return ok && usable;
}

static bool by_name(struct judge *j)
{
    const struct quote_key *ak = j->evidence->ak;
    char text[HEX_MAX];
    if (!j->policy->bind_name || j->policy->ak_names == NULL || ak->name_length == 0)
        return false;
    bool ok = policy_lists(j->policy->ak_names, hex_text(ak->name, ak->name_length, text));
    judge_note(j, RUNG_AK, "name", ok ? QUOTE_PASS : QUOTE_WARN, "%s %s", text,
               ok ? "is pinned by the policy" : "is not among those that the policy pins");
    return ok;
}

static bool by_credential(struct judge *j)
{
    const struct identity_binding *record = j->evidence->credential;
    if (!j->policy->bind_credential || record == NULL || record->how != IDENTITY_BY_CREDENTIAL)
        return false;
    judge_note(j, RUNG_AK, "credential", QUOTE_WARN, "%s", record->detail);
    return true;
}

void judge_ak(struct judge *j)
{
    if (j->evidence->ak == NULL) {
        judge_note(j, RUNG_AK, "key", QUOTE_FAIL, "no attestation key was given");
        return;
    }
    if (by_credential(j))
        j->link = LINK_CREDENTIAL;
    else if (by_name(j))
        j->link = LINK_NAME;
    else if (by_certificate(j))
        j->link = LINK_CERTIFICATE;
    if (j->link == LINK_NONE)
        judge_note(j, RUNG_AK, "binding", QUOTE_FAIL,
                   "nothing that the policy accepts ties this key to a TPM: no certificate that a "
                   "CA vouches for, no record of a credential, no pinned name");
}

/* R7. */

static EVP_PKEY *ek_of(const struct judge *j)
{
    if (j->evidence->ek != NULL)
        return j->evidence->ek->key;
    return j->evidence->ek_certificate == NULL ? NULL
                                               : X509_get0_pubkey(j->evidence->ek_certificate);
}

static bool is_same_key(EVP_PKEY *ek, const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
    bool same = key != NULL && EVP_PKEY_eq(ek, key) == 1;
    EVP_PKEY_free(key);
    BIO_free(bio);
    return same;
}

static const char *trusted_name(const struct judge *j, EVP_PKEY *ek)
{
    uint8_t digest[32];
    char text[HEX_MAX] = "";
    if (identity_key_digest(ek, digest))
        hex_text(digest, sizeof digest, text);
    for (size_t i = 0; i < json_array_size(j->policy->trusted_keys); i++) {
        const json_t *entry = json_array_get(j->policy->trusted_keys, i);
        const char *pem = json_string_value(json_object_get(entry, "public-key"));
        const char *hex = json_string_value(json_object_get(entry, "sha256"));
        const char *name = json_string_value(json_object_get(entry, "name"));
        if ((pem != NULL && is_same_key(ek, pem)) || (hex != NULL && strcmp(hex, text) == 0))
            return name != NULL ? name : "(without a name)";
    }
    return NULL;
}

static void judge_ek_key(struct judge *j, EVP_PKEY *ek)
{
    if (j->policy->trusted_keys == NULL)
        return;
    const char *name = trusted_name(j, ek);
    judge_note(j, RUNG_EK, "trusted key",
               name != NULL             ? QUOTE_PASS
               : j->policy->ek_required ? QUOTE_FAIL
                                        : QUOTE_WARN,
               name != NULL ? "%.100s" : "this endorsement key is not among the trusted ones%.0s",
               name != NULL ? name : "");
}

static bool manufacturer_is_listed(const json_t *list, const struct identity_tpm *tpm)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *wanted = json_string_value(json_array_get(list, i));
        if (strcmp(wanted, tpm->manufacturer) == 0 || strcmp(wanted, tpm->vendor_id) == 0)
            return true;
    }
    return false;
}

static void judge_ek_certificate(struct judge *j, EVP_PKEY *ek)
{
    X509 *certificate = j->evidence->ek_certificate;
    bool needed = j->policy->ek_certificate_required || j->policy->manufacturers != NULL;
    enum quote_outcome lacking = needed ? QUOTE_FAIL : QUOTE_WARN;
    struct identity_tpm tpm;
    struct error error = ERROR_INIT;
    char detail[240] = "";
    if (certificate == NULL) {
        if (needed)
            judge_note(j, RUNG_EK, "certificate", QUOTE_FAIL, "no EK certificate was given");
        return;
    }
    identity_describe(certificate, &tpm);
    if (EVP_PKEY_eq(X509_get0_pubkey(certificate), ek) != 1)
        judge_note(j, RUNG_EK, "certificate", QUOTE_FAIL,
                   "it is for another key than the endorsement key");
    bool ok = j->policy->cas.count > 0 &&
              identity_verify_chain(certificate, &j->policy->cas, j->evidence->intermediates,
                                    j->evidence->now, detail, &error);
    judge_note(j, RUNG_EK, "certificate", ok ? QUOTE_PASS : lacking, "%s",
               ok                          ? detail
               : j->policy->cas.count == 0 ? "the policy names no CA for it"
                                           : error.message);
    if (!tpm.has_tpm_san || !tpm.ek_usage)
        judge_note(j, RUNG_EK, "certificate", lacking, "it is no EK certificate: %s",
                   tpm.has_tpm_san ? "its extended key usage is another"
                                   : "it names no TPM manufacturer, model and version");
    if (j->policy->manufacturers != NULL) {
        bool listed = ok && manufacturer_is_listed(j->policy->manufacturers, &tpm);
        judge_note(j, RUNG_EK, "manufacturer", listed ? QUOTE_PASS : QUOTE_FAIL, "%s (%s) %s",
                   tpm.manufacturer, tpm.vendor, listed ? "is permitted" : "is not permitted");
    }
}

void judge_ek(struct judge *j)
{
    EVP_PKEY *ek = ek_of(j);
    bool required = j->verdict->rungs[RUNG_EK].required;
    if (ek == NULL) {
        if (required)
            judge_note(j, RUNG_EK, "key", QUOTE_FAIL, "no endorsement key was given");
        return;
    }
    judge_ek_key(j, ek);
    judge_ek_certificate(j, ek);
    /* A good EK is worth nothing when the quote came from elsewhere. */
    if (j->link == LINK_CREDENTIAL)
        judge_note(j, RUNG_EK, "binding", QUOTE_WARN,
                   "a credential ties the attestation key to it, on the word of who kept its "
                   "record");
    else if (j->link == LINK_NAME)
        judge_note(
            j, RUNG_EK, "binding", QUOTE_WARN,
            "the attestation key is pinned; that it belongs to this endorsement key rests on "
            "who pinned it");
    else
        judge_note(j, RUNG_EK, "binding", required ? QUOTE_FAIL : QUOTE_WARN,
                   "nothing ties the attestation key to this endorsement key: a record of a "
                   "credential would");
}

/* R9: the settings that vSphere Trust Authority has, told in its words. */
void judge_authority(struct judge *j)
{
    const struct policy *p = j->policy;
    enum quote_outcome ek = j->verdict->rungs[RUNG_EK].outcome;
    bool ek_good = ek == QUOTE_PASS || ek == QUOTE_WARN;
    if (p->ek_required)
        judge_note(j, RUNG_AUTHORITY, "require_endorsement_keys", ek_good ? QUOTE_PASS : QUOTE_FAIL,
                   ek_good ? "met" : "not met, see R7");
    if (p->ek_certificate_required)
        judge_note(j, RUNG_AUTHORITY, "require_certificate_validation",
                   ek_good ? QUOTE_PASS : QUOTE_FAIL, ek_good ? "met" : "not met, see R7");
    if (p->base_images != NULL)
        judge_note(j, RUNG_AUTHORITY, "base image", j->base_image ? QUOTE_PASS : QUOTE_FAIL,
                   j->base_image ? "permitted" : "not permitted, see R8");
}
