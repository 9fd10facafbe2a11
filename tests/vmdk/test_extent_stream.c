/* Tests of vmdk/extent_sparse_stream.c and extent_sparse_grain.c: streamOptimized extents. */
#include "tests/vmdk/hosted_test.h"

static void streams(void **state)
{
    static const struct hosted_shape SHAPES[] = {
        {.version = 3, .flags = 0x30001, .sectors = 299, .grain = 8, .entries = 16, .footer = true},
        {.version = 1, .flags = 0x30001, .sectors = 299, .grain = 8, .entries = 16},
        {.version = 3, .flags = 0x30007, .sectors = 299, .grain = 8, .entries = 32},
        {.version = 3,
         .flags = 0x30005,
         .sectors = 30000 + 8,
         .grain = 128,
         .entries = 512,
         .footer = true,
         .short_last = true},
        /* Without markers a grain's data end where zlib says so. */
        {.version = 1, .flags = 0x10003, .sectors = 299, .grain = 8, .entries = 16},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof SHAPES / sizeof SHAPES[0]; i++) {
        struct hosted h = hosted_make(&SHAPES[i]);
        const char *path = write_hosted(f, &h);
        assert_reads(path, h.model, h.model_length);
        if (SHAPES[i].grain == 8)
            assert_places(path, &h, true);
        struct disk *disk = open_or_fail(path);
        assert_int_equal(notes_count(disk_notes(disk)), 0);
        disk_close(disk);
        hosted_free(&h);
    }
}

/* Without its footer a stream is read by its markers, as far as they go. */
static void lost_footer(void **state)
{
    struct fixture *f = *state;
    struct hosted h = hosted_make(&STREAM);
    size_t whole = h.length, directory = h.directories[0] * SECTOR;
    for (int kind = 0; kind < 4; kind++) {
        size_t footer = whole - 2 * SECTOR;
        h.length = kind == 0 ? footer - SECTOR : kind == 1 ? directory - SECTOR : whole;
        if (kind == 2) /* it is damaged */
            h.bytes[footer + 20] ^= 1;
        else if (kind == 3) /* and the directory is, too */
            memset(h.bytes + directory, 0, SECTOR);
        const char *path = write_hosted(f, &h);
        assert_reads(path, h.model, h.model_length);
        struct disk *disk = open_or_fail(path);
        assert_true(has_note(disk, kind == 1 || kind == 3 ? "found by their markers"
                                                          : "directory was found by its marker"));
        disk_close(disk);
    }
    h.length = whole;
    hosted_free(&h);
}

static void cut_stream(void **state)
{
    struct fixture *f = *state;
    struct hosted h = hosted_make(&STREAM);
    struct error error = ERROR_INIT;
    uint8_t data[4096];
    h.length /= 2;
    struct disk *disk = open_or_fail(write_hosted(f, &h));
    assert_true(has_note(disk, "cannot be read"));
    read_or_fail(disk, 0, data, sizeof data);
    assert_memory_equal(data, h.model, sizeof data);
    assert_false(disk_read(disk, h.model_length - 512, data, 512, &error));
    assert_error(error, ERROR_DAMAGED, "the stream ends before the grain");
    assert_in_range(error.offset, h.length - 6000, h.length);
    disk_close(disk);
    hosted_free(&h);
}

/* Bytes of the marker of the grain at index N in the order of the file. */
static size_t marker_at(const struct hosted *h, size_t n)
{
    size_t at = h->data * SECTOR;
    for (;;) {
        size_t size = (size_t)hosted_get(h, at + 8, 4);
        if (size != 0 && n-- == 0)
            return at;
        at += size != 0 ? hosted_sectors(12 + size) * SECTOR
                        : (1 + (size_t)hosted_get(h, at, 8)) * SECTOR;
    }
}

