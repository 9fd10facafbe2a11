/*
 * extent_sparse_table - grain directories and tables, and which of two copies counts.
 *
 * The primary table counts, unless it is worse than its copy: it cannot be read, has entries that
 * cannot be, or is empty where its copy is not. Each table is looked at once, when it is first
 * needed; a fixed number of outcomes is kept in SPARSE.choices, each as table << 2 | (1 + which).
 */
#include "vmdk/extent_sparse_private.h"

#include <endian.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "vmdk/zero.h"

enum {
    CHOICES_MAX = 8192, /* 256 GiB of a disk with the usual tables */
    EMPTY_CHECK = 1024, /* entries of a directory that are looked at when opening */
};

enum note {
    NOTE_USED_COPY = 1,
    NOTE_DIFFER = 2,
    NOTE_NO_COPY = 4,
    NOTE_OVERLAP = 8,
    NOTE_ASTRAY = 16
};

static void note_once(const struct extent *e, enum note note, uint64_t table, const char *what)
{
    struct sparse *s = e->state;
    if ((atomic_fetch_or(&s->noted, (unsigned)note) & (unsigned)note) == 0)
        notes_add(e->notes, extent_pool_path(e->pool, e->file),
                  "grain table %" PRIu64 " %s (others may follow)", table, what);
}

enum sparse_kind sparse_kind_of(const struct sparse *s, uint32_t entry)
{
    uint64_t at = (uint64_t)entry * SECTOR_BYTES;
    if (entry == 0)
        return SPARSE_ABSENT;
    if (entry == 1 && s->zero_grains)
        return SPARSE_ZERO;
    if (entry == SPARSE_LOST && s->index != NULL)
        return SPARSE_BAD;
    return at < s->data_at || at >= s->file_bytes ? SPARSE_BAD : SPARSE_STORED;
}

bool sparse_bad_entry(const struct extent *e, uint64_t grain, uint32_t entry, struct error *error)
{
    const struct sparse *s = e->state;
    uint64_t at = (uint64_t)entry * SECTOR_BYTES;
    if (entry == SPARSE_LOST && s->index != NULL) {
        at = stream_index_end(s->index);
        error_set(error, ERROR_DAMAGED,
                  "the stream ends before the grain for byte %" PRIu64
                  " of the extent: it was cut off, or never finished",
                  grain * s->grain_bytes);
    } else if (at < s->data_at) {
        error_set(error, ERROR_DAMAGED,
                  "the grain for byte %" PRIu64
                  " of the extent would lie among the grain tables, at sector %" PRIu32,
                  grain * s->grain_bytes, entry);
    } else {
        error_set(error, ERROR_DAMAGED,
                  "the grain for byte %" PRIu64 " of the extent lies beyond the end of the file",
                  grain * s->grain_bytes);
    }
    return error_at(error, extent_pool_path(e->pool, e->file), at);
}

/* The first byte of table I as directory D has it; 0: it has none. */
static bool find_table(const struct extent *e, size_t d, uint64_t i, uint64_t *at,
                       struct error *error)
{
    const struct sparse *s = e->state;
    uint32_t sector;
    uint64_t entry_at = s->directories[d] + i * sizeof sector;
    if (s->directories[d] == 0)
        return error_set(error, ERROR_DAMAGED, "its grain directory cannot be used");
    if (!meta_read(e->cache, e->pool, e->file, entry_at, &sector, sizeof sector, error))
        return false;
    *at = (uint64_t)le32toh(sector) * SECTOR_BYTES;
    if (*at == 0 || *at + s->table_entries * sizeof sector <= s->file_bytes)
        return true;
    error_set(error, ERROR_DAMAGED,
              "grain table %" PRIu64 " would lie at sector %" PRIu32 ", beyond the end of the file",
              i, le32toh(sector));
    return error_at(error, extent_pool_path(e->pool, e->file), entry_at);
}

