/* extent_sparse - hosted sparse extents (KDMV): see extent_sparse_private.h. */
#include "vmdk/extent.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "vmdk/zero.h"

#include "base/reader.h"
#include "vmdk/extent_sparse_private.h"

enum {
    VERSION_MAX = 3,
    ALGORITHM_DEFLATE = 1,
    KNOWN_FLAGS = SPARSE_NEWLINES | SPARSE_REDUNDANT | SPARSE_ZERO_GRAINS | SPARSE_COMPRESSED |
                  SPARSE_MARKERS,
    TABLES_AHEAD = 4,
};

/* Flags that a reader must understand; the others it may pass over. */
#define INCOMPATIBLE_FLAGS UINT32_C(0xffff0000)

bool sparse_header_parse(const uint8_t bytes[SPARSE_HEADER_BYTES], struct sparse_header *header)
{
    struct reader r = reader_over(bytes, SPARSE_HEADER_BYTES);
    if (memcmp(reader_bytes(&r, 4), "KDMV", 4) != 0)
        return false;
    header->version = reader_u32(&r);
    header->flags = reader_u32(&r);
    header->capacity = reader_u64(&r);
    header->grain_sectors = reader_u64(&r);
    reader_skip(&r, 16); /* the descriptor's place: descriptor_load.c */
    header->table_entries = reader_u32(&r);
    header->copy_at = reader_u64(&r);
    header->directory_at = reader_u64(&r);
    header->overhead = reader_u64(&r);
    header->unclean = reader_u8(&r);
    memcpy(header->newlines, reader_bytes(&r, 4), 4);
    header->algorithm = reader_u16(&r);
    return true;
}

static bool power_of_two(uint64_t n)
{
    return n != 0 && (n & (n - 1)) == 0;
}

static bool check_flags(const struct sparse_header *h, struct error *error)
{
    bool compressed = (h->flags & SPARSE_COMPRESSED) != 0;
    if (h->version < 1 || h->version > VERSION_MAX)
        return error_set(error, ERROR_FAILED,
                         "a sparse extent of version %" PRIu32 ", of which we know 1 to %d",
                         h->version, VERSION_MAX);
    if ((h->flags & SPARSE_NEWLINES) != 0 && memcmp(h->newlines, "\n \r\n", 4) != 0)
        return error_set(error, ERROR_DAMAGED,
                         "the line ends in its header were changed: it was copied as text "
                         "(FTP in ASCII mode?), which damages all of it; copy it again as binary");
    if ((h->flags & INCOMPATIBLE_FLAGS & ~(uint32_t)KNOWN_FLAGS) != 0)
        return error_set(error, ERROR_FAILED,
                         "a sparse extent with flags %08" PRIx32 ", of which we know %08x only",
                         h->flags, (unsigned)KNOWN_FLAGS);
    if ((h->flags & SPARSE_MARKERS) != 0 && !compressed)
        return error_set(error, ERROR_DAMAGED,
                         "its header says that grains have markers but are not compressed, which "
                         "nothing writes");
    if (h->algorithm != (compressed ? ALGORITHM_DEFLATE : 0))
        return error_set(error, ERROR_DAMAGED,
                         "its header says that grains are %scompressed, by method %" PRIu16
                         " (0 is none, 1 deflate)",
                         compressed ? "" : "not ", h->algorithm);
    return true;
}

static bool check_shape(const struct extent *e, const struct sparse_header *h, struct error *error)
{
    uint64_t sectors = e->length / SECTOR_BYTES, file = extent_pool_size(e->pool, e->file);
    if (!power_of_two(h->grain_sectors) || h->grain_sectors > SPARSE_GRAIN_SECTORS_MAX)
        return error_set(error, ERROR_DAMAGED,
                         "grains of %" PRIu64 " sectors; a power of two up to %d was expected",
                         h->grain_sectors, SPARSE_GRAIN_SECTORS_MAX);
    if (!power_of_two(h->table_entries) || h->table_entries < SPARSE_TABLE_MIN ||
        h->table_entries > SPARSE_TABLE_MAX)
        return error_set(error, ERROR_DAMAGED,
                         "grain tables of %" PRIu32
                         " entries; a power of two from %d to %d was expected",
                         h->table_entries, SPARSE_TABLE_MIN, SPARSE_TABLE_MAX);
    /* Some products (VirtualBox) count whole grains here. */
    uint64_t whole = (sectors + h->grain_sectors - 1) & ~(h->grain_sectors - 1);
    if (h->capacity != sectors && h->capacity != whole)
        return error_set(error, ERROR_DAMAGED,
                         "its header says %" PRIu64 " sectors, the descriptor %" PRIu64,
                         h->capacity, sectors);
    if (h->overhead > file / SECTOR_BYTES)
        return error_set(error, ERROR_DAMAGED,
                         "this extent is cut off: %" PRIu64
                         " sectors of grain tables come first, it has %" PRIu64 " bytes",
                         h->overhead, file);
    return true;
}