/* Without directory and footer: nothing that is missing reads as zeros. */
static void damaged_stream(void **state)
{
    struct fixture *f = *state;
    for (int kind = 0; kind < 6; kind++) {
        struct hosted h = hosted_make(&STREAM);
        h.length = h.directories[0] * SECTOR - SECTOR;
        size_t grain = marker_at(&h, 5), next = marker_at(&h, 6);
        if (kind == 0) /* a hole, which looks like the end */
            memset(h.bytes + grain, 0, next - grain);
        else if (kind == 1) /* the grain at index 2 again */
            memcpy(h.bytes + grain, h.bytes + marker_at(&h, 2), 8);
        else if (kind == 2)
            hosted_put(&h, grain, 3, 8);
        else if (kind == 3)
            hosted_put(&h, grain, STREAM.sectors + 5, 8);
        else if (kind == 4)
            hosted_put(&h, grain + 8, UINT32_MAX, 4);
        else
            hosted_put(&h, grain + 8, UINT64_C(5) << 32, 8);
        assert_int_equal(try_file(f, &h, 4096), PARTLY);
        struct disk *disk = open_or_fail(write_hosted(f, &h));
        uint8_t data[4096];
        read_or_fail(disk, 4096, data, sizeof data);
        assert_memory_equal(data, h.model + 4096, sizeof data);
        disk_close(disk);
        hosted_free(&h);
    }
}

/* A table that is there tells of all of its grains, an end of all. */
static void known_ends(void **state)
{
    struct fixture *f = *state;
    struct hosted h = hosted_make(&STREAM);
    struct error error = ERROR_INIT;
    uint8_t data[4096];
    size_t whole = h.length;
    h.length = marker_at(&h, 8); /* of grain 16, the first of the second table */
    struct disk *disk = open_or_fail(write_hosted(f, &h));
    read_or_fail(disk, 15 * 4096, data, sizeof data);
    assert_true(bytes_are_zero(data, sizeof data));
    assert_false(disk_read(disk, 16 * 4096, data, sizeof data, &error));
    disk_close(disk);
    h.length = whole;
    hosted_free(&h);
    /* With an end behind it the rest is known to be absent. */
    h = hosted_make(&STREAM);
    h.length = marker_at(&h, 8);
    hosted_grow(&h, 20);
    disk = open_or_fail(write_hosted(f, &h));
    read_or_fail(disk, 16 * 4096, data, sizeof data);
    assert_true(bytes_are_zero(data, sizeof data));
    disk_close(disk);
    hosted_free(&h);
}

