/* phrase_cache - see phrase_cache.h. */
#include "keywrap/phrase_cache.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

enum { NAME_BYTES = 32 };

struct entry {
    uint8_t name[NAME_BYTES]; /* of parameters and passphrase */
    bool deriving;
    struct secret *key; /* NULL while it is derived, and in an unused entry */
    uint64_t used;      /* when, by the cache's clock */
};

struct phrase_cache {
    pthread_mutex_t lock;
    pthread_cond_t done; /* an entry is not being derived any more */
    struct secret *salt; /* names tell nothing without it: no plain hash of a passphrase is kept */
    uint64_t clock;
    size_t derived, capacity;
    struct entry *entries;
};

struct phrase_cache *phrase_cache_new(size_t capacity, struct error *error)
{
    struct phrase_cache *cache = calloc(1, sizeof *cache);
    struct entry *entries = calloc(capacity, sizeof *entries);
    if (cache == NULL || entries == NULL) {
        free(cache);
        free(entries);
        error_memory(error);
        return NULL;
    }
    *cache = (struct phrase_cache){.capacity = capacity, .entries = entries};
    cache->salt = secret_new(NAME_BYTES, error);
    pthread_mutex_init(&cache->lock, NULL);
    pthread_cond_init(&cache->done, NULL);
    if (cache->salt != NULL && RAND_bytes(cache->salt->data, NAME_BYTES) != 1)
        error_set(error, ERROR_FAILED, "no random numbers");
    else if (cache->salt != NULL)
        return cache;
    phrase_cache_free(cache);
    return NULL;
}

void phrase_cache_free(struct phrase_cache *cache)
{
    if (cache == NULL)
        return;
    for (size_t i = 0; i < cache->capacity; i++)
        secret_free(cache->entries[i].key);
    free(cache->entries);
    secret_free(cache->salt);
    pthread_cond_destroy(&cache->done);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

/* Everything the derived key depends on, each part with its length. */
static bool make_name(const struct phrase_cache *cache, const struct phrase_params *params,
                      const struct secret *passphrase, uint8_t name[NAME_BYTES])
{
    struct buffer all = BUFFER_INIT;
    unsigned length = 0;
    buffer_printf(&all, "%s:%s:%u:%zu:%zu:", params->pass2key, params->cipher, params->rounds,
                  params->salt_length, passphrase->length);
    buffer_append(&all, params->salt, params->salt_length);
    buffer_append(&all, passphrase->data, passphrase->length);
    bool ok =
        !all.failed && HMAC(EVP_sha256(), cache->salt->data, (int)cache->salt->length,
                            (const uint8_t *)buffer_text(&all), all.length, name, &length) != NULL;
    buffer_free(&all);
    return ok;
}

static struct entry *find(struct phrase_cache *cache, const uint8_t name[NAME_BYTES])
{
    for (size_t i = 0; i < cache->capacity; i++) {
        struct entry *entry = &cache->entries[i];
        if ((entry->deriving || entry->key != NULL) && memcmp(entry->name, name, NAME_BYTES) == 0)
            return entry;
    }
    return NULL;
}

/* Room for one more: an unused entry, or the one used longest ago; NULL when all are being
 * derived. */
static struct entry *claim(struct phrase_cache *cache)
{
    struct entry *oldest = NULL;
    for (size_t i = 0; i < cache->capacity; i++) {
        struct entry *entry = &cache->entries[i];
        if (!entry->deriving && (oldest == NULL || entry->used < oldest->used))
            oldest = entry;
    }
    return oldest;
}

/* Derive into a claimed entry, without the lock, which is held before and after. */
static struct secret *derive(struct phrase_cache *cache, struct entry *entry,
                             const struct phrase_params *params, const struct secret *passphrase,
                             struct error *error)
{
    cache->derived++;
    pthread_mutex_unlock(&cache->lock);
    struct secret *key = phrase_derive(params, passphrase, error);
    struct secret *kept =
        key == NULL || entry == NULL ? NULL : secret_copy(key->data, key->length, error);
    pthread_mutex_lock(&cache->lock);
    if (entry != NULL) {
        /* Without memory for the copy the next one derives it again. */
        entry->deriving = false;
        entry->key = kept;
        entry->used = kept == NULL ? 0 : ++cache->clock;
        pthread_cond_broadcast(&cache->done);
    }
    return key;
}

struct secret *phrase_cache_derive(struct phrase_cache *cache, const struct phrase_params *params,
                                   const struct secret *passphrase, struct error *error)
{
    uint8_t name[NAME_BYTES];
    struct secret *key = NULL;
    if (!make_name(cache, params, passphrase, name)) {
        error_memory(error);
        return NULL;
    }
    pthread_mutex_lock(&cache->lock);
    struct entry *entry;
    while ((entry = find(cache, name)) != NULL && entry->deriving)
        pthread_cond_wait(&cache->done, &cache->lock);
    if (entry != NULL) {
        entry->used = ++cache->clock;
        key = secret_copy(entry->key->data, entry->key->length, error);
    } else {
        entry = claim(cache);
        if (entry != NULL) {
            secret_free(entry->key);
            *entry = (struct entry){.deriving = true};
            memcpy(entry->name, name, NAME_BYTES);
        }
        key = derive(cache, entry, params, passphrase, error);
    }
    pthread_mutex_unlock(&cache->lock);
    return key;
}

size_t phrase_cache_derived(struct phrase_cache *cache)
{
    pthread_mutex_lock(&cache->lock);
    size_t derived = cache->derived;
    pthread_mutex_unlock(&cache->lock);
    return derived;
}
