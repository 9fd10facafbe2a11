/*
 * event_no_action - events that are not measured: the log's own header, where the TPM was started
 * from, where the reference manifest is [source: TCG PFP 1.05 and 1.06, §10.4.5].
 */
#include "tpm/event_private.h"

#include <inttypes.h>
#include <string.h>

static bool has_signature(const struct eventlog_event *event, const char *text)
{
    return event->length >= 16 && strncmp((const char *)event->data, text, 16) == 0;
}

static bool spec_id(struct decoding *d)
{
    struct reader in = reader_over(d->event->data, d->event->length);
    json_t *algorithms = json_array();
    char name[16];
    reader_skip(&in, 16);
    uint32_t class = reader_u32(&in);
    unsigned minor = reader_u8(&in), major = reader_u8(&in), errata = reader_u8(&in);
    unsigned width = reader_u8(&in);
    if (in.failed || algorithms == NULL) {
        decoding_problem(d, "a Spec ID event that is cut off");
        json_decref(algorithms);
        return false;
    }
    uint32_t count = d->event->data[14] == '3' ? reader_u32(&in) : 0;
    for (uint32_t i = 0; i < count && i < BANK_MAX && reader_left(&in) >= 4; i++) {
        uint16_t algorithm = reader_u16(&in);
        reader_skip(&in, 2);
        d->failed = !value_append(algorithms, json_string(bank_name(algorithm, name))) || d->failed;
    }
    size_t vendor = reader_u8(&in);
    d->kind = "spec-id";
    decoding_put(d, "signature", value_text(d->event->data, 16), 0, 16);
    decoding_put(d, "platform",
                 json_string(class == 0   ? "client"
                             : class == 1 ? "server"
                                          : "unknown"),
                 16, 4);
    decoding_summary(d, "TCG log %u.%u errata %u, %s-bit", major, minor, errata,
                     width == 1   ? "32"
                     : width == 2 ? "64"
                                  : "?");
    decoding_put(d, "version", json_sprintf("%u.%u", major, minor), 20, 2);
    decoding_put(d, "errata", json_integer(errata), 22, 1);
    decoding_put(d, "uintn_bits", json_integer((json_int_t)width * 32), 23, 1);
    decoding_put(d, "algorithms", algorithms, 24, 4);
    if (!in.failed && vendor <= reader_left(&in)) {
        if (vendor > 0)
            decoding_put_bytes(d, "vendor_info", in.offset, vendor);
        reader_skip(&in, vendor);
    }
    if (in.failed || reader_left(&in) > 0)
        decoding_problem(d, "the size of the vendor's information does not match the event's");
    return true;
}

static bool startup_locality(struct decoding *d)
{
    unsigned locality = d->event->length > 16 ? d->event->data[16] : 0;
    if (d->event->length < 17) {
        decoding_problem(d, "a startup locality that is cut off");
        return false;
    }
    d->kind = "startup-locality";
    decoding_summary(d, "the TPM was started from locality %u", locality);
    decoding_put(d, "locality", json_integer(locality), 16, 1);
    return true;
}

/* A text with its length in front: of one byte, or of four. */
static bool put_counted(struct decoding *d, struct reader *in, const char *name, bool wide)
{
    size_t length = wide ? reader_u32(in) : reader_u8(in);
    size_t start = in->offset;
    if (reader_bytes(in, length) == NULL)
        return false;
    if (length > 0)
        decoding_put_bytes(d, name, start, length);
    return true;
}

static bool put_number(struct decoding *d, struct reader *in, const char *name)
{
    size_t start = in->offset;
    uint32_t number = reader_u32(in);
    if (!in->failed)
        decoding_put(d, name, json_integer(number), start, 4);
    return !in->failed;
}

/* Versions 2 and 3: who made platform and firmware; 3 also where manifest and certificate are. */
static bool manifest_details(struct decoding *d, struct reader *in, bool third)
{
    bool ok = put_counted(d, in, "platform_manufacturer", false) &&
              put_counted(d, in, "platform_model", false) &&
              put_counted(d, in, "platform_version", false) &&
              put_counted(d, in, "firmware_manufacturer", false) &&
              put_number(d, in, "firmware_manufacturer_id") &&
              put_counted(d, in, "firmware_version", false);
    if (ok && third)
        ok = put_number(d, in, "manifest_locator_type") &&
             put_counted(d, in, "manifest_locator", true) &&
             put_number(d, in, "certificate_locator_type") &&
             put_counted(d, in, "certificate_locator", true);
    return ok;
}

static bool reference_manifest(struct decoding *d, unsigned version)
{
    struct reader in = reader_over(d->event->data, d->event->length);
    reader_skip(&in, 16);
    d->kind = "sp800-155";
    bool ok = put_number(d, &in, version == 1 ? "vendor_id" : "platform_manufacturer_id");
    size_t start = in.offset;
    const uint8_t *guid = reader_bytes(&in, 16);
    if (!ok || guid == NULL) {
        decoding_problem(d, "a reference to a manifest that is cut off");
        return false;
    }
    decoding_put(d, "manifest", value_guid(guid), start, 16);
    if (version > 1 && !manifest_details(d, &in, version == 3))
        decoding_problem(d, "details of the manifest that are cut off");
    json_t *text = json_object_get(d->fields, "firmware_version");
    decoding_summary(d, "reference manifest");
    if (text != NULL) {
        decoding_summary(d, " of firmware ");
        decoding_summary_text(d, json_string_value(text));
    }
    return true;
}

/* What the hardware root of trust measured before the firmware ran. */
static bool hcrtm(struct decoding *d)
{
    struct reader in = reader_over(d->event->data, d->event->length);
    reader_skip(&in, 16);
    d->kind = "h-crtm";
    decoding_summary(d, "component measured by the H-CRTM");
    bool ok = put_counted(d, &in, "description", false);
    size_t start = in.offset;
    unsigned format = reader_u8(&in);
    if (!ok || in.failed) {
        decoding_problem(d, "a component of the H-CRTM that is cut off");
        return false;
    }
    decoding_put(d, "format", json_integer(format), start, 1);
    if (!put_counted(d, &in, "measurement", false))
        decoding_problem(d, "a measurement that is cut off");
    return true;
}

bool decode_no_action(struct decoding *d)
{
    const struct eventlog_event *event = d->event;
    struct event_tag tag;
    if (has_signature(event, "Spec ID Event03") || has_signature(event, "Spec ID Event02") ||
        has_signature(event, "Spec ID Event00"))
        return spec_id(d);
    if (has_signature(event, "StartupLocality"))
        return startup_locality(d);
    if (has_signature(event, "SP800-155 Event"))
        return reference_manifest(d, 1);
    if (has_signature(event, "SP800-155 Event2"))
        return reference_manifest(d, 2);
    if (has_signature(event, "SP800-155 Event3"))
        return reference_manifest(d, 3);
    if (has_signature(event, "H-CRTM CompMeas"))
        return hcrtm(d);
    /* Windows' unmeasured part: quotes and keys, in PCR 0xffffffff. */
    return event_tag_first(event, &tag) && event_tag_windows_name(tag.id) != NULL &&
           decode_windows(d);
}
