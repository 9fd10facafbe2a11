/*
 * extent_sesparse - SESPARSE extents, the deltas of ESXi since 6.5; see extent.h.
 *
 * Not published by VMware. [qemu block/vmdk.c and the mails of its author, who read ESXi's logs;
 * dissect.hypervisor; a real extent] All fields are u64 little endian, all places in sectors of
 * the file.
 *   constant header, sector 0: magic, version (2.1), capacity, grain size (8), grain table size
 *     (64), flags, 4 reserved, then offset and size of: volatile header, journal header, journal,
 *     grain directory, grain tables, free bitmap, back map, grains
 *   volatile header: magic, free grain tables, next transaction, journal to be replayed
 *   directory entry: 0, or 0x10000000 in the upper half and the number of a grain table
 *   table entry: the kind in the upper 4 bits, then 12 low and 48 high bits of a grain's number
 *   journal, as far as a real one shows it: transactions, each of one sector with magic, 1, place
 *     in the journal, sectors of the transaction, check sum, number, and the sectors that it
 *     writes behind it
 */
#include "vmdk/extent.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/reader.h"
#include "vmdk/grains.h"

#define CONSTANT_MAGIC UINT64_C(0xcafebabe)
#define VOLATILE_MAGIC UINT64_C(0xcafecafe)
#define TRANSACTION_MAGIC UINT64_C(0xc0ffee)
#define VERSION UINT64_C(0x200000001)
#define DIRECTORY_ALLOCATED UINT32_C(0x10000000)

enum {
    GRAIN_SECTORS = 8,
    GRAIN_BYTES = GRAIN_SECTORS * SECTOR_BYTES,
    TABLE_SECTORS = 64,
    RESERVED = 4,
    JOURNAL_MOST = 64 << 20, /* of a journal that is counted; real ones have a MiB */
    JOURNAL_STEP = 32 << 10,
};

enum kind { KIND_ABSENT, KIND_UNMAPPED, KIND_ZERO, KIND_STORED };

/* In the order of the header. */
enum region {
    VOLATILE_HEADER,
    JOURNAL_HEADER,
    JOURNAL,
    DIRECTORY,
    TABLES,
    FREE_BITMAP,
    BACK_MAP,
    GRAINS,
    REGIONS,
};

static const struct {
    const char *name;
    bool needed; /* to read the disk */
} REGION_FACTS[REGIONS] = {
    {"volatile header", true}, {"journal header", false},        {"journal", false},
    {"grain directory", true}, {"space for grain tables", true}, {"free bitmap", false},
    {"back map", false},       {"space for grains", true},
};

struct span {
    uint64_t offset, size; /* sectors */
};

struct sesparse {
    struct grains grains;
    uint64_t file_size;
    struct span regions[REGIONS];
    atomic_flag noted; /* unmapped grains */
};

struct header {
    uint64_t magic, version, sectors, grain_sectors, table_sectors, flags;
    bool reserved, padding; /* what ought to be 0 is not */
};

static const char *sesparse_table(const struct extent *e, uint64_t entry, uint64_t *offset)
{
    const struct sesparse *s = e->state;
    uint64_t number = (uint32_t)entry;
    if (entry >> 32 != DIRECTORY_ALLOCATED)
        return "an unknown kind of entry in the grain directory";
    if (number >= s->regions[TABLES].size / TABLE_SECTORS)
        return "a grain table beyond the space for grain tables";
    *offset = (s->regions[TABLES].offset + number * TABLE_SECTORS) * SECTOR_BYTES;
    return NULL;
}

static const char *stored_grain(const struct sesparse *s, uint64_t entry, uint64_t bytes,
                                uint64_t *offset)
{
    uint64_t number =
        (entry & UINT64_C(0x0fff000000000000)) >> 48 | (entry & UINT64_C(0x0000ffffffffffff)) << 12;
    /* The last one may be cut off along with the disk. */
    if (number > s->regions[GRAINS].size / GRAIN_SECTORS ||
        number * GRAIN_SECTORS >= s->regions[GRAINS].size)
        return "a grain beyond the space for grains";
    /* The end of that space fits 63 bits, as was checked when the extent was opened. */
    *offset = (s->regions[GRAINS].offset + number * GRAIN_SECTORS) * SECTOR_BYTES;
    if (*offset > s->file_size || bytes > s->file_size - *offset)
        return "a grain that lies beyond the end of the file";
    return NULL;
}

static const char *sesparse_grain(const struct extent *e, uint64_t entry, uint64_t bytes,
                                  struct grain_place *place)
{
    struct sesparse *s = e->state;
    switch (entry >> 60) {
    case KIND_ABSENT:
        return "an absent grain that has a number";
    case KIND_UNMAPPED:
        place->state = EXTENT_ZEROS;
        if (!atomic_flag_test_and_set(&s->noted))
            notes_add(e->notes, extent_pool_path(e->pool, e->file),
                      "has unmapped grains (kind 1), which are read as zeros, as qemu does; no "
                      "document says whether ESXi does so too or reads the parent");
        return NULL;
    case KIND_ZERO:
        place->state = EXTENT_ZEROS;
        return NULL;
    case KIND_STORED:
        place->state = EXTENT_STORED;
        return stored_grain(s, entry, bytes, &place->offset);
    default:
        return "an unknown kind of entry in a grain table";
    }
}

