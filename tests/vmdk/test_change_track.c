/* Change tracking files: the header, what is inferred of the rest, and files that are none. */
#include "tests/vmdk/fixture.h"

#include "base/file.h"
#include "vmdk/change_track.h"

enum { HEADER = 512, BLOCK = 65536, BLOCKS = 20000 };

static void put(uint8_t *to, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        to[i] = (uint8_t)(value >> 8 * i);
}

static void make_header(uint8_t *header)
{
    memset(header, 0, HEADER);
    memcpy(header, "\xa2\x72\x19\xf6", 4);
    put(header + 4, 1, 4);
    put(header + 12, 0x200, 4);
    put(header + 16, 0x1122334455667788, 8);
    put(header + 24, 0x99aabbccddeeff00, 8);
    put(header + 32, 3232, 4);
    put(header + 36, 3636, 4);
    put(header + 40, 4040, 4);
    for (uint8_t i = 0; i < 16; i++)
        header[44 + i] = (uint8_t)(0x50 + i);
}

struct file {
    const char *path;
    int fd;
};

static struct file make(struct fixture *f, const uint32_t *records, size_t count)
{
    uint8_t header[HEADER], *data = malloc(count * 4 + 1);
    struct error error = ERROR_INIT;
    make_header(header);
    for (size_t i = 0; i < count; i++)
        put(data + 4 * i, records[i], 4);
    fixture_write_at(f, "x-ctk.vmdk", header, sizeof header, 0);
    struct file file = {.path = fixture_write_at(f, "x-ctk.vmdk", data, count * 4, HEADER)};
    free(data);
    file.fd = file_open_read(file.path, &error);
    assert_true(file.fd >= 0);
    return file;
}

struct seen {
    size_t count, most;
    struct change_track_area areas[8];
};

static bool see(void *context, const struct change_track_area *area)
{
    struct seen *seen = context;
    assert_true(seen->count < seen->most);
    seen->areas[seen->count++] = *area;
    return seen->count < seen->most;
}

static void test_header(void **state)
{
    struct file file = make(*state, NULL, 0);
    struct change_track ct;
    struct error error = ERROR_INIT;
    assert_true(change_track_load(file.fd, file.path, 0, &ct, &error));
    assert_int_equal(ct.file_bytes, HEADER);
    assert_int_equal(ct.version, 1);
    assert_int_equal(ct.field_8, 0);
    assert_int_equal(ct.field_12, 0x200);
    assert_true(ct.field_16 == 0x1122334455667788 && ct.field_24 == 0x99aabbccddeeff00);
    assert_int_equal(ct.field_32, 3232);
    assert_int_equal(ct.field_36, 3636);
    assert_int_equal(ct.field_40, 4040);
    assert_memory_equal(ct.id, "PQRSTUVWXYZ[\\]^_", 16);
    assert_int_equal(ct.records, 0);
    assert_int_equal(ct.block_bytes, 0);
    close(file.fd);
}

/* The one real size that is known: 40 GiB, 2,621,952 bytes. */
static void test_real_size(void **state)
{
    struct file file = make(*state, NULL, 0);
    struct change_track ct;
    struct error error = ERROR_INIT;
    assert_int_equal(truncate(file.path, 2621952), 0);
    assert_true(change_track_load(file.fd, file.path, UINT64_C(42949672960), &ct, &error));
    assert_int_equal(ct.records, 655360);
    assert_int_equal(ct.block_bytes, BLOCK);
    close(file.fd);
}

