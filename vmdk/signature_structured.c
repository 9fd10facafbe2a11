/*
 * signature_structured - volumes whose first sector says where more of them lies: the second
 * place, or a checksum, proves what a magic in the first sector of a disk cannot.
 * [source: util-linux libblkid/src/superblocks, Linux fs/, LUKS and BitLocker documents]
 */
#include "vmdk/signature_private.h"

#include <string.h>

#include "base/reader.h"

struct volume {
    struct look *look;
    uint64_t offset, length;
    const uint8_t *head; /* at least 4096 bytes */
    size_t head_length;
};

static uint16_t le16(const uint8_t *p)
{
    struct reader r = reader_over(p, 2);
    return reader_u16(&r);
}

static uint32_t le32(const uint8_t *p)
{
    struct reader r = reader_over(p, 4);
    return reader_u32(&r);
}

static uint64_t le64(const uint8_t *p)
{
    struct reader r = reader_over(p, 8);
    return reader_u64(&r);
}

static uint32_t be32(const uint8_t *p)
{
    return __builtin_bswap32(le32(p));
}

static bool is_power_of_two(uint64_t n)
{
    return n != 0 && (n & (n - 1)) == 0;
}

/* Where on the disk the proof lies: at AT in the volume when MAGIC stands there, else at its
 * start. */
static uint64_t second_place(const struct volume *v, uint64_t at, const void *magic, size_t length)
{
    uint8_t data[8];
    uint64_t place;
    bool there = at < v->length && !__builtin_add_overflow(v->offset, at, &place) &&
                 look_read(v->look, place, data, length) && memcmp(data, magic, length) == 0;
    return v->offset + (there ? at : 0);
}

static void found(const struct volume *v, uint64_t evidence, bool strong, const char *what)
{
    look_found(v->look, v->offset, v->length, evidence, strong, "%s", what);
}

/* CRC-32C, bit by bit: it is used on one superblock. */
static uint32_t crc32c(const uint8_t *data, size_t length)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < length; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (UINT32_C(0x82f63b78) & (0 - (crc & 1)));
    }
    return crc;
}

/* The magic has two bytes only, so the fields around it have to agree, or its checksum. */
static void look_ext(const struct volume *v)
{
    enum { COMPAT_JOURNAL = 4, INCOMPAT_EXT4 = 0x40 | 0x80 | 0x200, RO_CHECKSUM = 0x400 };
    const uint8_t *sb = v->head + 1024;
    uint32_t log_block = le32(sb + 24), per_group = le32(sb + 32);
    if (le16(sb + 56) != 0xef53 || log_block > 6)
        return;
    bool sane = le32(sb) > 0 && le32(sb + 4) > 0 && le32(sb + 20) == (log_block == 0 ? 1U : 0U) &&
                per_group > 0 && per_group <= (UINT32_C(8192) << log_block) && le32(sb + 76) <= 1 &&
                le32(sb + 40) > 0 && le32(sb + 40) <= (UINT32_C(8192) << log_block);
    bool dynamic = le32(sb + 76) >= 1;
    uint32_t compat = dynamic ? le32(sb + 92) : 0, incompat = dynamic ? le32(sb + 96) : 0;
    uint32_t ro_compat = dynamic ? le32(sb + 100) : 0;
    const char *what = (incompat & INCOMPAT_EXT4) != 0  ? "ext4"
                       : (compat & COMPAT_JOURNAL) != 0 ? "ext3"
                                                        : "ext2";
    if ((ro_compat & RO_CHECKSUM) == 0) {
        if (sane)
            found(v, v->offset + 1024, true, what);
    } else if (crc32c(sb, 1020) == le32(sb + 1020)) {
        look_found(v->look, v->offset, v->length, v->offset + 1024, true, "%s (checksum valid)",
                   what);
    } else if (sane) {
        look_found(v->look, v->offset, v->length, v->offset + 1024, false,
                   "%s (superblock checksum wrong)", what);
    }
}

