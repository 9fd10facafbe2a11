/*
 * extent_cowd - VMFSSPARSE extents, "COWD": the deltas of ESX, and sparse disks of its first
 * versions; see extent.h.
 *
 * [VMware "Virtual Disk Format 5.0"; libvmdk; qemu block/vmdk.c] A header of four sectors, all of
 * it little endian, all places in sectors of the file: u32 magic, version (1), flags (3), capacity,
 * grain size (1 as a rule), grain directory, its entries, the next free sector; in a root disk its
 * geometry, in a child the name of the parent (1024 bytes, empty in newer ones) and its generation;
 * u32 generation, name, description, u32 saved generation, 8 bytes, u32 unclean shutdown.
 */
#include "vmdk/extent.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/printable.h"
#include "base/reader.h"
#include "vmdk/grains.h"

enum {
    HEADER_SECTORS = 4,
    HEADER_BYTES = HEADER_SECTORS * SECTOR_BYTES,
    VERSION = 1,
    FLAGS = 3, /* seen in all; what the bits mean is not written down */
    PARENT_BYTES = 1024,
    /* A root disk has its cylinders in this place, which do not make so many letters. */
    PARENT_SHORTEST = 4,
    DIRTY_OFFSET = 1648,
};

struct cowd {
    struct grains grains;
    uint64_t file_size;
    uint64_t directory_end; /* of what is needed of it */
    uint64_t free;          /* bytes of the file in use, as the header says */
    atomic_flag noted;      /* a grain beyond that */
};

struct header {
    uint32_t version, flags, sectors, grain_sectors, directory, entries, free_sector, dirty;
    char parent[PARENT_BYTES + 1];
};

static bool overlaps_metadata(const struct cowd *c, uint64_t offset, uint64_t bytes)
{
    return offset < HEADER_BYTES ||
           (offset < c->directory_end && offset + bytes > c->grains.directory);
}

static const char *cowd_table(const struct extent *e, uint64_t entry, uint64_t *offset)
{
    const struct cowd *c = e->state;
    *offset = entry * SECTOR_BYTES;
    return overlaps_metadata(c, *offset, GRAIN_TABLE_ENTRIES * sizeof(uint32_t))
               ? "a grain table that lies over the header or the grain directory"
               : NULL;
}

static const char *cowd_grain(const struct extent *e, uint64_t entry, uint64_t bytes,
                              struct grain_place *place)
{
    struct cowd *c = e->state;
    *place = (struct grain_place){.state = EXTENT_STORED, .offset = entry * SECTOR_BYTES};
    if (overlaps_metadata(c, place->offset, bytes))
        return "a grain that lies over the header or the grain directory";
    if (place->offset + bytes > c->file_size)
        return "a grain that lies beyond the end of the file";
    if (place->offset + bytes > c->free && !atomic_flag_test_and_set(&c->noted))
        notes_add(e->notes, extent_pool_path(e->pool, e->file),
                  "has grains beyond sector %" PRIu64
                  ", from where on its header calls it free; they are read",
                  c->free / SECTOR_BYTES);
    return NULL;
}

static bool parse_header(const uint8_t *data, struct header *h, struct error *error)
{
    struct reader r = reader_over(data, HEADER_BYTES);
    if (memcmp(reader_bytes(&r, 4), "COWD", 4) != 0)
        return error_set(error, ERROR_DAMAGED,
                         "no COWD extent, though the descriptor says VMFSSPARSE");
    h->version = reader_u32(&r);
    h->flags = reader_u32(&r);
    h->sectors = reader_u32(&r);
    h->grain_sectors = reader_u32(&r);
    h->directory = reader_u32(&r);
    h->entries = reader_u32(&r);
    h->free_sector = reader_u32(&r);
    memcpy(h->parent, reader_bytes(&r, PARENT_BYTES), PARENT_BYTES);
    h->parent[PARENT_BYTES] = '\0';
    reader_skip(&r, DIRTY_OFFSET - r.offset);
    h->dirty = reader_u32(&r);
    if (h->version != VERSION)
        return error_set(error, ERROR_FAILED, "a COWD extent of the unknown version %" PRIu32,
                         h->version);
    return true;
}

static void note_header(const struct extent *e, const struct header *h)
{
    const char *path = extent_pool_path(e->pool, e->file);
    char parent[PARENT_BYTES];
    if (h->flags != FLAGS)
        notes_add(e->notes, path,
                  "has the flags 0x%" PRIx32 ", which are unknown; read as with the usual 0x%x",
                  h->flags, (unsigned)FLAGS);
    if (h->dirty != 0)
        notes_add(e->notes, path,
                  "was not closed cleanly, or was copied while in use: what was written last may "
                  "be missing");
    /* The parent of a delta was found by its descriptor. */
    if (!e->delta && strlen(h->parent) >= PARENT_SHORTEST) {
        printable_copy(h->parent, parent, sizeof parent);
        notes_add(e->notes, path,
                  "its header names the parent \"%.300s\", which is not read: what it does not "
                  "hold itself reads as zeros",
                  parent);
    }
}

static bool check(struct extent *e, struct cowd *c, const struct header *h, struct error *error)
{
    if (!grains_check(e, h->sectors, h->grain_sectors, h->entries, error))
        return false;
    c->grains.directory = (uint64_t)h->directory * SECTOR_BYTES;
    c->directory_end = c->grains.directory + grains_tables(e) * sizeof(uint32_t);
    c->free = (uint64_t)h->free_sector * SECTOR_BYTES;
    if (c->grains.directory < HEADER_BYTES)
        return error_set(error, ERROR_DAMAGED, "its grain directory lies over its header");
    if (c->directory_end > c->file_size)
        return error_set(error, ERROR_DAMAGED,
                         "its grain directory ends at byte %" PRIu64 ", the file at %" PRIu64,
                         c->directory_end, c->file_size);
    return true;
}

static bool cowd_open(struct extent *e, struct error *error)
{
    uint8_t data[HEADER_BYTES];
    struct header h;
    struct cowd *c = calloc(1, sizeof *c);
    if (c == NULL)
        return error_memory(error);
    c->grains =
        (struct grains){.entry_bytes = sizeof(uint32_t), .table = cowd_table, .grain = cowd_grain};
    c->file_size = extent_pool_size(e->pool, e->file);
    atomic_flag_clear(&c->noted);
    if (!meta_read(e->cache, e->pool, e->file, 0, data, sizeof data, error) ||
        !parse_header(data, &h, error) || !check(e, c, &h, error)) {
        free(c);
        return error_in_file(error, extent_pool_path(e->pool, e->file));
    }
    note_header(e, &h);
    e->state = c;
    return true;
}

const struct extent_ops extent_cowd = {
    .open = cowd_open, .read = grains_read, .run_at = grains_run_at, .close = grains_close};
