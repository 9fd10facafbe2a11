/*
 * kmip - what KMIP messages tell of keys: bytes, ids, attributes.
 *
 * [KMIP specification 1.0 to 2.1; real: vCenter 7.0.3 talking to PyKMIP, KMIP 1.1.] Messages may
 * stand anywhere among other bytes. What they tell of one object is spread over several of them
 * (its bytes in a Get response, whose it is in AddAttribute requests), and is put together by the
 * object's unique identifier over the whole file.
 *
 * Readers of the other encodings (hex, JSON, XML) turn them into the binary one and use this.
 */
#ifndef VMCRYPT_KEYWRAP_KMIP_H
#define VMCRYPT_KEYWRAP_KMIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "keywrap/source.h"

/* Tags [KMIP specification 2.1, §11.55]. */
enum kmip_tag {
    KMIP_ATTRIBUTE = 0x420008,
    KMIP_ATTRIBUTE_NAME = 0x42000a,
    KMIP_ATTRIBUTE_VALUE = 0x42000b,
    KMIP_BATCH_ITEM = 0x42000f,
    KMIP_BLOCK_CIPHER_MODE = 0x420011,
    KMIP_CERTIFICATE = 0x420013,
    KMIP_CRYPTOGRAPHIC_ALGORITHM = 0x420028,
    KMIP_CRYPTOGRAPHIC_LENGTH = 0x42002a,
    KMIP_CRYPTOGRAPHIC_PARAMETERS = 0x42002b,
    KMIP_ENCRYPTION_KEY_INFORMATION = 0x420036,
    KMIP_KEY = 0x42003f,
    KMIP_KEY_BLOCK = 0x420040,
    KMIP_KEY_FORMAT_TYPE = 0x420042,
    KMIP_KEY_MATERIAL = 0x420043,
    KMIP_KEY_VALUE = 0x420045,
    KMIP_KEY_WRAPPING_DATA = 0x420046,
    KMIP_NAME = 0x420053,
    KMIP_NAME_VALUE = 0x420055,
    KMIP_OBJECT_TYPE = 0x420057,
    KMIP_OPAQUE_DATA_TYPE = 0x420059,
    KMIP_OPAQUE_DATA_VALUE = 0x42005a,
    KMIP_OPAQUE_OBJECT = 0x42005b,
    KMIP_OPERATION = 0x42005c,
    KMIP_PRIVATE_KEY = 0x420064,
    KMIP_PUBLIC_KEY = 0x42006d,
    KMIP_REQUEST_HEADER = 0x420077,
    KMIP_REQUEST_MESSAGE = 0x420078,
    KMIP_REQUEST_PAYLOAD = 0x420079,
    KMIP_RESPONSE_HEADER = 0x42007a,
    KMIP_RESPONSE_MESSAGE = 0x42007b,
    KMIP_RESPONSE_PAYLOAD = 0x42007c,
    KMIP_RESULT_STATUS = 0x42007f,
    KMIP_SECRET_DATA = 0x420085,
    KMIP_SECRET_DATA_TYPE = 0x420086,
    KMIP_SPLIT_KEY = 0x420089,
    KMIP_STATE = 0x42008d,
    KMIP_SYMMETRIC_KEY = 0x42008f,
    KMIP_TEMPLATE_ATTRIBUTE = 0x420091,
    KMIP_UNIQUE_BATCH_ITEM_ID = 0x420093,
    KMIP_UNIQUE_IDENTIFIER = 0x420094,
    KMIP_WRAPPING_METHOD = 0x42009e,
    KMIP_ENCODING_OPTION = 0x4200a3,
    KMIP_PGP_KEY = 0x4200bd,
    KMIP_ATTRIBUTES = 0x420125,
    KMIP_NEW_ATTRIBUTE = 0x42013d,
};

/* Bytes or text inside what was read; DATA is NULL when it was not told. */
struct kmip_text {
    const char *data;
    size_t length;
};

/* What one payload tells of one object. Numbers that were not told are 0. */
struct kmip_part {
    struct kmip_text id;
    struct kmip_text name;                      /* Name */
    struct kmip_text x_name, x_id, x_component; /* what vCenter notes */
    struct kmip_text material;                  /* the key's bytes, maybe wrapped */
    uint32_t object_type, format, algorithm, bits, state;
    uint32_t wrapping_method, wrapping_mode;
    bool is_wrapped;
    bool has_object; /* the object itself was there, with or without usable bytes */
    uint32_t operation;
    size_t batch_index;
    struct kmip_text batch_id;
    size_t order; /* as they came */
};

struct kmip {
    struct kmip_part *parts;
    size_t count, capacity;
    size_t messages; /* or bare objects */
    /* The first place where a message is cut off or makes no sense; NULL: nowhere. */
    const uint8_t *damage;
    size_t waiting;      /* requests whose responses have not come yet */
    size_t waiting_from; /* the parts of the last one begin here */
    bool waits_alone;    /* it came when no other waited */
};

#define KMIP_INIT ((struct kmip){0})

/* Collect from all messages and bare objects among LENGTH bytes, which stay in use until
 * kmip_free. False when memory is short. */
bool kmip_scan(struct kmip *kmip, const void *bytes, size_t length, struct error *error);

/* A part to be filled in, from another store; NULL with *error set. */
struct kmip_part *kmip_add(struct kmip *kmip, struct error *error);

/* Put the parts together and add the keys among them to SOURCE's ring. UNIT names what was read
 * ("message"). */
enum source_verdict kmip_deliver(struct kmip *kmip, struct source *source, const char *unit,
                                 struct error *error);
void kmip_free(struct kmip *kmip);

/* Names. A tag as JSON and XML write it ("KeyBlock", "0x420040"); 0 for one that is not needed. */
uint32_t kmip_tag_parse(const char *text, size_t length);
/* The value of an enumeration ("AES", "0x00000003", "3"); 0 for an unknown one. */
uint32_t kmip_value_parse(uint32_t tag, const char *text, size_t length);
/* The other way; "?" for an unknown value. */
const char *kmip_value_name(uint32_t tag, uint32_t value);

/* Append the item that JSON and XML write as TYPE and VALUE; items of types and tags that are not
 * needed are left out. False with ERROR_DAMAGED when the value is not of its type. */
bool kmip_put(struct buffer *out, uint32_t tag, struct kmip_text type, struct kmip_text value,
              struct error *error);

/* Append the bytes that a text shows in hex: plain, in groups, as a dump with offsets, or as long
 * runs inside of other text such as a log. */
void kmip_hex_decode(const char *text, size_t length, struct buffer *out);

#endif
