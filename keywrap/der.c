/* der - see der.h. */
#include "keywrap/der.h"

#include <stdio.h>

#include <openssl/objects.h>

enum { CONSTRUCTED = 0x20, HIGH_TAG = 0x1f, INDEFINITE = 0x80, LENGTH_BYTES = 4 };

struct der der_over(const void *data, size_t length)
{
    return (struct der){.data = data, .length = length};
}

struct der der_inside(const struct der_item *item)
{
    struct der d = der_over(item->content, item->length);
    d.failed = !item->constructed;
    return d;
}

/* Identifier and length at AT; *indefinite when the length is told by an end mark. */
static bool read_header(const uint8_t *data, size_t length, size_t *header, size_t *content,
                        bool *indefinite)
{
    if (length < 2 || (data[0] & HIGH_TAG) == HIGH_TAG)
        return false;
    *header = 2;
    *content = data[1];
    *indefinite = data[1] == INDEFINITE;
    if (*indefinite)
        *content = 0;
    if (data[1] > INDEFINITE) {
        size_t count = data[1] & 0x7fU;
        if (count > LENGTH_BYTES || count > length - 2)
            return false;
        *content = 0;
        for (size_t i = 0; i < count; i++)
            *content = *content << 8 | data[2 + i];
        *header += count;
    }
    if (*indefinite)
        return (data[0] & CONSTRUCTED) != 0;
    return *content <= length - *header;
}

static bool is_end_mark(const uint8_t *data, size_t length)
{
    return length >= 2 && data[0] == 0 && data[1] == 0;
}

/* How many bytes stand before the end mark of an item of indefinite length. */
static bool measure(const uint8_t *data, size_t length, unsigned depth, size_t *content)
{
    size_t at = 0;
    while (!is_end_mark(data + at, length - at)) {
        size_t header, inner;
        bool indefinite;
        if (!read_header(data + at, length - at, &header, &inner, &indefinite))
            return false;
        at += header;
        if (indefinite &&
            (depth == DER_MAX_DEPTH || !measure(data + at, length - at, depth + 1, &inner)))
            return false;
        at += inner + (indefinite ? 2 : 0);
    }
    *content = at;
    return true;
}

bool der_next(struct der *d, struct der_item *item)
{
    if (d->failed || d->offset == d->length)
        return false;
    const uint8_t *at = d->data + d->offset;
    size_t left = d->length - d->offset, header, content;
    bool indefinite;
    if (is_end_mark(at, left) || !read_header(at, left, &header, &content, &indefinite) ||
        (indefinite && !measure(at + header, left - header, 0, &content))) {
        d->failed = true;
        return false;
    }
    *item = (struct der_item){
        .tag = at[0] & ~(unsigned)CONSTRUCTED,
        .constructed = (at[0] & CONSTRUCTED) != 0,
        .content = at + header,
        .length = content,
        .start = at,
        .total = header + content + (indefinite ? 2 : 0),
    };
    d->offset += item->total;
    return true;
}

bool der_expect(struct der *d, unsigned tag, struct der_item *item)
{
    if (!der_next(d, item) || item->tag != tag)
        d->failed = true;
    return !d->failed;
}

bool der_optional(struct der *d, unsigned tag, struct der_item *item)
{
    struct der ahead = *d;
    if (!der_next(&ahead, item) || item->tag != tag)
        return false;
    *d = ahead;
    return true;
}

bool der_at_end(const struct der *d)
{
    return !d->failed && d->offset == d->length;
}

bool der_is_item(const void *data, size_t length, struct der_item *item)
{
    struct der d = der_over(data, length);
    return der_next(&d, item) && der_at_end(&d);
}

static bool join(const struct der_item *item, unsigned depth, struct buffer *out)
{
    if (!item->constructed)
        return buffer_append(out, item->content, item->length);
    struct der pieces = der_inside(item);
    struct der_item piece;
    while (depth < DER_MAX_DEPTH && der_next(&pieces, &piece)) {
        /* The pieces of [0] IMPLICIT OCTET STRING are plain ones. */
        bool same = piece.tag == item->tag || piece.tag == DER_OCTETS;
        if (!same || !join(&piece, depth + 1, out))
            return false;
    }
    return der_at_end(&pieces);
}

bool der_string(const struct der_item *item, struct buffer *out)
{
    return join(item, 0, out);
}

bool der_number(const struct der_item *item, uint64_t *value)
{
    const uint8_t *at = item->content;
    size_t length = item->length;
    if (item->tag != DER_INTEGER || item->constructed || length == 0 || at[0] >= 0x80)
        return false;
    for (*value = 0; length > 0 && *at == 0; length--)
        at++;
    for (size_t i = 0; i < length && length <= sizeof *value; i++)
        *value = *value << 8 | at[i];
    return length <= sizeof *value;
}

int der_oid(const struct der_item *item, char *text, bool named)
{
    const uint8_t *at = item->start;
    if (text != NULL)
        snprintf(text, DER_OID_TEXT, "(malformed)");
    if (item->tag != DER_OID || item->constructed || item->length == 0 ||
        item->length > DER_OID_MAX)
        return NID_undef;
    ASN1_OBJECT *object = d2i_ASN1_OBJECT(NULL, &at, (long)item->total);
    if (object == NULL)
        return NID_undef;
    if (text != NULL)
        OBJ_obj2txt(text, DER_OID_TEXT, object, named ? 0 : 1);
    int nid = OBJ_obj2nid(object);
    ASN1_OBJECT_free(object);
    return nid;
}