/* COUNT entries of table I from the one of number FIRST on. */
static bool read_table(const struct extent *e, size_t d, uint64_t i, size_t first,
                       uint32_t *entries, size_t count, struct error *error)
{
    uint64_t at = 0;
    if (!find_table(e, d, i, &at, error))
        return false;
    if (at == 0) {
        memset(entries, 0, count * sizeof *entries);
        return true;
    }
    if (!meta_read(e->cache, e->pool, e->file, at + first * sizeof *entries, entries,
                   count * sizeof *entries, error))
        return false;
    for (size_t n = 0; n < count; n++)
        entries[n] = le32toh(entries[n]);
    return true;
}

struct view {
    bool readable;
    size_t stored; /* grains that may be where the table says */
    size_t other;  /* zero grains */
    size_t bad;    /* entries that cannot be */
    bool overlap;
    bool astray; /* among the grains, where products put tables of streams only */
    uint32_t entries[SPARSE_TABLE_MAX];
};

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* Two grains that share sectors: one of them is wrong. Most tables are in order already. */
static bool find_overlap(const struct sparse *s, const uint32_t *entries, size_t count)
{
    uint32_t stored[SPARSE_TABLE_MAX], apart = s->compressed ? 1 : (uint32_t)s->grain_sectors;
    size_t n = 0;
    bool sorted = true;
    for (size_t i = 0; i < count; i++)
        if (sparse_kind_of(s, entries[i]) == SPARSE_STORED) {
            sorted = sorted && (n == 0 || entries[i] >= stored[n - 1]);
            stored[n++] = entries[i];
        }
    if (!sorted)
        qsort(stored, n, sizeof *stored, by_number);
    for (size_t i = 1; i < n; i++)
        if (stored[i] - stored[i - 1] < apart)
            return true;
    return false;
}

static void look_at(const struct extent *e, size_t d, uint64_t i, struct view *view,
                    struct error *error)
{
    const struct sparse *s = e->state;
    uint64_t at = 0;
    view->stored = view->other = view->bad = 0;
    view->readable = read_table(e, d, i, 0, view->entries, s->table_entries, error);
    view->astray =
        view->readable && !s->compressed && find_table(e, d, i, &at, error) && at >= s->data_at;
    view->overlap = false;
    /* Most tables of a snapshot. */
    if (!view->readable ||
        bytes_are_zero((const uint8_t *)view->entries, s->table_entries * sizeof *view->entries))
        return;
    for (size_t n = 0; n < s->table_entries; n++) {
        enum sparse_kind kind = sparse_kind_of(s, view->entries[n]);
        view->stored += kind == SPARSE_STORED;
        view->other += kind == SPARSE_ZERO;
        view->bad += kind == SPARSE_BAD;
    }
    view->overlap = find_overlap(s, view->entries, s->table_entries);
}

static size_t flaws(const struct view *view)
{
    return view->bad + view->overlap + view->astray;
}

/* Whether the copy is to be believed: never for having fewer grains, which would read as zeros. */
static bool copy_is_better(const struct view *primary, const struct view *copy)
{
    if (!copy->readable)
        return false;
    if (!primary->readable)
        return true;
    bool primary_empty = primary->stored + primary->other + primary->bad == 0;
    if (primary_empty)
        return copy->stored > 0 && flaws(copy) == 0;
    return flaws(copy) < flaws(primary) && copy->stored > 0 && copy->stored >= primary->stored;
}

