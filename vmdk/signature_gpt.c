/* signature_gpt - GUID partition tables, both copies with their CRC32s [UEFI 2.10, 5.3]. */
#include "vmdk/signature_private.h"

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
};

struct gpt {
    uint64_t block; /* bytes of a logical block */
    uint64_t alternate, entries;
    uint32_t count, entry_bytes, array_crc;
};

/* Parse the header at logical block LBA; true when it makes sense and its CRC holds. */
static bool read_header(struct look *l, uint64_t lba, struct gpt *g)
{
    uint8_t data[BLOCK_MAX];
    uint64_t offset;
    if (__builtin_mul_overflow(lba, g->block, &offset) ||
        !look_read(l, offset, data, (size_t)g->block))
        return false;
    struct reader r = reader_over(data, (size_t)g->block);
    const uint8_t *magic = reader_bytes(&r, 8);
    reader_u32(&r);
    uint32_t length = reader_u32(&r), crc = reader_u32(&r);
    if (memcmp(magic, "EFI PART", 8) != 0 || length < HEADER_MIN || length > g->block)
        return false;
    reader_u32(&r);
    uint64_t self = reader_u64(&r);
    g->alternate = reader_u64(&r);
    reader_bytes(&r, 8 + 8 + 16);
    g->entries = reader_u64(&r);
    g->count = reader_u32(&r);
    g->entry_bytes = reader_u32(&r);
    g->array_crc = reader_u32(&r);
    memset(data + HEADER_CRC_AT, 0, 4);
    return self == lba && crc32(0, data, length) == crc;
}

/* The array of entries, when its CRC holds; the caller frees it. */
static uint8_t *read_array(struct look *l, const struct gpt *g, size_t *length)
{
    uint64_t offset;
    if (g->entry_bytes < ENTRY_MIN || g->entry_bytes % 8 != 0 || g->entry_bytes > ARRAY_MAX ||
        g->count == 0 || g->count > ARRAY_MAX / g->entry_bytes ||
        __builtin_mul_overflow(g->entries, g->block, &offset))
        return NULL;
    *length = (size_t)g->count * g->entry_bytes;
    uint8_t *array = malloc(*length);
    if (array == NULL) {
        l->failed = !error_memory(l->error);
        return NULL;
    }
    if (!look_read(l, offset, array, *length) || crc32(0, array, (uInt)*length) != g->array_crc) {
        free(array);
        return NULL;
    }
    return array;
}

static void add_partitions(struct look *l, const struct gpt *g, const uint8_t *array, size_t length)
{
    static const uint8_t unused[16];
    for (size_t at = 0; at < length; at += g->entry_bytes) {
        struct reader r = reader_over(array + at, g->entry_bytes);
        const uint8_t *type = reader_bytes(&r, 16);
        reader_bytes(&r, 16);
        uint64_t first = reader_u64(&r), last = reader_u64(&r);
        if (memcmp(type, unused, sizeof unused) != 0 && first <= last && last < l->size / g->block)
            look_add_partition(l, first * g->block, (last - first + 1) * g->block);
    }
}

/* With logical blocks of BLOCK bytes. */
static bool look_gpt_blocks(struct look *l, uint64_t block)
{
    struct gpt first = {.block = block}, backup = {.block = block};
    size_t length = 0, backup_length = 0;
    uint8_t *array = NULL, *backup_array = NULL;
    bool has_first = read_header(l, 1, &first);
    if (has_first)
        array = read_array(l, &first, &length);
    /* A disk that was grown has its second copy where its first end was. */
    uint64_t last = l->size / block - 1;
    if (read_header(l, has_first ? first.alternate : last, &backup))
        backup_array = read_array(l, &backup, &backup_length);
    bool found = array != NULL || backup_array != NULL;
    if (array != NULL) {
        look_found(l, 0, l->size, block, true, "GPT (%s, CRC32 valid)",
                   backup_array != NULL ? "both copies" : "first copy only");
        add_partitions(l, &first, array, length);
    } else if (backup_array != NULL) {
        look_found(l, 0, l->size, last * block, true, "GPT (second copy only, CRC32 valid)");
        add_partitions(l, &backup, backup_array, backup_length);
    }
    free(array);
    free(backup_array);
    return found;
}

bool look_gpt(struct look *l)
{
    return look_gpt_blocks(l, SECTOR_BYTES) ||
           (l->size >= BLOCK_MAX && look_gpt_blocks(l, BLOCK_MAX));
}
