/* Bare keys as text: hex and dumps of it (as xxd, hexdump and od of Debian 12 print them), base64,
 * PEM, key locators; and the same of wrapped keys. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/keywrap/hex_fixture.h"
#include "tests/keywrap/source_fixture.h"

/* TEXT is read as FORM and holds K, LENGTH bytes of it, and nothing else. */
static void check_k(const char *text, size_t length, const char *form)
{
    struct reading r = read_bytes(text, strlen(text), NULL);
    if (r.ring.key_count != 1 || strcmp(r.form->name, form) != 0)
        fail_msg("'%s': %zu keys, %s", text, r.ring.key_count, r.error.message);
    assert_true(is_k(r.ring.keys[0].key, length));
    keyring_free(&r.ring);
}

static void test_hex(void **state)
{
    (void)state;
    check_k(K_HEX, 32, "hex");
    check_k(" \t" K_HEX "\r\n\r\n", 32, "hex");
    check_k("030A11181F262D343B424950575E656C", 16, "hex");
    check_k("0x030a11181f262d343b424950575e656c", 16, "hex");
    check_k("03:0a:11:18:1f:26:2d:34:3b:42:49:50:57:5e:65:6c", 16, "hex");
    check_k("03-0A-11-18-1F-26-2D-34-3B-42-49-50-57-5E-65-6C", 16, "hex");
    check_k("0x03, 0x0a, 0x11, 0x18, 0x1f, 0x26, 0x2d, 0x34,\n"
            "0x3b, 0x42, 0x49, 0x50, 0x57, 0x5e, 0x65, 0x6c,\n",
            16, "hex");
    check_k("030a1118 1f262d34 3b424950 575e656c\r\n737a8188 8f969da4", 24, "hex");
    /* One key in lines of 16 bytes, not two of that size. */
    check_k("030a11181f262d343b424950575e656c\n737a81888f969da4abb2b9c0c7ced5dc\n", 32, "hex");
    /* As Windows PowerShell's ">" writes it: UTF-16 with a byte order mark. */
    char wide[2 + 2 * 64] = "\xff\xfe";
    for (size_t i = 0; i < 64; i++)
        wide[2 + 2 * i] = K_HEX[i];
    struct reading r = read_bytes(wide, sizeof wide, NULL);
    assert_int_equal(r.ring.key_count, 1);
    assert_true(is_k(r.ring.keys[0].key, 32));
    keyring_free(&r.ring);
    check_k("\xef\xbb\xbf" K_HEX, 32, "hex");
}

static void test_dumps(void **state)
{
    (void)state;
    check_k("00000000: 030a 1118 1f26 2d34 3b42 4950 575e 656c  .....&-4;BIPW^el\n"
            "00000010: 737a 8188 8f96 9da4 abb2 b9c0 c7ce d5dc  sz..............\n",
            32, "hex");
    check_k("00000000: 030a 1118 1f26 2d34 3b42 4950 575e 656c  .....&-4;BIPW^el\n"
            "00000010: 737a 8188 8f96 9da4                      sz......\n",
            24, "hex");
    check_k("00000000  03 0a 11 18 1f 26 2d 34  3b 42 49 50 57 5e 65 6c  |.....&-4;BIPW^el|\n"
            "00000010  73 7a 81 88 8f 96 9d a4  ab b2 b9 c0 c7 ce d5 dc  |sz..............|\n"
            "00000020\n",
            32, "hex");
    check_k("000000 03 0a 11 18 1f 26 2d 34 3b 42 49 50 57 5e 65 6c\n"
            "000010 73 7a 81 88 8f 96 9d a4\n"
            "000018\n",
            24, "hex");
    /* Without the characters, 24 bytes and two offsets could pass for 32 bytes. */
    check_k("00000000: 030a 1118 1f26 2d34 3b42 4950 575e 656c\n"
            "00000010: 737a 8188 8f96 9da4\n",
            24, "hex");
    /* hexdump's own default swaps the bytes of each pair. */
    check_refused("0000000 0a03 1811 261f 342d 423b 5049 5e57 6c65\n0000010\n", "");
    /* More than 16 bytes in a line, of which the first 16 are not taken for all. */
    check_refused("00000000: 030a 1118 1f26 2d34 3b42 4950 575e 656c 737a 8188 8f96 9da4 abb2 "
                  "b9c0 c7ce d5dc  .....&-4;BIPW^el\n",
                  "");
    /* A line is missing. */
    check_refused("00000000: 030a 1118 1f26 2d34 3b42 4950 575e 656c  .....&-4;BIPW^el\n"
                  "00000020: 737a 8188 8f96 9da4 abb2 b9c0 c7ce d5dc  sz..............\n",
                  "");
}

static void test_hex_refused(void **state)
{
    (void)state;
    check_refused("030a11181f262d343b424950575e656c737a81888f969da4abb2b9c0c7ced5d", "63 digits");
    check_refused("030a11181f262d343b424950575e656c737a81888f969da4abb2b9c0c7ced5dcff",
                  "66 digits");
    check_refused("030a11181f262d343b424950575e656g737a81888f969da4abb2b9c0c7ced5dc",
                  "no key in hex or base64");
    /* A UUID is the name of a key. */
    check_refused("a4e7494f-da55-4917-9d90-560c5078866b", "");
    check_refused("03:0a:11:18:1f:26:2d:34:3b:42:49:50:57:5e:65:6", "");
    check_refused("", "0 bytes");
    check_refused(" \n", "");
}

