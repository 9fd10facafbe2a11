/*
 * disk - what a guest would see of its disk: bytes at offsets, whatever lies below.
 *
 * Layers: extents (files) → decrypting. Thread-safe after opening; no hidden seek state; sources
 * are opened read-only.
 */
#ifndef VMCRYPT_VMDK_DISK_H
#define VMCRYPT_VMDK_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "keywrap/cryptodict.h"
#include "keywrap/keyring.h"
#include "keywrap/keysafe.h"
#include "vmdk/descriptor.h"

enum disk_run { DISK_DATA, DISK_ZERO /* reads as zeros without I/O */ };

struct disk;

struct disk_options {
    const struct keyring *keyring; /* NULL: encrypted disks open, but reading is ERROR_NO_KEY */
    size_t unit_bytes;             /* data unit, 0 for 512 */
    bool decrypt_zero_units; /* decrypt units whose ciphertext is all zero too; by default they
                                count as never written and read as zeros */
    bool raw_ciphertext;     /* hand out what is stored, without decrypting; needs no key */
    bool allow_outside;      /* let extents lie outside the descriptor's directory, or be devices */
    bool sequential;         /* a hint: will be read once, from front to back */
};

/*
 * Open the disk that the descriptor at PATH describes. Everything is checked before the first
 * read: extents there and long enough, their sum, no snapshot parent (not supported yet: the
 * error names it), encryption known. With an encrypted disk and a keyring the disk key is
 * unlocked (ERROR_NO_KEY when none fits). A missing or short extent is ERROR_DAMAGED, a kind of
 * disk that this version does not read ERROR_FAILED.
 *
 * Data units of an encrypted disk are counted from its start, whichever extent holds them
 * [inferred; see docs/formats.md].
 */
struct disk *disk_open(const char *path, const struct disk_options *options, struct error *error);

/* The file or block device at PATH as a plain disk. */
struct disk *disk_open_raw(const char *path, struct error *error);
void disk_close(struct disk *disk);

uint64_t disk_size(const struct disk *disk); /* bytes, a multiple of 512 */
const struct descriptor *disk_descriptor(const struct disk *disk);
bool disk_is_encrypted(const struct disk *disk);
/* How the key safe was opened; NULL when the disk is not encrypted or was not unlocked. */
const struct keysafe_result *disk_unlocked(const struct disk *disk);

/* True when the disk key's two halves are equal: it decrypts, but XTS is weak with it, and we do
 * not encrypt with such a key (FIPS 140, see xts.h). */
bool disk_key_is_weak(const struct disk *disk);

/* Read LENGTH bytes at OFFSET; any alignment. A short or unreadable extent is an error with the
 * file and offset, never zeros. */
bool disk_read(const struct disk *disk, uint64_t offset, void *data, size_t length,
               struct error *error);

/* The same in two steps, for who needs the ciphertext too: what is stored, and decrypting it in
 * place. OFFSET and LENGTH are multiples of the data unit; both give the same when the disk is not
 * decrypted, and its data unit is 0 then. */
bool disk_read_stored(const struct disk *disk, uint64_t offset, void *data, size_t length,
                      struct error *error);
bool disk_decrypt(const struct disk *disk, uint64_t offset, void *data, size_t length,
                  struct error *error);
size_t disk_unit_bytes(const struct disk *disk);

/* What lies at OFFSET and for how many bytes (at least 1 while OFFSET is inside). */
bool disk_run_at(const struct disk *disk, uint64_t offset, enum disk_run *run, uint64_t *length,
                 struct error *error);

#endif
