/*
 * Hosted sparse extents: a file as it is, or one of our own with places overwritten and its end cut
 * off. Runs cover the extent and nothing beyond, a read fails with a reason or gives the same
 * however it is cut up, and what a run calls stored as it is, is in the file.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/vmdk/hosted_fixture.h"
#include "vmdk/extent.h"

enum { RUNS = 200, PIECE = 20000, LENGTH_MAX = 1 << 22 };

static void require(bool condition)
{
    if (!condition)
        abort();
}

static const struct hosted_shape SHAPES[] = {
    {.version = 1, .flags = 3, .sectors = 299, .grain = 8, .entries = 16},
    {.version = 2, .flags = 5, .sectors = 299, .grain = 1, .entries = 32},
    {.version = 3, .flags = 0x30001, .sectors = 299, .grain = 8, .entries = 16, .footer = true},
    {.version = 3, .flags = 0x30003, .sectors = 299, .grain = 8, .entries = 16},
    {.version = 1, .flags = 0x10005, .sectors = 299, .grain = 8, .entries = 16, .short_last = true},
};
enum { SHAPE_COUNT = sizeof SHAPES / sizeof SHAPES[0] };

/* Six bytes each: where, mostly in the header, how many bytes, and what. */
static struct hosted make_input(const uint8_t *data, size_t size)
{
    struct hosted h = {.bytes = NULL};
    uint8_t which = size > 0 ? data[0] % (SHAPE_COUNT + 1) : 0;
    if (which == SHAPE_COUNT) {
        hosted_grow(&h, hosted_sectors(size + 1));
        memcpy(h.bytes, data, size);
        memcpy(h.bytes, "KDMV", 4);
        memcpy(h.bytes + 73, "\n \r\n", 4);
        return h;
    }
    static struct hosted made[SHAPE_COUNT];
    if (made[which].bytes == NULL)
        made[which] = hosted_make(&SHAPES[which]);
    hosted_grow(&h, hosted_sectors(made[which].length));
    memcpy(h.bytes, made[which].bytes, h.length);
    for (size_t i = 1; i + 6 <= size; i += 6) {
        uint64_t at = data[i] + 256u * data[i + 1];
        at = data[i + 1] < 128 ? at % 80 : at * 3 % h.length;
        for (size_t n = 0; n < data[i + 2] % 4u && at + n < h.length; n++)
            h.bytes[at + n] = data[i + 3 + n];
        if (data[i + 2] >= 250)
            h.length -= (data[i + 3] * 256u + data[i + 4]) % h.length;
    }
    return h;
}

static void check_run(const struct extent *e, uint64_t at, const struct extent_run *run,
                      const uint8_t *data, bool read_ok, size_t length)
{
    static uint8_t stored[PIECE];
    struct error error = ERROR_INIT;
    require(run->length >= 1 && run->length <= e->length - at);
    if (run->state != EXTENT_STORED) {
        require(read_ok);
        for (size_t i = 0; i < length; i++)
            require(data[i] == 0);
        return;
    }
    require(run->file_length >= 1 && run->file_length <= run->length);
    if (run->file_offset == EXTENT_NOWHERE) {
        require(!read_ok);
    } else if (!run->compressed && read_ok) {
        size_t part = run->file_length < length ? (size_t)run->file_length : length;
        require(extent_pool_read(e->pool, e->file, stored, part, run->file_offset, &error));
        require(memcmp(stored, data, part) == 0);
    }
}

static void check_pieces(const struct extent *e, uint64_t at, const uint8_t *data, size_t length)
{
    static uint8_t piece[PIECE];
    struct error error = ERROR_INIT;
    for (size_t from = 0; from < length; from += 1999) {
        size_t part = length - from < 1999 ? length - from : 1999;
        require(e->ops->read(e, at + from, piece, part, &error));
        require(memcmp(piece, data + from, part) == 0);
    }
}

static void check_extent(const struct extent *e)
{
    static uint8_t data[PIECE];
    uint64_t at = 0;
    for (size_t i = 0; i < RUNS && at < e->length; i++) {
        struct error error = ERROR_INIT;
        struct extent_run run;
        require(e->ops->run_at(e, at, &run, &error));
        size_t length = run.length < PIECE ? (size_t)run.length : PIECE;
        bool ok = e->ops->read(e, at, data, length, &error);
        require(ok || (error.code == ERROR_DAMAGED && error.file[0] != '\0' &&
                       error.offset != UINT64_MAX));
        check_run(e, at, &run, data, ok, length);
        if (ok)
            check_pieces(e, at, data, length);
        at += run.length;
    }
}

static void check_file(const char *descriptor, const char *name, uint64_t length, bool delta)
{
    struct error error = ERROR_INIT;
    struct evidence evidence = {.root = NULL};
    struct extent e = {.ops = &extent_sparse, .length = length, .delta = delta};
    e.pool = extent_pool_new(descriptor, &evidence, false, &error);
    e.cache = meta_cache_new(&error);
    e.notes = notes_new();
    require(e.pool != NULL && e.cache != NULL && e.notes != NULL);
    require(extent_pool_add(e.pool, name, &e.file, &error));
    bool ok = e.ops->open(&e, &error);
    require(ok || (error.code != ERROR_NONE && error.file[0] != '\0'));
    if (ok) {
        check_extent(&e);
        e.ops->close(&e);
    }
    require(e.state == NULL);
    extent_pool_free(e.pool);
    meta_cache_free(e.cache);
    notes_free(e.notes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hosted h = make_input(data, size);
    char path[64], beside[64];
    snprintf(path, sizeof path, "/dev/shm/vmcrypt-fuzz-%d.vmdk", (int)getpid());
    snprintf(beside, sizeof beside, "/dev/shm/d.vmdk");
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    require(fd >= 0 && write(fd, h.bytes, h.length) == (ssize_t)h.length);
    close(fd);
    uint64_t sectors = h.length >= 20 ? hosted_get(&h, 12, 8) : 0;
    bool sane = sectors > 0 && sectors <= LENGTH_MAX / HOSTED_SECTOR;
    check_file(beside, strrchr(path, '/') + 1, (sane ? sectors : 299) * HOSTED_SECTOR,
               size > 1 && data[size - 1] % 2 == 1);
    unlink(path);
    hosted_free(&h);
    return 0;
}
