/*
 * xts - AES-XTS over runs of whole data units (IEEE 1619).
 *
 * The tweak of a unit is its number, 128-bit little endian. This first form calls OpenSSL once
 * per unit.
 */
#ifndef VMCRYPT_VMDK_XTS_H
#define VMCRYPT_VMDK_XTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/secret.h"

struct xts;

/* KEY is 32 (AES-128) or 64 (AES-256) bytes: data key, then tweak key. UNIT_BYTES is the size of
 * a data unit, a power of two from 512 to 65536. Encrypting with equal halves is refused later
 * (FIPS 140 IG); decrypting with them works. */
struct xts *xts_new(const struct secret *key, size_t unit_bytes, struct error *error);
void xts_free(struct xts *x);
size_t xts_unit_bytes(const struct xts *x);

/* Transform BYTES (a multiple of the unit size) whose first unit has number FIRST_UNIT, from SRC
 * to DST (may be the same; not otherwise overlapping). Thread-safe: X is not changed. */
bool xts_decrypt(const struct xts *x, uint64_t first_unit, uint8_t *dst, const uint8_t *src,
                 size_t bytes, struct error *error);
bool xts_encrypt(const struct xts *x, uint64_t first_unit, uint8_t *dst, const uint8_t *src,
                 size_t bytes, struct error *error);

#endif
