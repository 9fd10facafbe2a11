/*
 * keyring - the keys in hand: ask it for (provider, key id) or for all passphrases.
 *
 * It does not know where they came from beyond a label for messages; sources fill it.
 */
#ifndef VMCRYPT_KEYWRAP_KEYRING_H
#define VMCRYPT_KEYWRAP_KEYRING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/log.h"
#include "base/secret.h"
#include "keywrap/phrase.h"

/* What a key is for. */
enum keyring_kind {
    KEYRING_KEK, /* opens pairs and disk keys */
    KEYRING_KDK, /* key derivation key of a Native Key Provider; its id is a UUID */
};

struct keyring_key {
    enum keyring_kind kind;
    const char *provider; /* NULL: any provider (the key came without one) */
    const char *id;       /* key id as in the fqid; NULL: to be tried for any id */
    const char *origin;   /* file or description, for messages */
    /* What a key server notes about whose key it is; NULL when not told. [real sample: KMIP
     * x-Name, x-Identifier (BIOS UUID of the VM) and x-Component] */
    const char *name, *identifier, *component;
    struct secret *key;
};

struct keyring_phrase {
    char *origin;
    struct secret *passphrase;
};

struct phrase_cache;
struct nkp_memory;

struct keyring {
    size_t key_count;
    struct keyring_key *keys;
    size_t phrase_count;
    struct keyring_phrase *phrases;
    struct phrase_cache *cache;  /* see keyring_cache_phrases */
    struct nkp_memory *nkp;      /* what was learned of native providers' keys; made with it */
    struct keyring_index *index; /* keys by id */
};

#define KEYRING_INIT ((struct keyring){0})

/* Add a copy of *KEY: strings are copied, KEY->key is taken over, also on failure. The same key
 * under the same kind, provider and id is kept once. */
bool keyring_add(struct keyring *ring, const struct keyring_key *key, struct error *error);
/* The key of that kind, provider and id (each may be NULL and then means none), and of that value
 * unless VALUE is NULL. NULL when there is none. */
const struct keyring_key *keyring_find(const struct keyring *ring, const struct keyring_key *like,
                                       const struct secret *value);
/* Takes over PASSPHRASE, also on failure. */
bool keyring_add_phrase(struct keyring *ring, const char *origin, struct secret *passphrase,
                        struct error *error);

/* Remember keys derived from the ring's passphrases, so that each is derived once. */
bool keyring_cache_phrases(struct keyring *ring, struct error *error);
/* The key that passphrase I gives under PARAMS; the caller frees it. Like all that takes a const
 * ring, it may be called by several threads at once. */
struct secret *keyring_phrase_key(const struct keyring *ring, size_t i,
                                  const struct phrase_params *params, struct error *error);

/* A search for the keys that may open what (provider, id) locked. */
struct keyring_search {
    enum keyring_kind kind;
    const char *provider, *id; /* NULL: not known */
    unsigned level;            /* where it stands; both 0 to begin */
    size_t at;
};

/* The next key that may fit, NULL when there are no more: first that provider's key, then keys of
 * that id without or with another provider (one vCenter's provider may be renamed in another),
 * then keys without an id. UUIDs compare in any case. */
const struct keyring_key *keyring_next(const struct keyring *ring, struct keyring_search *search);

void keyring_free(struct keyring *ring);

/*
 * Keyring files (docs/formats.md): YAML, or the same encrypted with a passphrase. Paths in it are
 * relative to it.
 */
struct keyring_load {
    struct log *log;
    /* Ask the user for a secret, WHAT being "passphrase of ring.yaml"; NULL when there is nobody
     * to be asked, or it may return NULL with *error set. */
    struct secret *(*ask)(void *context, const char *what, struct error *error);
    void *context;
    const struct keyring *unlock; /* its passphrases open encrypted keyrings; NULL: none */
    /* Take only what files give: ask for nothing, use no TPM, read no open descriptor. Entries that
     * give nothing then are left out without a word. */
    bool passive;
    const struct keyring_file *within; /* keyring that includes this one; for keyring_yaml only */
};

bool keyring_load(struct keyring *ring, const char *path, const struct keyring_load *load,
                  struct error *error);
/* The same for a file's bytes that are at hand; PATH is what its paths are relative to. */
bool keyring_load_bytes(struct keyring *ring, const struct buffer *file, const char *path,
                        const struct keyring_load *load, struct error *error);

/* FILE as YAML: as it is, or decrypted with the first passphrase of load->unlock that fits, else
 * with one that the user is asked for. *PASSPHRASE, unless NULL, becomes a copy of that one, NULL
 * when none was needed. */
bool keyring_open_text(const struct buffer *file, const char *path, const struct keyring_load *load,
                       struct buffer *yaml, struct secret **passphrase, struct error *error);

/* FILE looks like a keyring, YAML or encrypted. */
bool keyring_is_keyring(const struct buffer *file);

#endif
