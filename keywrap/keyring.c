/* keyring - see keyring.h. */
#include "keywrap/keyring.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "keywrap/nkp_memory.h"
#include "keywrap/phrase_cache.h"

/* Keys by id, each id's in the order they came in: chains through `next`, numbers being index of
 * the key plus one. */
struct keyring_index {
    size_t bucket_count; /* a power of two */
    struct {
        size_t first, last;
    } * buckets;
    size_t next_count;
    size_t *next; /* of each key */
};

enum {
    FIRST_BUCKETS = 64,
    /* Not more keys of one id are compared to find the same one twice, so that reading many keys
     * without ids stays linear. */
    COMPARED = 256,
    CACHED_KEYS = 1024,
};

static const char *copy_or_null(const char *text, bool *ok)
{
    char *copy = text == NULL ? NULL : strdup(text);
    if (text != NULL && copy == NULL)
        *ok = false;
    return copy;
}

static void free_key(struct keyring_key *key)
{
    const char *texts[] = {key->provider, key->id,         key->origin,
                           key->name,     key->identifier, key->component};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        free((void *)texts[i]);
    secret_free(key->key);
}

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* 36 characters with four dashes are a UUID, whose hex digits may be in either case. */
static bool is_uuid(const char *id)
{
    return strlen(id) == 36 && id[8] == '-' && id[13] == '-' && id[18] == '-' && id[23] == '-';
}

static bool same_id(const char *a, const char *b)
{
    return is_uuid(a) ? strcasecmp(a, b) == 0 : strcmp(a, b) == 0;
}

/* FNV-1a without case; no id has the bucket of "". */
static size_t bucket_of(const struct keyring_index *index, const char *id)
{
    uint64_t hash = 0xcbf29ce484222325;
    for (; id != NULL && *id != '\0'; id++)
        hash = (hash ^ (uint8_t)tolower((unsigned char)*id)) * 0x100000001b3;
    return (size_t)(hash ^ hash >> 32) & (index->bucket_count - 1);
}

static void index_link(struct keyring_index *index, const char *id, size_t key)
{
    size_t bucket = bucket_of(index, id);
    index->next[key] = 0;
    if (index->buckets[bucket].first == 0)
        index->buckets[bucket].first = key + 1;
    else
        index->next[index->buckets[bucket].last - 1] = key + 1;
    index->buckets[bucket].last = key + 1;
}

static void index_free(struct keyring_index *index)
{
    if (index == NULL)
        return;
    free(index->buckets);
    free(index->next);
    free(index);
}

/* Make room for one key more than the ring holds; all are linked anew when it has grown. */
static bool index_grow(struct keyring *ring)
{
    if (ring->index != NULL && ring->key_count < ring->index->next_count)
        return true;
    struct keyring_index *grown = calloc(1, sizeof *grown);
    if (grown == NULL)
        return false;
    grown->bucket_count = ring->index == NULL ? FIRST_BUCKETS : 2 * ring->index->bucket_count;
    grown->next_count = grown->bucket_count;
    grown->buckets = calloc(grown->bucket_count, sizeof *grown->buckets);
    grown->next = calloc(grown->next_count, sizeof *grown->next);
    if (grown->buckets == NULL || grown->next == NULL) {
        index_free(grown);
        return false;
    }
    for (size_t i = 0; i < ring->key_count; i++)
        index_link(grown, ring->keys[i].id, i);
    index_free(ring->index);
    ring->index = grown;
    return true;
}

/* Number of the first key that may have ID; 0: none. */
static size_t first_of(const struct keyring *ring, const char *id)
{
    return ring->index == NULL ? 0 : ring->index->buckets[bucket_of(ring->index, id)].first;
}

static bool same_key_id(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : same_id(a, b);
}

const struct keyring_key *keyring_find(const struct keyring *ring, const struct keyring_key *like,
                                       const struct secret *value)
{
    size_t compared = 0;
    for (size_t at = first_of(ring, like->id); at != 0 && compared < COMPARED;
         at = ring->index->next[at - 1]) {
        const struct keyring_key *held = &ring->keys[at - 1];
        if (held->kind != like->kind || !same_text(held->provider, like->provider) ||
            !same_key_id(held->id, like->id))
            continue;
        if (value == NULL || secret_equal(held->key, value))
            return held;
        compared++;
    }
    return NULL;
}

