/*
 * Lines for password crackers, against the crackers' own published test vectors: hashcat's
 * self-test of mode 27400 and John the Ripper's vmx tests. The latter are whole locked pairs that
 * real Workstation files held, so they also prove that such a pair opens.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/encode.h"
#include "keywrap/cryptodict.h"
#include "keywrap/keyring.h"
#include "keywrap/keysafe.h"
#include "vmx/hash.h"

struct vector {
    const char *salt, *locked, *password;
};

static const struct vector john[] = {
    {"514fb565d74db333352661023874f07d",
     "81dc8986e299d55dee724198a572619b87de0b96501dd2285fbe928c831446fb92c056e02e6ca0119213e9cf09"
     "4222c0e4d0df6f014615c915412cb0c892d4528070ead0d2443d0c457a7db445fd17b060899033a5c69d43315a"
     "bd3d262ad3570379c12c97fc2490d7a42b04f99a24386f27aa56",
     "openwall"},
    {"55dd70aeff5eb4d52c6fe0d7d970a70d",
     "482f450a75486f618252fda6cb6d0263b2aa05823e318288f5508de2223515fb5390a498632cb144565f40aa6e"
     "1ec7d2ca21ef799c16f03d94fd5ee8e61ff5910f98e9081cc235a4f8a42a1fc599c573e06cac5c941ab051e36e"
     "3c2328faa26df9f1c9f7d0421d87bc3c6c972e4fdfe4a42146a7",
     "\xc3\xa5"
     "bc"},
};

static const struct vector hashcat = {
    "264bbab02fdf7c1a793651120bec3723",
    "cbb368564d8dfb99f509d4922f4693413f3816af713f0e76bc2409ff9336935d", "hashcat"};

static void append_base64_of_hex(const char *hex, struct buffer *out)
{
    uint8_t bytes[512];
    size_t length = sizeof bytes;
    struct buffer text = BUFFER_INIT;
    assert_true(hex_decode(hex, strlen(hex), bytes, &length));
    assert_true(base64_encode(bytes, length, &text));
    assert_true(buffer_append(out, text.data, text.length));
    buffer_free(&text);
}

/* "list/(pair/(phrase/…))" as a file would spell it. */
static struct locator *safe_with(const char *pass2key, const char *cipher, const char *mac,
                                 const char *salt, const char *locked)
{
    struct buffer keygen = BUFFER_INIT, data = BUFFER_INIT, text = BUFFER_INIT;
    buffer_printf(&keygen, "pass2key=%s:cipher=%s:rounds=10000:salt=", pass2key, cipher);
    struct buffer salt64 = BUFFER_INIT;
    append_base64_of_hex(salt, &salt64);
    for (size_t i = 0; i < salt64.length; i++)
        buffer_append_text(&keygen, salt64.data[i] == '=' ? "%3d" : (char[2]){salt64.data[i]});
    append_base64_of_hex(locked, &data);
    buffer_append_text(&text, "vmware:key/list/(pair/(phrase/AAAA/");
    percent_encode(keygen.data, keygen.length, &text);
    buffer_append_byte(&text, ',');
    percent_encode(mac, strlen(mac), &text);
    buffer_append_byte(&text, ',');
    percent_encode(data.data, data.length, &text);
    buffer_append_text(&text, "))");
    struct error error = ERROR_INIT;
    struct locator *safe = locator_parse(text.data, text.length, &error);
    if (safe == NULL)
        fail_msg("%s", error.message);
    buffer_free(&keygen);
    buffer_free(&salt64);
    buffer_free(&data);
    buffer_free(&text);
    return safe;
}

static void lines_of(struct locator *safe, enum vmx_hash_format format, struct buffer *lines,
                     struct buffer *refused)
{
    struct error error = ERROR_INIT;
    *lines = *refused = BUFFER_INIT;
    assert_true(vmx_hash_lines(safe, format, lines, refused, &error));
    locator_free(safe);
}

static void assert_line(struct locator *safe, enum vmx_hash_format format, const char *expected)
{
    struct buffer lines, refused;
    lines_of(safe, format, &lines, &refused);
    assert_string_equal(buffer_text(&refused), "");
    assert_string_equal(buffer_text(&lines), expected);
    buffer_free(&lines);
    buffer_free(&refused);
}

static void assert_refused(struct locator *safe, enum vmx_hash_format format, const char *reason)
{
    struct buffer lines, refused;
    lines_of(safe, format, &lines, &refused);
    assert_string_equal(buffer_text(&lines), "");
    if (strstr(buffer_text(&refused), reason) == NULL)
        fail_msg("'%s' does not say '%s'", buffer_text(&refused), reason);
    buffer_free(&lines);
    buffer_free(&refused);
}

