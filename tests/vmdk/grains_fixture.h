/* grains_fixture - images made byte by byte in memory, for the tests of sparse ESX extents. */
#ifndef VMCRYPT_TESTS_VMDK_GRAINS_FIXTURE_H
#define VMCRYPT_TESTS_VMDK_GRAINS_FIXTURE_H

#include "tests/vmdk/fixture.h"

#include "vmdk/disk.h"
#include "vmdk/extent.h"

struct image {
    uint8_t *bytes;
    size_t length;
};

static inline void put_u32(const struct image *image, uint64_t offset, uint32_t value)
{
    assert_true(offset + 4 <= image->length);
    for (size_t i = 0; i < 4; i++)
        image->bytes[offset + i] = (uint8_t)(value >> 8 * i);
}

static inline void put_u64(const struct image *image, uint64_t offset, uint64_t value)
{
    put_u32(image, offset, (uint32_t)value);
    put_u32(image, offset + 4, (uint32_t)(value >> 32));
}

static inline struct image image_new(size_t length)
{
    struct image image = {calloc(1, length), length};
    assert_non_null(image.bytes);
    return image;
}

/* Bytes that differ from those of every other place and seed. */
static inline void fill_pattern(uint8_t *to, size_t length, uint32_t seed)
{
    uint32_t x = seed * 2654435761u + 1;
    for (size_t i = 0; i < length; i++) {
        x = x * 1664525u + 1013904223u;
        to[i] = (uint8_t)(x >> 24);
    }
}

/* NAME and a descriptor "d.vmdk" for it; the latter's path. */
static inline const char *image_write(struct fixture *f, const struct image *image,
                                      const char *type, const char *name, uint64_t sectors)
{
    char text[512];
    unlink(fixture_path(f, name));
    fixture_write_at(f, name, image->bytes, image->length, 0);
    snprintf(text, sizeof text,
             "# Disk DescriptorFile\nversion=1\nCID=11111111\nparentCID=ffffffff\n"
             "createType=\"%s\"\nRW %llu %s \"%s\"\n",
             strcmp(type, "SESPARSE") == 0 ? "seSparse" : "vmfsSparse", (unsigned long long)sectors,
             type, name);
    return fixture_text(f, "d.vmdk", text);
}

static inline struct disk *open_or_fail(const char *path)
{
    const struct disk_options options = {0};
    struct error error = ERROR_INIT;
    struct disk *disk = disk_open(path, &options, &error);
    if (disk == NULL)
        fail_msg("%s: %s", error.file, error.message);
    return disk;
}

static inline void read_or_fail(const struct disk *disk, uint64_t offset, void *to, size_t length)
{
    struct error error = ERROR_INIT;
    if (!disk_read(disk, offset, to, length, &error))
        fail_msg("%s at %llu: %s", error.file, (unsigned long long)error.offset, error.message);
}

/* The disk at PATH reads as MODEL: whole, and in pieces of all kinds. */
static inline void assert_reads(const char *path, const uint8_t *model, size_t length)
{
    struct disk *disk = open_or_fail(path);
    uint8_t *got = malloc(length);
    assert_non_null(got);
    assert_int_equal(disk_size(disk), length);
    read_or_fail(disk, 0, got, length);
    assert_memory_equal(got, model, length);
    uint32_t x = 1;
    for (size_t i = 0; i < 3000; i++) {
        x = x * 1664525u + 1013904223u;
        size_t at = (size_t)(((uint64_t)x * length) >> 32);
        x = x * 1664525u + 1013904223u;
        size_t part = 1 + (x >> 8) % (i % 10 == 0 ? 300000 : 9000);
        part = part < length - at ? part : length - at;
        read_or_fail(disk, at, got, part);
        assert_memory_equal(got, model + at, part);
    }
    free(got);
    disk_close(disk);
}

/* qemu-img reads the disk at PATH as MODEL too; nothing when it is not installed. */
static inline void assert_qemu_agrees(struct fixture *f, const char *path, const uint8_t *model,
                                      size_t length)
{
    char command[512];
    const char *raw = fixture_path(f, "qemu.raw");
    if (system("qemu-img --version >/dev/null 2>&1") != 0) {
        print_message("no qemu-img: not compared\n");
        return;
    }
    snprintf(command, sizeof command, "qemu-img convert -f vmdk -O raw '%s' '%s'", path, raw);
    assert_int_equal(system(command), 0);
    uint8_t *got = malloc(length + 1);
    assert_non_null(got);
    FILE *in = fopen(raw, "rb");
    assert_non_null(in);
    assert_int_equal(fread(got, 1, length + 1, in), length);
    fclose(in);
    assert_memory_equal(got, model, length);
    free(got);
}

static inline bool has_note(const struct disk *disk, const char *part)
{
    struct notes *notes = disk_notes(disk);
    for (size_t i = 0; i < notes_count(notes); i++)
        if (strstr(notes_at(notes, i), part) != NULL)
            return true;
    return false;
}

/* Opening or reading the disk at PATH (all of it) fails: false and *error. */
static inline bool try_all(const char *path, struct error *error)
{
    static uint8_t data[1 << 20];
    const struct disk_options options = {0};
    struct disk *disk = disk_open(path, &options, error);
    bool ok = disk != NULL;
    for (uint64_t at = 0; ok && at < disk_size(disk); at += sizeof data) {
        uint64_t left = disk_size(disk) - at;
        ok = disk_read(disk, at, data, left < sizeof data ? (size_t)left : sizeof data, error);
    }
    disk_close(disk);
    return ok;
}

/* One field that is wrong, and what is said of it. */
struct damage {
    uint64_t offset;
    size_t bytes; /* 4 or 8 */
    uint64_t value;
    enum error_code code; /* ERROR_NONE: it is read all the same */
    const char *message;
};

static inline void put_damage(const struct image *image, const struct damage *damage)
{
    if (damage->bytes == 8)
        put_u64(image, damage->offset, damage->value);
    else
        put_u32(image, damage->offset, (uint32_t)damage->value);
}

static inline void assert_damage(struct fixture *f, const struct image *image,
                                 const struct damage *damage, const char *type, uint64_t sectors)
{
    struct error error = ERROR_INIT;
    struct image copy = image_new(image->length);
    memcpy(copy.bytes, image->bytes, image->length);
    put_damage(&copy, damage);
    bool ok = try_all(image_write(f, &copy, type, "x.vmdk", sectors), &error);
    free(copy.bytes);
    /* The paths of a test are limited, and these are not needed any more. */
    while (f->count > 0)
        free(f->paths[--f->count]);
    if (damage->code == ERROR_NONE) {
        if (!ok)
            fail_msg("%s: %s", error.file, error.message);
        return;
    }
    if (ok)
        fail_msg("at %llu: no error; wanted: %s", (unsigned long long)damage->offset,
                 damage->message);
    assert_error(error, damage->code, damage->message);
    assert_non_null(strstr(error.file, "x.vmdk"));
}

#endif
