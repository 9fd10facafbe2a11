/* Tests of vmdk/xts/ with NIST's CAVP vectors: all kernels, and ciphertext stealing. */
#include "vmdk/xts/xts_openssl.h"

#include <stdio.h>

#include "tests/vmdk/xts/cavp_vectors.h"
#include "tests/vmdk/xts/kernels.h"

struct decoded {
    struct secret *key;
    struct xts_number number;
    uint8_t plain[64], cipher[64];
    size_t bytes;
};

static void decode(const struct cavp_vector *v, struct decoded *d)
{
    uint8_t tweak[16];
    size_t tweak_bytes = sizeof tweak, cipher_bytes = sizeof d->cipher;
    d->key = key_from_hex(v->key);
    d->bytes = sizeof d->plain;
    d->number = (struct xts_number){0};
    assert_true(hex_decode(v->plain, strlen(v->plain), d->plain, &d->bytes));
    assert_true(hex_decode(v->cipher, strlen(v->cipher), d->cipher, &cipher_bytes));
    assert_int_equal(d->bytes, cipher_bytes);
    assert_true(hex_decode(v->tweak, strlen(v->tweak), tweak, &tweak_bytes));
    assert_int_equal(tweak_bytes, sizeof tweak);
    for (size_t i = 0; i < 8; i++) {
        d->number.low |= (uint64_t)tweak[i] << (8 * i);
        d->number.high |= (uint64_t)tweak[8 + i] << (8 * i);
    }
}

/* Through OpenSSL, as odd units go. */
static void check_odd(const struct decoded *d)
{
    struct error error = ERROR_INIT;
    uint8_t got[64];
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
static void check_kernel(const struct decoded *d, const struct xts_kernel *kernel)
{
#if defined(__x86_64__) || defined(__aarch64__)
    struct xts_keys keys __attribute__((aligned(64)));
    uint8_t chunk[XTS_CHUNK] = {0};
    size_t half = d->key->length / 2;
    xts_expand(&keys, d->key->data, d->key->data + half, half);
    for (int encrypt = 0; encrypt < 2; encrypt++) {
        memcpy(chunk, encrypt ? d->plain : d->cipher, d->bytes);
        xts_run(kernel, &keys, encrypt, XTS_CHUNK, d->number, chunk, chunk, sizeof chunk);
        assert_memory_equal(chunk, encrypt ? d->cipher : d->plain, d->bytes);
    }
#else
    (void)d;
    (void)kernel;
#endif
}

/* VMCRYPT_CPU names the kernel. */
static void check(const struct cavp_vector *v)
{
    struct error error = ERROR_INIT;
    struct decoded d;
    const struct xts_kernel *kernel = xts_kernel_pick(&error);
    assert_non_null(kernel);
    decode(v, &d);
    if (kernel == &xts_portable)
        check_odd(&d);
    else if (d.bytes % XTS_BLOCK == 0)
        check_kernel(&d, kernel);
    secret_free(d.key);
}

static void selected_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof CAVP_VECTORS / sizeof CAVP_VECTORS[0]; i++)
        check(&CAVP_VECTORS[i]);
}

/* The value of "NAME = VALUE", without the line's end; NULL for another line. */
static const char *value_of(char *line, const char *name)
{
    size_t length = strlen(name);
    if (strncmp(line, name, length) != 0 || strncmp(line + length, " = ", 3) != 0)
        return NULL;
    line[strcspn(line, "\r\n")] = '\0';
    return line + length + 3;
}

/* How many of a file's vectors were checked: those of whole bytes; 0 when it is not there. */
static size_t check_file(const char *name)
{
    static const char *const FIELDS[] = {"DataUnitLen", "Key", "i", "PT", "CT"};
    enum { UNIT, KEY, TWEAK, PLAIN, CIPHER, COUNT };
    char path[256], line[256], values[COUNT][160] = {""};
    snprintf(path, sizeof path,
             "/usr/lib/python3/dist-packages/cryptography_vectors/ciphers/AES/XTS/"
             "tweak-128hexstr/%s",
             name);
    FILE *file = fopen(path, "r");
    size_t checked = 0;
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        for (size_t i = 0; i < COUNT; i++) {
            const char *value = value_of(line, FIELDS[i]);
            if (value == NULL)
                continue;
            assert_true(strlen(value) < sizeof values[i]);
            strcpy(values[i], value);
        }
        /* The two come in the order of the direction. */
        if (values[PLAIN][0] == '\0' || values[CIPHER][0] == '\0')
            continue;
        if (strtoul(values[UNIT], NULL, 10) % 8 == 0) {
            check(&(struct cavp_vector){name, values[KEY], values[TWEAK], values[PLAIN],
                                        values[CIPHER]});
            checked++;
        }
        values[PLAIN][0] = values[CIPHER][0] = '\0';
    }
    if (file != NULL)
        fclose(file);
    return checked;
}

static void all_vectors(void **state)
{
    (void)state;
    size_t of_128 = check_file("XTSGenAES128.rsp"), of_256 = check_file("XTSGenAES256.rsp");
    if (of_128 == 0 && of_256 == 0) {
        print_message("python3-cryptography-vectors is not installed\n");
        skip();
    }
    assert_int_equal(of_128, 800);
    assert_int_equal(of_256, 600);
}

/* The public way to odd units, against the same. */
static void public_odd_units(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    uint64_t random = 12345;
    uint8_t key[64], data[256], expected[256], got[256];
    for (size_t key_bytes = 32; key_bytes <= 64; key_bytes += 32) {
        fill_random(&random, key, key_bytes);
        struct secret *secret = secret_copy(key, key_bytes, &error);
        struct xts *x = xts_new(secret, 4096, &error);
        EVP_CIPHER_CTX *context = xts_openssl_new(secret, true, &error);
        for (size_t bytes = 16; bytes < sizeof data; bytes++) {
            struct xts_number number = {.low = next_random(&random)};
            fill_random(&random, data, bytes);
            assert_true(xts_openssl_unit(context, number, expected, data, bytes, &error));
            assert_true(xts_encrypt_odd(x, number.low, got, data, bytes, &error));
            assert_memory_equal(got, expected, bytes);
            assert_true(xts_decrypt_odd(x, number.low, got, got, bytes, &error));
            assert_memory_equal(got, data, bytes);
        }
        assert_false(xts_encrypt_odd(x, 0, got, data, 15, &error));
        assert_false(xts_decrypt_odd(x, 0, got, data, 65537, &error));
        EVP_CIPHER_CTX_free(context);
        xts_free(x);
        secret_free(secret);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(selected_vectors),
        cmocka_unit_test(all_vectors),
        cmocka_unit_test(public_odd_units),
    };
    return run_for_each_kernel(tests);
}
