/*
 * hosted_fixture - small hosted sparse extents made byte by byte in memory, for tests and fuzzing;
 * without cmocka.
 */
#ifndef VMCRYPT_TESTS_VMDK_HOSTED_FIXTURE_H
#define VMCRYPT_TESTS_VMDK_HOSTED_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { HOSTED_SECTOR = 512 };

struct hosted_shape {
    uint32_t version, flags;
    uint64_t sectors;
    uint32_t grain, entries;
    bool footer;     /* of a stream: its directory is behind the grains */
    bool short_last; /* the last grain is deflated as far as the extent has it */
};

struct hosted {
    uint8_t *bytes;
    size_t length;
    uint8_t *model; /* what the guest sees */
    size_t model_length;
    /* sectors */
    uint64_t directories[2]; /* the primary one, its copy (0: there is none) */
    uint64_t data;
};

static inline void hosted_put(struct hosted *h, uint64_t offset, uint64_t value, size_t bytes)
{
    if (offset + bytes > h->length)
        abort();
    for (size_t i = 0; i < bytes; i++)
        h->bytes[offset + i] = (uint8_t)(value >> 8 * i);
}

static inline uint64_t hosted_get(const struct hosted *h, uint64_t offset, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value |= (uint64_t)h->bytes[offset + i] << 8 * i;
    return value;
}

/* Room for SECTORS more; the number of the first. */
static inline uint64_t hosted_grow(struct hosted *h, uint64_t sectors)
{
    uint64_t at = h->length / HOSTED_SECTOR;
    size_t bytes = (size_t)sectors * HOSTED_SECTOR;
    h->bytes = realloc(h->bytes, h->length + bytes + 1);
    if (h->bytes == NULL)
        abort();
    memset(h->bytes + h->length, 0, bytes);
    h->length += bytes;
    return at;
}

static inline uint64_t hosted_sectors(uint64_t bytes)
{
    return (bytes + HOSTED_SECTOR - 1) / HOSTED_SECTOR;
}

static inline uint64_t hosted_tables(const struct hosted_shape *s)
{
    uint64_t span = (uint64_t)s->grain * s->entries;
    return (s->sectors + span - 1) / span;
}

/* Every fourth grain is absent, and the third of four is zero; so are runs of whole tables. */
static inline bool hosted_stored(uint64_t grain)
{
    return grain % 4 < 2;
}

static inline void hosted_fill_model(struct hosted *h, const struct hosted_shape *s)
{
    size_t bytes = (size_t)s->grain * HOSTED_SECTOR;
    uint32_t x = 7;
    h->model_length = (size_t)s->sectors * HOSTED_SECTOR;
    h->model = calloc(1, h->model_length);
    if (h->model == NULL)
        abort();
    for (size_t i = 0; i < h->model_length; i++) {
        x = x * 1664525u + 1013904223u;
        /* Half noise, half what can be deflated. */
        if (hosted_stored(i / bytes))
            h->model[i] = (uint8_t)(i / 64 % 2 == 0 ? x >> 24 : i / bytes + 1);
    }
}

static inline void hosted_header(struct hosted *h, const struct hosted_shape *s, uint64_t sector,
                                 uint64_t directory)
{
    uint64_t at = sector * HOSTED_SECTOR;
    memcpy(h->bytes + at, "KDMV", 4);
    hosted_put(h, at + 4, s->version, 4);
    hosted_put(h, at + 8, s->flags, 4);
    hosted_put(h, at + 12, s->sectors, 8);
    hosted_put(h, at + 20, s->grain, 8);
    hosted_put(h, at + 44, s->entries, 4);
    hosted_put(h, at + 48, h->directories[1], 8);
    hosted_put(h, at + 56, directory, 8);
    hosted_put(h, at + 64, h->data, 8);
    memcpy(h->bytes + at + 73, "\n \r\n", 4);
    hosted_put(h, at + 77, (s->flags & 0x10000) != 0 ? 1 : 0, 2);
}

/* A directory and its tables, all empty, one behind the other. */
static inline uint64_t hosted_add_directory(struct hosted *h, const struct hosted_shape *s)
{
    uint64_t tables = hosted_tables(s), each = hosted_sectors(s->entries * 4);
    uint64_t at = hosted_grow(h, hosted_sectors(tables * 4));
    for (uint64_t t = 0; t < tables; t++)
        hosted_put(h, at * HOSTED_SECTOR + t * 4, hosted_grow(h, each), 4);
    return at;
}

/* Where the entry of GRAIN is, in bytes, by directory D. */
static inline uint64_t hosted_entry_at(const struct hosted *h, const struct hosted_shape *s, int d,
                                       uint64_t grain)
{
    uint64_t table = hosted_get(h, h->directories[d] * HOSTED_SECTOR + grain / s->entries * 4, 4);
    return table * HOSTED_SECTOR + grain % s->entries * 4;
}

