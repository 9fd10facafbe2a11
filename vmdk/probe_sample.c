/* probe_sample - see probe.h: which parts of a disk are looked at. */
#include "vmdk/probe_private.h"

#include <stdlib.h>
#include <string.h>

#include "vmdk/disk_private.h"
#include "vmdk/zero.h"

enum {
    BLOCK = VERIFY_BLOCK,
    AREA = 65536, /* as large as a unit can be */
    DENSE = 65536,
    FRONT = 2 << 20,
    SPREAD = 128, /* places over all of the disk */
    RUNS = 256,   /* runs of data that are looked into from the start on */
    SECTORS = BLOCK / PROBE_SECTOR,
};

static bool find_places(const struct probe *p, uint64_t offset, uint64_t at[PROBE_BASES],
                        struct error *error)
{
    const struct layer *layer = p->disk->layers[0];
    const struct extent *e = layer_extent(layer, offset);
    at[GEOMETRY_DISK] = offset;
    at[GEOMETRY_EXTENT] = offset - e->start;
    at[GEOMETRY_FILE] = e->offset + offset - e->start;
    if (e->ops == &extent_flat)
        return true;
    struct extent_run run;
    if (!layer_run_at(layer, offset, &run, &e, error))
        return false;
    at[GEOMETRY_FILE] = run.state == EXTENT_STORED ? run.file_offset : EXTENT_NOWHERE;
    return true;
}

static bool add_sectors(struct probe *p, uint64_t offset, const uint8_t *data, size_t length,
                        struct error *error)
{
    size_t first = p->count;
    for (size_t i = 0; i < length; i += PROBE_SECTOR) {
        if (bytes_are_zero(data + i, PROBE_SECTOR))
            continue;
        struct probe_sample *s = &p->samples[p->count];
        if (!find_places(p, offset + i, s->at, error))
            return false;
        s->has_before = i > 0;
        if (i > 0)
            memcpy(s->before, data + i - PROBE_BLOCK, PROBE_BLOCK);
        memcpy(s->data, data + i, PROBE_SECTOR);
        p->split = p->split || s->at[GEOMETRY_EXTENT] != s->at[GEOMETRY_DISK];
        p->moved = p->moved || s->at[GEOMETRY_FILE] != s->at[GEOMETRY_DISK];
        p->count++;
    }
    /* Of each place one sector, not always the same one. */
    size_t added = p->count - first;
    if (added > 0 && p->scanned_count < PROBE_SCANNED)
        p->scanned[p->scanned_count++] = first + p->place_count % added;
    return true;
}

/* The block that holds OFFSET, if it is on the disk and was not looked at. */
static bool add_place(struct probe *p, uint64_t offset, struct error *error)
{
    uint8_t data[BLOCK];
    uint64_t size = disk_size(p->disk);
    offset -= offset % BLOCK;
    if (offset >= size || p->place_count == PROBE_PLACES)
        return true;
    for (size_t i = 0; i < p->place_count; i++)
        if (p->places[i] == offset)
            return true;
    size_t length = size - offset < BLOCK ? (size_t)(size - offset) : BLOCK;
    if (!disk_read(p->disk, offset, data, length, error))
        return false;
    p->places[p->place_count++] = offset;
    enum verify_look look = verify_look_at(data, length);
    p->looks.blocks[look]++;
    if (look == VERIFY_NOISE)
        return add_sectors(p, offset, data, length, error);
    if (look != VERIFY_ZEROS && p->looks.plain_count++ < PROBE_PLAIN)
        p->looks.plain[p->looks.plain_count - 1] = offset;
    return true;
}

/* Go on to data from *offset; beyond the end of the disk when there are none. */
static bool skip_hole(const struct probe *p, uint64_t *offset, struct error *error)
{
    enum disk_run run = DISK_ZERO;
    uint64_t length;
    while (*offset < disk_size(p->disk)) {
        if (!disk_run_at(p->disk, *offset, &run, &length, error))
            return false;
        if (run == DISK_DATA)
            return true;
        *offset += length;
    }
    return true;
}

/* Many places at the front, where most is known of what a disk holds. */
static bool add_front(struct probe *p, struct error *error)
{
    bool ok = true;
    for (uint64_t at = 0; ok && at < DENSE; at += BLOCK)
        ok = add_place(p, at, error);
    for (uint64_t at = DENSE, i = 0; ok && at < FRONT; at += AREA, i++)
        ok = add_place(p, at + i % (AREA / BLOCK) * BLOCK, error);
    return ok;
}

/* Places over all of the disk: units with high numbers, at all places inside of large units. */
static bool add_spread(struct probe *p, struct error *error)
{
    uint64_t size = disk_size(p->disk), step = size / SPREAD;
    for (size_t i = 0; i < SPREAD; i++) {
        uint64_t at = step * i - step * i % AREA;
        if (!skip_hole(p, &at, error) || !add_place(p, at + i % 16 * BLOCK, error) ||
            !add_place(p, at, error))
            return false;
    }
    return size < BLOCK || add_place(p, size - BLOCK, error);
}

/* Where there is little, the spread falls into holes; so go from run to run, too. */
static bool add_runs(struct probe *p, struct error *error)
{
    uint64_t at = 0, size = disk_size(p->disk), length;
    enum disk_run run;
    for (size_t i = 0; i < RUNS && p->place_count < PROBE_PLACES; i++) {
        if (!skip_hole(p, &at, error))
            return false;
        if (at >= size)
            return true;
        if (!disk_run_at(p->disk, at, &run, &length, error) || !add_place(p, at, error) ||
            !add_place(p, at + length / 2, error))
            return false;
        at += length;
    }
    return true;
}

bool probe_sample(struct probe *p, struct error *error)
{
    const struct layer *layer = p->disk->layers[0];
    p->flat = layer->extent_count == 1 && layer->extents[0].ops == &extent_flat;
    p->samples = calloc((size_t)PROBE_PLACES * SECTORS, sizeof *p->samples);
    if (p->samples == NULL)
        return error_memory(error);
    return add_front(p, error) && add_spread(p, error) && add_runs(p, error) &&
           signatures_find(p->disk, &p->looks.signatures, error);
}
