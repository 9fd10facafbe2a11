/* Tests of vmdk/extent_sparse.c and extent_sparse_table.c: hosted sparse extents. */
#include "tests/vmdk/hosted_test.h"

#include <pthread.h>

#include <openssl/sha.h>

static void shapes(void **state)
{
    static const struct hosted_shape SHAPES[] = {
        {.version = 1, .flags = 3, .sectors = 299, .grain = 8, .entries = 16},
        {.version = 1, .flags = 1, .sectors = 299, .grain = 1, .entries = 32},
        {.version = 2, .flags = 7, .sectors = 40000, .grain = 128, .entries = 512},
        {.version = 3, .flags = 0, .sectors = 70000, .grain = 1024, .entries = 64},
        {.version = 3, .flags = 2, .sectors = 9001, .grain = 2, .entries = 4096},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof SHAPES / sizeof SHAPES[0]; i++) {
        struct hosted h = hosted_make(&SHAPES[i]);
        const char *path = write_hosted(f, &h);
        assert_reads(path, h.model, h.model_length);
        assert_places(path, &h, false);
        struct disk *disk = open_or_fail(path);
        assert_int_equal(notes_count(disk_notes(disk)), 0);
        disk_close(disk);
        hosted_free(&h);
    }
}

/* No flipped bit of a header makes it read wrong. */
static void flipped_headers(void **state)
{
    static const struct hosted_shape SHAPES[] = {
        {.version = 2, .flags = 7, .sectors = 299, .grain = 8, .entries = 16},
        {.version = 2, .flags = 5, .sectors = 299, .grain = 8, .entries = 16},
        {.version = 3, .flags = 0x30001, .sectors = 299, .grain = 8, .entries = 16, .footer = true},
        {.version = 3, .flags = 0x30001, .sectors = 299, .grain = 8, .entries = 16},
        {.version = 3, .flags = 0x30003, .sectors = 299, .grain = 8, .entries = 16},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof SHAPES / sizeof SHAPES[0]; i++) {
        struct hosted h = hosted_make(&SHAPES[i]);
        size_t counts[4] = {0};
        for (size_t bit = 0; bit < HEADER_FIELDS * 8; bit++) {
            h.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
            enum outcome outcome = try_file(f, &h, 4096);
            h.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
            if (outcome == WRONG)
                fail_msg("shape %zu: bit %zu of byte %zu of the header is not noticed", i, bit % 8,
                         bit / 8);
            counts[outcome]++;
        }
        /* Version, most flags, capacity, sizes, the newline test and the method are checked. */
        assert_in_range(counts[REFUSED], 300, HEADER_FIELDS * 8);
        hosted_free(&h);
    }
}

static void refused_headers(void **state)
{
    static const struct damage DAMAGES[] = {
        {4, 4, 0, ERROR_FAILED, "version 0"},
        {4, 4, 4, ERROR_FAILED, "version 4, of which we know 1 to 3"},
        {4, 4, 9, ERROR_FAILED, "version 9"},
        {8, 4, 0x40003, ERROR_FAILED, "flags 00040003"},
        {8, 4, 0x20003, ERROR_DAMAGED, "markers but are not compressed"},
        {8, 4, 0x10003, ERROR_DAMAGED, "by method 0"},
        {8, 4, 0x103, ERROR_NONE, ""},
        {12, 8, 300, ERROR_DAMAGED, "its header says 300 sectors, the descriptor 299"},
        {12, 8, 304, ERROR_NONE, ""}, /* whole grains */
        {12, 8, UINT64_MAX, ERROR_DAMAGED, "the descriptor 299"},
        {20, 8, 0, ERROR_DAMAGED, "grains of 0 sectors"},
        {20, 8, 12, ERROR_DAMAGED, "grains of 12 sectors"},
        {20, 8, UINT64_C(1) << 63, ERROR_DAMAGED, "a power of two up to"},
        {44, 4, 0, ERROR_DAMAGED, "grain tables of 0 entries"},
        {44, 4, 0x80000000, ERROR_DAMAGED, "grain tables of 2147483648 entries"},
        {64, 8, 100000, ERROR_DAMAGED, "this extent is cut off"},
        {72, 4, 0x0d200a00, ERROR_NONE, ""},
        {72, 4, 0x0d200a01, ERROR_NONE, ""}, /* unclean shutdown */
        {72, 4, 0x0a200a00, ERROR_DAMAGED, "FTP in ASCII mode"},
        {77, 4, 1, ERROR_DAMAGED, "by method 1"},
        {0, 4, 0x12345678, ERROR_DAMAGED, "does not begin with KDMV"},
    };
    struct fixture *f = *state;
    struct hosted h = hosted_make(&PLAIN);
    struct image image = {h.bytes, h.length};
    for (size_t i = 0; i < sizeof DAMAGES / sizeof DAMAGES[0]; i++)
        assert_damage(f, &image, &DAMAGES[i], "SPARSE", PLAIN.sectors);
    h.bytes[72] = 1;
    struct disk *disk = open_or_fail(write_hosted(f, &h));
    assert_true(has_note(disk, "unclean shutdown"));
    disk_close(disk);
    hosted_free(&h);
}

