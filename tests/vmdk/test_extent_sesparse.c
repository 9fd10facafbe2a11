/* seSparse extents: a real one, images made here against a model and qemu-img, and damaged
 * fields. */
#include <zlib.h>

#include "tests/vmdk/grains_fixture.h"

enum {
    GRAIN = 4096,
    SPAN = 4096 * GRAIN,       /* of a table */
    SECTORS = 3 * 32768 - 133, /* ends within a grain */
    BYTES = SECTORS * SECTOR_BYTES,
    CONSTANT = 0,
    VOLATILE = 1, /* places in sectors */
    JOURNAL_HEADER = 2,
    JOURNAL = 4,
    JOURNAL_SECTORS = 100,
    DIRECTORY = 104,
    TABLES = 105,
    TABLE_COUNT = 3,
    BITMAP = TABLES + TABLE_COUNT * 64,
    BACK_MAP = BITMAP + 8,
    DATA = BACK_MAP + 8,
    DATA_SECTORS = 3 * 32768,
    GRAINS = 500,
};
#define HIGH(x) ((uint64_t)(x) << 32)

static uint64_t at_sector(uint64_t sector)
{
    return sector * SECTOR_BYTES;
}

/* Where the header has offset and size of region NUMBER. */
static uint64_t region_at(size_t number)
{
    return 80 + 16 * number;
}

static void put_headers(const struct image *image)
{
    static const uint32_t REGIONS[][2] = {
        {VOLATILE, 1},  {JOURNAL_HEADER, 2},        {JOURNAL, JOURNAL_SECTORS},
        {DIRECTORY, 1}, {TABLES, TABLE_COUNT * 64}, {BITMAP, 8},
        {BACK_MAP, 8},  {DATA, DATA_SECTORS},
    };
    put_u64(image, 0, 0xcafebabe);
    put_u64(image, 8, HIGH(2) | 1);
    put_u64(image, 16, SECTORS);
    put_u64(image, 24, 8);
    put_u64(image, 32, 64);
    for (size_t i = 0; i < sizeof REGIONS / sizeof REGIONS[0]; i++) {
        put_u64(image, region_at(i), REGIONS[i][0]);
        put_u64(image, region_at(i) + 8, REGIONS[i][1]);
    }
    put_u64(image, at_sector(VOLATILE), 0xcafecafe);
    put_u64(image, at_sector(VOLATILE) + 8, 2);
    put_u64(image, at_sector(VOLATILE) + 16, 36);
}

/* Guest table 0 is grain table 1, guest table 2 is grain table 0. */
static uint64_t entry_at(uint32_t grain)
{
    uint64_t table = grain < 4096 ? 1 : 0;
    return at_sector(TABLES + 64 * table) + grain % 4096 * 8;
}

static void put_grain(const struct image *image, uint8_t *model, uint32_t grain, uint64_t number)
{
    uint64_t at = at_sector(DATA) + number * GRAIN, start = (uint64_t)grain * GRAIN;
    size_t bytes = BYTES - start < GRAIN ? (size_t)(BYTES - start) : GRAIN;
    put_u64(image, entry_at(grain), HIGH(0x30000000) | (number & 0xfff) << 48 | number >> 12);
    fill_pattern(image->bytes + at, GRAIN, grain);
    memcpy(model + start, image->bytes + at, bytes);
}

static struct image make(uint8_t *model)
{
    struct image image = image_new(at_sector(DATA) + (size_t)(4096 + GRAINS) * GRAIN);
    uint64_t number = 0;
    put_headers(&image);
    put_u64(&image, at_sector(DIRECTORY), HIGH(0x10000000) | 1);
    put_u64(&image, at_sector(DIRECTORY) + 16, HIGH(0x10000000));
    memset(model, 0, BYTES);
    for (uint32_t i = 0; i < 200; i++)
        put_grain(&image, model, 10 + i, number++);
    for (uint32_t i = 0; i < 100; i++)
        put_grain(&image, model, 500 - i, number++);
    /* Their numbers need the upper 48 bits too. */
    for (uint32_t i = 0; i < 100; i++)
        put_grain(&image, model, 3 * 4096 - 17 - i, 4096 + number++);
    for (uint32_t i = 0; i < 30; i++) {
        put_u64(&image, entry_at(1000 + i), HIGH(0x20000000));
        put_u64(&image, entry_at(1030 + i), HIGH(0x10000000));
    }
    return image;
}

