/*
 * seal - authenticated wrapping as in pairs and encrypted dictionaries.
 *
 *   IV (16) | AES-CBC, PKCS#7 padded | HMAC
 *
 * The cipher takes the first 32 bytes of the key (all of a 16- or 24-byte one), whatever its
 * label says; the HMAC is keyed with the whole key and covers the plaintext without padding.
 * [real sample; source: dissect.hypervisor vmx.py, RF3/VMwareVMX]
 */
#ifndef VMCRYPT_KEYWRAP_SEAL_H
#define VMCRYPT_KEYWRAP_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/secret.h"

enum seal_mac {
    SEAL_HMAC_SHA1,     /* "HMAC-SHA-1", 20 bytes */
    SEAL_HMAC_SHA1_128, /* "HMAC-SHA-1-128", 16 bytes: the first of the 20 */
    SEAL_HMAC_SHA256,   /* "HMAC-SHA-256", 32 bytes */
};

/* By name; false with *error set for an unknown one. */
bool seal_mac_parse(const char *name, enum seal_mac *mac, struct error *error);
const char *seal_mac_name(enum seal_mac mac);
size_t seal_mac_bytes(enum seal_mac mac);

/*
 * Open LENGTH sealed bytes. The plaintext is appended to OUT only when the HMAC held. A wrong
 * key, bad padding and a bad HMAC all give the same ERROR_NO_KEY and take the same path, so that
 * nothing can be learned by varying the input; a length that no seal can have is ERROR_DAMAGED.
 */
bool seal_open(const struct secret *key, enum seal_mac mac, const uint8_t *sealed, size_t length,
               struct buffer *out, struct error *error);

/* Seal LENGTH bytes under a fresh random IV and append the result to OUT. */
bool seal_make(const struct secret *key, enum seal_mac mac, const void *plain, size_t length,
               struct buffer *out, struct error *error);

/* The parts, for formats that lay them out otherwise. */

/* AES-CBC over whole blocks, without padding, under the first 32 (or all 16, 24) bytes of KEY. */
bool seal_cbc(bool encrypt, const struct secret *key, const uint8_t iv[16], const uint8_t *in,
              size_t length, uint8_t *out, struct error *error);

/* HMAC of LENGTH bytes under all of KEY; OUT takes seal_mac_bytes(mac), at most 32. */
bool seal_hmac(const struct secret *key, enum seal_mac mac, const void *data, size_t length,
               uint8_t out[32], struct error *error);

#endif
