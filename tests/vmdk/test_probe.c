/* probe: geometries made by OpenSSL, unit by unit, are found; random keys find nothing. */
#include "tests/vmdk/encrypted_fixture.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include "vmdk/probe.h"
#include "vmdk/zero.h"

enum { MIB = 1 << 20, IMAGE = 4 * MIB, SECTOR = 512 };

static struct secret *random_key(size_t length)
{
    struct error error = ERROR_INIT;
    struct secret *key = secret_new(length, &error);
    assert_non_null(key);
    assert_int_equal(RAND_bytes(key->data, (int)length), 1);
    return key;
}

/* A disk: partition table, LVM label, a few zeros in a lot of noise. */
static uint8_t *make_plain(void)
{
    uint8_t *data = malloc(IMAGE);
    assert_int_equal(RAND_bytes(data, IMAGE), 1);
    memset(data, 0, SECTOR);
    /* One partition from sector 2048 to 7167. */
    static const uint8_t ENTRY[16] = {0x80, 0, 0, 0, 0x8e, 0, 0, 0, 0, 8, 0, 0, 0, 20, 0, 0};
    memcpy(data + 446, ENTRY, sizeof ENTRY);
    data[510] = 0x55;
    data[511] = 0xaa;
    memcpy(data + MIB + SECTOR, "LABELONE", 8);
    memcpy(data + MIB + SECTOR + 24, "LVM2 001", 8);
    for (size_t at = 0; at < IMAGE; at += 65536)
        memset(data + at + 4096 + at / 65536 * 13 % 54 * 1024, 0, 6000);
    return data;
}

static void encrypt_unit(const struct disk_geometry *g, const uint8_t *key, uint64_t position,
                         uint8_t *data)
{
    uint8_t number[16], hash[32];
    int done;
    if (!geometry_number(g, position, number))
        return;
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    if (g->cipher == GEOMETRY_CBC_ESSIV) {
        assert_int_equal(EVP_Digest(key, 32, hash, NULL, EVP_sha256(), NULL), 1);
        assert_int_equal(EVP_EncryptInit_ex(c, EVP_aes_256_ecb(), NULL, hash, NULL), 1);
        assert_int_equal(EVP_EncryptUpdate(c, number, &done, number, 16), 1);
    }
    const EVP_CIPHER *cipher = g->cipher == GEOMETRY_XTS ? EVP_aes_256_xts() : EVP_aes_256_cbc();
    assert_int_equal(EVP_EncryptInit_ex(c, cipher, NULL, key, number), 1);
    EVP_CIPHER_CTX_set_padding(c, 0);
    assert_int_equal(EVP_EncryptUpdate(c, data, &done, data, (int)geometry_unit(g)), 1);
    EVP_CIPHER_CTX_free(c);
}

/* The file's bytes from its header on. */
static uint8_t *make_cipher(const struct disk_geometry *g, const struct secret *key,
                            const uint8_t *plain)
{
    uint8_t *data = malloc(g->header + IMAGE), ordered[64];
    assert_int_equal(RAND_bytes(data, (int)g->header + 1), 1);
    memcpy(data + g->header, plain, IMAGE);
    memcpy(ordered, key->data + (g->swapped ? 32 : 0), 32);
    memcpy(ordered + 32, key->data + (g->swapped ? 0 : 32), 32);
    for (uint64_t at = 0; at < IMAGE; at += geometry_unit(g))
        encrypt_unit(g, ordered, g->from == GEOMETRY_FILE ? g->header + at : at,
                     data + g->header + at);
    return data;
}

static struct probe_result *probe_file(const char *path, const struct secret *key, uint64_t reach)
{
    struct error error = ERROR_INIT;
    struct probe_result *result = malloc(sizeof *result);
    struct disk *disk = disk_open_raw(path, &error);
    assert_non_null(disk);
    struct probe *probe = probe_new(disk, reach, &error);
    assert_non_null(probe);
    assert_true(probe_key(probe, key, result, &error));
    probe_free(probe);
    disk_close(disk);
    return result;
}