/* VIEWS has one place for each directory. */
static bool compare(const struct extent *e, uint64_t i, struct view *views, size_t *which,
                    struct error *error)
{
    const struct sparse *s = e->state;
    struct view *primary = &views[SPARSE_PRIMARY], *copy = &views[SPARSE_COPY];
    struct error unread = ERROR_INIT;
    look_at(e, SPARSE_PRIMARY, i, primary, error);
    copy->readable = false;
    if (s->directories[SPARSE_COPY] != 0)
        look_at(e, SPARSE_COPY, i, copy, &unread);
    if (!primary->readable && !copy->readable) {
        /* Of a directory that is lost nothing is to be told, but of the other one's table. */
        if (s->directories[SPARSE_PRIMARY] == 0)
            *error = unread;
        return false;
    }
    bool differ =
        primary->readable && copy->readable &&
        memcmp(primary->entries, copy->entries, s->table_entries * sizeof *copy->entries) != 0;
    *which = (differ || !primary->readable) && copy_is_better(primary, copy) ? SPARSE_COPY
                                                                             : SPARSE_PRIMARY;
    if (*which == SPARSE_COPY && s->directories[SPARSE_PRIMARY] != 0)
        note_once(e, NOTE_USED_COPY, i,
                  "is damaged or wiped; its redundant copy, which is not, is used");
    else if (*which == SPARSE_PRIMARY && differ)
        note_once(e, NOTE_DIFFER, i, "differs from its redundant copy; the primary one is used");
    if (s->directories[SPARSE_COPY] != 0 && !copy->readable)
        note_once(e, NOTE_NO_COPY, i, "has a redundant copy that cannot be read");
    if (views[*which].overlap)
        note_once(e, NOTE_OVERLAP, i,
                  "has grains that overlap one another: what they hold is not to be trusted");
    if (views[*which].astray)
        note_once(e, NOTE_ASTRAY, i,
                  "lies among the grains, so that its directory is probably none: what is read may "
                  "be wrong");
    error_clear(error);
    return true;
}

/* Which directory to ask for table I. */
static bool choose(const struct extent *e, uint64_t i, size_t *which, struct error *error)
{
    struct sparse *s = e->state;
    _Atomic uint64_t *slot = &s->choices[i & (s->choice_count - 1)];
    uint64_t choice = atomic_load_explicit(slot, memory_order_relaxed);
    if (choice >> 2 == i && (choice & 3) != 0) {
        *which = (size_t)(choice & 3) - 1;
        return true;
    }
    struct view *views = malloc(SPARSE_DIRECTORIES * sizeof *views);
    if (views == NULL)
        return error_memory(error);
    bool ok = compare(e, i, views, which, error);
    if (ok)
        atomic_store_explicit(slot, i << 2 | (*which + 1), memory_order_relaxed);
    free(views);
    return ok;
}

bool sparse_entries(const struct extent *e, uint64_t grain, uint32_t *entries, size_t count,
                    struct error *error)
{
    const struct sparse *s = e->state;
    uint64_t table = grain / s->table_entries;
    size_t which = SPARSE_PRIMARY;
    if (s->index != NULL)
        return stream_index_entries(e, grain, entries, count, error);
    return choose(e, table, &which, error) &&
           read_table(e, which, table, (size_t)(grain % s->table_entries), entries, count, error);
}

/* A directory without any table, in a file that has room for grains, was wiped or is none. */
static bool looks_empty(const struct extent *e, uint64_t at)
{
    const struct sparse *s = e->state;
    uint32_t entries[EMPTY_CHECK];
    struct error unread = ERROR_INIT;
    size_t count = (size_t)s->table_count;
    if (s->table_count > EMPTY_CHECK || s->file_bytes < s->data_at + s->grain_bytes)
        return false;
    if (!meta_read(e->cache, e->pool, e->file, at, entries, count * sizeof *entries, &unread))
        return true;
    for (size_t i = 0; i < count; i++)
        if (entries[i] != 0)
            return false;
    return true;
}

/* The first byte of the directory at SECTOR; 0 when none can be there. */
static uint64_t usable_directory(const struct extent *e, uint64_t sector)
{
    const struct sparse *s = e->state;
    uint64_t bytes, end;
    if (sector == 0 || sector > s->file_bytes / SECTOR_BYTES ||
        __builtin_mul_overflow(s->table_count, sizeof(uint32_t), &bytes) ||
        __builtin_add_overflow(sector * SECTOR_BYTES, bytes, &end) || end > s->file_bytes)
        return 0;
    return looks_empty(e, sector * SECTOR_BYTES) ? 0 : sector * SECTOR_BYTES;
}

