/* Tests of vmdk/xts/xts: published vectors, and AES-ECB with our own doubling as an oracle. */
#include "vmdk/xts/xts.h"

#include <pthread.h>

#include <openssl/evp.h>
#include <openssl/sha.h>

#include "tests/vmdk/xts/ieee1619_vectors.h"
#include "tests/vmdk/xts/kernels.h"

static struct xts *new_xts(const char *hex, size_t unit_bytes)
{
    struct error error = ERROR_INIT;
    struct secret *key = key_from_hex(hex);
    struct xts *x = xts_new(key, unit_bytes, &error);
    assert_non_null(x);
    assert_int_equal(xts_unit_bytes(x), unit_bytes);
    secret_free(key);
    return x;
}

static void fill_pattern(uint8_t *data, size_t length)
{
    for (size_t i = 0; i < length; i++)
        data[i] = (uint8_t)i;
}

static void ieee_vectors(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    uint8_t previous[512];
    for (size_t i = 0; i < VECTOR_COUNT; i++) {
        const struct vector *v = &VECTORS[i];
        uint8_t plain[512], expected[512], got[512];
        size_t length = sizeof expected;
        assert_true(hex_decode(v->ciphertext, strlen(v->ciphertext), expected, &length));
        assert_int_equal(length, sizeof expected);
        if (v->number == 5)
            memcpy(plain, previous, sizeof plain);
        else
            fill_pattern(plain, sizeof plain);
        struct xts *x = new_xts(v->key, 512);
        assert_true(xts_encrypt(x, v->unit, got, plain, sizeof plain, &error));
        assert_memory_equal(got, expected, sizeof got);
        assert_true(xts_decrypt(x, v->unit, got, expected, sizeof plain, &error));
        assert_memory_equal(got, plain, sizeof got);
        /* In place. */
        assert_true(xts_encrypt(x, v->unit, got, got, sizeof got, &error));
        assert_memory_equal(got, expected, sizeof got);
        assert_true(xts_decrypt(x, v->unit, got, got, sizeof got, &error));
        assert_memory_equal(got, plain, sizeof got);
        xts_free(x);
        memcpy(previous, expected, sizeof previous);
    }
}

/* SHA-256 of the same two units from python3-cryptography 38. */
static void units_of_4096(void **state)
{
    (void)state;
    static const char EXPECTED[] =
        "9e8b565f0cb4dbbdbf18531fa121eb14f9c7c22907f0d8a732a371d44b03bf0f";
    struct error error = ERROR_INIT;
    uint8_t data[8192], plain[8192], digest[32], expected[32];
    size_t length = sizeof expected;
    assert_true(hex_decode(EXPECTED, strlen(EXPECTED), expected, &length));
    fill_pattern(plain, sizeof plain);
    struct xts *x = new_xts(KEY_256, 4096);
    assert_true(xts_encrypt(x, UINT64_C(0x123456789abcdef0), data, plain, sizeof data, &error));
    SHA256(data, sizeof data, digest);
    assert_memory_equal(digest, expected, sizeof digest);
    assert_true(xts_decrypt(x, UINT64_C(0x123456789abcdef0), data, data, sizeof data, &error));
    assert_memory_equal(data, plain, sizeof data);
    xts_free(x);
}

static void ecb(const uint8_t *key, size_t length, int encrypt, uint8_t *block)
{
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int done = 0;
    assert_non_null(c);
    assert_int_equal(EVP_CipherInit_ex(c, length == 32 ? EVP_aes_256_ecb() : EVP_aes_128_ecb(),
                                       NULL, key, NULL, encrypt),
                     1);
    EVP_CIPHER_CTX_set_padding(c, 0);
    assert_int_equal(EVP_CipherUpdate(c, block, &done, block, 16), 1);
    EVP_CIPHER_CTX_free(c);
}

/* IEEE 1619 by the book, one block after the other. */
static void reference(const struct secret *key, uint64_t unit, uint8_t *data, size_t bytes)
{
    uint8_t tweak[16] = {0};
    size_t half = key->length / 2;
    for (size_t i = 0; i < 8; i++)
        tweak[i] = (uint8_t)(unit >> (8 * i));
    ecb(key->data + half, half, 1, tweak);
    for (size_t at = 0; at < bytes; at += 16) {
        for (size_t i = 0; i < 16; i++)
            data[at + i] ^= tweak[i];
        ecb(key->data, half, 1, data + at);
        for (size_t i = 0; i < 16; i++)
            data[at + i] ^= tweak[i];
        unsigned carry = 0;
        for (size_t i = 0; i < 16; i++) {
            unsigned shifted = (unsigned)tweak[i] << 1 | carry;
            carry = shifted >> 8;
            tweak[i] = (uint8_t)shifted;
        }
        if (carry != 0)
            tweak[0] ^= 0x87;
    }
}

