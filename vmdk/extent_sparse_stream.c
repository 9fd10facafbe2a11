/*
 * extent_sparse_stream - the footer of a streamOptimized extent, and finding its grains without
 * a directory.
 *
 * Markers and grains follow one another, grains in ascending order. When the footer is lost they
 * are gone through once; for each grain table that would be, the place of its first grain is kept,
 * and its entries are made again when they are asked for.
 */
#include "vmdk/extent_sparse_private.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/reader.h"
#include "vmdk/zero.h"

enum {
    MARKER_BYTES = 16,
    INDEX_SLOTS = 4,
    PADDING_MAX = 1 << 20, /* zeros behind the end of a stream */
    PADDING_STEP = 4096,
};

enum marker_type { MARKER_END, MARKER_TABLE, MARKER_DIRECTORY, MARKER_FOOTER, MARKER_PROGRESS };

struct stream_table {
    uint64_t number;
    uint64_t at; /* of the marker of its first grain */
};

struct index_slot {
    uint64_t number;
    uint64_t used;
    uint32_t *entries; /* NULL: empty */
};

struct stream_index {
    size_t count, capacity;
    struct stream_table *tables; /* in order */
    uint64_t end;                /* where the markers ended */
    bool complete;               /* nothing is missing behind it */
    uint64_t grains;             /* what is known of; from this grain on nothing was found */
    uint64_t directory_at;       /* sector, by its marker; 0: none was found */
    pthread_mutex_t lock;        /* of what follows */
    uint64_t clock;
    struct index_slot slots[INDEX_SLOTS];
};

struct marker {
    uint64_t value; /* the sector of a grain, or how many sectors of metadata follow */
    uint32_t size;  /* of a grain's data; 0: not a grain's */
    uint32_t type;
};

/* What a marker says, and where the next one is. */
struct step {
    enum { STEP_GRAIN, STEP_TABLES, STEP_END, STEP_BROKEN } kind;
    uint64_t grain;
    uint32_t type; /* of STEP_TABLES */
    uint64_t next;
};

static struct marker parse_marker(const uint8_t bytes[MARKER_BYTES])
{
    struct reader r = reader_over(bytes, MARKER_BYTES);
    struct marker m;
    m.value = reader_u64(&r);
    m.size = reader_u32(&r);
    m.type = reader_u32(&r);
    return m;
}

static uint64_t round_up(uint64_t bytes)
{
    return (bytes + SECTOR_BYTES - 1) / SECTOR_BYTES * SECTOR_BYTES;
}

/* AT is within the file; sizes are below 2^32 and files below 2^63, so that no sum overflows. */
static struct step judge(const struct extent *e, uint64_t at, const struct marker *m)
{
    const struct sparse *s = e->state;
    struct step step = {.kind = STEP_BROKEN};
    if (m->size != 0) {
        uint64_t end = at + SPARSE_MARKER_BYTES + m->size;
        step.grain = m->value / s->grain_sectors;
        step.next = round_up(end);
        /* An entry holds no larger sector. */
        if (m->value % s->grain_sectors == 0 && m->value < e->length / SECTOR_BYTES &&
            m->size <= sparse_deflated_max(s) && end <= s->file_bytes &&
            at / SECTOR_BYTES < SPARSE_LOST)
            step.kind = STEP_GRAIN;
    } else if (m->type == MARKER_END) {
        step.kind = m->value == 0 ? STEP_END : STEP_BROKEN;
    } else if (m->type <= MARKER_PROGRESS && m->value <= s->file_bytes / SECTOR_BYTES) {
        step.kind = STEP_TABLES;
        step.type = m->type;
        step.next = at + SECTOR_BYTES + m->value * SECTOR_BYTES;
    }
    return step;
}

static bool read_step(const struct extent *e, uint64_t at, struct step *step, struct error *error)
{
    const struct sparse *s = e->state;
    uint8_t bytes[MARKER_BYTES];
    step->kind = STEP_BROKEN;
    if (at > s->file_bytes || s->file_bytes - at < sizeof bytes)
        return true;
    if (!extent_pool_read(e->pool, e->file, bytes, sizeof bytes, at, error))
        return false;
    struct marker marker = parse_marker(bytes);
    *step = judge(e, at, &marker);
    return true;
}

bool sparse_first_grain(const struct extent *e, uint64_t *grain)
{
    const struct sparse *s = e->state;
    struct error unread = ERROR_INIT;
    struct step step;
    if (!read_step(e, s->data_at, &step, &unread) || step.kind != STEP_GRAIN)
        return false;
    *grain = step.grain;
    return true;
}

