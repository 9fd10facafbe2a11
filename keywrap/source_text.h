/*
 * source_text - what the readers of text forms share.
 */
#ifndef VMCRYPT_KEYWRAP_SOURCE_TEXT_H
#define VMCRYPT_KEYWRAP_SOURCE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/secret.h"
#include "keywrap/source.h"

/* A file as text: without white space around it, without a byte order mark, and in UTF-8 when it
 * was UTF-16 with such a mark (what ">" of Windows PowerShell writes). */
struct source_text {
    const char *text; /* a NUL somewhere behind the end */
    size_t length;
    struct buffer converted;
};

/* False only when memory is short. */
bool source_text_open(struct source_text *text, const struct source *source, struct error *error);
void source_text_close(struct source_text *text);

/* The bytes of hex: with or without 0x, colons, commas, blanks and line breaks between bytes,
 * dashes between single bytes; or the dump of xxd, hexdump -C, od -Ax -tx1. NULL: it is none
 * (*error untouched), or memory is short. */
struct secret *source_hex_bytes(const char *text, size_t length, struct error *error);

/* The bytes of base64 or base64url, padded or not, with any white space in it. NULL as above. */
struct secret *source_base64_bytes(const char *text, size_t length, struct error *error);

/* Unwrap BYTES as the options say, check that they are a key, and add it with what *ABOUT says of
 * it. Takes BYTES over. */
bool source_add_bytes(struct source *source, const struct keyring_key *about, struct secret *bytes,
                      struct error *error);

#endif
