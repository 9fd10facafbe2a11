/* source_keyring - a keyring file among the sources; see source.h and keyring.h. */
#include "keywrap/source.h"

/* Move all that RING holds; what is given away is NULL in it. */
static bool move_all(struct source *source, struct keyring *ring, struct error *error)
{
    bool ok = true;
    for (size_t i = 0; ok && i < ring->key_count; i++) {
        struct keyring_key key = ring->keys[i];
        ring->keys[i].key = NULL;
        ok = source_add(source, &key, error);
    }
    for (size_t i = 0; ok && i < ring->phrase_count; i++) {
        struct secret *passphrase = ring->phrases[i].passphrase;
        ring->phrases[i].passphrase = NULL;
        ok = keyring_add_phrase(source->ring, ring->phrases[i].origin, passphrase, error);
    }
    return ok;
}

enum source_verdict source_keyring(struct source *source, struct error *error)
{
    if (!keyring_is_keyring(source->file))
        return SOURCE_NOT_THIS;
    if (source->options->unwrap != NULL) {
        error_set(error, ERROR_USAGE, "is a keyring, whose keys are not wrapped");
        return SOURCE_REFUSED;
    }
    struct keyring_load load = {.log = source->log};
    struct keyring found = KEYRING_INIT;
    if (source->options->ask != NULL)
        load = *source->options->ask;
    if (load.unlock == NULL)
        load.unlock = source->options->passphrases;
    bool ok = keyring_load_bytes(&found, source->file, source->path, &load, error) &&
              move_all(source, &found, error);
    source->checked = true;
    keyring_free(&found);
    return ok ? SOURCE_READ : SOURCE_REFUSED;
}
