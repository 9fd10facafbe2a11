/*
 * signature - what a disk image shows of itself: partition table and file systems.
 *
 * XTS has no tag; that the plaintext makes sense is the only proof that key, data unit and tweak
 * were right. A GPT with valid CRCs in both copies is strong proof, a lone 55AA is not. The first
 * sector of a disk is never one: it decrypts alike with data units of any size.
 */
#ifndef VMCRYPT_VMDK_SIGNATURE_H
#define VMCRYPT_VMDK_SIGNATURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "vmdk/disk.h"

enum { SIGNATURE_MAX = 160 };

struct signature {
    uint64_t offset; /* of the partition or volume, bytes */
    uint64_t length; /* 0: not known */
    bool strong;     /* a checksum held, or a magic of at least 4 bytes (or fields that agree
                      * with it), at a place that proves the data unit too */
    char what[64];   /* "GPT (both copies, CRC32 valid)", "ext4", "NTFS", … */
};

struct signatures {
    size_t count;
    struct signature found[SIGNATURE_MAX];
};

/* Bytes that may be those of a disk. */
struct signature_source {
    bool (*read)(void *user, uint64_t offset, void *data, size_t length, struct error *error);
    void *user;
    uint64_t size;
};

/* Look; nothing found is success with count 0. */
bool signatures_find(const struct disk *disk, struct signatures *out, struct error *error);
bool signatures_find_in(const struct signature_source *source, struct signatures *out,
                        struct error *error);

/* True when any of them is strong. */
bool signatures_prove(const struct signatures *s);

#endif
