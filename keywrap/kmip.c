/* kmip - collecting what messages tell; see kmip.h. What becomes of it is in kmip_deliver.c. */
#include "keywrap/kmip.h"

#include <stdlib.h>
#include <string.h>

#include "keywrap/ttlv.h"

/* Objects that one file may tell of; a capture of a large vCenter has some ten thousands. */
enum { PARTS_MAX = 1 << 19 };

struct kmip_part *kmip_add(struct kmip *kmip, struct error *error)
{
    if (kmip->count == PARTS_MAX) {
        error_set(error, ERROR_FAILED, "tells of more than %d objects", PARTS_MAX);
        return NULL;
    }
    if (kmip->count == kmip->capacity) {
        size_t capacity = kmip->capacity == 0 ? 16 : kmip->capacity * 2;
        struct kmip_part *grown = realloc(kmip->parts, capacity * sizeof *grown);
        if (grown == NULL) {
            error_memory(error);
            return NULL;
        }
        kmip->parts = grown;
        kmip->capacity = capacity;
    }
    struct kmip_part *part = &kmip->parts[kmip->count];
    *part = (struct kmip_part){.order = kmip->count};
    kmip->count++;
    return part;
}

void kmip_free(struct kmip *kmip)
{
    free(kmip->parts);
    *kmip = KMIP_INIT;
}

/* The next item of a row. Messages are never inside of each other: where one begins, the one
 * around it was cut off. The first damage ends the whole message, so that no byte is read twice
 * when the search for messages goes on behind it. */
static bool next(struct kmip *kmip, struct reader *r, struct ttlv_item *item)
{
    if (kmip->damage != NULL)
        return false;
    size_t begin = r->offset;
    bool ok = ttlv_next(r, item);
    if (ok && (item->tag == KMIP_REQUEST_MESSAGE || item->tag == KMIP_RESPONSE_MESSAGE))
        r->failed = true;
    if (r->failed)
        kmip->damage = r->data + begin;
    return ok && !r->failed;
}

static struct kmip_text text_of(const struct ttlv_item *item)
{
    return (struct kmip_text){(const char *)item->value, item->length};
}

static bool is_text(const struct ttlv_item *item)
{
    return item->type == TTLV_TEXT && item->length > 0;
}

static bool is_named(struct kmip_text name, const char *text)
{
    return name.length == strlen(text) && memcmp(name.data, text, name.length) == 0;
}

/* Name { Name Value, Name Type }, or the name itself. */
static void read_name(struct kmip *kmip, const struct ttlv_item *name, struct kmip_part *part)
{
    struct ttlv_item item;
    if (is_text(name))
        part->name = text_of(name);
    for (struct reader r = ttlv_inside(name); next(kmip, &r, &item);)
        if (item.tag == KMIP_NAME_VALUE && is_text(&item))
            part->name = text_of(&item);
}

/* Attribute { [Vendor Identification], Attribute Name, Attribute Value }: all attributes of
 * KMIP 1, those of vendors and users in KMIP 2. */
static void read_attribute(struct kmip *kmip, const struct ttlv_item *attribute,
                           struct kmip_part *part)
{
    struct ttlv_item item, value = {0};
    struct kmip_text name = {0};
    for (struct reader r = ttlv_inside(attribute); next(kmip, &r, &item);) {
        if (item.tag == KMIP_ATTRIBUTE_NAME && is_text(&item))
            name = text_of(&item);
        else if (item.tag == KMIP_ATTRIBUTE_VALUE)
            value = item;
    }
    if (name.data == NULL || value.tag == 0)
        return;
    if (is_named(name, "x-Name") && is_text(&value))
        part->x_name = text_of(&value);
    else if (is_named(name, "x-Identifier") && is_text(&value))
        part->x_id = text_of(&value);
    else if (is_named(name, "x-Component") && is_text(&value))
        part->x_component = text_of(&value);
    else if (is_named(name, "Name"))
        read_name(kmip, &value, part);
    else if (is_named(name, "State"))
        ttlv_number(&value, &part->state);
    else if (is_named(name, "Unique Identifier") && is_text(&value) && part->id.data == NULL)
        part->id = text_of(&value);
}

