/* attestation: documents signed here and by openssl(1)-made keys; every altered byte is refused.
 * That other JOSE libraries accept them is tests/e2e/tpm_attest.bats. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/evp.h>

#include "base/encode.h"
#include "tpm/attestation.h"

enum { NOW = 1800000000 };

static json_t *claims(int64_t iat, int64_t exp)
{
    return json_pack("{s:s, s:s, s:I, s:I, s:{s:b, s:s, s:{s:s}}}", "iss", "tests", "sub", "esx01",
                     "iat", (json_int_t)iat, "exp", (json_int_t)exp, "vmcrypt", "trusted", 1,
                     "nonce", "c0ffee", "policy", "sha256", "aa");
}

static char *document(EVP_PKEY *key, json_t *c)
{
    struct buffer out = BUFFER_INIT;
    struct error error = ERROR_INIT;
    assert_true(attestation_sign(c, key, &out, &error));
    json_decref(c);
    char *text = strdup(buffer_text(&out));
    buffer_free(&out);
    return text;
}

static bool accepts(const char *text, size_t length, EVP_PKEY *key, struct attestation_need need,
                    const char *why)
{
    struct error error = ERROR_INIT;
    json_t *c = attestation_verify(text, length, key, &need, &error);
    bool ok = c != NULL;
    json_decref(c);
    if (!ok && why != NULL && strstr(error.message, why) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", error.message, why);
    if (!ok)
        assert_true(error.code == ERROR_DAMAGED || error.code == ERROR_FAILED);
    return ok;
}

static EVP_PKEY *make_key(const char *kind)
{
    if (strcmp(kind, "ED25519") == 0)
        return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    if (strcmp(kind, "RSA") == 0)
        return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
    return EVP_PKEY_Q_keygen(NULL, NULL, "EC", kind);
}

static const struct attestation_need plain = {.now = NOW};

static void test_kinds(void **state)
{
    (void)state;
    static const char *const kinds[] = {"P-256", "P-384", "ED25519"};
    for (size_t i = 0; i < 3; i++) {
        EVP_PKEY *key = make_key(kinds[i]), *other = make_key(kinds[i]);
        char *text = document(key, claims(NOW, NOW + 60));
        assert_true(accepts(text, strlen(text), key, plain, NULL));
        assert_false(accepts(text, strlen(text), other, plain, "not signed by the trusted key"));
        free(text);
        EVP_PKEY_free(key);
        EVP_PKEY_free(other);
    }
    EVP_PKEY *rsa = make_key("RSA");
    struct buffer out = BUFFER_INIT;
    struct error error = ERROR_INIT;
    json_t *c = claims(NOW, NOW + 60);
    assert_false(attestation_sign(c, rsa, &out, &error));
    json_decref(c);
    buffer_free(&out);
    EVP_PKEY_free(rsa);
}

/* Any one bit; the bits behind a part's last byte would be no other document, and are refused. */
static void test_altered(void **state)
{
    (void)state;
    EVP_PKEY *key = make_key("P-256");
    char *text = document(key, claims(NOW, NOW + 60));
    size_t length = strlen(text);
    for (size_t i = 0; i < length; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            text[i] = (char)(text[i] ^ 1 << bit);
            /* White space at the end is no part of a document. */
            if (accepts(text, length, key, plain, NULL))
                fail_msg("bit %u of byte %zu of %zu", bit, i, length);
            text[i] = (char)(text[i] ^ 1 << bit);
        }
    for (size_t cut = 0; cut < length; cut++)
        assert_false(accepts(text, cut, key, plain, NULL));
    free(text);
    EVP_PKEY_free(key);
}

static void test_needs(void **state)
{
    (void)state;
    EVP_PKEY *key = make_key("ED25519");
    char *text = document(key, claims(NOW - 100, NOW + 60));
    size_t length = strlen(text);
    assert_true(
        accepts(text, length, key,
                (struct attestation_need){
                    .now = NOW, .nonce = "c0ffee", .policy = "aa", .host = "esx01", .max_age = 100},
                NULL));
    assert_false(accepts(text, length, key, (struct attestation_need){.now = NOW, .nonce = "c0ff"},
                         "another nonce"));
    assert_false(accepts(text, length, key, (struct attestation_need){.now = NOW, .policy = "ab"},
                         "another policy"));
    assert_false(accepts(text, length, key, (struct attestation_need){.now = NOW, .host = "esx02"},
                         "another host"));
    assert_false(accepts(text, length, key, (struct attestation_need){.now = NOW, .max_age = 99},
                         "older than"));
    assert_false(accepts(text, length, key, (struct attestation_need){.now = NOW + 60}, "expired"));
    assert_false(accepts(text, length, key, (struct attestation_need){.now = NOW - 1000},
                         "from the future"));
    free(text);
    json_t *c = claims(NOW, NOW + 60);
    json_object_set_new(json_object_get(c, "vmcrypt"), "trusted", json_false());
    text = document(key, c);
    assert_false(accepts(text, strlen(text), key, plain, "is trusted"));
    free(text);
    c = claims(NOW, NOW + 60);
    json_object_del(c, "exp");
    text = document(key, c);
    assert_false(accepts(text, strlen(text), key, plain, "until when"));
    free(text);
    EVP_PKEY_free(key);
}

