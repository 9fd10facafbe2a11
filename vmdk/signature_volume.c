/*
 * signature_volume - what a volume holds, told by magics at their places.
 * [source: util-linux libblkid/src/superblocks, and the formats' own documents]
 */
#include "vmdk/signature_private.h"

#include <stdlib.h>
#include <string.h>

enum { HEAD_BYTES = 68 << 10, LVM_LABEL_SECTORS = 4, VMFS_MAGIC_AT = 1 << 20 };

struct magic {
    const char *what;
    size_t at;
    size_t length;
    const char *bytes;
};

static const struct magic MAGICS[] = {
    {"Btrfs", 65536 + 64, 8, "_BHRfS_M"},
    {"Linux swap", 4096 - 10, 10, "SWAPSPACE2"},
    {"Linux swap", 8192 - 10, 10, "SWAPSPACE2"},
    {"Linux swap", 16384 - 10, 10, "SWAPSPACE2"},
    {"Linux swap", 65536 - 10, 10, "SWAPSPACE2"},
    {"Linux RAID member", 4096, 4, "\xfc\x4e\x2b\xa9"},
    {"APFS", 32, 4, "NXSB"},
    {"HFS+", 1024, 4, "H+\0\4"},
    {"HFSX", 1024, 4, "HX\0\5"},
    {"ISO 9660", 32769, 5, "CD001"},
    {"ReFS", 3, 8, "ReFS\0\0\0\0"},
};

static void look_lvm(struct look *l, const struct partition *at, const uint8_t *head, size_t length)
{
    for (size_t sector = 0; sector < LVM_LABEL_SECTORS; sector++) {
        size_t label = sector * SECTOR_BYTES;
        if (label + SECTOR_BYTES <= length && memcmp(head + label, "LABELONE", 8) == 0 &&
            memcmp(head + label + 24, "LVM2 001", 8) == 0)
            look_found(l, at->offset, at->length, at->offset + label, true, "LVM2 physical volume");
    }
}

/* The volume header of VMFS lies 1 MiB in. */
static void look_vmfs(struct look *l, const struct partition *at)
{
    static const uint8_t MAGIC[] = {0x0d, 0xd0, 0x01, 0xc0};
    uint8_t data[sizeof MAGIC];
    if (at->length >= VMFS_MAGIC_AT + sizeof data &&
        look_read(l, at->offset + VMFS_MAGIC_AT, data, sizeof data) &&
        memcmp(data, MAGIC, sizeof data) == 0)
        look_found(l, at->offset, at->length, at->offset + VMFS_MAGIC_AT, true, "VMFS");
}

void look_volume(struct look *l, uint64_t offset, uint64_t length)
{
    const struct partition at = {offset, length};
    size_t bytes = length < HEAD_BYTES ? (size_t)length : HEAD_BYTES;
    uint8_t *head = malloc(HEAD_BYTES);
    if (head == NULL) {
        l->failed = !error_memory(l->error);
        return;
    }
    if (look_read(l, offset, head, bytes)) {
        for (size_t i = 0; i < sizeof MAGICS / sizeof MAGICS[0]; i++) {
            const struct magic *m = &MAGICS[i];
            if (m->at + m->length <= bytes && memcmp(head + m->at, m->bytes, m->length) == 0)
                look_found(l, offset, length, offset + m->at, true, "%s", m->what);
        }
        look_lvm(l, &at, head, bytes);
        look_vmfs(l, &at);
        look_structured(l, &at, head, bytes);
    }
    free(head);
}