static void test_base64(void **state)
{
    (void)state;
    check_k(K_BASE64, 32, "base64");
    check_k(K_URL "\n", 32, "base64");
    check_k("AwoRGB8mLTQ7QklQV15lbHN6\r\ngYiPlp2kq7K5wMfO1dw=\r\n", 32, "base64");
    check_refused("AwoRGB8mLTQ7QklQV15lbHN6gYiPlp2kq7K5wMfO1d", "");
    check_refused(K_BASE64 "AAAA", "");
    check_refused("AwoRGB8mLTQ7QklQV15lbHN6gYiPlp2kq7K5wMfO1d!=", "");
    struct reading standard = read_bytes(L_BASE64, strlen(L_BASE64), NULL);
    struct reading url = read_bytes(L_URL, strlen(L_URL), NULL);
    assert_int_equal(standard.ring.key_count, 1);
    assert_int_equal(url.ring.key_count, 1);
    assert_true(secret_equal(standard.ring.keys[0].key, url.ring.keys[0].key));
    assert_int_equal(url.ring.keys[0].key->data[0], 0xff);
    keyring_free(&standard.ring);
    keyring_free(&url.ring);
}

/* AES-256 keys, one in each line. */
static void test_lists(void **state)
{
    (void)state;
    struct reading r = read_bytes(K_BASE64 "\n" L_BASE64 "\n", 90, NULL);
    assert_int_equal(r.ring.key_count, 2);
    keyring_free(&r.ring);
    const char *hex = K_HEX "\r\n" K_HEX "\r\n"
                            "ff" K_HEX "\n";
    check_refused(hex, "194 digits");
    r = read_bytes(hex, 132, NULL);
    assert_int_equal(r.ring.key_count, 1); /* the same twice */
    keyring_free(&r.ring);
    r = read_bytes(K_BASE64 "\n" L_BASE64 "\n", 90, &(struct source_options){.id = "a"});
    assert_int_equal(r.error.code, ERROR_USAGE);
    keyring_free(&r.ring);
}

static void test_raw(void **state)
{
    (void)state;
    uint8_t bytes[64];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(7 * i + 3);
    for (size_t length = 0; length <= sizeof bytes; length++) {
        struct reading r = read_bytes(bytes, length, NULL);
        bool key = length == 16 || length == 24 || length == 32 || length == 64;
        assert_int_equal(r.ring.key_count, key ? 1 : 0);
        if (key)
            assert_true(is_k(r.ring.keys[0].key, length));
        keyring_free(&r.ring);
    }
    /* Sixty-four characters are a key only for who says so. */
    memset(bytes, '.', sizeof bytes);
    struct reading text = read_bytes(bytes, 64, &(struct source_options){.form = "raw"});
    assert_int_equal(text.ring.key_count, 1);
    keyring_free(&text.ring);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(7 * i + 3);
    /* Raw keys that begin as text and other forms do. */
    static const char *const starts[] = {"{\"", "[{", "\xff\xfe", "\xef\xbb\xbf", "-----BEGIN A"};
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        memcpy(bytes, starts[i], strlen(starts[i]));
        struct reading r = read_bytes(bytes, 32, NULL);
        assert_int_equal(r.ring.key_count, 1);
        assert_string_equal(r.form->name, "raw");
        keyring_free(&r.ring);
    }
}

static void test_pem(void **state)
{
    (void)state;
    check_k("-----BEGIN SECRET KEY-----\n" K_BASE64 "\n-----END SECRET KEY-----\n", 32, "pem");
    check_k("Subject: x\r\n-----BEGIN AES KEY-----\r\nAwoRGB8mLTQ7Qklq\r\n-----END AES KEY-----\r\n"
            "-----BEGIN AES KEY-----\nName: a\nMore: b\n\n" K_BASE64 "\n-----END AES KEY-----\n",
            32, "pem");
    static const char *const others[][2] = {
        {"RSA PRIVATE KEY", "is a private key"},
        {"EC PRIVATE KEY", "is a private key"},
        {"PRIVATE KEY", "is a private key"},
        {"ENCRYPTED PRIVATE KEY", "is a private key"},
        {"PUBLIC KEY", "is public"},
        {"CERTIFICATE", "certificate"},
        {"PGP MESSAGE", "decrypt it first"},
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        char pem[512];
        snprintf(pem, sizeof pem, "-----BEGIN %s-----\n%s\n-----END %s-----\n", others[i][0],
                 K_BASE64, others[i][0]);
        check_refused(pem, others[i][1]);
    }
    check_refused("-----BEGIN SECRET KEY-----\n" K_BASE64 "\n", "cut short");
    check_refused("-----BEGIN SECRET KEY-----\n!\n-----END SECRET KEY-----\n", "not base64");
    check_refused("-----BEGIN SECRET KEY-----\n-----END SECRET KEY-----\n", "not base64");
    check_refused("-----BEGIN KEY-----\nAAAA\n-----END KEY-----\n", "holds 3 bytes");
    check_refused("-----BEGIN KEY-----\nMCUCAQAAAAAA\n-----END KEY-----\n", "DER structure");
    check_refused("-----BEGIN KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END KEY-----\n",
                  "is encrypted");
    check_refused("-----BEGIN ", "");
}

