/* source - see source.h. */
#include "keywrap/source.h"

#include <string.h>

#include "base/file.h"
#include "keywrap/secret_file.h"

const struct source_form source_forms[] = {
    {"kmip", "KMIP messages (TTLV)", source_kmip},
    {"kmip-json", "KMIP as JSON", source_kmip_json},
    {"kmip-xml", "KMIP as XML", source_kmip_xml},
    {"sqlite", "PyKMIP store (SQLite)", source_sqlite},
    {"pkcs12", "PKCS#12 file (.p12)", source_pkcs12},
    {"keyring", "keyring file", source_keyring},
    {"pem", "PEM around a key", source_pem},
    {"jwk", "JWK or other JSON", source_jwk},
    {"locator", "key locators or crypto dictionaries", source_locator},
    {"hex", "hex text", source_hex},
    {"base64", "base64 text", source_base64},
    {"raw", "raw bytes", source_raw},
};
const size_t source_form_count = sizeof source_forms / sizeof source_forms[0];

bool source_is_key_size(size_t bytes)
{
    return bytes == 16 || bytes == 24 || bytes == 32 || bytes == 64;
}

bool source_add(struct source *source, const struct keyring_key *key, struct error *error)
{
    struct keyring_key named = *key;
    if (named.origin == NULL)
        named.origin = source->path;
    if (named.provider == NULL)
        named.provider = source->options->provider;
    if (named.id == NULL)
        named.id = source->options->id;
    if (named.kind == KEYRING_KEK)
        named.kind = source->options->kind;
    if (named.name == NULL)
        named.name = source->options->name;
    if (named.identifier == NULL)
        named.identifier = source->options->identifier;
    if (named.component == NULL)
        named.component = source->options->component;
    source->added++;
    return keyring_add(source->ring, &named, error);
}

static bool is_any(const struct source_options *options)
{
    return options->form == NULL || strcmp(options->form, "auto") == 0;
}

static bool form_is_known(const char *name)
{
    for (size_t i = 0; i < source_form_count; i++)
        if (strcmp(source_forms[i].name, name) == 0)
            return true;
    return false;
}

static bool read_forms(struct source *source, const struct source_form **form, struct error *error)
{
    const struct source_options *options = source->options;
    for (size_t i = 0; i < source_form_count; i++) {
        const struct source_form *f = &source_forms[i];
        if (!is_any(options) && strcmp(f->name, options->form) != 0)
            continue;
        enum source_verdict verdict = f->read(source, error);
        if (verdict == SOURCE_NOT_THIS)
            continue;
        if (form != NULL)
            *form = f;
        return verdict == SOURCE_READ;
    }
    return error_set(error, ERROR_DAMAGED, "%zu bytes that are no key in %s", source->file->length,
                     is_any(options) ? "any form known here" : "that form");
}

bool source_read(const char *path, const struct source_options *options, struct keyring *ring,
                 const struct source_form **form, struct log *log, struct error *error)
{
    static const struct source_options nothing = {0};
    struct buffer file = BUFFER_INIT;
    struct source source = {
        .path = path,
        .options = options == NULL ? &nothing : options,
        .file = &file,
        .ring = ring,
        .log = log,
    };
    size_t before = ring->key_count;
    if (!is_any(source.options) && !form_is_known(source.options->form))
        return error_set(error, ERROR_USAGE, "there is no form '%s'", source.options->form);
    bool ok = file_read_all(path, SOURCE_FILE_MAX, &file, error) &&
              (read_forms(&source, form, error) || error_in_file(error, path));
    if (ok && source.options->id != NULL && ring->key_count - before > 1) {
        ok = error_set(error, ERROR_USAGE, "holds several keys, of which not all can be %s",
                       source.options->id);
        error_in_file(error, path);
    }
    if (ok && !source.checked)
        secret_file_check(path, log);
    buffer_free(&file);
    return ok;
}
