/*
 * event_esxi - what ESXi's boot loader measures, as tagged events [source: vmware/esx-boot
 * uefi/efiutils/tpm.c, include/esxbootinfo.h].
 *
 * The digest of a module or option file is of the file: its name beside it is anybody's word.
 * Command line, signer, asset tag and version are hashed as they stand in the event.
 */
#include "tpm/event_private.h"

#include <string.h>

static const uint8_t *payload(const struct decoding *d, const struct event_tag *tag)
{
    return d->event->data + tag->start;
}

static const char *field_text(const struct decoding *d, const char *name)
{
    const char *text = json_string_value(json_object_get(d->fields, name));
    return text == NULL ? "" : text;
}

static bool named_file(struct decoding *d, const struct event_tag *tag)
{
    bool module = tag->id == EVENT_TAG_ESXI_MODULE;
    d->kind = module ? "esxi-module" : "esxi-boot-option";
    decoding_put_bytes(d, "name", tag->start, tag->length);
    decoding_summary(d, "%s ", module ? "module" : "boot option");
    decoding_summary_text(d, field_text(d, "name"));
    return true;
}

/* "FILE OPTIONS", as boot.cfg's kernel and kernelopt. */
static bool command_line(struct decoding *d, const struct event_tag *tag)
{
    const uint8_t *text = payload(d, tag);
    const uint8_t *space = tag->length == 0 ? NULL : memchr(text, ' ', tag->length);
    size_t file = space == NULL ? tag->length : (size_t)(space - text);
    d->kind = "esxi-command-line";
    decoding_put_bytes(d, "command_line", tag->start, tag->length);
    decoding_put_bytes(d, "file", tag->start, file);
    if (space != NULL)
        decoding_put_bytes(d, "options", tag->start + file + 1, tag->length - file - 1);
    decoding_summary(d, "command line: ");
    decoding_summary_text(d, field_text(d, "command_line"));
    return true;
}

static bool signer(struct decoding *d, const struct event_tag *tag)
{
    json_t *certificate = value_certificate(payload(d, tag), tag->length, &d->failed);
    d->kind = "esxi-signer";
    decoding_put(d, "sha256", value_sha256(payload(d, tag), tag->length), tag->start, tag->length);
    if (certificate != NULL) {
        decoding_summary(d, "modules signed by ");
        json_t *subject = json_object_get(certificate, "subject");
        decoding_summary_text(d, json_string_value(subject));
        decoding_put(d, "certificate", certificate, tag->start, tag->length);
    } else {
        decoding_summary(d, "modules signed by a public key of %zu bytes", tag->length);
        decoding_put(d, "public_key", value_hex(payload(d, tag), tag->length), tag->start,
                     tag->length);
    }
    return true;
}

static bool asset_tag(struct decoding *d, const struct event_tag *tag)
{
    d->kind = "esxi-asset-tag";
    decoding_summary(d, "asset tag, %zu bytes", tag->length);
    decoding_put(d, "data", value_hex(payload(d, tag), tag->length), tag->start, tag->length);
    if (bytes_are_text(payload(d, tag), tag->length))
        decoding_put_bytes(d, "text", tag->start, tag->length);
    return true;
}

enum { VERSION_RECORD_BYTES = 32 };

/* The texts of a vm_version_record: offset and length of each; the loader does not check them. */
static bool version_record(struct decoding *d, const struct event_tag *tag)
{
    static const char *const names[] = {"component", "product", "version", "file"};
    struct reader in = reader_over(payload(d, tag), tag->length);
    uint32_t size = reader_u32(&in), format = reader_u32(&in);
    uint64_t flags = reader_u64(&in);
    if (in.failed || size != tag->length || format == 0) {
        decoding_problem(d, "a version record whose size or format is wrong");
        return false;
    }
    d->kind = "esxi-version";
    decoding_put(d, "format", json_integer(format), tag->start + 4, 4);
    decoding_put(d, "flags", value_address(flags), tag->start + 8, 8);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t offset = reader_u16(&in), length = reader_u16(&in);
        if (length == 0 && !in.failed)
            continue;
        if (in.failed || offset < VERSION_RECORD_BYTES || offset > tag->length ||
            length > tag->length - offset) {
            decoding_problem(d, "a version record whose %s does not fit", names[i]);
            return false;
        }
        decoding_put_bytes(d, names[i], tag->start + offset, length);
    }
    decoding_summary(d, "version ");
    decoding_summary_text(d, field_text(d, "product"));
    decoding_summary(d, " ");
    decoding_summary_text(d, field_text(d, "version"));
    decoding_summary(d, " (");
    decoding_summary_text(d, field_text(d, "file"));
    decoding_summary(d, ")");
    return true;
}

static bool plain(struct decoding *d, const struct event_tag *tag, const char *kind,
                  const char *name)
{
    d->kind = kind;
    decoding_put_bytes(d, name, tag->start, tag->length);
    decoding_summary(d, "%s ", tag->id == EVENT_TAG_ESXI_PREBOOT ? "pre-boot" : "security option");
    decoding_summary_text(d, field_text(d, name));
    return true;
}

static bool by_number(struct decoding *d, const struct event_tag *tag)
{
    switch (tag->id) {
    case EVENT_TAG_ESXI_MODULE:
    case EVENT_TAG_ESXI_BOOT_OPTION:
        return named_file(d, tag);
    case EVENT_TAG_ESXI_COMMAND_LINE:
        return command_line(d, tag);
    case EVENT_TAG_ESXI_SECURITY_OPTION:
        return plain(d, tag, "esxi-boot-security-option", "option");
    case EVENT_TAG_ESXI_ASSET_TAG:
        return asset_tag(d, tag);
    case EVENT_TAG_ESXI_SIGNER:
        return signer(d, tag);
    case EVENT_TAG_ESXI_VERSION:
        return version_record(d, tag);
    default:
        return plain(d, tag, "esxi-preboot", "data");
    }
}

bool decode_esxi(struct decoding *d, const struct event_tag *tag)
{
    size_t behind = d->event->length - tag->start - tag->length;
    if (!by_number(d, tag))
        return false;
    decoding_put(d, "tag", json_integer(tag->id), tag->start - 8, 4);
    if (behind == 1)
        decoding_problem(d, "one byte behind the tag, as the boot loader of ESXi 7.0.3 leaves");
    else if (behind > 0)
        decoding_problem(d, "%zu bytes behind the tag", behind);
    return true;
}