/* Damage to the primary directory or its tables that the copy makes good. */
static void redundant_copies(void **state)
{
    struct fixture *f = *state;
    for (int kind = 0; kind < 8; kind++) {
        struct hosted h = hosted_make(&PLAIN);
        uint64_t directory = h.directories[0] * SECTOR;
        uint64_t entry = hosted_entry_at(&h, &PLAIN, 0, 4), table = entry - 4 * 4;
        if (kind == 0) /* the directory beyond the end of the file */
            hosted_put(&h, 56, 1 << 20, 8);
        else if (kind == 1) /* the directory wiped */
            memset(h.bytes + directory, 0, SECTOR);
        else if (kind == 2) /* a table beyond the end of the file */
            hosted_put(&h, directory + 4, 0x7fffffff, 4);
        else if (kind == 3) /* no table */
            hosted_put(&h, directory + 4, 0, 4);
        else if (kind == 4) /* a grain beyond the end of the file */
            hosted_put(&h, entry, 1 << 20, 4);
        else if (kind == 5) /* a table wiped */
            memset(h.bytes + table, 0, SECTOR);
        else if (kind == 6) /* noise for a table */
            memset(h.bytes + table, 0xa7, SECTOR);
        else /* the directory is its own table */
            hosted_put(&h, directory, h.directories[0], 4);
        const char *path = write_hosted(f, &h);
        assert_reads(path, h.model, h.model_length);
        struct disk *disk = open_or_fail(path);
        uint8_t byte;
        for (size_t at = 0; at < h.model_length; at += 8 * SECTOR)
            read_or_fail(disk, at, &byte, 1);
        assert_true(has_note(disk, "redundant"));
        disk_close(disk);
        hosted_free(&h);
    }
}

/* The copy is not taken when it knows less, or when it is the damaged one. */
static void damaged_copies(void **state)
{
    struct fixture *f = *state;
    for (int kind = 0; kind < 4; kind++) {
        struct hosted h = hosted_make(&PLAIN);
        uint64_t copy = h.directories[1] * SECTOR;
        if (kind == 0)
            hosted_put(&h, 48, 1 << 20, 8);
        else if (kind == 1)
            hosted_put(&h, copy, 1 << 20, 4);
        else if (kind == 2)
            memset(h.bytes + hosted_entry_at(&h, &PLAIN, 1, 0), 0, SECTOR);
        else
            memset(h.bytes + hosted_entry_at(&h, &PLAIN, 1, 0), 0x33, SECTOR);
        assert_reads(write_hosted(f, &h), h.model, h.model_length);
        /* With both of them damaged it is an error. */
        hosted_put(&h, hosted_entry_at(&h, &PLAIN, 0, 0), 1 << 20, 4);
        assert_int_equal(try_file(f, &h, 4096), PARTLY);
        hosted_free(&h);
    }
}

/* A copy without flaws that knows fewer grains would read as zeros. */
static void stale_copy(void **state)
{
    struct fixture *f = *state;
    struct hosted h = hosted_make(&PLAIN);
    hosted_put(&h, hosted_entry_at(&h, &PLAIN, 0, 4), 1 << 20, 4);
    for (uint64_t grain = 5; grain < 16; grain++)
        hosted_put(&h, hosted_entry_at(&h, &PLAIN, 1, grain), 0, 4);
    assert_int_equal(try_file(f, &h, 4096), PARTLY);
    hosted_free(&h);
}

