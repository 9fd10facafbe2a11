/* xts - see xts.h: the object, its keys and the checks; the work is done by xts_run or OpenSSL. */
#include "vmdk/xts/xts.h"

#include <stdlib.h>

#include <openssl/crypto.h>

#include "vmdk/xts/xts_kernel.h"
#include "vmdk/xts/xts_openssl.h"

enum { UNIT_MIN = 512, UNIT_MAX = 65536, ALIGNMENT = 64 };

struct xts {
    size_t unit_bytes;
    bool weak; /* the halves of the key are equal */
    const struct xts_kernel *kernel;
    struct secret *key;

    struct secret *memory;       /* of the expanded keys; unused by the portable path */
    const struct xts_keys *keys; /* in it */

    EVP_CIPHER_CTX *decrypt; /* of the portable path only */
    EVP_CIPHER_CTX *encrypt; /* and NULL for a weak key */
};

static bool expand_for_openssl(struct xts *x, struct error *error)
{
    x->decrypt = xts_openssl_new(x->key, false, error);
    if (x->decrypt != NULL && !x->weak)
        x->encrypt = xts_openssl_new(x->key, true, error);
    return x->decrypt != NULL && (x->weak || x->encrypt != NULL);
}

static bool expand_for_kernel(struct xts *x, struct error *error)
{
#if defined(__x86_64__) || defined(__aarch64__)
    x->memory = secret_new(sizeof *x->keys + ALIGNMENT - 1, error);
    if (x->memory == NULL)
        return false;
    uint8_t *data = x->memory->data;
    struct xts_keys *keys = (void *)(data + (-(uintptr_t)data & (ALIGNMENT - 1)));
    size_t half = x->key->length / 2;
    xts_expand(keys, x->key->data, x->key->data + half, half);
    x->keys = keys;
    return true;
#else
    (void)x;
    return error_set(error, ERROR_FAILED, "there is no kernel for this CPU");
#endif
}

struct xts *xts_new(const struct secret *key, size_t unit_bytes, struct error *error)
{
    if (key->length != 32 && key->length != 64) {
        error_set(error, ERROR_FAILED, "an XTS key has 32 or 64 bytes, not %zu", key->length);
        return NULL;
    }
    if (unit_bytes < UNIT_MIN || unit_bytes > UNIT_MAX || (unit_bytes & (unit_bytes - 1)) != 0) {
        error_set(error, ERROR_USAGE,
                  "a data unit of %zu bytes; a power of two from %d to %d is possible", unit_bytes,
                  UNIT_MIN, UNIT_MAX);
        return NULL;
    }
    const struct xts_kernel *kernel = xts_kernel_pick(error);
    if (kernel == NULL)
        return NULL;
    struct xts *x = calloc(1, sizeof *x);
    if (x == NULL) {
        error_memory(error);
        return NULL;
    }
    size_t half = key->length / 2;
    x->unit_bytes = unit_bytes;
    x->weak = CRYPTO_memcmp(key->data, key->data + half, half) == 0;
    x->kernel = kernel;
    x->key = secret_copy(key->data, key->length, error);
    if (x->key == NULL ||
        !(kernel == &xts_portable ? expand_for_openssl(x, error) : expand_for_kernel(x, error))) {
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
    secret_free(x->memory);
    secret_free(x->key);
    free(x);
}

size_t xts_unit_bytes(const struct xts *x)
{
    return x->unit_bytes;
}

const char *xts_kernel_name(const struct xts *x)
{
    return x->kernel->name;
}

bool xts_weak_key(const struct xts *x)
{
    return x->weak;
}

static bool refuse_weak(const struct xts *x, struct error *error)
{
    return !x->weak ||
           error_set(error, ERROR_FAILED,
                     "the two halves of the XTS key are equal; encrypting with it is refused");
}

static bool transform(const struct xts *x, bool encrypt, struct xts_number first, uint8_t *dst,
                      const uint8_t *src, size_t bytes, struct error *error)
{
    if (encrypt && !refuse_weak(x, error))
        return false;
    if (bytes % x->unit_bytes != 0)
        return error_set(error, ERROR_FAILED, "%zu bytes are no whole data units of %zu", bytes,
                         x->unit_bytes);
    if (x->kernel == &xts_portable)
        return xts_openssl_run(encrypt ? x->encrypt : x->decrypt, x->unit_bytes, first, dst, src,
                               bytes, error);
    xts_run(x->kernel, x->keys, encrypt, x->unit_bytes, first, dst, src, bytes);
    return true;
}

bool xts_decrypt(const struct xts *x, uint64_t first_unit, uint8_t *dst, const uint8_t *src,
                 size_t bytes, struct error *error)
{
    return transform(x, false, (struct xts_number){.low = first_unit}, dst, src, bytes, error);
}

bool xts_decrypt_tweak(const struct xts *x, const uint8_t tweak[16], uint8_t *dst,
                       const uint8_t *src, struct error *error)
{
    struct xts_number number = {.low = 0};
    for (size_t i = 0; i < 8; i++) {
        number.low |= (uint64_t)tweak[i] << (8 * i);
        number.high |= (uint64_t)tweak[8 + i] << (8 * i);
    }
    return transform(x, false, number, dst, src, x->unit_bytes, error);
}

bool xts_encrypt(const struct xts *x, uint64_t first_unit, uint8_t *dst, const uint8_t *src,
                 size_t bytes, struct error *error)
{
    return transform(x, true, (struct xts_number){.low = first_unit}, dst, src, bytes, error);
}

static bool transform_odd(const struct xts *x, bool encrypt, uint64_t unit, uint8_t *dst,
                          const uint8_t *src, size_t bytes, struct error *error)
{
    if (encrypt && !refuse_weak(x, error))
        return false;
    if (bytes < XTS_BLOCK || bytes > UNIT_MAX)
        return error_set(error, ERROR_FAILED, "a data unit of %zu bytes; %d to %d are possible",
                         bytes, XTS_BLOCK, UNIT_MAX);
    EVP_CIPHER_CTX *context = xts_openssl_new(x->key, encrypt, error);
    struct xts_number number = {.low = unit};
    bool ok = context != NULL && xts_openssl_unit(context, number, dst, src, bytes, error);
    EVP_CIPHER_CTX_free(context);
    return ok;
}

bool xts_decrypt_odd(const struct xts *x, uint64_t unit, uint8_t *dst, const uint8_t *src,
                     size_t bytes, struct error *error)
{
    return transform_odd(x, false, unit, dst, src, bytes, error);
}

bool xts_encrypt_odd(const struct xts *x, uint64_t unit, uint8_t *dst, const uint8_t *src,
                     size_t bytes, struct error *error)
{
    return transform_odd(x, true, unit, dst, src, bytes, error);
}
