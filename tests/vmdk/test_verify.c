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
    assert_true(verify_cipher(disk, &(struct verify_options){0}, map, &error));
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

/* Noise, text and holes, in pieces of all sizes. */
static void fill_mixed(struct fixture *f, const char *name, size_t size)
{
    uint8_t *data = malloc(MIB);
    unsigned seed = 7;
    fixture_sized(f, name, (off_t)size);
    const char *path = fixture_path(f, name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    for (size_t at = 0; at < size;) {
        seed = seed * 1103515245 + 12345;
        size_t length = ((size_t)1 << (9 + seed / 65536 % 10)) + 512 * (seed / 999 % 5);
        length = length < size - at ? length : size - at;
        length = length < MIB ? length : MIB;
        if (seed / 77 % 3 == 0)
            memset(data, 't', length);
        else
            assert_int_equal(RAND_bytes(data, (int)length), 1);
        if (seed / 31 % 4 != 0)
            assert_int_equal(pwrite(fd, data, length, (off_t)at), length);
        at += length;
    }
    close(fd);
    free(data);
}

/* What one reads block by block, without the engine. */
static void map_by_hand(const char *path, size_t size, uint64_t *bytes)
{
    uint8_t block[BLOCK];
    struct error error = ERROR_INIT;
    int fd = file_open_read(path, &error);
    memset(bytes, 0, VERIFY_LOOKS * sizeof *bytes);
    for (size_t at = 0; at < size; at += BLOCK) {
        size_t length = size - at < BLOCK ? size - at : BLOCK;
        assert_int_equal(pread(fd, block, length, (off_t)at), length);
        bytes[verify_look_at(block, length)] += length;
    }
    close(fd);
}

static void any_number_of_threads(void **state)
{
    struct fixture *f = *state;
    struct error error = ERROR_INIT;
    static struct verify_map one, many;
    uint64_t bytes[VERIFY_LOOKS];
    size_t size = 97 * MIB + 1536;
    fill_mixed(f, "d", size);
    const char *path = fixture_path(f, "d");
    map_by_hand(path, size, bytes);
    struct disk *disk = disk_open_raw(path, &error);
    assert_non_null(disk);
    assert_true(verify_cipher(disk, &(struct verify_options){.threads = 1}, &one, &error));
    assert_memory_equal(one.bytes, bytes, sizeof bytes);
    assert_true(one.count > 100);
    uint64_t end = 0;
    for (size_t i = 0; i < one.count; i++) {
        assert_true(one.ranges[i].offset >= end);
        end = one.ranges[i].offset + one.ranges[i].length;
    }
    for (unsigned threads = 0; threads <= 16; threads += threads < 4 ? 1 : 4) {
        assert_true(
            verify_cipher(disk, &(struct verify_options){.threads = threads}, &many, &error));
        assert_memory_equal(&one, &many, sizeof one);
    }
    disk_close(disk);
}

/* The file ends in the 11th chunk, and all behind it fail too. */
static void lowest_error(void **state)
{
    struct fixture *f = *state;
    static struct verify_map map;
    fill_mixed(f, "d", 40 * MIB);
    const char *path = fixture_path(f, "d");
    struct error opening = ERROR_INIT;
    struct disk *disk = disk_open_raw(path, &opening);
    assert_non_null(disk);
    assert_int_equal(truncate(path, 10 * MIB + 12345), 0);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "x", 1, 10 * MIB + 12344), 1);
    close(fd);
    for (unsigned threads = 1; threads <= 16; threads++) {
        struct error error = ERROR_INIT;
        assert_false(
            verify_cipher(disk, &(struct verify_options){.threads = threads}, &map, &error));
        assert_error(error, ERROR_DAMAGED, "file ends here");
        assert_int_equal(error.offset, 10 * MIB + 12345);
    }
    disk_close(disk);
}

static bool refuse(void *user, uint64_t done, uint64_t total)
{
    assert_true(done <= total);
    ++*(int *)user;
    return false;
}

static void interrupted(void **state)
{
    struct fixture *f = *state;
    struct error error = ERROR_INIT;
    static struct verify_map map;
    int calls = 0;
    fill_mixed(f, "d", 64 * MIB);
    struct disk *disk = disk_open_raw(fixture_path(f, "d"), &error);
    assert_non_null(disk);
    struct progress progress = {refuse, &calls};
    assert_false(verify_cipher(
        disk, &(struct verify_options){.threads = 3, .rate = 16 * MIB, .progress = &progress}, &map,
        &error));
    assert_error(error, ERROR_FAILED, "interrupted");
    assert_true(calls > 0);
    /* It did not go to the end. */
    assert_true(map.bytes[VERIFY_NOISE] + map.bytes[VERIFY_REPEATED] < 40 * MIB);
    disk_close(disk);
}

#define with_files(test) cmocka_unit_test_setup_teardown(test, fixture_make, fixture_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(looks),  with_files(map_of_ranges), with_files(any_number_of_threads),
        with_files(lowest_error), with_files(interrupted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
