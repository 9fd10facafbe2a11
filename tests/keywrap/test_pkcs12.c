/* The PKCS#12 walker against files that OpenSSL's own PKCS12_*, Java and Python write. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <openssl/evp.h>
#include <openssl/pkcs12.h>
#include <openssl/provider.h>
#include <openssl/x509.h>

#include "base/encode.h"
#include "keywrap/source.h"
#include "tests/keywrap/pkcs12_fixture.h"

static const char uuid_text[] = "21ec4161-2ecc-4c53-86a3-a5f24b43d97d";
static const uint8_t uuid_bytes[16] = {0x21, 0xec, 0x41, 0x61, 0x2e, 0xcc, 0x4c, 0x53,
                                       0x86, 0xa3, 0xa5, 0xf2, 0x4b, 0x43, 0xd9, 0x7d};
static const char *password_for(const char *pass)
{
    return pass == NULL || pass[0] == '\0' ? NULL : pass;
}

/* All combinations of protection that OpenSSL writes, with what is told of each. */
static void test_forms(void **state)
{
    (void)state;
    static const struct {
        int pbe;
        const char *name;
        bool weak, legacy;
    } pbes[] = {
        {-1, "", false, false},
        {NID_aes_256_cbc, "PBES2: PBKDF2 with hmacWithSHA256, aes-256-cbc", false, false},
        {NID_des_ede3_cbc, "PBES2: PBKDF2 with hmacWithSHA256, des-ede3-cbc", true, false},
        {NID_pbe_WithSHA1And3_Key_TripleDES_CBC, "pbeWithSHA1And3-KeyTripleDES-CBC", true, false},
        {NID_pbe_WithSHA1And40BitRC2_CBC, "pbeWithSHA1And40BitRC2-CBC", true, true},
        {NID_pbe_WithSHA1And128BitRC4, "pbeWithSHA1And128BitRC4", true, true},
    };
    static const EVP_MD *(*const macs[])(void) = {NULL, EVP_sha1, EVP_sha256, EVP_sha512};
    static const char *const passes[] = {NULL, "", "correct horse", "pässwörd €"};
    /* For OpenSSL's writer; the walker has its own. */
    bool has_legacy = OSSL_PROVIDER_load(NULL, "legacy") != NULL;
    assert_non_null(OSSL_PROVIDER_load(NULL, "default"));
    for (size_t p = 0; p < 6; p++)
        for (size_t m = 0; m < 4; m++)
            for (size_t w = 0; w < 4; w++) {
                const struct form form = {pbes[p].pbe, macs[m], passes[w], 50};
                if (pbes[p].legacy && !has_legacy)
                    continue;
                struct buffer file = make_file(secret_bags(kdk, 32), &form);
                struct pkcs12 *p12 = read_file(&file, password_for(passes[w]));
                struct error error = ERROR_INIT;
                assert_holds_kdk(p12);
                assert_true(pkcs12_usable(p12, &error));
                assert_int_equal(p12->has_mac, m > 0);
                assert_int_equal(p12->mac_holds, m > 0);
                assert_int_equal(p12->mac.weak, m == 1);
                assert_string_equal(p12->safes[0].scheme.name, pbes[p].name);
                assert_int_equal(p12->safes[0].scheme.weak, pbes[p].weak);
                assert_int_equal(p12->safes[0].scheme.rounds, pbes[p].pbe == -1 ? 0 : 50);
                if (m > 0)
                    assert_int_equal(p12->mac.rounds, 50);
                if (w >= 2 && (m > 0 || pbes[p].pbe != -1))
                    assert_int_equal(p12->password, PKCS12_GIVEN);
                if (w < 2 && m > 0)
                    assert_int_equal(p12->password, w == 0 ? PKCS12_ABSENT : PKCS12_EMPTY);
                if (m == 0 && pbes[p].pbe == -1)
                    assert_int_equal(p12->password, PKCS12_NO_PASSWORD);
                assert_true(p12->bags[0].is_known);
                assert_string_equal(p12->bags[0].type, "secretBag");
                pkcs12_free(p12);
                buffer_free(&file);
            }
}

static void test_wrong_passphrase(void **state)
{
    (void)state;
    struct buffer file = make_file(secret_bags(kdk, 32), &usual);
    static const char *const wrong[] = {NULL, "Correct horse"};
    for (size_t i = 0; i < 2; i++) {
        struct error error = ERROR_INIT;
        struct pkcs12 *p12 = read_file(&file, wrong[i]);
        assert_non_null(p12);
        assert_int_equal(p12->key_count, 0);
        assert_int_equal(p12->password, PKCS12_PASSWORD_WRONG);
        assert_false(pkcs12_usable(p12, &error));
        assert_int_equal(error.code, ERROR_NO_KEY);
        assert_non_null(strstr(error.message, "--passphrase-file"));
        pkcs12_free(p12);
    }
    buffer_free(&file);
}

