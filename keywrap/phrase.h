/*
 * phrase - keys from passphrases, as the keygen data of a phrase locator says:
 * "pass2key=PBKDF2-HMAC-SHA-1:cipher=AES-256:rounds=10000:salt=<base64>".
 *
 * The key is as long as the cipher label wants (XTS-AES-256: 64 bytes). [real sample; source]
 */
#ifndef VMCRYPT_KEYWRAP_PHRASE_H
#define VMCRYPT_KEYWRAP_PHRASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/secret.h"

/* More rounds than this are a way to stall us, not a passphrase: refused. */
enum { PHRASE_MAX_ROUNDS = 10000000, PHRASE_MAX_SALT = 1024 };

struct phrase_params {
    char pass2key[32]; /* "PBKDF2-HMAC-SHA-1" or "PBKDF2-HMAC-SHA-256" */
    char cipher[32];
    uint32_t rounds;
    size_t salt_length;
    uint8_t salt[PHRASE_MAX_SALT];
};

bool phrase_params_parse(const char *text, size_t length, struct phrase_params *params,
                         struct error *error);
bool phrase_params_write(const struct phrase_params *params, struct buffer *out);

/* Derive the key. The passphrase is taken as bytes. */
struct secret *phrase_derive(const struct phrase_params *params, const struct secret *passphrase,
                             struct error *error);

#endif
