/* wrap - which method, and with what key; see wrap.h. */
#include "keywrap/wrap.h"

#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/rand.h>

#include "keywrap/wrap_private.h"

/* The temporary key of RSA-AES. */
enum { TEMPORARY_BYTES = 32 };

enum family { FAMILY_KW, FAMILY_KWP, FAMILY_GCM, FAMILY_OAEP, FAMILY_RSA_AES };

static const struct method {
    const char *name;
    enum family family;
    struct wrap_oaep oaep;
} methods[WRAP_METHODS] = {
    [WRAP_RFC3394] = {"rfc3394", FAMILY_KW, {NULL, NULL}},
    [WRAP_RFC5649] = {"rfc5649", FAMILY_KWP, {NULL, NULL}},
    [WRAP_AES_GCM] = {"aes-gcm", FAMILY_GCM, {NULL, NULL}},
    [WRAP_RSA_OAEP_SHA1] = {"rsa-oaep-sha1", FAMILY_OAEP, {"SHA1", "SHA1"}},
    [WRAP_RSA_OAEP_SHA256] = {"rsa-oaep-sha256", FAMILY_OAEP, {"SHA256", "SHA256"}},
    [WRAP_RSA_OAEP_SHA256_MGF1] = {"rsa-oaep-sha256-mgf1-sha1", FAMILY_OAEP, {"SHA256", "SHA1"}},
    [WRAP_RSA_AES_SHA1] = {"rsa-aes-sha1", FAMILY_RSA_AES, {"SHA1", "SHA1"}},
    [WRAP_RSA_AES_SHA256] = {"rsa-aes-sha256", FAMILY_RSA_AES, {"SHA256", "SHA256"}},
};

const char *wrap_method_name(enum wrap_method method)
{
    return methods[method].name;
}

bool wrap_method_parse(const char *name, enum wrap_method *method, struct error *error)
{
    char all[256] = "";
    for (int i = 0; i < WRAP_METHODS; i++) {
        size_t used = strlen(all);
        snprintf(all + used, sizeof all - used, "%s%s", i == 0 ? "" : ", ", methods[i].name);
        if (strcmp(name, methods[i].name) == 0) {
            *method = (enum wrap_method)i;
            return true;
        }
    }
    return error_set(error, ERROR_USAGE, "there is no wrapping method '%.64s'; there are %s", name,
                     all);
}

bool wrap_no_fit(enum wrap_method method, struct error *error)
{
    return error_set(error, ERROR_NO_KEY, "the unwrapping key does not fit (%s does not hold)",
                     methods[method].name);
}

static bool wants_rsa(enum wrap_method method)
{
    return methods[method].family == FAMILY_OAEP || methods[method].family == FAMILY_RSA_AES;
}

static bool is_aes_size(size_t bytes)
{
    return bytes == 16 || bytes == 24 || bytes == 32;
}

static bool check_key(enum wrap_method method, const struct wrap_key *key, struct error *error)
{
    if (wants_rsa(method))
        return key->rsa != NULL ||
               error_set(error, ERROR_USAGE, "%s takes an RSA key", methods[method].name);
    if (key->aes == NULL)
        return error_set(error, ERROR_USAGE, "%s takes an AES key", methods[method].name);
    return is_aes_size(key->aes->length) ||
           error_set(error, ERROR_USAGE, "%s takes an AES key of 16, 24 or 32 bytes, not of %zu",
                     methods[method].name, key->aes->length);
}

/* An RSA block that holds an AES key, and a wrapping under that key. */
static struct secret *open_rsa_aes(enum wrap_method method, const struct wrap_key *key,
                                   struct wrap_bytes wrapped, struct error *error)
{
    size_t block = wrap_rsa_block(key);
    if (wrapped.length <= block) {
        error_set(error, ERROR_DAMAGED, "%zu bytes are too few for %s under an RSA key of %zu",
                  wrapped.length, methods[method].name, block);
        return NULL;
    }
    struct wrap_bytes head = {wrapped.data, block};
    struct wrap_bytes rest = {wrapped.data + block, wrapped.length - block};
    struct secret *aes = wrap_oaep_open(method, &methods[method].oaep, key, head, error);
    struct secret *plain = NULL;
    if (aes != NULL && !is_aes_size(aes->length))
        wrap_no_fit(method, error);
    else if (aes != NULL)
        plain = wrap_kw_open(true, aes, rest, error);
    secret_free(aes);
    return plain;
}

