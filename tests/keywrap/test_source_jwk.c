/* Keys in JSON: JWK (RFC 7517 appendix A.3, and as the jose tool writes it), JWK Sets, and the
 * answers of the vSphere API, HashiCorp Vault, OCI Vault and CipherTrust as their documents show
 * them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/keywrap/hex_fixture.h"
#include "tests/keywrap/source_fixture.h"

#define JWK_K "{\"kty\":\"oct\",\"k\":\"" K_URL "\",\"kid\":\"a\"}"
#define JWK_L "{\"kty\":\"oct\",\"k\":\"" L_URL "\",\"kid\":\"b\"}"

static struct reading read_text(const char *text, const char *id)
{
    struct source_options options = {.id = id};
    return read_bytes(text, strlen(text), &options);
}

static void check_named(const char *text, const char *wanted, const char *provider, const char *id)
{
    struct reading r = read_text(text, wanted);
    if (r.ring.key_count != 1)
        fail_msg("'%s': %zu keys, %s", text, r.ring.key_count, r.error.message);
    const struct keyring_key *key = &r.ring.keys[0];
    assert_true(is_k(key->key, 32));
    assert_int_equal(key->provider == NULL, provider == NULL);
    assert_int_equal(key->id == NULL, id == NULL);
    if (provider != NULL)
        assert_string_equal(key->provider, provider);
    if (id != NULL)
        assert_string_equal(key->id, id);
    keyring_free(&r.ring);
}

static void test_jwk(void **state)
{
    (void)state;
    check_named(JWK_K, NULL, NULL, "a");
    check_named("\n{\"kty\": \"oct\", \"alg\": \"A256GCM\",\n \"k\": \"" K_URL "\"}\n", NULL, NULL,
                NULL);
    /* The only key is the one that the user says it is. */
    check_named(JWK_K, "mine", NULL, "mine");
    /* RFC 7517 A.3, the first key. */
    const char *rfc = "{\"keys\": [{\"kty\":\"oct\", \"alg\":\"A128KW\", "
                      "\"k\":\"GawgguFyGrWKav7AX4VKUg\"}]}";
    struct reading r = read_text(rfc, NULL);
    assert_int_equal(r.ring.key_count, 1);
    check_bytes(r.ring.keys[0].key->data, r.ring.keys[0].key->length,
                "19ac2082e1721ab58a6afec05f854a52");
    assert_string_equal(r.form->name, "jwk");
    keyring_free(&r.ring);
}

static void test_sets(void **state)
{
    (void)state;
    const char *set =
        "{\"keys\":[" JWK_L "," JWK_K ",{\"kty\":\"RSA\",\"n\":\"AQ\",\"e\":\"AQ\"}]}";
    struct reading r = read_text(set, NULL);
    assert_int_equal(r.ring.key_count, 2);
    keyring_free(&r.ring);
    check_named(set, "a", NULL, "a");
    r = read_text(set, "c");
    assert_int_equal(r.ring.key_count, 0);
    assert_int_equal(r.error.code, ERROR_USAGE);
    keyring_free(&r.ring);
    r = read_text("[" JWK_K ",{\"kty\":\"oct\",\"k\":\"" L_URL "\"}]", "a");
    assert_int_equal(r.ring.key_count, 1);
    keyring_free(&r.ring);
}

