/* COWD extents: against a model, qemu-img, and damaged fields. */
#include "tests/vmdk/grains_fixture.h"

enum {
    SECTORS = 2 * 4096 + 100, /* two whole tables and a part */
    BYTES = SECTORS * SECTOR_BYTES,
    TABLE = 4096 * 4,
    DIRECTORY = 4 * SECTOR_BYTES,
    FIRST_TABLE = 8 * SECTOR_BYTES,
    LAST_TABLE = FIRST_TABLE + TABLE,
    DATA = (LAST_TABLE + TABLE) / SECTOR_BYTES, /* sector */
    GRAINS = 900,
};

static void put_header(const struct image *image, uint32_t sectors, uint32_t grain,
                       uint32_t entries, uint32_t free_sector)
{
    memcpy(image->bytes, "COWD", 4);
    put_u32(image, 4, 1);
    put_u32(image, 8, 3);
    put_u32(image, 12, sectors);
    put_u32(image, 16, grain);
    put_u32(image, 20, DIRECTORY / SECTOR_BYTES);
    put_u32(image, 24, entries);
    put_u32(image, 28, free_sector);
}

/* Guest sector SECTOR is stored as grain NUMBER of the file. */
static void put_grain(const struct image *image, uint8_t *model, uint32_t sector, uint32_t number)
{
    uint64_t table = sector < 4096 ? FIRST_TABLE : LAST_TABLE;
    uint64_t at = (uint64_t)(DATA + number) * SECTOR_BYTES;
    put_u32(image, table + sector % 4096 * 4, DATA + number);
    fill_pattern(image->bytes + at, SECTOR_BYTES, sector);
    memcpy(model + (uint64_t)sector * SECTOR_BYTES, image->bytes + at, SECTOR_BYTES);
}

/* A run in order, one backwards, single ones, and the last sectors; the table between is absent. */
static struct image make(uint8_t *model)
{
    struct image image = image_new((DATA + GRAINS) * SECTOR_BYTES);
    uint32_t number = 0;
    put_header(&image, SECTORS, 1, 3, DATA + GRAINS);
    put_u32(&image, DIRECTORY, FIRST_TABLE / SECTOR_BYTES);
    put_u32(&image, DIRECTORY + 8, LAST_TABLE / SECTOR_BYTES);
    memset(model, 0, BYTES);
    for (uint32_t i = 0; i < 300; i++)
        put_grain(&image, model, 40 + i, number++);
    for (uint32_t i = 0; i < 200; i++)
        put_grain(&image, model, 1000 - i, number++);
    for (uint32_t i = 0; i < 300; i++)
        put_grain(&image, model, 1500 + 7 * i, number++);
    for (uint32_t i = 0; i < 100; i++)
        put_grain(&image, model, SECTORS - 1 - i, GRAINS - 1 - i);
    return image;
}

static void test_reads(void **state)
{
    uint8_t *model = malloc(BYTES);
    struct image image = make(model);
    const char *path = image_write(*state, &image, "VMFSSPARSE", "x.vmdk", SECTORS);
    assert_reads(path, model, BYTES);
    assert_reads(fixture_path(*state, "x.vmdk"), model, BYTES); /* bare */
    assert_qemu_agrees(*state, path, model, BYTES);
    struct disk *disk = open_or_fail(path);
    assert_int_equal(notes_count(disk_notes(disk)), 0);
    disk_close(disk);
    free(image.bytes);
    free(model);
}

static void assert_place(const struct disk *disk, uint64_t sector, enum disk_place_kind kind,
                         uint64_t sectors, uint64_t file_sector)
{
    struct error error = ERROR_INIT;
    struct disk_place place;
    assert_true(disk_place_at(disk, sector * SECTOR_BYTES, &place, &error));
    assert_int_equal(place.kind, kind);
    assert_int_equal(place.length, sectors * SECTOR_BYTES);
    if (kind == DISK_PLACE_STORED)
        assert_int_equal(place.file_offset, file_sector * SECTOR_BYTES);
    else
        assert_true(place.file_offset == EXTENT_NOWHERE);
}

