/* Tests of vmdk/signature: tables and volumes made by hand, and by the systems' own tools. */
#include "vmdk/signature.h"

#include "tests/vmdk/encrypted_fixture.h"

#include <zlib.h>

enum { SECTOR = SECTOR_BYTES, MIB = 1 << 20, SIZE = 16 * MIB };

struct image {
    struct fixture *f;
    uint8_t *data; /* SIZE bytes */
};

static struct image image_new(void **state)
{
    struct image image = {.f = *state, .data = calloc(1, SIZE)};
    assert_non_null(image.data);
    return image;
}

static struct signatures look_file(const char *path)
{
    struct error error = ERROR_INIT;
    struct signatures s = {.count = 0};
    struct disk *disk = disk_open_raw(path, &error);
    if (disk == NULL || !signatures_find(disk, &s, &error))
        fail_msg("%s", error.message);
    disk_close(disk);
    return s;
}

static struct signatures look(struct image *image)
{
    const char *path = fixture_path(image->f, "image.raw");
    FILE *file = fopen(path, "we");
    assert_int_equal(fwrite(image->data, 1, SIZE, file), SIZE);
    fclose(file);
    return look_file(path);
}

static const struct signature *find(const struct signatures *s, const char *what, uint64_t offset)
{
    for (size_t i = 0; i < s->count; i++) {
        if (s->found[i].offset == offset && strncmp(s->found[i].what, what, strlen(what)) == 0)
            return &s->found[i];
    }
    return NULL;
}

static void assert_found(const struct signatures *s, const char *what, uint64_t offset, bool strong)
{
    const struct signature *found = find(s, what, offset);
    if (found == NULL)
        fail_msg("no %s at %ju", what, (uintmax_t)offset);
    if (found->strong != strong)
        fail_msg("%s at %ju is %s", what, (uintmax_t)offset, found->strong ? "strong" : "weak");
}

static void put(uint8_t *at, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static void put_mbr(uint8_t *sector, size_t i, uint8_t type, uint32_t start, uint32_t count)
{
    uint8_t *e = sector + 446 + 16 * i;
    e[4] = type;
    put(e + 8, start, 4);
    put(e + 12, count, 4);
    sector[510] = 0x55;
    sector[511] = 0xaa;
}

static void nothing(void **state)
{
    struct image image = image_new(state);
    struct signatures s = look(&image);
    assert_int_equal(s.count, 0);
    assert_false(signatures_prove(&s));
    fill_noise(image.data, SIZE, 0);
    s = look(&image);
    assert_int_equal(s.count, 0);
    image.data[510] = 0x55;
    image.data[511] = 0xaa;
    s = look(&image);
    assert_int_equal(s.count, 1);
    assert_found(&s, "boot sector mark 55AA alone", 0, false);
    assert_false(signatures_prove(&s));
    free(image.data);
}

static void mbr(void **state)
{
    struct image image = image_new(state);
    put_mbr(image.data, 0, 0x83, 2048, 4096);
    put_mbr(image.data, 1, 0x05, 8192, 8192);
    /* Two logical partitions, then a link that points back. */
    put_mbr(image.data + 8192 * SECTOR, 0, 0x82, 64, 1000);
    put_mbr(image.data + 8192 * SECTOR, 1, 0x05, 2048, 4000);
    put_mbr(image.data + 10240 * SECTOR, 0, 0x83, 64, 1000);
    put_mbr(image.data + 10240 * SECTOR, 1, 0x05, 0, 4000);
    memcpy(image.data + (8192 + 64) * SECTOR + 4086, "SWAPSPACE2", 10);
    memcpy(image.data + (10240 + 64) * SECTOR + 65600, "_BHRfS_M", 8);
    struct signatures s = look(&image);
    assert_found(&s, "MBR (2 partitions)", 0, false);
    assert_found(&s, "Linux swap", (8192 + 64) * SECTOR, true);
    assert_found(&s, "Btrfs", (10240 + 64) * SECTOR, true);
    assert_int_equal(s.count, 3);
    assert_true(signatures_prove(&s));

    static const struct {
        uint32_t start, count;
        uint8_t type, flag;
    } BAD[] = {{4096, 100, 0x83, 0},    /* overlaps the first */
               {40000, 1, 0x83, 0},     /* off the disk */
               {30000, 10000, 0x83, 0}, /* reaches off it */
               {20000, 100, 0x83, 1},   /* odd flag */
               {20000, 0, 0x83, 0},     /* empty */
               {0, 100, 0x83, 0},       /* over the table */
               {20000, 100, 0, 0}};     /* without a type */
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        put_mbr(image.data, 1, BAD[i].type, BAD[i].start, BAD[i].count);
        image.data[446 + 16] = BAD[i].flag;
        s = look(&image);
        assert_int_equal(s.count, 1);
        assert_found(&s, "boot sector mark 55AA alone", 0, false);
    }
    free(image.data);
}

