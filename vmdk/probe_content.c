/*
 * probe_content - see probe.h: what the plaintext shows, and where it begins.
 *
 * The tweaks tell how units are numbered, but not always which of them is the first of the disk:
 * what lies before the place that counts as 0 may be a header of the file or unencrypted sectors of
 * the disk, and a number that counts from the start of the file says nothing of a header at all.
 * There partition tables and file systems have to tell.
 */
#include "vmdk/probe_private.h"

#include <stdlib.h>
#include <string.h>

#include "vmdk/disk_private.h"
#include "vmdk/zero.h"

enum {
    TRIED = 16,  /* places of the first byte at which all signatures are looked for */
    UNITS = 128, /* that are decrypted at a time */
};

/* The plaintext under a geometry, read from what is stored. */
struct view {
    const struct probe *probe;
    struct geometry_cipher *cipher;
    uint64_t header, size;
};

/* Where the unit at OFFSET of the plaintext lies for the geometry. */
static bool find_position(const struct view *v, uint64_t offset, uint64_t *position,
                          struct error *error)
{
    enum geometry_base from = geometry_cipher_of(v->cipher)->from;
    const struct layer *layer = v->probe->disk->layers[0];
    const struct extent *e = layer_extent(layer, offset);
    *position = from == GEOMETRY_DISK ? offset : offset - e->start;
    if (from != GEOMETRY_FILE)
        return true;
    struct extent_run run = {.state = EXTENT_STORED,
                             .file_offset = e->offset + v->header + offset - e->start};
    if (e->ops != &extent_flat && !layer_run_at(layer, offset, &run, &e, error))
        return false;
    /* What is not stored reads as zeros, wherever it is. */
    *position = run.state == EXTENT_STORED ? run.file_offset : 0;
    return *position != EXTENT_NOWHERE ||
           error_set(error, ERROR_FAILED, "data without a place of their own in the file");
}

static bool read_unit(const struct view *v, uint64_t offset, uint8_t *data, size_t unit,
                      struct error *error)
{
    uint64_t position;
    if (!disk_read(v->probe->disk, v->header + offset, data, unit, error))
        return false;
    return bytes_are_zero(data, unit) || (find_position(v, offset, &position, error) &&
                                          geometry_decrypt(v->cipher, position, data, unit, error));
}

static bool view_read(void *user, uint64_t offset, void *data, size_t length, struct error *error)
{
    const struct view *v = user;
    size_t unit = geometry_unit(geometry_cipher_of(v->cipher));
    uint8_t buffer[GEOMETRY_UNIT_MAX], *out = data;
    bool ok = true;
    while (ok && length > 0) {
        size_t skip = (size_t)(offset % unit), part = unit - skip < length ? unit - skip : length;
        /* The last unit may be cut off where the size is none of whole units. */
        if (v->size - (offset - skip) < unit)
            return error_set(error, ERROR_DAMAGED, "the disk ends inside of a data unit");
        ok = read_unit(v, offset - skip, buffer, unit, error);
        memcpy(out, buffer + skip, part);
        offset += part;
        out += part;
        length -= part;
    }
    secret_wipe(buffer, unit);
    return ok;
}

static bool open_view(struct view *v, const struct probe *probe, const struct disk_geometry *g,
                      const struct secret *key, struct error *error)
{
    size_t unit = geometry_unit(g);
    *v = (struct view){.probe = probe, .header = g->header};
    v->size = disk_size(probe->disk) - g->header;
    v->size -= v->size % unit;
    v->cipher = geometry_cipher_new(g, key, error);
    return v->cipher != NULL;
}

/* The geometry can be read, as later commands would. */
static bool is_readable(const struct probe *probe, const struct disk_geometry *g)
{
    const struct layer *layer = probe->disk->layers[0];
    if (g->header != 0 && (!probe->flat || g->header >= layer->size))
        return false;
    for (size_t i = 0; i < layer->extent_count; i++) {
        const struct extent *e = &layer->extents[i];
        if (e->grain % geometry_unit(g) != 0 ||
            (g->from != GEOMETRY_DISK && e->start % geometry_unit(g) != 0))
            return false;
    }
    return true;
}

