/*
 * event_firmware - firmware volumes, tables handed over, devices' firmware [source: TCG PFP 1.05
 * and 1.06: UEFI_PLATFORM_FIRMWARE_BLOB, UEFI_HANDOFF_TABLE_POINTERS, DEVICE_SECURITY_EVENT_DATA].
 *
 * Nearly all of these name a thing in memory whose hash is the digest; the names are anybody's
 * word.
 */
#include "tpm/event_private.h"

#include <inttypes.h>
#include <string.h>

#include "tpm/devpath.h"
#include "tpm/event_types.h"

/* Two addresses of 64 bits; of 32 bits in the logs of 32-bit firmware. */
bool decode_firmware_blob(struct decoding *d)
{
    size_t size = d->event->length == 8 ? 4 : 8;
    struct reader in = reader_over(d->event->data, d->event->length);
    if (d->event->length < 2 * size) {
        decoding_problem(d, "no firmware blob: %zu bytes", d->event->length);
        return false;
    }
    uint64_t base = size == 4 ? reader_u32(&in) : reader_u64(&in);
    uint64_t length = size == 4 ? reader_u32(&in) : reader_u64(&in);
    d->kind = "firmware-blob";
    decoding_summary(d, "firmware at 0x%" PRIx64 ", %" PRIu64 " bytes", base, length);
    decoding_put(d, "base", value_address(base), 0, size);
    decoding_put(d, "length", value_number(length), size, size);
    if (reader_left(&in) > 0)
        decoding_problem(d, "%zu bytes behind the blob", reader_left(&in));
    return true;
}

/* A description before the addresses. */
bool decode_firmware_blob2(struct decoding *d)
{
    struct reader in = reader_over(d->event->data, d->event->length);
    size_t size = reader_u8(&in);
    reader_skip(&in, size);
    size_t start = in.offset;
    uint64_t base = reader_u64(&in), length = reader_u64(&in);
    if (in.failed)
        return false;
    d->kind = "firmware-blob";
    if (size > 0) {
        decoding_put_bytes(d, "description", 1, size);
        json_t *text = json_object_get(d->fields, "description");
        decoding_summary_text(d, json_string_value(text));
        decoding_summary(d, ", ");
    }
    decoding_summary(d, "firmware at 0x%" PRIx64 ", %" PRIu64 " bytes", base, length);
    decoding_put(d, "base", value_address(base), start, 8);
    decoding_put(d, "length", value_number(length), start + 8, 8);
    if (reader_left(&in) > 0)
        decoding_problem(d, "%zu bytes behind the blob", reader_left(&in));
    return true;
}

static json_t *table_value(struct reader *in, size_t address_size)
{
    const uint8_t *guid = reader_bytes(in, 16);
    uint64_t address = address_size == 4 ? reader_u32(in) : reader_u64(in);
    json_t *value = json_object();
    bool ok = guid != NULL && value_add(value, "guid", value_guid(guid)) &&
              value_add(value, "address", value_address(address));
    if (ok && guid_name(guid) != NULL)
        ok = value_add(value, "name", json_string(guid_name(guid)));
    if (ok)
        return value;
    json_decref(value);
    return NULL;
}

/* The tables from OFFSET on; the size of their addresses follows from what fits. */
static bool put_tables(struct decoding *d, size_t offset)
{
    const uint8_t *data = d->event->data;
    size_t left = d->event->length - offset;
    for (size_t size = 8; size >= 4; size -= 4) {
        struct reader in = reader_over(data + offset, left);
        uint64_t count = size == 4 ? reader_u32(&in) : reader_u64(&in);
        if (in.failed || reader_left(&in) / (16 + size) < count ||
            count * (16 + size) != reader_left(&in))
            continue;
        json_t *tables = json_array();
        bool ok = true;
        for (uint64_t i = 0; ok && i < count && decoding_count(d); i++)
            ok = value_append(tables, table_value(&in, size));
        d->failed = d->failed || !ok;
        d->kind = "handoff-tables";
        decoding_summary(d, "%zu table%s", (size_t)count, count == 1 ? "" : "s");
        const char *name = json_string_value(json_object_get(json_array_get(tables, 0), "name"));
        if (name != NULL)
            decoding_summary(d, ": %s%s", name, count == 1 ? "" : ", ...");
        decoding_put(d, "tables", tables, offset, left);
        return true;
    }
    decoding_problem(d, "no table of pointers: its size does not match its count");
    return false;
}

bool decode_handoff(struct decoding *d)
{
    return put_tables(d, 0);
}

bool decode_handoff2(struct decoding *d)
{
    size_t size = d->event->length == 0 ? 0 : d->event->data[0];
    if (d->event->length < 1 + size) {
        decoding_problem(d, "no table of pointers: its description does not fit");
        return false;
    }
    if (size > 0)
        decoding_put_bytes(d, "description", 1, size);
    return put_tables(d, 1 + size);
}

/* The header of version 2 tells the length of what follows; that of version 1 has it in 16 bits. */
static bool spdm_header(struct decoding *d, struct reader *in, bool second)
{
    unsigned version = reader_u16(in);
    unsigned state = second ? reader_u8(in) : 0;
    reader_skip(in, second ? 1 : 0);
    uint32_t length = second ? reader_u32(in) : reader_u16(in);
    uint32_t hash = second ? 0 : reader_u32(in);
    uint32_t device = reader_u32(in);
    if (in->failed)
        return false;
    decoding_put(d, "version", value_address(version), 16, 2);
    if (second)
        decoding_put(d, "authentication_state", json_integer(state), 18, 1);
    else
        decoding_put(d, "spdm_hash", value_address(hash), 20, 4);
    decoding_put(d, "length", json_integer(length), second ? 20 : 18, second ? 4 : 2);
    decoding_put(d, "device_type", json_integer(device), 24, 4);
    decoding_summary(d, "device of type %" PRIu32 ", %zu bytes", device, reader_left(in));
    return true;
}

bool decode_spdm(struct decoding *d)
{
    const struct eventlog_event *event = d->event;
    struct reader in = reader_over(event->data, event->length);
    const uint8_t *signature = reader_bytes(&in, 16);
    /* Policy and authority are variables. */
    if (event->type == EV_EFI_SPDM_DEVICE_POLICY || event->type == EV_EFI_SPDM_DEVICE_AUTHORITY)
        return decode_variable(d);
    if (signature == NULL || memcmp(signature, "SPDM Device Sec", 15) != 0)
        return false;
    d->kind = "spdm-device";
    decoding_put(d, "signature", value_text(signature, 16), 0, 16);
    if (!spdm_header(d, &in, signature[15] == '2')) {
        decoding_problem(d, "an SPDM event that is cut off");
        return false;
    }
    size_t left = reader_left(&in);
    if (left > 0)
        decoding_put(d, "measurement", value_hex(event->data + in.offset, left), in.offset, left);
    return true;
}
