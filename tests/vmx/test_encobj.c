/* Encrypted containers, made here with OpenSSL's one-shot calls, by each page-MAC rule. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "vmx/encobj.h"
#include "tests/scratch.h"

enum { DATA = 4064, PAGE = 4096 };
enum rule { OVER_PLAINTEXT, OVER_CIPHERTEXT, OVER_CIPHERTEXT_AND_IV, OVER_NOTHING };

static uint8_t key_bytes[64];

static void put_u32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static void make_page(const uint8_t *plain, enum rule rule, uint8_t page[PAGE])
{
    int length;
    uint8_t mac[EVP_MAX_MD_SIZE];
    memset(page + DATA, 0x5a, 16);
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    assert_int_equal(EVP_EncryptInit_ex(c, EVP_aes_256_cbc(), NULL, key_bytes, page + DATA), 1);
    EVP_CIPHER_CTX_set_padding(c, 0);
    assert_int_equal(EVP_EncryptUpdate(c, page, &length, plain, DATA), 1);
    EVP_CIPHER_CTX_free(c);
    HMAC(EVP_sha1(), key_bytes, 64, rule == OVER_PLAINTEXT ? plain : page,
         rule == OVER_CIPHERTEXT_AND_IV ? DATA + 16
         : rule == OVER_NOTHING         ? 0
                                        : DATA,
         mac, NULL);
    memcpy(page + DATA + 16, mac, 16);
}

/* A container of SIZE bytes whose byte I is I * 7. */
static void make(const char *path, size_t size, enum rule rule)
{
    uint8_t header[PAGE] = {0}, plain[DATA], page[PAGE];
    for (size_t i = 0; i < sizeof key_bytes; i++)
        key_bytes[i] = (uint8_t)(i + 1);
    put_u32(header, 0x8943dd9e);
    put_u32(header + 4, 1);
    put_u32(header + 8, DATA);
    put_u32(header + 12, 16);
    put_u32(header + 16, 16);
    put_u32(header + 24, (uint32_t)size);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(header, 1, PAGE, f), PAGE);
    for (size_t done = 0; done < size; done += DATA) {
        for (size_t i = 0; i < DATA; i++)
            plain[i] = done + i < size ? (uint8_t)((done + i) * 7) : 0;
        make_page(plain, rule, page);
        assert_int_equal(fwrite(page, 1, PAGE, f), PAGE);
    }
    assert_int_equal(fclose(f), 0);
}

static const struct progress *watcher; /* of decrypt */

static bool decrypt(const char *path, struct encobj_result *result, struct error *error)
{
    *error = ERROR_INIT;
    struct file_output out;
    struct secret *key = secret_copy(key_bytes, sizeof key_bytes, error);
    int fd = file_open_read(path, error);
    assert_true(fd >= 0);
    assert_true(file_create(&out, "plain", 0600, true, error));
    bool ok =
        encobj_decrypt(fd, path, key, &out, watcher, result, error) && file_publish(&out, error);
    file_abandon(&out);
    close(fd);
    secret_free(key);
    return ok;
}

static void test_rules(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, DATA - 1, DATA, DATA + 1, 3 * DATA + 100};
    for (int rule = OVER_PLAINTEXT; rule <= OVER_CIPHERTEXT_AND_IV; rule++) {
        for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
            struct encobj_result result;
            struct error error;
            struct buffer plain = BUFFER_INIT;
            make("c", sizes[s], rule);
            if (!decrypt("c", &result, &error))
                fail_msg("%s", error.message);
            assert_int_equal(result.size, sizes[s]);
            assert_true(file_read_all("plain", 1 << 20, &plain, &error));
            assert_int_equal(plain.length, sizes[s]);
            for (size_t i = 0; i < plain.length; i++)
                assert_int_equal((uint8_t)plain.data[i], (uint8_t)(i * 7));
            buffer_free(&plain);
            remove("plain");
        }
    }
}

static void test_unknown_rule_gives_nothing(void **state)
{
    (void)state;
    struct encobj_result result;
    struct error error;
    make("c", 5000, OVER_NOTHING);
    assert_false(decrypt("c", &result, &error));
    assert_int_equal(error.code, ERROR_NO_KEY);
    assert_false(file_exists("plain"));
}

static void test_damage(void **state)
{
    (void)state;
    struct encobj_result result;
    struct error error;
    make("c", 3 * DATA, OVER_PLAINTEXT);
    FILE *f = fopen("c", "r+");
    fseek(f, 2 * PAGE + 77, SEEK_SET);
    fputc(0xee, f);
    fclose(f);
    assert_false(decrypt("c", &result, &error));
    assert_int_equal(error.code, ERROR_DAMAGED);
    assert_true(error.offset == 2 * PAGE);
    make("c", 3 * DATA, OVER_PLAINTEXT);
    assert_int_equal(truncate("c", 3 * PAGE + 5), 0);
    assert_false(decrypt("c", &result, &error));
    assert_int_equal(error.code, ERROR_DAMAGED);
    assert_true(error.offset == 3 * PAGE + 5);
    assert_int_equal(truncate("c", 10), 0);
    assert_false(decrypt("c", &result, &error));
    assert_false(file_exists("plain"));
}

static bool stop_at_once(void *user, uint64_t done, uint64_t total)
{
    *(uint64_t *)user = total;
    return done > 0;
}

static void test_interrupted(void **state)
{
    (void)state;
    struct encobj_result result;
    struct error error;
    uint64_t total = 0;
    const struct progress stopper = {stop_at_once, &total};
    make("c", 5000, OVER_PLAINTEXT);
    watcher = &stopper;
    bool ok = decrypt("c", &result, &error);
    watcher = NULL;
    assert_false(ok);
    assert_string_equal(error.message, "interrupted");
    assert_int_equal(total, 5000);
    assert_false(file_exists("plain"));
}

static void test_headers(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        uint32_t value;
    } bad[] = {{0, 0x8943dd9f}, {8, 0},   {8, 4063}, {8, 0xfffffff0},
               {8, 2 << 20},    {12, 12}, {16, 0},   {16, 20}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct encobj_result result;
        struct error error;
        uint8_t word[4];
        make("c", 100, OVER_PLAINTEXT);
        put_u32(word, bad[i].value);
        FILE *f = fopen("c", "r+");
        fseek(f, (long)bad[i].at, SEEK_SET);
        fwrite(word, 1, 4, f);
        fclose(f);
        assert_false(decrypt("c", &result, &error));
        assert_int_equal(error.code, ERROR_DAMAGED);
    }
    assert_true(encobj_recognise("\x9e\xdd\x43\x89", 4));
    assert_false(encobj_recognise("\x9e\xdd\x43\x89", 3));
    assert_false(encobj_recognise("MRVN", 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),   cmocka_unit_test(test_unknown_rule_gives_nothing),
        cmocka_unit_test(test_damage),  cmocka_unit_test(test_interrupted),
        cmocka_unit_test(test_headers),
    };
    return cmocka_run_group_tests(tests, scratch_set_up, scratch_tear_down);
}
