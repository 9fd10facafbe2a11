/* identity_credential - records of credentials that a TPM opened; see identity.h. */
#include "tpm/identity.h"

#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/encode.h"
#include "base/file.h"

/* A TPM works big-endian. */
static bool take_sized(const uint8_t **at, size_t *left, const uint8_t **out, size_t *length)
{
    if (*left < 2)
        return false;
    *length = (size_t)(*at)[0] << 8 | (*at)[1];
    if (*length > *left - 2)
        return false;
    *out = *at + 2;
    *at += 2 + *length;
    *left -= 2 + *length;
    return true;
}

static bool fits_rsa(const struct quote_key *ek, size_t length)
{
    return length == (size_t)EVP_PKEY_get_size(ek->key);
}

/* The verifier's ephemeral point. */
static bool fits_ecc(const struct quote_key *ek, const uint8_t *at, size_t length)
{
    size_t bytes = ((size_t)EVP_PKEY_get_bits(ek->key) + 7) / 8, x_length, y_length;
    const uint8_t *x, *y;
    return take_sized(&at, &length, &x, &x_length) && take_sized(&at, &length, &y, &y_length) &&
           length == 0 && x_length > 0 && x_length <= bytes && y_length > 0 && y_length <= bytes;
}

bool identity_blob_check(const void *blob, size_t length, const struct quote_key *ek,
                         size_t *secret_length, struct error *error)
{
    static const uint8_t magic[] = {0xba, 0xdc, 0xc0, 0xde, 0, 0, 0, 1};
    const struct bank_algorithm *hash = bank_by_id(ek->public.nameAlg);
    const uint8_t *at = blob, *object, *secret, *integrity;
    size_t object_length, encrypted_length, integrity_length;
    if (length > sizeof magic && memcmp(at, magic, sizeof magic) == 0) {
        at += sizeof magic;
        length -= sizeof magic;
    }
    if (!ek->has_public || hash == NULL)
        return error_set(error, ERROR_FAILED, "the EK's public area is needed to judge the blob");
    if (!take_sized(&at, &length, &object, &object_length) ||
        !take_sized(&at, &length, &secret, &encrypted_length) || length != 0)
        return error_set(error, ERROR_DAMAGED, "the blob is not of tpm2_makecredential's form");
    if (!take_sized(&object, &object_length, &integrity, &integrity_length) ||
        integrity_length != hash->size || object_length < 2 + 1 || object_length > 2 + hash->size)
        return error_set(error, ERROR_DAMAGED,
                         "the blob's credential does not have the sizes of the EK's hash, %s",
                         hash->name);
    if (ek->public.type == TPM2_ALG_RSA ? !fits_rsa(ek, encrypted_length)
                                        : !fits_ecc(ek, secret, encrypted_length))
        return error_set(error, ERROR_DAMAGED, "the blob's seed does not have the size of this EK");
    *secret_length = object_length - 2;
    return true;
}

static bool take_hex(const json_t *record, const char *name, struct buffer *out,
                     struct error *error)
{
    const char *text = json_string_value(json_object_get(record, name));
    size_t length = text == NULL ? 0 : strlen(text), decoded = length / 2;
    char *to = buffer_reserve(out, decoded + 1);
    if (to == NULL)
        return error_memory(error);
    if (length == 0 || !hex_decode(text, length, (uint8_t *)to, &decoded))
        return error_set(error, ERROR_DAMAGED, "\"%s\" is not there, or no hex", name);
    out->length += decoded;
    return true;
}

static bool take_base64(const json_t *record, const char *name, struct buffer *out,
                        struct error *error)
{
    const char *text = json_string_value(json_object_get(record, name));
    size_t length = text == NULL ? 0 : strlen(text), decoded = base64_decoded_bound(length);
    char *to = buffer_reserve(out, decoded + 1);
    if (to == NULL)
        return error_memory(error);
    if (length == 0 || !base64_decode(text, length, (uint8_t *)to, &decoded))
        return error_set(error, ERROR_DAMAGED, "\"%s\" is not there, or no base64", name);
    out->length += decoded;
    return true;
}

