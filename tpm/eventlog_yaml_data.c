/* eventlog_yaml_data - what an event says, as tpm2_eventlog words it. */
#include "tpm/eventlog_yaml_private.h"

#include <inttypes.h>
#include <string.h>

#include "base/reader.h"
#include "tpm/devpath.h"
#include "tpm/event_private.h"
#include "tpm/event_types.h"

static void out_blob(struct yaml_out *out, struct reader *in, bool narrow)
{
    uint64_t base = narrow ? reader_u32(in) : reader_u64(in);
    uint64_t length = narrow ? reader_u32(in) : reader_u64(in);
    out_pair(out, "BlobBase", "0x%" PRIx64, base);
    out_pair(out, "BlobLength", "0x%" PRIx64, length);
}

/* 32-bit firmware has two numbers of 32 bits, which tpm2_eventlog refuses. */
static bool event_blob(struct yaml_out *out, const struct eventlog_event *event)
{
    struct reader in = reader_over(event->data, event->length);
    bool narrow = event->length == 8;
    if (event->length < 16 && !narrow)
        return false;
    out_key(out, "Event");
    out_map(out);
    out_blob(out, &in, narrow);
    out_map_end(out);
    return true;
}

static bool event_blob2(struct yaml_out *out, const struct eventlog_event *event)
{
    struct reader in = reader_over(event->data, event->length);
    size_t size = reader_u8(&in);
    const uint8_t *description = reader_bytes(&in, size);
    if (description == NULL || reader_left(&in) < 16)
        return false;
    out_key(out, "Event");
    out_map(out);
    out_pair(out, "BlobDescriptionSize", "%zu", size);
    out_key(out, "BlobDescription");
    out_hex(out, description, size);
    out_blob(out, &in, false);
    out_map_end(out);
    return true;
}

/* Up to the first NUL, as C takes it, and without new lines behind it, as YAML's |- does. */
static bool event_text(struct yaml_out *out, const struct eventlog_event *event)
{
    size_t length = strnlen((const char *)event->data, event->length);
    while (length > 0 && event->data[length - 1] == '\n')
        length--;
    out_key(out, "Event");
    out_text(out, event->data, length);
    return true;
}

static bool event_ipl(struct yaml_out *out, const struct eventlog_event *event)
{
    out_key(out, "Event");
    out_map(out);
    out_key(out, "String");
    out_text(out, event->data, event->length);
    out_map_end(out);
    return true;
}

void out_path(struct yaml_out *out, const uint8_t *path, size_t length, size_t all)
{
    struct buffer text = BUFFER_INIT;
    bool hex = out->options.paths == EVENTLOG_YAML_PATHS_HEX;
    enum devpath_style style =
        out->options.paths == EVENTLOG_YAML_PATHS_EFIVAR_39 ? DEVPATH_EFIVAR_39 : DEVPATH_EFIVAR;
    out_key(out, "DevicePath");
    if (!hex && (devpath_text(path, length, style, &text, NULL) || text.length > 0))
        out_text(out, buffer_text(&text), text.length);
    else
        out_hex(out, path, all);
    out->failed = out->failed || text.failed;
    buffer_free(&text);
}

static bool event_image(struct yaml_out *out, const struct eventlog_event *event)
{
    struct reader in = reader_over(event->data, event->length);
    uint64_t base = reader_u64(&in), size = reader_u64(&in), link = reader_u64(&in);
    uint64_t length = reader_u64(&in);
    if (in.failed)
        return false;
    size_t left = reader_left(&in);
    out_key(out, "Event");
    out_map(out);
    out_pair(out, "ImageLocationInMemory", "0x%" PRIx64, base);
    out_pair(out, "ImageLengthInMemory", "%" PRIu64, size);
    out_pair(out, "ImageLinkTimeAddress", "0x%" PRIx64, link);
    out_pair(out, "LengthOfDevicePath", "%" PRIu64, length);
    out_path(out, event->data + in.offset, length < left ? (size_t)length : left, left);
    out_map_end(out);
    return true;
}

static bool event_no_action(struct yaml_out *out, const struct eventlog_event *event)
{
    if (out->options.version < 2 || event->length < 17 ||
        memcmp(event->data, "StartupLocality", 16) != 0)
        return false;
    out_key(out, "Event");
    out_map(out);
    out_pair(out, "StartupLocality", "%u", (unsigned)event->data[16]);
    out_map_end(out);
    return true;
}

