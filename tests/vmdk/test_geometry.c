/* geometry: its text, its numbers, and decrypting by them, against OpenSSL and by hand. */
#include "tests/vmdk/fixture.h"

#include <openssl/evp.h>

#include "vmdk/geometry.h"

static struct disk_geometry parsed(const char *text)
{
    struct error error = ERROR_INIT;
    struct disk_geometry g;
    if (!geometry_parse(text, &g, &error))
        fail_msg("%s: %s", text, error.message);
    return g;
}

static void test_text(void **state)
{
    static const char *const TEXTS[] = {
        "unit=512,tweak=unit,from=disk",
        "unit=4096,tweak=sector,order=big,from=file,header=65536",
        "unit=65536,tweak=byte,order=big64,from=extent,header=512,start=512,key=swapped",
        "unit=4096,tweak=unit,cipher=cbc-essiv,from=disk,start=-65536",
        "unit=65536,tweak=sector,cipher=cbc-plain64,order=little,from=extent,key=given",
        ("unit=65536,tweak=sector,cipher=cbc-plain64,order=big64,from=extent,"
         "header=9223372036854775296,start=-9223372036854710272,key=swapped"),
    };
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
        char text[GEOMETRY_TEXT];
        struct disk_geometry g = parsed(TEXTS[i]), again;
        geometry_print(&g, text);
        if (i != 4)
            assert_string_equal(text, TEXTS[i]);
        again = parsed(text);
        assert_true(geometry_equal(&g, &again));
    }
    struct disk_geometry g = parsed("tweak=unit");
    assert_true(geometry_is_default(&g));
    assert_true(geometry_is_default(&(struct disk_geometry){.unit = 0}));
    g = parsed("order=big");
    assert_false(geometry_is_default(&g));
    (void)state;
}

static void test_refused_texts(void **state)
{
    static const char *const TEXTS[] = {
        "",
        "unit",
        "unit=",
        "unit=511",
        "unit=1000",
        "unit=131072",
        "unit=0",
        "unit=-512",
        "unit=512,",
        ",unit=512",
        "tweak=sectors",
        "from=",
        "header=100",
        "header=-512",
        "header= 512",
        "header=9223372036854775808",
        "start=--512",
        "start=0x200",
        "cipher=aes",
        "key=",
        "unit=512 ",
        "unit=512;tweak=unit",
        "unit=4096,tweak=unit,start=512",    /* no whole unit */
        "unit=4096,tweak=sector,start=-512", /* not even where sectors are counted */
        "header=18446744073709552128",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=1",
    };
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
        struct error error = ERROR_INIT;
        struct disk_geometry g;
        if (geometry_parse(TEXTS[i], &g, &error))
            fail_msg("\"%s\" was taken", TEXTS[i]);
        assert_int_equal(error.code, ERROR_USAGE);
    }
    (void)state;
}

static void test_file(void **state)
{
    struct fixture *f = *state;
    struct error error = ERROR_INIT;
    struct disk_geometry g;
    const char *path = fixture_text(f, "a", "# found\r\n\r\n  unit=4096,tweak=byte # yes\r\n");
    assert_true(geometry_load(path, &g, &error));
    assert_int_equal(g.unit, 4096);
    assert_int_equal(g.tweak, GEOMETRY_BYTES);
    assert_true(geometry_load("unit=1024", &g, &error));
    assert_int_equal(g.unit, 1024);
    static const char *const TEXTS[] = {"", "# nothing\n", "unit=512\nunit=1024\n", "unit=5"};
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
        path = fixture_text(f, "bad", TEXTS[i]);
        assert_false(geometry_load(path, &g, &error));
        assert_int_equal(error.code, ERROR_USAGE);
        assert_string_equal(error.file, path);
    }
    assert_false(geometry_load("/nowhere/at/all", &g, &error));
    char large[GEOMETRY_FILE_MAX + 2];
    memset(large, '#', sizeof large);
    path = fixture_write_at(f, "large", large, sizeof large, 0);
    assert_false(geometry_load(path, &g, &error));
}

static void number_is(const char *text, uint64_t position, const char *hex)
{
    uint8_t number[GEOMETRY_NUMBER_BYTES];
    char shown[2 * sizeof number + 1];
    struct disk_geometry g = parsed(text);
    assert_true(geometry_number(&g, position, number));
    for (size_t i = 0; i < sizeof number; i++)
        snprintf(shown + 2 * i, 3, "%02x", number[i]);
    assert_string_equal(shown, hex);
}