static void seal_gpt_header(uint8_t *header, const uint8_t *array)
{
    put(header + 88, crc32(0, array, 128 * 128), 4);
    put(header + 16, 0, 4);
    put(header + 16, crc32(0, header, 92), 4);
}

static void put_gpt(struct image *image, uint64_t block)
{
    uint64_t last = SIZE / block - 1, array_blocks = 128 * 128 / block;
    for (int copy = 0; copy < 2; copy++) {
        uint64_t self = copy == 0 ? 1 : last;
        uint8_t *header = image->data + self * block;
        uint64_t array_at = copy == 0 ? 2 : last - array_blocks;
        uint8_t *array = image->data + array_at * block;
        memcpy(header, "EFI PART\0\0\1\0\x5c\0\0\0", 16);
        put(header + 24, self, 8);
        put(header + 32, copy == 0 ? last : 1, 8);
        put(header + 72, array_at, 8);
        put(header + 80, 128, 4);
        put(header + 84, 128, 4);
        memset(array, 0x11, 16);
        put(array + 32, MIB / block, 8);
        put(array + 40, 2 * MIB / block - 1, 8);
        memset(array + 127 * 128, 0x12, 16);
        put(array + 127 * 128 + 32, 4 * MIB / block, 8);
        put(array + 127 * 128 + 40, 6 * MIB / block - 1, 8);
        seal_gpt_header(header, array);
    }
}

static void gpt(void **state)
{
    static const uint64_t BLOCKS[] = {512, 4096};
    for (size_t i = 0; i < 2; i++) {
        uint64_t block = BLOCKS[i];
        struct image image = image_new(state);
        put_gpt(&image, block);
        put_mbr(image.data, 0, 0xee, 1, 0xffffffff);
        memcpy(image.data + 4 * MIB + 65600, "_BHRfS_M", 8);
        struct signatures s = look(&image);
        assert_int_equal(s.count, 3);
        assert_found(&s, "MBR (protective)", 0, false);
        assert_found(&s, "GPT (both copies, CRC32 valid)", 0, true);
        assert_found(&s, "Btrfs", 4 * MIB, true);
        assert_int_equal(find(&s, "Btrfs", 4 * MIB)->length, 2 * MIB);
        /* One bit of the second copy, then of the first one's entries. */
        image.data[(SIZE / block - 1) * block + 60] ^= 1;
        s = look(&image);
        assert_found(&s, "GPT (first copy only", 0, true);
        image.data[(SIZE / block - 1) * block + 60] ^= 1;
        image.data[2 * block + 5] ^= 1;
        s = look(&image);
        assert_found(&s, "GPT (second copy only", 0, true);
        assert_found(&s, "Btrfs", 4 * MIB, true);
        image.data[(SIZE / block - 1) * block + 60] ^= 1;
        s = look(&image);
        assert_null(find(&s, "GPT", 0));
        free(image.data);
    }
}

/* Headers with valid CRCs and hostile numbers. */
static void gpt_hostile(void **state)
{
    static const struct {
        size_t at, bytes;
        uint64_t value;
    } CASES[] = {{80, 4, 0xffffffff}, {80, 4, 0},          {84, 4, 0},
                 {84, 4, 7},          {84, 4, 0xfffffff8}, {72, 8, UINT64_MAX},
                 {72, 8, 1 << 20},    {12, 4, 0xffffffff}, {12, 4, 10},
                 {24, 8, 2},          {32, 8, UINT64_MAX}, {32, 8, UINT64_C(1) << 55}};
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct image image = image_new(state);
        put_gpt(&image, 512);
        memset(image.data + SIZE - SECTOR, 0, SECTOR);
        uint8_t *header = image.data + SECTOR;
        put(header + CASES[i].at, CASES[i].value, CASES[i].bytes);
        put(header + 16, 0, 4);
        put(header + 16, crc32(0, header, 92), 4);
        struct signatures s = look(&image);
        if (CASES[i].at == 32)
            assert_found(&s, "GPT (first copy only", 0, true);
        else
            assert_int_equal(s.count, 0);
        free(image.data);
    }
}

