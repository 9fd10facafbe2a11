/* event_gpt - the partition table that was booted from [source: TCG PFP 1.05, UEFI_GPT_DATA; UEFI
 * 2.10, §5.3.2]. */
#include "tpm/event_private.h"

enum { GPT_HEADER_BYTES = 92, GPT_COUNT_BYTES = 8, GPT_ENTRY_BYTES = 128, GPT_NAME_BYTES = 72 };

static json_t *partition_value(const uint8_t *entry)
{
    struct reader in = reader_over(entry, GPT_ENTRY_BYTES);
    const uint8_t *type = reader_bytes(&in, 16), *id = reader_bytes(&in, 16);
    uint64_t first = reader_u64(&in), last = reader_u64(&in), attributes = reader_u64(&in);
    json_t *value = json_object();
    bool ok = value_add(value, "type", value_guid(type)) && value_add(value, "id", value_guid(id));
    if (guid_name(type) != NULL)
        ok = ok && value_add(value, "type_name", json_string(guid_name(type)));
    ok = ok && value_add(value, "first_block", value_number(first)) &&
         value_add(value, "last_block", value_number(last)) &&
         value_add(value, "attributes", value_address(attributes)) &&
         value_add(value, "name", value_utf16(entry + 56, GPT_NAME_BYTES));
    if (ok)
        return value;
    json_decref(value);
    return NULL;
}

static void put_header(struct decoding *d, const uint8_t *data)
{
    struct reader in = reader_over(data + 8, GPT_HEADER_BYTES - 8);
    uint32_t revision = reader_u32(&in);
    reader_skip(&in, 12); /* size, checksum, reserved */
    uint64_t own = reader_u64(&in), other = reader_u64(&in);
    uint64_t first = reader_u64(&in), last = reader_u64(&in);
    decoding_put(d, "revision", value_address(revision), 8, 4);
    decoding_put(d, "header_block", value_number(own), 24, 8);
    decoding_put(d, "backup_block", value_number(other), 32, 8);
    decoding_put(d, "first_usable_block", value_number(first), 40, 8);
    decoding_put(d, "last_usable_block", value_number(last), 48, 8);
    decoding_put(d, "disk_id", value_guid(data + 56), 56, 16);
}

bool decode_gpt(struct decoding *d)
{
    struct reader in = reader_over(d->event->data, d->event->length);
    const uint8_t *header = reader_bytes(&in, GPT_HEADER_BYTES);
    uint64_t count = reader_u64(&in);
    if (in.failed || count > reader_left(&in) / GPT_ENTRY_BYTES) {
        decoding_problem(d, "no partition table: its entries do not fit");
        return false;
    }
    char disk[37];
    json_t *partitions = json_array();
    size_t start = in.offset;
    bool ok = true;
    for (uint64_t i = 0; ok && i < count && decoding_count(d); i++)
        ok = value_append(partitions, partition_value(reader_bytes(&in, GPT_ENTRY_BYTES)));
    d->failed = d->failed || !ok;
    d->kind = "gpt";
    guid_text(header + 56, disk);
    decoding_summary(d, "disk %s, %zu partition%s", disk, (size_t)count, count == 1 ? "" : "s");
    put_header(d, header);
    /* An empty list is as good as the number that says so. */
    decoding_put(d, "partitions", partitions, start - GPT_COUNT_BYTES,
                 GPT_COUNT_BYTES + (size_t)count * GPT_ENTRY_BYTES);
    if (reader_left(&in) > 0)
        decoding_problem(d, "%zu bytes behind the partitions", reader_left(&in));
    return true;
}