/* What keys may look like. */
static void test_finds(void **state)
{
    (void)state;
    struct buffer base64 = BUFFER_INIT, hex = BUFFER_INIT, json = BUFFER_INIT, deep = BUFFER_INIT;
    base64_encode(kdk, 32, &base64);
    hex_encode(kdk, 32, &hex);
    buffer_printf(&json,
                  "{\"provider\": \"My \\\"NKP\\\"\", \"export_time\": \"2026-01-02\", "
                  "\"native_spec\": {\"key_id\": \"%s\", \"key_derivation_key\": \"%s\"}}",
                  "21EC4161-2ECC-4C53-86A3-A5F24B43D97D", buffer_text(&base64));
    base64_encode(json.data, json.length, &deep);
    struct buffer octets = BUFFER_INIT;
    buffer_append(&octets, "\x30\x24\x02\x00\x04\x20", 6);
    octets.data[1] = 0x24;
    buffer_append(&octets, kdk, 32);
    const struct {
        const struct buffer *value;
        const char *where;
        bool named;
    } cases[] = {
        {&base64, "32 bytes, base64 text in a secret bag", false},
        {&hex, "32 bytes, hex text in a secret bag", false},
        {&octets, "32 bytes in a secret bag", false},
        {&json, "32 bytes, a field 'key_derivation_key' of JSON in a secret bag", true},
        {&deep, "32 bytes, a field 'key_derivation_key' of JSON in a secret bag", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buffer file =
            make_file(secret_bags(cases[i].value->data, cases[i].value->length), &usual);
        struct pkcs12 *p12 = read_file(&file, usual.pass);
        assert_holds_kdk(p12);
        assert_string_equal(p12->keys[0].where, cases[i].where);
        assert_string_equal(p12->uuid.text, cases[i].named ? uuid_text : "");
        assert_string_equal(p12->provider.text, cases[i].named ? "My \"NKP\"" : "");
        assert_string_equal(p12->exported.text, cases[i].named ? "2026-01-02" : "");
        pkcs12_free(p12);
        buffer_free(&file);
    }
    buffer_free(&base64);
    buffer_free(&hex);
    buffer_free(&json);
    buffer_free(&deep);
    buffer_free(&octets);
}

static const char *attribute_of(const struct pkcs12_bag *bag, const char *name)
{
    for (size_t i = 0; i < bag->attribute_count; i++)
        if (strcmp(bag->attributes[i].name, name) == 0)
            return bag->attributes[i].value;
    fail_msg("no attribute %s", name);
    return NULL;
}

static void test_attributes(void **state)
{
    (void)state;
    STACK_OF(PKCS12_SAFEBAG) *bags = secret_bags(kdk, 32);
    PKCS12_SAFEBAG *bag = sk_PKCS12_SAFEBAG_value(bags, 0);
    PKCS12_add_friendlyname_utf8(bag, "Büro €", -1);
    PKCS12_add_localkeyid(bag, (uint8_t *)uuid_bytes, 16);
    PKCS12_add1_attr_by_txt(bag, "1.3.6.1.4.1.6876.1.2", V_ASN1_OCTET_STRING,
                            (const uint8_t *)"\x01\x02\x03", 3);
    struct buffer file = make_file(bags, &usual);
    struct pkcs12 *p12 = read_file(&file, usual.pass);
    assert_holds_kdk(p12);
    assert_int_equal(p12->bags[0].attribute_count, 3);
    assert_string_equal(attribute_of(&p12->bags[0], "friendlyName"), "Büro €");
    assert_string_equal(attribute_of(&p12->bags[0], "localKeyID"),
                        "21ec41612ecc4c5386a3a5f24b43d97d");
    assert_string_equal(attribute_of(&p12->bags[0], "1.3.6.1.4.1.6876.1.2"), "010203");
    assert_string_equal(p12->uuid.text, uuid_text);
    assert_string_equal(p12->provider.text, "Büro €");
    assert_string_equal(p12->provider.from, "friendlyName");
    pkcs12_free(p12);
    buffer_free(&file);

    /* A key in an attribute is found and not shown. */
    bags = secret_bags("nothing", 7);
    bag = sk_PKCS12_SAFEBAG_value(bags, 0);
    PKCS12_add_friendlyname_utf8(bag, uuid_text, -1);
    PKCS12_add1_attr_by_txt(bag, "1.2.3.4", V_ASN1_OCTET_STRING, kdk, 32);
    file = make_file(bags, &usual);
    p12 = read_file(&file, usual.pass);
    assert_holds_kdk(p12);
    assert_string_equal(p12->keys[0].where, "32 bytes in an attribute");
    assert_string_equal(attribute_of(&p12->bags[0], "1.2.3.4"),
                        "(32 bytes, taken for a key: not shown)");
    assert_string_equal(p12->uuid.text, uuid_text);
    assert_null(p12->provider.from);
    pkcs12_free(p12);
    buffer_free(&file);
}

/* A secret key as Java's KeyStore keeps it: a shrouded key inside a secret bag. */
static void test_java_layout(void **state)
{
    (void)state;
    PKCS8_PRIV_KEY_INFO *info = PKCS8_PRIV_KEY_INFO_new();
    uint8_t *copy = OPENSSL_memdup(kdk, 32), *der = NULL;
    assert_int_equal(PKCS8_pkey_set0(info, OBJ_txt2obj("2.16.840.1.101.3.4.1", 1), 0, V_ASN1_NULL,
                                     NULL, copy, 32),
                     1);
    X509_SIG *shrouded = PKCS8_encrypt(-1, EVP_aes_256_cbc(), usual.pass, -1, NULL, 0, 1000, info);
    assert_non_null(shrouded);
    int length = i2d_X509_SIG(shrouded, &der);
    STACK_OF(PKCS12_SAFEBAG) *bags = NULL;
    assert_non_null(PKCS12_add_secret(&bags, NID_pkcs8ShroudedKeyBag, der, length));
    const struct form form = {-1, EVP_sha256, usual.pass, 1000};
    struct buffer file = make_file(bags, &form);
    struct pkcs12 *p12 = read_file(&file, usual.pass);
    assert_holds_kdk(p12);
    assert_true(p12->bags[0].shrouded);
    assert_non_null(strstr(p12->keys[0].where, "key bag of"));
    pkcs12_free(p12);
    buffer_free(&file);
    OPENSSL_free(der);
    X509_SIG_free(shrouded);
    PKCS8_PRIV_KEY_INFO_free(info);
}

/* A file that OpenJDK 17's KeyStore wrote, with 100 rounds. */
static void test_java_file(void **state)
{
    (void)state;
    static const char file_text[] =
        "MIIB2wIBAzCCAYYGCSqGSIb3DQEHAaCCAXcEggFzMIIBbzCCAWsGCSqGSIb3DQEHAaCCAVwEggFYMIIBVDCC"
        "AVAGCyqGSIb3DQEMCgEFoIHCMIG/BgsqhkiG9w0BDAoBAqCBrwSBrDCBqTBlBgkqhkiG9w0BBQ0wWDA3Bgkq"
        "hkiG9w0BBQwwKgQU5TucAOlrRH/xtmDQhZHhzxc6btUCAWQCASAwDAYIKoZIhvcNAgkFADAdBglghkgBZQME"
        "ASoEEALb8WdPyWWxsMxkx9YC0QMEQG7D4/ohk6X0n4qORFqpai4n5OLkH1O6tcaZsbhtDxV9w3B7kxQDdkgG"
        "+rWox11C9XUgoqJWGvpLUFneQpOcyCYxfDBXBgkqhkiG9w0BCRQxSh5IADIAMQBlAGMANAAxADYAMQAtADIA"
        "ZQBjAGMALQA0AGMANQAzAC0AOAA2AGEAMwAtAGEANQBmADIANABiADQAMwBkADkANwBkMCEGCSqGSIb3DQEJ"
        "FTEUBBJUaW1lIDE3OTUzNTI0OTI4MjQwTDAxMA0GCWCGSAFlAwQCAQUABCAoQQCpfJjJzYtedTcClTMPHhTj"
        "bfYonHSVfS0n7cLTWQQUQDH5G8SJctR3Uv6LPEr5c+q9/gkCAWQ=";
    struct buffer file = BUFFER_INIT;
    buffer_append_text(&file, file_text);
    struct pkcs12 *p12 = read_file(&file, usual.pass);
    assert_holds_kdk(p12);
    assert_true(p12->mac_holds);
    assert_string_equal(p12->uuid.text, uuid_text);
    assert_string_equal(p12->bags[0].scheme.name, "PBES2: PBKDF2 with hmacWithSHA256, aes-256-cbc");
    assert_int_equal(p12->bags[0].scheme.rounds, 100);
    pkcs12_free(p12);
    buffer_free(&file);
}

/* PBMAC1 (RFC 9579), which OpenSSL 3.0 does not know: PBKDF2 with SHA-512, MAC with SHA-256; made
 * with Python's hashlib. */
static void test_pbmac1(void **state)
{
    (void)state;
    static const char file_text[] =
        "MIHlAgEDMGAGCSqGSIb3DQEHAaBTBFEwTzBNBgkqhkiG9w0BBwGgQAQ+MDwwOgYLKoZIhvcNAQwKAQWgKzAp"
        "BgMqAwSgIgQgwMHCw8TFxsfIycrLzM3Oz9DR0tPU1dbX2Nna29zd3t8wfjBvMEsGCSqGSIb3DQEFDjA+MC4G"
        "CSqGSIb3DQEFDDAhBAtQQk1BQzEgc2FsdAIBCgIBIDAMBggqhkiG9w0CCwUAMAwGCCqGSIb3DQIJBQAEIBKq"
        "TRimxbackHe5mnX29t9c/BIETxP1hWuESKQ9ari5BAhOT1QgVVNFRAIBAQ==";
    struct buffer file = BUFFER_INIT;
    buffer_append_text(&file, file_text);
    struct pkcs12 *p12 = read_file(&file, usual.pass);
    assert_holds_kdk(p12);
    assert_true(p12->mac_holds);
    assert_false(p12->mac.weak);
    assert_int_equal(p12->password, PKCS12_GIVEN);
    assert_int_equal(p12->mac.rounds, 10);
    assert_int_equal(p12->mac.salt_bytes, 11);
    assert_string_equal(p12->mac.name, "PBMAC1: HMAC with sha256");
    pkcs12_free(p12);
    p12 = read_file(&file, "wrong");
    assert_false(p12->mac_holds);
    pkcs12_free(p12);
    buffer_free(&file);
}

/* An RSA key with its certificate: told, and not taken for a KDK. */
static void test_key_and_certificate(void **state)
{
    (void)state;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    X509_set_version(cert, 2);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_UTF8,
                               (const uint8_t *)"nkp-büro", -1, -1, 0);
    ASN1_TIME_set_string(X509_getm_notBefore(cert), "20200102030405Z");
    ASN1_TIME_set_string(X509_getm_notAfter(cert), "20210102030405Z");
    X509_set_pubkey(cert, key);
    assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
    PKCS12 *made = PKCS12_create("pw", "name", key, cert, NULL, 0, 0, 100, 100, 0);
    assert_non_null(made);
    uint8_t *der = NULL;
    struct buffer file = BUFFER_INIT;
    int length = i2d_PKCS12(made, &der);
    assert_true(buffer_append(&file, der, (size_t)length));
    struct pkcs12 *p12 = read_file(&file, "pw");
    struct error error = ERROR_INIT;
    assert_int_equal(p12->bag_count, 2);
    assert_int_equal(p12->key_count, 0);
    assert_string_equal(p12->bags[0].what, "certificate of CN=nkp-büro");
    assert_string_equal(p12->bags[0].begins, "2020-01-02");
    assert_string_equal(p12->bags[0].ends, "2021-01-02");
    assert_string_equal(p12->bags[1].type, "pkcs8ShroudedKeyBag");
    assert_string_equal(p12->bags[1].what, "private key, id-ecPublicKey");
    assert_int_equal(p12->bags[1].scheme.rounds, 100);
    assert_false(pkcs12_usable(p12, &error));
    assert_int_equal(error.code, ERROR_NO_KEY);
    assert_non_null(strstr(error.message, "2 bags"));
    pkcs12_free(p12);
    buffer_free(&file);
    OPENSSL_free(der);
    PKCS12_free(made);
    X509_free(cert);
    EVP_PKEY_free(key);
}

