/* event_tags - whose tagged event is it? see event_private.h and event_tag.h. */
#include "tpm/event_private.h"

#include <inttypes.h>

/* Linux's and systemd's: a description of what was measured; several may follow each other. */
static bool decode_linux(struct decoding *d, const struct event_tag *first)
{
    const uint8_t *data = d->event->data;
    bool kernel = first->id == EVENT_TAG_LINUX_INITRD || first->id == EVENT_TAG_LINUX_OPTIONS;
    json_t *more = json_array();
    struct event_tag tag;
    size_t offset = first->start + first->length;
    while (event_tag_next(data, d->event->length, &offset, &tag) && decoding_count(d)) {
        json_t *text = value_any(data + tag.start, tag.length);
        json_t *value = json_pack(
            "{s:s, s:o}", "tag",
            event_tag_linux_name(tag.id) == NULL ? "unknown" : event_tag_linux_name(tag.id),
            "description", text);
        d->failed = !value_append(more, value) || d->failed;
    }
    d->kind = kernel ? "linux-tag" : "systemd-tag";
    decoding_put(d, "tag", json_string(event_tag_linux_name(first->id)), first->start - 8, 4);
    decoding_put_bytes(d, "description", first->start, first->length);
    decoding_summary(d, "%s: ", event_tag_linux_name(first->id));
    json_t *text = json_object_get(d->fields, "description");
    decoding_summary_text(d, json_string_value(text));
    if (json_array_size(more) > 0)
        decoding_put(d, "more", json_incref(more), first->start + first->length,
                     offset - first->start - first->length);
    json_decref(more);
    return true;
}

/* Numbers that nobody of ours gives. */
static bool decode_unknown(struct decoding *d)
{
    const uint8_t *data = d->event->data;
    json_t *tags = json_array();
    struct event_tag tag = {0};
    size_t offset = 0, count = 0;
    for (; event_tag_next(data, d->event->length, &offset, &tag) && decoding_count(d); count++) {
        json_t *value = json_pack("{s:o, s:o}", "tag", value_address(tag.id), "data",
                                  value_any(data + tag.start, tag.length));
        d->failed = !value_append(tags, value) || d->failed;
    }
    if (count == 0 || (offset != d->event->length && count < DECODING_ITEMS_MAX)) {
        decoding_problem(d, "no tagged event: its sizes do not fit");
        json_decref(tags);
        return false;
    }
    d->kind = "tags";
    decoding_put_all(d, "tags", tags);
    decoding_summary(d, "%zu unknown tag%s, 0x%" PRIx32 "%s", count, count == 1 ? "" : "s", tag.id,
                     count == 1 ? "" : " the last");
    return true;
}

bool decode_tags(struct decoding *d)
{
    struct event_tag tag;
    if (!event_tag_first(d->event, &tag))
        return decode_unknown(d);
    if (event_tag_is_esxi(d->event, &tag))
        return decode_esxi(d, &tag);
    if (event_tag_linux_name(tag.id) != NULL)
        return decode_linux(d, &tag);
    if (event_tag_windows_name(tag.id) != NULL)
        return decode_windows(d);
    return decode_unknown(d);
}
