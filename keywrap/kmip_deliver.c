/* kmip_deliver - keys out of what messages told; see kmip.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "keywrap/kmip.h"
#include "keywrap/ttlv.h"

/* Keys that one file may add, and bytes of an id or name. */
enum { KEYS_MAX = 1 << 15, TEXT_LONGEST = 1024 };

/* How the delivery went, for the end's report. */
struct tally {
    size_t objects;
    size_t foreign; /* not symmetric, or of no key's size */
    size_t locked;  /* wrapped, and not opened */
    size_t idle;    /* keys that the server calls not active */
    uint32_t foreign_type, idle_state;
    size_t foreign_bytes;
    char locked_id[64], idle_id[64];
    struct error locked_error;
};

static int compare_ids(const struct kmip_part *a, const struct kmip_part *b)
{
    /* Objects without an id come last, each by itself. */
    if (a->id.data == NULL || b->id.data == NULL)
        return (a->id.data == NULL) - (b->id.data == NULL);
    size_t both = a->id.length < b->id.length ? a->id.length : b->id.length;
    int order = memcmp(a->id.data, b->id.data, both);
    return order != 0 ? order : (a->id.length > b->id.length) - (a->id.length < b->id.length);
}

static int compare_parts(const void *left, const void *right)
{
    const struct kmip_part *a = left, *b = right;
    int order = compare_ids(a, b);
    return order != 0 ? order : (a->order > b->order) - (a->order < b->order);
}

static void take(struct kmip_text *to, struct kmip_text from)
{
    if (from.data != NULL)
        *to = from;
}

/* What all of COUNT parts tell; what came last counts. */
static struct kmip_part join(const struct kmip_part *parts, size_t count)
{
    struct kmip_part all = {0};
    for (size_t i = 0; i < count; i++) {
        take(&all.name, parts[i].name);
        take(&all.x_name, parts[i].x_name);
        take(&all.x_id, parts[i].x_id);
        take(&all.x_component, parts[i].x_component);
        if (parts[i].state != 0)
            all.state = parts[i].state;
    }
    return all;
}

/* As a string in OUT; NULL when it was not told, is too long, or holds a NUL. */
static const char *string_of(struct kmip_text text, char out[TEXT_LONGEST])
{
    if (text.data == NULL || text.length == 0 || text.length >= TEXT_LONGEST ||
        memchr(text.data, '\0', text.length) != NULL)
        return NULL;
    memcpy(out, text.data, text.length);
    out[text.length] = '\0';
    return out;
}

static const char *shown_id(struct kmip_text id, char out[TEXT_LONGEST])
{
    const char *text = string_of(id, out);
    return text == NULL ? "without an id" : text;
}

/* The material inside a Key Value that was wrapped together with its attributes (the encoding
 * option "TTLV"), or the bytes themselves. Takes them over. */
static struct secret *without_ttlv(struct secret *bytes, struct error *error)
{
    struct ttlv_item value, item;
    struct reader r = reader_over(bytes->data, bytes->length);
    if (!ttlv_next(&r, &value) || value.tag != KMIP_KEY_VALUE || value.type != TTLV_STRUCTURE)
        return bytes;
    struct secret *material = NULL;
    for (r = ttlv_inside(&value); material == NULL && ttlv_next(&r, &item);)
        if (item.tag == KMIP_KEY_MATERIAL && item.type == TTLV_BYTES)
            material = secret_copy(item.value, item.length, error);
    if (material == NULL)
        error_set(error, ERROR_DAMAGED, "unwrapped to a key value without key material");
    secret_free(bytes);
    return material;
}

/* Secret data and opaque objects may hold a key as text. Takes BYTES over. */
static struct secret *without_text(struct secret *bytes, struct error *error)
{
    const char *text = (const char *)bytes->data;
    struct secret *key = secret_new(bytes->length, error);
    if (key == NULL) {
        secret_free(bytes);
        return NULL;
    }
    size_t length = key->length, longer = key->length;
    if (hex_decode(text, bytes->length, key->data, &length) && source_is_key_size(length)) {
        key->length = length;
    } else if (bytes->length == 44 && base64_decode(text, 44, key->data, &longer) && longer == 32) {
        key->length = longer;
    } else {
        secret_free(key);
        return bytes;
    }
    secret_free(bytes);
    return key;
}

