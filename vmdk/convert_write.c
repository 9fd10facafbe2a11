/*
 * convert_write - hosted sparse files, written from front to back; see convert.h.
 *
 *   monolithicSparse   header | descriptor | spare directory and tables | directory and tables |
 *                      grains. The tables lie where they are known to lie before any grain is.
 *   streamOptimized    header | descriptor | for each table: grains, each behind a marker, then the
 *                      table | directory | footer | end of stream
 */
#include <endian.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "vmdk/convert_private.h"

enum {
    MAGIC = 0x564d444b,      /* "KDMV" */
    NEWLINES = 0x0a0d200a,   /* "\n \r\n": text mode transfers change it */
    DESCRIPTOR_SECTORS = 20, /* as products set aside for it */
    TABLE_SECTORS = CONVERT_TABLE * 4 / SECTOR_BYTES,
    STREAM_OVERHEAD = 128, /* where a stream's first marker is */
    FLAG_NEWLINES = 1 << 0,
    FLAG_SPARE = 1 << 1,
    FLAG_COMPRESSED = 1 << 16,
    FLAG_MARKERS = 1 << 17,
    MARKER_END = 0,
    MARKER_TABLE = 1,
    MARKER_DIRECTORY = 2,
    MARKER_FOOTER = 3,
};

struct convert_file {
    struct file_output *out;
    bool stream;
    uint64_t capacity; /* sectors */
    uint64_t descriptor_sectors;
    uint64_t spare, main; /* sectors of the directories (monolithicSparse) */
    uint64_t directory_sectors, table_count;
    uint64_t overhead; /* sectors before the first grain */
    uint64_t at;       /* sector where the next thing goes */
    uint64_t stored;
    uint64_t table; /* number of the table at hand */
    bool table_used;
    uint32_t entries[CONVERT_TABLE];
    uint32_t *directory; /* of a stream, filled as tables are written */
};

static bool put(struct convert_file *f, uint64_t sector, const void *data, size_t length,
                struct error *error)
{
    return file_write_at(f->out->fd, f->out->partial, data, length, sector * SECTOR_BYTES, error);
}

/* Behind what is there, up to a whole sector. */
static bool append(struct convert_file *f, const void *data, size_t length, struct error *error)
{
    static const uint8_t zeros[SECTOR_BYTES];
    size_t rest = (SECTOR_BYTES - length % SECTOR_BYTES) % SECTOR_BYTES;
    uint64_t offset = f->at * SECTOR_BYTES + length;
    if (!put(f, f->at, data, length, error) ||
        (rest > 0 && !file_write_at(f->out->fd, f->out->partial, zeros, rest, offset, error)))
        return false;
    f->at += (length + rest) / SECTOR_BYTES;
    return f->at <= UINT32_MAX ||
           error_set(error, ERROR_FAILED, "the file would grow beyond what its tables can name");
}

static void put_u32(uint8_t *to, uint32_t value)
{
    value = htole32(value);
    memcpy(to, &value, sizeof value);
}

static void put_u64(uint8_t *to, uint64_t value)
{
    value = htole64(value);
    memcpy(to, &value, sizeof value);
}

static void make_header(const struct convert_file *f, uint64_t directory, uint8_t *header)
{
    uint32_t flags = FLAG_NEWLINES | (f->stream ? FLAG_COMPRESSED | FLAG_MARKERS : FLAG_SPARE);
    memset(header, 0, SECTOR_BYTES);
    put_u32(header, MAGIC);
    put_u32(header + 4, f->stream ? 3 : 1);
    put_u32(header + 8, flags);
    put_u64(header + 12, f->capacity);
    put_u64(header + 20, CONVERT_GRAIN_SECTORS);
    put_u64(header + 28, 1);
    put_u64(header + 36, f->descriptor_sectors);
    put_u32(header + 44, CONVERT_TABLE);
    put_u64(header + 48, f->stream ? 0 : f->spare);
    put_u64(header + 56, directory);
    put_u64(header + 64, f->overhead);
    put_u32(header + 73, NEWLINES);
    header[77] = f->stream ? 1 : 0; /* deflate */
}

static bool write_descriptor(struct convert_file *f, const struct buffer *text, struct error *error)
{
    uint8_t *sectors = calloc(f->descriptor_sectors, SECTOR_BYTES);
    if (sectors == NULL)
        return error_memory(error);
    memcpy(sectors, text->data, text->length);
    bool ok = put(f, 1, sectors, (size_t)f->descriptor_sectors * SECTOR_BYTES, error);
    free(sectors);
    return ok;
}

static uint64_t round_up(uint64_t value, uint64_t to)
{
    return (value + to - 1) / to * to;
}

static void lay_out(struct convert_file *f, size_t text_length)
{
    uint64_t text_sectors = round_up(text_length + 1, SECTOR_BYTES) / SECTOR_BYTES;
    uint64_t grains = round_up(f->capacity, CONVERT_GRAIN_SECTORS) / CONVERT_GRAIN_SECTORS;
    f->descriptor_sectors = text_sectors > DESCRIPTOR_SECTORS ? text_sectors : DESCRIPTOR_SECTORS;
    f->table_count = round_up(grains, CONVERT_TABLE) / CONVERT_TABLE;
    f->directory_sectors = round_up(f->table_count * 4, SECTOR_BYTES) / SECTOR_BYTES;
    uint64_t tables = f->directory_sectors + f->table_count * TABLE_SECTORS;
    f->spare = 1 + f->descriptor_sectors;
    f->main = f->spare + tables;
    f->overhead = f->stream ? round_up(1 + f->descriptor_sectors, STREAM_OVERHEAD)
                            : round_up(f->main + tables, CONVERT_GRAIN_SECTORS);
    f->at = f->overhead;
}