static void volumes(void **state)
{
    static const struct {
        const char *what;
        size_t at, length;
        const char *bytes;
        bool first_sector;
    } CASES[] = {
        {"Btrfs", 65600, 8, "_BHRfS_M", false},
        {"Linux swap", 65526, 10, "SWAPSPACE2", false},
        {"Linux RAID member", 4096, 4, "\xfc\x4e\x2b\xa9", false},
        {"APFS", 32, 4, "NXSB", true},
        {"HFS+", 1024, 4, "H+\0\4", false},
        {"ISO 9660", 32769, 5, "CD001", false},
        {"ReFS", 3, 8, "ReFS\0\0\0\0", true},
        {"VMFS", MIB, 4, "\x0d\xd0\x01\xc0", false},
        {"LUKS1", 0, 8, "LUKS\xba\xbe\0\1", true},
        {"exFAT", 3, 8, "EXFAT   ", true},
        {"BitLocker", 3, 8, "-FVE-FS-", true},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        /* In a partition each is strong; at the start of the disk not when it says nothing
         * beyond the first sector. */
        for (int in_partition = 0; in_partition < 2; in_partition++) {
            struct image image = image_new(state);
            size_t start = in_partition ? 2 * MIB : 0;
            if (in_partition)
                put_mbr(image.data, 0, 0x83, 2 * MIB / SECTOR, 4 * MIB / SECTOR);
            memcpy(image.data + start + CASES[i].at, CASES[i].bytes, CASES[i].length);
            struct signatures s = look(&image);
            assert_found(&s, CASES[i].what, start, in_partition || !CASES[i].first_sector);
            assert_int_equal(s.count, in_partition ? 2 : 1);
            free(image.data);
        }
    }
}

static void second_places(void **state)
{
    struct image image = image_new(state);
    memcpy(image.data, "LUKS\xba\xbe\0\2", 8);
    image.data[14] = 0x40;
    struct signatures s = look(&image);
    assert_found(&s, "LUKS2", 0, false);
    memcpy(image.data + 0x4000, "SKUL\xba\xbe", 6);
    s = look(&image);
    assert_found(&s, "LUKS2", 0, true);
    memset(image.data, 0, SIZE);
    memcpy(image.data, "XFSB\0\0\x10\0", 8);
    image.data[86] = 0x02;
    s = look(&image);
    assert_found(&s, "XFS", 0, false);
    memcpy(image.data + 512 * 4096, "XFSB", 4);
    s = look(&image);
    assert_found(&s, "XFS", 0, true);
    memset(image.data, 0, SIZE);
    memcpy(image.data + 3, "NTFS    ", 8);
    put_mbr(image.data, 3, 0, 0, 0);
    put(image.data + 11, 512, 2);
    image.data[13] = 8;
    put(image.data + 48, 4, 8);
    s = look(&image);
    assert_found(&s, "NTFS", 0, false);
    memcpy(image.data + 16384, "FILE", 4);
    s = look(&image);
    assert_found(&s, "NTFS", 0, true);
    /* Places that lie nowhere. */
    put(image.data + 48, UINT64_MAX, 8);
    s = look(&image);
    assert_found(&s, "NTFS", 0, false);
    image.data[13] = 0xf4;
    s = look(&image);
    assert_found(&s, "NTFS", 0, false);
    memset(image.data, 0, SIZE);
    for (size_t sector = 0; sector < 4; sector++) {
        memset(image.data, 0, 4096);
        memcpy(image.data + sector * SECTOR, "LABELONE", 8);
        memcpy(image.data + sector * SECTOR + 24, "LVM2 001", 8);
        s = look(&image);
        assert_found(&s, "LVM2", 0, sector > 0);
    }
    free(image.data);
}

/* More tables than fit: bounded, no crash. */
static void bounded(void **state)
{
    struct image image = image_new(state);
    put_gpt(&image, 512);
    uint8_t *array = image.data + 2 * SECTOR;
    for (size_t i = 0; i < 128; i++) {
        memset(array + 128 * i, 0x11, 16);
        put(array + 128 * i + 32, 2048, 8);
        put(array + 128 * i + 40, 12287, 8);
    }
    seal_gpt_header(image.data + SECTOR, array);
    memcpy(image.data + MIB + 65600, "_BHRfS_M", 8);
    memcpy(image.data + MIB + 1024, "H+\0\4", 4);
    struct signatures s = look(&image);
    assert_int_equal(s.count, SIGNATURE_MAX);
    free(image.data);
}