static void test_numbers(void **state)
{
    number_is("unit=4096", 0x1234000, "34120000000000000000000000000000");
    number_is("unit=4096,tweak=sector", 0x1234000, "a0910000000000000000000000000000");
    number_is("unit=4096,tweak=byte", 0x1234000, "00402301000000000000000000000000");
    number_is("unit=512,order=big", 0x20400, "00000000000000000000000000000102");
    number_is("unit=512,order=big64", 0x20400, "00000000000001020000000000000000");
    number_is("unit=512,start=512", 0x20400, "03010000000000000000000000000000");
    number_is("unit=512,start=-512", 0x20400, "01010000000000000000000000000000");
    number_is("unit=512,cipher=cbc-null", 0x20400, "00000000000000000000000000000000");
    number_is("unit=512,cipher=cbc-plain", UINT64_C(0x20000000200),
              "01000000000000000000000000000000");
    number_is("unit=512,cipher=cbc-plain64", UINT64_C(0x20000000200),
              "01000000010000000000000000000000");
    uint8_t number[GEOMETRY_NUMBER_BYTES];
    struct disk_geometry g = parsed("unit=512,start=-1024");
    assert_false(geometry_number(&g, 512, number));
    assert_true(geometry_number(&g, 1024, number));
    (void)state;
}

/* One unit by OpenSSL. */
static void encrypt(const EVP_CIPHER *cipher, const uint8_t *key, const uint8_t *number,
                    uint8_t *data, int length)
{
    int done;
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    assert_int_equal(EVP_EncryptInit_ex(c, cipher, NULL, key, number), 1);
    EVP_CIPHER_CTX_set_padding(c, 0);
    assert_int_equal(EVP_EncryptUpdate(c, data, &done, data, length), 1);
    EVP_CIPHER_CTX_free(c);
}

static void test_decrypt(void **state)
{
    enum { UNIT = 1024, COUNT = 5, FIRST = 7 };
    static const char *const TEXTS[] = {
        "unit=1024",
        "unit=1024,start=1024",
        "unit=1024,start=-9216",
        "unit=1024,tweak=sector,order=big",
        "unit=1024,tweak=byte,order=big64,key=swapped",
        "unit=1024,cipher=cbc-plain64",
        "unit=1024,cipher=cbc-essiv,tweak=sector,key=swapped",
        "unit=1024,cipher=cbc-null",
    };
    struct error error = ERROR_INIT;
    struct secret *key = secret_new(64, &error);
    uint8_t swapped[64], data[COUNT * UNIT], plain[COUNT * UNIT];
    for (size_t i = 0; i < 64; i++)
        swapped[(i + 32) % 64] = key->data[i] = (uint8_t)(i * 7 + 1);
    for (size_t i = 0; i < sizeof plain; i++)
        plain[i] = (uint8_t)(i * i >> 3);
    for (size_t t = 0; t < sizeof TEXTS / sizeof TEXTS[0]; t++) {
        struct disk_geometry g = parsed(TEXTS[t]);
        const uint8_t *from = g.swapped ? swapped : key->data;
        memcpy(data, plain, sizeof data);
        for (size_t i = 0; i < COUNT; i++) {
            uint8_t number[16], hash[32];
            if (!geometry_number(&g, (FIRST + i) * UNIT, number)) {
                assert_true(i < 2);
                continue;
            }
            if (g.cipher == GEOMETRY_CBC_ESSIV) {
                assert_int_equal(EVP_Digest(from, 32, hash, NULL, EVP_sha256(), NULL), 1);
                encrypt(EVP_aes_256_ecb(), hash, NULL, number, 16);
            }
            encrypt(g.cipher == GEOMETRY_XTS ? EVP_aes_256_xts() : EVP_aes_256_cbc(), from, number,
                    data + i * UNIT, UNIT);
        }
        struct geometry_cipher *c = geometry_cipher_new(&g, key, &error);
        assert_non_null(c);
        assert_memory_not_equal(data, plain, sizeof data);
        assert_true(geometry_decrypt(c, FIRST * UNIT, data, sizeof data, &error));
        assert_memory_equal(data, plain, sizeof data);
        assert_false(geometry_decrypt(c, 0, data, UNIT / 2, &error));
        geometry_cipher_free(c);
    }
    secret_free(key);
    key = secret_new(48, &error);
    assert_null(geometry_cipher_new(&(struct disk_geometry){.unit = 0}, key, &error));
    secret_free(key);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_refused_texts),
        cmocka_unit_test_setup_teardown(test_file, fixture_make, fixture_remove),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_decrypt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
