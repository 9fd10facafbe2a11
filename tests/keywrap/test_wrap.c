/* Wrapping against RFC 3394 section 4, RFC 5649 section 6, the GCM specification's test case 14,
 * PKCS#1 v2.1's oaep-vect.txt example 1.1, and figures made with Python's integers and AES-ECB
 * alone. NIST's and Wycheproof's files are in test_wrap_files.c. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "tests/keywrap/wrap_fixture.h"
#include "tests/scratch.h"

static const struct {
    enum wrap_method method;
    const char *key, *plain, *wrapped;
} vectors[] = {
    /* RFC 3394 4.1 to 4.6 */
    {WRAP_RFC3394, "000102030405060708090A0B0C0D0E0F", "00112233445566778899AABBCCDDEEFF",
     "1FA68B0A8112B447AEF34BD8FB5A7B829D3E862371D2CFE5"},
    {WRAP_RFC3394, "000102030405060708090A0B0C0D0E0F1011121314151617",
     "00112233445566778899AABBCCDDEEFF", "96778B25AE6CA435F92B5B97C050AED2468AB8A17AD84E5D"},
    {WRAP_RFC3394, "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F",
     "00112233445566778899AABBCCDDEEFF", "64E8C3F9CE0F5BA263E9777905818A2A93C8191E7D6E8AE7"},
    {WRAP_RFC3394, "000102030405060708090A0B0C0D0E0F1011121314151617",
     "00112233445566778899AABBCCDDEEFF0001020304050607",
     "031D33264E15D33268F24EC260743EDCE1C6C7DDEE725A936BA814915C6762D2"},
    {WRAP_RFC3394, "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F",
     "00112233445566778899AABBCCDDEEFF0001020304050607",
     "A8F9BC1612C68B3FF6E6F4FBE30E71E4769C8B80A32CB8958CD5D17D6B254DA1"},
    {WRAP_RFC3394, "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F",
     "00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F",
     "28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21"},
    /* RFC 5649 6 */
    {WRAP_RFC5649, "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8",
     "c37b7e6492584340bed12207808941155068f738",
     "138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a"},
    {WRAP_RFC5649, "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8", "466f7250617369",
     "afbeb0f07dfbf5419200f2ccb50bb24f"},
};

static void test_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        struct wrap_key key = {.aes = from_hex(vectors[i].key)};
        check_make(vectors[i].method, &key, vectors[i].plain, vectors[i].wrapped);
        check_open(vectors[i].method, &key, vectors[i].wrapped, vectors[i].plain);
        wrap_key_free(&key);
    }
}

