/* reader - see reader.h. */
#include "base/reader.h"

struct reader reader_over(const void *data, size_t length)
{
    return (struct reader){.data = data, .length = length};
}

const uint8_t *reader_bytes(struct reader *r, size_t length)
{
    if (r->failed || length > r->length - r->offset) {
        r->failed = true;
        return NULL;
    }
    const uint8_t *bytes = r->data + r->offset;
    r->offset += length;
    return bytes;
}

static uint64_t little_endian(struct reader *r, size_t size)
{
    const uint8_t *bytes = reader_bytes(r, size);
    uint64_t value = 0;
    for (size_t i = 0; bytes != NULL && i < size; i++)
        value |= (uint64_t)bytes[i] << (8 * i);
    return value;
}

void reader_skip(struct reader *r, size_t length)
{
    reader_bytes(r, length);
}

uint8_t reader_u8(struct reader *r)
{
    return (uint8_t)little_endian(r, 1);
}

uint16_t reader_u16(struct reader *r)
{
    return (uint16_t)little_endian(r, 2);
}

uint32_t reader_u32(struct reader *r)
{
    return (uint32_t)little_endian(r, 4);
}

uint64_t reader_u64(struct reader *r)
{
    return little_endian(r, 8);
}

size_t reader_left(const struct reader *r)
{
    return r->failed ? 0 : r->length - r->offset;
}
