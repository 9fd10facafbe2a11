/* signature - see signature.h: partition tables. */
#include "vmdk/signature_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/reader.h"

enum {
    MBR_TABLE = 446,
    MBR_ENTRIES = 4,
    MBR_ENTRY_BYTES = 16,
    MBR_PROTECTIVE = 0xee,
    MAX_LOGICAL = 64,
};

bool look_read(struct look *l, uint64_t offset, void *data, size_t length)
{
    uint64_t end;
    if (l->failed || __builtin_add_overflow(offset, (uint64_t)length, &end) || end > l->size)
        return false;
    l->failed = !l->source->read(l->source->user, offset, data, length, l->error);
    return !l->failed;
}

void look_found(struct look *l, uint64_t offset, uint64_t length, uint64_t evidence, bool strong,
                const char *format, ...)
{
    if (l->out->count == SIGNATURE_MAX)
        return;
    struct signature *s = &l->out->found[l->out->count++];
    s->offset = offset;
    s->length = length;
    s->strong = strong && evidence >= SECTOR_BYTES;
    va_list args;
    va_start(args, format);
    vsnprintf(s->what, sizeof s->what, format, args);
    va_end(args);
}

void look_add_partition(struct look *l, uint64_t offset, uint64_t length)
{
    if (l->partition_count == LOOK_MAX_PARTITIONS || offset >= l->size)
        return;
    if (length > l->size - offset)
        length = l->size - offset;
    l->partitions[l->partition_count++] = (struct partition){offset, length};
}

struct mbr_entry {
    uint64_t start, count; /* sectors */
    uint8_t flag, type;
    bool empty;
};

static bool read_table(struct look *l, uint64_t sector, struct mbr_entry *entries)
{
    uint8_t data[SECTOR_BYTES];
    if (!look_read(l, sector * SECTOR_BYTES, data, sizeof data) || data[510] != 0x55 ||
        data[511] != 0xaa)
        return false;
    struct reader r = reader_over(data + MBR_TABLE, (size_t)MBR_ENTRIES * MBR_ENTRY_BYTES);
    for (size_t i = 0; i < MBR_ENTRIES; i++) {
        struct mbr_entry *e = &entries[i];
        e->flag = reader_u8(&r);
        reader_bytes(&r, 3);
        e->type = reader_u8(&r);
        reader_bytes(&r, 3);
        e->start = reader_u32(&r);
        e->count = reader_u32(&r);
        e->empty = e->type == 0 && e->start == 0 && e->count == 0;
    }
    return true;
}

static bool is_extended(const struct mbr_entry *e)
{
    return e->type == 0x05 || e->type == 0x0f || e->type == 0x85;
}

static bool overlap(const struct mbr_entry *a, const struct mbr_entry *b)
{
    return a->start < b->start + b->count && b->start < a->start + a->count;
}

/* At least one partition, all of them on the disk and apart from each other. A protective entry
 * often claims more than there is. */
static bool is_sane(const struct mbr_entry *entries, uint64_t sectors)
{
    size_t used = 0;
    for (size_t i = 0; i < MBR_ENTRIES; i++) {
        const struct mbr_entry *e = &entries[i];
        if ((e->flag & 0x7f) != 0)
            return false;
        if (e->empty)
            continue;
        used++;
        if (e->type == 0 || e->start == 0 || e->count == 0 || e->start >= sectors ||
            (e->type != MBR_PROTECTIVE && e->count > sectors - e->start))
            return false;
        for (size_t j = 0; j < i; j++) {
            if (!entries[j].empty && overlap(e, &entries[j]))
                return false;
        }
    }
    return used > 0;
}

/* The chain of logical partitions: each link holds one, and the place of the next link counted
 * from the start of the extended partition. */
static void walk_logical(struct look *l, const struct mbr_entry *extended)
{
    uint64_t link = extended->start, previous = 0;
    for (size_t i = 0; i < MAX_LOGICAL && link > previous; i++) {
        struct mbr_entry entries[MBR_ENTRIES];
        if (!read_table(l, link, entries))
            return;
        if (!entries[0].empty)
            look_add_partition(l, (link + entries[0].start) * SECTOR_BYTES,
                               entries[0].count * SECTOR_BYTES);
        /* Links only ever point on, so no loop. */
        previous = link;
        link = is_extended(&entries[1]) ? extended->start + entries[1].start : 0;
    }
}

bool look_mbr(struct look *l)
{
    struct mbr_entry entries[MBR_ENTRIES];
    if (!read_table(l, 0, entries) || !is_sane(entries, l->size / SECTOR_BYTES))
        return false;
    bool protective = false;
    size_t used = 0;
    for (size_t i = 0; i < MBR_ENTRIES; i++) {
        protective = protective || entries[i].type == MBR_PROTECTIVE;
        used += !entries[i].empty;
    }
    if (protective)
        look_found(l, 0, l->size, 0, false, "MBR (protective)");
    else
        look_found(l, 0, l->size, 0, false, "MBR (%zu partition%s)", used, used == 1 ? "" : "s");
    for (size_t i = 0; i < MBR_ENTRIES; i++) {
        if (is_extended(&entries[i]))
            walk_logical(l, &entries[i]);
        else if (!entries[i].empty && entries[i].type != MBR_PROTECTIVE)
            look_add_partition(l, entries[i].start * SECTOR_BYTES, entries[i].count * SECTOR_BYTES);
    }
    return true;
}

/* A boot sector without a table that makes sense: told, but it proves nothing. */
static void look_lone_mark(struct look *l)
{
    uint8_t mark[2];
    if (l->out->count == 0 && look_read(l, 510, mark, sizeof mark) && mark[0] == 0x55 &&
        mark[1] == 0xaa)
        look_found(l, 0, 0, 0, false, "boot sector mark 55AA alone");
}

bool signatures_find_in(const struct signature_source *source, struct signatures *out,
                        struct error *error)
{
    struct look l = {.source = source, .size = source->size, .out = out, .error = error};
    out->count = 0;
    look_mbr(&l);
    look_gpt(&l);
    look_volume(&l, 0, l.size);
    for (size_t i = 0; i < l.partition_count; i++)
        look_volume(&l, l.partitions[i].offset, l.partitions[i].length);
    look_lone_mark(&l);
    return !l.failed;
}

struct disk_reader {
    const struct disk *disk;
};

static bool read_disk(void *user, uint64_t offset, void *data, size_t length, struct error *error)
{
    const struct disk_reader *reader = user;
    return disk_read(reader->disk, offset, data, length, error);
}

bool signatures_find(const struct disk *disk, struct signatures *out, struct error *error)
{
    struct disk_reader reader = {disk};
    const struct signature_source source = {read_disk, &reader, disk_size(disk)};
    return signatures_find_in(&source, out, error);
}

bool signatures_prove(const struct signatures *s)
{
    for (size_t i = 0; i < s->count; i++) {
        if (s->found[i].strong)
            return true;
    }
    return false;
}
