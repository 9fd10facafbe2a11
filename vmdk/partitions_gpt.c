/* partitions_gpt - GUID partition tables [UEFI 2.10, 5.3]. */
#include "vmdk/partitions_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "base/reader.h"

enum {
    HEADER_MIN = 92,
    HEADER_CRC_AT = 16,
    ENTRY_MIN = 128,
    ARRAY_MAX = 1 << 20, /* 8192 entries; tools make 128 */
    BLOCK_MAX = 4096,
    NAME_UNITS = 36, /* of UTF-16 */
};

struct gpt {
    uint64_t alternate, entries;
    uint64_t first_usable, last_usable;
    uint32_t count, entry_bytes, array_crc;
};

/* Parse the header at logical block LBA; true when it makes sense and its CRC holds. */
static bool read_header(struct partitions_search *s, uint64_t lba, struct gpt *g)
{
    uint8_t data[BLOCK_MAX];
    uint32_t block = s->out->sector_bytes;
    uint64_t offset;
    if (__builtin_mul_overflow(lba, (uint64_t)block, &offset) ||
        !partitions_read(s, offset, data, block) || memcmp(data, "EFI PART", 8) != 0)
        return false;
    struct reader r = reader_over(data, block);
    reader_skip(&r, 12);
    uint32_t length = reader_u32(&r), crc = reader_u32(&r);
    if (length < HEADER_MIN || length > block)
        return false;
    reader_skip(&r, 4);
    uint64_t self = reader_u64(&r);
    g->alternate = reader_u64(&r);
    g->first_usable = reader_u64(&r);
    g->last_usable = reader_u64(&r);
    reader_skip(&r, 16);
    g->entries = reader_u64(&r);
    g->count = reader_u32(&r);
    g->entry_bytes = reader_u32(&r);
    g->array_crc = reader_u32(&r);
    memset(data + HEADER_CRC_AT, 0, 4);
    return self == lba && crc32(0, data, length) == crc;
}

/* The array of entries, when its CRC holds; the caller frees it. */
static uint8_t *read_array(struct partitions_search *s, const struct gpt *g, size_t *length)
{
    uint64_t offset;
    if (g->entry_bytes < ENTRY_MIN || g->entry_bytes % 8 != 0 || g->count == 0 ||
        g->entry_bytes > ARRAY_MAX || g->count > ARRAY_MAX / g->entry_bytes ||
        __builtin_mul_overflow(g->entries, (uint64_t)s->out->sector_bytes, &offset))
        return NULL;
    *length = (size_t)g->count * g->entry_bytes;
    uint8_t *array = malloc(*length);
    if (array == NULL) {
        s->failed = !error_memory(s->error);
        return NULL;
    }
    if (!partitions_read(s, offset, array, *length) ||
        crc32(0, array, (uInt)*length) != g->array_crc) {
        free(array);
        return NULL;
    }
    return array;
}

/* The first three fields of a UUID are little endian. */
static void format_type(const uint8_t *b, char *out, size_t size)
{
    snprintf(out, size, "%02X%02X%02X%02X-%02X%02X-%02X%02X-%02X%02X-%02X%02X%02X%02X%02X%02X",
             b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6], b[8], b[9], b[10], b[11], b[12], b[13],
             b[14], b[15]);
}

/* UTF-16 without what is outside the basic plane, which becomes '?': three bytes each at most. */
static void copy_name(struct reader *r, char *out)
{
    for (size_t i = 0; i < NAME_UNITS; i++) {
        unsigned unit = reader_u16(r);
        if (unit == 0)
            break;
        if (unit >= 0xd800 && unit < 0xe000)
            unit = '?';
        if (unit < 0x80) {
            *out++ = (char)unit;
        } else if (unit < 0x800) {
            *out++ = (char)(0xc0 | unit >> 6);
            *out++ = (char)(0x80 | (unit & 0x3f));
        } else {
            *out++ = (char)(0xe0 | unit >> 12);
            *out++ = (char)(0x80 | (unit >> 6 & 0x3f));
            *out++ = (char)(0x80 | (unit & 0x3f));
        }
    }
    *out = '\0';
}

static void add_entries(struct partitions_search *s, const struct gpt *g, const uint8_t *array)
{
    static const uint8_t unused[16];
    for (uint32_t i = 0; i < g->count; i++) {
        struct reader r = reader_over(array + (size_t)i * g->entry_bytes, g->entry_bytes);
        const uint8_t *type = reader_bytes(&r, sizeof unused);
        reader_skip(&r, 16);
        uint64_t first = reader_u64(&r), last = reader_u64(&r);
        reader_skip(&r, 8);
        if (memcmp(type, unused, sizeof unused) == 0)
            continue;
        /* An entry that Linux passes over too: outside of what the header says is usable. */
        bool sane = first <= last && first >= g->first_usable && last <= g->last_usable;
        struct partitions_entry *entry =
            partitions_add(s, i + 1, first, sane ? last - first + 1 : 0);
        if (entry == NULL)
            continue;
        format_type(type, entry->gpt_type, sizeof entry->gpt_type);
        copy_name(&r, entry->name);
    }
}

/* With logical blocks of BLOCK bytes. */
static bool find_blocks(struct partitions_search *s, uint32_t block)
{
    struct partitions *out = s->out;
    struct gpt first = {0}, backup = {0};
    size_t length;
    if (s->source->size < UINT64_C(3) * block)
        return false;
    *out = (struct partitions){.sector_bytes = block};
    bool header = read_header(s, 1, &first);
    uint8_t *array = header ? read_array(s, &first, &length) : NULL;
    /* A disk that was grown has its second copy where its end was. */
    uint64_t last = header ? first.alternate : s->source->size / block - 1;
    uint8_t *spare = read_header(s, last, &backup) ? read_array(s, &backup, &length) : NULL;
    bool found = array != NULL || spare != NULL;
    out->backup_used = array == NULL && spare != NULL;
    out->backup_bad = spare == NULL && array != NULL;
    if (found) {
        out->scheme = PARTITIONS_GPT;
        add_entries(s, array != NULL ? &first : &backup, array != NULL ? array : spare);
    }
    free(array);
    free(spare);
    return found;
}

bool partitions_find_gpt(struct partitions_search *s)
{
    if (find_blocks(s, SECTOR_BYTES) || find_blocks(s, BLOCK_MAX))
        return !s->failed;
    *s->out = (struct partitions){.sector_bytes = SECTOR_BYTES};
    return false;
}
