/*
 * dict_escape - `|XX` in values: a byte that cannot stand between quotes, as two hex digits.
 *
 * Products escape '"', '|', 0x7f and every control character but tab, in upper-case hex
 * [source: open-vm-tools lib/dict/dictll.c]. Both functions work on UTF-8, that is after a value
 * left its code page and before it goes back: in Shift_JIS and GBK the second byte of a character
 * may be 0x7c, which is no bar.
 */
#ifndef VMCRYPT_VMX_DICT_ESCAPE_H
#define VMCRYPT_VMX_DICT_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

/*
 * Undo the escapes in LENGTH bytes of UTF-8, in place; returns the length then. What is no escape
 * stays as it is: a bar without two hex digits behind it, |00, and bytes from |80 up that do not
 * form a character together, so that the result is always UTF-8 without NULs.
 */
size_t dict_escape_undo(char *text, size_t length);

bool dict_escape_do(const char *text, size_t length, struct buffer *out);

#endif