static void test_runs(void **state)
{
    uint8_t *model = malloc(BYTES);
    struct image image = make(model);
    struct disk *disk = open_or_fail(image_write(*state, &image, "VMFSSPARSE", "x.vmdk", SECTORS));
    assert_place(disk, 0, DISK_PLACE_HOLE, 40, 0);
    assert_place(disk, 40, DISK_PLACE_STORED, 300, DATA);
    assert_place(disk, 139, DISK_PLACE_STORED, 201, DATA + 99);
    assert_place(disk, 340, DISK_PLACE_HOLE, 801 - 340, 0);
    assert_place(disk, 801, DISK_PLACE_STORED, 1, DATA + 499);
    assert_place(disk, 1507, DISK_PLACE_STORED, 1, DATA + 501);
    assert_place(disk, 4000, DISK_PLACE_HOLE, 96, 0);
    assert_place(disk, 5000, DISK_PLACE_HOLE, 8192 - 5000, 0);
    assert_place(disk, 8192, DISK_PLACE_STORED, 100, DATA + GRAINS - 100);
    /* Grains of one kind make one run even when they are not in order. */
    struct error error = ERROR_INIT;
    enum disk_run run;
    uint64_t length, total = 0;
    assert_true(disk_run_at(disk, 801 * SECTOR_BYTES, &run, &length, &error));
    assert_int_equal(run, DISK_DATA);
    assert_true(length > 60 * SECTOR_BYTES && length < 100 * SECTOR_BYTES);
    for (uint64_t at = 0; at < BYTES; at += length) {
        assert_true(disk_run_at(disk, at, &run, &length, &error));
        assert_true(length > 0 && length <= BYTES - at);
        for (uint64_t i = at; run == DISK_ZERO && i < at + length; i++)
            assert_int_equal(model[i], 0);
        total += run == DISK_DATA ? length : 0;
    }
    assert_int_equal(total, GRAINS * SECTOR_BYTES);
    disk_close(disk);
    free(image.bytes);
    free(model);
}

/* A grain that would follow those before it in the file, were there not others between. */
static void test_not_in_order(void **state)
{
    uint8_t *model = malloc(BYTES);
    struct image image = make(model);
    put_u32(&image, FIRST_TABLE + 42 * 4, DATA + 5);
    put_u32(&image, FIRST_TABLE + 45 * 4, DATA + 2);
    memcpy(model + 42 * SECTOR_BYTES, image.bytes + (DATA + 5) * SECTOR_BYTES, SECTOR_BYTES);
    memcpy(model + 45 * SECTOR_BYTES, image.bytes + (DATA + 2) * SECTOR_BYTES, SECTOR_BYTES);
    const char *path = image_write(*state, &image, "VMFSSPARSE", "x.vmdk", SECTORS);
    struct disk *disk = open_or_fail(path);
    assert_place(disk, 40, DISK_PLACE_STORED, 2, DATA);
    assert_place(disk, 42, DISK_PLACE_STORED, 1, DATA + 5);
    assert_place(disk, 43, DISK_PLACE_STORED, 2, DATA + 3);
    disk_close(disk);
    assert_reads(path, model, BYTES);
    free(image.bytes);
    free(model);
}

/* Larger grains, the last of which the disk ends in, and the file right behind that. */
static void test_large_grains(void **state)
{
    enum { GRAIN = 16, SIZE = 3 * GRAIN + 5 };
    struct image image = image_new((DATA + GRAIN + 5) * SECTOR_BYTES);
    uint8_t model[SIZE * SECTOR_BYTES] = {0};
    put_header(&image, SIZE, GRAIN, 1, DATA + 2 * GRAIN);
    put_u32(&image, DIRECTORY, FIRST_TABLE / SECTOR_BYTES);
    put_u32(&image, FIRST_TABLE + 4, DATA);
    put_u32(&image, FIRST_TABLE + 12, DATA + GRAIN);
    fill_pattern(image.bytes + DATA * SECTOR_BYTES, (GRAIN + 5) * SECTOR_BYTES, 7);
    memcpy(model + GRAIN * SECTOR_BYTES, image.bytes + DATA * SECTOR_BYTES, GRAIN * SECTOR_BYTES);
    memcpy(model + 3 * GRAIN * SECTOR_BYTES, image.bytes + (DATA + GRAIN) * SECTOR_BYTES,
           5 * SECTOR_BYTES);
    assert_reads(image_write(*state, &image, "VMFSSPARSE", "x.vmdk", SIZE), model, sizeof model);
    free(image.bytes);
}

