/* wrap_aes - RFC 3394, RFC 5649 and AES-GCM; see wrap.h. */
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "keywrap/wrap_private.h"

enum { BLOCK = 8, IV_BYTES = 12, TAG_BYTES = 16 };

/* The AES that fits the key: "AES-256-WRAP-PAD" of SUFFIX "WRAP-PAD". */
static EVP_CIPHER *fetch(const struct secret *key, const char *suffix)
{
    char name[32];
    snprintf(name, sizeof name, "AES-%zu-%s", key->length * 8, suffix);
    return EVP_CIPHER_fetch(NULL, name, NULL);
}

static bool crypto_failed(struct error *error)
{
    ERR_clear_error();
    return error_set(error, ERROR_FAILED, "AES is not to be had from OpenSSL");
}

enum outcome { DONE, REFUSED, FAILED };

/* One call of a key wrap cipher. REFUSED: an integrity check does not hold. */
static enum outcome run_kw(bool wrap, bool padded, const struct secret *key, struct wrap_bytes in,
                           uint8_t *out, size_t *out_length)
{
    EVP_CIPHER *cipher = fetch(key, padded ? "WRAP-PAD" : "WRAP");
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    enum outcome outcome = FAILED;
    int done = 0;
    if (cipher != NULL && ctx != NULL) {
        EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
        if (EVP_CipherInit_ex2(ctx, cipher, key->data, NULL, wrap ? 1 : 0, NULL) == 1)
            outcome = REFUSED;
    }
    if (outcome == REFUSED && EVP_CipherUpdate(ctx, out, &done, in.data, (int)in.length) == 1 &&
        done > 0)
        outcome = DONE;
    *out_length = (size_t)done;
    EVP_CIPHER_CTX_free(ctx);
    EVP_CIPHER_free(cipher);
    ERR_clear_error();
    return outcome;
}

struct secret *wrap_kw_open(bool padded, const struct secret *key, struct wrap_bytes wrapped,
                            struct error *error)
{
    enum wrap_method method = padded ? WRAP_RFC5649 : WRAP_RFC3394;
    if (wrapped.length % BLOCK != 0 || wrapped.length < (padded ? 2 * BLOCK : 3 * BLOCK)) {
        error_set(error, ERROR_DAMAGED, "%zu bytes can be no key wrapped as in %s", wrapped.length,
                  wrap_method_name(method));
        return NULL;
    }
    /* OpenSSL decrypts in place, integrity block and all, before it looks. */
    struct secret *room = secret_new(wrapped.length, error);
    if (room == NULL)
        return NULL;
    struct secret *plain = NULL;
    size_t length;
    enum outcome outcome = run_kw(false, padded, key, wrapped, room->data, &length);
    if (outcome == DONE)
        plain = secret_copy(room->data, length, error);
    else if (outcome == REFUSED)
        wrap_no_fit(method, error);
    else
        crypto_failed(error);
    secret_free(room);
    return plain;
}

bool wrap_kw_make(bool padded, const struct secret *key, struct wrap_bytes plain,
                  struct buffer *out, struct error *error)
{
    if (!padded && (plain.length % BLOCK != 0 || plain.length < 2 * BLOCK))
        return error_set(error, ERROR_USAGE,
                         "rfc3394 wraps 16 bytes or more, in eights, not %zu; rfc5649 can",
                         plain.length);
    char *end = buffer_reserve(out, plain.length + 2 * BLOCK);
    size_t length;
    if (end == NULL)
        return error_memory(error);
    if (run_kw(true, padded, key, plain, (uint8_t *)end, &length) != DONE)
        return crypto_failed(error);
    out->length += length;
    out->data[out->length] = '\0';
    return true;
}

/* AES-GCM without further authenticated data. */
static EVP_CIPHER_CTX *gcm_start(bool encrypt, const struct secret *key, const uint8_t *iv,
                                 struct error *error)
{
    EVP_CIPHER *cipher = fetch(key, "GCM");
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool ok = cipher != NULL && ctx != NULL &&
              EVP_CipherInit_ex2(ctx, cipher, key->data, iv, encrypt ? 1 : 0, NULL) == 1;
    EVP_CIPHER_free(cipher);
    if (ok)
        return ctx;
    EVP_CIPHER_CTX_free(ctx);
    crypto_failed(error);
    return NULL;
}

struct secret *wrap_gcm_open(const struct secret *key, struct wrap_bytes wrapped,
                             struct error *error)
{
    if (wrapped.length <= IV_BYTES + TAG_BYTES) {
        error_set(error, ERROR_DAMAGED, "%zu bytes are too few for IV, key and tag of aes-gcm",
                  wrapped.length);
        return NULL;
    }
    size_t length = wrapped.length - IV_BYTES - TAG_BYTES;
    struct secret *plain = secret_new(length, error);
    EVP_CIPHER_CTX *ctx = plain == NULL ? NULL : gcm_start(false, key, wrapped.data, error);
    bool ok = false;
    if (ctx != NULL) {
        uint8_t tag[TAG_BYTES];
        int done = 0;
        memcpy(tag, wrapped.data + IV_BYTES + length, TAG_BYTES);
        ok = EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, tag) == 1 &&
             EVP_CipherUpdate(ctx, plain->data, &done, wrapped.data + IV_BYTES, (int)length) == 1 &&
             EVP_CipherFinal_ex(ctx, plain->data + done, &done) == 1;
        if (!ok)
            wrap_no_fit(WRAP_AES_GCM, error);
    }
    EVP_CIPHER_CTX_free(ctx);
    ERR_clear_error();
    if (ok)
        return plain;
    secret_free(plain);
    return NULL;
}

bool wrap_gcm_make(const struct secret *key, struct wrap_bytes plain, struct buffer *out,
                   struct error *error)
{
    uint8_t *end = (uint8_t *)buffer_reserve(out, IV_BYTES + plain.length + TAG_BYTES);
    if (end == NULL)
        return error_memory(error);
    if (RAND_bytes(end, IV_BYTES) != 1)
        return error_set(error, ERROR_FAILED, "the random number generator failed");
    EVP_CIPHER_CTX *ctx = gcm_start(true, key, end, error);
    if (ctx == NULL)
        return false;
    uint8_t *text = end + IV_BYTES, *tag = text + plain.length;
    int done = 0;
    bool ok = EVP_CipherUpdate(ctx, text, &done, plain.data, (int)plain.length) == 1 &&
              EVP_CipherFinal_ex(ctx, text + done, &done) == 1 &&
              EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, tag) == 1;
    EVP_CIPHER_CTX_free(ctx);
    if (!ok)
        return crypto_failed(error);
    out->length += IV_BYTES + plain.length + TAG_BYTES;
    out->data[out->length] = '\0';
    return true;
}