/* The key in PART, NULL with *error set when it cannot be opened. */
static struct secret *open_part(struct source *source, const struct kmip_part *part,
                                struct error *error)
{
    enum { SYMMETRIC_KEY = 2 };
    const struct wrap_key *unwrap = source->options->unwrap;
    if (part->is_wrapped && unwrap == NULL) {
        error_set(error, ERROR_NO_KEY, "is wrapped (%s); it needs the key that unwraps it",
                  kmip_value_name(KMIP_BLOCK_CIPHER_MODE, part->wrapping_mode));
        return NULL;
    }
    if (part->is_wrapped) {
        enum wrap_method method;
        struct secret *value =
            wrap_open_any(unwrap, part->material.data, part->material.length, &method, error);
        return value == NULL ? NULL : without_ttlv(value, error);
    }
    struct secret *bytes = secret_copy(part->material.data, part->material.length, error);
    if (bytes == NULL)
        return NULL;
    /* The server may not know that what it keeps is wrapped. */
    if (unwrap != NULL)
        return source_unwrap(source, bytes, error);
    return part->object_type == SYMMETRIC_KEY ? bytes : without_text(bytes, error);
}

static bool is_symmetric(uint32_t type)
{
    enum { UNKNOWN = 0, SYMMETRIC_KEY = 2, SECRET_DATA = 7, OPAQUE_OBJECT = 8 };
    return type == UNKNOWN || type == SYMMETRIC_KEY || type == SECRET_DATA || type == OPAQUE_OBJECT;
}

static void note_state(struct tally *tally, const struct kmip_part *all, const char *id)
{
    enum { ACTIVE = 2 };
    if (all->state == 0 || all->state == ACTIVE)
        return;
    if (tally->idle++ == 0) {
        tally->idle_state = all->state;
        snprintf(tally->idle_id, sizeof tally->idle_id, "%s", id);
    }
}

static bool add_key(struct source *source, const struct kmip_part *part,
                    const struct kmip_part *all, struct secret *bytes, struct error *error)
{
    char id[TEXT_LONGEST], name[TEXT_LONGEST], x_id[TEXT_LONGEST], component[TEXT_LONGEST];
    struct keyring_key key = {
        .kind = KEYRING_KEK,
        .id = string_of(part->id, id),
        .name = string_of(all->x_name.data != NULL ? all->x_name : all->name, name),
        .identifier = string_of(all->x_id, x_id),
        .component = string_of(all->x_component, component),
        .key = bytes,
    };
    log_say(source->log, LOG_INFO, "%s: key %s: %zu bytes, %s, %s%s%s", source->path,
            key.id == NULL ? "without an id" : key.id, bytes->length,
            part->algorithm == 0 ? "algorithm not told"
                                 : kmip_value_name(KMIP_CRYPTOGRAPHIC_ALGORITHM, part->algorithm),
            all->state == 0 ? "state not told" : kmip_value_name(KMIP_STATE, all->state),
            key.name == NULL ? "" : ", of ", key.name == NULL ? "" : key.name);
    return source_add(source, &key, error);
}

/* The key of one part, if it holds one. False when the whole delivery has to end. */
static bool deliver_part(struct source *source, const struct kmip_part *part,
                         const struct kmip_part *all, struct tally *tally, struct error *error)
{
    char id[TEXT_LONGEST];
    if (!part->has_object)
        return true;
    tally->objects++;
    struct secret *bytes = NULL;
    if (is_symmetric(part->object_type) && part->material.data != NULL) {
        struct error why = ERROR_INIT;
        bytes = open_part(source, part, &why);
        if (bytes == NULL) {
            if (tally->locked++ == 0) {
                tally->locked_error = why;
                snprintf(tally->locked_id, sizeof tally->locked_id, "%s", shown_id(part->id, id));
            }
            return true;
        }
    }
    if (bytes == NULL || !source_is_key_size(bytes->length)) {
        if (tally->foreign++ == 0) {
            tally->foreign_type = part->object_type;
            tally->foreign_bytes = bytes == NULL ? 0 : bytes->length;
        }
        secret_free(bytes);
        return true;
    }
    note_state(tally, all, shown_id(part->id, id));
    if (source->added == KEYS_MAX) {
        secret_free(bytes);
        return error_set(error, ERROR_FAILED, "holds more than %d keys", KEYS_MAX);
    }
    return add_key(source, part, all, bytes, error);
}

