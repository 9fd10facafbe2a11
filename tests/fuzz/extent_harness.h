/*
 * extent_harness - an extent of hostile bytes: opened, asked what lies where, and read; the
 * answers have to agree.
 */
#ifndef VMCRYPT_TESTS_FUZZ_EXTENT_HARNESS_H
#define VMCRYPT_TESTS_FUZZ_EXTENT_HARNESS_H

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmdk/extent.h"

enum {
    HARNESS_PADDED = 1 << 20, /* bytes of a file that is longer than its input */
    HARNESS_RUNS = 64,
    HARNESS_READ = 20000,
};

static inline void require(bool condition)
{
    if (!condition)
        abort();
}

struct harness {
    char path[64];
    int fd;
};

static struct harness harness = {.fd = -1};

static inline void harness_remove(void)
{
    unlink(harness.path);
}

/* The file of all inputs: they are written one after the other. */
static inline struct harness *harness_file(const uint8_t *data, size_t size, size_t length)
{
    struct harness *h = &harness;
    if (h->fd < 0) {
        snprintf(h->path, sizeof h->path, "/dev/shm/vmcrypt-fuzz-%d", (int)getpid());
        h->fd = open(h->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        require(h->fd >= 0 && atexit(harness_remove) == 0);
    }
    require(ftruncate(h->fd, 0) == 0 && pwrite(h->fd, data, size, 0) == (ssize_t)size);
    require(ftruncate(h->fd, (off_t)length) == 0);
    return h;
}

static inline void harness_check_run(const struct extent *e, uint64_t at,
                                     const struct extent_run *run)
{
    static uint8_t got[HARNESS_READ], wanted[HARNESS_READ];
    struct error error = ERROR_INIT;
    uint64_t most = run->state == EXTENT_STORED ? run->file_length : run->length;
    size_t part = most < HARNESS_READ ? (size_t)most : HARNESS_READ;
    require(run->length > 0 && run->length <= e->length - at);
    require(run->state != EXTENT_STORED ||
            (run->file_length > 0 && run->file_length <= run->length));
    memset(wanted, 0, part);
    if (run->state == EXTENT_STORED)
        require(extent_pool_read(e->pool, e->file, wanted, part, run->file_offset, &error));
    require(e->ops->read(e, at, got, part, &error));
    require(memcmp(got, wanted, part) == 0);
}

static inline void harness_use(const struct extent *e)
{
    static uint8_t data[HARNESS_READ];
    struct error error = ERROR_INIT;
    struct extent_run run;
    uint64_t at = 0;
    for (size_t i = 0; i < HARNESS_RUNS && at < e->length; i++) {
        if (!e->ops->run_at(e, at, &run, &error)) {
            require(error.code != ERROR_NONE && error.file[0] != '\0');
            error_clear(&error);
            require(!e->ops->read(e, at, data, 1, &error));
            error_clear(&error);
            run.length = 4096 - at % 4096;
        } else {
            harness_check_run(e, at, &run);
            uint64_t middle = at + run.length / 2;
            require(e->ops->run_at(e, middle, &run, &error));
            harness_check_run(e, middle, &run);
            run.length += middle - at;
        }
        at += run.length;
    }
    /* Anywhere: it may fail. */
    for (uint64_t i = 1; i < 16; i++) {
        uint64_t place = e->length / 16 * i, left = e->length - place;
        e->ops->read(e, place, data, left < sizeof data ? (size_t)left : sizeof data, &error);
    }
}

/* SECTORS of an extent, read as OPS do. */
static inline void harness_run(const struct extent_ops *ops, const uint8_t *data, size_t size,
                               uint64_t sectors)
{
    const struct evidence anywhere = {.allow_outside = true};
    struct error error = ERROR_INIT;
    bool padded = size == 0 || data[size - 1] % 2 == 0;
    struct harness *h =
        harness_file(data, size, padded && size < HARNESS_PADDED ? HARNESS_PADDED : size);
    struct extent e = {.ops = ops, .length = sectors * 512, .cache = meta_cache_new(&error)};
    e.notes = notes_new();
    e.pool = extent_pool_new(h->path, &anywhere, false, &error);
    require(e.cache != NULL && e.notes != NULL && e.pool != NULL);
    require(extent_pool_add(e.pool, h->path, &e.file, &error));
    if (sectors == 0 || sectors > UINT64_C(1) << 50)
        ;
    else if (!ops->open(&e, &error))
        require(error.code != ERROR_NONE && error.file[0] != '\0' && e.state == NULL);
    else {
        harness_use(&e);
        ops->close(&e);
    }
    extent_pool_free(e.pool);
    meta_cache_free(e.cache);
    notes_free(e.notes);
}

#endif
