/*
 * keyring - the keys in hand: ask it for (provider, key id) or for all passphrases.
 *
 * It does not know where they came from beyond a label for messages; sources fill it.
 */
#ifndef VMCRYPT_KEYWRAP_KEYRING_H
#define VMCRYPT_KEYWRAP_KEYRING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/log.h"
#include "base/secret.h"

struct keyring_key {
    char *provider; /* NULL: any provider (the key came without one) */
    char *id;       /* key id as in the fqid; NULL: to be tried for any id */
    char *origin;   /* file or description, for messages */
    struct secret *key;
};

struct keyring_phrase {
    char *origin;
    struct secret *passphrase;
};

struct keyring {
    size_t key_count;
    struct keyring_key *keys;
    size_t phrase_count;
    struct keyring_phrase *phrases;
};

#define KEYRING_INIT ((struct keyring){0})

/* Both take over KEY / PASSPHRASE, also on failure. Strings are copied. */
bool keyring_add_key(struct keyring *ring, const char *provider, const char *id, const char *origin,
                     struct secret *key, struct error *error);
bool keyring_add_phrase(struct keyring *ring, const char *origin, struct secret *passphrase,
                        struct error *error);

/* The I-th key that may fit (provider, id), NULL when there are no more: first that provider's
 * key, then keys of that id without or with another provider (one vCenter's provider may be
 * renamed in another), then keys without an id. UUIDs compare in any case. */
const struct keyring_key *keyring_find(const struct keyring *ring, const char *provider,
                                       const char *id, size_t i);

void keyring_free(struct keyring *ring);

/*
 * Sources.
 *
 * A key file holds one key of 16, 24, 32 or 64 bytes: raw, or as hex or base64 text (white space
 * around it is ignored). ENCODING is "auto", "raw", "hex" or "base64"; "auto" takes a file that
 * reads as hex for hex, else one that reads as base64 for base64, else its bytes: a random key
 * looks like text of the right length with a chance of less than 2^-49. A file that others may
 * read is warned of.
 */
struct secret *key_file_read(const char *path, const char *encoding, struct log *log,
                             struct error *error);

/* A passphrase file ("-": standard input): all its bytes, less one final line end. */
struct secret *passphrase_file_read(const char *path, struct log *log, struct error *error);

/* Read a keyring in YAML (see docs/formats.md); paths in it are relative to it. */
bool keyring_load(struct keyring *ring, const char *path, struct log *log, struct error *error);

#endif