static void test_reads(void **state)
{
    uint8_t *model = malloc(BYTES);
    struct image image = make(model);
    const char *path = image_write(*state, &image, "SESPARSE", "x.vmdk", SECTORS);
    assert_reads(path, model, BYTES);
    assert_reads(fixture_path(*state, "x.vmdk"), model, BYTES); /* bare */
    assert_qemu_agrees(*state, path, model, BYTES);
    free(image.bytes);
    free(model);
}

static void assert_place(const struct disk *disk, uint64_t grain, enum disk_place_kind kind,
                         uint64_t bytes, uint64_t number)
{
    struct error error = ERROR_INIT;
    struct disk_place place;
    assert_true(disk_place_at(disk, grain * GRAIN, &place, &error));
    assert_int_equal(place.kind, kind);
    assert_int_equal(place.length, bytes);
    if (kind == DISK_PLACE_STORED)
        assert_int_equal(place.file_offset, at_sector(DATA) + number * GRAIN);
}

static void test_runs(void **state)
{
    uint8_t *model = malloc(BYTES), data[GRAIN];
    struct image image = make(model);
    struct disk *disk = open_or_fail(image_write(*state, &image, "SESPARSE", "x.vmdk", SECTORS));
    assert_int_equal(notes_count(disk_notes(disk)), 0);
    assert_place(disk, 0, DISK_PLACE_HOLE, 10 * GRAIN, 0);
    assert_place(disk, 10, DISK_PLACE_STORED, 200 * GRAIN, 0);
    assert_place(disk, 401, DISK_PLACE_STORED, GRAIN, 299);
    assert_place(disk, 501, DISK_PLACE_HOLE, 499 * GRAIN, 0);
    assert_false(has_note(disk, "unmapped"));
    /* Zeros by either kind of entry. */
    assert_place(disk, 1000, DISK_PLACE_ZERO, 60 * GRAIN, 0);
    read_or_fail(disk, 1030 * GRAIN, data, sizeof data);
    read_or_fail(disk, 1031 * GRAIN, data, sizeof data);
    assert_true(has_note(disk, "unmapped grains (kind 1), which are read as zeros"));
    assert_int_equal(notes_count(disk_notes(disk)), 1);
    assert_place(disk, 4096, DISK_PLACE_HOLE, SPAN, 0);
    disk_close(disk);
    free(image.bytes);
    free(model);
}