/* What a delta does not have comes from its parent. */
static void test_delta(void **state)
{
    uint8_t *model = malloc(BYTES), *base = malloc(BYTES);
    struct image image = make(model);
    char text[512];
    fill_pattern(base, BYTES, 99);
    fixture_write_at(*state, "base-flat.vmdk", base, BYTES, 0);
    snprintf(text, sizeof text,
             "# Disk DescriptorFile\nversion=1\nCID=22222222\nparentCID=ffffffff\n"
             "createType=\"vmfs\"\nRW %d VMFS \"base-flat.vmdk\"\n",
             SECTORS);
    fixture_text(*state, "base.vmdk", text);
    fixture_write_at(*state, "x-delta.vmdk", image.bytes, image.length, 0);
    snprintf(text, sizeof text,
             "# Disk DescriptorFile\nversion=1\nCID=33333333\nparentCID=22222222\n"
             "createType=\"vmfsSparse\"\nparentFileNameHint=\"base.vmdk\"\n"
             "RW %d VMFSSPARSE \"x-delta.vmdk\"\n",
             SECTORS);
    const char *path = fixture_text(*state, "x.vmdk", text);
    for (size_t i = 0; i < SECTORS; i++) {
        bool zero = true;
        for (size_t k = 0; k < SECTOR_BYTES; k++)
            zero = zero && model[i * SECTOR_BYTES + k] == 0;
        if (zero)
            memcpy(model + i * SECTOR_BYTES, base + i * SECTOR_BYTES, SECTOR_BYTES);
    }
    assert_reads(path, model, BYTES);
    assert_qemu_agrees(*state, path, model, BYTES);
    free(image.bytes);
    free(model);
    free(base);
}

static void test_damage(void **state)
{
    static const struct damage DAMAGES[] = {
        {0, 4, 0x44574f44, ERROR_DAMAGED, "no COWD extent"},
        {4, 4, 2, ERROR_FAILED, "unknown version 2"},
        {12, 4, SECTORS + 1, ERROR_DAMAGED, "by the descriptor"},
        {12, 4, 0, ERROR_DAMAGED, "by the descriptor"},
        {16, 4, 0, ERROR_DAMAGED, "grains of 0 sectors"},
        {16, 4, 0xffffffff, ERROR_DAMAGED, "grains of 4294967295 sectors"},
        {20, 4, 0, ERROR_DAMAGED, "over its header"},
        {20, 4, 0xffffffff, ERROR_DAMAGED, "grain directory ends at byte"},
        {24, 4, 2, ERROR_DAMAGED, "a grain directory of 2 entries"},
        {24, 4, 0xffffffff, ERROR_NONE, NULL},
        {28, 4, 0, ERROR_NONE, NULL},
        {DIRECTORY, 4, 1, ERROR_DAMAGED, "a grain table that lies over"},
        {DIRECTORY, 4, 4, ERROR_DAMAGED, "a grain table that lies over"},
        {DIRECTORY, 4, 0xffffffff, ERROR_DAMAGED, "ends before"},
        {FIRST_TABLE + 160, 4, 1, ERROR_DAMAGED, "a grain that lies over"},
        {FIRST_TABLE + 160, 4, 4, ERROR_DAMAGED, "a grain that lies over"},
        {FIRST_TABLE + 160, 4, DATA + GRAINS, ERROR_DAMAGED, "beyond the end of the file"},
        {FIRST_TABLE, 4, 0xffffffff, ERROR_DAMAGED, "beyond the end of the file"},
        {LAST_TABLE + 400, 4, 0xffffffff, ERROR_NONE, NULL}, /* beyond the disk: never looked at */
    };
    uint8_t *model = malloc(BYTES);
    struct image image = make(model);
    for (size_t i = 0; i < sizeof DAMAGES / sizeof DAMAGES[0]; i++)
        assert_damage(*state, &image, &DAMAGES[i], "VMFSSPARSE", SECTORS);
    free(image.bytes);
    free(model);
}

/* What lies before a bad entry is read, and the error names the entry. */
static void test_bad_entry_place(void **state)
{
    uint8_t *model = malloc(BYTES), data[4096];
    struct image image = make(model);
    struct error error = ERROR_INIT;
    put_u32(&image, FIRST_TABLE + 100 * 4, 0x7fffffff);
    struct disk *disk = open_or_fail(image_write(*state, &image, "VMFSSPARSE", "x.vmdk", SECTORS));
    read_or_fail(disk, 99 * SECTOR_BYTES, data, SECTOR_BYTES);
    read_or_fail(disk, 101 * SECTOR_BYTES, data, SECTOR_BYTES);
    assert_false(disk_read(disk, 99 * SECTOR_BYTES, data, sizeof data, &error));
    assert_error(error, ERROR_DAMAGED, "(entry 0x7fffffff)");
    assert_int_equal(error.offset, FIRST_TABLE + 100 * 4);
    disk_close(disk);
    free(image.bytes);
    free(model);
}

