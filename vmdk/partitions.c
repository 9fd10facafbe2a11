/* partitions - see partitions.h: the MBR, and which table counts. */
#include "vmdk/partitions_private.h"

#include "base/reader.h"

enum {
    MBR_BYTES = 512,
    MBR_TABLE = 446,
    MBR_ENTRIES = 4,
    MBR_ENTRY_BYTES = 16,
    MBR_PROTECTIVE = 0xee,
    FIRST_LOGICAL = 5,
    LINKS_MAX = 256, /* a link may be empty, so there may be more than partitions */
};

struct mbr_entry {
    uint64_t start, count; /* sectors */
    uint8_t flag, type;
};

bool partitions_read(struct partitions_search *s, uint64_t offset, void *data, size_t length)
{
    uint64_t end;
    if (s->failed || __builtin_add_overflow(offset, (uint64_t)length, &end) ||
        end > s->source->size)
        return false;
    s->failed = !s->source->read(s->source->user, offset, data, length, s->error);
    return !s->failed;
}

struct partitions_entry *partitions_add(struct partitions_search *s, unsigned number,
                                        uint64_t start, uint64_t count)
{
    struct partitions *out = s->out;
    uint64_t sectors = s->source->size / out->sector_bytes;
    if (out->count == PARTITIONS_MAX || start >= sectors || count == 0) {
        out->left_out++;
        return NULL;
    }
    if (count > sectors - start)
        count = sectors - start;
    struct partitions_entry *entry = &out->entries[out->count++];
    *entry = (struct partitions_entry){
        .number = number,
        .start = start * out->sector_bytes,
        .length = count * out->sector_bytes,
    };
    return entry;
}

static bool read_table(struct partitions_search *s, uint64_t sector, struct mbr_entry *entries)
{
    uint8_t data[MBR_BYTES];
    if (!partitions_read(s, sector * s->out->sector_bytes, data, sizeof data) ||
        data[510] != 0x55 || data[511] != 0xaa)
        return false;
    struct reader r = reader_over(data + MBR_TABLE, (size_t)MBR_ENTRIES * MBR_ENTRY_BYTES);
    for (size_t i = 0; i < MBR_ENTRIES; i++) {
        entries[i].flag = reader_u8(&r);
        reader_skip(&r, 3);
        entries[i].type = reader_u8(&r);
        reader_skip(&r, 3);
        entries[i].start = reader_u32(&r);
        entries[i].count = reader_u32(&r);
    }
    return true;
}

static bool is_used(const struct mbr_entry *e)
{
    return e->type != 0 && e->count != 0;
}

static bool is_extended(const struct mbr_entry *e)
{
    return is_used(e) && (e->type == 0x05 || e->type == 0x0f || e->type == 0x85);
}

/* Boot sectors of volumes end in 55AA too, with program code where the table would be. */
static bool is_sane(const struct mbr_entry *entries, uint64_t sectors)
{
    size_t used = 0;
    for (size_t i = 0; i < MBR_ENTRIES; i++) {
        const struct mbr_entry *e = &entries[i];
        if ((e->flag & 0x7f) != 0)
            return false;
        if (!is_used(e))
            continue;
        used++;
        if (e->start == 0 || e->start >= sectors)
            return false;
        for (size_t j = 0; j < i; j++)
            if (is_used(&entries[j]) && e->start < entries[j].start + entries[j].count &&
                entries[j].start < e->start + e->count)
                return false;
    }
    return used > 0;
}

static void add(struct partitions_search *s, unsigned number, uint64_t start,
                const struct mbr_entry *e)
{
    struct partitions_entry *entry = partitions_add(s, number, start, e->count);
    if (entry != NULL)
        entry->mbr_type = e->type;
}

/* The chain of logical partitions. A link holds up to one partition, counted from the link, and the
 * next link, counted from the start of the extended partition. Links only ever point on in what
 * products make, which keeps us from loops. */
static void add_logical(struct partitions_search *s, const struct mbr_entry *extended,
                        unsigned *number)
{
    uint64_t link = extended->start, previous = 0;
    for (size_t i = 0; i < LINKS_MAX && link > previous; i++) {
        struct mbr_entry entries[MBR_ENTRIES];
        const struct mbr_entry *next = NULL;
        if (!read_table(s, link, entries))
            return;
        for (size_t j = 0; j < MBR_ENTRIES; j++) {
            if (is_extended(&entries[j]))
                next = next == NULL ? &entries[j] : next;
            else if (j < 2 && is_used(&entries[j]))
                add(s, (*number)++, link + entries[j].start, &entries[j]);
        }
        previous = link;
        link = next == NULL ? 0 : extended->start + next->start;
    }
}

static void find_mbr(struct partitions_search *s, const struct mbr_entry *entries)
{
    unsigned number = FIRST_LOGICAL;
    s->out->scheme = PARTITIONS_MBR;
    for (unsigned i = 0; i < MBR_ENTRIES; i++)
        if (is_used(&entries[i]) && !is_extended(&entries[i]) && entries[i].type != MBR_PROTECTIVE)
            add(s, i + 1, entries[i].start, &entries[i]);
    for (size_t i = 0; i < MBR_ENTRIES; i++)
        if (is_extended(&entries[i]))
            add_logical(s, &entries[i], &number);
}

const char *partitions_scheme_name(enum partitions_scheme scheme)
{
    static const char *const names[] = {"none", "MBR", "GPT"};
    return names[scheme];
}

bool partitions_find_in(const struct partitions_source *source, struct partitions *out,
                        struct error *error)
{
    struct partitions_search s = {.source = source, .out = out, .error = error};
    struct mbr_entry entries[MBR_ENTRIES];
    *out = (struct partitions){.sector_bytes = SECTOR_BYTES};
    bool mbr = read_table(&s, 0, entries) && is_sane(entries, source->size / out->sector_bytes);
    bool protective = false;
    for (size_t i = 0; mbr && i < MBR_ENTRIES; i++)
        protective = protective || entries[i].type == MBR_PROTECTIVE;
    /* A table without a protective entry was made by who knew of no GPT, of which an old one may
     * be left. */
    if ((!mbr || protective) && partitions_find_gpt(&s))
        return true;
    if (mbr && !s.failed)
        find_mbr(&s, entries);
    out->gpt_lost = protective && !s.failed;
    return !s.failed;
}

static bool read_disk(void *user, uint64_t offset, void *data, size_t length, struct error *error)
{
    return disk_read(*(const struct disk *const *)user, offset, data, length, error);
}

bool partitions_find(const struct disk *disk, struct partitions *out, struct error *error)
{
    const struct partitions_source source = {read_disk, &disk, disk_size(disk)};
    return partitions_find_in(&source, out, error);
}