static void test_damage(void **state)
{
    static const struct damage DAMAGES[] = {
        {0, 8, 0xcafebabf, ERROR_DAMAGED, "no seSparse extent"},
        {8, 8, HIGH(2) | 2, ERROR_FAILED, "unknown version 2.2"},
        {16, 8, SECTORS + 8, ERROR_DAMAGED, "by the descriptor"},
        {16, 8, UINT64_MAX, ERROR_DAMAGED, "by the descriptor"},
        {24, 8, 16, ERROR_FAILED, "with grains of 16 sectors"},
        {32, 8, 32, ERROR_FAILED, "grain tables of 32"},
        {40, 8, 1, ERROR_FAILED, "unknown flags (0x1)"},
        {48, 8, 1, ERROR_FAILED, "reserved fields in use"},
        {72, 8, HIGH(1), ERROR_FAILED, "reserved fields in use"},
        {80, 8, 0, ERROR_DAMAGED, "its volatile header lies over the header"},
        {80, 8, UINT64_MAX, ERROR_DAMAGED, "its volatile header lies beyond any file"},
        {80, 8, 3, ERROR_DAMAGED, "lies over its volatile header"},
        {128, 8, UINT64_MAX / 512, ERROR_DAMAGED, "its grain directory lies beyond any file"},
        {128, 8, 1 << 20, ERROR_DAMAGED, "its grain directory lies beyond the end"},
        {128, 8, TABLES + 2, ERROR_DAMAGED, "lies over its grain directory"},
        {136, 8, 0, ERROR_DAMAGED, "a grain directory of 0 entries"},
        {136, 8, UINT64_MAX, ERROR_DAMAGED, "its grain directory lies beyond any file"},
        {144, 8, DATA, ERROR_DAMAGED, "lies over its"},
        {152, 8, 0, ERROR_DAMAGED, "its space for grain tables is missing"},
        {152, 8, 64, ERROR_DAMAGED, "a grain table beyond the space"},
        {192, 8, UINT64_MAX, ERROR_DAMAGED, "its space for grains lies beyond any file"},
        {192, 8, 1, ERROR_DAMAGED, "lies over its"},
        {192, 8, DATA + 1000000, ERROR_DAMAGED, "a grain that lies beyond the end"},
        {200, 8, 64, ERROR_DAMAGED, "a grain beyond the space"},
        {200, 8, 8 * (4096 + 399) + 1, ERROR_NONE, NULL}, /* just enough */
        {200, 8, 8 * (4096 + 399), ERROR_DAMAGED, "a grain beyond the space"},
        {96, 8, UINT64_MAX, ERROR_NONE, NULL}, /* the journal header, which is not needed */
        {160, 8, UINT64_MAX, ERROR_NONE, NULL},
        {176, 8, 1, ERROR_DAMAGED, "its back map lies over its"},
        {508, 4, 1, ERROR_NONE, NULL},
        {VOLATILE * 512, 8, 0xcafebabe, ERROR_DAMAGED, "no volatile header"},
        {DIRECTORY * 512, 8, 1, ERROR_DAMAGED, "unknown kind of entry in the grain directory"},
        {DIRECTORY * 512, 8, HIGH(0x20000000), ERROR_DAMAGED, "unknown kind of entry in the"},
        {DIRECTORY * 512, 8, HIGH(0x10000001), ERROR_DAMAGED, "unknown kind of entry in the"},
        {DIRECTORY * 512, 8, HIGH(0x10000000) | 3, ERROR_DAMAGED, "a grain table beyond the space"},
        {TABLES * 512, 8, 7, ERROR_DAMAGED, "an absent grain that has a number"},
        {TABLES * 512, 8, HIGH(0x40000000), ERROR_DAMAGED, "unknown kind of entry in a grain"},
        {TABLES * 512, 8, HIGH(0xf0000000), ERROR_DAMAGED, "unknown kind of entry in a grain"},
        {TABLES * 512, 8, UINT64_MAX >> 2, ERROR_DAMAGED, "a grain beyond the space"},
        {TABLES * 512, 8, HIGH(0x30000000) | 2, ERROR_DAMAGED, "beyond the end of the file"},
        /* Behind the end of the disk. */
        {TABLES * 512 + 4095 * 8, 8, HIGH(0xf0000000), ERROR_NONE, NULL},
    };
    uint8_t *model = malloc(BYTES);
    struct image image = make(model);
    for (size_t i = 0; i < sizeof DAMAGES / sizeof DAMAGES[0]; i++)
        assert_damage(*state, &image, &DAMAGES[i], "SESPARSE", SECTORS);
    free(image.bytes);
    free(model);
}

