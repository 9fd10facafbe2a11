/*
 * phrase_cache - keys derived from passphrases, each derived once.
 *
 * PBKDF2 is slow on purpose; a VM's settings and its disks often share one salt, and several
 * threads may come to it at the same time: then one derives and the others wait for it. Bounded:
 * what was used longest ago goes first.
 */
#ifndef VMCRYPT_KEYWRAP_PHRASE_CACHE_H
#define VMCRYPT_KEYWRAP_PHRASE_CACHE_H

#include <stddef.h>

#include "base/error.h"
#include "base/secret.h"
#include "keywrap/phrase.h"

struct phrase_cache;

/* For at most CAPACITY keys; NULL with *error when memory is short. */
struct phrase_cache *phrase_cache_new(size_t capacity, struct error *error);
/* No thread may be using it. Wipes all keys. */
void phrase_cache_free(struct phrase_cache *cache);

/* As phrase_derive; the caller frees the key, which is a copy of its own. */
struct secret *phrase_cache_derive(struct phrase_cache *cache, const struct phrase_params *params,
                                   const struct secret *passphrase, struct error *error);

/* How many derivations were done, for tests and reports. */
size_t phrase_cache_derived(struct phrase_cache *cache);

#endif
