/*
 * utf8 - what is well-formed UTF-8 and what is not.
 */
#ifndef VMCRYPT_BASE_UTF8_H
#define VMCRYPT_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the character that starts at TEXT, of which LENGTH bytes are there; 0 when they are no
 * character (overlong, surrogate, past U+10FFFF, cut off). */
size_t utf8_character(const char *text, size_t length);
bool utf8_valid(const char *text, size_t length);

#endif
