/*
 * keyring_crypt - a keyring under a passphrase: scrypt and AES-256-GCM in text armour.
 *
 *   -----BEGIN VMCRYPT KEYRING-----
 *   base64, of
 *      0   8  "VMCKRING"
 *      8   4  version, 1                      (integers are little endian)
 *     12   4  log2 of scrypt's N
 *     16   4  scrypt's r
 *     20   4  scrypt's p
 *     24  32  salt
 *     56  12  nonce
 *     68   …  the YAML, encrypted; then the 16-byte tag
 *   -----END VMCRYPT KEYRING-----
 *
 * Key = scrypt(passphrase, salt, N, r, p), 32 bytes; the first 68 bytes are authenticated too.
 * scrypt, because the OpenSSL of Debian 12 has no Argon2. docs/formats.md has a reader in Python.
 */
#ifndef VMCRYPT_KEYWRAP_KEYRING_CRYPT_H
#define VMCRYPT_KEYWRAP_KEYRING_CRYPT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/secret.h"

/* The file begins with the armour of an encrypted keyring. */
bool keyring_is_encrypted(const struct buffer *file);

/* Append the encrypted keyring (text) to OUT. PASSPHRASE may be any bytes, also a random key. */
bool keyring_encrypt(const struct buffer *yaml, const struct secret *passphrase, struct buffer *out,
                     struct error *error);

/* Append the YAML to OUT. ERROR_NO_KEY when the passphrase does not fit or the file was changed,
 * which cannot be told apart; ERROR_DAMAGED for one that is cut off or asks for more work or
 * memory than makes sense. */
bool keyring_decrypt(const struct buffer *file, const struct secret *passphrase, struct buffer *out,
                     struct error *error);

/* What its key derivation costs, in bytes mixed (128 N r p), without doing it. */
bool keyring_crypt_cost(const struct buffer *file, uint64_t *cost, struct error *error);

#endif
