/* pkcs12_find - what in a bag may be a key, or tell of one; see pkcs12.h. Nothing here is known of
 * the layout: all is inferred from shapes and names. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/encode.h"
#include "keywrap/nkp_id.h"
#include "keywrap/pkcs12_private.h"
#include "keywrap/secret_json.h"

enum { UUID_BYTES = 16, UUID_TEXT = 36 };

/* Where we look now. */
struct finder {
    struct pkcs12_walk *w;
    const char *place;
    const char *form; /* "base64 text", "JSON field 'key'": how the bytes at hand were spelled */
    unsigned depth;
};

static void find_octets(struct finder *f, const uint8_t *bytes, size_t length);

static struct pkcs12_bag *last_bag(struct pkcs12_walk *w)
{
    return &w->out->bags[w->out->bag_count - 1];
}

void pkcs12_note(struct pkcs12_fact *fact, const char *text, size_t length, const char *from,
                 bool clear)
{
    if (length == 0 || length >= sizeof fact->text || (fact->from != NULL && !clear) || fact->clear)
        return;
    memcpy(fact->text, text, length);
    fact->text[length] = '\0';
    fact->from = from;
    fact->clear = clear;
}

static void note_uuid(struct finder *f, const char *text, const char *from, bool clear)
{
    char lower[UUID_TEXT + 1];
    for (int i = 0; i <= UUID_TEXT; i++)
        lower[i] = (char)tolower((unsigned char)text[i]);
    pkcs12_note(&last_bag(f->w)->uuid, lower, UUID_TEXT, from, clear);
}

static bool is_key_size(size_t length)
{
    return length == 16 || length == 24 || length == 32;
}

/* A random UUID (version 4): one in 64 random keys of 16 bytes looks so, and KDKs have 32. */
static bool is_random_uuid(const uint8_t *bytes)
{
    return bytes[6] >> 4 == 4 && bytes[8] >> 6 == 2;
}

static void add_key(struct finder *f, const uint8_t *bytes, size_t length)
{
    struct pkcs12_walk *w = f->w;
    struct pkcs12 *out = w->out;
    struct pkcs12_key key = {.bag = out->bag_count - 1};
    if (length == UUID_BYTES && is_random_uuid(bytes)) {
        char text[UUID_TEXT + 1];
        nkp_uuid_text(bytes, text);
        note_uuid(f, text, "16 bytes with the marks of a UUID", false);
        return;
    }
    if (out->key_count == PKCS12_MAX_KEYS) {
        snprintf(out->problem, sizeof out->problem,
                 "more than %d things that may be keys: the others are left out", PKCS12_MAX_KEYS);
        return;
    }
    key.key = secret_copy(bytes, length, w->error);
    for (size_t i = 0; key.key != NULL && i < out->key_count; i++)
        if (secret_equal(out->keys[i].key, key.key)) {
            secret_free(key.key);
            return;
        }
    struct pkcs12_key *grown =
        key.key == NULL ? NULL : realloc(out->keys, (out->key_count + 1) * sizeof *grown);
    if (grown == NULL) {
        secret_free(key.key);
        error_memory(w->error);
        return;
    }
    snprintf(key.where, sizeof key.where, "%zu bytes%s%s in %s", length, f->form ? ", " : "",
             f->form ? f->form : "", f->place);
    out->keys = grown;
    out->keys[out->key_count++] = key;
}

static bool is_text(const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!isprint(bytes[i]) && !isspace(bytes[i]))
            return false;
    return length > 0;
}

/* Hex or base64 of something; base64 with its padding, or names of the right length would be
 * keys. */
static void find_encoded(struct finder *f, const char *text, size_t length)
{
    struct buffer bytes = BUFFER_INIT;
    const char *form = f->form;
    size_t size = length;
    uint8_t *out = length < 24 ? NULL : (uint8_t *)buffer_reserve(&bytes, length);
    if (out != NULL && hex_decode(text, length, out, &size)) {
        f->form = form == NULL ? "hex text" : form;
        find_octets(f, out, size);
    } else if (out != NULL && length % 4 == 0) {
        size = length;
        f->form = form == NULL ? "base64 text" : form;
        if (base64_decode(text, length, out, &size))
            find_octets(f, out, size);
    }
    f->form = form;
    buffer_free(&bytes);
}

/* A string of JSON; the names are those that the REST API of vCenter gives to such things.
 * [vendor] */
