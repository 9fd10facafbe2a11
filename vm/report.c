/* report - see report.h. */
#include "vm/report.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/file.h"
#include "vmdk/signature.h"

json_t *report_text(const char *text)
{
    json_t *value = json_string(text);
    if (value != NULL)
        return value;
    struct buffer utf8 = BUFFER_INIT;
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte >= 0x80)
            buffer_append_byte(&utf8, (char)(0xc0 | byte >> 6));
        buffer_append_byte(&utf8, (char)(byte >= 0x80 ? 0x80 | (byte & 0x3f) : byte));
    }
    value = json_string(buffer_text(&utf8));
    buffer_free(&utf8);
    return value;
}

void report_proof(json_t *proofs, const char *kind, const char *detail)
{
    json_array_append_new(proofs,
                          json_pack("{s:s, s:o}", "kind", kind, "detail", report_text(detail)));
}

void report_no_proof(json_t *proofs)
{
    if (json_array_size(proofs) == 0)
        report_proof(proofs, "none", "");
}

void report_error(json_t *entry, const struct error *error)
{
    json_object_set_new(entry, "error", report_text(error->message));
    if (error->file[0] != '\0')
        json_object_set_new(entry, "error_file", report_text(error->file));
    if (error->offset != UINT64_MAX)
        json_object_set_new(entry, "error_offset", json_integer((json_int_t)error->offset));
}

json_t *report_config_proofs(const struct vmx_config *config)
{
    json_t *proofs = json_array();
    if (config->encrypted) {
        const struct keysafe_result *opened = &config->opened;
        char detail[sizeof opened->attempts->reason + 80];
        snprintf(detail, sizeof detail, "config key, %s: %s", seal_mac_name(config->mac),
                 opened->attempts[opened->opened].reason);
        report_proof(proofs, "hmac", detail);
        snprintf(detail, sizeof detail, "settings, %s under the config key",
                 seal_mac_name(config->mac));
        report_proof(proofs, "hmac", detail);
    }
    report_no_proof(proofs);
    return proofs;
}

static const struct keysafe_attempt *attempt_of(const struct disk_layer *layer)
{
    return layer->unlocked == NULL ? NULL : &layer->unlocked->attempts[layer->unlocked->opened];
}

/* Of what opened LAYER, unless it was opened by something else. */
static void set_provider(json_t *entry, const struct disk_layer *layer)
{
    const struct keysafe_attempt *opened = attempt_of(layer);
    if (opened == NULL || opened->locker->type != LOCATOR_FQID)
        return;
    const struct locator *locker = opened->locker;
    json_object_set_new(entry, "provider", report_text(locator_text(locker, LOCATOR_FQID_SERVER)));
    json_object_set_new(entry, "key_id", report_text(locator_text(locker, LOCATOR_FQID_KEY)));
}

void report_disk_keys(json_t *entry, json_t *proofs, const struct disk *disk)
{
    bool named = false;
    json_object_set_new(entry, "encrypted", json_boolean(disk_is_encrypted(disk)));
    for (size_t i = 0; i < disk_layer_count(disk); i++) {
        const struct disk_layer layer = disk_layer_at(disk, i);
        const struct keysafe_attempt *opened = attempt_of(&layer);
        if (opened == NULL)
            continue;
        char detail[sizeof opened->reason + 400];
        if (i == 0)
            snprintf(detail, sizeof detail, "disk key, %s: %s", seal_mac_name(layer.unlocked->mac),
                     opened->reason);
        else
            snprintf(detail, sizeof detail, "disk key of %.255s, %s: %s", file_name(layer.path),
                     seal_mac_name(layer.unlocked->mac), opened->reason);
        report_proof(proofs, "hmac", detail);
        if (!named)
            set_provider(entry, &layer);
        named = true;
    }
}

json_t *report_disk_layers(const struct disk *disk)
{
    json_t *layers = json_array();
    for (size_t i = 0; i < disk_layer_count(disk); i++) {
        const struct disk_layer layer = disk_layer_at(disk, i);
        json_t *entry = json_pack("{s:o, s:b}", "source", report_text(layer.path), "encrypted",
                                  (int)layer.encrypted);
        set_provider(entry, &layer);
        if (layer.missing)
            json_object_set_new(entry, "missing", json_true());
        json_array_append_new(layers, entry);
    }
    return layers;
}

bool report_disk_signatures(json_t *proofs, const struct disk *disk, bool *proved,
                            struct error *error)
{
    *proved = false;
    struct signatures *s = calloc(1, sizeof *s);
    if (s == NULL)
        return error_memory(error);
    bool ok = signatures_find(disk, s, error);
    *proved = ok && signatures_prove(s);
    for (size_t i = 0; *proved && i < s->count; i++) {
        char detail[128];
        snprintf(detail, sizeof detail, "%s at byte %llu", s->found[i].what,
                 (unsigned long long)s->found[i].offset);
        if (s->found[i].strong)
            report_proof(proofs, "signature", detail);
    }
    free(s);
    return ok;
}

json_t *report_strip_settings(struct dict *plain)
{
    static const char *const names[] = {
        "dataFileKey",         "ancestorDataFileKeys",     "cryptoState",
        "encryption.keySafe",  "encryption.data",          "encryption.bundle",
        "encryption.required", "encryption.required.vtpm", "encryption.unspecified.default",
        "encryptedVM.guid",    "vmx.encryptionType"};
    json_t *removed = json_array();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (dict_unset(plain, names[i]) > 0)
            json_array_append_new(removed, json_string(names[i]));
    return removed;
}