/* The first entry of the directory's tables that is a grain's leads to where grains begin. */
static bool begins_with_first(const struct extent *e)
{
    const struct sparse *s = e->state;
    uint32_t entries[512];
    size_t step = s->table_entries < 512 ? s->table_entries : 512;
    uint64_t grains = s->table_count * s->table_entries;
    struct error unread = ERROR_INIT;
    for (uint64_t grain = 0; grain < grains; grain += step) {
        if (!sparse_entries(e, grain, entries, step, &unread))
            return false;
        for (size_t i = 0; i < step; i++)
            if (entries[i] > 1)
                return (uint64_t)entries[i] * SECTOR_BYTES == s->data_at;
    }
    return false;
}

/* A stream's directory leads to the grain that comes first in it. When it calls that another grain
 * than the grain's own marker does, it is the marker that is damaged: reading it tells. */
static bool leads_to_first(const struct extent *e)
{
    const struct sparse *s = e->state;
    struct error unread = ERROR_INIT;
    uint64_t grain;
    uint32_t entry;
    if (!s->markers || !sparse_first_grain(e, &grain))
        return true;
    if (sparse_entries(e, grain, &entry, 1, &unread) &&
        (uint64_t)entry * SECTOR_BYTES == s->data_at)
        return true;
    return begins_with_first(e);
}

static bool make_choices(struct sparse *s, struct error *error)
{
    s->choice_count = 1;
    while (s->choice_count < CHOICES_MAX && s->choice_count < s->table_count)
        s->choice_count *= 2;
    s->choices = calloc(s->choice_count, sizeof *s->choices);
    return s->choices != NULL || error_memory(error);
}

/* For want of a directory that the headers lead to. */
static bool follow_markers(const struct extent *e, struct error *error)
{
    struct sparse *s = e->state;
    uint64_t sector;
    if (!stream_index_make(e, &sector, error))
        return false;
    s->directories[SPARSE_PRIMARY] = usable_directory(e, sector);
    s->directories[SPARSE_COPY] = 0;
    if (s->directories[SPARSE_PRIMARY] == 0)
        return stream_index_check(e, error);
    struct stream_index *index = s->index;
    s->index = NULL;
    memset((void *)s->choices, 0, s->choice_count * sizeof *s->choices);
    if (!leads_to_first(e)) {
        s->index = index;
        return stream_index_check(e, error);
    }
    stream_index_free(index);
    notes_add(e->notes, extent_pool_path(e->pool, e->file),
              "its footer is lost; its grain directory was found by its marker");
    return true;
}

bool sparse_tables_open(const struct extent *e, const struct sparse_header *header,
                        struct error *error)
{
    struct sparse *s = e->state;
    const char *path = extent_pool_path(e->pool, e->file);
    uint64_t primary = header->directory_at;
    if (!make_choices(s, error))
        return false;
    if (primary == SPARSE_DIRECTORY_IN_FOOTER && !sparse_footer(e, header, &primary))
        primary = 0;
    s->directories[SPARSE_PRIMARY] = usable_directory(e, primary);
    if ((header->flags & SPARSE_REDUNDANT) != 0)
        s->directories[SPARSE_COPY] = usable_directory(e, header->copy_at);
    bool none = s->directories[SPARSE_PRIMARY] == 0 && s->directories[SPARSE_COPY] == 0;
    if (s->markers && (none || !leads_to_first(e)))
        return follow_markers(e, error);
    if (none) {
        error_set(error, ERROR_DAMAGED,
                  "its grain directory is lost: none is at sector %" PRIu64 " of a file of %" PRIu64
                  " bytes, nor a redundant one",
                  primary, s->file_bytes);
        return error_at(error, path, 0);
    }
    if (s->directories[SPARSE_PRIMARY] == 0)
        notes_add(e->notes, path,
                  "its grain directory at sector %" PRIu64 " is lost; the redundant one is used",
                  primary);
    else if ((header->flags & SPARSE_REDUNDANT) != 0 && s->directories[SPARSE_COPY] == 0)
        notes_add(e->notes, path, "its redundant grain directory is lost; the primary one is used");
    return true;
}
