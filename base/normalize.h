/*
 * normalize - Unicode normalization forms (UAX #15), which make texts that look the same the same
 * bytes.
 */
#ifndef VMCRYPT_BASE_NORMALIZE_H
#define VMCRYPT_BASE_NORMALIZE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"

enum normalize_form {
    NORMALIZE_NONE,
    NORMALIZE_NFC,
    NORMALIZE_NFD,
    NORMALIZE_NFKC,
    NORMALIZE_NFKD
};

/* "none", "nfc" …, in any case; false with ERROR_USAGE, naming all, for another. */
bool normalize_form_parse(const char *name, enum normalize_form *form, struct error *error);

/* Append LENGTH bytes of UTF-8, at most 1 MiB, in that form. ERROR_FAILED when they are no
 * UTF-8. */
bool normalize_text(enum normalize_form form, const char *text, size_t length, struct buffer *out,
                    struct error *error);

#endif
