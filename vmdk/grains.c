/* grains - see grains.h. */
#include "vmdk/grains.h"

#include <endian.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    BATCH_FIRST = 16, /* entries looked at in one go: few for a small read, more for a long run */
    BATCH_MOST = 512,
    /* An empty disk of 2 TiB has a million entries in its directory. Whoever asks for one stretch
     * after the other must not go through all of them each time. */
    DIRECTORY_AHEAD = 512,
    /* So many entries are looked at behind the point where the grains do not follow each other in
     * the file: who asks piece by piece will see them again. */
    SCATTERED_AHEAD = 64,
    GRAIN_SECTORS_MOST = 1 << 21, /* 1 GiB */
};

bool grains_check(struct extent *e, uint64_t sectors, uint64_t grain_sectors, uint64_t entries,
                  struct error *error)
{
    if (e->offset != 0)
        return error_set(error, ERROR_FAILED,
                         "the descriptor gives an offset into this sparse extent, which has none");
    if (sectors != e->length / SECTOR_BYTES)
        return error_set(error, ERROR_DAMAGED,
                         "holds %" PRIu64 " sectors by its own header, but %" PRIu64
                         " by the descriptor",
                         sectors, e->length / SECTOR_BYTES);
    if (grain_sectors == 0 || grain_sectors > GRAIN_SECTORS_MOST)
        return error_set(error, ERROR_DAMAGED, "grains of %" PRIu64 " sectors", grain_sectors);
    e->grain = grain_sectors * SECTOR_BYTES;
    if (entries < grains_tables(e))
        return error_set(error, ERROR_DAMAGED,
                         "a grain directory of %" PRIu64 " entries, where its %" PRIu64
                         " sectors need %" PRIu64,
                         entries, sectors, grains_tables(e));
    return true;
}

