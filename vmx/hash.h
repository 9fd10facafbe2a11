/*
 * hash - the passphrase pairs of a key safe as lines for password crackers.
 *
 *   hashcat 27400   $vmx$0$ROUNDS$SALT$FIRST     FIRST: IV and first cipher block
 *   John            $vmx$1$0$0$ROUNDS$SALT$ALL   ALL: IV, cipher text and HMAC
 *
 * [source: hashcat src/modules/module_27400.c, John src/vmx_fmt_plug.c; their own test vectors].
 * hashcat looks for "type=key:cipher=" in the first block under the first 32 bytes of
 * PBKDF2-HMAC-SHA-1, which every 256-bit label gives; John checks the HMAC and knows one size.
 */
#ifndef VMCRYPT_VMX_HASH_H
#define VMCRYPT_VMX_HASH_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"
#include "keywrap/locator.h"

enum vmx_hash_format { VMX_HASH_HASHCAT, VMX_HASH_JOHN };

/* Append the line (with its end) for PAIR, which PHRASE locks. False with ERROR_FAILED and the
 * reason when the format has no form for it. */
bool vmx_hash_pair(const struct locator *pair, const struct locator *phrase,
                   enum vmx_hash_format format, struct buffer *out, struct error *error);

/* The lines of all pairs of SAFE, and one line for each pair that has none in REFUSED ("pair 2:
 * reason", counted from 1). False only when memory is short. */
bool vmx_hash_lines(const struct locator *safe, enum vmx_hash_format format, struct buffer *out,
                    struct buffer *refused, struct error *error);

#endif