static void all_unit_sizes_against_ecb(void **state)
{
    (void)state;
    enum { BYTES = 131072 };
    static const uint64_t FIRST[] = {0, 1, UINT64_C(0xfffffffffffffff0)};
    struct error error = ERROR_INIT;
    uint8_t *plain = malloc(BYTES), *expected = malloc(BYTES), *got = malloc(BYTES);
    assert_true(plain != NULL && expected != NULL && got != NULL);
    uint32_t seed = 1;
    for (size_t i = 0; i < BYTES; i++) {
        seed = seed * 1103515245 + 12345;
        plain[i] = (uint8_t)(seed >> 16);
    }
    for (size_t unit = 512; unit <= 65536; unit *= 8) {
        const char *hex = unit == 4096 ? KEY_128 : KEY_256;
        struct secret *key = key_from_hex(hex);
        struct xts *x = new_xts(hex, unit);
        size_t bytes = 2 * unit;
        for (size_t f = 0; f < sizeof FIRST / sizeof FIRST[0]; f++) {
            memcpy(expected, plain, bytes);
            reference(key, FIRST[f], expected, unit);
            reference(key, FIRST[f] + 1, expected + unit, unit);
            assert_true(xts_encrypt(x, FIRST[f], got, plain, bytes, &error));
            assert_memory_equal(got, expected, bytes);
            assert_true(xts_decrypt(x, FIRST[f], got, got, bytes, &error));
            assert_memory_equal(got, plain, bytes);
        }
        xts_free(x);
        secret_free(key);
    }
    free(plain);
    free(expected);
    free(got);
}

/* Vector 1 of the standard has a key of zeros, so equal halves; its first 32 bytes. */
static void equal_halves(void **state)
{
    (void)state;
    static const char ZERO_KEY[] =
        "0000000000000000000000000000000000000000000000000000000000000000";
    static const uint8_t VECTOR_1[] = {0x91, 0x7c, 0xf6, 0x9e, 0xbd, 0x68, 0xb2, 0xec,
                                       0x9b, 0x9f, 0xe9, 0xa3, 0xea, 0xdd, 0xa6, 0x92,
                                       0xcd, 0x43, 0xd2, 0xf5, 0x95, 0x98, 0xed, 0x85,
                                       0x8c, 0x02, 0xc2, 0x65, 0x2f, 0xbf, 0x92, 0x2e};
    struct error error = ERROR_INIT;
    struct secret *key = key_from_hex(ZERO_KEY);
    struct xts *x = new_xts(ZERO_KEY, 512);
    uint8_t data[512] = {0}, zero[512] = {0};
    reference(key, 0, data, sizeof data);
    assert_memory_equal(data, VECTOR_1, sizeof VECTOR_1);
    assert_true(xts_weak_key(x));
    assert_true(xts_decrypt(x, 0, data, data, sizeof data, &error));
    assert_memory_equal(data, zero, sizeof data);
    assert_false(xts_encrypt(x, 0, data, data, sizeof data, &error));
    assert_int_equal(error.code, ERROR_FAILED);
    assert_non_null(strstr(error.message, "halves"));
    assert_memory_equal(data, zero, sizeof data);
    assert_false(xts_encrypt_odd(x, 0, data, data, 17, &error));
    assert_true(xts_decrypt_odd(x, 0, data, data, 17, &error));
    xts_free(x);
    secret_free(key);
}

static void refusals(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct secret *key = key_from_hex(KEY_256);
    static const size_t UNITS[] = {0, 256, 513, 768, 131072};
    for (size_t i = 0; i < sizeof UNITS / sizeof UNITS[0]; i++) {
        assert_null(xts_new(key, UNITS[i], &error));
        assert_int_equal(error.code, ERROR_USAGE);
    }
    struct secret *odd = secret_new(48, &error);
    assert_null(xts_new(odd, 512, &error));
    secret_free(odd);
    struct xts *x = xts_new(key, 512, &error);
    uint8_t data[1024] = {0};
    assert_false(xts_decrypt(x, 0, data, data, 100, &error));
    assert_false(xts_encrypt(x, 0, data, data, 513, &error));
    assert_false(xts_weak_key(x));
    assert_true(xts_decrypt(x, 0, data, data, 0, &error));
    xts_free(x);
    xts_free(NULL);
    secret_free(key);
}

static void *decrypt_many(void *argument)
{
    const struct xts *x = argument;
    struct error error = ERROR_INIT;
    uint8_t plain[4096], data[4096];
    fill_pattern(plain, sizeof plain);
    for (int round = 0; round < 200; round++) {
        if (!xts_encrypt(x, 7, data, plain, sizeof data, &error) ||
            !xts_decrypt(x, 7, data, data, sizeof data, &error) ||
            memcmp(data, plain, sizeof data) != 0)
            return argument;
    }
    return NULL;
}

static void shared_by_threads(void **state)
{
    (void)state;
    enum { THREADS = 4 };
    struct xts *x = new_xts(KEY_256, 512);
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, decrypt_many, x), 0);
    for (size_t i = 0; i < THREADS; i++) {
        void *failed = x;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    xts_free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ieee_vectors),
        cmocka_unit_test(units_of_4096),
        cmocka_unit_test(all_unit_sizes_against_ecb),
        cmocka_unit_test(equal_halves),
        cmocka_unit_test(refusals),
        cmocka_unit_test(shared_by_threads),
    };
    return run_for_each_kernel(tests);
}