static void look_ntfs(const struct volume *v)
{
    const uint8_t *b = v->head;
    if (memcmp(b + 3, "NTFS    ", 8) != 0 || b[510] != 0x55 || b[511] != 0xaa)
        return;
    uint64_t cluster = le16(b + 11), mft = 0;
    /* More than 128 sectors in a cluster are written as a negative power of two. */
    cluster *= b[13] <= 0x80 ? b[13] : UINT64_C(1) << ((256 - b[13]) & 31);
    if (__builtin_mul_overflow(cluster, le64(b + 48), &mft))
        mft = 0;
    found(v, second_place(v, mft, "FILE", 4), true, "NTFS");
}

static bool has_exfat_checksum(const struct volume *v, uint64_t *place)
{
    const uint8_t *b = v->head;
    uint32_t shift = b[108], sum = 0;
    if (shift < 9 || shift > 12 || ((size_t)12 << shift) > v->head_length)
        return false;
    size_t sector = (size_t)1 << shift;
    for (size_t i = 0; i < 11 * sector; i++) {
        /* Volume flags and the percentage in use change while it is mounted. */
        if (i != 106 && i != 107 && i != 112)
            sum = (sum << 31 | sum >> 1) + b[i];
    }
    *place = v->offset + 11 * sector;
    return le32(b + 11 * sector) == sum;
}

static void look_exfat(const struct volume *v)
{
    uint64_t place = v->offset;
    if (memcmp(v->head + 3, "EXFAT   ", 8) != 0)
        return;
    if (has_exfat_checksum(v, &place))
        found(v, place, true, "exFAT (checksum valid)");
    else
        found(v, v->offset, true, "exFAT");
}

static void look_fat(const struct volume *v)
{
    const uint8_t *b = v->head;
    bool fat32 = memcmp(b + 82, "FAT32   ", 8) == 0;
    bool fat16 = memcmp(b + 54, "FAT16   ", 8) == 0, fat12 = memcmp(b + 54, "FAT12   ", 8) == 0;
    uint64_t sector = le16(b + 11), reserved = le16(b + 14);
    if ((!fat32 && !fat16 && !fat12) || b[510] != 0x55 || b[511] != 0xaa || sector < 512 ||
        sector > 4096 || !is_power_of_two(sector) || !is_power_of_two(b[13]) || reserved == 0 ||
        b[21] < 0xf0)
        return;
    const uint8_t table[] = {b[21], 0xff, 0xff};
    uint64_t place = fat32 ? second_place(v, le16(b + 48) * sector, "RRaA", 4)
                           : second_place(v, reserved * sector, table, sizeof table);
    found(v, place, true, fat32 ? "FAT32" : fat16 ? "FAT16" : "FAT12");
}

static void look_xfs(const struct volume *v)
{
    const uint8_t *b = v->head;
    uint64_t block = be32(b + 4), group = be32(b + 84);
    if (memcmp(b, "XFSB", 4) == 0 && is_power_of_two(block) && block >= 512 && block <= 65536)
        found(v, second_place(v, group * block, "XFSB", 4), true, "XFS");
}

static void look_luks(const struct volume *v)
{
    const uint8_t *b = v->head;
    if (memcmp(b, "LUKS\xba\xbe", 6) != 0 || b[6] != 0)
        return;
    if (b[7] == 1)
        found(v, v->offset, true, "LUKS1");
    else if (b[7] == 2)
        found(v, second_place(v, __builtin_bswap64(le64(b + 8)), "SKUL\xba\xbe", 6), true, "LUKS2");
}

static void look_bitlocker(const struct volume *v)
{
    if (memcmp(v->head + 3, "-FVE-FS-", 8) == 0)
        found(v, second_place(v, le64(v->head + 176), "-FVE-FS-", 8), true, "BitLocker");
}

void look_structured(struct look *l, const struct partition *at, const uint8_t *head, size_t length)
{
    const struct volume v = {l, at->offset, at->length, head, length};
    if (length < 4096)
        return;
    look_ext(&v);
    look_ntfs(&v);
    look_exfat(&v);
    look_fat(&v);
    look_xfs(&v);
    look_luks(&v);
    look_bitlocker(&v);
}
