/* event_value - values of decoded fields, see event_private.h. */
#include "tpm/event_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "tpm/bank.h"

/* A text under way, with room for the longest that it can become: values are many and small. */
struct draft {
    char *text;
    size_t length;
};

static bool draft_begin(struct draft *draft, size_t most)
{
    *draft = (struct draft){.text = malloc(most + 1)};
    return draft->text != NULL;
}

static void draft_append(struct draft *draft, const void *bytes, size_t length)
{
    memcpy(draft->text + draft->length, bytes, length);
    draft->length += length;
}

static json_t *draft_end(struct draft *draft)
{
    json_t *value = json_stringn(draft->text, draft->length);
    free(draft->text);
    return value;
}

static const char digits[] = "0123456789abcdef";

/* A control character that JSON could hold but a reader might not expect, NUL above all. */
static bool is_control(const uint8_t *at, size_t length)
{
    if (length == 1)
        return (at[0] < 0x20 && at[0] != '\n' && at[0] != '\t') || at[0] == 0x7f;
    return length == 2 && at[0] == 0xc2 && at[1] < 0xa0;
}

json_t *value_text(const void *bytes, size_t length)
{
    const uint8_t *at = bytes;
    struct draft draft;
    while (length > 0 && at[length - 1] == 0)
        length--;
    if (length > SIZE_MAX / 4 - 1 || !draft_begin(&draft, 4 * length))
        return NULL;
    for (size_t i = 0; i < length;) {
        size_t size = utf8_character((const char *)at + i, length - i);
        bool escaped = size == 0 || is_control(at + i, size);
        size = size == 0 ? 1 : size;
        for (size_t j = i; escaped && j < i + size; j++)
            draft_append(&draft, (const char[]){'\\', 'x', digits[at[j] >> 4], digits[at[j] & 15]},
                         4);
        if (!escaped)
            draft_append(&draft, at + i, size);
        i += size;
    }
    return draft_end(&draft);
}

static void append_utf8(struct draft *draft, uint32_t c)
{
    char out[4];
    size_t size = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const uint8_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = size; i-- > 1; c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)(lead[size] | c);
    draft_append(draft, out, size);
}

static uint32_t utf16_unit(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8;
}

json_t *value_utf16(const void *bytes, size_t length)
{
    const uint8_t *at = bytes;
    struct draft draft;
    size_t units = length / 2;
    while (units > 0 && utf16_unit(at + 2 * (units - 1)) == 0)
        units--;
    if (units > SIZE_MAX / 6 - 1 || !draft_begin(&draft, 6 * units))
        return NULL;
    for (size_t i = 0; i < units; i++) {
        uint32_t c = utf16_unit(at + 2 * i);
        uint32_t low = i + 1 < units ? utf16_unit(at + 2 * (i + 1)) : 0;
        if (c >= 0xd800 && c < 0xdc00 && low >= 0xdc00 && low < 0xe000) {
            append_utf8(&draft, 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00));
            i++;
        } else if ((c >= 0xd800 && c < 0xe000) || (c < 0x20 && c != '\n' && c != '\t') ||
                   (c >= 0x7f && c < 0xa0)) {
            draft_append(&draft, "\\u", 2);
            for (unsigned shift = 16; shift > 0; shift -= 4)
                draft_append(&draft, &digits[(c >> (shift - 4)) & 15], 1);
        } else {
            append_utf8(&draft, c);
        }
    }
    return draft_end(&draft);
}

json_t *value_hex(const void *bytes, size_t length)
{
    const uint8_t *at = bytes;
    struct draft draft;
    if (length > SIZE_MAX / 2 - 1 || !draft_begin(&draft, 2 * length))
        return NULL;
    for (size_t i = 0; i < length; i++)
        draft_append(&draft, (const char[]){digits[at[i] >> 4], digits[at[i] & 15]}, 2);
    return draft_end(&draft);
}

/* Printable, perhaps ended by NULs; nothing that value_text would escape. */
bool bytes_are_text(const uint8_t *bytes, size_t length)
{
    while (length > 0 && bytes[length - 1] == 0)
        length--;
    for (size_t i = 0; i < length;) {
        size_t size = utf8_character((const char *)bytes + i, length - i);
        if (size == 0 || is_control(bytes + i, size))
            return false;
        i += size;
    }
    return length > 0;
}

/* Most characters of any text in UTF-16 that a boot loader measures are below U+0100. */
bool bytes_are_utf16(const uint8_t *bytes, size_t length)
{
    size_t low = 0;
    if (length < 4 || length % 2 != 0)
        return false;
    for (size_t i = 0; i < length; i += 2) {
        uint32_t c = utf16_unit(bytes + i);
        if (c < 0x20 && c != '\n' && c != '\t' && c != '\r' && c != 0)
            return false;
        low += c < 0x100 && c != 0;
    }
    return low > length / 4;
}

json_t *value_any(const uint8_t *bytes, size_t length)
{
    return bytes_are_text(bytes, length)    ? value_text(bytes, length)
           : bytes_are_utf16(bytes, length) ? value_utf16(bytes, length)
                                            : value_hex(bytes, length);
}