/* Attributes of KMIP 2, or a list of KMIP 1's. */
static void read_attributes(struct kmip *kmip, const struct ttlv_item *attributes,
                            struct kmip_part *part)
{
    struct ttlv_item item;
    for (struct reader r = ttlv_inside(attributes); next(kmip, &r, &item);) {
        if (item.tag == KMIP_ATTRIBUTE)
            read_attribute(kmip, &item, part);
        else if (item.tag == KMIP_NAME)
            read_name(kmip, &item, part);
        else if (item.tag == KMIP_STATE)
            ttlv_number(&item, &part->state);
        else if (item.tag == KMIP_UNIQUE_IDENTIFIER && is_text(&item) && part->id.data == NULL)
            part->id = text_of(&item);
    }
}

/* Key Value { Key Material, attributes }; the material of a transparent key is { Key }. A wrapped
 * value is one byte string. */
static struct kmip_text read_value(struct kmip *kmip, const struct ttlv_item *value,
                                   struct kmip_part *part)
{
    struct kmip_text material = {0};
    struct ttlv_item item, inner;
    if (value->type == TTLV_BYTES) {
        part->is_wrapped = true;
        return text_of(value);
    }
    for (struct reader r = ttlv_inside(value); next(kmip, &r, &item);) {
        if (item.tag == KMIP_KEY_MATERIAL && item.type == TTLV_BYTES)
            material = text_of(&item);
        else if (item.tag == KMIP_KEY_MATERIAL)
            for (struct reader k = ttlv_inside(&item); next(kmip, &k, &inner);)
                material =
                    inner.tag == KMIP_KEY && inner.type == TTLV_BYTES ? text_of(&inner) : material;
        else if (item.tag == KMIP_ATTRIBUTE)
            read_attribute(kmip, &item, part);
        else if (item.tag == KMIP_ATTRIBUTES)
            read_attributes(kmip, &item, part);
    }
    return material;
}

/* Key Wrapping Data { Wrapping Method, Encryption Key Information { Unique Identifier of the
 * wrapping key, Cryptographic Parameters { Block Cipher Mode, … } }, … }. */
static void read_wrapping(struct kmip *kmip, const struct ttlv_item *wrapping,
                          struct kmip_part *part)
{
    enum { METHOD_MAC_ONLY = 2 };
    struct ttlv_item item, inner, parameter;
    for (struct reader r = ttlv_inside(wrapping); next(kmip, &r, &item);) {
        if (item.tag == KMIP_WRAPPING_METHOD)
            ttlv_number(&item, &part->wrapping_method);
        if (item.tag != KMIP_ENCRYPTION_KEY_INFORMATION)
            continue;
        for (struct reader k = ttlv_inside(&item); next(kmip, &k, &inner);)
            if (inner.tag == KMIP_CRYPTOGRAPHIC_PARAMETERS)
                for (struct reader p = ttlv_inside(&inner); next(kmip, &p, &parameter);)
                    if (parameter.tag == KMIP_BLOCK_CIPHER_MODE)
                        ttlv_number(&parameter, &part->wrapping_mode);
    }
    if (part->wrapping_method != METHOD_MAC_ONLY)
        part->is_wrapped = true;
}

/* The material counts only when the block was read to its end: how it is wrapped comes last. */
static void read_block(struct kmip *kmip, const struct ttlv_item *block, struct kmip_part *part)
{
    struct ttlv_item item;
    struct kmip_text material = {0};
    for (struct reader r = ttlv_inside(block); next(kmip, &r, &item);) {
        if (item.tag == KMIP_KEY_FORMAT_TYPE)
            ttlv_number(&item, &part->format);
        else if (item.tag == KMIP_KEY_VALUE)
            material = read_value(kmip, &item, part);
        else if (item.tag == KMIP_CRYPTOGRAPHIC_ALGORITHM)
            ttlv_number(&item, &part->algorithm);
        else if (item.tag == KMIP_CRYPTOGRAPHIC_LENGTH)
            ttlv_number(&item, &part->bits);
        else if (item.tag == KMIP_KEY_WRAPPING_DATA)
            read_wrapping(kmip, &item, part);
    }
    if (kmip->damage == NULL)
        part->material = material;
}

static uint32_t type_of_object(uint32_t tag)
{
    static const struct {
        uint32_t tag, type;
    } types[] = {
        {KMIP_CERTIFICATE, 1},   {KMIP_SYMMETRIC_KEY, 2}, {KMIP_PUBLIC_KEY, 3},
        {KMIP_PRIVATE_KEY, 4},   {KMIP_SPLIT_KEY, 5},     {KMIP_SECRET_DATA, 7},
        {KMIP_OPAQUE_OBJECT, 8}, {KMIP_PGP_KEY, 9},
    };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (types[i].tag == tag)
            return types[i].type;
    return 0;
}