static void note_oddities(const struct extent *e, const struct sparse_header *h)
{
    const char *path = extent_pool_path(e->pool, e->file);
    if (h->unclean != 0)
        notes_add(e->notes, path,
                  "it was not closed properly (unclean shutdown): what was written last may be "
                  "missing");
    if ((h->flags & ~(uint32_t)KNOWN_FLAGS) != 0)
        notes_add(e->notes, path, "its header has unknown flags (%08" PRIx32 ")",
                  h->flags & ~(uint32_t)KNOWN_FLAGS);
}

static struct sparse *make_state(const struct extent *e, const struct sparse_header *h,
                                 struct error *error)
{
    struct sparse *s = calloc(1, sizeof *s);
    if (s == NULL) {
        error_memory(error);
        return NULL;
    }
    s->file_bytes = extent_pool_size(e->pool, e->file);
    s->grain_sectors = h->grain_sectors;
    s->grain_bytes = h->grain_sectors * SECTOR_BYTES;
    s->data_at = h->overhead == 0 ? SPARSE_HEADER_BYTES : h->overhead * SECTOR_BYTES;
    s->table_entries = h->table_entries;
    s->table_count = (e->length - 1) / (s->grain_bytes * s->table_entries) + 1;
    s->zero_grains = (h->flags & SPARSE_ZERO_GRAINS) != 0;
    s->compressed = (h->flags & SPARSE_COMPRESSED) != 0;
    s->markers = (h->flags & SPARSE_MARKERS) != 0;
    return s;
}

static void sparse_close(struct extent *e)
{
    struct sparse *s = e->state;
    if (s == NULL)
        return;
    stream_index_free(s->index);
    grain_cache_free(s->cache);
    free((void *)s->choices);
    free(s);
    e->state = NULL;
}

static bool open_sparse(struct extent *e, const struct sparse_header *h, struct error *error)
{
    if (e->offset != 0)
        return error_set(
            error, ERROR_DAMAGED,
            "the descriptor gives an offset for it, which a sparse extent has none of");
    if (!check_flags(h, error) || !check_shape(e, h, error))
        return false;
    struct sparse *s = make_state(e, h, error);
    e->state = s;
    if (s == NULL)
        return false;
    e->grain = s->grain_bytes;
    note_oddities(e, h);
    if (s->compressed) {
        s->cache = grain_cache_new(s->grain_bytes, e->delta, error);
        if (s->cache == NULL)
            return false;
    }
    return sparse_tables_open(e, h, error);
}

static bool sparse_open(struct extent *e, struct error *error)
{
    const char *path = extent_pool_path(e->pool, e->file);
    uint8_t bytes[SPARSE_HEADER_BYTES];
    struct sparse_header header;
    if (extent_pool_size(e->pool, e->file) < sizeof bytes) {
        error_set(error, ERROR_DAMAGED, "too short for a sparse extent");
        return error_in_file(error, path);
    }
    if (!extent_pool_read(e->pool, e->file, bytes, sizeof bytes, 0, error))
        return false;
    /* Products before Workstation 4 called their own kind by the same name. */
    if (memcmp(bytes, "COWD", 4) == 0) {
        e->ops = &extent_cowd;
        return extent_cowd.open(e, error);
    }
    bool ok = sparse_header_parse(bytes, &header)
                  ? open_sparse(e, &header, error)
                  : error_set(error, ERROR_DAMAGED,
                              "no sparse extent, though the descriptor says so: it does not begin "
                              "with KDMV");
    if (ok)
        return true;
    sparse_close(e);
    return error_at(error, path, 0);
}

size_t sparse_grain_length(const struct extent *e, uint64_t grain)
{
    const struct sparse *s = e->state;
    uint64_t left = e->length - grain * s->grain_bytes;
    return (size_t)(left < s->grain_bytes ? left : s->grain_bytes);
}

/* How many grains the LENGTH bytes at AT touch, as far as they can be asked for at once. */
static size_t count_grains(const struct sparse *s, uint64_t at, uint64_t length)
{
    uint64_t grain = at / s->grain_bytes, last = (at + length - 1) / s->grain_bytes;
    uint64_t count = last - grain + 1, in_table = s->table_entries - grain % s->table_entries;
    count = count < in_table ? count : in_table;
    return (size_t)(count < SPARSE_ENTRIES ? count : SPARSE_ENTRIES);
}

/* How many of COUNT grains are of one kind; FOLLOWING: and follow one another in the file. */
static size_t count_alike(const struct sparse *s, const uint32_t *entries, size_t count,
                          bool following)
{
    enum sparse_kind kind = sparse_kind_of(s, entries[0]);
    size_t n = 1;
    if (entries[0] == 0 && bytes_are_zero((const uint8_t *)entries, count * sizeof *entries))
        return count;
    while (n < count && sparse_kind_of(s, entries[n]) == kind &&
           (!following || entries[n] == entries[n - 1] + s->grain_sectors))
        n++;
    return n;
}

/* LENGTH bytes at SKIP of the first of COUNT grains and those behind it; *done are what one run of
 * them has. */
