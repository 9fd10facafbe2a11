/*
 * meta_cache - blocks of grain directories and tables, kept in a bounded amount of memory.
 *
 * One cache serves all layers of a disk: directories of a 2 TiB delta are a MiB each, and there
 * may be 200 of them. Thread-safe.
 */
#ifndef VMCRYPT_VMDK_META_CACHE_H
#define VMCRYPT_VMDK_META_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "vmdk/extent_pool.h"

enum {
    META_BLOCK = 4096,     /* bytes read at a time */
    META_BYTES = 16 << 20, /* kept at most */
};

struct meta_cache;

struct meta_cache *meta_cache_new(struct error *error);
void meta_cache_free(struct meta_cache *cache);

/* LENGTH bytes at OFFSET of file I of POOL, from memory where they are. A file that ends before is
 * ERROR_DAMAGED with the place. */
bool meta_read(struct meta_cache *cache, struct extent_pool *pool, size_t i, uint64_t offset,
               void *data, size_t length, struct error *error);

#endif
