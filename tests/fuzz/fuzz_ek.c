/* Any bytes as CA certificates, as the certificate of an EK, as a record of a credential: refused
 * or described in text that can be shown, and never a way to a root that is not there. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tpm/identity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void refused(const struct error *error)
{
    if (error->code == ERROR_NONE || error->message[0] == '\0')
        abort();
}

static void printable(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            abort();
}

static void describe(const X509 *certificate)
{
    struct identity_tpm about;
    identity_describe(certificate, &about);
    const char *const texts[] = {about.manufacturer, about.vendor_id, about.vendor, about.model,
                                 about.version,      about.subject,   about.issuer, about.serial,
                                 about.not_before,   about.not_after, about.aia};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        printable(texts[i]);
}

static void check(struct quote_key *key, const struct identity_cas *cas)
{
    static const struct identity_cas none;
    struct quote_verdict verdict;
    struct identity_binding binding;
    struct identity_evidence evidence = {
        .ak = key, .ek = key, .cas = cas, .intermediates = cas, .when = 1900000000};
    identity_check(&evidence, &verdict, &binding);
    for (size_t i = 0; i < verdict.count; i++)
        printable(verdict.checks[i].detail);
    evidence.cas = &none;
    identity_check(&evidence, &verdict, &binding);
    if (verdict.valid || binding.how != IDENTITY_UNBOUND)
        abort();
}

static void try_certificates(const uint8_t *data, size_t size)
{
    struct identity_cas cas = {.count = 0};
    struct quote_key key;
    struct error error = ERROR_INIT;
    bool some = identity_cas_parse(&cas, "cas", data, size, &error);
    if (!some)
        refused(&error);
    for (size_t i = 0; i < cas.count; i++)
        describe(cas.certificates[i]);
    error_clear(&error);
    if (quote_key_parse(&key, "ek", data, size, &error)) {
        if (key.certificate != NULL)
            describe(key.certificate);
        check(&key, &cas);
        quote_key_free(&key);
    } else {
        refused(&error);
    }
    identity_cas_free(&cas);
}

static void try_record(const uint8_t *data, size_t size)
{
    struct identity_credential credential;
    struct identity_binding binding = {.how = IDENTITY_UNBOUND};
    struct error error = ERROR_INIT;
    if (!identity_credential_parse(&credential, "record", data, size, &error)) {
        refused(&error);
        return;
    }
    if (!identity_credential_check(&credential, &credential.ek, NULL, &binding, &error))
        refused(&error);
    else if (binding.how != IDENTITY_BY_CREDENTIAL)
        abort();
    identity_credential_free(&credential);
}

/* The first two bytes are those of the EK that a blob is for. */
static void try_blob(const uint8_t *data, size_t size)
{
    struct quote_key ek;
    struct error error = ERROR_INIT;
    size_t hidden = 0, length = size < 2 ? 0 : data[0] | (size_t)data[1] << 8;
    if (length > size - 2 || size < 2 || !quote_key_parse(&ek, "ek", data + 2, length, &error))
        return;
    if (!identity_blob_check(data + 2 + length, size - 2 - length, &ek, &hidden, &error))
        refused(&error);
    else if (hidden == 0 || hidden > BANK_DIGEST_MAX)
        abort();
    quote_key_free(&ek);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] % 4 == 0)
        try_record(data + 1, size - 1);
    else if (data[0] % 4 == 1)
        try_blob(data + 1, size - 1);
    else
        try_certificates(data + 1, size - 1);
    return 0;
}
