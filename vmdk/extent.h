/*
 * extent - one extent of a layer of a disk, of whatever kind: where its bytes are, and which of
 * them it has.
 *
 * A new kind is one more file with its own table of operations; layer_open picks it by the type
 * that the descriptor gives, and by what the file itself says.
 */
#ifndef VMCRYPT_VMDK_EXTENT_H
#define VMCRYPT_VMDK_EXTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "vmdk/descriptor.h"
#include "vmdk/extent_pool.h"
#include "vmdk/meta_cache.h"
#include "vmdk/notes.h"

struct extent;

enum extent_state {
    EXTENT_STORED, /* the file has it */
    EXTENT_ZEROS,  /* it reads as zeros; nothing below counts */
    EXTENT_ABSENT, /* the layer below counts; zeros in a base disk */
};

#define EXTENT_NOWHERE UINT64_MAX

/* What lies at a place of an extent. */
struct extent_run {
    enum extent_state state;
    bool compressed;      /* STORED: as one deflated grain */
    uint64_t length;      /* bytes of this state from there on; at least 1 */
    uint64_t file_offset; /* STORED: of the first byte in the file, or of the compressed grain's
                           * data; EXTENT_NOWHERE when there is no such place */
    uint64_t file_length; /* STORED: how many bytes from there on lie behind one another in the
                           * file, 1 to length */
};

struct extent_ops {
    /* Check the file, fill STATE. What the extent itself says must agree with the descriptor. */
    bool (*open)(struct extent *extent, struct error *error);
    /* Bytes [AT, AT + LENGTH) of the extent; the caller stays inside. What is not stored reads as
     * zeros. */
    bool (*read)(const struct extent *extent, uint64_t at, void *data, size_t length,
                 struct error *error);
    /* What lies at AT; *run never reaches beyond the extent. */
    bool (*run_at)(const struct extent *extent, uint64_t at, struct extent_run *run,
                   struct error *error);
    void (*close)(struct extent *extent); /* NULL: nothing to free */
};

struct extent {
    const struct extent_ops *ops;
    uint64_t start;  /* first byte, on the disk */
    uint64_t length; /* bytes; a kind that knows its own size refuses one that differs */
    struct extent_pool *pool;
    size_t file;     /* in POOL */
    uint64_t offset; /* flat: first byte, in the file */
    bool delta;      /* of a layer with a parent */
    struct meta_cache *cache;
    struct notes *notes;
    uint64_t grain; /* bytes that are stored or absent together; 0: flat. OPEN fills it */
    void *state;    /* of its kind */
};

/* FLAT and VMFS: the bytes of the disk as they are, in a file that may have holes. */
extern const struct extent_ops extent_flat;
/* ZERO: no file; reads as zeros and was never encrypted. */
extern const struct extent_ops extent_zero;
/* SPARSE: hosted sparse (KDMV), uncompressed or streamOptimized. */
extern const struct extent_ops extent_sparse;
/* VMFSSPARSE: COWD. */
extern const struct extent_ops extent_cowd;
/* SESPARSE. */
extern const struct extent_ops extent_sesparse;

#endif
