/* Tests of vmdk/xts/ with NIST's CAVP vectors: all kernels, and ciphertext stealing. */
#include "vmdk/xts/xts_openssl.h"

#include <stdio.h>

#include "tests/vmdk/xts/cavp_vectors.h"
#include "tests/vmdk/xts/vector_check.h"

static void selected_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof CAVP_VECTORS / sizeof CAVP_VECTORS[0]; i++)
        check_vector(CAVP_VECTORS[i].key, CAVP_VECTORS[i].tweak, CAVP_VECTORS[i].plain,
                     CAVP_VECTORS[i].cipher);
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
            check_vector(values[KEY], values[TWEAK], values[PLAIN], values[CIPHER]);
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
