/*
 * xts - AES-XTS over runs of whole data units (IEEE 1619).
 *
 * The tweak of a unit is its number, 128-bit little endian. The work is done by the kernel that
 * fits the CPU best: AVX-512, AVX2 or AES-NI on x86-64, NEON on arm64, else OpenSSL. The
 * environment variable VMCRYPT_CPU=vaes512|vaes256|aesni|neon|portable picks another one.
 */
#ifndef VMCRYPT_VMDK_XTS_H
#define VMCRYPT_VMDK_XTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/secret.h"

struct xts;

/* KEY is 32 (AES-128) or 64 (AES-256) bytes: data key, then tweak key; it is copied. UNIT_BYTES is
 * the size of a data unit, a power of two from 512 to 65536. NULL with *error set for any other
 * size, and when VMCRYPT_CPU names no kernel of this CPU. */
struct xts *xts_new(const struct secret *key, size_t unit_bytes, struct error *error);
void xts_free(struct xts *x);

size_t xts_unit_bytes(const struct xts *x);
/* "vaes512", "vaes256", "aesni", "neon" or "portable". */
const char *xts_kernel_name(const struct xts *x);
/* The two halves of the key are equal. Encrypting is refused then, as FIPS 140 wants (IG A.9, now
 * C.I); decrypting works, and deserves a note to the user. */
bool xts_weak_key(const struct xts *x);

/* Transform BYTES (a multiple of the unit size) whose first unit has number FIRST_UNIT, from SRC
 * to DST (may be the same; not otherwise overlapping). Numbers that pass 2^64 go on into the
 * upper half of the tweak. Thread-safe: X is not changed. */
bool xts_decrypt(const struct xts *x, uint64_t first_unit, uint8_t *dst, const uint8_t *src,
                 size_t bytes, struct error *error);
bool xts_encrypt(const struct xts *x, uint64_t first_unit, uint8_t *dst, const uint8_t *src,
                 size_t bytes, struct error *error);

/* Decrypt one unit whose tweak is not its number: TWEAK are the 16 bytes that are encrypted with
 * the tweak key. Slower. */
bool xts_decrypt_tweak(const struct xts *x, const uint8_t tweak[16], uint8_t *dst,
                       const uint8_t *src, struct error *error);

/* Transform a single unit of BYTES, any number from 16 to 65536, whatever the unit size of X is;
 * a last part of less than 16 bytes is dealt with by ciphertext stealing. Slow. */
bool xts_decrypt_odd(const struct xts *x, uint64_t unit, uint8_t *dst, const uint8_t *src,
                     size_t bytes, struct error *error);
bool xts_encrypt_odd(const struct xts *x, uint64_t unit, uint8_t *dst, const uint8_t *src,
                     size_t bytes, struct error *error);

#endif
