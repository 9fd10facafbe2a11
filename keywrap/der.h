/*
 * der - a bounded reader of ASN.1 in DER, and in the BER that some products write instead:
 * indefinite lengths, and strings in pieces. [ITU-T X.690]
 *
 * It copies nothing, so that keys inside a decrypted file stay in the memory they are in. Failure
 * is sticky, as in base/reader.h: read a record item by item and check once.
 */
#ifndef VMCRYPT_KEYWRAP_DER_H
#define VMCRYPT_KEYWRAP_DER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

/* Identifier octets without the "constructed" bit. */
enum {
    DER_BOOLEAN = 0x01,
    DER_INTEGER = 0x02,
    DER_OCTETS = 0x04,
    DER_OID = 0x06,
    DER_UTF8 = 0x0c,
    DER_SEQUENCE = 0x10,
    DER_SET = 0x11,
    DER_PRINTABLE = 0x13,
    DER_T61 = 0x14,
    DER_IA5 = 0x16,
    DER_UTC_TIME = 0x17,
    DER_TIME = 0x18,
    DER_GENERAL = 0x1b,
    DER_BMP = 0x1e,
    DER_CONTEXT_0 = 0x80,
};

/* Indefinite lengths inside each other; nothing real has more than a dozen. */
enum { DER_MAX_DEPTH = 32, DER_OID_MAX = 64, DER_OID_TEXT = 160 };

struct der_item {
    unsigned tag; /* identifier octet without the constructed bit */
    bool constructed;
    const uint8_t *content;
    size_t length;
    const uint8_t *start; /* of the whole item, header and all */
    size_t total;
};

struct der {
    const uint8_t *data;
    size_t length;
    size_t offset;
    bool failed;
};

struct der der_over(const void *data, size_t length);
/* What a constructed item holds; failed for another one. */
struct der der_inside(const struct der_item *item);

/* The next item; false at the end, and (with `failed`) for what is no item. */
bool der_next(struct der *d, struct der_item *item);
/* The next item, which must have TAG: else the reader has failed. */
bool der_expect(struct der *d, unsigned tag, struct der_item *item);
/* The item TAG if it comes next; nothing is read otherwise. */
bool der_optional(struct der *d, unsigned tag, struct der_item *item);
/* Nothing is left and nothing failed. */
bool der_at_end(const struct der *d);

/* True when DATA is exactly one item, with *item filled. */
bool der_is_item(const void *data, size_t length, struct der_item *item);

/* Append the bytes of a string type, pieces joined. False for malformed pieces or short memory. */
bool der_string(const struct der_item *item, struct buffer *out);

/* A number from 0 to UINT64_MAX. */
bool der_number(const struct der_item *item, uint64_t *value);

/* OpenSSL's number (NID) of an object identifier, 0 for one that it does not know. TEXT (of
 * DER_OID_TEXT bytes, or NULL) gets its digits, or OpenSSL's name for it when NAMED. */
int der_oid(const struct der_item *item, char *text, bool named);

#endif
