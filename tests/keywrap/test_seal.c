/* Seals, passphrases and crypto dictionaries against vectors that are not ours:
 * made with python3-cryptography 38 (AES-CBC, PKCS#7, HMAC), RFC 6070, RFC 7914, and a pair that
 * Workstation wrote (published with John the Ripper's vmx format, passphrase "openwall"). */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/encode.h"
#include "keywrap/cryptodict.h"
#include "keywrap/phrase.h"
#include "keywrap/seal.h"

static struct secret *from_hex(const char *hex)
{
    struct error error = ERROR_INIT;
    size_t length = strlen(hex) / 2;
    struct secret *s = secret_new(length, &error);
    assert_non_null(s);
    assert_true(hex_decode(hex, strlen(hex), s->data, &length));
    return s;
}

static struct secret *pattern_key(size_t length)
{
    struct error error = ERROR_INIT;
    struct secret *key = secret_new(length, &error);
    assert_non_null(key);
    for (size_t i = 0; i < length; i++)
        key->data[i] = (uint8_t)(7 * i + 3);
    return key;
}

/* IV 00…0f; key bytes (7 i + 3) mod 256. */
static const struct {
    size_t key_bytes;
    enum seal_mac mac;
    const char *plain, *sealed;
} vectors[] = {
    {16, SEAL_HMAC_SHA1, "The quick brown fox",
     "000102030405060708090a0b0c0d0e0fa751969601002125929b5474f94238f7738d74b3d15d274f4e4de1ac083f"
     "0affb00d4cba59d483a3ca01502172773df601a401b7"},
    {24, SEAL_HMAC_SHA256, "sixteen bytes!!!",
     "000102030405060708090a0b0c0d0e0fef3a16a1b08f2c9dc2227a84e2a6728884d2aef1faa4d6a36710be64a3e8"
     "78195ccd8a3129400a3e37f5bf6bd9e1561be81c12f3f27e215a32136f6aa6d895da"},
    {32, SEAL_HMAC_SHA1, "The quick brown fox",
     "000102030405060708090a0b0c0d0e0f5d147f17f13cdbdad0017bcc24db94478f77cdac6cba1c08a87a9b3b5d98"
     "0c1965afe5384d1c3e0fca1f2688cd09a5b16b321272"},
    {32, SEAL_HMAC_SHA1_128, "The quick brown fox",
     "000102030405060708090a0b0c0d0e0f5d147f17f13cdbdad0017bcc24db94478f77cdac6cba1c08a87a9b3b5d98"
     "0c1965afe5384d1c3e0fca1f2688cd09a5b1"},
    {32, SEAL_HMAC_SHA256, "The quick brown fox",
     "000102030405060708090a0b0c0d0e0f5d147f17f13cdbdad0017bcc24db94478f77cdac6cba1c08a87a9b3b5d98"
     "0c19e655b3155b1eae64fb677018ccf51eb8f589ee55a2e28ff1dd0b8697ef82d61a"},
    /* 64 bytes: CBC under the first 32 (same ciphertext as above), HMAC under all of them */
    {64, SEAL_HMAC_SHA1, "The quick brown fox",
     "000102030405060708090a0b0c0d0e0f5d147f17f13cdbdad0017bcc24db94478f77cdac6cba1c08a87a9b3b5d98"
     "0c1904b1fcd4a75ffa4558d1de5c8ff7c8f5394b34ed"},
    {64, SEAL_HMAC_SHA256, "The quick brown fox",
     "000102030405060708090a0b0c0d0e0f5d147f17f13cdbdad0017bcc24db94478f77cdac6cba1c08a87a9b3b5d98"
     "0c19724f962ac678c1024a3198acee521c6b39a42e45623a0c11bdbeb2e4cbf253d8"},
};

static void test_open_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        struct secret *key = pattern_key(vectors[i].key_bytes);
        struct secret *sealed = from_hex(vectors[i].sealed);
        struct buffer plain = BUFFER_INIT;
        struct error error = ERROR_INIT;
        assert_true(seal_open(key, vectors[i].mac, sealed->data, sealed->length, &plain, &error));
        assert_string_equal(buffer_text(&plain), vectors[i].plain);
        buffer_free(&plain);
        secret_free(sealed);
        secret_free(key);
    }
}