static void find_string(struct finder *f, const char *name, const json_t *value)
{
    struct pkcs12_bag *bag = last_bag(f->w);
    const char *text = json_string_value(value);
    size_t length = json_string_length(value);
    const char *form = f->form;
    if (strcasecmp(name, "provider") == 0) {
        pkcs12_note(&bag->provider, text, length, "a field 'provider' in JSON", true);
    } else if (strcasecmp(name, "export_time") == 0) {
        pkcs12_note(&f->w->out->exported, text, length, "a field 'export_time' in JSON", true);
    } else if (nkp_is_uuid(text)) {
        bool named = strcasecmp(name, "key_id") == 0;
        note_uuid(f, text, named ? "a field 'key_id' in JSON" : "a UUID in JSON", named);
    } else {
        bool named = strcasecmp(name, "key_derivation_key") == 0;
        f->form = named ? "a field 'key_derivation_key' of JSON" : "a string of JSON";
        find_encoded(f, text, length);
        f->form = form;
    }
}

static void find_json(struct finder *f, const char *name, json_t *value)
{
    const char *inner_name;
    json_t *inner;
    size_t i;
    if (json_is_string(value))
        find_string(f, name, value);
    if (f->depth == PKCS12_MAX_DEPTH)
        return;
    f->depth++;
    json_object_foreach(value, inner_name, inner)
    {
        find_json(f, inner_name, inner);
    }
    json_array_foreach(value, i, inner)
    {
        find_json(f, "", inner);
    }
    f->depth--;
}

static void find_text(struct finder *f, const char *text, size_t length)
{
    while (length > 0 && isspace((unsigned char)*text)) {
        text++;
        length--;
    }
    while (length > 0 && isspace((unsigned char)text[length - 1]))
        length--;
    if (length == UUID_TEXT) {
        char copy[UUID_TEXT + 1] = "";
        memcpy(copy, text, UUID_TEXT);
        if (nkp_is_uuid(copy)) {
            note_uuid(f, copy, "text in the form of a UUID", false);
            return;
        }
    }
    struct error ignored = ERROR_INIT;
    json_t *json = length > 0 && (*text == '{' || *text == '[')
                       ? secret_json_read(text, length, &ignored)
                       : NULL;
    if (json != NULL)
        find_json(f, "", json);
    else
        find_encoded(f, text, length);
    json_decref(json);
}

static void find_item(struct finder *f, const struct der_item *item)
{
    struct buffer text = BUFFER_INIT;
    if (f->depth == PKCS12_MAX_DEPTH || f->w->error->code != ERROR_NONE)
        return;
    f->depth++;
    if (item->tag == DER_OCTETS || (item->tag >= DER_CONTEXT_0 && !item->constructed)) {
        if (der_string(item, &text))
            find_octets(f, (const uint8_t *)buffer_text(&text), text.length);
    } else if (pkcs12_text(item, &text)) {
        find_text(f, buffer_text(&text), text.length);
    } else if (item->constructed && !pkcs12_read_shrouded(f->w, item)) {
        struct der d = der_inside(item);
        struct der_item inner;
        while (der_next(&d, &inner))
            find_item(f, &inner);
    }
    f->depth--;
    buffer_free(&text);
}

static void find_octets(struct finder *f, const uint8_t *bytes, size_t length)
{
    struct der_item item;
    if (f->depth == PKCS12_MAX_DEPTH)
        return;
    f->depth++;
    size_t keys = f->w->out->key_count;
    bool text = is_text(bytes, length);
    if (text || (length > 0 && bytes[0] == '{' && !is_key_size(length)))
        find_text(f, (const char *)bytes, length);
    /* Text of 32 characters that encodes nothing may be a key as it stands. */
    if ((!text && is_key_size(length)) || (text && length == 32 && f->w->out->key_count == keys))
        add_key(f, bytes, length);
    else if (!text && der_is_item(bytes, length, &item) &&
             (item.constructed || item.tag == DER_OCTETS))
        find_item(f, &item);
    f->depth--;
}

void pkcs12_find(struct pkcs12_walk *w, const struct der_item *item, const char *place)
{
    struct finder f = {.w = w, .place = place};
    find_item(&f, item);
}

/* The fact that all bags that tell one agree on. */
static void agree(const struct pkcs12 *p12, size_t offset, struct pkcs12_fact *out)
{
    for (size_t i = 0; i < p12->bag_count; i++) {
        const struct pkcs12_fact *fact =
            (const struct pkcs12_fact *)((const char *)&p12->bags[i] + offset);
        if (fact->from == NULL)
            continue;
        if (out->from != NULL && out->clear == fact->clear && strcmp(out->text, fact->text) != 0) {
            *out = (struct pkcs12_fact){0};
            return;
        }
        if (out->from == NULL || fact->clear)
            *out = *fact;
    }
}

void pkcs12_conclude(struct pkcs12 *p12)
{
    agree(p12, offsetof(struct pkcs12_bag, uuid), &p12->uuid);
    agree(p12, offsetof(struct pkcs12_bag, provider), &p12->provider);
}
