/*
 * layer - one layer of a disk: the extents that a descriptor lists, and its key. Private to the
 * disk; see disk.h.
 */
#ifndef VMCRYPT_VMDK_LAYER_H
#define VMCRYPT_VMDK_LAYER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "vmdk/disk.h"
#include "vmdk/evidence.h"
#include "vmdk/extent.h"
#include "vmdk/xts/xts.h"

struct layer {
    char *path;
    struct descriptor *descriptor;
    struct extent_pool *pool;
    size_t extent_count;
    struct extent *extents; /* in order, none of them empty; none at all when MISSING */
    uint64_t size;
    bool delta;   /* it has a parent */
    bool missing; /* its extents are gone, and nothing counts as stored */
    bool encrypted;
    bool unlocked; /* RESULT is filled */
    bool closed;   /* encrypted, without a key, and the ciphertext was not asked for */
    bool decrypt_zero_units;
    struct locator *safe; /* encryptionKeys; NULL unless a key was looked for */
    struct keysafe_result result;
    struct xts *xts;                /* NULL: what is stored is handed out */
    struct geometry_cipher *cipher; /* decrypts instead of XTS, which then only tells the unit;
                                     * NULL: units are counted from the start of the disk */
};

/* What all layers of a disk share. */
struct layer_context {
    const struct disk_options *options;
    const struct evidence *evidence;
    struct meta_cache *cache;
    struct notes *notes;
};

/* layer.c: take D over, of the file at PATH, open its extents and unlock its key. NULL with *error,
 * which names a file. */
struct layer *layer_open(struct descriptor *d, const char *path,
                         const struct layer_context *context, struct error *error);
void layer_close(struct layer *layer);

/* layer_read.c: OFFSET and LENGTH are inside the layer. */

/* What is stored; what is not stored reads as zeros. */
bool layer_read_stored(const struct layer *layer, uint64_t offset, uint8_t *data, size_t length,
                       struct error *error);
/* What lies at OFFSET as it is stored; the file of it in *extent. */
bool layer_run_at(const struct layer *layer, uint64_t offset, struct extent_run *run,
                  const struct extent **extent, struct error *error);
/* The extent that holds OFFSET. */
const struct extent *layer_extent(const struct layer *layer, uint64_t offset);

/* layer_crypt.c: the same, decrypted. */
bool layer_read(const struct layer *layer, uint64_t offset, uint8_t *data, size_t length,
                struct error *error);
/* Whole units at OFFSET: zeros without reading, or data that have to be read. */
bool layer_zero_run(const struct layer *layer, uint64_t offset, bool *zero, uint64_t *length,
                    struct error *error);
/* Decrypt in place whole units that were read as they are stored. */
bool layer_decrypt(const struct layer *layer, uint64_t offset, uint8_t *data, size_t length,
                   struct error *error);

#endif