static void john_vectors_open_and_come_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof john / sizeof john[0]; i++) {
        struct error error = ERROR_INIT;
        struct keyring ring = KEYRING_INIT;
        struct keysafe_result result;
        struct crypto_key key;
        struct secret *password = secret_copy(john[i].password, strlen(john[i].password), &error);
        assert_true(keyring_add_phrase(&ring, "John", password, &error));
        struct locator *safe =
            safe_with("PBKDF2-HMAC-SHA-1", "AES-256", "HMAC-SHA-1", john[i].salt, john[i].locked);
        if (!keysafe_open(safe, &ring, &result, &error))
            fail_msg("%s", error.message);
        assert_true(crypto_key_parse(result.plain.data, result.plain.length, &key, &error));
        assert_string_equal(key.cipher, "AES-256");
        crypto_key_free(&key);
        keysafe_result_free(&result);
        keyring_free(&ring);
        struct buffer line = BUFFER_INIT;
        buffer_printf(&line, "$vmx$1$0$0$10000$%s$%s\n", john[i].salt, john[i].locked);
        assert_line(safe, VMX_HASH_JOHN, line.data);
        line.length = 0;
        buffer_printf(&line, "$vmx$0$10000$%s$%.64s\n", john[i].salt, john[i].locked);
        safe =
            safe_with("PBKDF2-HMAC-SHA-1", "AES-256", "HMAC-SHA-1", john[i].salt, john[i].locked);
        assert_line(safe, VMX_HASH_HASHCAT, line.data);
        buffer_free(&line);
    }
}

/* hashcat's own line, with 32 bytes of anything behind its first block. */
static void hashcat_vector_comes_back(void **state)
{
    (void)state;
    static const char *const ciphers[] = {"AES-256", "XTS-AES-256"};
    for (size_t i = 0; i < 2; i++) {
        struct buffer locked = BUFFER_INIT;
        buffer_printf(&locked, "%s%064d", hashcat.locked, 0);
        assert_line(
            safe_with("PBKDF2-HMAC-SHA-1", ciphers[i], "HMAC-SHA-1", hashcat.salt, locked.data),
            VMX_HASH_HASHCAT,
            "$vmx$0$10000$264bbab02fdf7c1a793651120bec3723$"
            "cbb368564d8dfb99f509d4922f4693413f3816af713f0e76bc2409ff9336935d\n");
        buffer_free(&locked);
    }
}

static struct locator *variant(const char *pass2key, const char *cipher, const char *mac)
{
    return safe_with(pass2key, cipher, mac, john[0].salt, john[0].locked);
}

static void what_crackers_cannot_do_is_refused(void **state)
{
    (void)state;
    assert_refused(variant("PBKDF2-HMAC-SHA-256", "AES-256", "HMAC-SHA-1"), VMX_HASH_HASHCAT,
                   "pair 1: the crackers know PBKDF2-HMAC-SHA-1 only");
    assert_refused(variant("PBKDF2-HMAC-SHA-256", "AES-256", "HMAC-SHA-1"), VMX_HASH_JOHN,
                   "PBKDF2-HMAC-SHA-1 only");
    assert_refused(variant("PBKDF2-HMAC-SHA-1", "AES-128", "HMAC-SHA-1"), VMX_HASH_HASHCAT,
                   "AES-128");
    assert_refused(variant("PBKDF2-HMAC-SHA-1", "XTS-AES-256", "HMAC-SHA-1"), VMX_HASH_JOHN,
                   "not XTS-AES-256");
    assert_refused(variant("PBKDF2-HMAC-SHA-1", "AES-256", "HMAC-SHA-256"), VMX_HASH_JOHN,
                   "with HMAC-SHA-256");
    assert_refused(safe_with("PBKDF2-HMAC-SHA-1", "AES-256", "HMAC-SHA-1", "0011", john[0].locked),
                   VMX_HASH_HASHCAT, "16 bytes of salt, not 2");
    assert_refused(safe_with("PBKDF2-HMAC-SHA-1", "AES-256", "HMAC-SHA-1", john[0].salt, "001122"),
                   VMX_HASH_HASHCAT, "3 locked bytes");
    assert_refused(
        safe_with("PBKDF2-HMAC-SHA-1", "AES-256", "HMAC-SHA-1", john[0].salt, hashcat.locked),
        VMX_HASH_JOHN, "116 locked bytes, not 32");
}

static void pairs_of_providers_are_told_apart(void **state)
{
    (void)state;
    static const char text[] =
        "vmware:key/list/(pair/(fqid/<VMWARE-NULL>/KMS/1,HMAC-SHA-256,AAAA),"
        "pair/(phrase/AAAA/pass2key%3dPBKDF2%2dHMAC%2dSHA%2d1%3acipher%3dAES%2d256%3arounds%3d7"
        "%3asalt%3dAAECAwQFBgcICQoLDA0ODw%253d%253d,HMAC%2dSHA%2d1,"
        "AAECAwQFBgcICQoLDA0OD%2fDx8vP09fb3%2bPn6%2b%2fz9%2fv8A))";
    struct error error = ERROR_INIT;
    struct buffer lines, refused;
    struct locator *safe = locator_parse(text, sizeof text - 1, &error);
    if (safe == NULL)
        fail_msg("%s", error.message);
    lines_of(safe, VMX_HASH_HASHCAT, &lines, &refused);
    assert_string_equal(buffer_text(&lines),
                        "$vmx$0$7$000102030405060708090a0b0c0d0e0f$"
                        "000102030405060708090a0b0c0d0e0ff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff\n");
    assert_string_equal(buffer_text(&refused),
                        "pair 1: is locked by a 'fqid' locator, not by a passphrase\n");
    buffer_free(&lines);
    buffer_free(&refused);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(john_vectors_open_and_come_back),
        cmocka_unit_test(hashcat_vector_comes_back),
        cmocka_unit_test(what_crackers_cannot_do_is_refused),
        cmocka_unit_test(pairs_of_providers_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
