/* event_boot - boot order and boot entries [source: UEFI 2.10, §3.1.3 EFI_LOAD_OPTION]. */
#include "tpm/event_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tpm/devpath.h"

bool decode_boot_order(struct decoding *d, const struct variable *v)
{
    struct reader in = reader_over(v->data, v->length);
    json_t *order = json_array();
    if (v->length % 2 != 0) {
        decoding_problem(d, "a boot order of %zu bytes", v->length);
        json_decref(order);
        return false;
    }
    decoding_summary(d, ":");
    for (size_t i = 0; reader_left(&in) > 0 && decoding_count(d); i++) {
        char name[16];
        snprintf(name, sizeof name, "Boot%04X", (unsigned)reader_u16(&in));
        d->failed = !value_append(order, json_string(name)) || d->failed;
        if (i < 16)
            decoding_summary(d, " %s", name);
    }
    decoding_put(d, "order", order, v->start, v->length);
    return true;
}

/* The length in bytes of the UTF-16 text at IN, its end counted; 0 when it has none. */
static size_t utf16_length(const struct reader *in)
{
    for (size_t i = in->offset; in->length - i >= 2; i += 2)
        if (in->data[i] == 0 && in->data[i + 1] == 0)
            return i + 2 - in->offset;
    return 0;
}

static json_t *path_value(struct decoding *d, const uint8_t *data, size_t length)
{
    struct buffer text = BUFFER_INIT;
    if (!devpath_text(data, length, DEVPATH_UEFI, &text, NULL))
        decoding_problem(d, "a device path that is cut off");
    json_t *value = text.failed ? NULL : json_string(buffer_text(&text));
    buffer_free(&text);
    return value;
}

bool decode_boot_option(struct decoding *d, const struct variable *v)
{
    struct reader in = reader_over(v->data, v->length);
    uint32_t attributes = reader_u32(&in);
    size_t paths = reader_u16(&in);
    size_t length = in.failed ? 0 : utf16_length(&in);
    if (length == 0) {
        decoding_problem(d, "a boot entry without the end of its description");
        return false;
    }
    size_t start = v->start + in.offset;
    json_t *description = value_utf16(reader_bytes(&in, length), length);
    if (paths > reader_left(&in)) {
        decoding_problem(d, "a boot entry whose device path does not fit");
        json_decref(description);
        return false;
    }
    decoding_summary(d, ": ");
    decoding_summary_text(d, description == NULL ? "" : json_string_value(description));
    decoding_put(d, "active", json_boolean(attributes & 1), v->start, 4);
    decoding_put(d, "attributes", value_address(attributes), v->start, 4);
    decoding_put(d, "description", description, start, length);
    json_t *path = path_value(d, v->data + in.offset, paths);
    if (path != NULL && json_string_length(path) > 0) {
        decoding_summary(d, ", ");
        decoding_summary_text(d, json_string_value(path));
    }
    decoding_put(d, "path", path, v->start + in.offset, paths);
    reader_skip(&in, paths);
    if (reader_left(&in) > 0)
        decoding_put_bytes(d, "optional_data", v->start + in.offset, reader_left(&in));
    return true;
}

/* An image that was loaded [source: TCG PFP 1.05, UEFI_IMAGE_LOAD_EVENT]. Its digest is the
 * Authenticode hash of the image, so that nothing here is vouched for. */
bool decode_image(struct decoding *d)
{
    struct reader in = reader_over(d->event->data, d->event->length);
    uint64_t base = reader_u64(&in), size = reader_u64(&in), link = reader_u64(&in);
    uint64_t length = reader_u64(&in);
    if (in.failed || length > reader_left(&in)) {
        decoding_problem(d, "no image load event: its device path does not fit");
        return false;
    }
    size_t start = in.offset;
    json_t *path = path_value(d, reader_bytes(&in, (size_t)length), (size_t)length);
    d->kind = "uefi-image";
    bool named = path != NULL && json_string_length(path) > 0;
    if (named)
        decoding_summary_text(d, json_string_value(path));
    else
        decoding_summary(d, "image at 0x%" PRIx64 ", %" PRIu64 " bytes", base, size);
    decoding_put(d, "path", path, start, (size_t)length);
    decoding_put(d, "image_base", value_address(base), 0, 8);
    decoding_put(d, "image_size", value_number(size), 8, 8);
    decoding_put(d, "link_address", value_address(link), 16, 8);
    if (reader_left(&in) > 0)
        decoding_problem(d, "%zu bytes behind the device path", reader_left(&in));
    return true;
}
