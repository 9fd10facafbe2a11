/*
 * ttlv - KMIP's binary encoding: tag, type, length, value.
 *
 * Tag (3 bytes), type (1) and length (4), big endian, then the value, padded with zeros to a
 * multiple of eight bytes [KMIP specification 1.4, §9.1]. A structure's value is a row of items.
 *
 * Items are read in place, one row at a time: who knows what may be in a structure reads its row
 * with a reader of its own, so there is neither recursion nor a copy.
 */
#ifndef VMCRYPT_KEYWRAP_TTLV_H
#define VMCRYPT_KEYWRAP_TTLV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/reader.h"

enum ttlv_type {
    TTLV_STRUCTURE = 1,
    TTLV_INTEGER = 2,
    TTLV_LONG_INTEGER = 3,
    TTLV_BIG_INTEGER = 4,
    TTLV_ENUMERATION = 5,
    TTLV_BOOLEAN = 6,
    TTLV_TEXT = 7,
    TTLV_BYTES = 8,
    TTLV_DATE_TIME = 9,
    TTLV_INTERVAL = 10,
    TTLV_DATE_TIME_EXTENDED = 11,
};

enum { TTLV_HEADER = 8 };

struct ttlv_item {
    uint32_t tag;
    uint8_t type;
    const uint8_t *value;
    size_t length; /* of the value, without padding */
};

/* Read the next item of a row. False at its end, and with r->failed when what is left there is no
 * item; r->offset then is where it was to begin. What the padding holds does not matter, and the
 * last item of a row may lack it. */
bool ttlv_next(struct reader *r, struct ttlv_item *item);

/* The row inside a structure; an empty one for any other type. */
struct reader ttlv_inside(const struct ttlv_item *item);

/* The value of an integer or enumeration; false for other types. */
bool ttlv_number(const struct ttlv_item *item, uint32_t *value);

/* Append an item. Failure is the buffer's. */
void ttlv_put(struct buffer *out, uint32_t tag, enum ttlv_type type, const void *value,
              uint32_t length);
void ttlv_put_number(struct buffer *out, uint32_t tag, enum ttlv_type type, uint32_t value);
/* Append a structure: begin, its items, end with what begin returned. */
size_t ttlv_begin(struct buffer *out, uint32_t tag);
void ttlv_end(struct buffer *out, size_t begun);

#endif
