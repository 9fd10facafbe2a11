/*
 * cryptodict - crypto dictionaries, "type=key:cipher=AES-256:key=…": parameters of a key.
 *
 * name=value parts joined by ':'; in values '=' (and what else would be ambiguous) is %-escaped
 * [source: dissect.hypervisor vmx.py, RF3/VMwareVMX; real sample]. Order is kept.
 */
#ifndef VMCRYPT_KEYWRAP_CRYPTODICT_H
#define VMCRYPT_KEYWRAP_CRYPTODICT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/secret.h"

/* A key with the name of the cipher it is for: "AES-128", "AES-192", "AES-256" (16, 24, 32
 * bytes) or "XTS-AES-256" (64 bytes; see cipher_cbc_bytes). */
struct crypto_key {
    char cipher[32];
    struct secret *key;
};

/* Bytes of key that the cipher NAME wants; 0 when the name is not known. */
size_t cipher_key_bytes(const char *name);

/* Find NAME in the dictionary text and unescape its value into a new secret (NUL behind it).
 * NULL: not there, malformed or short memory, *error says which (ERROR_DAMAGED). */
struct secret *cryptodict_get(const char *text, size_t length, const char *name,
                              struct error *error);

/* Parse "type=key:cipher=…:key=…". The key's length must be what the cipher wants. */
bool crypto_key_parse(const char *text, size_t length, struct crypto_key *key, struct error *error);

/* Append the same form, '=' of the base64 escaped as products write it. */
bool crypto_key_write(const struct crypto_key *key, struct buffer *out);

/* New random key for CIPHER. */
bool crypto_key_generate(const char *cipher, struct crypto_key *key, struct error *error);

void crypto_key_free(struct crypto_key *key);

#endif