struct findings {
    char text[2000];
};

static void collect(void *context, const char *finding)
{
    struct findings *f = context;
    strncat(f->text, finding, sizeof f->text - strlen(f->text) - 2);
    strcat(f->text, "\n");
}

static void audit(const struct form *form, const char *pass, struct findings *found)
{
    struct error error = ERROR_INIT;
    struct buffer file = make_file(secret_bags(kdk, 32), form);
    struct pkcs12 *p12 = read_file(&file, pass);
    struct secret *secret = pass == NULL ? NULL : secret_copy(pass, strlen(pass), &error);
    found->text[0] = '\0';
    pkcs12_audit(p12, secret, collect, found);
    secret_free(secret);
    pkcs12_free(p12);
    buffer_free(&file);
}

static void test_audit(void **state)
{
    (void)state;
    struct findings found;
    const struct form good = {NID_aes_256_cbc, EVP_sha256, "correct horse battery", 10000};
    audit(&good, good.pass, &found);
    assert_string_equal(found.text, "");
    const struct form old = {NID_pbe_WithSHA1And3_Key_TripleDES_CBC, EVP_sha1, "Password", 2048};
    audit(&old, old.pass, &found);
    assert_string_equal(found.text, "its passphrase is among the first that anybody tries\n"
                                    "MAC: HMAC with sha1 is weak\n"
                                    "MAC: 2048 rounds are few (less than 10000)\n"
                                    "safe 1: pbeWithSHA1And3-KeyTripleDES-CBC is weak\n"
                                    "safe 1: 2048 rounds are few (less than 10000)\n");
    const struct form empty = {NID_aes_256_cbc, EVP_sha256, "", 10000};
    audit(&empty, NULL, &found);
    assert_string_equal(found.text,
                        "opens without a passphrase: whoever has the file has its keys\n");
    const struct form open = {-1, NULL, NULL, 1};
    audit(&open, NULL, &found);
    assert_string_equal(found.text,
                        "nothing in it is encrypted: whoever has the file has its keys\n"
                        "MAC: none, so that changes to the file would go unnoticed\n");
    const struct form brief = {NID_aes_256_cbc, EVP_sha256, "horse", 10000};
    audit(&brief, brief.pass, &found);
    assert_string_equal(found.text, "its passphrase is shorter than 12 characters\n");
}