static bool take_record(struct identity_credential *credential, const json_t *record,
                        struct error *error)
{
    struct buffer ek = BUFFER_INIT, name = BUFFER_INIT;
    bool ok = json_integer_value(json_object_get(record, "version")) == 1 ||
              error_set(error, ERROR_DAMAGED, "it is no record of a credential, of version 1");
    ok = ok && take_base64(record, "ek", &ek, error) && take_hex(record, "ak_name", &name, error) &&
         take_base64(record, "blob", &credential->blob, error) &&
         take_hex(record, "secret", &credential->secret, error) &&
         take_hex(record, "returned", &credential->returned, error) &&
         quote_key_parse(&credential->ek, "\"ek\"", buffer_text(&ek), ek.length, error);
    if (ok && name.length > sizeof credential->ak_name)
        ok = error_set(error, ERROR_DAMAGED, "\"ak_name\" is longer than any name");
    if (ok) {
        memcpy(credential->ak_name, name.data, name.length);
        credential->ak_name_length = name.length;
    }
    buffer_free(&ek);
    buffer_free(&name);
    return ok;
}

bool identity_credential_parse(struct identity_credential *credential, const char *name,
                               const void *text, size_t length, struct error *error)
{
    json_error_t where;
    memset(credential, 0, sizeof *credential);
    json_t *record = json_loadb(text, length, JSON_REJECT_DUPLICATES, &where);
    bool ok = record != NULL
                  ? take_record(credential, record, error)
                  : error_set(error, ERROR_DAMAGED, "line %d: %s", where.line, where.text);
    json_decref(record);
    if (ok)
        return true;
    identity_credential_free(credential);
    return error_in_file(error, name);
}

bool identity_credential_load(struct identity_credential *credential, const char *path,
                              struct error *error)
{
    struct buffer text = BUFFER_INIT;
    memset(credential, 0, sizeof *credential);
    bool ok = file_read_all(path, QUOTE_FILE_MAX, &text, error) &&
              identity_credential_parse(credential, path, buffer_text(&text), text.length, error);
    buffer_free(&text);
    return ok;
}

void identity_credential_free(struct identity_credential *credential)
{
    quote_key_free(&credential->ek);
    buffer_free(&credential->blob);
    buffer_free(&credential->secret);
    buffer_free(&credential->returned);
    memset(credential, 0, sizeof *credential);
}

bool identity_credential_check(const struct identity_credential *credential,
                               const struct quote_key *ak, const struct quote_key *ek,
                               struct identity_binding *binding, struct error *error)
{
    enum { SECRET_SHORT = 16 /* bytes; less can be guessed by trying */ };
    const struct buffer *secret = &credential->secret, *returned = &credential->returned;
    size_t hidden = 0;
    if (ek != NULL && EVP_PKEY_eq(ek->key, credential->ek.key) != 1)
        return error_set(error, ERROR_DAMAGED, "the record is of another EK");
    if (ak->name_length == 0)
        return error_set(error, ERROR_FAILED,
                         "the AK's Name is not known; its public area (TPM2B_PUBLIC) tells it");
    if (credential->ak_name_length != ak->name_length ||
        memcmp(credential->ak_name, ak->name, ak->name_length) != 0)
        return error_set(error, ERROR_DAMAGED, "the record is of another AK");
    if (!identity_blob_check(credential->blob.data, credential->blob.length, &credential->ek,
                             &hidden, error))
        return false;
    if (hidden != secret->length)
        return error_set(error, ERROR_DAMAGED,
                         "the blob hides %zu bytes, the record's secret has "
                         "%zu",
                         hidden, secret->length);
    if (returned->length != secret->length ||
        CRYPTO_memcmp(returned->data, secret->data, secret->length) != 0)
        return error_set(error, ERROR_DAMAGED, "the TPM did not give back the secret");
    if (secret->length < SECRET_SHORT)
        return error_set(error, ERROR_DAMAGED, "a secret of %zu bytes could be guessed",
                         secret->length);
    binding->how = IDENTITY_BY_CREDENTIAL;
    snprintf(binding->detail, sizeof binding->detail,
             "the record says that the TPM of this EK opened a credential for this AK; that rests "
             "on the word of who keeps the record, the blob cannot be opened to see");
    return true;
}
