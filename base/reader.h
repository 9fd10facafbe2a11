/*
 * reader - a bounded cursor over bytes; every binary parser reads through it.
 *
 * Failure is sticky: after a read past the end every value is 0 and `failed` stays set, so a
 * record can be read field by field and checked once. Little endian unless named otherwise.
 */
#ifndef VMCRYPT_BASE_READER_H
#define VMCRYPT_BASE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reader {
    const uint8_t *data;
    size_t length;
    size_t offset; /* of the next byte */
    bool failed;
};

struct reader reader_over(const void *data, size_t length);

/* The next LENGTH bytes in place, or NULL (and failed) when fewer are left. */
const uint8_t *reader_bytes(struct reader *r, size_t length);

/* Pass over LENGTH bytes. */
void reader_skip(struct reader *r, size_t length);

uint8_t reader_u8(struct reader *r);
uint16_t reader_u16(struct reader *r);
uint32_t reader_u32(struct reader *r);
uint64_t reader_u64(struct reader *r);

/* Bytes not yet read. */
size_t reader_left(const struct reader *r);

#endif
