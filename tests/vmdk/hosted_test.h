/* hosted_test - what the tests of hosted sparse extents and of streams share. */
#ifndef VMCRYPT_TESTS_VMDK_HOSTED_TEST_H
#define VMCRYPT_TESTS_VMDK_HOSTED_TEST_H

#include "tests/vmdk/grains_fixture.h"
#include "tests/vmdk/hosted_fixture.h"

#include "vmdk/zero.h"

enum { SECTOR = SECTOR_BYTES, HEADER_FIELDS = 79 };

static const struct hosted_shape PLAIN
    __attribute__((unused)) = {.version = 1, .flags = 3, .sectors = 299, .grain = 8, .entries = 16};

static const struct hosted_shape STREAM __attribute__((unused)) = {
    .version = 3, .flags = 0x30001, .sectors = 299, .grain = 8, .entries = 16, .footer = true};

static const struct hosted_shape HEAD __attribute__((unused)) = {
    .version = 3, .flags = 0x30001, .sectors = 299, .grain = 8, .entries = 16};

/* The file and its descriptor, anew; the latter's path. */
static inline const char *write_hosted(struct fixture *f, const struct hosted *h)
{
    /* The paths of a test are limited, and those of before are not needed any more. */
    while (f->count > 0)
        free(f->paths[--f->count]);
    struct image image = {h->bytes, h->length};
    return image_write(f, &image, "SPARSE", "x.vmdk", h->model_length / SECTOR);
}

/* Runs cover the disk; what is called zero is, what is called stored is in the file, and the map
 * of places agrees. */
static inline void assert_places(const char *path, const struct hosted *h, bool compressed)
{
    struct disk *disk = open_or_fail(path);
    struct error error = ERROR_INIT;
    uint64_t stored = 0;
    struct disk_place place;
    for (uint64_t at = 0; at < h->model_length; at += place.length) {
        assert_true(disk_place_at(disk, at, &place, &error));
        assert_true(place.length > 0 && place.length <= h->model_length - at);
        if (place.kind != DISK_PLACE_STORED) {
            assert_true(bytes_are_zero(h->model + at, place.length));
            continue;
        }
        stored += place.length;
        assert_int_equal(place.compressed, compressed);
        assert_true(place.file_offset < h->length);
        if (!compressed)
            assert_memory_equal(h->bytes + place.file_offset, h->model + at, place.length);
        else if (at % (8 * SECTOR) == 0)
            assert_int_equal(h->bytes[place.file_offset], 0x78); /* zlib's first byte */
    }
    assert_in_range(stored, h->model_length / 4, h->model_length * 3 / 4);
    disk_close(disk);
}

/* How a damaged file reads: refused, as the model, as the model but for grains that are errors
 * or that it warns of, or wrong. */
enum outcome { REFUSED, RIGHT, PARTLY, WRONG };

static inline enum outcome try_file(struct fixture *f, const struct hosted *h, size_t piece)
{
    static uint8_t data[1 << 16];
    const struct disk_options options = {0};
    struct error error = ERROR_INIT;
    enum outcome outcome = RIGHT;
    struct disk *disk = disk_open(write_hosted(f, h), &options, &error);
    if (disk == NULL) {
        assert_string_not_equal(error.file, "");
        return REFUSED;
    }
    for (size_t at = 0; at < h->model_length; at += piece) {
        size_t length = h->model_length - at < piece ? h->model_length - at : piece;
        error_clear(&error);
        if (!disk_read(disk, at, data, length, &error)) {
            assert_int_equal(error.code, ERROR_DAMAGED);
            assert_non_null(strstr(error.file, "x.vmdk"));
            assert_true(error.offset != UINT64_MAX);
            outcome = PARTLY;
        } else if (memcmp(data, h->model + at, length) != 0) {
            outcome = has_note(disk, "may be wrong") ? PARTLY : WRONG;
            break;
        }
    }
    disk_close(disk);
    return outcome;
}

#endif