static void read_object(struct kmip *kmip, const struct ttlv_item *object, struct kmip_part *part)
{
    struct ttlv_item item;
    part->has_object = true;
    if (part->object_type == 0)
        part->object_type = type_of_object(object->tag);
    for (struct reader r = ttlv_inside(object); next(kmip, &r, &item);) {
        if (item.tag == KMIP_KEY_BLOCK)
            read_block(kmip, &item, part);
        else if (item.tag == KMIP_OPAQUE_DATA_VALUE && item.type == TTLV_BYTES)
            part->material = text_of(&item);
    }
}

static void read_payload(struct kmip *kmip, const struct ttlv_item *payload, struct kmip_part *part)
{
    struct ttlv_item item;
    for (struct reader r = ttlv_inside(payload); next(kmip, &r, &item);) {
        if (item.tag == KMIP_UNIQUE_IDENTIFIER && is_text(&item))
            part->id = text_of(&item);
        else if (item.tag == KMIP_OBJECT_TYPE)
            ttlv_number(&item, &part->object_type);
        else if (item.tag == KMIP_ATTRIBUTE)
            read_attribute(kmip, &item, part);
        else if (item.tag == KMIP_ATTRIBUTES || item.tag == KMIP_TEMPLATE_ATTRIBUTE ||
                 item.tag == KMIP_NEW_ATTRIBUTE)
            read_attributes(kmip, &item, part);
        else if (type_of_object(item.tag) != 0)
            read_object(kmip, &item, part);
    }
}

static bool tells_something(const struct kmip_part *part)
{
    return part->has_object || part->x_name.data != NULL || part->x_id.data != NULL ||
           part->x_component.data != NULL || part->name.data != NULL || part->state != 0;
}

/* Requests of these make another object than the one they name, or name none. */
static bool is_about_others(const struct kmip_part *part)
{
    enum { REKEY = 4, DERIVE = 5, LOCATE = 8 };
    return part->operation == REKEY || part->operation == DERIVE || part->operation == LOCATE;
}

/* What the success of an operation makes of the object. After Revoke it may as well be
 * Compromised: only the request says. */
static void note_success(struct kmip_part *part)
{
    enum { ACTIVATE = 18, REVOKE = 19, DESTROY = 20, ACTIVE = 2, DEACTIVATED = 3, DESTROYED = 5 };
    if (part->operation == ACTIVATE)
        part->state = ACTIVE;
    else if (part->operation == REVOKE)
        part->state = DEACTIVATED;
    else if (part->operation == DESTROY)
        part->state = DESTROYED;
}