/* No flipped bit of a footer makes it read wrong. */
static void flipped_footer(void **state)
{
    struct fixture *f = *state;
    struct hosted h = hosted_make(&STREAM);
    size_t footer = h.length - 2 * SECTOR;
    for (size_t bit = 0; bit < HEADER_FIELDS * 8; bit++) {
        h.bytes[footer + bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(try_file(f, &h, 4096), RIGHT);
        h.bytes[footer + bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    hosted_free(&h);
}

static void cut_grain(void **state)
{
    struct fixture *f = *state;
    struct error error = ERROR_INIT;
    struct hosted h = hosted_make(&HEAD);
    uint8_t data[4096];
    uint64_t marker = hosted_get(&h, hosted_entry_at(&h, &HEAD, 0, 36), 4) * SECTOR;
    h.length = (size_t)marker + 100;
    struct disk *disk = open_or_fail(write_hosted(f, &h));
    assert_false(disk_read(disk, 36 * 4096, data, sizeof data, &error));
    assert_error(error, ERROR_DAMAGED, "the file ends inside of the grain for sector 288");
    assert_int_equal(error.offset, marker);
    disk_close(disk);
    hosted_free(&h);
}

/* In a snapshot nobody knows without tables which grains are zeros and which its parent's. */
static void cut_delta(void **state)
{
    static const char PARENT[] = "# Disk DescriptorFile\nversion=1\nCID=00000007\n"
                                 "parentCID=ffffffff\ncreateType=\"custom\"\nRW 299 ZERO\n";
    static const char DELTA[] =
        "# Disk DescriptorFile\nversion=1\nCID=00000008\nparentCID=00000007\n"
        "parentFileNameHint=\"p.vmdk\"\ncreateType=\"custom\"\nRW 299 SPARSE \"x.vmdk\"\n";
    struct fixture *f = *state;
    struct hosted_shape shape = STREAM;
    for (int i = 0; i < 4; i++) {
        shape.flags = i < 2 ? 0x30001 : 0x30005;
        struct hosted h = hosted_make(&shape);
        h.length = i % 2 == 0 ? h.directories[0] * SECTOR - SECTOR : h.length - 3 * SECTOR;
        write_hosted(f, &h);
        fixture_text(f, "p.vmdk", PARENT);
        const char *path = fixture_text(f, "delta.vmdk", DELTA);
        if (i == 2) {
            struct error error = ERROR_INIT;
            assert_false(try_all(path, &error));
            assert_error(error, ERROR_DAMAGED, "nobody knows which grains are zero");
        } else {
            assert_reads(path, h.model, h.model_length);
        }
        hosted_free(&h);
    }
}

static void damaged_grains(void **state)
{
    struct fixture *f = *state;
    static const struct {
        uint64_t offset, value; /* from the marker of grain 4 */
        size_t bytes;
        const char *message;
    } DAMAGES[] = {
        {0, 40, 8, "the grain for sector 32 was expected here, the marker says 40"},
        {8, 0, 4, "a compressed grain of 0 bytes"},
        {8, 8193, 4, "a compressed grain of 8193 bytes; at most 8192"},
        {8, UINT32_MAX, 4, "a compressed grain of 4294967295 bytes"},
        {8, 20, 4, "its data end early"},
        {12, 0, 4, "its data are damaged"},
        {100, 0x5555, 4, "its data are damaged"},
    };
    for (size_t i = 0; i < sizeof DAMAGES / sizeof DAMAGES[0]; i++) {
        struct hosted h = hosted_make(&HEAD);
        struct error error = ERROR_INIT;
        uint64_t marker = hosted_get(&h, hosted_entry_at(&h, &HEAD, 0, 4), 4) * SECTOR;
        hosted_put(&h, marker + DAMAGES[i].offset, DAMAGES[i].value, DAMAGES[i].bytes);
        struct disk *disk = open_or_fail(write_hosted(f, &h));
        uint8_t data[8 * SECTOR];
        for (size_t length = 1; length <= sizeof data; length += sizeof data - 1) {
            error_clear(&error);
            assert_false(disk_read(disk, 4 * 4096, data, length, &error));
            assert_error(error, ERROR_DAMAGED, DAMAGES[i].message);
            assert_int_equal(error.offset, marker);
        }
        read_or_fail(disk, 4096, data, sizeof data);
        assert_memory_equal(data, h.model + 4096, sizeof data);
        disk_close(disk);
        hosted_free(&h);
    }
}

/* Grains that hold more or less than a grain; the last one may hold only what the extent has. */
static void sizes_of_grains(void **state)
{
    static const struct {
        uint64_t grain;
        size_t holds;
        const char *message; /* NULL: right */
    } SIZES[] = {
        {4, 4096, NULL},
        {4, 4097, "holds more than the 4096 bytes of a grain"},
        {4, 8000000, "holds more than the 4096 bytes of a grain"},
        {4, 4095, "holds 4095 of 4096 bytes"},
        {4, 0, "holds 0 of 4096 bytes"},
        {37, 4096, NULL},
        {37, 3 * SECTOR, NULL},
        {37, 3 * SECTOR - 1, "holds 1535 of 1536 bytes"},
    };
    struct fixture *f = *state;
    uint8_t *zeros = calloc(1, 8000000), packed[8192], data[4096];
    for (size_t i = 0; i < sizeof SIZES / sizeof SIZES[0]; i++) {
        struct hosted h = hosted_make(&HEAD);
        struct error error = ERROR_INIT;
        uLong size = sizeof packed;
        assert_int_equal(compress(packed, &size, zeros, SIZES[i].holds), Z_OK);
        uint64_t at = hosted_grow(&h, hosted_sectors(12 + size));
        hosted_put(&h, at * SECTOR, SIZES[i].grain * 8, 8);
        hosted_put(&h, at * SECTOR + 8, size, 4);
        memcpy(h.bytes + at * SECTOR + 12, packed, size);
        hosted_set_entry(&h, &HEAD, SIZES[i].grain, at);
        struct disk *disk = open_or_fail(write_hosted(f, &h));
        size_t length = SIZES[i].grain == 37 ? 3 * SECTOR : 4096;
        bool ok = disk_read(disk, SIZES[i].grain * 4096, data, length, &error);
        if (SIZES[i].message == NULL && !ok)
            fail_msg("%zu: %s", i, error.message);
        if (SIZES[i].message == NULL)
            assert_true(bytes_are_zero(data, length));
        else if (ok)
            fail_msg("no error; wanted: %s", SIZES[i].message);
        else
            assert_error(error, ERROR_DAMAGED, SIZES[i].message);
        disk_close(disk);
        hosted_free(&h);
    }
    free(zeros);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(streams, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(lost_footer, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(cut_stream, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(damaged_stream, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(known_ends, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(flipped_footer, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(cut_grain, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(cut_delta, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(damaged_grains, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(sizes_of_grains, fixture_make, fixture_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