/* The directory of a monolithicSparse at sector AT: its tables follow it. */
static bool write_directory(struct convert_file *f, uint64_t at, struct error *error)
{
    for (uint64_t i = 0; i < f->table_count; i++)
        f->directory[i] = htole32((uint32_t)(at + f->directory_sectors + i * TABLE_SECTORS));
    return put(f, at, f->directory, (size_t)f->directory_sectors * SECTOR_BYTES, error);
}

static bool begin(struct convert_file *f, const struct buffer *text, struct error *error)
{
    uint8_t header[SECTOR_BYTES];
    make_header(f, f->stream ? UINT64_MAX : f->main, header);
    if (!put(f, 0, header, sizeof header, error) || !write_descriptor(f, text, error))
        return false;
    if (f->stream)
        return true;
    if (!write_directory(f, f->spare, error) || !write_directory(f, f->main, error))
        return false;
    /* A table that is never written reads as zeros, once the file is long enough. */
    static const uint8_t end[SECTOR_BYTES];
    return put(f, f->overhead - 1, end, sizeof end, error);
}

struct convert_file *convert_file_new(const struct disk *disk, const struct descriptor *d,
                                      const struct convert_options *options,
                                      struct file_output *out, struct error *error)
{
    struct convert_file *f = calloc(1, sizeof *f);
    struct buffer text = BUFFER_INIT;
    bool ok = (f != NULL && descriptor_write(d, &text)) || error_memory(error);
    if (ok) {
        f->out = out;
        f->stream = options->format == CONVERT_STREAM;
        f->capacity = disk_size(disk) / SECTOR_BYTES;
        lay_out(f, text.length);
        ok = f->overhead + f->capacity <= UINT32_MAX ||
             error_set(error, ERROR_FAILED,
                       "a disk of %" PRIu64 " bytes does not fit a hosted sparse file, whose "
                       "tables end at 2 TiB; convert it to raw or flat",
                       disk_size(disk));
    }
    if (ok) {
        f->directory = calloc((size_t)f->directory_sectors, SECTOR_BYTES);
        ok = f->directory != NULL || error_memory(error);
    }
    ok = ok && begin(f, &text, error);
    buffer_free(&text);
    if (ok)
        return f;
    convert_file_free(f);
    return NULL;
}

static bool write_marker(struct convert_file *f, uint32_t type, uint64_t sectors,
                         struct error *error)
{
    uint8_t marker[SECTOR_BYTES] = {0};
    put_u64(marker, sectors);
    put_u32(marker + 12, type);
    return append(f, marker, sizeof marker, error);
}

/* The table at hand is complete. */
static bool end_table(struct convert_file *f, struct error *error)
{
    if (!f->table_used)
        return true;
    bool ok;
    if (f->stream) {
        ok = write_marker(f, MARKER_TABLE, TABLE_SECTORS, error);
        f->directory[f->table] = htole32((uint32_t)f->at);
        ok = ok && append(f, f->entries, sizeof f->entries, error);
    } else {
        uint64_t place = f->directory_sectors + f->table * TABLE_SECTORS;
        ok = put(f, f->spare + place, f->entries, sizeof f->entries, error) &&
             put(f, f->main + place, f->entries, sizeof f->entries, error);
    }
    memset(f->entries, 0, sizeof f->entries);
    f->table_used = false;
    return ok;
}

static bool store(struct convert_file *f, uint64_t number, const struct convert_grain *grain,
                  struct error *error)
{
    f->entries[number % CONVERT_TABLE] = htole32((uint32_t)f->at);
    f->table_used = true;
    f->stored += CONVERT_GRAIN;
    if (!f->stream)
        return append(f, grain->data, grain->length, error);
    /* The marker of a grain is followed by its data at once, not by a sector of its own. */
    uint8_t packed[12 + CONVERT_GRAIN + CONVERT_GRAIN / 8 + 64];
    put_u64(packed, number * CONVERT_GRAIN_SECTORS);
    put_u32(packed + 8, (uint32_t)grain->length);
    memcpy(packed + 12, grain->data, grain->length);
    return append(f, packed, 12 + grain->length, error);
}

bool convert_file_chunk(struct convert_file *f, const struct convert_chunk *chunk,
                        struct error *error)
{
    uint64_t first = chunk->number * CONVERT_CHUNK_GRAINS;
    if (first / CONVERT_TABLE != f->table) {
        if (!end_table(f, error))
            return false;
        f->table = first / CONVERT_TABLE;
    }
    for (size_t i = 0; !chunk->skipped && i < CONVERT_CHUNK_GRAINS; i++)
        if (chunk->grains[i].length > 0 && !store(f, first + i, &chunk->grains[i], error))
            return false;
    return true;
}

static bool end_stream(struct convert_file *f, struct error *error)
{
    uint8_t footer[SECTOR_BYTES];
    if (!write_marker(f, MARKER_DIRECTORY, f->directory_sectors, error))
        return false;
    make_header(f, f->at, footer);
    return append(f, f->directory, (size_t)f->directory_sectors * SECTOR_BYTES, error) &&
           write_marker(f, MARKER_FOOTER, 1, error) && append(f, footer, sizeof footer, error) &&
           write_marker(f, MARKER_END, 0, error);
}

bool convert_file_end(struct convert_file *f, struct convert_stats *stats, struct error *error)
{
    if (!end_table(f, error) || (f->stream && !end_stream(f, error)))
        return false;
    *stats = (struct convert_stats){
        .bytes = f->capacity * SECTOR_BYTES, .stored = f->stored, .file = f->at * SECTOR_BYTES};
    return true;
}

void convert_file_free(struct convert_file *f)
{
    if (f == NULL)
        return;
    free(f->directory);
    free(f);
}