static bool make_rsa_aes(enum wrap_method method, const struct wrap_key *key,
                         struct wrap_bytes plain, struct buffer *out, struct error *error)
{
    struct secret *aes = secret_new(TEMPORARY_BYTES, error);
    bool ok = aes != NULL;
    if (ok && RAND_priv_bytes(aes->data, TEMPORARY_BYTES) != 1)
        ok = error_set(error, ERROR_FAILED, "the random number generator failed");
    ok = ok &&
         wrap_oaep_make(&methods[method].oaep, key, (struct wrap_bytes){aes->data, aes->length},
                        out, error) &&
         wrap_kw_make(true, aes, plain, out, error);
    secret_free(aes);
    return ok;
}

bool wrap_make(enum wrap_method method, const struct wrap_key *key, const void *plain,
               size_t length, struct buffer *out, struct error *error)
{
    struct wrap_bytes bytes = {plain, length};
    if (!check_key(method, key, error))
        return false;
    if (length == 0 || length > WRAP_MAX)
        return error_set(error, ERROR_USAGE, "1 to %d bytes can be wrapped, not %zu", WRAP_MAX,
                         length);
    switch (methods[method].family) {
    case FAMILY_KW:
    case FAMILY_KWP:
        return wrap_kw_make(method == WRAP_RFC5649, key->aes, bytes, out, error);
    case FAMILY_GCM:
        return wrap_gcm_make(key->aes, bytes, out, error);
    case FAMILY_OAEP:
        return wrap_oaep_make(&methods[method].oaep, key, bytes, out, error);
    case FAMILY_RSA_AES:
        break;
    }
    return make_rsa_aes(method, key, bytes, out, error);
}

struct secret *wrap_open(enum wrap_method method, const struct wrap_key *key, const void *wrapped,
                         size_t length, struct error *error)
{
    struct wrap_bytes bytes = {wrapped, length};
    if (!check_key(method, key, error))
        return NULL;
    if (length == 0 || length > WRAP_MAX) {
        error_set(error, ERROR_DAMAGED, "%zu bytes can be no wrapped key", length);
        return NULL;
    }
    switch (methods[method].family) {
    case FAMILY_KW:
    case FAMILY_KWP:
        return wrap_kw_open(method == WRAP_RFC5649, key->aes, bytes, error);
    case FAMILY_GCM:
        return wrap_gcm_open(key->aes, bytes, error);
    case FAMILY_OAEP:
        return wrap_oaep_open(method, &methods[method].oaep, key, bytes, error);
    case FAMILY_RSA_AES:
        break;
    }
    return open_rsa_aes(method, key, bytes, error);
}

/* Why none of the methods that could be tried opened it. */
static void none_fits(const struct wrap_key *key, size_t length, const char *tried,
                      struct error *error)
{
    if (tried[0] != '\0')
        error_set(error, ERROR_NO_KEY, "the unwrapping key does not fit (tried %s)", tried);
    else if (key->rsa != NULL)
        error_set(error, ERROR_DAMAGED, "%zu bytes can be no key wrapped with an RSA key of %zu",
                  length, wrap_rsa_block(key));
    else
        error_set(error, ERROR_DAMAGED, "%zu bytes can be no key wrapped with an AES key", length);
}

struct secret *wrap_open_any(const struct wrap_key *key, const void *wrapped, size_t length,
                             enum wrap_method *method, struct error *error)
{
    char tried[256] = "";
    if (key->method != NULL) {
        *method = *key->method;
        return wrap_open(*key->method, key, wrapped, length, error);
    }
    for (int i = 0; i < WRAP_METHODS; i++) {
        struct error why = ERROR_INIT;
        *method = (enum wrap_method)i;
        if (wants_rsa(*method) != (key->rsa != NULL))
            continue;
        struct secret *plain = wrap_open(*method, key, wrapped, length, &why);
        if (plain != NULL)
            return plain;
        if (why.code != ERROR_NO_KEY && why.code != ERROR_DAMAGED) {
            *error = why;
            return NULL;
        }
        size_t used = strlen(tried);
        if (why.code == ERROR_NO_KEY)
            snprintf(tried + used, sizeof tried - used, "%s%s", used == 0 ? "" : ", ",
                     methods[i].name);
    }
    none_fits(key, length, tried, error);
    return NULL;
}

void wrap_key_free(struct wrap_key *key)
{
    secret_free(key->aes);
    EVP_PKEY_free(key->rsa);
    *key = (struct wrap_key){0};
}