static void report(struct source *source, const struct kmip *kmip, const struct tally *tally,
                   const char *unit)
{
    if (kmip->damage != NULL)
        log_say(source->log, LOG_WARN, "%s: a %s is cut off or damaged; what it held is not read",
                source->path, unit);
    if (tally->idle > 0)
        log_say(source->log, LOG_WARN,
                "%s: the key server says that %zu of the keys %s not active"
                " (%s: %s)",
                source->path, tally->idle, tally->idle == 1 ? "is" : "are", tally->idle_id,
                kmip_value_name(KMIP_STATE, tally->idle_state));
    if (tally->locked > 0)
        log_say(source->log, LOG_WARN, "%s: %zu of the keys left out: key %s %s", source->path,
                tally->locked, tally->locked_id, tally->locked_error.message);
    if (tally->foreign > 0)
        log_say(source->log, LOG_INFO, "%s: %zu objects are no keys of VMs", source->path,
                tally->foreign);
}

/* Why there was no key. */
static bool none(const struct kmip *kmip, const struct tally *tally, const char *unit,
                 struct error *error)
{
    if (tally->locked > 0)
        return error_set(error, tally->locked_error.code, "key %s %s", tally->locked_id,
                         tally->locked_error.message);
    if (kmip->damage != NULL)
        return error_set(error, ERROR_DAMAGED, "a KMIP %s is cut off or damaged", unit);
    if (tally->foreign == 0)
        return error_set(error, ERROR_NO_KEY, "no KMIP %s holds a key; the response to Get does",
                         unit);
    if (tally->foreign_bytes > 0)
        return error_set(error, ERROR_NO_KEY,
                         "%zu KMIP objects, none of them a key of 16, 24, 32 or 64 bytes (the first"
                         " has %zu)",
                         tally->foreign, tally->foreign_bytes);
    return error_set(error, ERROR_NO_KEY,
                     "%zu KMIP objects, none of them a key of a VM (the first"
                     " is: %s)",
                     tally->foreign, kmip_value_name(KMIP_OBJECT_TYPE, tally->foreign_type));
}

/* vCenter and its hosts get the same key again and again. */
static bool same_object(const struct kmip_part *a, const struct kmip_part *b)
{
    return a->has_object && b->has_object && a->object_type == b->object_type &&
           a->is_wrapped == b->is_wrapped && a->material.length == b->material.length &&
           (a->material.length == 0 ||
            memcmp(a->material.data, b->material.data, a->material.length) == 0);
}

/* Each key of each object into INTO's ring. */
static bool deliver_all(struct kmip *kmip, struct source *into, struct tally *tally,
                        struct error *error)
{
    bool ok = true;
    if (kmip->count > 0)
        qsort(kmip->parts, kmip->count, sizeof *kmip->parts, compare_parts);
    for (size_t i = 0, n; ok && i < kmip->count; i += n) {
        const struct kmip_part *group = &kmip->parts[i];
        n = 1;
        while (group->id.data != NULL && i + n < kmip->count && compare_ids(group, group + n) == 0)
            n++;
        struct kmip_part all = join(group, n);
        for (size_t k = 0; ok && k < n; k++)
            if (k == 0 || !same_object(&group[k - 1], &group[k]))
                ok = deliver_part(into, &group[k], &all, tally, error);
    }
    return ok;
}

/* To whom asked for an id: of several keys those that have it; a single one is what he says. */
static bool hand_over(struct source *source, struct keyring *found, struct error *error)
{
    const char *wanted = source->options->id;
    bool choose = wanted != NULL && found->key_count > 1, ok = true;
    for (size_t i = 0; ok && i < found->key_count; i++) {
        struct keyring_key key = found->keys[i];
        if (choose && (key.id == NULL || strcmp(key.id, wanted) != 0))
            continue;
        if (wanted != NULL)
            key.id = wanted;
        found->keys[i].key = NULL;
        ok = source_add(source, &key, error);
    }
    return ok && (source->added > 0 || found->key_count == 0 ||
                  error_set(error, ERROR_NO_KEY, "holds %zu keys, none of them %.300s",
                            found->key_count, wanted));
}

enum source_verdict kmip_deliver(struct kmip *kmip, struct source *source, const char *unit,
                                 struct error *error)
{
    struct tally tally = {.locked_error = ERROR_INIT};
    struct keyring found = KEYRING_INIT;
    struct source_options any = *source->options;
    struct source into = *source;
    any.id = NULL;
    into.options = &any;
    into.ring = &found;
    bool ok = deliver_all(kmip, &into, &tally, error);
    if (ok && found.key_count == 0)
        ok = none(kmip, &tally, unit, error);
    if (ok)
        report(source, kmip, &tally, unit);
    ok = ok && hand_over(source, &found, error);
    keyring_free(&found);
    return ok ? SOURCE_READ : SOURCE_REFUSED;
}