static bool all_zero(struct reader *r)
{
    bool zero = true;
    while (reader_left(r) > 0)
        zero &= reader_u8(r) == 0;
    return zero;
}

static void parse_header(const uint8_t *data, struct header *h, struct sesparse *s)
{
    struct reader r = reader_over(data, SECTOR_BYTES);
    *h = (struct header){.magic = reader_u64(&r)};
    h->version = reader_u64(&r);
    h->sectors = reader_u64(&r);
    h->grain_sectors = reader_u64(&r);
    h->table_sectors = reader_u64(&r);
    h->flags = reader_u64(&r);
    for (size_t i = 0; i < RESERVED; i++)
        h->reserved |= reader_u64(&r) != 0;
    for (size_t i = 0; i < REGIONS; i++) {
        s->regions[i].offset = reader_u64(&r);
        s->regions[i].size = reader_u64(&r);
    }
    h->padding = !all_zero(&r);
}

static bool check_header(struct extent *e, const struct sesparse *s, const struct header *h,
                         struct error *error)
{
    if (h->magic != CONSTANT_MAGIC)
        return error_set(error, ERROR_DAMAGED,
                         "no seSparse extent, though the descriptor says SESPARSE");
    if (h->version != VERSION)
        return error_set(error, ERROR_FAILED,
                         "a seSparse extent of the unknown version %" PRIu64 ".%" PRIu64,
                         h->version >> 32, h->version & UINT32_MAX);
    if (h->flags != 0 || h->reserved)
        return error_set(error, ERROR_FAILED,
                         "a seSparse extent with unknown flags (0x%" PRIx64 "%s)", h->flags,
                         h->reserved ? ", reserved fields in use" : "");
    if (h->grain_sectors != GRAIN_SECTORS || h->table_sectors != TABLE_SECTORS)
        return error_set(error, ERROR_FAILED,
                         "a seSparse extent with grains of %" PRIu64
                         " sectors and grain tables of %" PRIu64 "; only %d and %d are known",
                         h->grain_sectors, h->table_sectors, GRAIN_SECTORS, TABLE_SECTORS);
    uint64_t entries = s->regions[DIRECTORY].size;
    entries = entries > UINT32_MAX ? UINT32_MAX : entries * (SECTOR_BYTES / sizeof(uint64_t));
    return grains_check(e, h->sectors, h->grain_sectors, entries, error);
}

/* What is wrong with region I, NULL for nothing. Grains may end before the space for them does. */
static const char *wrong_region(const struct sesparse *s, size_t i)
{
    const struct span *a = &s->regions[i];
    uint64_t end, sectors = s->file_size / SECTOR_BYTES;
    if (a->size == 0)
        return i == GRAINS ? NULL : "is missing";
    if (__builtin_add_overflow(a->offset, a->size, &end) || end > INT64_MAX / SECTOR_BYTES)
        return "lies beyond any file";
    if (a->offset == 0)
        return "lies over the header";
    if (i != GRAINS && end > sectors)
        return "lies beyond the end of the file";
    return NULL;
}

/* Of two regions that lie over one another nobody knows which one is wrong. */
static bool check_apart(const struct sesparse *s, struct error *error)
{
    for (size_t i = 0; i < REGIONS; i++)
        for (size_t k = 0; k < i; k++) {
            const struct span *a = &s->regions[i], *b = &s->regions[k];
            uint64_t a_end, b_end;
            if (a->size == 0 || b->size == 0 ||
                __builtin_add_overflow(a->offset, a->size, &a_end) ||
                __builtin_add_overflow(b->offset, b->size, &b_end))
                continue;
            if (a->offset < b_end && b->offset < a_end)
                return error_set(error, ERROR_DAMAGED, "its %s lies over its %s",
                                 REGION_FACTS[i].name, REGION_FACTS[k].name);
        }
    return true;
}

static bool check_regions(const struct extent *e, const struct sesparse *s, struct error *error)
{
    for (size_t i = 0; i < REGIONS; i++) {
        const char *wrong = REGION_FACTS[i].needed ? wrong_region(s, i) : NULL;
        if (wrong != NULL)
            return error_set(error, ERROR_DAMAGED, "its %s %s", REGION_FACTS[i].name, wrong);
    }
    if (!check_apart(s, error))
        return false;
    for (size_t i = 0; i < REGIONS; i++) {
        const char *wrong = REGION_FACTS[i].needed ? NULL : wrong_region(s, i);
        if (wrong != NULL)
            notes_add(e->notes, extent_pool_path(e->pool, e->file),
                      "its %s %s; it is not needed for reading", REGION_FACTS[i].name, wrong);
    }
    return true;
}