static void test_jwk_refused(void **state)
{
    (void)state;
    check_refused("{\"kty\":\"oct\",\"k\":\"" K_URL "\"", "cut short at line 1");
    check_refused("{\"kty\":\"oct\",\"k\":\"" K_URL "\",\"k\":\"" K_URL "\"}", "damaged");
    check_refused("{\"kty\":\"oct\",\"k\":\"AwoRGB8\"}", "5 bytes");
    check_refused("{\"kty\":\"oct\",\"k\":\"!\"}", "not base64url");
    check_refused("{\"kty\":\"oct\"}", "missing");
    check_refused("{\"kty\":\"oct\",\"k\":7}", "missing");
    check_refused("{\"kty\":\"EC\",\"crv\":\"P-256\",\"d\":\"" K_URL "\"}", "type 'EC'");
    check_refused("{\"keys\":[]}", "no key in any form");
    check_refused("{\"a\":[[[[[[[[[[" JWK_K "]]]]]]]]]]}", "no key in any form");
    char deep[8192];
    memset(deep, '[', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    check_refused(deep, "damaged");
}

static void test_products(void **state)
{
    (void)state;
    /* vSphere API, JSON; then as PowerCLI's ConvertTo-Json names things. */
    check_named(
        "{\"_typeName\":\"CryptoKeyPlain\",\"keyId\":{\"_typeName\":\"CryptoKeyId\","
        "\"keyId\":\"a4e7\",\"providerId\":{\"_typeName\":\"KeyProviderId\",\"id\":\"KMS\"}},"
        "\"algorithm\":\"AES-256\",\"keyData\":\"" K_BASE64 "\"}",
        NULL, "KMS", "a4e7");
    check_named(
        "[{\"KeyId\":{\"KeyId\":\"a4e7\",\"ProviderId\":{\"Id\":\"KMS\"}},\"KeyData\":\"" K_BASE64
        "\"}]",
        NULL, "KMS", "a4e7");
    check_named("{\"keyId\":{\"keyId\":\"a4e7\"},\"keyData\":\"" K_HEX "\"}", NULL, NULL, "a4e7");
    /* Vault: transit/export. Its names are not the ids of VMs. */
    check_named("{\"request_id\":\"x\",\"data\":{\"keys\":{\"1\":\"" K_BASE64
                "\"},\"name\":\"foo\",\"type\":\"aes256-gcm96\"}}",
                NULL, NULL, NULL);
    struct reading r = read_text("{\"data\":{\"name\":\"foo\",\"keys\":{\"1\":\"" K_BASE64
                                 "\",\"2\":\"" L_BASE64 "\"}}}",
                                 NULL);
    assert_int_equal(r.ring.key_count, 2);
    assert_string_equal(r.ring.keys[0].origin, "source (foo, version 1)");
    keyring_free(&r.ring);
    r = read_text("{\"data\":{\"name\":\"foo\",\"keys\":{\"1\":\"" K_BASE64 "\",\"2\":\"" L_BASE64
                  "\"}}}",
                  "x");
    assert_int_equal(r.ring.key_count, 0);
    assert_int_equal(r.error.code, ERROR_USAGE);
    keyring_free(&r.ring);
    /* CipherTrust: vault/keys2/…/export. */
    check_named("{\"id\":\"7\",\"name\":\"k\",\"format\":\"raw\",\"material\":\"" K_HEX "\"}", "x",
                NULL, "x");
    /* OCI, by its command line's spelling, without the key that unwraps it. */
    check_refused_with(
        "{\"data\":{\"algorithm\":\"RSA_OAEP_AES_SHA256\",\"encrypted-key\":\"AAAA\","
        "\"key-id\":\"ocid1\"}}",
        NULL, ERROR_NO_KEY, "is wrapped");
}

/* Every cut and every flipped bit: a key, or an error of one line. */
static void test_mangled(void **state)
{
    (void)state;
    char text[] = "{\"keys\":[" JWK_K "," JWK_L "]}";
    for (size_t length = 0; length < sizeof text - 1; length++) {
        struct reading r = read_bytes(text, length, NULL);
        assert_int_equal(r.ring.key_count, 0);
        keyring_free(&r.ring);
    }
    for (size_t bit = 0; bit < 8 * (sizeof text - 1); bit++) {
        text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
        struct reading r = read_bytes(text, sizeof text - 1, NULL);
        assert_true(r.ring.key_count <= 2);
        keyring_free(&r.ring);
        text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
    }
}

/* Many keys, and JSON that is too large. */
static void test_bounds(void **state)
{
    (void)state;
    struct buffer many = BUFFER_INIT;
    buffer_append_text(&many, "[");
    for (int i = 0; i < 10001; i++)
        buffer_printf(&many, "%s{\"kty\":\"oct\"}", i == 0 ? "" : ",");
    buffer_append_text(&many, "]");
    struct reading r = read_bytes(many.data, many.length, NULL);
    assert_int_equal(r.error.code, ERROR_DAMAGED);
    assert_non_null(strstr(r.error.message, "more than 10000 keys"));
    while (!many.failed && many.length <= 8 << 20)
        buffer_append_text(&many, "                                                        ");
    many.data[many.length - 1] = ']';
    r = read_bytes(many.data, many.length, NULL);
    assert_int_equal(r.error.code, ERROR_DAMAGED);
    assert_non_null(strstr(r.error.message, "MiB"));
    buffer_free(&many);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jwk),         cmocka_unit_test(test_sets),
        cmocka_unit_test(test_jwk_refused), cmocka_unit_test(test_products),
        cmocka_unit_test(test_mangled),     cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, scratch_set_up, scratch_tear_down);
}
