/* cryptodict - see cryptodict.h. */
#include "keywrap/cryptodict.h"

#include <stdio.h>
#include <string.h>

#include <openssl/rand.h>

#include "base/encode.h"

size_t cipher_key_bytes(const char *name)
{
    static const struct {
        const char *name;
        size_t bytes;
    } ciphers[] = {{"AES-128", 16}, {"AES-192", 24}, {"AES-256", 32}, {"XTS-AES-256", 64}};
    for (size_t i = 0; i < sizeof ciphers / sizeof ciphers[0]; i++)
        if (strcmp(name, ciphers[i].name) == 0)
            return ciphers[i].bytes;
    return 0;
}

struct secret *cryptodict_get(const char *text, size_t length, const char *name,
                              struct error *error)
{
    size_t name_length = strlen(name);
    for (const char *part = text, *end = text + length; part < end;) {
        const char *stop = memchr(part, ':', (size_t)(end - part));
        if (stop == NULL)
            stop = end;
        const char *equals = memchr(part, '=', (size_t)(stop - part));
        if (equals != NULL && (size_t)(equals - part) == name_length &&
            memcmp(part, name, name_length) == 0) {
            size_t size = (size_t)(stop - equals - 1);
            struct secret *value = secret_new(size, error);
            if (value == NULL)
                return NULL;
            if (percent_decode(equals + 1, size, value->data, &value->length))
                return value;
            secret_free(value);
            error_set(error, ERROR_DAMAGED, "crypto dictionary: bad escape in '%s'", name);
            return NULL;
        }
        part = stop + 1;
    }
    error_set(error, ERROR_DAMAGED, "crypto dictionary has no '%s'", name);
    return NULL;
}

static bool read_key(const char *text, size_t length, struct crypto_key *key, struct error *error)
{
    struct secret *encoded = cryptodict_get(text, length, "key", error);
    if (encoded == NULL)
        return false;
    size_t bytes = base64_decoded_bound(encoded->length);
    struct secret *decoded = secret_new(bytes, error);
    bool ok = decoded != NULL;
    if (ok && (!base64_decode((char *)encoded->data, encoded->length, decoded->data, &bytes) ||
               bytes != cipher_key_bytes(key->cipher)))
        ok = error_set(error, ERROR_DAMAGED,
                       "crypto dictionary: the key is not base64 of the %zu bytes that %s wants",
                       cipher_key_bytes(key->cipher), key->cipher);
    if (ok)
        ok = (key->key = secret_copy(decoded->data, bytes, error)) != NULL;
    secret_free(decoded);
    secret_free(encoded);
    return ok;
}

bool crypto_key_parse(const char *text, size_t length, struct crypto_key *key, struct error *error)
{
    *key = (struct crypto_key){{0}, NULL};
    struct secret *type = cryptodict_get(text, length, "type", error);
    if (type == NULL)
        return false;
    bool ok = strcmp((char *)type->data, "key") == 0 ||
              error_set(error, ERROR_DAMAGED, "crypto dictionary is not of type 'key'");
    secret_free(type);
    struct secret *cipher = ok ? cryptodict_get(text, length, "cipher", error) : NULL;
    if (cipher == NULL)
        return false;
    if (cipher_key_bytes((char *)cipher->data) == 0)
        ok = error_set(error, ERROR_DAMAGED, "crypto dictionary: cipher is not one we know");
    else
        snprintf(key->cipher, sizeof key->cipher, "%s", (char *)cipher->data);
    secret_free(cipher);
    return ok && read_key(text, length, key, error);
}

bool crypto_key_write(const struct crypto_key *key, struct buffer *out)
{
    struct buffer encoded = BUFFER_INIT;
    base64_encode(key->key->data, key->key->length, &encoded);
    buffer_append_text(out, "type=key:cipher=");
    buffer_append_text(out, key->cipher);
    buffer_append_text(out, ":key=");
    /* Products escape '=' here and leave '+' and '/' as they are. */
    for (size_t i = 0; i < encoded.length; i++) {
        if (encoded.data[i] == '=')
            buffer_append_text(out, "%3d");
        else
            buffer_append_byte(out, encoded.data[i]);
    }
    out->failed |= encoded.failed;
    buffer_free(&encoded);
    return !out->failed;
}

bool crypto_key_generate(const char *cipher, struct crypto_key *key, struct error *error)
{
    *key = (struct crypto_key){{0}, NULL};
    size_t bytes = cipher_key_bytes(cipher);
    if (bytes == 0)
        return error_set(error, ERROR_USAGE,
                         "cipher '%s' is none of AES-128, AES-192, AES-256, "
                         "XTS-AES-256",
                         cipher);
    snprintf(key->cipher, sizeof key->cipher, "%s", cipher);
    key->key = secret_new(bytes, error);
    if (key->key == NULL)
        return false;
    if (RAND_priv_bytes(key->key->data, (int)bytes) == 1)
        return true;
    crypto_key_free(key);
    return error_set(error, ERROR_FAILED, "the random number generator failed");
}

void crypto_key_free(struct crypto_key *key)
{
    secret_free(key->key);
    *key = (struct crypto_key){{0}, NULL};
}
