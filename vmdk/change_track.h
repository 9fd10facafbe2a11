/*
 * change_track - the change tracking file of a disk (`changeTrackPath`, "NAME-ctk.vmdk"), as far as
 * it is understood.
 *
 * VMware does not publish it. What is known, and from where:
 *   [libvmdk] at 0 the magic a2 72 19 f6, at 4 u32 1, at 8 four zeros, at 12 u32 0x200, at 16 and
 *     24 two u64, at 32, 36 and 40 three u32, at 44 sixteen bytes like a UUID; the meaning of none
 *     of them is known
 *   [VDDK documents] a change id is "UUID/NUMBER", and whoever has one is told what changed since
 *   [a listing of a real disk of 40 GiB, whose file has 2,621,952 bytes] 0x200 bytes, and four for
 *     each 64 KiB of the disk
 * So it is inferred, not proven: 0x200 is where the records begin, a record is a u32 for a block of
 * the disk, the number under which it was changed last, 0 for never; the sixteen bytes are the UUID
 * of the change ids. Whoever shows any of this says so. A disk never fails for it.
 */
#ifndef VMCRYPT_VMDK_CHANGE_TRACK_H
#define VMCRYPT_VMDK_CHANGE_TRACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct change_track {
    uint64_t file_bytes;
    uint32_t version;
    uint32_t field_8, field_12;
    uint64_t field_16, field_24;
    uint32_t field_32, field_36, field_40;
    uint8_t id[16];
    /* Inferred. The block is 0 when the file does not have one record for each block of the disk
     * by the layout above; there are no areas then. */
    uint64_t disk_bytes;
    uint64_t records_at; /* in the file */
    uint64_t records;
    uint64_t block_bytes;
};

/* Of all records, or where the layout does not fit, of all u32 from records_at on. */
struct change_track_sum {
    uint64_t set;     /* not 0 */
    uint64_t bits;    /* that are 1, in all of them */
    uint32_t highest; /* number */
};

/* Blocks one after the other with the same number. Inferred. */
struct change_track_area {
    uint64_t offset, length; /* of the disk, bytes */
    uint32_t number;
};

/* Read the header of the file open as FD; PATH is for messages. A file that is none, or too short
 * for one, is ERROR_DAMAGED. */
bool change_track_load(int fd, const char *path, uint64_t disk_bytes, struct change_track *ct,
                       struct error *error);

bool change_track_count(int fd, const char *path, const struct change_track *ct,
                        struct change_track_sum *sum, struct error *error);

/* Call EACH for every area that was changed, in order, until it returns false; that is no error. */
bool change_track_each(int fd, const char *path, const struct change_track *ct,
                       bool (*each)(void *context, const struct change_track_area *area),
                       void *context, struct error *error);

#endif
