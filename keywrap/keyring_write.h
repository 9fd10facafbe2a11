/*
 * keyring_write - keyrings written: keys added to one, which otherwise stays as it is.
 */
#ifndef VMCRYPT_KEYWRAP_KEYRING_WRITE_H
#define VMCRYPT_KEYWRAP_KEYRING_WRITE_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"
#include "keywrap/keyring.h"

/* Add the keys and passphrases of RING, secrets included, to the keyring's YAML; an empty one
 * becomes a keyring. What is there stays, byte by byte, comments and all: the new keys continue
 * the list at its end, or make a YAML document of their own. ERROR_FAILED for names that YAML
 * cannot hold. */
bool keyring_write_add(struct buffer *yaml, const struct keyring *ring, struct error *error);

/* Put the key VALUE in the place of the one secret in the text that is OLD's value. ERROR_FAILED
 * when that does not stand there, or more than once; PATH is for messages. */
bool keyring_write_replace(struct buffer *yaml, const struct keyring_key *old,
                           const struct secret *value, const char *path, struct error *error);

/* Write a keyring's YAML or the same encrypted: whole or not at all, and for its owner only. A
 * link stays one. */
bool keyring_write_file(const char *path, const struct buffer *text, struct error *error);

#endif
