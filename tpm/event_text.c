/* event_text - events that are a text or a small number, see event_private.h. */
#include "tpm/event_private.h"

#include <inttypes.h>
#include <string.h>

static const char *field_text(const struct decoding *d, const char *name)
{
    const char *text = json_string_value(json_object_get(d->fields, name));
    return text == NULL ? "" : text;
}

bool decode_separator(struct decoding *d)
{
    struct reader in = reader_over(d->event->data, d->event->length);
    uint32_t value = reader_u32(&in);
    d->kind = "separator";
    if (d->check->coverage == EVENT_COVERS_FIXED) {
        decoding_summary(d, "error separator: the firmware reports a failure");
        decoding_problem(d, "an error separator: the measurements before it are not complete");
    } else if (d->event->length == 4 && (value == 0 || value == UINT32_MAX)) {
        decoding_summary(d, "separator");
    } else {
        decoding_summary(d, "separator, %zu bytes", d->event->length);
    }
    decoding_put_bytes(d, "value", 0, d->event->length);
    return true;
}

bool decode_action(struct decoding *d)
{
    if (!bytes_are_text(d->event->data, d->event->length))
        return false;
    d->kind = "action";
    decoding_put_bytes(d, "text", 0, d->event->length);
    decoding_summary_text(d, field_text(d, "text"));
    return true;
}

/* "POST CODE", "ACPI DATA", or where the code lies. */
bool decode_post_code(struct decoding *d)
{
    size_t length = d->event->length;
    if ((length == 8 || length == 16) && !bytes_are_text(d->event->data, length))
        return decode_firmware_blob(d);
    return false;
}

bool decode_version(struct decoding *d)
{
    const uint8_t *data = d->event->data;
    size_t length = d->event->length;
    if (!bytes_are_text(data, length) && !bytes_are_utf16(data, length))
        return false;
    d->kind = "text";
    decoding_put_bytes(d, "text", 0, length);
    decoding_summary(d, "S-CRTM version ");
    decoding_summary_text(d, field_text(d, "text"));
    return true;
}

/* GRUB's "grub_cmd: linux /vmlinuz", shim's "MokList", systemd's command lines in UTF-16. */
bool decode_ipl(struct decoding *d)
{
    const struct event_check *check = d->check;
    size_t length = d->event->length;
    if (!bytes_are_text(d->event->data, length) && !bytes_are_utf16(d->event->data, length))
        return false;
    d->kind = "ipl";
    /* The digest covers what stands behind the label only. */
    size_t start = check->coverage == EVENT_COVERS_PART ? check->start : 0;
    if (start > 0)
        decoding_put_bytes(d, "label", 0, start);
    decoding_put_bytes(d, "text", start, length - start);
    decoding_summary_text(d, start > 0 ? field_text(d, "label") : "");
    decoding_summary_text(d, field_text(d, "text"));
    return true;
}

bool decode_txt(struct decoding *d)
{
    char room[24];
    uint32_t type = d->event->type;
    /* Intel's numbers: a dynamic launch's measurements, in PCR 17 and 18. */
    if (type < 0x400 || (type > 0x4ff && type != 0x8401))
        return false;
    const char *name = eventlog_type_name(type, room);
    d->kind = "txt";
    decoding_summary(d, "%s", name);
    decoding_note(d, "name", json_string(name));
    if (d->event->length > 0)
        decoding_put_bytes(d, "data", 0, d->event->length);
    return true;
}
