/* Tests of vmdk/verify: what is noise and what is not. */
#include "vmdk/verify.h"

#include "tests/vmdk/encrypted_fixture.h"

#include <openssl/rand.h>

enum { BLOCK = 4096, MIB = 1 << 20 };

static void looks(void **state)
{
    (void)state;
    uint8_t block[BLOCK] = {0};
    assert_int_equal(verify_look_at(block, BLOCK), VERIFY_ZEROS);
    assert_int_equal(verify_look_at(block, 512), VERIFY_ZEROS);
    for (int i = 0; i < 200000; i++) {
        assert_int_equal(RAND_bytes(block, BLOCK), 1);
        size_t length = i % 3 == 0 ? 512 * (size_t)(1 + i % 8) : BLOCK;
        if (i % 5 == 0)
            memset(block + 512, 0, 1024);
        assert_int_equal(verify_look_at(block, length), VERIFY_NOISE);
    }
    memcpy(block + 4080, block, 16);
    assert_int_equal(verify_look_at(block, BLOCK), VERIFY_REPEATED);
    /* Text of which no 16 bytes are alike. */
    for (size_t i = 0; i < BLOCK; i++)
        block[i] = (uint8_t) "the quick brown fox jumps over a lazy dog"[(i * i + i / 7) % 41];
    for (size_t i = 0; i < BLOCK; i += 16)
        snprintf((char *)block + i, 16, "%05zu", i * 7919);
    assert_true(verify_look_at(block, BLOCK) == VERIFY_UNEVEN);
    assert_true(verify_look_at(block, 512) == VERIFY_UNEVEN);
    /* Noise of seven bits. */
    assert_int_equal(RAND_bytes(block, BLOCK), 1);
    for (size_t i = 0; i < BLOCK; i++)
        block[i] &= 0x7f;
    assert_int_equal(verify_look_at(block, BLOCK), VERIFY_UNEVEN);
}

static void map_of_ranges(void **state)
{
    struct fixture *f = *state;
    struct error error = ERROR_INIT;
    struct verify_map *map = malloc(sizeof *map);
    uint8_t *noise = malloc(MIB);
    assert_int_equal(RAND_bytes(noise, MIB), 1);
    fixture_sized(f, "d", 8 * MIB);
    fixture_write_at(f, "d", noise, MIB, 0);
    fixture_write_at(f, "d", noise, MIB, 4 * MIB);
    const char *path = fixture_write_at(f, "d", "plain text", 10, 4 * MIB + 8192);
    memset(noise, 'x', 8192);
    fixture_write_at(f, "d", noise, 8192, 4 * MIB + 65536);
    struct disk *disk = disk_open_raw(path, &error);
    assert_non_null(disk);
    assert_true(verify_cipher(disk, NULL, map, &error));
    assert_int_equal(map->count, 3);
    assert_int_equal(map->ranges[0].offset, MIB);
    assert_int_equal(map->ranges[0].length, 3 * MIB);
    assert_int_equal(map->ranges[0].look, VERIFY_ZEROS);
    assert_int_equal(map->ranges[1].offset, 4 * MIB + 65536);
    assert_int_equal(map->ranges[1].length, 8192);
    assert_int_equal(map->ranges[1].look, VERIFY_REPEATED);
    assert_int_equal(map->bytes[VERIFY_NOISE], 2 * MIB - 8192);
    assert_int_equal(map->bytes[VERIFY_ZEROS], 6 * MIB);
    disk_close(disk);
    free(noise);
    free(map);
}

#define with_files(test) cmocka_unit_test_setup_teardown(test, fixture_make, fixture_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(looks), with_files(map_of_ranges)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