static void test_found(void **state)
{
    static const char *const TEXTS[] = {
        "unit=512,tweak=unit,from=disk",
        "unit=2048,tweak=unit,from=disk",
        "unit=4096,tweak=unit,from=disk",
        "unit=4096,tweak=sector,from=disk",
        "unit=65536,tweak=unit,from=disk",
        "unit=512,tweak=byte,from=disk",
        "unit=32768,tweak=byte,order=big,from=disk",
        "unit=512,tweak=unit,order=big64,from=disk",
        "unit=512,tweak=unit,from=disk,header=1024",
        "unit=4096,tweak=unit,from=disk,header=1048064",
        "unit=8192,tweak=sector,from=disk,header=1048576,key=swapped",
        "unit=4096,tweak=unit,from=file,header=1048576",
        "unit=16384,tweak=sector,from=file,header=512",
        "unit=1024,tweak=byte,from=file,header=131072",
        "unit=512,tweak=unit,from=disk,start=1536",
        "unit=4096,tweak=sector,from=disk,start=1048576",
        "unit=512,tweak=unit,from=disk,start=-131072",
        "unit=512,tweak=unit,cipher=cbc-plain64,from=disk",
        "unit=4096,tweak=sector,cipher=cbc-essiv,from=disk,header=8192",
        "unit=4096,tweak=unit,cipher=cbc-null,from=disk,key=swapped",
    };
    struct fixture *f = *state;
    uint8_t *plain = make_plain();
    struct secret *key = random_key(64);
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
        struct error error = ERROR_INIT;
        struct disk_geometry g;
        char name[16], text[GEOMETRY_TEXT];
        snprintf(name, sizeof name, "%zu", i);
        assert_true(geometry_parse(TEXTS[i], &g, &error));
        uint8_t *data = make_cipher(&g, key, plain);
        const char *path = fixture_write_at(f, name, data, g.header + IMAGE, 0);
        struct probe_result *result = probe_file(path, key, 0);
        geometry_print(&result->geometry, text);
        assert_string_equal(text, TEXTS[i]);
        assert_int_equal(result->verdict, PROBE_PROVED);
        assert_true(result->begins);
        for (size_t j = 0; j < result->other_count; j++) {
            geometry_print(&result->others[j], text);
            print_message("%s: not told from %s\n", TEXTS[i], text);
        }
        /* No number passes 2^32. */
        assert_int_equal(result->other_count, g.cipher == GEOMETRY_CBC_PLAIN64);
        free(result);
        free(data);
        unlink(path);
    }
    secret_free(key);
    free(plain);
}

/* Two extents, the second one deep in its file: found, and read by what was found. */
static void test_extents(void **state)
{
    static const char *const TEXTS[] = {
        "unit=4096,tweak=unit,from=disk",
        "unit=4096,tweak=unit,from=extent",
        "unit=4096,tweak=sector,from=file",
    };
    enum { FIRST = 3 * MIB, AT = 9 * SECTOR };
    struct fixture *f = *state;
    uint8_t *plain = make_plain(), *data = malloc(IMAGE);
    struct vault v = vault_make();
    const struct secret *key = v.dek.key;
    const char *path = vault_descriptor(f, &v, "d.vmdk",
                                        "# Disk DescriptorFile\nversion=1\nCID=fffffffe\n"
                                        "parentCID=ffffffff\ncreateType=\"custom\"\n"
                                        "RW 6144 FLAT \"a\" 0\nRW 2048 FLAT \"b\" 9\n");
    for (size_t i = 0; i < 3; i++) {
        struct error error = ERROR_INIT;
        struct probe_result *result = malloc(sizeof *result);
        struct disk_geometry g;
        char text[GEOMETRY_TEXT];
        assert_true(geometry_parse(TEXTS[i], &g, &error));
        memcpy(data, plain, IMAGE);
        for (uint64_t at = 0; at < IMAGE; at += 4096) {
            uint64_t in_extent = at < FIRST ? at : at - FIRST;
            uint64_t in_file = at < FIRST ? at : at - FIRST + AT;
            encrypt_unit(&g, key->data, i == 0 ? at : i == 1 ? in_extent : in_file, data + at);
        }
        fixture_write_at(f, "a", data, FIRST, 0);
        fixture_write_at(f, "b", data + FIRST, IMAGE - FIRST, AT);
        struct disk *disk = disk_open(path, &(struct disk_options){.raw_ciphertext = true}, &error);
        assert_non_null(disk);
        struct probe *probe = probe_new(disk, 0, &error);
        assert_true(probe_key(probe, key, result, &error));
        geometry_print(&result->geometry, text);
        assert_string_equal(text, TEXTS[i]);
        assert_int_equal(result->verdict, PROBE_PROVED);
        assert_true(result->begins);
        for (size_t j = 0; j < result->other_count; j++) {
            geometry_print(&result->others[j], text);
            print_message("%s: not told from %s\n", TEXTS[i], text);
        }
        assert_int_equal(result->other_count, 0);
        probe_free(probe);
        disk_close(disk);
        free(result);
        disk = disk_open(path, &(struct disk_options){.keyring = &v.ring, .geometry = g}, &error);
        assert_non_null(disk);
        assert_true(disk_read(disk, 0, data, IMAGE, &error));
        assert_memory_equal(data, plain, IMAGE);
        /* Parts of units, over the end of the first extent. */
        memset(data, 0, 9000);
        assert_true(disk_read(disk, FIRST - 4567, data, 9000, &error));
        assert_memory_equal(data, plain + FIRST - 4567, 9000);
        disk_close(disk);
    }
    vault_free(&v);
    free(data);
    free(plain);
}