static void append_url(struct buffer *out, const void *data, size_t length)
{
    size_t start = out->length;
    assert_true(base64_encode(data, length, out));
    while (out->length > start && out->data[out->length - 1] == '=')
        out->length--;
    for (size_t i = start; i < out->length; i++)
        out->data[i] = out->data[i] == '+' ? '-' : out->data[i] == '/' ? '_' : out->data[i];
}

/* What the trusted key signed, but no signer of ours would write. */
static void test_hostile(void **state)
{
    (void)state;
#define REST "\"sub\":\"esx01\",\"vmcrypt\":{\"trusted\":true}}"
    static const char good[] = "{\"alg\":\"EdDSA\"}",
                      times[] = "{\"iat\":1,\"exp\":1800000060," REST;
    static const struct {
        const char *header, *claims, *why;
    } cases[] = {
        {good, times, NULL},
        {"{\"alg\":\"none\"}", times, "not signed with EdDSA"},
        {"{\"alg\":\"ES256\"}", times, "not signed with EdDSA"},
        {"{\"alg\":\"HS256\"}", times, "not signed with EdDSA"},
        {"{\"alg\":[\"EdDSA\"]}", times, "not signed with EdDSA"},
        {"{}", times, "not signed with EdDSA"},
        {"{\"alg\":\"none\",\"alg\":\"EdDSA\"}", times, "malformed"},
        {"{\"alg\":\"EdDSA\",\"crit\":[\"b64\"],\"b64\":false}", times, "critical"},
        {good, "{\"iat\":1,\"exp\":1,\"exp\":1800000060," REST, "malformed"},
        {good, "{\"iat\":1,\"exp\":1e30," REST, "until when"},
        {good, "{\"iat\":1,\"exp\":\"1800000060\"," REST, "until when"},
        {good, "{\"iat\":1,\"exp\":9223372036854775808," REST, "malformed"},
        {good, "{\"iat\":1,\"exp\":-9223372036854775808," REST, "expired"},
        {good, "{\"iat\":9223372036854775807,\"exp\":9223372036854775807," REST, "future"},
        {good, "{\"iat\":1,\"nbf\":9223372036854775807,\"exp\":1800000060," REST, "future"},
        {good, "{\"iat\":1,\"exp\":1800000060,\"vmcrypt\":{\"trusted\":1}}", "is trusted"},
        {good, "{\"iat\":1,\"exp\":1800000060,\"trusted\":true}", "is trusted"},
        {good, "[]", "malformed"},
    };
#undef REST
    EVP_PKEY *key = make_key("ED25519");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buffer text = BUFFER_INIT;
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        uint8_t signature[64];
        size_t length = sizeof signature;
        append_url(&text, cases[i].header, strlen(cases[i].header));
        buffer_append_byte(&text, '.');
        append_url(&text, cases[i].claims, strlen(cases[i].claims));
        assert_int_equal(EVP_DigestSignInit(context, NULL, NULL, NULL, key), 1);
        assert_int_equal(
            EVP_DigestSign(context, signature, &length, (const uint8_t *)text.data, text.length),
            1);
        buffer_append_byte(&text, '.');
        append_url(&text, signature, length);
        if (accepts(text.data, text.length, key, plain, cases[i].why) != (cases[i].why == NULL))
            fail_msg("%s %s", cases[i].header, cases[i].claims);
        EVP_MD_CTX_free(context);
        buffer_free(&text);
    }
    EVP_PKEY_free(key);
}

/* RFC 8037, appendix A.4: a JWS by another hand, with Ed25519. Its payload is no claims, so that
 * it is refused, but for that and not for its signature. */
static void test_rfc8037(void **state)
{
    (void)state;
    static const uint8_t public[32] = {0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7,
                                       0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a,
                                       0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25,
                                       0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a};
    static const char text[] =
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-"
        "09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public, sizeof public);
    assert_non_null(key);
    assert_false(accepts(text, strlen(text), key, plain, "is malformed"));
    EVP_PKEY_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),   cmocka_unit_test(test_altered),
        cmocka_unit_test(test_needs),   cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_rfc8037),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
