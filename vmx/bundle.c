/* bundle - see bundle.h. */
#include "vmx/bundle.h"

#include <string.h>
#include <strings.h>

#include "keywrap/cryptodict.h"

static const char data_key_setting[] = "dataFileKey";
static const char locator_prefix[] = "vmware:key/";
static const char key_prefix[] = "type=key:";

/* Settings that are secret or that say what must be [source: vm-operator]. */
static const char *const bundled[] = {
    data_key_setting,      "ancestorDataFileKeys",     "cryptoState",
    "encryption.required", "encryption.required.vtpm", "encryption.unspecified.default",
};

static bool collect(const struct vmx_config *config, struct dict *to, struct error *error)
{
    size_t count = 0;
    for (size_t i = 0; i < sizeof bundled / sizeof bundled[0]; i++) {
        const char *value = vmx_config_get(config, bundled[i]);
        if (value == NULL)
            continue;
        if (!dict_set(to, bundled[i], value, error))
            return false;
        count++;
    }
    return count > 0 ||
           error_set(error, ERROR_FAILED,
                     "has no secret settings (dataFileKey, cryptoState ...) to export");
}

bool vmx_bundle_export(const struct vmx_config *config, const struct keysafe_locker *locker,
                       enum seal_mac mac, struct buffer *out, struct error *error)
{
    if (config->encrypted && config->inner == NULL)
        return error_set(error, ERROR_NO_KEY, "is locked");
    struct buffer text = BUFFER_INIT;
    struct locator *bundle = NULL;
    struct dict *settings = dict_new("UTF-8", error);
    bool ok = settings != NULL && collect(config, settings, error) &&
              (dict_write(settings, &text) || error_memory(error));
    if (ok)
        bundle = keysafe_make(locker, mac, buffer_text(&text), text.length, error);
    ok = bundle != NULL && (locator_write(bundle, out) || error_memory(error));
    locator_free(bundle);
    buffer_free(&text);
    dict_free(settings);
    return ok;
}

/* The bare key that some bundles may be, as the setting it would be. */
static struct dict *read_key(const struct buffer *text, struct error *error)
{
    struct crypto_key key = {.key = NULL};
    struct dict *settings = NULL;
    if (crypto_key_parse(buffer_text(text), text->length, &key, error))
        settings = dict_new("UTF-8", error);
    crypto_key_free(&key);
    if (settings == NULL || dict_set(settings, data_key_setting, buffer_text(text), error))
        return settings;
    dict_free(settings);
    return NULL;
}

static struct dict *read_settings(const struct buffer *text, struct error *error)
{
    const char *name, *value;
    if (strncmp(buffer_text(text), key_prefix, sizeof key_prefix - 1) == 0)
        return read_key(text, error);
    struct dict *settings = dict_parse(buffer_text(text), text->length, NULL, error);
    if (settings == NULL || dict_at(settings, 0, &name, &value))
        return settings;
    dict_free(settings);
    error_set(error, ERROR_DAMAGED,
              "the bundle opened, but what it holds is neither settings nor a key");
    return NULL;
}

/* TEXT without the characters of SET around it. */
static const char *trim(const char *text, size_t *length, const char *set)
{
    while (*length > 0 && strchr(set, text[0]) != NULL) {
        text++;
        --*length;
    }
    while (*length > 0 && strchr(set, text[*length - 1]) != NULL)
        --*length;
    return text;
}

/* The locator in TEXT: all of it, or the value of a setting. HOLDER keeps it alive. */
static const char *find_locator(const char *text, size_t *length, struct dict **holder,
                                struct error *error)
{
    size_t bare_length = *length;
    const char *bare = trim(text, &bare_length, " \t\r\n\"");
    *holder = NULL;
    if (bare_length >= sizeof locator_prefix - 1 &&
        strncasecmp(bare, locator_prefix, sizeof locator_prefix - 1) == 0) {
        *length = bare_length;
        return bare;
    }
    *holder = dict_parse(text, *length, NULL, error);
    if (*holder == NULL)
        return NULL;
    const char *value = dict_get(*holder, "encryption.bundle");
    if (value != NULL)
        *length = strlen(value);
    else
        error_set(error, ERROR_DAMAGED, "is no bundle: no key locator (vmware:key/...) in it");
    return value;
}

bool vmx_bundle_open(struct vmx_bundle *bundle, const char *text, size_t length,
                     const struct keyring *ring, struct error *error)
{
    *bundle = (struct vmx_bundle){.locator = NULL};
    struct dict *holder;
    const char *start = find_locator(text, &length, &holder, error);
    bundle->locator = start == NULL ? NULL : locator_parse(start, length, error);
    if (bundle->locator != NULL && keysafe_open(bundle->locator, ring, &bundle->opened, error))
        bundle->settings = read_settings(&bundle->opened.plain, error);
    dict_free(holder);
    return bundle->settings != NULL;
}

void vmx_bundle_free(struct vmx_bundle *bundle)
{
    keysafe_result_free(&bundle->opened);
    locator_free(bundle->locator);
    dict_free(bundle->settings);
    *bundle = (struct vmx_bundle){.locator = NULL};
}

static bool is_forbidden(const char *name)
{
    static const char *const names[] = {".encoding", "encryption.keySafe", "encryption.data",
                                        "encryption.bundle"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcasecmp(name, names[i]) == 0)
            return true;
    return false;
}

bool vmx_bundle_apply(struct vmx_config *config, const struct dict *settings, struct error *error)
{
    if (!config->encrypted)
        return error_set(error, ERROR_USAGE,
                         "is not encrypted; secret settings do not go into a plain file");
    if (config->inner == NULL)
        return error_set(error, ERROR_NO_KEY, "is locked");
    const char *name, *value;
    for (size_t i = 0; dict_at(settings, i, &name, &value); i++)
        if (is_forbidden(name))
            return error_set(error, ERROR_DAMAGED, "the bundle wants to set %.60s", name);
    for (size_t i = 0; dict_at(settings, i, &name, &value); i++)
        if (!dict_set(config->inner, name, value, error))
            return false;
    return true;
}