static bool same_text(struct kmip_text a, struct kmip_text b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

/* A response tells the id of what its request registered. Both are in the order of the batch. */
static void answer(struct kmip *kmip, size_t end, const struct kmip_part *response)
{
    while (kmip->waiting_from < end &&
           kmip->parts[kmip->waiting_from].batch_index < response->batch_index)
        kmip->waiting_from++;
    if (kmip->waiting_from >= end)
        return;
    struct kmip_part *part = &kmip->parts[kmip->waiting_from];
    if (part->batch_index == response->batch_index && part->id.data == NULL &&
        part->operation == response->operation && same_text(part->batch_id, response->batch_id))
        part->id = response->id;
}

static bool read_batch_item(struct kmip *kmip, const struct ttlv_item *batch, size_t index,
                            size_t answered_to, struct error *error)
{
    struct ttlv_item item;
    struct kmip_part part = {.batch_index = index};
    bool is_request = false;
    uint32_t status = 0;
    for (struct reader r = ttlv_inside(batch); next(kmip, &r, &item);) {
        if (item.tag == KMIP_OPERATION)
            ttlv_number(&item, &part.operation);
        else if (item.tag == KMIP_RESULT_STATUS)
            ttlv_number(&item, &status);
        else if (item.tag == KMIP_UNIQUE_BATCH_ITEM_ID)
            part.batch_id = text_of(&item);
        else if (item.tag == KMIP_REQUEST_PAYLOAD || item.tag == KMIP_RESPONSE_PAYLOAD) {
            is_request = item.tag == KMIP_REQUEST_PAYLOAD;
            read_payload(kmip, &item, &part);
        }
    }
    if (status != 0)
        return true;
    if (!is_request && part.id.data != NULL) {
        answer(kmip, answered_to, &part);
        note_success(&part);
    }
    if (!tells_something(&part) || (is_request && is_about_others(&part)))
        return true;
    struct kmip_part *added = kmip_add(kmip, error);
    if (added == NULL)
        return false;
    part.order = added->order;
    *added = part;
    return true;
}

static bool read_message(struct kmip *kmip, const struct ttlv_item *message, struct error *error)
{
    struct ttlv_item item;
    bool is_request = message->tag == KMIP_REQUEST_MESSAGE, ok = true;
    /* A response surely belongs to a request when no other one waits: sessions may be mixed. */
    size_t answered_to = kmip->waiting == 1 && kmip->waits_alone ? kmip->count : 0;
    if (is_request) {
        kmip->waiting_from = kmip->count;
        kmip->waits_alone = kmip->waiting == 0;
    }
    size_t index = 0;
    for (struct reader r = ttlv_inside(message); ok && next(kmip, &r, &item);)
        if (item.tag == KMIP_BATCH_ITEM)
            ok = read_batch_item(kmip, &item, index++, answered_to, error);
    if (is_request)
        kmip->waiting++;
    else if (kmip->waiting > 0)
        kmip->waiting--;
    return ok;
}

static bool read_bare(struct kmip *kmip, const struct ttlv_item *root, struct error *error)
{
    struct kmip_part *part = kmip_add(kmip, error);
    if (part == NULL)
        return false;
    if (type_of_object(root->tag) != 0)
        read_object(kmip, root, part);
    else
        read_payload(kmip, root, part);
    return true;
}

static bool is_root(uint32_t tag)
{
    return tag == KMIP_REQUEST_MESSAGE || tag == KMIP_RESPONSE_MESSAGE ||
           tag == KMIP_REQUEST_PAYLOAD || tag == KMIP_RESPONSE_PAYLOAD || type_of_object(tag) != 0;
}

/* A message or object begins at AT: a structure of such a tag whose first item's header makes
 * sense. A message that is cut off gets the bytes that are there. */
static bool begins(const uint8_t *at, size_t left, struct ttlv_item *root, bool *is_cut)
{
    if (left < 2 * TTLV_HEADER || at[3] != TTLV_STRUCTURE)
        return false;
    root->tag = (uint32_t)at[0] << 16 | (uint32_t)at[1] << 8 | at[2];
    root->type = TTLV_STRUCTURE;
    root->value = at + TTLV_HEADER;
    root->length = (size_t)at[4] << 24 | (size_t)at[5] << 16 | (size_t)at[6] << 8 | at[7];
    *is_cut = root->length > left - TTLV_HEADER;
    if (*is_cut)
        root->length = left - TTLV_HEADER;
    const uint8_t *first = at + TTLV_HEADER;
    return is_root(root->tag) && first[0] == 0x42 && first[1] <= 1 && first[3] >= TTLV_STRUCTURE &&
           first[3] <= TTLV_DATE_TIME_EXTENDED;
}

bool kmip_scan(struct kmip *kmip, const void *bytes, size_t length, struct error *error)
{
    const uint8_t *at = bytes, *end = at + length, *first_damage = NULL;
    struct ttlv_item root;
    bool is_cut, ok = true;
    while (ok && at < end && (at = memchr(at, 0x42, (size_t)(end - at))) != NULL) {
        if (!begins(at, (size_t)(end - at), &root, &is_cut)) {
            at++;
            continue;
        }
        bool is_message = root.tag == KMIP_REQUEST_MESSAGE || root.tag == KMIP_RESPONSE_MESSAGE;
        ok = is_message ? read_message(kmip, &root, error) : read_bare(kmip, &root, error);
        kmip->messages++;
        if (is_cut && kmip->damage == NULL)
            kmip->damage = end;
        if (kmip->damage != NULL && first_damage == NULL)
            first_damage = kmip->damage;
        at = kmip->damage != NULL && kmip->damage > at ? kmip->damage : root.value + root.length;
        /* What was damaged may be found again where it was: always go on. */
        if (at < root.value)
            at = root.value;
        kmip->damage = NULL;
    }
    kmip->damage = first_damage;
    return ok;
}