static void test_bad_entry_place(void **state)
{
    uint8_t *model = malloc(BYTES), data[3 * GRAIN];
    struct image image = make(model);
    struct error error = ERROR_INIT;
    put_u64(&image, entry_at(11), HIGH(0x50000000));
    struct disk *disk = open_or_fail(image_write(*state, &image, "SESPARSE", "x.vmdk", SECTORS));
    read_or_fail(disk, 10 * GRAIN, data, GRAIN);
    read_or_fail(disk, 12 * GRAIN, data, GRAIN);
    assert_false(disk_read(disk, 10 * GRAIN, data, sizeof data, &error));
    assert_error(error, ERROR_DAMAGED, "(entry 0x5000000000000000)");
    assert_int_equal(error.offset, entry_at(11));
    disk_close(disk);
    free(image.bytes);
    free(model);
}

/* Cut off anywhere: an error or the right bytes. */
static void test_cut_off(void **state)
{
    uint8_t *model = malloc(BYTES), data[GRAIN];
    struct image image = make(model);
    struct error error = ERROR_INIT;
    image.length -= 1;
    struct disk *disk = open_or_fail(image_write(*state, &image, "SESPARSE", "x.vmdk", SECTORS));
    read_or_fail(disk, 10 * GRAIN, data, GRAIN);
    image.length = at_sector(DATA) + GRAIN;
    disk_close(disk);
    disk = open_or_fail(image_write(*state, &image, "SESPARSE", "x.vmdk", SECTORS));
    read_or_fail(disk, 10 * GRAIN, data, GRAIN);
    assert_memory_equal(data, model + 10 * GRAIN, GRAIN);
    assert_false(disk_read(disk, 11 * GRAIN, data, GRAIN, &error));
    assert_error(error, ERROR_DAMAGED, "beyond the end of the file");
    disk_close(disk);
    image.length = at_sector(BITMAP) - 1;
    error_clear(&error);
    assert_false(try_all(image_write(*state, &image, "SESPARSE", "x.vmdk", SECTORS), &error));
    assert_error(error, ERROR_DAMAGED,
                 "its space for grain tables lies beyond the end of the file");
    free(image.bytes);
    free(model);
}

static void put_transaction(const struct image *image, uint64_t sector, uint64_t sectors,
                            uint64_t number)
{
    put_u64(image, at_sector(JOURNAL + sector), 0xc0ffee);
    put_u64(image, at_sector(JOURNAL + sector) + 24, sectors);
    put_u64(image, at_sector(JOURNAL + sector) + 40, number);
}

static void test_journal(void **state)
{
    uint8_t *model = malloc(BYTES);
    struct image image = make(model);
    put_u64(&image, at_sector(VOLATILE) + 24, 1);
    const char *path = image_write(*state, &image, "SESPARSE", "x.vmdk", SECTORS);
    struct disk *disk = open_or_fail(path);
    assert_true(has_note(disk, "journal was not replayed (state 1)"));
    assert_false(has_note(disk, "transactions"));
    disk_close(disk);
    put_transaction(&image, 0, 6, 9);
    put_transaction(&image, 2, 1, 1000); /* in what the first one writes */
    put_transaction(&image, 25, 80, 7); /* goes beyond what is read at a time, and beyond the end */
    put_transaction(&image, 99, 1, 1000);
    disk = open_or_fail(image_write(*state, &image, "SESPARSE", "x.vmdk", SECTORS));
    assert_true(has_note(disk, "it seems to hold 2 transactions, numbers 7 to 9"));
    disk_close(disk);
    assert_reads(path, model, BYTES);
    free(image.bytes);
    free(model);
}

