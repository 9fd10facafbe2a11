/* identity_check - what ties a quote to a certain TPM, check by check; see identity.h. */
#include "tpm/identity.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>

static bool has_passed(const struct quote_verdict *verdict, const char *name)
{
    const struct quote_check *check = quote_find(verdict, name);
    return check != NULL && check->outcome == QUOTE_PASS;
}

/* An EK decrypts for its TPM and for nobody else. */
static void check_ek_public(const struct quote_key *ek, struct quote_verdict *verdict)
{
    static const TPMA_OBJECT needed = TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT |
                                      TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
                                      TPMA_OBJECT_SENSITIVEDATAORIGIN;
    if (!ek->has_public) {
        quote_note(verdict, "ek-public", QUOTE_NOT_CHECKED,
                   "its public area (TPM2B_PUBLIC) is not given");
        return;
    }
    TPMA_OBJECT has = ek->public.objectAttributes;
    bool good = (has & needed) == needed && (has & TPMA_OBJECT_SIGN_ENCRYPT) == 0;
    quote_note(verdict, "ek-public", good ? QUOTE_PASS : QUOTE_FAIL, "attributes 0x%08x%s", has,
               good ? ": restricted, fixed, for decryption"
                    : ": an endorsement key is restricted, fixed, for decryption only");
}

/* Chain and what it is made for. True when a CA vouches for it. */
static bool check_chain(const char *name, X509 *certificate, const struct identity_cas *cas,
                        const struct identity_evidence *evidence, struct quote_verdict *verdict)
{
    struct error error = ERROR_INIT;
    char detail[240];
    struct identity_tpm about;
    identity_describe(certificate, &about);
    if (about.is_ca)
        quote_note(verdict, name, QUOTE_FAIL, "it is the certificate of a CA, not of a TPM");
    else if (cas == NULL || cas->count == 0)
        quote_note(verdict, name, QUOTE_NOT_CHECKED, "no CA was given; it is by %.160s",
                   about.issuer);
    else if (identity_verify_chain(certificate, cas, evidence->intermediates, evidence->when,
                                   detail, &error)) {
        quote_note(verdict, name, QUOTE_PASS, "%s", detail);
        return true;
    } else
        quote_note(verdict, name, QUOTE_FAIL, "%s", error.message);
    return false;
}

static bool check_ek_certificate(const struct identity_evidence *evidence,
                                 struct quote_verdict *verdict)
{
    struct identity_tpm about;
    X509 *certificate = evidence->ek->certificate;
    if (certificate == NULL)
        return false;
    bool good = check_chain("ek-certificate", certificate, evidence->cas, evidence, verdict);
    identity_describe(certificate, &about);
    quote_note(verdict, "ek-usage",
               about.ek_usage    ? QUOTE_PASS
               : about.has_usage ? QUOTE_FAIL
                                 : QUOTE_WARN,
               about.ek_usage    ? "a certificate of an endorsement key (2.23.133.8.1)"
               : about.has_usage ? "a certificate for another use than an endorsement key"
                                 : "it does not say that it is of an endorsement key");
    if (about.has_tpm_san)
        quote_note(verdict, "ek-tpm", QUOTE_PASS, "%s%s%s, model %.80s, version %s",
                   about.manufacturer, about.vendor[0] == '\0' ? "" : " ", about.vendor,
                   about.model, about.version);
    else
        quote_note(verdict, "ek-tpm", QUOTE_WARN, "it does not name the TPM's manufacturer");
    return good;
}

static bool check_pinned(const struct identity_evidence *evidence, struct quote_verdict *verdict)
{
    const struct quote_key *ek = evidence->ek;
    uint8_t digest[32];
    if (evidence->pinned_count == 0)
        return false;
    bool known = identity_key_digest(ek->key, digest), found = false;
    for (size_t i = 0; i < evidence->pinned_count; i++) {
        const struct identity_pin *pin = &evidence->pinned_eks[i];
        found = found || (known && pin->length == sizeof digest &&
                          memcmp(pin->bytes, digest, sizeof digest) == 0);
        found = found || (ek->name_length != 0 && pin->length == ek->name_length &&
                          memcmp(pin->bytes, ek->name, ek->name_length) == 0);
    }
    quote_note(verdict, "ek-pinned", found ? QUOTE_PASS : QUOTE_FAIL, "%s",
               found ? "among the permitted keys" : "not among the permitted keys");
    return found;
}

static void bind(struct identity_binding *binding, int how, const char *detail)
{
    binding->how = how;
    snprintf(binding->detail, sizeof binding->detail, "%s", detail);
}