/* Every flipped bit is refused as "the key does not fit". */
static void check_flips(enum wrap_method method, const struct wrap_key *key, const char *hex)
{
    struct secret *wrapped = from_hex(hex);
    for (size_t bit = 0; bit < wrapped->length * 8; bit++) {
        struct error error = ERROR_INIT;
        wrapped->data[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_null(wrap_open(method, key, wrapped->data, wrapped->length, &error));
        assert_int_equal(error.code, ERROR_NO_KEY);
        wrapped->data[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    secret_free(wrapped);
}

/* Every other length, another key, the wrong kind of key. */
static void test_refuses(void **state)
{
    (void)state;
    struct wrap_key key = {.aes = from_hex(vectors[5].key)};
    struct secret *wrapped = from_hex(vectors[5].wrapped);
    check_flips(WRAP_RFC3394, &key, vectors[5].wrapped);
    for (size_t length = 0; length < wrapped->length; length++)
        for (int m = WRAP_RFC3394; m <= WRAP_AES_GCM; m++) {
            struct error error = ERROR_INIT;
            assert_null(wrap_open((enum wrap_method)m, &key, wrapped->data, length, &error));
            bool possible = m == WRAP_AES_GCM
                                ? length > 28
                                : length % 8 == 0 && length >= (m == WRAP_RFC3394 ? 24 : 16);
            assert_int_equal(error.code, possible ? ERROR_NO_KEY : ERROR_DAMAGED);
        }
    key.aes->data[31] ^= 1;
    check_open(WRAP_RFC3394, &key, vectors[5].wrapped, NULL);
    key.aes->length = 20;
    struct error error = ERROR_INIT;
    assert_null(wrap_open(WRAP_RFC3394, &key, wrapped->data, wrapped->length, &error));
    assert_int_equal(error.code, ERROR_USAGE);
    assert_null(wrap_open(WRAP_RSA_OAEP_SHA1, &key, wrapped->data, wrapped->length, &error));
    assert_int_equal(error.code, ERROR_USAGE);
    key.aes->length = 32;
    secret_free(wrapped);
    wrap_key_free(&key);
}

/* Lengths that RFC 3394 does not wrap, nothing at all, and more than anybody wraps. */
static void test_make_refuses(void **state)
{
    (void)state;
    struct wrap_key key = {.aes = from_hex(vectors[0].key)};
    check_make(WRAP_RFC3394, &key, "0011223344556677", NULL);
    check_make(WRAP_RFC3394, &key, "00112233445566770011223344556677ff", NULL);
    for (int m = WRAP_RFC3394; m <= WRAP_AES_GCM; m++)
        check_make((enum wrap_method)m, &key, "", NULL);
    struct error error = ERROR_INIT;
    struct secret *large = secret_new(WRAP_MAX + 8, &error);
    struct buffer out = BUFFER_INIT;
    assert_false(wrap_make(WRAP_RFC3394, &key, large->data, large->length, &out, &error));
    assert_null(wrap_open(WRAP_RFC3394, &key, large->data, large->length, &error));
    assert_int_equal(error.code, ERROR_DAMAGED);
    assert_int_equal(out.length, 0);
    secret_free(large);
    wrap_key_free(&key);
}

static void test_gcm(void **state)
{
    (void)state;
    static const char wrapped[] = "000000000000000000000000"
                                  "cea7403d4d606b6e074ec5d3baf39d18"
                                  "d0d1c8a799996bf0265b98b5d48ab919";
    struct error error = ERROR_INIT;
    struct wrap_key key = {.aes = secret_new(32, &error)};
    check_open(WRAP_AES_GCM, &key, wrapped, "00000000000000000000000000000000");
    check_flips(WRAP_AES_GCM, &key, wrapped);
    wrap_key_free(&key);
}

/* The 1024-bit key of oaep-vect.txt as PKCS#1 DER. */
static const char rsa_der[] =
    "3082025c02010002818100a8b3b284af8eb50b387034a860f146c4919f318763cd6c5598c8ae4811a1e0abc4"
    "c7e0b082d693a5e7fced675cf4668512772c0cbc64a742c6c630f533c8cc72f62ae833c40bf25842e984bb78"
    "bdbf97c0107d55bdb662f5c4e0fab9845cb5148ef7392dd3aaff93ae1e6b667bb3d4247616d4f5ba10d4cfd2"
    "26de88d39f16fb020301000102818053339cfdb79fc8466a655c7316aca85c55fd8f6dd898fdaf119517ef4f"
    "52e8fd8e258df93fee180fa0e4ab29693cd83b152a553d4ac4d1812b8b9fa5af0e7f55fe7304df41570926f3"
    "311f15c4d65a732c483116ee3d3d2d0af3549ad9bf7cbfb78ad884f84d5beb04724dc7369b31def37d0cf539"
    "e9cfcdd3de653729ead5d1024100d32737e7267ffe1341b2d5c0d150a81b586fb3132bed2f8d5262864a9cb9"
    "f30af38be448598d413a172efb802c21acf1c11c520c2f26a471dcad212eac7ca39d024100cc8853d1d54da6"
    "30fac004f471f281c7b8982d8224a490edbeb33d3e3d5cc93c4765703d1dd791642f1f116a0dd852be2419b2"
    "af72bfe9a030e860b0288b5d7702400e12bf1718e9cef5599ba1c3882fe8046a90874eefce8f2ccc20e4f274"
    "1fb0a33a3848aec9c9305fbecbd2d76819967d4671acc6431e4037968db37878e695c102410095297b0f95a2"
    "fa67d00707d609dfd4fc05c89dafc2ef6d6ea55bec771ea333734d9251e79082ecda866efef13c459e1a6313"
    "86b7e354c899f5f112ca85d7158302404f456c502493bdc0ed2ab756a3a6ed4d67352a697d4216e93212b127"
    "a63d5411ce6fa98d5dbefd73263e3728142743818166ed7dd63687dd2a8ca1d2f4fbd8e1";

/* Key byte i is (7 i + 3) mod 256; the temporary AES key of RSA-AES (5 i + 1) mod 256; the seed of
 * OAEP 00, 01, 02 … */
static const char rsa_plain[] = "030a11181f262d343b424950575e656c737a81888f969da4abb2b9c0c7ced5dc";

static const struct {
    enum wrap_method method;
    const char *plain, *wrapped;
} rsa_vectors[] = {
    /* oaep-vect.txt, example 1.1 */
    {WRAP_RSA_OAEP_SHA1, "6628194e12073db03ba94cda9ef9532397d50dba79b987004afefe34",
     "354fe67b4a126d5d35fe36c777791a3f7ba13def484e2d3908aff722fad468fb21696de95d0be911c2d3174f"
     "8afcc201035f7b6d8e69402de5451618c21a535fa9d7bfc5b8dd9fc243f8cf927db31322d6e881eaa91a9961"
     "70e657a05a266426d98c88003f8477c1227094a0d9fa1e8c4024309ce1ecccb5210035d47ac72e8a"},
    {WRAP_RSA_OAEP_SHA1, rsa_plain,
     "4a0ea19e9ecb9a99c62b02f0b004c19a3f950dac0d6b3c1bc22e671056ca70efd627b44ccbd81777ecd10b8f"
     "717b1c532a77132132fb1ba4aa0b71986489d521fbe725fe9b472afe49c3618dfe8bbdc12456481d6d3aa288"
     "c3125f13d13416a75ec3f61410a94a277a9990e47eb32749d8847a955f8ce9466abdaf86fb049a11"},
    {WRAP_RSA_OAEP_SHA256, rsa_plain,
     "a29c03769eb08c65a1861b17e444813712925b87a800bfab8ccaa65f8cafa2db5c6e502472936d1c44e606d8"
     "a2b68251c1182bd932855e570490aa7ebf7b39e52161f234bf113eb30329c43e535a0ed69008a5fb281de90c"
     "fb1fb91410eda734a1f2bd089dcce2a290ff13a4a4590ce0a9a41c0f9f0ec3c8bdce14bf804f716a"},
    {WRAP_RSA_OAEP_SHA256_MGF1, rsa_plain,
     "a30ea002cb9aa5917541bbf43c91143f43974a041b81fff8e4a0588852fcfea1ae2579ba749e4e2df97bc044"
     "5164062b170e78708d0177232543fae7f8453500bc017400e4b81b1cbca21393f2dd326fdf62746afa09f5ba"
     "f66221a8b4105d7a4de4a7f3e92d0407d28f2a642c901b699c534d5be1e773c1a0b264279ecbe983"},
    {WRAP_RSA_AES_SHA1, rsa_plain,
     "940fd86908afa2f88f5053d78e40206f298e258d25439618db09390c258eb3048d3b4017544cfe795f0a80b5"
     "22f881d26c54010858dd248f688cc692d3345e1dd66517d7016df53e825eb2c832332fb5d00e74d84ea76f44"
     "f25bca4c685191db35f6aba54bc73c343af6dc1f9132905ed7d61e17c6604a7981d2dc154ac6e5c444f72bad"
     "06d1498ed27771405adace098a15cdd5b508ed88614fa050c0c72400d25aca7f17de72a4"},
    {WRAP_RSA_AES_SHA256, rsa_plain,
     "53b6e9974b2cd164887c1b385f472b18252f005fe0b93cc30eccb6e8653cd3f2842d482930a1c3608eb3d32d"
     "ddb8a12680b116f069afa355855ad7e6411ba4cea77debec3e4a1a3509226addf7f51f1732e0e13a5a289f2e"
     "69731678c274cf778aa5ba4d6156d28bcdcce0f0cc3669517ff6c97ac781ff196cf8ca6ab6ac849644f72bad"
     "06d1498ed27771405adace098a15cdd5b508ed88614fa050c0c72400d25aca7f17de72a4"},
};

static EVP_PKEY *rsa_key(void)
{
    struct secret *der = from_hex(rsa_der);
    const unsigned char *at = der->data;
    EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &at, (long)der->length);
    assert_non_null(key);
    secret_free(der);
    return key;
}

static void test_rsa_vectors(void **state)
{
    (void)state;
    struct wrap_key key = {.rsa = rsa_key()};
    for (size_t i = 0; i < sizeof rsa_vectors / sizeof rsa_vectors[0]; i++) {
        check_open(rsa_vectors[i].method, &key, rsa_vectors[i].wrapped, rsa_vectors[i].plain);
        for (int m = WRAP_RSA_OAEP_SHA1; m < WRAP_METHODS; m++)
            if (m != (int)rsa_vectors[i].method)
                check_open((enum wrap_method)m, &key, rsa_vectors[i].wrapped, NULL);
    }
    wrap_key_free(&key);
}

/* The same without being told the method, and with a flipped bit here and there. */
static void test_rsa_any(void **state)
{
    (void)state;
    struct wrap_key key = {.rsa = rsa_key()};
    for (size_t i = 0; i < sizeof rsa_vectors / sizeof rsa_vectors[0]; i++) {
        struct error error = ERROR_INIT;
        enum wrap_method method;
        struct secret *wrapped = from_hex(rsa_vectors[i].wrapped);
        struct secret *plain = wrap_open_any(&key, wrapped->data, wrapped->length, &method, &error);
        assert_non_null(plain);
        assert_int_equal(method, rsa_vectors[i].method);
        secret_free(plain);
        for (size_t byte = 0; byte < wrapped->length; byte += 5) {
            wrapped->data[byte] ^= 0x10;
            assert_null(wrap_open_any(&key, wrapped->data, wrapped->length, &method, &error));
            assert_int_equal(error.code, ERROR_NO_KEY);
            wrapped->data[byte] ^= 0x10;
        }
        secret_free(wrapped);
    }
    wrap_key_free(&key);
}

static void check_round_trip(enum wrap_method method, const struct wrap_key *key, size_t length)
{
    struct error error = ERROR_INIT;
    enum wrap_method found;
    struct buffer once = BUFFER_INIT, twice = BUFFER_INIT;
    struct secret *plain = secret_new(length, &error);
    memset(plain->data, 0x5a, length);
    assert_true(wrap_make(method, key, plain->data, length, &once, &error));
    assert_true(wrap_make(method, key, plain->data, length, &twice, &error));
    struct secret *opened = wrap_open_any(key, once.data, once.length, &found, &error);
    assert_non_null(opened);
    assert_int_equal(found, method);
    assert_true(secret_equal(plain, opened));
    /* The two of RFC 3394 know no chance; all others do. */
    bool same = once.length == twice.length && memcmp(once.data, twice.data, once.length) == 0;
    assert_int_equal(same, method <= WRAP_RFC5649);
    secret_free(opened);
    secret_free(plain);
    buffer_free(&once);
    buffer_free(&twice);
}

static void test_round_trip(void **state)
{
    (void)state;
    static const size_t lengths[] = {16, 24, 32, 64};
    struct wrap_key aes = {.aes = from_hex(vectors[4].key)}, rsa = {.rsa = EVP_RSA_gen(2048)};
    for (int m = 0; m < WRAP_METHODS; m++)
        for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
            check_round_trip((enum wrap_method)m, m <= WRAP_AES_GCM ? &aes : &rsa, lengths[i]);
    /* More than a block holds: only with a key in between. */
    struct error error = ERROR_INIT;
    struct buffer out = BUFFER_INIT;
    uint8_t many[300] = {0};
    assert_false(wrap_make(WRAP_RSA_OAEP_SHA1, &rsa, many, sizeof many, &out, &error));
    assert_int_equal(error.code, ERROR_USAGE);
    assert_int_equal(out.length, 0);
    check_round_trip(WRAP_RSA_AES_SHA256, &rsa, sizeof many);
    wrap_key_free(&aes);
    wrap_key_free(&rsa);
}

static void test_any(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    enum wrap_method method, only = WRAP_AES_GCM;
    struct wrap_key key = {.aes = from_hex(vectors[5].key)};
    struct secret *wrapped = from_hex(vectors[5].wrapped);
    key.method = &only;
    assert_null(wrap_open_any(&key, wrapped->data, wrapped->length, &method, &error));
    assert_int_equal(error.code, ERROR_NO_KEY);
    key.method = NULL;
    key.aes->data[0] ^= 1;
    assert_null(wrap_open_any(&key, wrapped->data, wrapped->length, &method, &error));
    assert_int_equal(error.code, ERROR_NO_KEY);
    assert_string_equal(error.message,
                        "the unwrapping key does not fit (tried rfc3394, rfc5649, aes-gcm)");
    assert_null(wrap_open_any(&key, wrapped->data, 15, &method, &error));
    assert_int_equal(error.code, ERROR_DAMAGED);
    secret_free(wrapped);
    wrap_key_free(&key);
    key.rsa = rsa_key();
    assert_null(wrap_open_any(&key, rsa_der, 100, &method, &error));
    assert_int_equal(error.code, ERROR_DAMAGED);
    wrap_key_free(&key);
}

static void test_names(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    enum wrap_method method;
    for (int m = 0; m < WRAP_METHODS; m++) {
        assert_true(wrap_method_parse(wrap_method_name((enum wrap_method)m), &method, &error));
        assert_int_equal(method, m);
    }
    assert_false(wrap_method_parse("rot13", &method, &error));
    assert_int_equal(error.code, ERROR_USAGE);
    assert_non_null(strstr(error.message, "rsa-aes-sha256"));
}

static void write_pem(const char *name, EVP_PKEY *key, bool private_key, const char *passphrase)
{
    FILE *f = fopen(name, "w");
    assert_non_null(f);
    int ok =
        private_key
            ? PEM_write_PKCS8PrivateKey(f, key, passphrase ? EVP_aes_256_cbc() : NULL, passphrase,
                                        passphrase ? (int)strlen(passphrase) : 0, NULL, NULL)
            : PEM_write_PUBKEY(f, key);
    assert_int_equal(ok, 1);
    assert_int_equal(fclose(f), 0);
}

static void check_pem(const char *name, bool private_key, const char *passphrase,
                      enum error_code code)
{
    struct error error = ERROR_INIT;
    struct wrap_key key = {0};
    struct secret *phrase =
        passphrase == NULL ? NULL : secret_copy(passphrase, strlen(passphrase), &error);
    bool ok = wrap_key_read_pem(name, private_key, phrase, &key, &error);
    assert_int_equal(ok, code == ERROR_NONE);
    assert_int_equal(error.code, code);
    assert_int_equal(key.rsa != NULL, ok);
    if (!ok)
        assert_string_equal(error.file, name);
    wrap_key_free(&key);
    secret_free(phrase);
}

static void test_pem(void **state)
{
    (void)state;
    EVP_PKEY *rsa = rsa_key(), *ec = EVP_EC_gen("P-256");
    write_pem("private", rsa, true, NULL);
    write_pem("locked", rsa, true, "open sesame");
    write_pem("public", rsa, false, NULL);
    write_pem("ec", ec, true, NULL);
    check_pem("private", true, NULL, ERROR_NONE);
    check_pem("private", false, NULL, ERROR_NONE);
    check_pem("locked", true, NULL, ERROR_NO_KEY);
    check_pem("locked", true, "wrong", ERROR_NO_KEY);
    check_pem("locked", true, "", ERROR_NO_KEY);
    check_pem("locked", true, "open sesame", ERROR_NONE);
    check_pem("public", false, NULL, ERROR_NONE);
    check_pem("public", true, NULL, ERROR_DAMAGED);
    check_pem("ec", true, NULL, ERROR_USAGE);
    check_pem("absent", true, NULL, ERROR_FAILED);
    assert_int_equal(truncate("private", 300), 0);
    check_pem("private", true, NULL, ERROR_DAMAGED);
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(ec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),      cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_make_refuses), cmocka_unit_test(test_gcm),
        cmocka_unit_test(test_rsa_vectors),  cmocka_unit_test(test_rsa_any),
        cmocka_unit_test(test_round_trip),   cmocka_unit_test(test_any),
        cmocka_unit_test(test_names),        cmocka_unit_test(test_pem),
    };
    return cmocka_run_group_tests(tests, scratch_set_up, scratch_tear_down);
}