/* A marker, the footer and the end-of-stream marker are the last three sectors. */
bool sparse_footer(const struct extent *e, const struct sparse_header *header,
                   uint64_t *directory_at)
{
    uint8_t bytes[3 * SECTOR_BYTES];
    struct sparse_header footer;
    struct error unread = ERROR_INIT;
    uint64_t size = extent_pool_size(e->pool, e->file);
    if (size < SPARSE_HEADER_BYTES + sizeof bytes ||
        !extent_pool_read(e->pool, e->file, bytes, sizeof bytes, size - sizeof bytes, &unread))
        return false;
    struct marker first = parse_marker(bytes), last = parse_marker(bytes + 2 * SECTOR_BYTES);
    if (first.value != 1 || first.size != 0 || first.type != MARKER_FOOTER || last.value != 0 ||
        last.size != 0 || last.type != MARKER_END ||
        !sparse_header_parse(bytes + SECTOR_BYTES, &footer))
        return false;
    *directory_at = footer.directory_at;
    return footer.capacity == header->capacity && footer.grain_sectors == header->grain_sectors &&
           footer.table_entries == header->table_entries && footer.flags == header->flags &&
           footer.directory_at != SPARSE_DIRECTORY_IN_FOOTER;
}

static bool add_table(struct stream_index *index, uint64_t number, uint64_t at, struct error *error)
{
    if (index->count == index->capacity) {
        size_t wanted = index->capacity == 0 ? 64 : 2 * index->capacity;
        struct stream_table *grown = realloc(index->tables, wanted * sizeof *grown);
        if (grown == NULL)
            return error_memory(error);
        index->tables = grown;
        index->capacity = wanted;
    }
    index->tables[index->count++] = (struct stream_table){.number = number, .at = at};
    return true;
}

/* Nothing but a little padding behind AT? A hole in a damaged file looks like an end, too. */
static bool ends_here(const struct extent *e, uint64_t at, bool *ends, struct error *error)
{
    const struct sparse *s = e->state;
    uint8_t bytes[PADDING_STEP];
    *ends = s->file_bytes - at <= PADDING_MAX;
    while (*ends && at < s->file_bytes) {
        uint64_t left = s->file_bytes - at;
        size_t part = left < sizeof bytes ? (size_t)left : sizeof bytes;
        if (!extent_pool_read(e->pool, e->file, bytes, part, at, error))
            return false;
        *ends = bytes_are_zero(bytes, part);
        at += part;
    }
    return true;
}

/* A table comes when all of its grains are there, the directory when all tables are. */
static void pass_tables(const struct sparse *s, struct stream_index *index, uint32_t type)
{
    uint64_t in_table = index->grains % s->table_entries;
    if (type == MARKER_TABLE && in_table != 0)
        index->grains += s->table_entries - in_table;
    if (type == MARKER_DIRECTORY)
        index->directory_at = index->end / SECTOR_BYTES + 1;
    if (type == MARKER_DIRECTORY || type == MARKER_FOOTER)
        index->complete = true;
}

static bool walk(const struct extent *e, struct stream_index *index, struct error *error)
{
    const struct sparse *s = e->state;
    struct step step = {.kind = STEP_TABLES, .next = s->data_at};
    while (step.kind == STEP_GRAIN || step.kind == STEP_TABLES) {
        index->end = step.next;
        if (!read_step(e, index->end, &step, error))
            return false;
        if (step.kind == STEP_TABLES)
            pass_tables(s, index, step.type);
        if (step.kind != STEP_GRAIN)
            continue;
        /* Out of order, what is not found is not known to be absent. */
        if (step.grain < index->grains || index->complete)
            break;
        index->grains = step.grain + 1;
        uint64_t number = step.grain / s->table_entries;
        if ((index->count == 0 || index->tables[index->count - 1].number != number) &&
            !add_table(index, number, index->end, error))
            return false;
    }
    if (step.kind == STEP_GRAIN)
        index->complete = false;
    return step.kind != STEP_END || index->complete ||
           ends_here(e, index->end, &index->complete, error);
}

bool stream_index_make(const struct extent *e, uint64_t *directory_at, struct error *error)
{
    struct sparse *s = e->state;
    struct stream_index *index = calloc(1, sizeof *index);
    if (index == NULL)
        return error_memory(error);
    pthread_mutex_init(&index->lock, NULL);
    s->index = index;
    if (!walk(e, index, error))
        return false;
    *directory_at = index->complete ? index->directory_at : 0;
    return true;
}

