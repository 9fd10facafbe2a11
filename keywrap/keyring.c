/* keyring - see keyring.h. */
#include "keywrap/keyring.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static char *copy_or_null(const char *text, bool *ok)
{
    char *copy = text == NULL ? NULL : strdup(text);
    if (text != NULL && copy == NULL)
        *ok = false;
    return copy;
}

static void free_key(struct keyring_key *key)
{
    free(key->provider);
    free(key->id);
    free(key->origin);
    secret_free(key->key);
}

bool keyring_add_key(struct keyring *ring, const char *provider, const char *id, const char *origin,
                     struct secret *key, struct error *error)
{
    bool ok = true;
    struct keyring_key entry = {copy_or_null(provider, &ok), copy_or_null(id, &ok),
                                copy_or_null(origin, &ok), key};
    struct keyring_key *grown =
        ok ? realloc(ring->keys, (ring->key_count + 1) * sizeof *grown) : NULL;
    if (grown == NULL) {
        free_key(&entry);
        return error_memory(error);
    }
    ring->keys = grown;
    ring->keys[ring->key_count++] = entry;
    return true;
}

bool keyring_add_phrase(struct keyring *ring, const char *origin, struct secret *passphrase,
                        struct error *error)
{
    bool ok = true;
    struct keyring_phrase entry = {copy_or_null(origin, &ok), passphrase};
    struct keyring_phrase *grown =
        ok ? realloc(ring->phrases, (ring->phrase_count + 1) * sizeof *grown) : NULL;
    if (grown == NULL) {
        free(entry.origin);
        secret_free(passphrase);
        return error_memory(error);
    }
    ring->phrases = grown;
    ring->phrases[ring->phrase_count++] = entry;
    return true;
}

static bool same_id(const char *a, const char *b)
{
    /* 36 characters with four dashes are a UUID, whose hex digits may be in either case. */
    bool uuid = strlen(a) == 36 && a[8] == '-' && a[13] == '-' && a[18] == '-' && a[23] == '-';
    return uuid ? strcasecmp(a, b) == 0 : strcmp(a, b) == 0;
}

/* How well a key fits, 0 best; 4 not at all. */
static unsigned misfit(const struct keyring_key *key, const char *provider, const char *id)
{
    bool same_provider = key->provider != NULL && strcmp(key->provider, provider) == 0;
    if (key->id == NULL)
        return key->provider == NULL || same_provider ? 3 : 4;
    if (!same_id(key->id, id))
        return 4;
    if (same_provider)
        return 0;
    return key->provider == NULL ? 1 : 2;
}

const struct keyring_key *keyring_find(const struct keyring *ring, const char *provider,
                                       const char *id, size_t i)
{
    for (unsigned level = 0; level < 4; level++)
        for (size_t k = 0; k < ring->key_count; k++)
            if (misfit(&ring->keys[k], provider, id) == level && i-- == 0)
                return &ring->keys[k];
    return NULL;
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
    *ring = KEYRING_INIT;
}
