/* eventlog_yaml_variable - UEFI variables, as tpm2_eventlog words them. */
#include "tpm/eventlog_yaml_private.h"

#include <inttypes.h>
#include <string.h>

#include "tpm/event_private.h"
#include "tpm/event_types.h"

static void out_signature(struct yaml_out *out, const uint8_t *entry, size_t length)
{
    out_map(out);
    out_key(out, "SignatureOwner");
    out_guid(out, entry);
    out_key(out, "SignatureData");
    out_hex(out, entry + SIGNATURE_OWNER_BYTES, length - SIGNATURE_OWNER_BYTES);
    out_map_end(out);
}

static void out_signature_list(struct yaml_out *out, const struct signature_list *list)
{
    size_t size = 28 + list->header + list->entry_size * list->entry_count;
    out_map(out);
    out_key(out, "SignatureType");
    out_guid(out, list->type);
    out_pair(out, "SignatureListSize", "%zu", size);
    out_pair(out, "SignatureHeaderSize", "%zu", list->header);
    out_pair(out, "SignatureSize", "%zu", list->entry_size);
    out_key(out, "Keys");
    if (list->entry_count == 0) {
        out_plain(out, "%s", "");
    } else {
        out_list(out);
        for (size_t i = 0; i < list->entry_count; i++)
            out_signature(out, list->entries + i * list->entry_size, list->entry_size);
        out_list_end(out);
    }
    out_map_end(out);
}

/* Lists that contradict themselves are left to be shown in hex. */
static bool lists_are_sound(const struct variable *v)
{
    struct reader in = reader_over(v->data, v->length);
    struct signature_list list;
    while (reader_left(&in) > 0)
        if (!signature_list_read(&in, &list))
            return false;
    return true;
}

static bool out_signature_lists(struct yaml_out *out, const struct variable *v)
{
    struct reader in = reader_over(v->data, v->length);
    struct signature_list list;
    if (!lists_are_sound(v))
        return false;
    out_key(out, "VariableData");
    if (v->length == 0) {
        out_plain(out, "%s", "");
        return true;
    }
    out_list(out);
    while (reader_left(&in) > 0 && signature_list_read(&in, &list))
        out_signature_list(out, &list);
    out_list_end(out);
    return true;
}

static void out_enabled(struct yaml_out *out, bool enabled)
{
    out_key(out, "Enabled");
    out_text(out, enabled ? "Yes" : "No", enabled ? 3 : 2);
}

static bool out_switch(struct yaml_out *out, const struct variable *v)
{
    if (v->length > 1)
        return false;
    out_key(out, "VariableData");
    out_map(out);
    out_enabled(out, v->length == 1 && v->data[0] != 0);
    out_map_end(out);
    return true;
}

static bool out_one_signature(struct yaml_out *out, const struct variable *v)
{
    if (v->length < SIGNATURE_OWNER_BYTES)
        return false;
    out_key(out, "VariableData");
    out_list(out);
    out_signature(out, v->data, v->length);
    out_list_end(out);
    return true;
}

static bool out_string(struct yaml_out *out, const struct variable *v)
{
    out_key(out, "VariableData");
    out_map(out);
    out_key(out, "String");
    out_text(out, v->data, v->length);
    out_map_end(out);
    return true;
}

static bool out_boot_order(struct yaml_out *out, const struct variable *v)
{
    struct reader in = reader_over(v->data, v->length);
    if (v->length % 2 != 0)
        return false;
    out_key(out, "VariableData");
    if (v->length == 0) {
        out_plain(out, "%s", "");
        return true;
    }
    out_list(out);
    while (reader_left(&in) > 0)
        out_plain(out, "Boot%04x", (unsigned)reader_u16(&in));
    out_list_end(out);
    return true;
}

static bool out_boot_option(struct yaml_out *out, const struct variable *v)
{
    struct reader in = reader_over(v->data, v->length);
    uint32_t attributes = reader_u32(&in);
    unsigned paths = reader_u16(&in);
    size_t start = in.offset;
    while (!in.failed && reader_u16(&in) != 0)
        ;
    if (in.failed)
        return false;
    size_t left = reader_left(&in);
    out_key(out, "VariableData");
    out_map(out);
    out_enabled(out, (attributes & 1) != 0);
    out_pair(out, "FilePathListLength", "%u", paths);
    out_key(out, "Description");
    out_utf16(out, v->data + start, in.offset - start);
    out_path(out, v->data + in.offset, left, left);
    out_map_end(out);
    return true;
}

/* "Boot" and four hex digits. */
static bool is_boot_option(const struct variable *v)
{
    char name[9] = "";
    for (size_t i = 0; v->name_length == 16 && i < 8; i++)
        name[i] = v->name[2 * i + 1] == 0 ? (char)v->name[2 * i] : '\0';
    return strncmp(name, "Boot", 4) == 0 && strspn(name + 4, "0123456789abcdefABCDEF") == 4;
}

/* Only version 2 looks into the data. False when hex is to be shown. */
static bool out_known(struct yaml_out *out, uint32_t type, const struct variable *v)
{
    if (out->options.version < 2)
        return false;
    if (type == EV_EFI_VARIABLE_DRIVER_CONFIG) {
        if (variable_is(v, "SecureBoot"))
            return out_switch(out, v);
        return (variable_is(v, "PK") || variable_is(v, "KEK") || variable_is(v, "db") ||
                variable_is(v, "dbx")) &&
               out_signature_lists(out, v);
    }
    if (type == EV_EFI_VARIABLE_AUTHORITY) {
        if (variable_is(v, "MokListTrusted"))
            return out_switch(out, v);
        if (variable_is(v, "SbatLevel"))
            return out_string(out, v);
        return (variable_is(v, "db") || variable_is(v, "Shim") || variable_is(v, "vendor_db")) &&
               out_one_signature(out, v);
    }
    if (variable_is(v, "BootOrder"))
        return out_boot_order(out, v);
    return is_boot_option(v) && out_boot_option(out, v);
}

bool out_variable(struct yaml_out *out, const struct eventlog_event *event)
{
    struct variable v;
    if (!variable_read(event, &v))
        return false;
    out_key(out, "Event");
    out_map(out);
    out_key(out, "VariableName");
    out_guid(out, v.guid);
    out_pair(out, "UnicodeNameLength", "%zu", v.name_length / 2);
    out_pair(out, "VariableDataLength", "%zu", v.length);
    out_key(out, "UnicodeName");
    out_utf16(out, v.name, v.name_length);
    if (!out_known(out, event->type, &v) && v.length > 0) {
        out_key(out, "VariableData");
        out_hex(out, v.data, v.length);
    }
    out_map_end(out);
    return true;
}
