/* Encrypted keyrings. That others can read them is tested in tests/e2e/key_ring.bats. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/encode.h"
#include "keywrap/keyring_crypt.h"

/* Made with python3-cryptography (Scrypt and AESGCM), not by this program: N = 2^4, r = 2, p = 3,
 * salt 00…1f, nonce 00…0b, passphrase "correct horse", plaintext "version: 1\n". */
static const char by_python[] =
    "-----BEGIN VMCRYPT KEYRING-----\r\n"
    "Vk1DS1JJTkcBAAAABAAAAAIAAAADAAAAAAECAwQFBgcICQoLDA0ODxAREhMUFRYX\r\n"
    "GBkaGxwdHh8AAQIDBAUGBwgJCgs0K4KiK/GWA46DNGRuoBo1hYoSNN9UOpwHOCc=\r\n"
    "-----END VMCRYPT KEYRING-----\r\n";

static struct buffer text_of(const char *text)
{
    struct buffer b = BUFFER_INIT;
    assert_true(buffer_append_text(&b, text));
    return b;
}

static struct secret *phrase(const char *text)
{
    struct error error = ERROR_INIT;
    struct secret *s = secret_copy(text, strlen(text), &error);
    assert_non_null(s);
    return s;
}

/* Decrypt FILE; the code of the error, and what came out. */
static enum error_code opens(const struct buffer *file, const char *passphrase, struct buffer *out)
{
    struct error error = ERROR_INIT;
    struct secret *p = phrase(passphrase);
    *out = BUFFER_INIT;
    bool ok = keyring_decrypt(file, p, out, &error);
    secret_free(p);
    assert_int_equal(ok, error.code == ERROR_NONE);
    if (!ok) {
        assert_int_equal(out->length, 0);
        assert_true(error.message[0] != '\0');
    }
    return error.code;
}

static void test_python(void **state)
{
    (void)state;
    struct buffer file = text_of(by_python), out;
    assert_true(keyring_is_encrypted(&file));
    assert_int_equal(opens(&file, "correct horse", &out), ERROR_NONE);
    assert_string_equal(buffer_text(&out), "version: 1\n");
    buffer_free(&out);
    assert_int_equal(opens(&file, "correct Horse", &out), ERROR_NO_KEY);
    buffer_free(&out);
    buffer_free(&file);
}

static void test_round_trip(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct buffer yaml = text_of("version: 1\n# ü\n"), one = BUFFER_INIT, two = BUFFER_INIT, out;
    struct secret *p = phrase("p");
    assert_true(keyring_encrypt(&yaml, p, &one, &error));
    assert_true(keyring_encrypt(&yaml, p, &two, &error));
    assert_true(one.length == two.length && memcmp(one.data, two.data, one.length) != 0);
    assert_null(strstr(buffer_text(&one), "version"));
    uint64_t cost = 0;
    assert_true(keyring_crypt_cost(&one, &cost, &error));
    assert_int_equal(cost, 128 << 20);
    assert_int_equal(opens(&one, "p", &out), ERROR_NONE);
    assert_string_equal(buffer_text(&out), buffer_text(&yaml));
    buffer_free(&out);
    secret_free(p);
    buffer_free(&one);
    buffer_free(&two);
    buffer_free(&yaml);
}

/* The bytes of by_python, LENGTH of them, with the one at AT changed to VALUE, in armour. */
static struct buffer forged(size_t length, size_t at, uint8_t value)
{
    uint8_t bytes[128];
    size_t size = sizeof bytes;
    const char *start = strstr(by_python, "\r\n") + 2;
    char text[256];
    size_t used = 0;
    for (; *start != '-'; start++)
        if (*start != '\r' && *start != '\n')
            text[used++] = *start;
    assert_true(base64_decode(text, used, bytes, &size));
    if (at < size)
        bytes[at] = value;
    struct buffer file = text_of("-----BEGIN VMCRYPT KEYRING-----\n");
    assert_true(base64_encode(bytes, length < size ? length : size, &file));
    buffer_append_text(&file, "\n-----END VMCRYPT KEYRING-----\n");
    return file;
}

static enum error_code opens_forged(size_t length, size_t at, uint8_t value)
{
    struct buffer file = forged(length, at, value), out;
    enum error_code code = opens(&file, "correct horse", &out);
    buffer_free(&file);
    buffer_free(&out);
    return code;
}

static void test_forged(void **state)
{
    (void)state;
    enum { ALL = 1000 };
    assert_int_equal(opens_forged(ALL, ALL, 0), ERROR_NONE);
    /* Every byte is authenticated: a changed one is damage, a wrong version, or does not open. */
    for (size_t at = 0; at < 95; at++)
        assert_int_not_equal(opens_forged(ALL, at, 0x55), ERROR_NONE);
    for (size_t length = 0; length < 95; length++)
        assert_int_not_equal(opens_forged(length, ALL, 0), ERROR_NONE);
    assert_int_equal(opens_forged(83, ALL, 0), ERROR_DAMAGED);
    assert_int_equal(opens_forged(ALL, 0, 'X'), ERROR_DAMAGED);
    assert_int_equal(opens_forged(ALL, 8, 2), ERROR_FAILED);
    assert_int_equal(opens_forged(ALL, 94, 0x55), ERROR_NO_KEY);
    /* log2 N, r and p that would take gigabytes or hours. */
    assert_int_equal(opens_forged(ALL, 12, 0), ERROR_DAMAGED);
    assert_int_equal(opens_forged(ALL, 12, 23), ERROR_DAMAGED);
    assert_int_equal(opens_forged(ALL, 12, 64), ERROR_DAMAGED);
    assert_int_equal(opens_forged(ALL, 15, 1), ERROR_DAMAGED);
    assert_int_equal(opens_forged(ALL, 16, 0), ERROR_DAMAGED);
    assert_int_equal(opens_forged(ALL, 19, 0x80), ERROR_DAMAGED);
    assert_int_equal(opens_forged(ALL, 20, 0), ERROR_DAMAGED);
    assert_int_equal(opens_forged(ALL, 23, 0x80), ERROR_DAMAGED);
}

static void test_armour(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "-----BEGIN VMCRYPT KEYRING-----",
        "-----BEGIN VMCRYPT KEYRING-----\n-----END VMCRYPT KEYRING-----\n",
        "-----BEGIN VMCRYPT KEYRING-----\nVk1DS1JJTkc*\n-----END VMCRYPT KEYRING-----\n",
        "-----BEGIN VMCRYPT KEYRING-----\nVk1=DS1JJTkc\n-----END VMCRYPT KEYRING-----\n",
        "-----BEGIN VMCRYPT KEYRING-----\nVk1DS1JJTkc=\n-----END VMCRYPT KEYRING",
        "-----BEGIN VMCRYPT KEYRING-----\nVk1DS1JJTkc=\n-----END VMCRYPT KEYRING-----\nmore",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct buffer file = text_of(bad[i]), out;
        assert_true(keyring_is_encrypted(&file));
        assert_int_equal(opens(&file, "x", &out), ERROR_DAMAGED);
        buffer_free(&file);
    }
    struct buffer file = text_of("version: 1\n");
    assert_false(keyring_is_encrypted(&file));
    buffer_free(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_python),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_forged),
        cmocka_unit_test(test_armour),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
