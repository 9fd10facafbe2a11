/*
 * buffer - a growable run of bytes with an upper bound.
 *
 * Its memory is secret memory (locked where possible, not dumped, wiped on growth and free), so
 * that decrypted text needs no second kind of buffer. Always NUL-terminated behind `length`, so
 * text can be read in place. A failed append is sticky: check `failed` once at the end.
 */
#ifndef VMCRYPT_BASE_BUFFER_H
#define VMCRYPT_BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer {
    char *data;      /* NULL while empty */
    size_t length;   /* bytes in use */
    size_t capacity; /* bytes allocated */
    bool failed;     /* memory ran out; contents are not to be used */
};

#define BUFFER_INIT ((struct buffer){0})

/* Append; false (and b->failed) when memory is short. */
bool buffer_append(struct buffer *b, const void *data, size_t length);
bool buffer_append_text(struct buffer *b, const char *text);
bool buffer_append_byte(struct buffer *b, char byte);
bool buffer_printf(struct buffer *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Make room for EXTRA more bytes; returns where they go, NULL when memory is short. */
char *buffer_reserve(struct buffer *b, size_t extra);

/* The text so far, "" when nothing was appended. */
const char *buffer_text(const struct buffer *b);

/* Wipe and free; the buffer is empty afterwards and usable again. */
void buffer_free(struct buffer *b);

#endif