static inline void hosted_set_entry(struct hosted *h, const struct hosted_shape *s, uint64_t grain,
                                    uint64_t value)
{
    for (int d = 0; d < 2; d++)
        if (h->directories[d] != 0)
            hosted_put(h, hosted_entry_at(h, s, d, grain), value, 4);
}

static inline void hosted_marker(struct hosted *h, uint64_t count, uint32_t type)
{
    uint64_t at = hosted_grow(h, 1) * HOSTED_SECTOR;
    hosted_put(h, at, count, 8);
    hosted_put(h, at + 12, type, 4);
}

/* Append GRAIN as the flags want it; its sector. */
static inline uint64_t hosted_add_grain(struct hosted *h, const struct hosted_shape *s,
                                        uint64_t grain)
{
    size_t bytes = (size_t)s->grain * HOSTED_SECTOR, from = (size_t)grain * bytes;
    size_t left = h->model_length - from, length = left < bytes ? left : bytes;
    bool compressed = (s->flags & 0x10000) != 0, marker = (s->flags & 0x20000) != 0;
    uLong room = compressBound(bytes), in = s->short_last ? length : bytes;
    uint8_t *plain = calloc(1, bytes), *packed = malloc(room);
    if (plain == NULL || packed == NULL)
        abort();
    memcpy(plain, h->model + from, length);
    if (compressed && compress(packed, &room, plain, in) != Z_OK)
        abort();
    size_t size = compressed ? room : bytes, head = marker ? 12 : 0;
    uint64_t sector = hosted_grow(h, hosted_sectors(head + size));
    if (marker) {
        hosted_put(h, sector * HOSTED_SECTOR, grain * s->grain, 8);
        hosted_put(h, sector * HOSTED_SECTOR + 8, size, 4);
    }
    memcpy(h->bytes + sector * HOSTED_SECTOR + head, compressed ? packed : plain, size);
    free(plain);
    free(packed);
    return sector;
}

static inline void hosted_add_grains(struct hosted *h, const struct hosted_shape *s, uint64_t from,
                                     uint64_t to)
{
    for (uint64_t g = from; g < to && g * s->grain < s->sectors; g++) {
        if (hosted_stored(g))
            hosted_set_entry(h, s, g, hosted_add_grain(h, s, g));
        else if (g % 4 == 2 && (s->flags & 4) != 0)
            hosted_set_entry(h, s, g, 1);
    }
}

/* Grains, a table behind those of each, the directory, the footer. */
static inline void hosted_add_stream(struct hosted *h, const struct hosted_shape *s)
{
    struct hosted tables = {.bytes = NULL};
    uint64_t each = hosted_sectors(s->entries * 4), count = hosted_tables(s);
    uint64_t *at = calloc(count, sizeof *at);
    if (at == NULL)
        abort();
    for (uint64_t t = 0; t < count; t++) {
        tables.length = 0;
        hosted_grow(&tables, each);
        for (uint64_t g = t * s->entries; g < (t + 1) * s->entries && g * s->grain < s->sectors;
             g++) {
            if (hosted_stored(g))
                hosted_put(&tables, g % s->entries * 4, hosted_add_grain(h, s, g), 4);
            else if (g % 4 == 2 && (s->flags & 4) != 0)
                hosted_put(&tables, g % s->entries * 4, 1, 4);
        }
        hosted_marker(h, each, 1);
        at[t] = hosted_grow(h, each);
        memcpy(h->bytes + at[t] * HOSTED_SECTOR, tables.bytes, tables.length);
    }
    hosted_marker(h, hosted_sectors(count * 4), 2);
    h->directories[0] = hosted_grow(h, hosted_sectors(count * 4));
    for (uint64_t t = 0; t < count; t++)
        hosted_put(h, h->directories[0] * HOSTED_SECTOR + t * 4, at[t], 4);
    hosted_marker(h, 1, 3);
    hosted_header(h, s, hosted_grow(h, 1), h->directories[0]);
    hosted_marker(h, 0, 0);
    free(tables.bytes);
    free(at);
}

static inline struct hosted hosted_make(const struct hosted_shape *s)
{
    struct hosted h = {.bytes = NULL};
    bool markers = (s->flags & 0x20000) != 0;
    hosted_fill_model(&h, s);
    hosted_grow(&h, 1);
    if (!s->footer) {
        if ((s->flags & 2) != 0)
            h.directories[1] = hosted_add_directory(&h, s);
        h.directories[0] = hosted_add_directory(&h, s);
    }
    uint64_t here = h.length / HOSTED_SECTOR;
    hosted_grow(&h, (s->grain - here % s->grain) % s->grain);
    h.data = h.length / HOSTED_SECTOR;
    if (s->footer) {
        hosted_add_stream(&h, s);
    } else {
        hosted_add_grains(&h, s, 0, s->sectors);
        if (markers)
            hosted_marker(&h, 0, 0);
    }
    hosted_header(&h, s, 0, s->footer ? UINT64_MAX : h.directories[0]);
    return h;
}

static inline void hosted_free(struct hosted *h)
{
    free(h->bytes);
    free(h->model);
    *h = (struct hosted){.bytes = NULL};
}

#endif
