/*
 * extent_pool - the files of a disk's extents, of which only a few are open at a time.
 *
 * A disk may have 65,536 extents, a process far fewer descriptors. Thread-safe but for adding.
 */
#ifndef VMCRYPT_VMDK_EXTENT_POOL_H
#define VMCRYPT_VMDK_EXTENT_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "vmdk/evidence.h"

enum { EXTENT_POOL_OPEN = 64 };

struct extent_pool;

/* For the extents of the descriptor at DESCRIPTOR. EVIDENCE outlives the pool. SEQUENTIAL: they
 * will be read once, from front to back. */
struct extent_pool *extent_pool_new(const char *descriptor, const struct evidence *evidence,
                                    bool sequential, struct error *error);
void extent_pool_free(struct extent_pool *pool);

/* Open and examine NAME; *index is its number from now on. The file added last is not added
 * twice. */
bool extent_pool_add(struct extent_pool *pool, const char *name, size_t *index,
                     struct error *error);

/* Path (for messages) and size of file I when it was added. */
const char *extent_pool_path(const struct extent_pool *pool, size_t i);
uint64_t extent_pool_size(const struct extent_pool *pool, size_t i);

/* Read exactly LENGTH bytes at OFFSET of file I; what is not there is ERROR_DAMAGED with the place
 * where the data ended. */
bool extent_pool_read(struct extent_pool *pool, size_t i, void *data, size_t length,
                      uint64_t offset, struct error *error);

/* An open descriptor of file I, to be given back; -1 with *error set when it cannot be opened
 * again or is not the same file any more. */
int extent_pool_take(struct extent_pool *pool, size_t i, struct error *error);
void extent_pool_give(struct extent_pool *pool, size_t i, int fd);

#endif
