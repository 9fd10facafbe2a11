/* ttlv - see ttlv.h. */
#include "keywrap/ttlv.h"

static uint32_t big_endian(const uint8_t *bytes, size_t size)
{
    uint32_t value = 0;
    for (size_t i = 0; i < size; i++)
        value = value << 8 | bytes[i];
    return value;
}

static size_t padding(size_t length)
{
    return (8 - length % 8) % 8;
}

/* 42… are KMIP's own, 54… are extensions. */
static bool is_tag(uint32_t tag)
{
    return tag >> 16 == 0x42 || tag >> 16 == 0x54;
}

bool ttlv_next(struct reader *r, struct ttlv_item *item)
{
    if (reader_left(r) == 0)
        return false;
    size_t begin = r->offset;
    const uint8_t *header = reader_bytes(r, TTLV_HEADER);
    if (header != NULL) {
        item->tag = big_endian(header, 3);
        item->type = header[3];
        item->length = big_endian(header + 4, 4);
        item->value = reader_bytes(r, item->length);
    }
    if (r->failed || !is_tag(item->tag) || item->type < TTLV_STRUCTURE ||
        item->type > TTLV_DATE_TIME_EXTENDED) {
        r->failed = true;
        r->offset = begin;
        return false;
    }
    size_t pad = padding(item->length), left = reader_left(r);
    reader_bytes(r, pad < left ? pad : left);
    return true;
}

struct reader ttlv_inside(const struct ttlv_item *item)
{
    return reader_over(item->value, item->type == TTLV_STRUCTURE ? item->length : 0);
}

bool ttlv_number(const struct ttlv_item *item, uint32_t *value)
{
    if ((item->type != TTLV_INTEGER && item->type != TTLV_ENUMERATION) || item->length != 4)
        return false;
    *value = big_endian(item->value, 4);
    return true;
}

static void put_header(struct buffer *out, uint32_t tag, enum ttlv_type type, uint32_t length)
{
    const uint8_t header[TTLV_HEADER] = {
        (uint8_t)(tag >> 16),    (uint8_t)(tag >> 8),     (uint8_t)tag,           (uint8_t)type,
        (uint8_t)(length >> 24), (uint8_t)(length >> 16), (uint8_t)(length >> 8), (uint8_t)length};
    buffer_append(out, header, sizeof header);
}

void ttlv_put(struct buffer *out, uint32_t tag, enum ttlv_type type, const void *value,
              uint32_t length)
{
    static const uint8_t zeros[8];
    put_header(out, tag, type, length);
    buffer_append(out, value, length);
    buffer_append(out, zeros, padding(length));
}

void ttlv_put_number(struct buffer *out, uint32_t tag, enum ttlv_type type, uint32_t value)
{
    const uint8_t bytes[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                              (uint8_t)value};
    ttlv_put(out, tag, type, bytes, sizeof bytes);
}

size_t ttlv_begin(struct buffer *out, uint32_t tag)
{
    put_header(out, tag, TTLV_STRUCTURE, 0);
    return out->length;
}

void ttlv_end(struct buffer *out, size_t begun)
{
    if (out->failed)
        return;
    size_t length = out->length - begun;
    for (size_t i = 0; i < 4; i++)
        out->data[begun - 4 + i] = (char)(length >> (24 - 8 * i));
}