static void out_partition(struct yaml_out *out, const uint8_t *entry)
{
    struct reader in = reader_over(entry + 32, 24);
    out_map(out);
    out_key(out, "PartitionTypeGUID");
    out_guid(out, entry);
    out_key(out, "UniquePartitionGUID");
    out_guid(out, entry + 16);
    out_pair(out, "StartingLBA", "0x%" PRIx64, reader_u64(&in));
    out_pair(out, "EndingLBA", "0x%" PRIx64, reader_u64(&in));
    out_pair(out, "Attributes", "0x%" PRIx64, reader_u64(&in));
    out_key(out, "PartitionName");
    out_utf16(out, entry + 56, 72);
    out_map_end(out);
}

static void out_gpt_header(struct yaml_out *out, const uint8_t *data)
{
    struct reader in = reader_over(data + 8, 48), end = reader_over(data + 72, 20);
    out_map(out);
    out_key(out, "Signature");
    out_text(out, data, 8);
    out_pair(out, "Revision", "0x%" PRIx32, reader_u32(&in));
    out_pair(out, "HeaderSize", "%" PRIu32, reader_u32(&in));
    out_pair(out, "HeaderCRC32", "0x%" PRIx32, reader_u32(&in));
    reader_skip(&in, 4);
    out_pair(out, "MyLBA", "0x%" PRIx64, reader_u64(&in));
    out_pair(out, "AlternateLBA", "0x%" PRIx64, reader_u64(&in));
    out_pair(out, "FirstUsableLBA", "0x%" PRIx64, reader_u64(&in));
    out_pair(out, "LastUsableLBA", "0x%" PRIx64, reader_u64(&in));
    out_key(out, "DiskGUID");
    out_guid(out, data + 56);
    out_pair(out, "PartitionEntryLBA", "0x%" PRIx64, reader_u64(&end));
    out_pair(out, "NumberOfPartitionEntry", "%" PRIu32, reader_u32(&end));
    out_pair(out, "SizeOfPartitionEntry", "%" PRIu32, reader_u32(&end));
    out_pair(out, "PartitionEntryArrayCRC32", "0x%" PRIx32, reader_u32(&end));
    out_map_end(out);
}

static bool event_gpt(struct yaml_out *out, const struct eventlog_event *event)
{
    enum { HEADER = 92, ENTRY = 128 };
    struct reader in = reader_over(event->data, event->length);
    const uint8_t *header = reader_bytes(&in, HEADER);
    uint64_t count = reader_u64(&in);
    if (out->options.version < 2 || in.failed || count > reader_left(&in) / ENTRY)
        return false;
    out_key(out, "Event");
    out_map(out);
    out_key(out, "Header");
    out_gpt_header(out, header);
    out_pair(out, "NumberOfPartitions", "%" PRIu64, count);
    out_key(out, "Partitions");
    if (count == 0) {
        out_plain(out, "%s", "");
    } else {
        out_list(out);
        for (uint64_t i = 0; i < count; i++)
            out_partition(out, reader_bytes(&in, ENTRY));
        out_list_end(out);
    }
    out_map_end(out);
    return true;
}

/* False when the data is to be shown in hex. */
static bool known_event(struct yaml_out *out, const struct eventlog_event *event)
{
    switch (event->type) {
    case EV_EFI_VARIABLE_DRIVER_CONFIG:
    case EV_EFI_VARIABLE_BOOT:
    case EV_EFI_VARIABLE_BOOT2:
    case EV_EFI_VARIABLE_AUTHORITY:
        return out_variable(out, event);
    case EV_POST_CODE:
    case EV_S_CRTM_CONTENTS:
        return event->length == 16 ? event_blob(out, event) : event_text(out, event);
    case EV_EFI_PLATFORM_FIRMWARE_BLOB:
        return event_blob(out, event);
    case EV_EFI_PLATFORM_FIRMWARE_BLOB2:
        return event_blob2(out, event);
    case EV_EFI_ACTION:
    case EV_EFI_HCRTM_EVENT:
        return event_text(out, event);
    case EV_IPL:
        return event_ipl(out, event);
    case EV_EFI_BOOT_SERVICES_APPLICATION:
    case EV_EFI_BOOT_SERVICES_DRIVER:
    case EV_EFI_RUNTIME_SERVICES_DRIVER:
        return event_image(out, event);
    case EV_EFI_GPT_EVENT:
        return event_gpt(out, event);
    case EV_NO_ACTION:
        return event_no_action(out, event);
    default:
        return false;
    }
}

void out_event_data(struct yaml_out *out, const struct eventlog_event *event)
{
    if (event->length == 0 || known_event(out, event))
        return;
    out_key(out, "Event");
    out_hex(out, event->data, event->length);
}