static void test_cut_off(void **state)
{
    uint8_t *model = malloc(BYTES), data[SECTOR_BYTES];
    struct image image = make(model);
    struct error error = ERROR_INIT;
    image.length -= 700;
    struct disk *disk = open_or_fail(image_write(*state, &image, "VMFSSPARSE", "x.vmdk", SECTORS));
    read_or_fail(disk, 40 * SECTOR_BYTES, data, sizeof data);
    assert_false(disk_read(disk, BYTES - SECTOR_BYTES, data, sizeof data, &error));
    assert_error(error, ERROR_DAMAGED, "beyond the end of the file");
    disk_close(disk);
    image.length = 1000;
    error_clear(&error);
    assert_false(try_all(image_write(*state, &image, "VMFSSPARSE", "x.vmdk", SECTORS), &error));
    assert_error(error, ERROR_DAMAGED, "ends before");
    free(image.bytes);
    free(model);
}

/* Only flat extents begin somewhere inside of their file. */
static void test_offset(void **state)
{
    uint8_t *model = malloc(BYTES);
    struct image image = make(model);
    struct error error = ERROR_INIT;
    char text[256];
    image_write(*state, &image, "VMFSSPARSE", "x.vmdk", SECTORS);
    snprintf(text, sizeof text,
             "# Disk DescriptorFile\nversion=1\nCID=11111111\nparentCID=ffffffff\n"
             "createType=\"vmfsSparse\"\nRW %d VMFSSPARSE \"x.vmdk\" 8\n",
             SECTORS);
    assert_false(try_all(fixture_text(*state, "d.vmdk", text), &error));
    assert_error(error, ERROR_FAILED, "an offset into this sparse extent");
    free(image.bytes);
    free(model);
}

static void test_notes(void **state)
{
    uint8_t *model = malloc(BYTES), data[SECTOR_BYTES];
    struct image image = make(model);
    put_u32(&image, 8, 7);
    put_u32(&image, 28, DATA + 100);
    put_u32(&image, 1648, 1);
    memcpy(image.bytes + 32, "base\033.vmdk", 10);
    struct disk *disk = open_or_fail(image_write(*state, &image, "VMFSSPARSE", "x.vmdk", SECTORS));
    assert_true(has_note(disk, "flags 0x7"));
    assert_true(has_note(disk, "not closed cleanly"));
    assert_true(has_note(disk, "names the parent \"base\\x1b.vmdk\""));
    assert_int_equal(notes_count(disk_notes(disk)), 3);
    read_or_fail(disk, 40 * SECTOR_BYTES, data, sizeof data);
    assert_int_equal(notes_count(disk_notes(disk)), 3);
    read_or_fail(disk, 801 * SECTOR_BYTES, data, sizeof data);
    assert_true(has_note(disk, "has grains beyond sector"));
    disk_close(disk);
    free(image.bytes);
    free(model);
}

/* Nothing in 2 TiB: told in few steps, none of which goes through the whole directory. */
static void test_empty_and_large(void **state)
{
    struct image image = image_new(DIRECTORY);
    struct error error = ERROR_INIT;
    put_header(&image, 0xffffffff, 1, 1 << 20, 0x3000);
    const char *path = image_write(*state, &image, "VMFSSPARSE", "x.vmdk", 0xffffffff);
    assert_int_equal(truncate(fixture_path(*state, "x.vmdk"), DIRECTORY + (4 << 20)), 0);
    struct disk *disk = open_or_fail(path);
    enum disk_run run;
    uint64_t length, steps = 0;
    for (uint64_t at = 0; at < disk_size(disk); at += length, steps++) {
        assert_true(disk_run_at(disk, at, &run, &length, &error));
        assert_int_equal(run, DISK_ZERO);
    }
    assert_in_range(steps, 1, 3000);
    disk_close(disk);
    free(image.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_reads, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(test_runs, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(test_not_in_order, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(test_large_grains, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(test_delta, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(test_damage, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(test_bad_entry_place, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(test_cut_off, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(test_offset, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(test_notes, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(test_empty_and_large, fixture_make, fixture_remove),
    };
    return cmocka_run_group_tests_name("extent_cowd", tests, NULL, NULL);
}