bool stream_index_check(const struct extent *e, struct error *error)
{
    const struct sparse *s = e->state;
    const struct stream_index *index = s->index;
    const char *path = extent_pool_path(e->pool, e->file);
    static const char LOST[] = "its grain directory, or the footer that leads to it, is lost";
    if (index->grains == 0 && !index->complete) {
        error_set(error, ERROR_DAMAGED, "%s, and no grains were found in the stream", LOST);
        return error_at(error, path, index->end);
    }
    /* In a delta an absent grain is the parent's, a zero one is not; only tables tell them apart.
     */
    if (e->delta && s->zero_grains) {
        error_set(error, ERROR_DAMAGED,
                  "%s; without it nobody knows which grains are zero and which are its parent's",
                  LOST);
        return error_at(error, path, index->end);
    }
    if (index->complete || index->grains >= s->table_count * s->table_entries)
        notes_add(e->notes, path, "%s; the grains were found by their markers", LOST);
    else
        notes_add(e->notes, path,
                  "%s; the grains were found by their markers, which end at byte %" PRIu64
                  ": what comes behind byte %" PRIu64 " of the extent cannot be read",
                  LOST, index->end, index->grains * s->grain_bytes);
    return true;
}

void stream_index_free(struct stream_index *index)
{
    if (index == NULL)
        return;
    for (size_t i = 0; i < INDEX_SLOTS; i++)
        free(index->slots[i].entries);
    pthread_mutex_destroy(&index->lock);
    free(index->tables);
    free(index);
}

uint64_t stream_index_end(const struct stream_index *index)
{
    return index->end;
}

/* Make the entries of TABLE from the markers that follow its first grain. */
static bool fill_entries(const struct extent *e, const struct stream_table *table,
                         uint32_t *entries, struct error *error)
{
    const struct sparse *s = e->state;
    uint64_t at = table->at;
    struct step step;
    while (at < s->index->end) {
        if (!read_step(e, at, &step, error))
            return false;
        if (step.kind != STEP_GRAIN && step.kind != STEP_TABLES)
            break;
        if (step.kind == STEP_GRAIN) {
            if (step.grain / s->table_entries != table->number)
                break;
            entries[step.grain % s->table_entries] = (uint32_t)(at / SECTOR_BYTES);
        }
        at = step.next;
    }
    return true;
}

/* The table of NUMBER; NULL when no grain of it was found. */
static const struct stream_table *find_table(const struct stream_index *index, uint64_t number)
{
    size_t low = 0, high = index->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (index->tables[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < index->count && index->tables[low].number == number ? &index->tables[low] : NULL;
}

/* Under the lock. */
static const uint32_t *get_entries(const struct extent *e, const struct stream_table *table,
                                   struct error *error)
{
    const struct sparse *s = e->state;
    struct stream_index *index = s->index;
    struct index_slot *slot = &index->slots[0];
    for (size_t i = 0; i < INDEX_SLOTS; i++) {
        if (index->slots[i].entries != NULL && index->slots[i].number == table->number) {
            index->slots[i].used = ++index->clock;
            return index->slots[i].entries;
        }
        if (index->slots[i].used < slot->used)
            slot = &index->slots[i];
    }
    uint32_t *entries = calloc(s->table_entries, sizeof *entries);
    if (entries == NULL) {
        error_memory(error);
        return NULL;
    }
    if (!fill_entries(e, table, entries, error)) {
        free(entries);
        return NULL;
    }
    free(slot->entries);
    *slot =
        (struct index_slot){.number = table->number, .used = ++index->clock, .entries = entries};
    return entries;
}

bool stream_index_entries(const struct extent *e, uint64_t grain, uint32_t *entries, size_t count,
                          struct error *error)
{
    const struct sparse *s = e->state;
    struct stream_index *index = s->index;
    const struct stream_table *table = find_table(index, grain / s->table_entries);
    memset(entries, 0, count * sizeof *entries);
    if (table != NULL) {
        pthread_mutex_lock(&index->lock);
        const uint32_t *made = get_entries(e, table, error);
        if (made != NULL)
            memcpy(entries, made + grain % s->table_entries, count * sizeof *entries);
        pthread_mutex_unlock(&index->lock);
        if (made == NULL)
            return false;
    }
    for (size_t i = 0; !index->complete && i < count; i++)
        if (grain + i >= index->grains)
            entries[i] = SPARSE_LOST;
    return true;
}