json_t *value_sha256(const void *bytes, size_t length)
{
    uint8_t digest[BANK_DIGEST_MAX];
    return bank_hash(BANK_SHA256, bytes, length, NULL, 0, digest) ? value_hex(digest, 32) : NULL;
}

json_t *value_guid(const uint8_t *bytes)
{
    char text[37];
    guid_text(bytes, text);
    return json_string(text);
}

json_t *value_address(uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "0x%" PRIx64, value);
    return json_string(text);
}

json_t *value_number(uint64_t value)
{
    char text[24];
    if (value <= INT64_MAX)
        return json_integer((json_int_t)value);
    snprintf(text, sizeof text, "%" PRIu64, value);
    return json_string(text);
}

bool value_add(json_t *object, const char *name, json_t *value)
{
    return json_object_set_new(object, name, value) == 0;
}

bool value_append(json_t *array, json_t *value)
{
    return json_array_append_new(array, value) == 0;
}

void guid_text(const uint8_t *b, char text[37])
{
    /* Three little-endian numbers, then bytes as they stand. */
    snprintf(text, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[3],
             b[2], b[1], b[0], b[5], b[4], b[7], b[6], b[8], b[9], b[10], b[11], b[12], b[13],
             b[14], b[15]);
}

const char *guid_name(const uint8_t *bytes)
{
    /* [source: UEFI 2.10; TCG PFP; shim; systemd; EDK II] */
    static const struct {
        char guid[37];
        const char *name;
    } names[] = {
        {"8be4df61-93ca-11d2-aa0d-00e098032b8c", "EFI global variable"},
        {"d719b2cb-3d3a-4596-a3bc-dad00e67656f", "image security database"},
        {"605dab50-e046-4300-abb6-3dd810dd8b23", "shim lock"},
        {"4a67b082-0a4c-41cf-b6c7-440b29bb8c4f", "systemd loader"},
        {"77fa9abd-0359-4d32-bd60-28f4e78f784b", "Microsoft"},
        {"77fa9abd-0359-4d32-bd60-28f4e78f784a", "Microsoft (Windows)"},
        {"a5c059a1-94e4-4aa7-87b5-ab155c2bf072", "X.509 certificate"},
        {"c1c41626-504c-4092-aca9-41f936934328", "SHA-256 hash"},
        {"826ca512-cf10-4ac9-b187-be01496631bd", "SHA-1 hash"},
        {"0b6e5233-a65c-44c9-9407-d9ab83bfc8bd", "SHA-224 hash"},
        {"ff3e5307-9fd0-48c9-85f1-8ad56c701e01", "SHA-384 hash"},
        {"093e0fae-a6c4-4f50-9f1b-d41e2b89c19a", "SHA-512 hash"},
        {"3c5766e8-269c-4e34-aa14-ed776e85b3b6", "RSA-2048 key"},
        {"e2b36190-879b-4a3d-ad8d-f2e7bba32784", "RSA-2048 signature of SHA-256"},
        {"3bd2a492-96c0-4079-b420-fcf98ef103ed", "hash of a certificate, SHA-256"},
        {"7076876e-80c2-4ee6-aad2-28b349a6865b", "hash of a certificate, SHA-384"},
        {"446dbf63-2502-4cda-bcfa-2465d2b0fe9d", "hash of a certificate, SHA-512"},
        {"452e8ced-dfff-4b8c-ae01-5118862e682c", "external management of keys"},
        {"eb9d2d31-2d88-11d3-9a16-0090273fc14d", "SMBIOS table"},
        {"f2fd1544-9794-4a2c-992e-e5bbcf20e394", "SMBIOS 3 table"},
        {"8868e871-e4f1-11d3-bc22-0080c73c8881", "ACPI 2.0 table"},
        {"eb9d2d30-2d88-11d3-9a16-0090273fc14d", "ACPI 1.0 table"},
        {"eb9d2d2f-2d88-11d3-9a16-0090273fc14d", "MP table"},
        {"c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "EFI system partition"},
        {"aa31e02a-400f-11db-9590-000c2911d1b8", "VMFS"},
        {"9d275380-40ad-11db-bf97-000c2911d1b8", "ESXi core dump"},
        {"9198effc-31c0-11db-8f78-000c2911d1b8", "ESXi reserved"},
        {"381cfccc-7288-11e0-92ee-000c2911d0b2", "vSAN"},
        {"0fc63daf-8483-4772-8e79-3d69d8477de4", "Linux file system"},
        {"ebd0a0a2-b9e5-4433-87c0-68b6b72699c7", "basic data"},
        {"e3c9e316-0b5c-4db8-817d-f92df00215ae", "Microsoft reserved"},
        {"de94bba4-06d1-4d40-a16a-bfd50179d6ac", "Windows recovery"},
        {"21686148-6449-6e6f-744e-656564454649", "BIOS boot"},
    };
    char text[37];
    guid_text(bytes, text);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i].guid, text) == 0)
            return names[i].name;
    return NULL;
}
