/*
 * meta_cache - see meta_cache.h.
 *
 * Sets of a few ways each, the one used least recently is replaced; a lock for each set, so that
 * readers of different places do not wait for each other.
 */
#include "vmdk/meta_cache.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

enum { WAYS = 8, SETS = META_BYTES / META_BLOCK / WAYS };

struct way {
    const struct extent_pool *pool; /* NULL: empty */
    size_t file;
    uint64_t block;
    uint64_t used;
    size_t length; /* less than a block at the end of a file */
    uint8_t *data; /* allocated when it is first needed */
};

struct set {
    pthread_mutex_t lock;
    uint64_t clock;
    struct way ways[WAYS];
};

struct meta_cache {
    struct set sets[SETS];
};

struct meta_cache *meta_cache_new(struct error *error)
{
    struct meta_cache *cache = calloc(1, sizeof *cache);
    if (cache == NULL) {
        error_memory(error);
        return NULL;
    }
    for (size_t i = 0; i < SETS; i++)
        pthread_mutex_init(&cache->sets[i].lock, NULL);
    return cache;
}

void meta_cache_free(struct meta_cache *cache)
{
    if (cache == NULL)
        return;
    for (size_t i = 0; i < SETS; i++) {
        for (size_t w = 0; w < WAYS; w++)
            free(cache->sets[i].ways[w].data);
        pthread_mutex_destroy(&cache->sets[i].lock);
    }
    free(cache);
}

static struct set *set_of(struct meta_cache *cache, const struct extent_pool *pool, size_t file,
                          uint64_t block)
{
    uint64_t x = (uint64_t)(uintptr_t)pool / 64 + file * UINT64_C(0x9e3779b97f4a7c15) + block;
    x = (x ^ x >> 31) * UINT64_C(0xbf58476d1ce4e5b9);
    return &cache->sets[(x ^ x >> 29) % SETS];
}

/* The way that holds the block, or the one to be filled. */
static struct way *choose(struct set *set, const struct extent_pool *pool, size_t file,
                          uint64_t block, bool *found)
{
    struct way *oldest = &set->ways[0];
    for (size_t w = 0; w < WAYS; w++) {
        struct way *way = &set->ways[w];
        *found = way->pool == pool && way->file == file && way->block == block;
        if (*found)
            return way;
        if (way->used < oldest->used)
            oldest = way;
    }
    return oldest;
}

/* LENGTH bytes at OFFSET of the file. Directories and tables of snapshots are mostly holes, and
 * reading a hole costs the kernel pages and read-ahead; asking whether it is one does not. */
static bool read_block(struct extent_pool *pool, size_t file, uint8_t *data, size_t length,
                       uint64_t offset, struct error *error)
{
    int fd = extent_pool_take(pool, file, error);
    if (fd < 0)
        return false;
    bool ok = true;
    /* lseek moves the offset of a shared descriptor, but nobody reads through that. */
    off_t next = lseek(fd, (off_t)offset, SEEK_DATA);
    bool hole = next < 0 ? errno == ENXIO && (uint64_t)lseek(fd, 0, SEEK_END) >= offset + length
                         : (uint64_t)next >= offset + length;
    if (hole)
        memset(data, 0, length);
    else
        ok = file_read_at(fd, extent_pool_path(pool, file), data, length, offset, error);
    extent_pool_give(pool, file, fd);
    return ok;
}

static bool fill(struct way *way, struct extent_pool *pool, size_t file, uint64_t block,
                 struct error *error)
{
    uint64_t size = extent_pool_size(pool, file), offset = block * META_BLOCK;
    way->pool = NULL;
    if (way->data == NULL && (way->data = malloc(META_BLOCK)) == NULL)
        return error_memory(error);
    way->length = size <= offset               ? 0
                  : size - offset < META_BLOCK ? (size_t)(size - offset)
                                               : META_BLOCK;
    if (!read_block(pool, file, way->data, way->length, offset, error))
        return false;
    way->pool = pool;
    way->file = file;
    way->block = block;
    return true;
}

static bool read_part(struct meta_cache *cache, struct extent_pool *pool, size_t file,
                      uint64_t offset, void *data, size_t length, struct error *error)
{
    uint64_t block = offset / META_BLOCK;
    size_t at = (size_t)(offset % META_BLOCK);
    struct set *set = set_of(cache, pool, file, block);
    bool found;
    pthread_mutex_lock(&set->lock);
    struct way *way = choose(set, pool, file, block, &found);
    bool ok = found || fill(way, pool, file, block, error);
    if (ok && way->length < at + length) {
        ok = error_set(error, ERROR_DAMAGED, "ends before the grain tables do");
        error_at(error, extent_pool_path(pool, file), extent_pool_size(pool, file));
    }
    if (ok) {
        memcpy(data, way->data + at, length);
        way->used = ++set->clock;
    }
    pthread_mutex_unlock(&set->lock);
    return ok;
}

bool meta_read(struct meta_cache *cache, struct extent_pool *pool, size_t i, uint64_t offset,
               void *data, size_t length, struct error *error)
{
    for (uint8_t *to = data; length > 0;) {
        size_t part = META_BLOCK - (size_t)(offset % META_BLOCK);
        part = part < length ? part : length;
        if (!read_part(cache, pool, i, offset, to, part, error))
            return false;
        to += part;
        offset += part;
        length -= part;
    }
    return true;
}
