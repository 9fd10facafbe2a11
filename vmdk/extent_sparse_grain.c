/*
 * extent_sparse_grain - compressed grains: inflated, and the last few kept.
 *
 * A grain is inflated outside of the lock, into memory of its own or straight to where the caller
 * wants it. Two threads that miss the same grain both inflate it, which is rare and harmless.
 */
#include "vmdk/extent_sparse_private.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/reader.h"

enum {
    CACHE_SLOTS = 32,
    CACHE_BYTES = 2 << 20,
    CACHE_BYTES_DELTA = 256 << 10,
};

struct grain_slot {
    uint64_t grain;
    uint64_t used;
    uint8_t *data; /* NULL: empty */
};

struct grain_cache {
    pthread_mutex_t lock;
    uint64_t clock;
    size_t count; /* 0: grains are too large to be kept */
    struct grain_slot slots[CACHE_SLOTS];
};

struct grain_cache *grain_cache_new(uint64_t grain_bytes, bool delta, struct error *error)
{
    struct grain_cache *cache = calloc(1, sizeof *cache);
    if (cache == NULL) {
        error_memory(error);
        return NULL;
    }
    pthread_mutex_init(&cache->lock, NULL);
    uint64_t count = (uint64_t)(delta ? CACHE_BYTES_DELTA : CACHE_BYTES) / grain_bytes;
    cache->count = count < CACHE_SLOTS ? (size_t)count : CACHE_SLOTS;
    return cache;
}

void grain_cache_free(struct grain_cache *cache)
{
    if (cache == NULL)
        return;
    for (size_t i = 0; i < cache->count; i++)
        free(cache->slots[i].data);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

/* Under the lock. */
static struct grain_slot *find_slot(struct grain_cache *cache, uint64_t grain)
{
    for (size_t i = 0; i < cache->count; i++)
        if (cache->slots[i].data != NULL && cache->slots[i].grain == grain)
            return &cache->slots[i];
    return NULL;
}

static bool cache_get(struct grain_cache *cache, uint64_t grain, size_t skip, uint8_t *data,
                      size_t length)
{
    pthread_mutex_lock(&cache->lock);
    struct grain_slot *slot = find_slot(cache, grain);
    if (slot != NULL) {
        memcpy(data, slot->data + skip, length);
        slot->used = ++cache->clock;
    }
    pthread_mutex_unlock(&cache->lock);
    return slot != NULL;
}

/* Take over DATA, the inflated GRAIN. */
static void cache_put(struct grain_cache *cache, uint64_t grain, uint8_t *data)
{
    uint8_t *spare = data;
    pthread_mutex_lock(&cache->lock);
    if (cache->count > 0 && find_slot(cache, grain) == NULL) {
        struct grain_slot *oldest = &cache->slots[0];
        for (size_t i = 1; i < cache->count; i++)
            if (cache->slots[i].used < oldest->used)
                oldest = &cache->slots[i];
        spare = oldest->data;
        *oldest = (struct grain_slot){.grain = grain, .used = ++cache->clock, .data = data};
    }
    pthread_mutex_unlock(&cache->lock);
    free(spare);
}

/* Where the deflated bytes of GRAIN are, by its marker, which must be its own. */
static bool find_deflated(const struct extent *e, uint64_t grain, uint64_t *at, uint64_t *size,
                          struct error *error)
{
    const struct sparse *s = e->state;
    uint64_t left = s->file_bytes - *at;
    *size = left < sparse_deflated_max(s) ? left : sparse_deflated_max(s);
    if (!s->markers)
        return true;
    uint8_t marker[SPARSE_MARKER_BYTES];
    if (!extent_pool_read(e->pool, e->file, marker, sizeof marker, *at, error))
        return false;
    struct reader r = reader_over(marker, sizeof marker);
    uint64_t sector = reader_u64(&r);
    uint32_t bytes = reader_u32(&r);
    if (sector != grain * s->grain_sectors)
        return error_set(error, ERROR_DAMAGED,
                         "the grain for sector %" PRIu64 " was expected here, the marker says "
                         "%" PRIu64,
                         grain * s->grain_sectors, sector);
    if (bytes == 0 || bytes > sparse_deflated_max(s))
        return error_set(error, ERROR_DAMAGED,
                         "a compressed grain of %" PRIu32 " bytes; at most %" PRIu64
                         " were expected",
                         bytes, sparse_deflated_max(s));
    if (left < sizeof marker || bytes > left - sizeof marker)
        return error_set(error, ERROR_DAMAGED,
                         "the file ends inside of the grain for sector %" PRIu64
                         ": it was cut off, or the stream never finished",
                         sector);
    *at += sizeof marker;
    *size = bytes;
    return true;
}

/* Inflate into OUT, which holds a grain; WANTED bytes of it are needed. */
static bool inflate_bytes(uint8_t *in, size_t size, uint8_t *out, size_t room, size_t wanted,
                          struct error *error)
{
    z_stream z = {.next_in = in, .avail_in = (uInt)size, .next_out = out, .avail_out = (uInt)room};
    if (inflateInit(&z) != Z_OK)
        return error_memory(error);
    int result = inflate(&z, Z_FINISH);
    size_t done = room - z.avail_out;
    inflateEnd(&z);
    if (result == Z_MEM_ERROR)
        return error_memory(error);
    if (result != Z_STREAM_END && result != Z_DATA_ERROR && z.avail_out == 0)
        return error_set(error, ERROR_DAMAGED,
                         "a compressed grain holds more than the %zu bytes of a grain", room);
    if (result != Z_STREAM_END)
        return error_set(error, ERROR_DAMAGED, "a compressed grain that cannot be inflated (%s)",
                         result == Z_DATA_ERROR ? "its data are damaged" : "its data end early");
    /* The last grain of an extent may hold only what the extent has. */
    if (done < wanted)
        return error_set(error, ERROR_DAMAGED, "a compressed grain that holds %zu of %zu bytes",
                         done, wanted);
    memset(out + done, 0, room - done);
    return true;
}

static bool inflate_grain(const struct extent *e, uint64_t grain, uint32_t entry, uint8_t *out,
                          struct error *error)
{
    const struct sparse *s = e->state;
    uint64_t at = (uint64_t)entry * SECTOR_BYTES, start = at, size;
    bool ok = find_deflated(e, grain, &at, &size, error);
    uint8_t *in = NULL;
    if (ok) {
        in = malloc((size_t)size);
        ok = in != NULL || error_memory(error);
    }
    ok = ok && extent_pool_read(e->pool, e->file, in, (size_t)size, at, error) &&
         inflate_bytes(in, (size_t)size, out, (size_t)s->grain_bytes, sparse_grain_length(e, grain),
                       error);
    free(in);
    return ok || error_at(error, extent_pool_path(e->pool, e->file), start);
}

bool sparse_grain_read(const struct extent *e, uint64_t grain, uint32_t entry, size_t skip,
                       uint8_t *data, size_t length, struct error *error)
{
    const struct sparse *s = e->state;
    if (cache_get(s->cache, grain, skip, data, length))
        return true;
    if (length == s->grain_bytes)
        return inflate_grain(e, grain, entry, data, error);
    uint8_t *whole = malloc((size_t)s->grain_bytes);
    if (whole == NULL)
        return error_memory(error);
    if (!inflate_grain(e, grain, entry, whole, error)) {
        free(whole);
        return false;
    }
    memcpy(data, whole + skip, length);
    cache_put(s->cache, grain, whole);
    return true;
}