/* An empty delta of 62 TiB, its directory and its tables in a hole. */
static void test_empty_and_large(void **state)
{
    enum { COUNT = 4063232 };
    struct image image = image_new(at_sector(2));
    struct error error = ERROR_INIT;
    uint64_t directory = COUNT / 64, tables = (uint64_t)COUNT * 64, sectors = COUNT * 32768ULL;
    put_headers(&image);
    put_u64(&image, 16, sectors);
    put_u64(&image, region_at(3), 2048);
    put_u64(&image, region_at(3) + 8, directory);
    put_u64(&image, region_at(4), 2048 + directory);
    put_u64(&image, region_at(4) + 8, tables);
    put_u64(&image, region_at(7), 2048 + directory + tables);
    put_u64(&image, region_at(7) + 8, sectors);
    const char *path = image_write(*state, &image, "SESPARSE", "x.vmdk", sectors);
    off_t end = (off_t)at_sector(2048 + directory + tables);
    assert_int_equal(truncate(fixture_path(*state, "x.vmdk"), end), 0);
    struct disk *disk = open_or_fail(path);
    enum disk_run run;
    uint64_t length, steps = 0;
    for (uint64_t at = 0; at < disk_size(disk); at += length, steps++) {
        assert_true(disk_run_at(disk, at, &run, &length, &error));
        assert_int_equal(run, DISK_ZERO);
    }
    assert_in_range(steps, 1, 10000);
    disk_close(disk);
    free(image.bytes);
}

/* The extent that ESXi wrote. */
static bool unpack_sample(const char *from, const char *to)
{
    static uint8_t data[1 << 16];
    gzFile in = gzopen(from, "rb");
    FILE *out = fopen(to, "wb");
    assert_non_null(in);
    assert_non_null(out);
    int got;
    while ((got = gzread(in, data, sizeof data)) > 0)
        assert_int_equal(fwrite(data, 1, (size_t)got, out), got);
    gzclose(in);
    return fclose(out) == 0 && got == 0;
}

static void test_real(void **state)
{
    enum { REAL_SECTORS = 0x100000, FILLED = 16 << 20 };
    char sample[512], text[512];
    static uint8_t data[1 << 20];
    if (!fixture_sample("vmdk/sesparse.vmdk.gz", sample, sizeof sample))
        skip();
    const char *bare = fixture_path(*state, "real.vmdk");
    assert_true(unpack_sample(sample, bare));
    snprintf(text, sizeof text,
             "# Disk DescriptorFile\nversion=1\nCID=11111111\nparentCID=ffffffff\n"
             "createType=\"seSparse\"\nRW %d SESPARSE \"real.vmdk\"\n",
             REAL_SECTORS);
    const char *paths[] = {fixture_text(*state, "d.vmdk", text), bare};
    for (size_t i = 0; i < 2; i++) {
        struct disk *disk = open_or_fail(paths[i]);
        struct error error = ERROR_INIT;
        struct disk_place place;
        assert_int_equal(disk_size(disk), at_sector(REAL_SECTORS));
        for (uint64_t at = 0; at < disk_size(disk); at += sizeof data) {
            read_or_fail(disk, at, data, sizeof data);
            for (size_t k = 0; k < sizeof data; k++)
                if (data[k] != (at < FILLED ? 'a' : 0))
                    fail_msg("wrong byte at %llu", (unsigned long long)(at + k));
        }
        assert_true(disk_place_at(disk, 0, &place, &error));
        assert_int_equal(place.length, FILLED);
        assert_int_equal(place.file_offset, 12288 * 512);
        assert_true(disk_place_at(disk, FILLED, &place, &error));
        assert_int_equal(place.length, disk_size(disk) - FILLED);
        assert_int_equal(notes_count(disk_notes(disk)), i);
        disk_close(disk);
    }
    /* Its journal is of use to see that transactions are counted right: the volatile header says
     * that number 36 comes next. */
    uint8_t dirty = 1;
    fixture_write_at(*state, "real.vmdk", &dirty, 1, 512 + 24);
    struct disk *disk = open_or_fail(paths[0]);
    assert_true(has_note(disk, "32 transactions, numbers 4 to 35"));
    disk_close(disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_reads, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(test_runs, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(test_damage, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(test_bad_entry_place, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(test_cut_off, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(test_journal, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(test_empty_and_large, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(test_real, fixture_make, fixture_remove),
    };
    return cmocka_run_group_tests_name("extent_sesparse", tests, NULL, NULL);
}