/* Extents that are none of whole units can only be counted through. */
static void test_odd_extents(void **state)
{
    struct fixture *f = *state;
    struct error error = ERROR_INIT;
    struct vault v = vault_make();
    struct disk_options options = {.keyring = &v.ring};
    const char *path = vault_descriptor(f, &v, "d.vmdk",
                                        "# Disk DescriptorFile\nversion=1\nCID=fffffffe\n"
                                        "parentCID=ffffffff\ncreateType=\"custom\"\n"
                                        "RW 9 FLAT \"a\" 0\nRW 7 FLAT \"b\" 0\n");
    fixture_sized(f, "a", 4096 + 512);
    fixture_sized(f, "b", 4096);
    assert_true(geometry_parse("unit=4096,tweak=sector,from=extent", &options.geometry, &error));
    assert_null(disk_open(path, &options, &error));
    assert_error(error, ERROR_FAILED, "no whole data units of 4096");
    assert_true(geometry_parse("unit=4096,tweak=sector", &options.geometry, &error));
    struct disk *disk = disk_open(path, &options, &error);
    assert_non_null(disk);
    disk_close(disk);
    /* A header that the files have no room for. */
    assert_true(geometry_parse("unit=512,header=1048576", &options.geometry, &error));
    assert_null(disk_open(path, &options, &error));
    assert_error(error, ERROR_DAMAGED, "cut off");
    assert_true(geometry_parse("header=9223372036854775296", &options.geometry, &error));
    assert_null(disk_open(path, &options, &error));
    /* Counted in: each extent is a sector less. */
    assert_true(geometry_parse("header=512", &options.geometry, &error));
    fixture_write_at(f, "b", "", 1, 7 * SECTOR - 1);
    assert_int_equal(truncate(fixture_path(f, "b"), 7 * SECTOR), 0);
    disk = disk_open(path, &options, &error);
    assert_non_null(disk);
    assert_int_equal(disk_size(disk), (9 - 1 + 7 - 1) * SECTOR);
    disk_close(disk);
    vault_free(&v);
}

/* Sector 0 alone proves the key, but decrypts alike under almost everything. */
static void test_not_told_apart(void **state)
{
    struct fixture *f = *state;
    struct error error = ERROR_INIT;
    struct disk_geometry g;
    uint8_t *plain = make_plain();
    struct secret *key = random_key(64);
    assert_true(geometry_parse("unit=512", &g, &error));
    encrypt_unit(&g, key->data, 0, plain);
    fixture_sized(f, "one", IMAGE);
    const char *path = fixture_write_at(f, "one", plain, SECTOR, 0);
    struct probe_result *result = probe_file(path, key, 0);
    assert_int_equal(result->verdict, PROBE_PROVED);
    assert_true(geometry_is_default(&result->geometry));
    /* 8 units, 3 tweaks (units of 512 have 2), 3 orders, less itself. */
    assert_int_equal(result->other_count, 3 * (8 * 3 - 1) - 1);
    assert_int_equal(result->evidence.sectors, 1);
    free(result);
    secret_free(key);
    free(plain);
}

