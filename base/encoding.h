/*
 * encoding - code pages, as `.encoding` of a .vmx and `encoding` of a disk descriptor name them.
 *
 * Known are UTF-8 and the code pages of Windows and Unix hosts that hold ASCII as it is; iconv
 * converts them. The name comes from the file, so it is looked up in a table here and never given
 * to iconv as it stands: some of glibc's other converters (stateful ones above all) had memory
 * errors and endless loops. A text in an unknown code page is read as bytes: ASCII and UTF-8 in
 * it are taken, the rest is shown as hex.
 */
#ifndef VMCRYPT_BASE_ENCODING_H
#define VMCRYPT_BASE_ENCODING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"

struct encoding;

/* NULL when memory is short; a name that is not known is no error. */
struct encoding *encoding_open(const char *name, struct error *error);
void encoding_close(struct encoding *encoding);

/* False for a code page that is read as bytes. */
bool encoding_is_known(const struct encoding *encoding);
/* As it was named. */
const char *encoding_name(const struct encoding *encoding);
/* Both mean the same bytes. */
bool encoding_same(const struct encoding *a, const struct encoding *b);

/* Append LENGTH bytes as UTF-8. A byte that the code page does not know becomes BAR and two hex
 * digits; with BAR NULL it makes the whole fail. */
bool encoding_decode(const struct encoding *encoding, const char *bytes, size_t length,
                     const char *bar, struct buffer *out);

/* Append LENGTH bytes of UTF-8 in the code page. False with ERROR_FAILED when it lacks one of the
 * characters or would not give the same text back. */
bool encoding_encode(const struct encoding *encoding, const char *text, size_t length,
                     struct buffer *out, struct error *error);

/* Overwrite what the converters may have kept of a secret text of up to LENGTH bytes. */
void encoding_forget(const struct encoding *encoding, size_t length);

#endif