static bool read_run(const struct extent *e, uint64_t grain, const uint32_t *entries, size_t count,
                     size_t skip, uint8_t *data, size_t length, size_t *done, struct error *error)
{
    const struct sparse *s = e->state;
    enum sparse_kind kind = sparse_kind_of(s, entries[0]);
    if (kind == SPARSE_BAD)
        return sparse_bad_entry(e, grain, entries[0], error);
    bool stored = kind == SPARSE_STORED;
    size_t alike = stored && s->compressed ? 1 : count_alike(s, entries, count, stored);
    uint64_t here = alike * s->grain_bytes - skip;
    *done = here < length ? (size_t)here : length;
    if (!stored)
        memset(data, 0, *done);
    else if (s->compressed)
        return sparse_grain_read(e, grain, entries[0], skip, data, *done, error);
    else
        return extent_pool_read(e->pool, e->file, data, *done,
                                (uint64_t)entries[0] * SECTOR_BYTES + skip, error);
    return true;
}

static bool sparse_read(const struct extent *e, uint64_t at, void *data, size_t length,
                        struct error *error)
{
    const struct sparse *s = e->state;
    uint32_t entries[SPARSE_ENTRIES];
    uint8_t *to = data;
    while (length > 0) {
        uint64_t first = at / s->grain_bytes;
        size_t count = count_grains(s, at, length);
        if (!sparse_entries(e, first, entries, count, error))
            return false;
        for (size_t i = 0; i < count && length > 0;) {
            size_t skip = (size_t)(at % s->grain_bytes), done = 0;
            if (!read_run(e, first + i, entries + i, count - i, skip, to, length, &done, error))
                return false;
            i += (skip + done) / s->grain_bytes;
            at += done;
            to += done;
            length -= done;
        }
    }
    return true;
}

/* A place whose entry or table is bad counts as stored, so that no other layer is asked for it and
 * reading it tells. */
static bool bad_run(struct extent_run *run, uint64_t length)
{
    *run = (struct extent_run){.state = EXTENT_STORED,
                               .length = length,
                               .file_offset = EXTENT_NOWHERE,
                               .file_length = length};
    return true;
}

/* A snapshot has nothing in most places: go on over the tables behind an absent run, so that who
 * asks layer by layer need not ask for each of them. */
static void look_ahead(const struct extent *e, uint64_t at, struct extent_run *run)
{
    const struct sparse *s = e->state;
    uint32_t entries[SPARSE_ENTRIES];
    for (size_t i = 0; i < TABLES_AHEAD && at + run->length < e->length; i++) {
        struct error ignored = ERROR_INIT;
        uint64_t next = at + run->length, left = e->length - next;
        size_t count = count_grains(s, next, left);
        if (next % s->grain_bytes != 0 ||
            !sparse_entries(e, next / s->grain_bytes, entries, count, &ignored) ||
            sparse_kind_of(s, entries[0]) != SPARSE_ABSENT)
            return;
        size_t alike = count_alike(s, entries, count, false);
        uint64_t length = alike * s->grain_bytes;
        run->length += length < left ? length : left;
        if (alike < count)
            return;
    }
}

static bool sparse_run_at(const struct extent *e, uint64_t at, struct extent_run *run,
                          struct error *error)
{
    const struct sparse *s = e->state;
    uint32_t entries[SPARSE_ENTRIES];
    uint64_t skip = at % s->grain_bytes, left = e->length - at;
    size_t count = count_grains(s, at, left);
    if (!sparse_entries(e, at / s->grain_bytes, entries, count, error)) {
        if (error->code != ERROR_DAMAGED)
            return false;
        error_clear(error);
        uint64_t table = count * s->grain_bytes - skip;
        return bad_run(run, table < left ? table : left);
    }
    enum sparse_kind kind = sparse_kind_of(s, entries[0]);
    uint64_t length = count_alike(s, entries, count, false) * s->grain_bytes - skip;
    length = length < left ? length : left;
    if (kind == SPARSE_BAD)
        return bad_run(run, length);
    *run = (struct extent_run){.state = kind == SPARSE_ZERO     ? EXTENT_ZEROS
                                        : kind == SPARSE_ABSENT ? EXTENT_ABSENT
                                                                : EXTENT_STORED,
                               .length = length,
                               .file_offset = EXTENT_NOWHERE};
    if (kind == SPARSE_ABSENT)
        look_ahead(e, at, run);
    if (kind != SPARSE_STORED)
        return true;
    size_t together = s->compressed ? 1 : count_alike(s, entries, count, true);
    uint64_t file_length = together * s->grain_bytes - skip;
    run->file_length = file_length < length ? file_length : length;
    run->file_offset = (uint64_t)entries[0] * SECTOR_BYTES;
    run->compressed = s->compressed;
    run->file_offset += s->compressed ? (s->markers ? SPARSE_MARKER_BYTES : 0) : skip;
    return true;
}

const struct extent_ops extent_sparse = {
    .open = sparse_open, .read = sparse_read, .run_at = sparse_run_at, .close = sparse_close};