/* What the real tools make; a tool that is not installed is passed over. */
static void real_tools(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *tool, *arguments, *what;
        off_t mib;
    } CASES[] = {
        {"mke2fs", "-q -F -t ext2", "ext2", 400},
        {"mke2fs", "-q -F -t ext3", "ext3", 400},
        {"mke2fs", "-q -F -t ext4 -O metadata_csum", "ext4 (checksum valid)", 400},
        {"mke2fs", "-q -F -t ext4 -O ^metadata_csum -b 4096", "ext4", 400},
        {"mkfs.vfat", "-F 12", "FAT12", 8},
        {"mkfs.vfat", "-F 16", "FAT16", 400},
        {"mkfs.vfat", "-F 32", "FAT32", 400},
        {"mkfs.ntfs", "-q -F -Q", "NTFS", 400},
        {"mkfs.xfs", "-q -f", "XFS", 400},
        {"mkfs.btrfs", "-q -f", "Btrfs", 400},
        {"mkfs.exfat", "", "exFAT (checksum valid)", 400},
        {"mkswap", "-q", "Linux swap", 400},
        {"sgdisk", "-o -n 1:2048:4095", "GPT (both copies, CRC32 valid)", 400},
        {"cryptsetup",
         "luksFormat -q --type luks2 --pbkdf-force-iterations 1000 --pbkdf pbkdf2 "
         "--key-file /dev/null --keyfile-size 0",
         "LUKS2", 400},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        char command[512];
        const char *path = fixture_path(f, "fs.raw");
        unlink(path);
        fixture_sized(f, "fs.raw", CASES[i].mib * MIB);
        snprintf(command, sizeof command, "PATH=$PATH:/sbin:/usr/sbin %s %s %s >/dev/null 2>&1",
                 CASES[i].tool, CASES[i].arguments, path);
        if (system(command) != 0) {
            print_message("no %s here, or not with these options: passed over\n", CASES[i].tool);
            continue;
        }
        struct signatures s = look_file(path);
        assert_found(&s, CASES[i].what, 0, true);
    }
}

/* The first sector decrypts alike with any unit, so an encrypted disk read with the wrong one must
 * not prove itself. */
static void wrong_unit_is_not_proved(void **state)
{
    struct image image = image_new(state);
    struct error error = ERROR_INIT;
    struct vault v = vault_make();
    struct signatures s;
    put_gpt(&image, 512);
    put_mbr(image.data, 0, 0xee, 1, 0xffffffff);
    memcpy(image.data + 4 * MIB + 65600, "_BHRfS_M", 8);
    vault_encrypt(&v, image.data, SIZE, 512);
    fixture_write_at(image.f, "d-flat.vmdk", image.data, SIZE, 0);
    const char *path = vault_descriptor(image.f, &v, "d.vmdk",
                                        "# Disk DescriptorFile\ncreateType=\"vmfs\"\n"
                                        "RW 32768 VMFS \"d-flat.vmdk\"\n");
    for (size_t unit = 512; unit <= 4096; unit *= 8) {
        struct disk *disk =
            disk_open(path, &(struct disk_options){.keyring = &v.ring, .unit_bytes = unit}, &error);
        assert_non_null(disk);
        assert_true(signatures_find(disk, &s, &error));
        assert_int_equal(signatures_prove(&s), unit == 512);
        assert_found(&s, "MBR (protective)", 0, false);
        disk_close(disk);
    }
    vault_free(&v);
    free(image.data);
}

static void sample(void **state)
{
    (void)state;
    char path[512];
    if (!fixture_sample("vmdk/vmware/vmfs_thick-flat.vmdk", path, sizeof path))
        skip();
    struct signatures s = look_file(path);
    assert_found(&s, "MBR (1 partition)", 0, false);
    assert_found(&s, "ext4 (checksum valid)", 1 << 20, true);
}

#define with_files(test) cmocka_unit_test_setup_teardown(test, fixture_make, fixture_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_files(nothing),      with_files(mbr),        with_files(gpt),
        with_files(gpt_hostile),  with_files(volumes),    with_files(second_places),
        with_files(bounded),      with_files(real_tools), with_files(wrong_unit_is_not_proved),
        cmocka_unit_test(sample),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