bool keyring_add(struct keyring *ring, const struct keyring_key *key, struct error *error)
{
    if (keyring_find(ring, key, key->key) != NULL) {
        secret_free(key->key);
        return true;
    }
    bool ok = true;
    struct keyring_key entry = {
        .kind = key->kind,
        .provider = copy_or_null(key->provider, &ok),
        .id = copy_or_null(key->id, &ok),
        .origin = copy_or_null(key->origin, &ok),
        .name = copy_or_null(key->name, &ok),
        .identifier = copy_or_null(key->identifier, &ok),
        .component = copy_or_null(key->component, &ok),
        .key = key->key,
    };
    struct keyring_key *grown =
        ok && index_grow(ring) ? realloc(ring->keys, (ring->key_count + 1) * sizeof *grown) : NULL;
    if (grown == NULL) {
        free_key(&entry);
        return error_memory(error);
    }
    ring->keys = grown;
    ring->keys[ring->key_count] = entry;
    index_link(ring->index, entry.id, ring->key_count++);
    return true;
}

bool keyring_add_phrase(struct keyring *ring, const char *origin, struct secret *passphrase,
                        struct error *error)
{
    struct keyring_phrase entry = {strdup(origin), passphrase};
    struct keyring_phrase *grown =
        entry.origin != NULL ? realloc(ring->phrases, (ring->phrase_count + 1) * sizeof *grown)
                             : NULL;
    if (grown == NULL) {
        free(entry.origin);
        secret_free(passphrase);
        return error_memory(error);
    }
    ring->phrases = grown;
    ring->phrases[ring->phrase_count++] = entry;
    return true;
}

/* How well a key fits, 0 best; 4 not at all. */
static unsigned misfit(const struct keyring_key *key, const struct keyring_search *search)
{
    bool same_provider = key->provider != NULL && search->provider != NULL &&
                         strcmp(key->provider, search->provider) == 0;
    if (key->kind != search->kind)
        return 4;
    if (key->id == NULL)
        return key->provider == NULL || same_provider ? 3 : 4;
    if (search->id == NULL || !same_id(key->id, search->id))
        return 4;
    if (same_provider)
        return 0;
    return key->provider == NULL ? 1 : 2;
}

const struct keyring_key *keyring_next(const struct keyring *ring, struct keyring_search *search)
{
    const size_t ended = SIZE_MAX; /* this level's chain; 0: not begun */
    for (; search->level < 4; search->level++, search->at = 0) {
        if (search->at == 0)
            search->at = first_of(ring, search->level < 3 ? search->id : NULL);
        while (search->at != 0 && search->at != ended) {
            const struct keyring_key *key = &ring->keys[search->at - 1];
            size_t next = ring->index->next[search->at - 1];
            search->at = next == 0 ? ended : next;
            if (misfit(key, search) == search->level)
                return key;
        }
    }
    return NULL;
}

bool keyring_cache_phrases(struct keyring *ring, struct error *error)
{
    if (ring->cache == NULL)
        ring->cache = phrase_cache_new(CACHED_KEYS, error);
    if (ring->cache != NULL && ring->nkp == NULL)
        ring->nkp = nkp_memory_new(error);
    return ring->cache != NULL && ring->nkp != NULL;
}

struct secret *keyring_phrase_key(const struct keyring *ring, size_t i,
                                  const struct phrase_params *params, struct error *error)
{
    const struct secret *passphrase = ring->phrases[i].passphrase;
    return ring->cache != NULL ? phrase_cache_derive(ring->cache, params, passphrase, error)
                               : phrase_derive(params, passphrase, error);
}

void keyring_free(struct keyring *ring)
{
    for (size_t i = 0; i < ring->key_count; i++)
        free_key(&ring->keys[i]);
    for (size_t i = 0; i < ring->phrase_count; i++) {
        free(ring->phrases[i].origin);
        secret_free(ring->phrases[i].passphrase);
    }
    free(ring->keys);
    free(ring->phrases);
    phrase_cache_free(ring->cache);
    nkp_memory_free(ring->nkp);
    index_free(ring->index);
    *ring = KEYRING_INIT;
}
