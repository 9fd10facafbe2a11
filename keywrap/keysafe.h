/*
 * keysafe - find the one pair of a key safe (or of a disk's encryptionKeys) that a key in hand
 * opens, and say for each of the others why it did not.
 */
#ifndef VMCRYPT_KEYWRAP_KEYSAFE_H
#define VMCRYPT_KEYWRAP_KEYSAFE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "keywrap/keyring.h"
#include "keywrap/locator.h"
#include "keywrap/seal.h"

/* What happened to one pair. */
struct keysafe_attempt {
    const struct locator *locker; /* lives as long as the safe */
    bool opened;
    bool missing;     /* its key is not in hand, as opposed to one that does not fit */
    char reason[512]; /* why not, or which key did it; never a secret */
    /* What opened it, of the ring: one of the two, or neither for a key in the locator itself. */
    const struct keyring_key *key;
    const struct keyring_phrase *phrase;
};

struct keysafe_result {
    struct buffer plain; /* what was locked: a crypto dictionary or settings text */
    enum seal_mac mac;   /* MAC of the pair that opened; sealed data beside it uses the same */
    size_t opened;       /* index of that attempt */
    size_t attempt_count;
    struct keysafe_attempt *attempts;
};

/*
 * Try every pair of SAFE (a list of pairs, a pair, nested lists) with every key of RING that may
 * fit. On success the plaintext was proved by its HMAC. With no fitting key: ERROR_NO_KEY, the
 * message naming the key that is missing, and *result still holds the attempts. Free it either
 * way with keysafe_result_free.
 */
bool keysafe_open(const struct locator *safe, const struct keyring *ring,
                  struct keysafe_result *result, struct error *error);

void keysafe_result_free(struct keysafe_result *result);

/* Who is to lock a new pair: a passphrase with KDF parameters (id and salt are made fresh), or a
 * key by provider and id. */
struct keysafe_locker {
    const struct secret *passphrase; /* or NULL */
    const char *pass2key;            /* "PBKDF2-HMAC-SHA-1" … */
    const char *cipher;              /* label of the derived key */
    unsigned rounds;
    const struct keyring_key *kek; /* or NULL; provider and id must be set */
};

/* Seal LENGTH bytes for LOCKER and return "list/(pair/(…))". */
struct locator *keysafe_make(const struct keysafe_locker *locker, enum seal_mac mac,
                             const void *plain, size_t length, struct error *error);

#endif
