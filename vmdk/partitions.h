/*
 * partitions - where the partitions of a disk lie, numbered as Linux numbers them.
 *
 * MBR: 1 to 4 by slot, logical ones from 5 on in the order of their chain; the extended partition
 * that holds them is not one. GPT: by their place in the table; both CRC32s must hold, and the
 * backup at the end of the disk stands in for a bad first copy. A GPT counts when the MBR in front
 * of it says so, or says nothing. [UEFI 2.10, 5; source: Linux block/partitions]
 */
#ifndef VMCRYPT_VMDK_PARTITIONS_H
#define VMCRYPT_VMDK_PARTITIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "vmdk/disk.h"

enum { PARTITIONS_MAX = 128, PARTITIONS_NAME_BYTES = 36 * 3 + 1 };

enum partitions_scheme { PARTITIONS_NONE, PARTITIONS_MBR, PARTITIONS_GPT };

struct partitions_entry {
    unsigned number;                  /* 1 … */
    uint64_t start, length;           /* bytes, inside the disk; never empty */
    uint8_t mbr_type;                 /* MBR */
    char gpt_type[37];                /* GPT: the type's UUID */
    char name[PARTITIONS_NAME_BYTES]; /* GPT: in UTF-8, as the table has it */
};

struct partitions {
    enum partitions_scheme scheme;
    uint32_t sector_bytes; /* 512 or 4096 */
    bool backup_used;      /* GPT: the first copy is bad */
    bool backup_bad;       /* GPT: the second one is */
    bool gpt_lost;         /* MBR: it says that there is a GPT, of which no copy is good */
    size_t left_out;       /* partitions beyond PARTITIONS_MAX or the end of the disk */
    size_t count;          /* in the order of their numbers */
    struct partitions_entry entries[PARTITIONS_MAX];
};

/* Bytes that are those of a disk. */
struct partitions_source {
    bool (*read)(void *user, uint64_t offset, void *data, size_t length, struct error *error);
    void *user;
    uint64_t size;
};

/* "none", "MBR", "GPT". */
const char *partitions_scheme_name(enum partitions_scheme scheme);

/* Find them; a disk without any, or with a table that makes no sense, is success with
 * PARTITIONS_NONE. False when the disk cannot be read. */
bool partitions_find(const struct disk *disk, struct partitions *out, struct error *error);
bool partitions_find_in(const struct partitions_source *source, struct partitions *out,
                        struct error *error);

#endif
