/*
 * encode - base64 (RFC 4648), hex and percent escapes, strict and bounded.
 *
 * Decoders write at most *out_length bytes and set it to what they wrote; they return false for
 * anything malformed and never read past LENGTH. White space is malformed.
 */
#ifndef VMCRYPT_BASE_ENCODE_H
#define VMCRYPT_BASE_ENCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

/* Bytes that LENGTH characters of base64 can decode to, at most. */
size_t base64_decoded_bound(size_t length);

/* Standard alphabet. Padding must be right when present; a missing one is accepted, since the
 * key strings of some products drop it. Non-zero bits behind the last byte are refused. */
bool base64_decode(const char *text, size_t length, uint8_t *out, size_t *out_length);
bool base64_encode(const void *data, size_t length, struct buffer *out);

bool hex_decode(const char *text, size_t length, uint8_t *out, size_t *out_length);
bool hex_encode(const void *data, size_t length, struct buffer *out);
/* The same into TEXT, which has 2 * LENGTH + 1 bytes; returns TEXT. */
const char *hex_text(const void *data, size_t length, char *text);

/* "%2f" escapes as in key locators: every byte that is no ASCII letter or digit, in lower-case
 * hex [source: govmomi crypto/url_helpers.go]. Decoding takes either case of hex. */
bool percent_decode(const char *text, size_t length, uint8_t *out, size_t *out_length);
bool percent_encode(const void *data, size_t length, struct buffer *out);

#endif