/* The first sectors look like those of a disk. */
static bool looks_like_start(const struct view *v, struct error *error)
{
    uint8_t mark[2], word[8];
    struct view view = *v;
    if (v->size < 4096 + sizeof word || !view_read(&view, 510, mark, sizeof mark, error))
        return false;
    if (mark[0] == 0x55 && mark[1] == 0xaa)
        return true;
    for (uint64_t at = 512; at <= 4096; at *= 8)
        if (view_read(&view, at, word, sizeof word, error) && memcmp(word, "EFI PART", 8) == 0)
            return true;
    return false;
}

/* The geometry G, and what it shows, when that is more than what was seen so far. */
static bool try_geometry(const struct probe *probe, const struct disk_geometry *g,
                         const struct secret *key, bool quick, struct probe_result *result,
                         struct error *error)
{
    struct view v;
    struct signatures *seen = calloc(1, sizeof *seen);
    struct error ignored = ERROR_INIT;
    if (seen == NULL)
        return error_memory(error);
    bool ok = open_view(&v, probe, g, key, error);
    if (ok && (!quick || looks_like_start(&v, &ignored))) {
        const struct signature_source source = {view_read, &v, v.size};
        /* A read error here is that of a place that a table names; the samples could be read. */
        bool more = signatures_find_in(&source, seen, &ignored) &&
                    (signatures_prove(seen) > signatures_prove(&result->signatures) ||
                     (signatures_prove(seen) == signatures_prove(&result->signatures) &&
                      seen->count > result->signatures.count));
        if (more) {
            result->signatures = *seen;
            result->geometry = *g;
            result->begins = true;
        }
    }
    geometry_cipher_free(v.cipher);
    free(seen);
    return ok;
}

/* What lies before the place that counts as 0 may also be sectors of the disk. */
static struct disk_geometry without_header(const struct disk_geometry *g)
{
    struct disk_geometry other = *g;
    other.header = 0;
    other.start = g->start - (int64_t)g->header;
    return other;
}

/* Numbers that count from the start of the file, whatever header there is. */
static bool try_file_headers(const struct probe *probe, const struct disk_geometry *g,
                             const struct secret *key, struct probe_result *result,
                             struct error *error)
{
    struct disk_geometry other = *g;
    size_t unit = geometry_unit(g);
    other.from = GEOMETRY_FILE;
    other.header = g->header % unit;
    if (other.header == 0)
        other.header = unit;
    bool ok = true;
    for (; ok && other.header <= probe->reach; other.header += unit) {
        if (is_readable(probe, &other))
            ok = try_geometry(probe, &other, key, true, result, error);
    }
    return ok;
}

static bool try_all(const struct probe *probe, const struct disk_geometry *g,
                    const struct secret *key, struct probe_result *result, struct error *error)
{
    bool ok = true;
    if (is_readable(probe, g))
        ok = try_geometry(probe, g, key, false, result, error);
    if (g->from != GEOMETRY_FILE && g->header != 0 && g->header % geometry_unit(g) == 0) {
        struct disk_geometry other = without_header(g);
        if (is_readable(probe, &other))
            ok = ok && try_geometry(probe, &other, key, false, result, error);
    }
    bool in_unit = g->tweak == GEOMETRY_UNITS && g->header < geometry_unit(g);
    bool file = g->from == GEOMETRY_FILE || (g->from == GEOMETRY_DISK && g->start == 0 &&
                                             !probe->moved && (g->header == 0 || in_unit));
    if (file && probe->flat && !result->begins)
        ok = ok && try_file_headers(probe, g, key, result, error);
    return ok;
}

bool probe_content(const struct probe *probe, const struct secret *key, struct probe_result *result,
                   struct error *error)
{
    struct disk_geometry tried[1 + PROBE_OTHERS];
    size_t count = 0;
    tried[count++] = result->geometry;
    for (size_t i = 0; i < result->other_count && count < TRIED && i < PROBE_OTHERS; i++)
        tried[count++] = result->others[i];
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++)
        ok = try_all(probe, &tried[i], key, result, error);
    /* Of those that it is not told from, the first one came to be the best of all. */
    for (size_t i = 1; ok && i < count; i++)
        if (geometry_equal(&tried[i], &result->geometry))
            result->others[i - 1] = tried[0];
    /* A header that no extent can have is none: nothing of the disk lies before the start. */
    if (ok && !result->begins && result->geometry.header != 0 &&
        !is_readable(probe, &result->geometry))
        result->geometry = result->geometry.header % geometry_unit(&result->geometry) == 0
                               ? without_header(&result->geometry)
                               : result->geometry;
    return ok;
}