static void check_ak_certificate(const struct identity_evidence *evidence,
                                 struct quote_verdict *verdict, struct identity_binding *binding)
{
    const struct identity_cas *cas = evidence->ak_cas == NULL ? evidence->cas : evidence->ak_cas;
    X509 *certificate = evidence->ak->certificate;
    struct identity_tpm about;
    char detail[240];
    if (certificate == NULL)
        return;
    bool good = check_chain("ak-certificate", certificate, cas, evidence, verdict);
    identity_describe(certificate, &about);
    /* Some clouds call the key of their only certificate an EK, whatever it signs. */
    bool usual = about.ak_usage || about.ek_usage;
    quote_note(verdict, "ak-usage",
               usual             ? QUOTE_PASS
               : about.has_usage ? QUOTE_FAIL
                                 : QUOTE_WARN,
               about.ak_usage    ? "a certificate of an attestation key (2.23.133.8.3)"
               : about.ek_usage  ? "a certificate of a key of a TPM (2.23.133.8.1)"
               : about.has_usage ? "a certificate for another use than an attestation key"
                                 : "it does not say that it is of an attestation key");
    if (!good || (!usual && about.has_usage) || binding->how != IDENTITY_UNBOUND)
        return;
    snprintf(detail, sizeof detail, "a CA vouches for it: %.200s", about.issuer);
    bind(binding, IDENTITY_BY_CERTIFICATE, detail);
}

static void check_ak_name(const struct identity_evidence *evidence, struct quote_verdict *verdict,
                          struct identity_binding *binding)
{
    const struct quote_key *ak = evidence->ak;
    if (evidence->ak_name == NULL)
        return;
    if (ak->name_length == 0) {
        quote_note(verdict, "ak-name", QUOTE_FAIL,
                   "its Name cannot be told without its public area (TPM2B_PUBLIC)");
        return;
    }
    bool same = ak->name_length == evidence->ak_name_length &&
                memcmp(ak->name, evidence->ak_name, ak->name_length) == 0;
    quote_note(verdict, "ak-name", same ? QUOTE_PASS : QUOTE_FAIL,
               same ? "it is the pinned one" : "it is not the pinned one");
    if (same)
        bind(binding, IDENTITY_BY_NAME,
             "its Name is pinned; that it is a TPM's rests on who "
             "pinned it");
}

static void check_credential(const struct identity_evidence *evidence,
                             struct quote_verdict *verdict, struct identity_binding *binding)
{
    struct error error = ERROR_INIT;
    if (evidence->credential == NULL)
        return;
    if (identity_credential_check(evidence->credential, evidence->ak, evidence->ek, binding,
                                  &error))
        quote_note(verdict, "credential", QUOTE_PASS,
                   "opened by the TPM, as its record says; the blob itself cannot be opened here");
    else
        quote_note(verdict, "credential", QUOTE_FAIL, "%s", error.message);
}

void identity_check(const struct identity_evidence *evidence, struct quote_verdict *verdict,
                    struct identity_binding *binding)
{
    const struct quote_key *ek = evidence->ek;
    bool ek_good = false, failed = false;
    memset(verdict, 0, sizeof *verdict);
    bind(binding, IDENTITY_UNBOUND, "nothing ties this key to a TPM");
    if (ek != NULL) {
        check_ek_public(ek, verdict);
        ek_good = check_ek_certificate(evidence, verdict);
        ek_good = check_pinned(evidence, verdict) || ek_good;
    }
    /* The last one that holds counts: a record names this very TPM, a pinned name this very key. */
    check_ak_certificate(evidence, verdict, binding);
    check_ak_name(evidence, verdict, binding);
    check_credential(evidence, verdict, binding);
    if (has_passed(verdict, "ek-certificate") || has_passed(verdict, "ak-certificate"))
        quote_note(verdict, "revocation", QUOTE_NOT_CHECKED, "no lists are fetched or read");
    quote_note(verdict, "binding",
               binding->how == IDENTITY_UNBOUND ? QUOTE_NOT_CHECKED : QUOTE_PASS, "%s",
               binding->detail);
    for (size_t i = 0; i < verdict->count; i++)
        failed = failed || verdict->checks[i].outcome == QUOTE_FAIL;
    /* A record is worth as much as the EK that it is of. */
    verdict->valid = !failed && binding->how != IDENTITY_UNBOUND &&
                     (ek_good || binding->how != IDENTITY_BY_CREDENTIAL);
    ERR_clear_error();
}