static uint64_t divide_up(uint64_t a, uint64_t b)
{
    return a / b + (a % b != 0);
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t grains_tables(const struct extent *e)
{
    return divide_up(divide_up(e->length, e->grain), GRAIN_TABLE_ENTRIES);
}

static const struct grains *grains_of(const struct extent *e)
{
    return e->state;
}

/* COUNT (at most BATCH_MOST) entries that begin at OFFSET of the file. */
static bool read_entries(const struct extent *e, uint64_t offset, size_t count, uint64_t *entries,
                         struct error *error)
{
    uint8_t raw[BATCH_MOST * sizeof(uint64_t)];
    size_t each = grains_of(e)->entry_bytes;
    if (!meta_read(e->cache, e->pool, e->file, offset, raw, count * each, error))
        return false;
    for (size_t i = 0; i < count; i++) {
        uint32_t narrow;
        if (each == sizeof narrow) {
            memcpy(&narrow, raw + i * each, sizeof narrow);
            entries[i] = le32toh(narrow);
        } else {
            memcpy(&entries[i], raw + i * each, sizeof entries[i]);
            entries[i] = le64toh(entries[i]);
        }
    }
    return true;
}

static bool bad_entry(const struct extent *e, const char *reason, uint64_t entry, uint64_t offset,
                      struct error *error)
{
    error_set(error, ERROR_DAMAGED, "%s (entry 0x%" PRIx64 ")", reason, entry);
    return error_at(error, extent_pool_path(e->pool, e->file), offset);
}

/* The run at AT, whose table TABLE of the directory is absent; those behind it may be too. What
 * cannot be read there is told when it is asked for. */
static void run_of_tables(const struct extent *e, uint64_t table, uint64_t at, uint64_t wanted,
                          struct extent_run *run)
{
    uint64_t entries[BATCH_MOST], span = GRAIN_TABLE_ENTRIES * e->grain;
    const struct grains *g = grains_of(e);
    uint64_t last = smaller(grains_tables(e), table + DIRECTORY_AHEAD);
    uint64_t next = table + 1;
    last = smaller(last, divide_up(at + wanted, span));
    for (size_t batch = BATCH_FIRST, i = 0; next < last; batch = BATCH_MOST) {
        size_t count = (size_t)smaller(batch, last - next);
        struct error later = ERROR_INIT;
        if (!read_entries(e, g->directory + next * g->entry_bytes, count, entries, &later))
            break;
        for (i = 0; i < count && entries[i] == 0; i++)
            next++;
        if (i < count)
            break;
    }
    *run = (struct extent_run){.state = EXTENT_ABSENT,
                               .length = smaller(next * span, e->length) - at,
                               .file_offset = EXTENT_NOWHERE};
}

static const char *place_of(const struct extent *e, uint64_t entry, uint64_t bytes,
                            struct grain_place *place)
{
    *place = (struct grain_place){.state = EXTENT_ABSENT};
    return entry == 0 ? NULL : grains_of(e)->grain(e, entry, bytes, place);
}

/* Add the next grain to RUN; false when it does not belong to it. */
static bool extend(struct extent_run *run, const struct grain_place *place, uint64_t bytes,
                   size_t *scattered)
{
    if (place->state != run->state)
        return false;
    if (run->state == EXTENT_STORED) {
        if (run->file_length == run->length && place->offset == run->file_offset + run->file_length)
            run->file_length += bytes;
        else if (*scattered == 0)
            return false;
        else
            (*scattered)--;
    }
    run->length += bytes;
    return true;
}

/* The run that begins at AT, in the grain whose entry is at ENTRY_AT of the file. */
static bool begin(const struct extent *e, uint64_t at, uint64_t entry_at, struct extent_run *run,
                  struct error *error)
{
    uint64_t entry, skip = at % e->grain, bytes = smaller(e->grain, e->length - (at - skip));
    struct grain_place place;
    if (!read_entries(e, entry_at, 1, &entry, error))
        return false;
    const char *wrong = place_of(e, entry, bytes, &place);
    if (wrong != NULL)
        return bad_entry(e, wrong, entry, entry_at, error);
    *run = (struct extent_run){
        .state = place.state, .length = bytes - skip, .file_offset = EXTENT_NOWHERE};
    if (place.state == EXTENT_STORED) {
        run->file_offset = place.offset + skip;
        run->file_length = run->length;
    }
    return true;
}

/* The run at AT, whose grain table is at TABLE of the file; it ends where that ends, or before
 * what is wrong with it. */
static bool run_of_grains(const struct extent *e, uint64_t table, uint64_t at, uint64_t wanted,
                          size_t scattered, struct extent_run *run, struct error *error)
{
    uint64_t entries[BATCH_MOST], index = at / e->grain;
    size_t each = grains_of(e)->entry_bytes, batch = BATCH_FIRST;
    uint64_t last = smaller(divide_up(e->length, e->grain),
                            (index / GRAIN_TABLE_ENTRIES + 1) * GRAIN_TABLE_ENTRIES);
    last = smaller(last, divide_up(at + wanted, e->grain));
    if (!begin(e, at, table + index % GRAIN_TABLE_ENTRIES * each, run, error))
        return false;
    for (index++; index < last; batch = (size_t)smaller(2 * batch, BATCH_MOST)) {
        size_t count = (size_t)smaller(batch, last - index);
        struct error later = ERROR_INIT;
        if (!read_entries(e, table + index % GRAIN_TABLE_ENTRIES * each, count, entries, &later))
            return true;
        for (size_t i = 0; i < count; i++, index++) {
            uint64_t bytes = smaller(e->grain, e->length - index * e->grain);
            struct grain_place place;
            if (place_of(e, entries[i], bytes, &place) != NULL ||
                !extend(run, &place, bytes, &scattered))
                return true;
        }
    }
    return true;
}

static bool find_run(const struct extent *e, uint64_t at, uint64_t wanted, size_t scattered,
                     struct extent_run *run, struct error *error)
{
    const struct grains *g = grains_of(e);
    uint64_t number = at / e->grain / GRAIN_TABLE_ENTRIES, entry, table;
    uint64_t from = g->directory + number * g->entry_bytes;
    if (!read_entries(e, from, 1, &entry, error))
        return false;
    if (entry == 0) {
        run_of_tables(e, number, at, wanted, run);
        return true;
    }
    const char *wrong = g->table(e, entry, &table);
    if (wrong != NULL)
        return bad_entry(e, wrong, entry, from, error);
    return run_of_grains(e, table, at, wanted, scattered, run, error);
}

bool grains_read(const struct extent *e, uint64_t at, void *data, size_t length,
                 struct error *error)
{
    for (uint8_t *to = data; length > 0;) {
        struct extent_run run;
        if (!find_run(e, at, length, 0, &run, error))
            return false;
        size_t part = (size_t)smaller(run.length, length);
        if (run.state != EXTENT_STORED)
            memset(to, 0, part);
        else if (!extent_pool_read(e->pool, e->file, to, part, run.file_offset, error))
            return false;
        to += part;
        at += part;
        length -= part;
    }
    return true;
}

bool grains_run_at(const struct extent *e, uint64_t at, struct extent_run *run, struct error *error)
{
    return find_run(e, at, e->length - at, SCATTERED_AHEAD, run, error);
}

void grains_close(struct extent *e)
{
    free(e->state);
    e->state = NULL;
}
