/*
 * extent - one extent of a disk, of whatever kind: a run of the disk and how its bytes are got.
 *
 * A new kind is one more file with its own table of operations; disk_open picks it by the type
 * that the descriptor gives.
 */
#ifndef VMCRYPT_VMDK_EXTENT_H
#define VMCRYPT_VMDK_EXTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "vmdk/disk.h"
#include "vmdk/extent_pool.h"

struct extent;

struct extent_ops {
    /* Bytes [AT, AT + LENGTH) of the extent; the caller stays inside. */
    bool (*read)(const struct extent *extent, uint64_t at, void *data, size_t length,
                 struct error *error);
    /* What lies at AT, and for how many bytes to the end of the extent at most. */
    bool (*run_at)(const struct extent *extent, uint64_t at, enum disk_run *run, uint64_t *length,
                   struct error *error);
};

struct extent {
    const struct extent_ops *ops;
    uint64_t start;  /* first byte, on the disk */
    uint64_t length; /* bytes */
    /* flat extents */
    struct extent_pool *pool;
    size_t file;     /* in POOL */
    uint64_t offset; /* first byte, in the file */
};

/* FLAT and VMFS: the bytes of the disk as they are, in a file that may have holes. */
extern const struct extent_ops extent_flat;
/* ZERO: no file; reads as zeros and was never encrypted. */
extern const struct extent_ops extent_zero;

#endif