/* A sector with nothing but a word in it. */
static void test_likely(void **state)
{
    struct fixture *f = *state;
    struct error error = ERROR_INIT;
    struct disk_geometry g;
    struct secret *key = random_key(64);
    uint8_t data[4 * SECTOR];
    assert_int_equal(RAND_bytes(data, sizeof data), 1);
    memcpy(data + 3 * SECTOR, "EFI PART", 8);
    assert_true(geometry_parse("unit=512,tweak=byte", &g, &error));
    for (uint64_t at = 0; at < sizeof data; at += SECTOR)
        encrypt_unit(&g, key->data, 5 * SECTOR + at, data + at);
    /* Only one sector, so that it is tried. */
    fixture_sized(f, "word", IMAGE);
    const char *path = fixture_write_at(f, "word", data + 3 * SECTOR, SECTOR, (off_t)8 * SECTOR);
    struct probe_result *result = probe_file(path, key, 0);
    assert_int_equal(result->verdict, PROBE_LIKELY);
    assert_true(geometry_equal(&result->geometry, &g));
    assert_false(result->begins);
    free(result);
    secret_free(key);
}

static void test_looks(void **state)
{
    struct fixture *f = *state;
    struct error error = ERROR_INIT;
    uint8_t *plain = make_plain();
    memset(plain, 'x', 65536);
    const char *path = fixture_write_at(f, "plain", plain, IMAGE, 0);
    struct disk *disk = disk_open_raw(path, &error);
    struct probe *probe = probe_new(disk, 0, &error);
    assert_non_null(probe);
    const struct probe_looks *looks = probe_looks(probe);
    assert_int_equal(looks->blocks[VERIFY_REPEATED] + looks->blocks[VERIFY_UNEVEN],
                     looks->plain_count);
    assert_true(looks->plain_count >= 16);
    assert_int_equal(looks->plain[15], 15 * 4096);
    assert_true(looks->blocks[VERIFY_NOISE] > 64);
    probe_free(probe);
    disk_close(disk);
    /* Nothing at all. */
    path = fixture_sized(f, "empty", SECTOR);
    disk = disk_open_raw(path, &error);
    probe = probe_new(disk, 0, &error);
    assert_int_equal(probe_samples(probe), 0);
    struct probe_result *result = malloc(sizeof *result);
    struct secret *key = random_key(32);
    assert_true(probe_key(probe, key, result, &error));
    assert_int_equal(result->verdict, PROBE_NOTHING);
    secret_free(key);
    key = random_key(48);
    assert_false(probe_key(probe, key, result, &error));
    secret_free(key);
    free(result);
    probe_free(probe);
    disk_close(disk);
    free(plain);
}

/* COUNT random keys on a file of which at least SAMPLES sectors are sampled. */
static void no_key_fits(const char *path, size_t count, uint64_t reach, size_t samples)
{
    struct error error = ERROR_INIT;
    struct probe_result *result = malloc(sizeof *result);
    struct disk *disk = disk_open_raw(path, &error);
    struct probe *probe = probe_new(disk, reach, &error);
    assert_true(probe_samples(probe) >= samples);
    for (size_t i = 0; i < count; i++) {
        struct secret *key = random_key(i % 8 == 7 ? 32 : 64);
        assert_true(probe_key(probe, key, result, &error));
        assert_int_equal(result->verdict, PROBE_NOTHING);
        secret_free(key);
    }
    probe_free(probe);
    disk_close(disk);
    free(result);
}

static void test_random_keys(void **state)
{
    struct fixture *f = *state;
    bool slow = getenv("VMCRYPT_SANITIZED") != NULL;
    struct error error = ERROR_INIT;
    struct disk_geometry g;
    struct secret *key = random_key(64);
    uint8_t *plain = make_plain();
    assert_true(geometry_parse("unit=512", &g, &error));
    uint8_t *data = make_cipher(&g, key, plain);
    fixture_sized(f, "small", IMAGE);
    const char *path = fixture_write_at(f, "small", data, 4096, MIB);
    /* Nearby headers only, since this takes time; the bound is the same. */
    no_key_fits(path, slow ? 200 : 10000, 16384, 8);
    path = fixture_write_at(f, "all", data, IMAGE, 0);
    no_key_fits(path, slow ? 1 : 5, 0, 1000);
    free(data);
    free(plain);
    secret_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_found, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(test_extents, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(test_odd_extents, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(test_not_told_apart, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(test_likely, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(test_looks, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(test_random_keys, fixture_make, fixture_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
