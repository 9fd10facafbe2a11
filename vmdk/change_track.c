/* change_track - see change_track.h. */
#include "vmdk/change_track.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/reader.h"

enum {
    HEADER_BYTES = 0x200,
    RECORD_BYTES = sizeof(uint32_t),
    STEP_RECORDS = 16384, /* read at a time */
};
#define BLOCK_LEAST (UINT64_C(64) << 10)
#define BLOCK_MOST (UINT64_C(1) << 40)

static const uint8_t MAGIC[] = {0xa2, 0x72, 0x19, 0xf6};

/* The block by which the file has one record for each of the disk's, 0 when there is none. Only
 * 64 KiB were seen; a larger disk may have larger ones. */
static uint64_t fit_block(uint64_t disk_bytes, uint64_t records)
{
    for (uint64_t block = BLOCK_LEAST; block <= BLOCK_MOST; block *= 2)
        if (disk_bytes / block + (disk_bytes % block != 0) == records)
            return block;
    return 0;
}

static bool parse(const uint8_t *data, struct change_track *ct)
{
    struct reader r = reader_over(data, HEADER_BYTES);
    bool ok = memcmp(reader_bytes(&r, sizeof MAGIC), MAGIC, sizeof MAGIC) == 0;
    ct->version = reader_u32(&r);
    ct->field_8 = reader_u32(&r);
    ct->field_12 = reader_u32(&r);
    ct->field_16 = reader_u64(&r);
    ct->field_24 = reader_u64(&r);
    ct->field_32 = reader_u32(&r);
    ct->field_36 = reader_u32(&r);
    ct->field_40 = reader_u32(&r);
    memcpy(ct->id, reader_bytes(&r, sizeof ct->id), sizeof ct->id);
    return ok;
}

static void infer_layout(struct change_track *ct)
{
    /* The file may have shrunk since its header was read. */
    uint64_t bytes = ct->file_bytes > HEADER_BYTES ? ct->file_bytes - HEADER_BYTES : 0;
    ct->records_at = HEADER_BYTES; /* whatever the field says */
    ct->records = bytes / RECORD_BYTES;
    if (ct->field_12 == HEADER_BYTES && bytes % RECORD_BYTES == 0 && ct->records > 0)
        ct->block_bytes = fit_block(ct->disk_bytes, ct->records);
}

bool change_track_load(int fd, const char *path, uint64_t disk_bytes, struct change_track *ct,
                       struct error *error)
{
    uint8_t data[HEADER_BYTES];
    struct stat st;
    *ct = (struct change_track){.disk_bytes = disk_bytes};
    if (fstat(fd, &st) != 0) {
        error_system(error, "cannot examine");
        return error_in_file(error, path);
    }
    if (!file_read_at(fd, path, data, sizeof data, 0, error))
        return false;
    if (!parse(data, ct)) {
        error_set(error, ERROR_DAMAGED, "no change tracking file: it does not begin like one");
        return error_at(error, path, 0);
    }
    ct->file_bytes = (uint64_t)st.st_size;
    infer_layout(ct);
    return true;
}

typedef bool visitor(void *context, uint64_t index, uint32_t record);

static bool each_record(int fd, const char *path, const struct change_track *ct, visitor *visit,
                        void *context, struct error *error)
{
    uint8_t *data = malloc(STEP_RECORDS * RECORD_BYTES);
    if (data == NULL)
        return error_memory(error);
    bool ok = true, more = true;
    for (uint64_t at = 0; ok && more && at < ct->records; at += STEP_RECORDS) {
        uint64_t left = ct->records - at;
        size_t count = left < STEP_RECORDS ? (size_t)left : STEP_RECORDS;
        ok = file_read_at(fd, path, data, count * RECORD_BYTES, ct->records_at + at * RECORD_BYTES,
                          error);
        struct reader r = reader_over(data, ok ? count * RECORD_BYTES : 0);
        for (size_t i = 0; ok && more && i < count; i++)
            more = visit(context, at + i, reader_u32(&r));
    }
    free(data);
    return ok;
}

static bool add_to_sum(void *context, uint64_t index, uint32_t record)
{
    struct change_track_sum *sum = context;
    (void)index;
    sum->set += record != 0;
    sum->bits += (uint64_t)__builtin_popcount(record);
    sum->highest = record > sum->highest ? record : sum->highest;
    return true;
}

bool change_track_count(int fd, const char *path, const struct change_track *ct,
                        struct change_track_sum *sum, struct error *error)
{
    *sum = (struct change_track_sum){0};
    return each_record(fd, path, ct, add_to_sum, sum, error);
}

struct area_walk {
    const struct change_track *ct;
    bool (*each)(void *context, const struct change_track_area *area);
    void *context;
    struct change_track_area area; /* not handed out yet; no length: none */
};

static bool hand_out(struct area_walk *walk)
{
    struct change_track_area *area = &walk->area;
    uint64_t left = walk->ct->disk_bytes - area->offset;
    if (area->length == 0)
        return true;
    area->length = area->length < left ? area->length : left;
    bool more = walk->each(walk->context, area);
    area->length = 0;
    return more;
}

static bool add_to_area(void *context, uint64_t index, uint32_t record)
{
    struct area_walk *walk = context;
    struct change_track_area *area = &walk->area;
    uint64_t block = walk->ct->block_bytes;
    if (area->length > 0 && record == area->number) {
        area->length += block;
        return true;
    }
    if (!hand_out(walk))
        return false;
    if (record != 0)
        *area =
            (struct change_track_area){.offset = index * block, .length = block, .number = record};
    return true;
}

bool change_track_each(int fd, const char *path, const struct change_track *ct,
                       bool (*each)(void *context, const struct change_track_area *area),
                       void *context, struct error *error)
{
    struct area_walk walk = {.ct = ct, .each = each, .context = context};
    if (ct->block_bytes == 0)
        return true;
    if (!each_record(fd, path, ct, add_to_area, &walk, error))
        return false;
    hand_out(&walk);
    return true;
}
