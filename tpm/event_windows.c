/*
 * event_windows - Windows' boot configuration log (WBCL): trees of tagged events
 * [source: wbcl.h of the Windows SDK]. The digest covers the whole event, names and all.
 */
#include "tpm/event_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SIPA_AGGREGATION 0x40000000u

enum {
    SIPA_DEPTH_MAX = 8,
    SIPA_FILEPATH = 0x00070001,
    SIPA_HASH_ALGORITHM = 0x00070003,
    SIPA_SI_POLICY = 0x0005000f,
};

/* Texts are UTF-16, all else of up to eight bytes is a number, the rest hex. */
static bool is_text_tag(uint32_t id)
{
    static const uint32_t texts[] = {0x00050009, 0x0005000b, 0x00070001, 0x00070005,
                                     0x00070008, 0x0007000d, 0x0007000f, 0x00090001};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (texts[i] == id)
            return true;
    return false;
}

/* A hash, thumbprint or serial number is no number even when it is short. */
static bool is_bytes_tag(uint32_t id)
{
    return id == 0x00070004 || id == 0x00070006 || id == 0x00070009 || id == 0x00060002;
}

/* A code integrity policy: version, name and digest. */
static json_t *policy_value(const uint8_t *data, size_t length)
{
    struct reader in = reader_over(data, length);
    uint64_t version = reader_u64(&in);
    size_t name_length = reader_u16(&in);
    uint16_t algorithm = reader_u16(&in);
    size_t digest_length = reader_u32(&in);
    const uint8_t *name = reader_bytes(&in, name_length);
    const uint8_t *digest = reader_bytes(&in, digest_length);
    char text[16];
    if (in.failed)
        return value_hex(data, length);
    return json_pack("{s:o, s:o, s:s, s:o}", "version", value_address(version), "name",
                     value_utf16(name, name_length), "algorithm", bank_name(algorithm, text),
                     "digest", value_hex(digest, digest_length));
}

/* By the numbers of Windows' own interface (CALG_SHA1 ...). */
static json_t *algorithm_value(uint32_t id)
{
    switch (id) {
    case 0x8004:
        return json_string("sha1");
    case 0x800c:
        return json_string("sha256");
    case 0x800d:
        return json_string("sha384");
    case 0x800e:
        return json_string("sha512");
    default:
        return value_address(id);
    }
}

static json_t *leaf_value(uint32_t id, const uint8_t *data, size_t length)
{
    struct reader in = reader_over(data, length);
    if (id == SIPA_SI_POLICY)
        return policy_value(data, length);
    if (id == SIPA_HASH_ALGORITHM && length == 4)
        return algorithm_value(reader_u32(&in));
    if (is_text_tag(id) && length % 2 == 0 && bytes_are_utf16(data, length))
        return value_utf16(data, length);
    if (is_bytes_tag(id))
        return value_hex(data, length);
    switch (length) {
    case 1:
        return json_integer(reader_u8(&in));
    case 2:
        return json_integer(reader_u16(&in));
    case 4:
        return json_integer(reader_u32(&in));
    case 8:
        return value_number(reader_u64(&in));
    default:
        return value_hex(data, length);
    }
}

struct wbcl {
    struct decoding *d;
    size_t tags;
    json_t *path; /* of the first file, borrowed */
};

static json_t *tree(struct wbcl *w, const uint8_t *data, size_t length, unsigned depth);

static json_t *tag_value(struct wbcl *w, const uint8_t *data, const struct event_tag *tag,
                         unsigned depth)
{
    const char *name = event_tag_windows_name(tag->id);
    char number[16];
    snprintf(number, sizeof number, "0x%08" PRIx32, tag->id);
    json_t *value = json_object();
    bool ok = value_add(value, "tag", json_string(number));
    if (name != NULL)
        ok = value_add(value, "name", json_string(name)) && ok;
    json_t *inner = NULL;
    if ((tag->id & SIPA_AGGREGATION) != 0 && depth < SIPA_DEPTH_MAX)
        inner = tree(w, data + tag->start, tag->length, depth + 1);
    if (inner != NULL) {
        ok = value_add(value, "tags", inner) && ok;
    } else {
        json_t *leaf = leaf_value(tag->id, data + tag->start, tag->length);
        if (tag->id == SIPA_FILEPATH && w->path == NULL)
            w->path = leaf;
        ok = value_add(value, "value", leaf) && ok;
    }
    if (ok)
        return value;
    json_decref(value);
    w->d->failed = true;
    return NULL;
}

/* NULL when LENGTH bytes at DATA are not tags from end to end. */
static json_t *tree(struct wbcl *w, const uint8_t *data, size_t length, unsigned depth)
{
    struct event_tag tag;
    size_t offset = 0;
    while (event_tag_next(data, length, &offset, &tag))
        ;
    if (offset != length || length == 0)
        return NULL;
    json_t *tags = json_array();
    for (offset = 0; event_tag_next(data, length, &offset, &tag) && decoding_count(w->d); w->tags++)
        w->d->failed = !value_append(tags, tag_value(w, data, &tag, depth)) || w->d->failed;
    return tags;
}

bool decode_windows(struct decoding *d)
{
    struct wbcl w = {.d = d};
    json_t *tags = tree(&w, d->event->data, d->event->length, 0);
    struct event_tag first;
    if (tags == NULL || !event_tag_first(d->event, &first)) {
        decoding_problem(d, "no tagged event: its sizes do not fit");
        json_decref(tags);
        return false;
    }
    d->kind = "windows-tags";
    const char *name = event_tag_windows_name(first.id);
    decoding_summary(d, "%s, %zu tag%s", name == NULL ? "Windows" : name, w.tags,
                     w.tags == 1 ? "" : "s");
    if (w.path != NULL && !d->failed) {
        decoding_summary(d, ": ");
        decoding_summary_text(d, json_string_value(w.path));
    }
    decoding_put_all(d, "tags", tags);
    return true;
}
