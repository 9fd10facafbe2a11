/*
 * event_variable - UEFI variables: GUID, name, data [source: TCG PFP 1.05, UEFI_VARIABLE_DATA].
 *
 * Firmware measures a configuration variable whole, but of boot variables often the data alone:
 * then the name is anybody's word.
 */
#include "tpm/event_private.h"

#include <ctype.h>
#include <string.h>

#include "tpm/event_types.h"

static bool is_one_of(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static bool is_switch(const char *name)
{
    static const char *const names[] = {"SecureBoot",   "SetupMode",  "AuditMode",
                                        "DeployedMode", "MokSBState", "MokListTrusted",
                                        "MokDBState",   "MokIgnoreDB"};
    return is_one_of(name, names, sizeof names / sizeof names[0]);
}

static bool is_database(const char *name)
{
    static const char *const names[] = {
        "PK",      "KEK",      "db",        "dbx",       "dbt",        "dbr",       "devdb",
        "MokList", "MokListX", "PKDefault", "dbDefault", "dbxDefault", "KEKDefault"};
    return is_one_of(name, names, sizeof names / sizeof names[0]);
}

static bool is_boot_option(const char *name)
{
    static const char *const kinds[] = {"Boot", "Driver", "SysPrep", "PlatformRecovery"};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        size_t length = strlen(kinds[i]);
        if (strncmp(name, kinds[i], length) == 0 && strlen(name) == length + 4 &&
            strspn(name + length, "0123456789ABCDEFabcdef") == 4)
            return true;
    }
    return false;
}

static bool decode_switch(struct decoding *d, const struct variable *v)
{
    if (v->length > 1) {
        decoding_problem(d, "a switch of %zu bytes, not of one", v->length);
        return false;
    }
    /* Not there means off; anything but 0 and 1 is not defined. */
    unsigned value = v->length == 0 ? 0 : v->data[0];
    if (value > 1)
        decoding_problem(d, "a switch that is neither 0 nor 1 but %u", value);
    decoding_put(d, "value", json_string(value == 1 ? "on" : "off"), v->start, v->length);
    decoding_summary(d, " = %s", value == 1 ? "on" : "off");
    return true;
}

static bool decode_sbat(struct decoding *d, const struct variable *v)
{
    if (!bytes_are_text(v->data, v->length))
        return false;
    decoding_put_bytes(d, "text", v->start, v->length);
    json_t *text = json_object_get(d->fields, "text");
    decoding_summary(d, " ");
    decoding_summary_text(d, json_string_value(text));
    return true;
}

static bool decode_known(struct decoding *d, const struct variable *v, const char *name)
{
    bool authority = d->event->type == EV_EFI_VARIABLE_AUTHORITY;
    if (is_switch(name))
        return decode_switch(d, v);
    if (strcmp(name, "SbatLevel") == 0 || strcmp(name, "SBAT") == 0)
        return decode_sbat(d, v);
    /* What verified an image is one entry of a database, not all of it. */
    if (authority)
        return decode_signature(d, v);
    if (is_database(name))
        return decode_signature_lists(d, v);
    if (strcmp(name, "BootOrder") == 0 || strcmp(name, "BootNext") == 0 ||
        strcmp(name, "BootCurrent") == 0 || strcmp(name, "DriverOrder") == 0)
        return decode_boot_order(d, v);
    return is_boot_option(name) && decode_boot_option(d, v);
}

static void decode_value(struct decoding *d, const struct variable *v, const char *name)
{
    d->kind = "uefi-variable";
    decoding_summary_text(d, name);
    if (name == NULL || decode_known(d, v, name))
        return;
    decoding_put_bytes(d, "data", v->start, v->length);
    decoding_summary(d, ", %zu bytes", v->length);
}

bool variable_read(const struct eventlog_event *event, struct variable *v)
{
    struct reader in = reader_over(event->data, event->length);
    v->guid = reader_bytes(&in, 16);
    uint64_t characters = reader_u64(&in), length = reader_u64(&in);
    if (in.failed || characters > reader_left(&in) / 2)
        return false;
    v->name_length = (size_t)characters * 2;
    v->name = reader_bytes(&in, v->name_length);
    if (length > reader_left(&in))
        return false;
    v->start = in.offset;
    v->length = (size_t)length;
    v->data = reader_bytes(&in, v->length);
    return true;
}

bool variable_is(const struct variable *v, const char *name)
{
    size_t length = strlen(name);
    if (v->name_length != 2 * length)
        return false;
    for (size_t i = 0; i < length; i++)
        if (v->name[2 * i] != (uint8_t)name[i] || v->name[2 * i + 1] != 0)
            return false;
    return true;
}

enum { VARIABLE_NAME_START = 32 };

bool decode_variable(struct decoding *d)
{
    struct variable v;
    if (!variable_read(d->event, &v)) {
        decoding_problem(d, "no UEFI variable: its name or data does not fit");
        return false;
    }
    json_t *name = value_utf16(v.name, v.name_length);
    decoding_put(d, "guid", value_guid(v.guid), 0, 16);
    if (guid_name(v.guid) != NULL)
        decoding_put(d, "guid_name", json_string(guid_name(v.guid)), 0, 16);
    decoding_put(d, "name", json_incref(name), VARIABLE_NAME_START, v.name_length);
    decode_value(d, &v, json_string_value(name));
    size_t behind = d->event->length - v.start - v.length;
    if (behind > 0)
        decoding_problem(d, "%zu bytes behind the variable", behind);
    json_decref(name);
    return true;
}