struct transactions {
    uint64_t count, first, last; /* the least and the greatest number */
};

/* Count the transaction that begins at the sector R is over; returns the sectors to go on by. */
static uint64_t count_transaction(struct reader *r, struct transactions *t)
{
    if (reader_u64(r) != TRANSACTION_MAGIC)
        return 1;
    reader_skip(r, 2 * sizeof(uint64_t));
    uint64_t sectors = reader_u64(r);
    reader_skip(r, sizeof(uint64_t));
    uint64_t number = reader_u64(r);
    t->first = t->count == 0 || number < t->first ? number : t->first;
    t->last = t->count == 0 || number > t->last ? number : t->last;
    t->count++;
    return sectors == 0 ? 1 : sectors;
}

/* False when the journal cannot be read. */
static bool count_transactions(const struct extent *e, const struct span *journal,
                               struct transactions *t)
{
    struct error ignored = ERROR_INIT;
    uint64_t most = JOURNAL_MOST / SECTOR_BYTES, next = 0;
    uint64_t end = journal->size < most ? journal->size : most;
    uint8_t *data = malloc(JOURNAL_STEP);
    bool ok = data != NULL;
    *t = (struct transactions){0};
    for (uint64_t at = 0; ok && at < end; at += JOURNAL_STEP / SECTOR_BYTES) {
        uint64_t sectors = JOURNAL_STEP / SECTOR_BYTES;
        sectors = end - at < sectors ? end - at : sectors;
        if (next >= at + sectors)
            continue;
        ok = extent_pool_read(e->pool, e->file, data, (size_t)(sectors * SECTOR_BYTES),
                              (journal->offset + at) * SECTOR_BYTES, &ignored);
        while (ok && next < at + sectors) {
            struct reader r = reader_over(data + (next - at) * SECTOR_BYTES, SECTOR_BYTES);
            uint64_t by = count_transaction(&r, t);
            next = by < end - next ? next + by : end;
        }
    }
    free(data);
    return ok;
}

static void note_journal(const struct extent *e, const struct sesparse *s, uint64_t state)
{
    const char *path = extent_pool_path(e->pool, e->file);
    struct transactions t = {0};
    bool counted = wrong_region(s, JOURNAL) == NULL &&
                   count_transactions(e, &s->regions[JOURNAL], &t) && t.count > 0;
    if (counted)
        notes_add(e->notes, path,
                  "the journal was not replayed (state %" PRIu64
                  "): what it holds may be newer than what is read; it seems to hold %" PRIu64
                  " transactions, numbers %" PRIu64 " to %" PRIu64,
                  state, t.count, t.first, t.last);
    else
        notes_add(e->notes, path,
                  "the journal was not replayed (state %" PRIu64
                  "): what it holds may be newer than what is read",
                  state);
}

static bool check_volatile(const struct extent *e, const struct sesparse *s, struct error *error)
{
    uint8_t data[SECTOR_BYTES];
    uint64_t place = s->regions[VOLATILE_HEADER].offset * SECTOR_BYTES;
    if (!meta_read(e->cache, e->pool, e->file, place, data, sizeof data, error))
        return false;
    struct reader r = reader_over(data, sizeof data);
    if (reader_u64(&r) != VOLATILE_MAGIC) {
        error_set(error, ERROR_DAMAGED, "no volatile header is where the header says");
        return error_at(error, extent_pool_path(e->pool, e->file), place);
    }
    reader_skip(&r, 2 * sizeof(uint64_t));
    uint64_t replay = reader_u64(&r);
    if (replay != 0)
        note_journal(e, s, replay);
    return true;
}

static bool check(struct extent *e, struct sesparse *s, struct error *error)
{
    uint8_t data[SECTOR_BYTES];
    struct header h;
    if (!meta_read(e->cache, e->pool, e->file, 0, data, sizeof data, error))
        return false;
    parse_header(data, &h, s);
    if (!check_header(e, s, &h, error) || !check_regions(e, s, error) ||
        !check_volatile(e, s, error))
        return false;
    if (h.padding)
        notes_add(e->notes, extent_pool_path(e->pool, e->file),
                  "has unknown data behind the fields of its header");
    s->grains.directory = s->regions[DIRECTORY].offset * SECTOR_BYTES;
    return true;
}

static bool sesparse_open(struct extent *e, struct error *error)
{
    struct sesparse *s = calloc(1, sizeof *s);
    if (s == NULL)
        return error_memory(error);
    s->grains = (struct grains){
        .entry_bytes = sizeof(uint64_t), .table = sesparse_table, .grain = sesparse_grain};
    s->file_size = extent_pool_size(e->pool, e->file);
    atomic_flag_clear(&s->noted);
    if (!check(e, s, error)) {
        free(s);
        return error_in_file(error, extent_pool_path(e->pool, e->file));
    }
    e->state = s;
    return true;
}

const struct extent_ops extent_sesparse = {
    .open = sesparse_open, .read = grains_read, .run_at = grains_run_at, .close = grains_close};
