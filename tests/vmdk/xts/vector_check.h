/* vector_check - for the tests of vmdk/xts/: one published vector, all in hex, both ways. */
#ifndef VMCRYPT_TESTS_VMDK_XTS_VECTOR_CHECK_H
#define VMCRYPT_TESTS_VMDK_XTS_VECTOR_CHECK_H

#include "tests/vmdk/xts/kernels.h"
#include "vmdk/xts/xts_openssl.h"

enum { VECTOR_MAX = XTS_CHUNK };

struct decoded {
    struct secret *key;
    struct xts_number number;
    uint8_t plain[VECTOR_MAX], cipher[VECTOR_MAX];
    size_t bytes;
};

/* A tweak of less than 16 bytes has zeros behind it. */
static inline void decode_vector(const char *key, const char *tweak, const char *plain,
                                 const char *cipher, struct decoded *d)
{
    uint8_t bytes[16] = {0};
    size_t tweak_bytes = sizeof bytes, cipher_bytes = sizeof d->cipher;
    d->key = key_from_hex(key);
    d->bytes = sizeof d->plain;
    d->number = (struct xts_number){0};
    assert_true(hex_decode(plain, strlen(plain), d->plain, &d->bytes));
    assert_true(hex_decode(cipher, strlen(cipher), d->cipher, &cipher_bytes));
    assert_int_equal(d->bytes, cipher_bytes);
    assert_true(hex_decode(tweak, strlen(tweak), bytes, &tweak_bytes));
    for (size_t i = 0; i < 8; i++) {
        d->number.low |= (uint64_t)bytes[i] << (8 * i);
        d->number.high |= (uint64_t)bytes[8 + i] << (8 * i);
    }
}

/* Through OpenSSL, as odd units go. */
static inline void check_odd(const struct decoded *d)
{
    struct error error = ERROR_INIT;
    uint8_t got[VECTOR_MAX];
    for (int encrypt = 0; encrypt < 2; encrypt++) {
        EVP_CIPHER_CTX *context = xts_openssl_new(d->key, encrypt, &error);
        assert_non_null(context);
        assert_true(xts_openssl_unit(context, d->number, got, encrypt ? d->plain : d->cipher,
                                     d->bytes, &error));
        assert_memory_equal(got, encrypt ? d->cipher : d->plain, d->bytes);
        EVP_CIPHER_CTX_free(context);
    }
}

/* Whole blocks do not depend on what follows them, so they can begin a chunk. */
static inline void check_kernel(const struct decoded *d, const struct xts_kernel *kernel)
{
#if defined(__x86_64__) || defined(__aarch64__)
    struct xts_keys keys __attribute__((aligned(64)));
    uint8_t chunk[XTS_CHUNK] = {0};
    size_t half = d->key->length / 2;
    xts_expand(&keys, d->key->data, d->key->data + half, half);
    for (int encrypt = 0; encrypt < 2; encrypt++) {
        memset(chunk, 0, sizeof chunk);
        memcpy(chunk, encrypt ? d->plain : d->cipher, d->bytes);
        xts_run(kernel, &keys, encrypt, XTS_CHUNK, d->number, chunk, chunk, sizeof chunk);
        assert_memory_equal(chunk, encrypt ? d->cipher : d->plain, d->bytes);
    }
#else
    (void)d;
    (void)kernel;
#endif
}

/* VMCRYPT_CPU names the kernel. The portable one takes them all, the others whole blocks. */
static inline void check_vector(const char *key, const char *tweak, const char *plain,
                                const char *cipher)
{
    struct error error = ERROR_INIT;
    struct decoded d;
    const struct xts_kernel *kernel = xts_kernel_pick(&error);
    assert_non_null(kernel);
    decode_vector(key, tweak, plain, cipher, &d);
    if (kernel == &xts_portable)
        check_odd(&d);
    else if (d.bytes % XTS_BLOCK == 0)
        check_kernel(&d, kernel);
    secret_free(d.key);
}

#endif
