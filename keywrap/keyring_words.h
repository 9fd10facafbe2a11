/*
 * keyring_words - the keys that a user names: keyring, key, passphrase-file and what goes with
 * them. The same for every program; never a secret in the words themselves.
 */
#ifndef VMCRYPT_KEYWRAP_KEYRING_WORDS_H
#define VMCRYPT_KEYWRAP_KEYRING_WORDS_H

#include <stdbool.h>

#include "base/error.h"
#include "base/words.h"
#include "keywrap/keyring.h"
#include "keywrap/passphrase.h"

/*
 * Add to RING what these words name, each of them any number of times and in this order, so that
 * passphrases are at hand for what they open:
 *
 *   keyring-passphrase-file   FILE: opens encrypted keyrings only
 *   passphrase-file           FILE: opens VMs, and all that passphrases lock
 *   keyring                   FILE
 *   key                       [[PROVIDER/]ID=]FILE: any form that source.h knows
 *
 * A FILE "-" is standard input. UNLOCK gets the passphrases as they are given; those in RING have
 * the form that the words passphrase-encoding and passphrase-normalize say. LOAD->log and
 * LOAD->ask are used.
 */
bool keyring_add_words(struct keyring *ring, struct keyring *unlock, const struct words *words,
                       const struct keyring_load *load, struct error *error);

/* One passphrase, for both rings, as if it stood in a passphrase-file. PASSPHRASE is taken over,
 * also on failure. */
bool keyring_add_given_phrase(struct keyring *ring, struct keyring *unlock,
                              const struct words *words, const char *origin,
                              struct secret *passphrase, struct error *error);

/* What passphrase-encoding and passphrase-normalize say. */
struct passphrase_form passphrase_form_words(const struct words *words);

#endif
