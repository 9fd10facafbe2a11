/* Wrapping against whole files of vectors: NIST's for KW and KWP (CAVS, as Debian's
 * python3-cryptography-vectors has them) and Project Wycheproof's (C2SP/wycheproof, found through
 * VMCRYPT_WYCHEPROOF or in ../shared/wycheproof). What is not there is skipped. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "tests/keywrap/wrap_fixture.h"

#define NIST "/usr/lib/python3/dist-packages/cryptography_vectors/keywrap/kwtestvectors"

/* "K = ", then "P = " and "C = " in any order, or FAIL in place of "P = ". */
static void check_nist(const char *name, enum wrap_method method, size_t *count)
{
    static char line[1 << 14], k[1 << 14], p[1 << 14], c[1 << 14];
    char path[512];
    snprintf(path, sizeof path, "%s/%s", NIST, name);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    p[0] = c[0] = 0;
    while (fgets(line, sizeof line, f) != NULL) {
        line[strcspn(line, "\r\n")] = 0;
        bool failing = strcmp(line, "FAIL") == 0;
        sscanf(line, "K = %16383s", k);
        sscanf(line, "P = %16383s", p);
        sscanf(line, "C = %16383s", c);
        if (!failing && (p[0] == 0 || c[0] == 0))
            continue;
        struct wrap_key key = {.aes = from_hex(k)};
        check_open(method, &key, c, failing ? NULL : p);
        if (!failing)
            check_make(method, &key, p, c);
        wrap_key_free(&key);
        p[0] = c[0] = 0;
        ++*count;
    }
    fclose(f);
}

static void test_nist(void **state)
{
    (void)state;
    static const char *const names[] = {"KW_AE_", "KW_AD_", "KWP_AE_", "KWP_AD_"};
    size_t count = 0;
    if (access(NIST, R_OK) != 0) {
        print_message("python3-cryptography-vectors is not installed\n");
        skip();
    }
    for (size_t i = 0; i < 4; i++)
        for (int bits = 128; bits <= 256; bits += 64) {
            char name[64];
            snprintf(name, sizeof name, "%s%d.txt", names[i], bits);
            check_nist(name, i < 2 ? WRAP_RFC3394 : WRAP_RFC5649, &count);
        }
    assert_int_equal(count, 4 * 3 * 500);
}

static json_t *wycheproof(const char *name)
{
    const char *folder = getenv("VMCRYPT_WYCHEPROOF");
    char path[1024];
    snprintf(path, sizeof path, "%s/testvectors_v1/%s",
             folder == NULL ? "../shared/wycheproof" : folder, name);
    json_t *file = json_load_file(path, 0, NULL);
    if (file == NULL) {
        print_message("no %s; VMCRYPT_WYCHEPROOF names a copy of C2SP/wycheproof\n", path);
        skip();
    }
    return file;
}

static const char *text(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static void check_kw_group(const json_t *group, enum wrap_method method, size_t *count)
{
    size_t i;
    json_t *test;
    json_array_foreach(json_object_get(group, "tests"), i, test)
    {
        struct wrap_key key = {.aes = from_hex(text(test, "key"))};
        const char *plain = text(test, "msg");
        /* "acceptable" are keys of 8 bytes, which SP 800-38F does not wrap, nor do we. */
        bool valid = strcmp(text(test, "result"), "valid") == 0;
        check_open(method, &key, text(test, "ct"), valid ? plain : NULL);
        if (valid)
            check_make(method, &key, plain, text(test, "ct"));
        wrap_key_free(&key);
        ++*count;
    }
}

static void check_kw_file(const char *name, enum wrap_method method)
{
    json_t *file = wycheproof(name), *group;
    size_t i, count = 0;
    json_array_foreach(json_object_get(file, "testGroups"), i, group)
        check_kw_group(group, method, &count);
    assert_int_equal(count, json_integer_value(json_object_get(file, "numberOfTests")));
    json_decref(file);
}

static void test_wycheproof_kw(void **state)
{
    (void)state;
    check_kw_file("aes_wrap_test.json", WRAP_RFC3394);
}

static void test_wycheproof_kwp(void **state)
{
    (void)state;
    check_kw_file("aes_kwp_test.json", WRAP_RFC5649);
}

/* The ones of our shape: an IV of 12 bytes, nothing but the key authenticated. */
static void check_gcm(const json_t *test, size_t *count)
{
    char wrapped[4096];
    const char *plain = text(test, "msg");
    if (strlen(text(test, "iv")) != 24 || text(test, "aad")[0] != 0 || plain[0] == 0)
        return;
    struct wrap_key key = {.aes = from_hex(text(test, "key"))};
    snprintf(wrapped, sizeof wrapped, "%s%s%s", text(test, "iv"), text(test, "ct"),
             text(test, "tag"));
    check_open(WRAP_AES_GCM, &key, wrapped,
               strcmp(text(test, "result"), "valid") == 0 ? plain : NULL);
    wrap_key_free(&key);
    ++*count;
}

static void test_wycheproof_gcm(void **state)
{
    (void)state;
    json_t *file = wycheproof("aes_gcm_test.json"), *group, *test;
    size_t i, k, count = 0;
    json_array_foreach(json_object_get(file, "testGroups"), i, group)
        json_array_foreach(json_object_get(group, "tests"), k, test) check_gcm(test, &count);
    assert_true(count > 50);
    json_decref(file);
}

static void check_oaep_group(const json_t *group, enum wrap_method method, size_t *count)
{
    size_t i;
    json_t *test;
    struct secret *der = from_hex(text(group, "privateKeyPkcs8"));
    const unsigned char *at = der->data;
    struct wrap_key key = {.rsa = d2i_AutoPrivateKey(NULL, &at, (long)der->length)};
    assert_non_null(key.rsa);
    json_array_foreach(json_object_get(group, "tests"), i, test)
    {
        /* Under a label nothing is ours to open. */
        bool ours = strcmp(text(test, "result"), "valid") == 0 && text(test, "label")[0] == 0;
        check_open(method, &key, text(test, "ct"), ours ? text(test, "msg") : NULL);
        ++*count;
    }
    wrap_key_free(&key);
    secret_free(der);
}

static void check_oaep_file(const char *name, enum wrap_method method)
{
    json_t *file = wycheproof(name), *group;
    size_t i, count = 0;
    json_array_foreach(json_object_get(file, "testGroups"), i, group)
        check_oaep_group(group, method, &count);
    assert_int_equal(count, json_integer_value(json_object_get(file, "numberOfTests")));
    json_decref(file);
}

static void test_wycheproof_oaep(void **state)
{
    (void)state;
    check_oaep_file("rsa_oaep_2048_sha1_mgf1sha1_test.json", WRAP_RSA_OAEP_SHA1);
    check_oaep_file("rsa_oaep_2048_sha256_mgf1sha256_test.json", WRAP_RSA_OAEP_SHA256);
    check_oaep_file("rsa_oaep_2048_sha256_mgf1sha1_test.json", WRAP_RSA_OAEP_SHA256_MGF1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nist),
        cmocka_unit_test(test_wycheproof_kw),
        cmocka_unit_test(test_wycheproof_kwp),
        cmocka_unit_test(test_wycheproof_gcm),
        cmocka_unit_test(test_wycheproof_oaep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
