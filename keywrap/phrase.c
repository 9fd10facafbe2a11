/* phrase - see phrase.h. */
#include "keywrap/phrase.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/encode.h"
#include "keywrap/cryptodict.h"

static const EVP_MD *digest_for(const char *pass2key)
{
    if (strcmp(pass2key, "PBKDF2-HMAC-SHA-1") == 0)
        return EVP_sha1();
    return strcmp(pass2key, "PBKDF2-HMAC-SHA-256") == 0 ? EVP_sha256() : NULL;
}

/* Copy a short text value out of the dictionary. */
static bool read_name(const char *text, size_t length, const char *name, char *out, size_t size,
                      struct error *error)
{
    struct secret *value = cryptodict_get(text, length, name, error);
    if (value == NULL)
        return false;
    bool fits = value->length < size && memchr(value->data, '\0', value->length) == NULL;
    if (fits)
        memcpy(out, value->data, value->length + 1);
    secret_free(value);
    return fits ||
           error_set(error, ERROR_DAMAGED, "key generation data: '%s' makes no sense", name);
}

static bool read_rounds(const char *text, size_t length, uint32_t *rounds, struct error *error)
{
    char number[24];
    if (!read_name(text, length, "rounds", number, sizeof number, error))
        return false;
    char *end;
    unsigned long long value = strtoull(number, &end, 10);
    if (number[0] < '0' || number[0] > '9' || *end != '\0' || value == 0 ||
        value > PHRASE_MAX_ROUNDS)
        return error_set(error, ERROR_DAMAGED,
                         "key generation data: %s rounds are not between 1 "
                         "and %d",
                         number, PHRASE_MAX_ROUNDS);
    *rounds = (uint32_t)value;
    return true;
}

static bool read_salt(const char *text, size_t length, struct phrase_params *params,
                      struct error *error)
{
    struct secret *encoded = cryptodict_get(text, length, "salt", error);
    if (encoded == NULL)
        return false;
    params->salt_length = sizeof params->salt;
    bool ok =
        base64_decode((char *)encoded->data, encoded->length, params->salt, &params->salt_length);
    secret_free(encoded);
    return ok || error_set(error, ERROR_DAMAGED,
                           "key generation data: the salt is not base64 of at most %d bytes",
                           PHRASE_MAX_SALT);
}

bool phrase_params_parse(const char *text, size_t length, struct phrase_params *params,
                         struct error *error)
{
    memset(params, 0, sizeof *params);
    if (!read_name(text, length, "pass2key", params->pass2key, sizeof params->pass2key, error) ||
        !read_name(text, length, "cipher", params->cipher, sizeof params->cipher, error) ||
        !read_rounds(text, length, &params->rounds, error) ||
        !read_salt(text, length, params, error))
        return false;
    if (digest_for(params->pass2key) == NULL)
        return error_set(error, ERROR_DAMAGED, "key derivation '%s' is not one we know",
                         params->pass2key);
    return cipher_key_bytes(params->cipher) > 0 ||
           error_set(error, ERROR_DAMAGED, "key generation data: cipher '%s' is not one we know",
                     params->cipher);
}

bool phrase_params_write(const struct phrase_params *params, struct buffer *out)
{
    struct buffer salt = BUFFER_INIT;
    base64_encode(params->salt, params->salt_length, &salt);
    buffer_printf(out, "pass2key=%s:cipher=%s:rounds=%u:salt=", params->pass2key, params->cipher,
                  params->rounds);
    for (size_t i = 0; i < salt.length; i++) {
        if (salt.data[i] == '=')
            buffer_append_text(out, "%3d");
        else
            buffer_append_byte(out, salt.data[i]);
    }
    out->failed |= salt.failed;
    buffer_free(&salt);
    return !out->failed;
}

struct secret *phrase_derive(const struct phrase_params *params, const struct secret *passphrase,
                             struct error *error)
{
    const EVP_MD *digest = digest_for(params->pass2key);
    if (digest == NULL || passphrase->length > INT_MAX) {
        error_set(error, ERROR_USAGE, "key derivation '%s' is not one we know", params->pass2key);
        return NULL;
    }
    struct secret *key = secret_new(cipher_key_bytes(params->cipher), error);
    if (key == NULL)
        return NULL;
    if (PKCS5_PBKDF2_HMAC((const char *)passphrase->data, (int)passphrase->length, params->salt,
                          (int)params->salt_length, (int)params->rounds, digest, (int)key->length,
                          key->data) != 1) {
        secret_free(key);
        error_set(error, ERROR_FAILED, "PBKDF2 failed");
        return NULL;
    }
    return key;
}