static void test_locator(void **state)
{
    (void)state;
    check_k("type=key:cipher=AES-256:key=" K_ESCAPED, 32, "locator");
    check_k("dataFileKey = \"type=key:cipher=AES-256:key=" K_ESCAPED "\"\n", 32, "locator");
    check_k("VMWARE:KEY/rawkey/type%3dkey%3acipher%3dAES%2d256%3akey%3d" K_URL "%253d", 32,
            "locator");
    check_k("vmware:key/list/(rawkey/type%3dkey%3acipher%3dAES%2d256%3akey%3d" K_URL
            "%253d,fqid/x/KMS/id)",
            32, "locator");
    check_k("vmware:key/rawkey/%03%0a%11%18%1f%26%2d%34%3b%42%49%50%57%5e%65%6c", 16, "locator");
    check_refused_with("vmware:key/fqid/<VMWARE-NULL>/KMS/id", NULL, ERROR_NO_KEY,
                       "no key in the clear");
    check_refused("vmware:key/rawkey/abc", "holds 3 bytes");
    check_refused("vmware:key/nonsense", "key locator");
    check_refused("type=key:cipher=AES-256:key=AAAA", "32 bytes that AES-256 wants");
    check_refused("type=key:cipher=ROT13:key=AAAA", "cipher");
    /* Two in one text, between things that are none. */
    const char *two = "a = \"type=key:cipher=AES-256:key=" K_ESCAPED "\"\n"
                      "b = \"type=key:cipher=AES-128:key=AwoRGB8mLTQ7QklQV15lbA%3d%3d\" type=key:";
    struct reading r = read_bytes(two, strlen(two), NULL);
    assert_int_equal(r.ring.key_count, 2);
    keyring_free(&r.ring);
}

/* A wrapped key is unwrapped in whatever form it comes, and never taken as it is. RFC 3394 4.6. */
static void test_unwrap(void **state)
{
    (void)state;
    static const char wrapped[] =
        "28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21";
    static const char base64[] = "KMn0BMS4EPTLzLNc+4f4Jj9XhuLYDtMmy8fw5xqZ9Dv7mIubegLdIQ==";
    char pem[256], jwk[256];
    snprintf(pem, sizeof pem, "-----BEGIN WRAPPED KEY-----\n%s\n-----END WRAPPED KEY-----\n",
             base64);
    snprintf(jwk, sizeof jwk, "{\"keyId\": \"ocid\", \"encryptedKey\": \"%s\"}", base64);
    struct wrap_key key = {
        .aes = from_hex("000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F")};
    struct source_options options = {.unwrap = &key};
    struct secret *raw = from_hex(wrapped);
    const char *const texts[] = {wrapped, base64, pem, jwk};
    for (size_t i = 0; i <= 4; i++) {
        struct reading r = i == 4 ? read_bytes(raw->data, raw->length, &options)
                                  : read_bytes(texts[i], strlen(texts[i]), &options);
        assert_int_equal(r.ring.key_count, 1);
        check_bytes(r.ring.keys[0].key->data, r.ring.keys[0].key->length,
                    "00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F");
        keyring_free(&r.ring);
    }
    check_refused_with(K_HEX, &options, ERROR_NO_KEY, "does not fit");
    check_refused_with(K_BASE64, &options, ERROR_NO_KEY, "does not fit");
    check_refused_with("{\"kty\":\"oct\",\"k\":\"" K_URL "\"}", &options, ERROR_NO_KEY,
                       "does not fit");
    key.aes->data[0] ^= 1;
    for (size_t i = 0; i < 4; i++)
        check_refused_with(texts[i], &options, ERROR_NO_KEY, "does not fit");
    check_refused_with(jwk, NULL, ERROR_NO_KEY, "is wrapped");
    /* It unwraps, but not to a key: RFC 5649 6, 7 bytes. */
    struct wrap_key other = {.aes = from_hex("5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8")};
    options.unwrap = &other;
    check_refused_with("afbeb0f07dfbf5419200f2ccb50bb24f", &options, ERROR_DAMAGED, "7 bytes");
    secret_free(raw);
    wrap_key_free(&key);
    wrap_key_free(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hex),         cmocka_unit_test(test_dumps),
        cmocka_unit_test(test_hex_refused), cmocka_unit_test(test_base64),
        cmocka_unit_test(test_lists),       cmocka_unit_test(test_raw),
        cmocka_unit_test(test_pem),         cmocka_unit_test(test_locator),
        cmocka_unit_test(test_unwrap),
    };
    return cmocka_run_group_tests(tests, scratch_set_up, scratch_tear_down);
}