static void both_damaged(void **state)
{
    static const struct {
        uint64_t value;
        const char *message;
    } ENTRIES[] = {
        {1 << 20, "the grain for byte 16384 of the extent lies beyond the end of the file"},
        {UINT32_MAX, "the grain for byte 16384 of the extent lies beyond the end of the file"},
        {1, "would lie among the grain tables, at sector 1"}, /* zero, in other versions */
        {2, "would lie among the grain tables, at sector 2"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < 4; i++) {
        struct hosted h = hosted_make(&PLAIN);
        struct error error = ERROR_INIT;
        uint8_t data[8 * SECTOR];
        hosted_set_entry(&h, &PLAIN, 4, ENTRIES[i].value);
        struct disk *disk = open_or_fail(write_hosted(f, &h));
        assert_false(disk_read(disk, 16384, data, sizeof data, &error));
        assert_error(error, ERROR_DAMAGED, ENTRIES[i].message);
        assert_int_equal(error.offset, ENTRIES[i].value * SECTOR);
        /* The others are read all the same, and it does not count as a hole. */
        read_or_fail(disk, 4096, data, sizeof data);
        assert_memory_equal(data, h.model + 4096, sizeof data);
        struct disk_place place;
        assert_true(disk_place_at(disk, 16384, &place, &error));
        assert_int_equal(place.kind, DISK_PLACE_STORED);
        assert_true(place.file_offset == EXTENT_NOWHERE && place.length == 4096);
        disk_close(disk);
        hosted_free(&h);
    }
}

static void both_directories_damaged(void **state)
{
    struct fixture *f = *state;
    struct error error = ERROR_INIT;
    struct hosted h = hosted_make(&PLAIN);
    hosted_put(&h, 56, 1 << 20, 8);
    hosted_put(&h, 48, UINT64_MAX, 8);
    assert_false(try_all(write_hosted(f, &h), &error));
    assert_error(error, ERROR_DAMAGED, "its grain directory is lost");
    hosted_free(&h);
    /* One table of both. */
    h = hosted_make(&PLAIN);
    hosted_put(&h, h.directories[0] * SECTOR + 4, 1 << 20, 4);
    hosted_put(&h, h.directories[1] * SECTOR + 4, 1 << 20, 4);
    assert_int_equal(try_file(f, &h, 4096), PARTLY);
    struct disk *disk = open_or_fail(write_hosted(f, &h));
    uint8_t data[512];
    assert_false(disk_read(disk, 16 * 4096, data, sizeof data, &error));
    assert_error(error, ERROR_DAMAGED, "grain table 1 would lie at sector 1048576");
    assert_int_equal(error.offset, h.directories[0] * SECTOR + 4);
    read_or_fail(disk, 16 * 4096 - 512, data, sizeof data);
    disk_close(disk);
    /* And the primary directory. */
    hosted_put(&h, 56, 1 << 20, 8);
    disk = open_or_fail(write_hosted(f, &h));
    assert_false(disk_read(disk, 16 * 4096, data, sizeof data, &error));
    assert_error(error, ERROR_DAMAGED, "grain table 1 would lie at sector 1048576");
    assert_int_equal(error.offset, h.directories[1] * SECTOR + 4);
    disk_close(disk);
    hosted_free(&h);
}

static void overlapping(void **state)
{
    struct fixture *f = *state;
    struct hosted h = hosted_make(&PLAIN);
    uint64_t other = hosted_get(&h, hosted_entry_at(&h, &PLAIN, 0, 5), 4);
    /* In the primary alone the copy is better; in both it is said. */
    hosted_put(&h, hosted_entry_at(&h, &PLAIN, 0, 4), other + 3, 4);
    assert_reads(write_hosted(f, &h), h.model, h.model_length);
    hosted_set_entry(&h, &PLAIN, 4, other + 3);
    struct disk *disk = open_or_fail(write_hosted(f, &h));
    uint8_t byte;
    read_or_fail(disk, 0, &byte, 1);
    assert_true(has_note(disk, "overlap"));
    disk_close(disk);
    hosted_free(&h);
}

/* Wherever the file ends: an error, or what is there; never zeros for what is not. */
static void truncated(void **state)
{
    static const struct hosted_shape *const SHAPES[] = {&PLAIN, &STREAM, &HEAD};
    struct fixture *f = *state;
    for (size_t i = 0; i < 3; i++) {
        struct hosted h = hosted_make(SHAPES[i]);
        size_t whole = h.length, counts[4] = {0};
        for (h.length = 100; h.length < whole; h.length += 300) {
            enum outcome outcome = try_file(f, &h, 4096);
            if (outcome == WRONG)
                fail_msg("shape %zu: cut off at %zu of %zu is not noticed", i, h.length, whole);
            counts[outcome]++;
        }
        assert_true(counts[REFUSED] > 0 && counts[PARTLY] > 100);
        h.length = whole;
        hosted_free(&h);
    }
}

static void offset_in_descriptor(void **state)
{
    struct fixture *f = *state;
    struct error error = ERROR_INIT;
    struct hosted h = hosted_make(&PLAIN);
    write_hosted(f, &h);
    assert_false(try_all(fixture_text(f, "d.vmdk",
                                      "# Disk DescriptorFile\nversion=1\nCID=1\n"
                                      "parentCID=ffffffff\nRW 299 SPARSE \"x.vmdk\" 8\n"),
                         &error));
    assert_error(error, ERROR_DAMAGED, "gives an offset");
    hosted_free(&h);
}

struct reading {
    const struct disk *disk;
    const struct hosted *h;
    uint32_t seed;
    bool ok;
};

static void *read_randomly(void *argument)
{
    struct reading *r = argument;
    struct error error = ERROR_INIT;
    uint8_t data[20000];
    r->ok = true;
    for (int i = 0; r->ok && i < 3000; i++) {
        r->seed = r->seed * 1664525u + 1013904223u;
        size_t at = (size_t)(((uint64_t)r->seed * r->h->model_length) >> 32);
        size_t length = 1 + r->seed % sizeof data, left = r->h->model_length - at;
        length = length < left ? length : left;
        r->ok = disk_read(r->disk, at, data, length, &error) &&
                memcmp(data, r->h->model + at, length) == 0;
    }
    return NULL;
}

static void threads(void **state)
{
    static const struct hosted_shape *const SHAPES[] = {&PLAIN, &STREAM, &STREAM};
    struct fixture *f = *state;
    for (size_t i = 0; i < 3; i++) {
        struct hosted h = hosted_make(SHAPES[i]);
        h.length -= i == 2 ? 3 * SECTOR : 0;
        struct disk *disk = open_or_fail(write_hosted(f, &h));
        pthread_t ids[4];
        struct reading readings[4];
        for (uint32_t t = 0; t < 4; t++) {
            readings[t] = (struct reading){.disk = disk, .h = &h, .seed = t + 1};
            assert_int_equal(pthread_create(&ids[t], NULL, read_randomly, &readings[t]), 0);
        }
        for (size_t t = 0; t < 4; t++) {
            pthread_join(ids[t], NULL);
            assert_true(readings[t].ok);
        }
        disk_close(disk);
        hosted_free(&h);
    }
}

/* What qemu-img makes, and what it reads. */
static void qemu_images(void **state)
{
    static const char *const OPTIONS[] = {
        "subformat=monolithicSparse",     "subformat=monolithicSparse,zeroed_grain=on,compat6=on",
        "subformat=twoGbMaxExtentSparse", "subformat=twoGbMaxExtentSparse,zeroed_grain=on",
        "subformat=streamOptimized",      "subformat=streamOptimized,compat6=on",
    };
    struct fixture *f = *state;
    struct hosted_shape shape = {
        .version = 1, .flags = 3, .sectors = 70000 + 3, .grain = 128, .entries = 512};
    struct hosted h = hosted_make(&shape);
    fixture_write_at(f, "model.raw", h.model, h.model_length, 0);
    assert_qemu_agrees(f, write_hosted(f, &h), h.model, h.model_length);
    if (system("qemu-img --version >/dev/null 2>&1") != 0)
        skip();
    for (size_t i = 0; i < sizeof OPTIONS / sizeof OPTIONS[0]; i++) {
        char command[512];
        snprintf(command, sizeof command,
                 "cd '%s' && rm -f q*.vmdk && qemu-img convert -f raw -O vmdk -o %s model.raw "
                 "q.vmdk",
                 f->directory, OPTIONS[i]);
        assert_int_equal(system(command), 0);
        assert_reads(fixture_path(f, "q.vmdk"), h.model, h.model_length);
    }
    hosted_free(&h);
}

static void samples(void **state)
{
    static const struct {
        const char *name, *sha1;
    } SAMPLES[] = {
        {"vmdk/vmware/monolithicSparse.vmdk", "dd2fade471d68658b2ebbff7474f5d0a99da8989"},
        {"vmdk/vmware/streamOptimized.vmdk", "dd2fade471d68658b2ebbff7474f5d0a99da8989"},
        /* As qemu-img reads it. */
        {"vmdk/ext2-monolithicSparse.vmdk", "4766c63c7acd5175015e3e8b90013a827e63f4ee"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof SAMPLES / sizeof SAMPLES[0]; i++) {
        char path[512], hex[2 * SHA_DIGEST_LENGTH + 1] = "";
        uint8_t digest[SHA_DIGEST_LENGTH];
        if (!fixture_sample(SAMPLES[i].name, path, sizeof path))
            skip();
        struct disk *disk = open_or_fail(path);
        size_t size = (size_t)disk_size(disk);
        uint8_t *data = malloc(size);
        read_or_fail(disk, 0, data, size);
        SHA1(data, size, digest);
        for (size_t b = 0; b < sizeof digest; b++)
            snprintf(hex + 2 * b, 3, "%02x", digest[b]);
        assert_string_equal(hex, SAMPLES[i].sha1);
        assert_int_equal(notes_count(disk_notes(disk)), 0);
        free(data);
        disk_close(disk);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(shapes, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(flipped_headers, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(refused_headers, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(redundant_copies, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(damaged_copies, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(stale_copy, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(both_damaged, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(both_directories_damaged, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(overlapping, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(truncated, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(offset_in_descriptor, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(threads, fixture_make, fixture_remove),
        cmocka_unit_test_setup_teardown(qemu_images, fixture_make, fixture_remove),
        cmocka_unit_test(samples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
