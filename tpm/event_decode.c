/* event_decode - see event.h: the frame of a decoded event, and who decodes which type. */
#include "tpm/event_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/printable.h"
#include "tpm/event_types.h"

bool event_covers(const struct event_check *check, size_t start, size_t length)
{
    return (check->coverage == EVENT_COVERS_ALL || check->coverage == EVENT_COVERS_PART) &&
           !check->failed && length > 0 && start >= check->start &&
           start - check->start <= check->length &&
           length <= check->length - (start - check->start);
}

void decoding_note(struct decoding *d, const char *name, json_t *value)
{
    d->failed = !value_add(d->fields, name, value) || d->failed;
}

void decoding_put(struct decoding *d, const char *name, json_t *value, size_t start, size_t length)
{
    decoding_note(d, name, value);
    if (event_covers(d->check, start, length))
        d->failed = !value_append(d->authenticated, json_string(name)) || d->failed;
}

void decoding_put_all(struct decoding *d, const char *name, json_t *value)
{
    decoding_put(d, name, value, 0, d->event->length);
}

void decoding_summary(struct decoding *d, const char *format, ...)
{
    size_t room = sizeof d->summary - d->summary_length;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(d->summary + d->summary_length, room, format, arguments);
    va_end(arguments);
    if (length > 0)
        d->summary_length += (size_t)length < room ? (size_t)length : room - 1;
}

void decoding_summary_text(struct decoding *d, const char *text)
{
    char shown[320];
    printable_copy(text == NULL ? "" : text, shown, sizeof shown);
    bool cut = text != NULL && strlen(text) >= sizeof shown - 4;
    if (strlen(shown) + 4 <= sizeof d->summary - d->summary_length)
        decoding_summary(d, "%s%s", shown, cut ? "..." : "");
}

void decoding_problem(struct decoding *d, const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    d->failed = !value_append(d->problems, json_string(text)) || d->failed;
}

void decoding_put_bytes(struct decoding *d, const char *name, size_t start, size_t length)
{
    const uint8_t *bytes = d->event->data + start;
    bool text = bytes_are_text(bytes, length) || bytes_are_utf16(bytes, length);
    json_t *value = value_any(bytes, length);
    while (text && length > 0 && bytes[length - 1] == 0)
        length--;
    decoding_put(d, name, value, start, length);
}

void decode_data(struct decoding *d, const char *what)
{
    const struct eventlog_event *event = d->event;
    bool text = bytes_are_text(event->data, event->length);
    d->kind = text ? "text" : "data";
    decoding_put_bytes(d, d->kind, 0, event->length);
    decoding_summary(d, "%s%s", what, *what == '\0' ? "" : ": ");
    if (text)
        decoding_summary_text(d, json_string_value(json_object_get(d->fields, d->kind)));
    else
        decoding_summary(d, "%zu bytes", event->length);
}

bool decoding_count(struct decoding *d)
{
    if (d->items == DECODING_ITEMS_MAX)
        decoding_problem(d, "more than %d items: the rest is not shown", DECODING_ITEMS_MAX);
    return d->items++ < DECODING_ITEMS_MAX;
}

static bool decode_by_type(struct decoding *d)
{
    switch (d->event->type) {
    case EV_NO_ACTION:
        return decode_no_action(d);
    case EV_SEPARATOR:
        return decode_separator(d);
    case EV_ACTION:
    case EV_EFI_ACTION:
    case EV_OMIT_BOOT_DEVICE_EVENTS:
        return decode_action(d);
    case EV_EVENT_TAG:
        return decode_tags(d);
    case EV_POST_CODE:
    case EV_S_CRTM_CONTENTS:
        return decode_post_code(d);
    case EV_S_CRTM_VERSION:
        return decode_version(d);
    case EV_IPL:
        return decode_ipl(d);
    case EV_EFI_VARIABLE_DRIVER_CONFIG:
    case EV_EFI_VARIABLE_BOOT:
    case EV_EFI_VARIABLE_BOOT2:
    case EV_EFI_VARIABLE_AUTHORITY:
        return decode_variable(d);
    case EV_EFI_BOOT_SERVICES_APPLICATION:
    case EV_EFI_BOOT_SERVICES_DRIVER:
    case EV_EFI_RUNTIME_SERVICES_DRIVER:
        return decode_image(d);
    case EV_EFI_GPT_EVENT:
    case EV_EFI_GPT_EVENT2:
        return decode_gpt(d);
    case EV_EFI_PLATFORM_FIRMWARE_BLOB:
        return decode_firmware_blob(d);
    case EV_EFI_PLATFORM_FIRMWARE_BLOB2:
    case EV_POST_CODE2:
        return decode_firmware_blob2(d);
    case EV_EFI_HANDOFF_TABLES:
        return decode_handoff(d);
    case EV_EFI_HANDOFF_TABLES2:
        return decode_handoff2(d);
    case EV_EFI_SPDM_FIRMWARE_BLOB:
    case EV_EFI_SPDM_FIRMWARE_CONFIG:
    case EV_EFI_SPDM_DEVICE_POLICY:
    case EV_EFI_SPDM_DEVICE_AUTHORITY:
        return decode_spdm(d);
    default:
        return decode_txt(d);
    }
}

/* What the type is called in a summary, when the data is none that we know. */
static const char *plain_name(uint32_t type)
{
    switch (type) {
    case EV_PREBOOT_CERT:
        return "pre-boot certificate";
    case EV_S_CRTM_CONTENTS:
        return "S-CRTM contents";
    case EV_CPU_MICROCODE:
        return "CPU microcode";
    case EV_PLATFORM_CONFIG_FLAGS:
        return "platform configuration";
    case EV_TABLE_OF_DEVICES:
        return "table of devices";
    case EV_COMPACT_HASH:
        return "compact hash";
    case EV_NONHOST_CODE:
        return "non-host code";
    case EV_NONHOST_CONFIG:
        return "non-host configuration";
    case EV_NONHOST_INFO:
        return "non-host information";
    case EV_EFI_HCRTM_EVENT:
        return "H-CRTM";
    default:
        return "";
    }
}

static json_t *frame(struct decoding *d)
{
    json_t *result = json_object();
    bool ok = !d->failed && value_add(result, "kind", json_string(d->kind)) &&
              value_add(result, "summary", json_string(d->summary)) &&
              json_object_set(result, "fields", d->fields) == 0 &&
              json_object_set(result, "authenticated", d->authenticated) == 0 &&
              json_object_set(result, "problems", d->problems) == 0;
    if (ok)
        return result;
    json_decref(result);
    return NULL;
}

json_t *event_decode(const struct eventlog *log, const struct eventlog_event *event,
                     const struct event_check *check)
{
    struct decoding d = {.log = log,
                         .event = event,
                         .check = check,
                         .kind = "data",
                         .fields = json_object(),
                         .authenticated = json_array(),
                         .problems = json_array()};
    if (check->failed)
        decoding_problem(&d, "the digest is not the hash of the data, which it is in this type");
    if (!decode_by_type(&d)) {
        /* What a decoder had put before it gave up is void. */
        json_object_clear(d.fields);
        json_array_clear(d.authenticated);
        d.summary[d.summary_length = 0] = '\0';
        decode_data(&d, plain_name(event->type));
    }
    json_t *result = frame(&d);
    json_decref(d.fields);
    json_decref(d.authenticated);
    json_decref(d.problems);
    return result;
}