static void write_file(const char *name, const void *data, size_t length)
{
    FILE *f = fopen(name, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, length, f), length);
    assert_int_equal(fclose(f), 0);
}

/* As a source: told by content also in base64 and PEM, with id and provider in the keyring. */
static void test_source(void **state)
{
    (void)state;
    struct buffer json = BUFFER_INIT, base64 = BUFFER_INIT, pem = BUFFER_INIT;
    base64_encode(kdk, 32, &base64);
    buffer_printf(&json,
                  "{\"provider\": \"local\", \"key_id\": \"%s\", \"key_derivation_key\": \"%s\"}",
                  uuid_text, buffer_text(&base64));
    struct buffer file = make_file(secret_bags(json.data, json.length), &usual);
    buffer_free(&base64);
    base64_encode(file.data, file.length, &base64);
    buffer_append_text(&pem, "-----BEGIN PKCS12-----\n");
    for (size_t at = 0; at < base64.length; at += 64) {
        size_t n = base64.length - at < 64 ? base64.length - at : 64;
        buffer_append(&pem, base64.data + at, n);
        buffer_append_text(&pem, "\r\n");
    }
    buffer_append_text(&pem, "-----END PKCS12-----\n");
    const struct buffer *const forms[] = {&file, &base64, &pem};
    for (size_t i = 0; i < 3; i++) {
        struct error error = ERROR_INIT;
        struct log log = {.program = "test", .level = -1};
        struct keyring ring = KEYRING_INIT;
        const struct source_form *form = NULL;
        struct source_options options = {.passphrases = &ring};
        write_file("x", forms[i]->data, forms[i]->length);
        assert_false(source_read("x", &options, &ring, &form, &log, &error));
        assert_int_equal(error.code, ERROR_NO_KEY);
        error_clear(&error);
        keyring_add_phrase(&ring, "p", secret_copy(usual.pass, strlen(usual.pass), &error), &error);
        if (!source_read("x", &options, &ring, &form, &log, &error))
            fail_msg("%s", error.message);
        assert_string_equal(form->name, "pkcs12");
        assert_int_equal(ring.key_count, 1);
        assert_int_equal(ring.keys[0].kind, KEYRING_KDK);
        assert_string_equal(ring.keys[0].id, uuid_text);
        assert_string_equal(ring.keys[0].provider, "local");
        assert_string_equal(ring.keys[0].origin, "x (bag 1)");
        assert_memory_equal(ring.keys[0].key->data, kdk, 32);
        keyring_free(&ring);
    }
    buffer_free(&file);
    buffer_free(&json);
    buffer_free(&base64);
    buffer_free(&pem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),       cmocka_unit_test(test_wrong_passphrase),
        cmocka_unit_test(test_finds),       cmocka_unit_test(test_attributes),
        cmocka_unit_test(test_java_layout), cmocka_unit_test(test_java_file),
        cmocka_unit_test(test_pbmac1),      cmocka_unit_test(test_key_and_certificate),
        cmocka_unit_test(test_audit),       cmocka_unit_test(test_source),
    };
    return cmocka_run_group_tests(tests, set_up, scratch_tear_down);
}
