/* xts - see xts.h: AES-XTS through OpenSSL's EVP. */
#include "vmdk/xts/xts.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

enum { TWEAK_BYTES = 16, UNIT_MIN = 512, UNIT_MAX = 65536 };

/*
 * The contexts hold the expanded keys and are never used themselves: each call works on a copy,
 * which costs a memcpy of the round keys and leaves this object unchanged for other threads.
 */
struct xts {
    size_t unit_bytes;
    EVP_CIPHER_CTX *decrypt;
    EVP_CIPHER_CTX *encrypt; /* NULL when the halves of the key are equal */
};

static EVP_CIPHER_CTX *expand(const struct secret *key, int encrypt)
{
    const EVP_CIPHER *cipher = key->length == 64 ? EVP_aes_256_xts() : EVP_aes_128_xts();
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    if (context != NULL &&
        EVP_CipherInit_ex(context, cipher, NULL, key->data, NULL, encrypt) != 1) {
        EVP_CIPHER_CTX_free(context);
        context = NULL;
    }
    return context;
}

struct xts *xts_new(const struct secret *key, size_t unit_bytes, struct error *error)
{
    if (key->length != 32 && key->length != 64) {
        error_set(error, ERROR_FAILED, "an XTS key has 32 or 64 bytes, not %zu", key->length);
        return NULL;
    }
    if (unit_bytes < UNIT_MIN || unit_bytes > UNIT_MAX || (unit_bytes & (unit_bytes - 1)) != 0) {
        error_set(error, ERROR_USAGE,
                  "a data unit of %zu bytes; a power of two from %d to %d is "
                  "possible",
                  unit_bytes, UNIT_MIN, UNIT_MAX);
        return NULL;
    }
    struct xts *x = calloc(1, sizeof *x);
    if (x == NULL) {
        error_memory(error);
        return NULL;
    }
    x->unit_bytes = unit_bytes;
    x->decrypt = expand(key, 0);
    size_t half = key->length / 2;
    bool weak = CRYPTO_memcmp(key->data, key->data + half, half) == 0;
    if (!weak)
        x->encrypt = expand(key, 1);
    if (x->decrypt == NULL || (!weak && x->encrypt == NULL)) {
        /* A FIPS provider refuses equal halves for decrypting too. */
        error_set(error, ERROR_FAILED,
                  weak ? "OpenSSL does not take an XTS key of equal halves"
                       : "OpenSSL does not offer AES-XTS");
        xts_free(x);
        return NULL;
    }
    return x;
}

void xts_free(struct xts *x)
{
    if (x == NULL)
        return;
    EVP_CIPHER_CTX_free(x->decrypt);
    EVP_CIPHER_CTX_free(x->encrypt);
    free(x);
}

size_t xts_unit_bytes(const struct xts *x)
{
    return x->unit_bytes;
}

static bool one_unit(EVP_CIPHER_CTX *context, uint64_t unit, uint8_t *dst, const uint8_t *src,
                     size_t bytes)
{
    uint8_t tweak[TWEAK_BYTES] = {0};
    for (size_t i = 0; i < sizeof unit; i++)
        tweak[i] = (uint8_t)(unit >> (8 * i));
    int done = 0;
    /* No key, so the round keys stay; -1 keeps the direction. */
    return EVP_CipherInit_ex(context, NULL, NULL, NULL, tweak, -1) == 1 &&
           EVP_CipherUpdate(context, dst, &done, src, (int)bytes) == 1 && (size_t)done == bytes;
}

static bool transform(const struct xts *x, const EVP_CIPHER_CTX *keys, uint64_t first_unit,
                      uint8_t *dst, const uint8_t *src, size_t bytes, struct error *error)
{
    uint64_t last;
    if (bytes % x->unit_bytes != 0)
        return error_set(error, ERROR_FAILED, "%zu bytes are no whole data units of %zu", bytes,
                         x->unit_bytes);
    if (__builtin_add_overflow(first_unit, (uint64_t)(bytes / x->unit_bytes), &last))
        return error_set(error, ERROR_FAILED, "data unit number %" PRIu64 " is out of range",
                         first_unit);
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    bool ok = context != NULL && EVP_CIPHER_CTX_copy(context, keys) == 1;
    for (size_t at = 0; ok && at < bytes; at += x->unit_bytes)
        ok = one_unit(context, first_unit++, dst + at, src + at, x->unit_bytes);
    EVP_CIPHER_CTX_free(context);
    return ok || error_set(error, ERROR_FAILED, "OpenSSL failed at AES-XTS");
}

bool xts_decrypt(const struct xts *x, uint64_t first_unit, uint8_t *dst, const uint8_t *src,
                 size_t bytes, struct error *error)
{
    return transform(x, x->decrypt, first_unit, dst, src, bytes, error);
}

bool xts_encrypt(const struct xts *x, uint64_t first_unit, uint8_t *dst, const uint8_t *src,
                 size_t bytes, struct error *error)
{
    if (x->encrypt == NULL)
        return error_set(error, ERROR_FAILED,
                         "the two halves of the XTS key are equal; encrypting with it is refused");
    return transform(x, x->encrypt, first_unit, dst, src, bytes, error);
}
