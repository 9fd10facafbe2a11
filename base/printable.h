/*
 * printable - text of untrusted origin made safe for a terminal.
 */
#ifndef VMCRYPT_BASE_PRINTABLE_H
#define VMCRYPT_BASE_PRINTABLE_H

#include <stddef.h>

/* Copy TEXT into the SIZE bytes at OUT, always ended by a NUL, cut off when it does not fit.
 * Control characters, those that reorder or break a line, and bytes that are no UTF-8 become
 * \xNN. */
void printable_copy(const char *text, char *out, size_t size);

#endif
