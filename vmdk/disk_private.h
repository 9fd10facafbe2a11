/* disk_private - insides shared by disk*.c only. */
#ifndef VMCRYPT_VMDK_DISK_PRIVATE_H
#define VMCRYPT_VMDK_DISK_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "vmdk/disk.h"
#include "vmdk/extent.h"
#include "vmdk/xts/xts.h"

struct disk {
    struct descriptor *descriptor;
    struct extent_pool *pool;
    size_t extent_count;
    struct extent *extents; /* in order, none of them empty */
    uint64_t size;
    bool encrypted;
    bool unlocked; /* RESULT is filled */
    bool closed;   /* encrypted, without a key, and the ciphertext was not asked for */
    bool decrypt_zero_units;
    struct locator *safe; /* encryptionKeys; NULL unless a key was looked for */
    struct keysafe_result result;
    struct xts *xts; /* NULL: what is stored is handed out */
};

/* disk_read.c: the stored bytes, across extents. OFFSET and LENGTH are inside the disk. */
bool stored_read(const struct disk *disk, uint64_t offset, uint8_t *data, size_t length,
                 struct error *error);
bool stored_run_at(const struct disk *disk, uint64_t offset, enum disk_run *run, uint64_t *length,
                   struct error *error);
/* The extent that holds OFFSET. */
const struct extent *stored_extent(const struct disk *disk, uint64_t offset);

/* disk_crypt.c: the same, decrypted. */
bool crypt_read(const struct disk *disk, uint64_t offset, uint8_t *data, size_t length,
                struct error *error);
bool crypt_run_at(const struct disk *disk, uint64_t offset, enum disk_run *run, uint64_t *length,
                  struct error *error);
/* Decrypt in place whole units that were read as they are stored. */
bool crypt_units(const struct disk *disk, uint64_t offset, uint8_t *data, size_t length,
                 struct error *error);

#endif