static void test_areas(void **state)
{
    static uint32_t records[BLOCKS];
    const uint64_t disk = (uint64_t)BLOCKS * BLOCK - 1024;
    struct change_track ct;
    struct change_track_sum sum;
    struct error error = ERROR_INIT;
    records[0] = 7;
    for (size_t i = 16380; i < 16390; i++) /* across what is read at a time */
        records[i] = 3;
    records[16390] = 0xffffffff;
    records[BLOCKS - 2] = records[BLOCKS - 1] = 1;
    struct file file = make(*state, records, BLOCKS);
    assert_true(change_track_load(file.fd, file.path, disk, &ct, &error));
    assert_int_equal(ct.block_bytes, BLOCK);
    assert_true(change_track_count(file.fd, file.path, &ct, &sum, &error));
    assert_int_equal(sum.set, 14);
    assert_int_equal(sum.bits, 3 + 10 * 2 + 32 + 2);
    assert_int_equal(sum.highest, 0xffffffff);
    struct seen seen = {.most = 8};
    assert_true(change_track_each(file.fd, file.path, &ct, see, &seen, &error));
    static const struct change_track_area WANTED[] = {
        {0, BLOCK, 7},
        {16380ULL * BLOCK, 10ULL * BLOCK, 3},
        {16390ULL * BLOCK, BLOCK, 0xffffffff},
        {(BLOCKS - 2ULL) * BLOCK, 2ULL * BLOCK - 1024, 1},
    };
    assert_int_equal(seen.count, 4);
    for (size_t i = 0; i < seen.count; i++) {
        assert_int_equal(seen.areas[i].offset, WANTED[i].offset);
        assert_int_equal(seen.areas[i].length, WANTED[i].length);
        assert_int_equal(seen.areas[i].number, WANTED[i].number);
    }
    seen = (struct seen){.most = 2};
    assert_true(change_track_each(file.fd, file.path, &ct, see, &seen, &error));
    assert_int_equal(seen.count, 2);
    close(file.fd);
}

/* Where the layout does not fit nothing is made up, but what is there can be counted. */
static void test_other_layout(void **state)
{
    static uint32_t records[BLOCKS];
    static const uint8_t OTHER[] = {0, 4};
    struct change_track ct;
    struct change_track_sum sum;
    struct error error = ERROR_INIT;
    struct seen seen = {.most = 0};
    records[5] = 5;
    struct file file = make(*state, records, BLOCKS);
    assert_true(change_track_load(file.fd, file.path, 1 << 30, &ct, &error));
    assert_int_equal(ct.block_bytes, 0);
    assert_true(change_track_count(file.fd, file.path, &ct, &sum, &error));
    assert_int_equal(sum.bits, 2);
    assert_true(change_track_each(file.fd, file.path, &ct, see, &seen, &error));
    assert_true(change_track_load(file.fd, file.path, UINT64_C(1) << 31, &ct, &error));
    assert_int_equal(ct.block_bytes, 0);
    fixture_write_at(*state, "x-ctk.vmdk", OTHER, sizeof OTHER, 12);
    assert_true(change_track_load(file.fd, file.path, (uint64_t)BLOCKS * BLOCK, &ct, &error));
    assert_int_equal(ct.block_bytes, 0);
    close(file.fd);
}

static void test_not_one(void **state)
{
    struct file file = make(*state, NULL, 0);
    struct change_track ct;
    struct error error = ERROR_INIT;
    fixture_write_at(*state, "x-ctk.vmdk", "\xa3", 1, 0);
    assert_false(change_track_load(file.fd, file.path, 0, &ct, &error));
    assert_error(error, ERROR_DAMAGED, "no change tracking file");
    assert_int_equal(truncate(file.path, 100), 0);
    error_clear(&error);
    assert_false(change_track_load(file.fd, file.path, 0, &ct, &error));
    assert_int_equal(error.code, ERROR_DAMAGED);
    close(file.fd);
}

/* A file that shrinks under the reader is an error, not zeros. */
static void test_shrinks(void **state)
{
    static uint32_t records[BLOCKS];
    struct file file = make(*state, records, BLOCKS);
    struct change_track ct;
    struct change_track_sum sum;
    struct error error = ERROR_INIT;
    assert_true(change_track_load(file.fd, file.path, (uint64_t)BLOCKS * BLOCK, &ct, &error));
    assert_int_equal(truncate(file.path, HEADER + 4 * BLOCKS - 1), 0);
    assert_false(change_track_count(file.fd, file.path, &ct, &sum, &error));
    assert_int_equal(error.code, ERROR_DAMAGED);
    close(file.fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_header, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(test_real_size, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(test_areas, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(test_other_layout, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(test_not_one, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(test_shrinks, fixture_make, fixture_remove),
    };
    return cmocka_run_group_tests_name("change_track", tests, NULL, NULL);
}