/* Every flipped bit, every other length and every other key is refused, and nothing comes out. */
static void test_open_refuses(void **state)
{
    (void)state;
    struct secret *key = pattern_key(32);
    struct secret *sealed = from_hex(vectors[4].sealed);
    struct buffer plain = BUFFER_INIT;
    for (size_t bit = 0; bit < sealed->length * 8; bit++) {
        struct error error = ERROR_INIT;
        sealed->data[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_false(
            seal_open(key, SEAL_HMAC_SHA256, sealed->data, sealed->length, &plain, &error));
        assert_int_equal(error.code, ERROR_NO_KEY);
        assert_string_equal(error.message, "the key does not fit (HMAC-SHA-256 does not hold)");
        sealed->data[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    for (size_t length = 0; length < sealed->length; length++) {
        struct error error = ERROR_INIT;
        assert_false(seal_open(key, SEAL_HMAC_SHA256, sealed->data, length, &plain, &error));
        assert_int_equal(error.code,
                         (length - 32) % 16 == 0 && length >= 64 ? ERROR_NO_KEY : ERROR_DAMAGED);
    }
    key->data[31] ^= 1;
    struct error error = ERROR_INIT;
    assert_false(seal_open(key, SEAL_HMAC_SHA256, sealed->data, sealed->length, &plain, &error));
    assert_int_equal(plain.length, 0);
    secret_free(sealed);
    secret_free(key);
}

static void test_make(void **state)
{
    (void)state;
    char text[100];
    memset(text, 'x', sizeof text);
    for (size_t length = 0; length < sizeof text; length++) {
        for (int mac = SEAL_HMAC_SHA1; mac <= SEAL_HMAC_SHA256; mac++) {
            struct secret *key = pattern_key(length % 2 == 0 ? 32 : 64);
            struct buffer sealed = BUFFER_INIT, again = BUFFER_INIT, plain = BUFFER_INIT;
            struct error error = ERROR_INIT;
            assert_true(seal_make(key, mac, text, length, &sealed, &error));
            assert_true(seal_make(key, mac, text, length, &again, &error));
            assert_int_equal(sealed.length,
                             16 + (length / 16 + 1) * 16 + seal_mac_bytes((enum seal_mac)mac));
            assert_memory_not_equal(sealed.data, again.data, 16); /* a fresh IV each time */
            assert_true(seal_open(key, mac, (uint8_t *)sealed.data, sealed.length, &plain, &error));
            assert_int_equal(plain.length, length);
            assert_memory_equal(buffer_text(&plain), text, length);
            buffer_free(&sealed);
            buffer_free(&again);
            buffer_free(&plain);
            secret_free(key);
        }
    }
}

static struct secret *derive(const char *keygen, const char *passphrase)
{
    struct error error = ERROR_INIT;
    struct phrase_params params;
    if (!phrase_params_parse(keygen, strlen(keygen), &params, &error))
        fail_msg("%s: %s", keygen, error.message);
    struct buffer out = BUFFER_INIT;
    assert_true(phrase_params_write(&params, &out));
    assert_string_equal(buffer_text(&out), keygen);
    buffer_free(&out);
    struct secret *phrase = secret_copy(passphrase, strlen(passphrase), &error);
    struct secret *key = phrase_derive(&params, phrase, &error);
    secret_free(phrase);
    assert_non_null(key);
    return key;
}

static void test_phrase_vectors(void **state)
{
    (void)state;
    /* RFC 6070, last but one: 25 bytes are published, AES-192 takes 24. */
    struct secret *expected = from_hex("3d2eec4fe41c849b80c8d83662c0e44a8b291a964cf2f070");
    struct secret *key = derive("pass2key=PBKDF2-HMAC-SHA-1:cipher=AES-192:rounds=4096:salt="
                                "c2FsdFNBTFRzYWx0U0FMVHNhbHRTQUxUc2FsdFNBTFRzYWx0",
                                "passwordPASSWORDpassword");
    assert_true(secret_equal(key, expected));
    secret_free(key);
    secret_free(expected);
    /* RFC 7914 section 11: 64 bytes of PBKDF2-HMAC-SHA-256 for "passwd", "salt", one round. */
    expected = from_hex("55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
                        "49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783");
    key = derive("pass2key=PBKDF2-HMAC-SHA-256:cipher=XTS-AES-256:rounds=1:salt=c2FsdA%3d%3d",
                 "passwd");
    assert_true(secret_equal(key, expected));
    secret_free(key);
    secret_free(expected);
}

/* John the Ripper's published line for a Workstation file: salt, locked data, "openwall". */
static void test_real_pair(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct secret *locked = from_hex(
        "81dc8986e299d55dee724198a572619b87de0b96501dd2285fbe928c831446fb92c056e02e6ca0119213e9cf"
        "094222c0e4d0df6f014615c915412cb0c892d4528070ead0d2443d0c457a7db445fd17b060899033a5c69d43"
        "315abd3d262ad3570379c12c97fc2490d7a42b04f99a24386f27aa56");
    /* base64 of 514fb565d74db333352661023874f07d */
    static const char keygen[] = "pass2key=PBKDF2-HMAC-SHA-1:cipher=AES-256:rounds=10000:salt="
                                 "UU+1ZddNszM1JmECOHTwfQ%3d%3d";
    struct secret *key = derive(keygen, "openwall");
    struct buffer plain = BUFFER_INIT;
    assert_true(seal_open(key, SEAL_HMAC_SHA1, locked->data, locked->length, &plain, &error));
    struct crypto_key config;
    assert_true(crypto_key_parse(buffer_text(&plain), plain.length, &config, &error));
    assert_string_equal(config.cipher, "AES-256");
    assert_int_equal(config.key->length, 32);
    struct buffer again = BUFFER_INIT;
    assert_true(crypto_key_write(&config, &again));
    assert_string_equal(buffer_text(&again), buffer_text(&plain));
    crypto_key_free(&config);
    buffer_free(&plain);
    buffer_free(&again);
    secret_free(key);
    key = derive(keygen, "openwalL");
    assert_false(seal_open(key, SEAL_HMAC_SHA1, locked->data, locked->length, &plain, &error));
    assert_int_equal(error.code, ERROR_NO_KEY);
    secret_free(key);
    secret_free(locked);
}

static void test_phrase_refuses(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "pass2key=PBKDF2-HMAC-SHA-1:cipher=AES-256:rounds=10000",
        "pass2key=PBKDF2-HMAC-MD5:cipher=AES-256:rounds=10000:salt=AAAA",
        "pass2key=PBKDF2-HMAC-SHA-1:cipher=DES:rounds=10000:salt=AAAA",
        "pass2key=PBKDF2-HMAC-SHA-1:cipher=AES-256:rounds=0:salt=AAAA",
        "pass2key=PBKDF2-HMAC-SHA-1:cipher=AES-256:rounds=-1:salt=AAAA",
        "pass2key=PBKDF2-HMAC-SHA-1:cipher=AES-256:rounds=10000001:salt=AAAA",
        "pass2key=PBKDF2-HMAC-SHA-1:cipher=AES-256:rounds=99999999999999999999:salt=AAAA",
        "pass2key=PBKDF2-HMAC-SHA-1:cipher=AES-256:rounds=10:salt=!!",
        "pass2key=PBKDF2-HMAC-SHA-1:cipher=AES-256:rounds=10:salt=AAA%3",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct error error = ERROR_INIT;
        struct phrase_params params;
        assert_false(phrase_params_parse(bad[i], strlen(bad[i]), &params, &error));
        assert_int_equal(error.code, ERROR_DAMAGED);
    }
}

static void test_crypto_key(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct crypto_key key;
    static const char good[] = "type=key:cipher=AES-128:key=AAECAwQFBgcICQoLDA0ODw%3d%3d";
    assert_true(crypto_key_parse(good, strlen(good), &key, &error));
    assert_int_equal(key.key->data[15], 15);
    crypto_key_free(&key);
    static const char *const bad[] = {
        "type=key:cipher=AES-256:key=AAECAwQFBgcICQoLDA0ODw%3d%3d", /* 16 bytes for AES-256 */
        "type=lock:cipher=AES-128:key=AAECAwQFBgcICQoLDA0ODw%3d%3d",
        "type=key:cipher=ROT13:key=AAECAwQFBgcICQoLDA0ODw%3d%3d",
        "type=key:cipher=AES-128",
        "type=key:cipher=AES-128:key=",
        "type=key:cipher=AES-128:key=%",
        "type=key",
        "",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(crypto_key_parse(bad[i], strlen(bad[i]), &key, &error));
        assert_null(key.key);
    }
    assert_true(crypto_key_generate("XTS-AES-256", &key, &error));
    assert_int_equal(key.key->length, 64);
    struct crypto_key other;
    assert_true(crypto_key_generate("XTS-AES-256", &other, &error));
    assert_false(secret_equal(key.key, other.key));
    crypto_key_free(&key);
    crypto_key_free(&other);
    assert_false(crypto_key_generate("AES-512", &key, &error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open_vectors), cmocka_unit_test(test_open_refuses),
        cmocka_unit_test(test_make),         cmocka_unit_test(test_phrase_vectors),
        cmocka_unit_test(test_real_pair),    cmocka_unit_test(test_phrase_refuses),
        cmocka_unit_test(test_crypto_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
