/*
 * secret - memory for keys, passphrases and decrypted settings, and a process that keeps them.
 *
 * Every secret lies on pages of its own process-wide arena (OpenSSL's secure heap for small
 * ones, a private mapping for large ones): locked, not dumped, wiped when freed. Keys exist in
 * nothing else.
 */
#ifndef VMCRYPT_BASE_SECRET_H
#define VMCRYPT_BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct secret {
    size_t length; /* bytes in data */
    uint8_t *data;
    size_t mapped; /* bytes of the private mapping; 0 when from the secure heap */
};

/*
 * Prepare the process, first thing in main: no core files, not dumpable, not traceable by
 * others, anonymous memory left out of any dump (coredump_filter), and the secure heap set up.
 * *locked tells whether the heap could be locked; when not, the caller warns and goes on.
 */
void secret_process_init(bool *locked);

/* A zeroed secret of LENGTH bytes, with a NUL behind them so that text can be read in place;
 * NULL with *error set when memory is short. */
struct secret *secret_new(size_t length, struct error *error);

/* A secret holding a copy of LENGTH bytes at DATA. */
struct secret *secret_copy(const void *data, size_t length, struct error *error);

/* Wipe and free; NULL is fine. */
void secret_free(struct secret *secret);

/* Equal in length and content, compared in constant time for equal lengths. */
bool secret_equal(const struct secret *a, const struct secret *b);

/* Wipe bytes in a way that the compiler keeps. */
void secret_wipe(void *data, size_t length);

/* Raw pages with the same care, for buffers that grow; the size is rounded up to pages. */
void *secret_pages_alloc(size_t bytes);
void secret_pages_free(void *pages, size_t bytes);

#endif
