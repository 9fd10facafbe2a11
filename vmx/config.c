/* config - see config.h. */
#include "vmx/config.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/encode.h"
#include "base/file.h"
#include "keywrap/seal.h"
#include "vmx/config_private.h"

/* The bytes of encryption.data. */
static struct secret *sealed_data(const struct dict *outer, struct error *error)
{
    const char *text = dict_get(outer, CONFIG_DATA);
    size_t length = strlen(text), bytes = base64_decoded_bound(length);
    struct secret *sealed = secret_new(bytes, error);
    if (sealed == NULL)
        return NULL;
    if (base64_decode(text, length, sealed->data, &bytes)) {
        sealed->length = bytes;
        return sealed;
    }
    secret_free(sealed);
    error_set(error, ERROR_DAMAGED, CONFIG_DATA " is not base64");
    return NULL;
}

static bool parse_encrypted(struct vmx_config *config, struct error *error)
{
    const char *safe = dict_get(config->outer, CONFIG_SAFE);
    const char *data = dict_get(config->outer, CONFIG_DATA);
    config->encrypted = safe != NULL || data != NULL;
    if (!config->encrypted)
        return true;
    if (safe == NULL || data == NULL)
        return error_set(error, ERROR_DAMAGED, "half encrypted: there is %s without %s",
                         safe == NULL ? CONFIG_DATA : CONFIG_SAFE,
                         safe == NULL ? CONFIG_SAFE : CONFIG_DATA);
    config->safe = locator_parse(safe, strlen(safe), error);
    if (config->safe == NULL)
        return error_prefix(error, CONFIG_SAFE);
    struct secret *sealed = sealed_data(config->outer, error);
    if (sealed == NULL)
        return false;
    config->sealed_length = sealed->length;
    secret_free(sealed);
    return true;
}

bool vmx_config_parse(struct vmx_config *config, const char *name, const char *text, size_t length,
                      struct error *error)
{
    *config = (struct vmx_config){0};
    config->outer = dict_parse(text, length, NULL, error);
    if (config->outer != NULL && parse_encrypted(config, error))
        return true;
    vmx_config_free(config);
    error->offset = UINT64_MAX; /* offsets into a value would be taken for ones into the file */
    return error_in_file(error, name);
}

bool vmx_config_load(struct vmx_config *config, const char *path, struct error *error)
{
    *config = (struct vmx_config){0};
    struct buffer text = BUFFER_INIT;
    bool ok = file_read_all(path, DICT_MAX_BYTES, &text, error) &&
              vmx_config_parse(config, path, buffer_text(&text), text.length, error);
    buffer_free(&text);
    return ok;
}

void vmx_config_free(struct vmx_config *config)
{
    keysafe_result_free(&config->opened);
    crypto_key_free(&config->key);
    dict_free(config->inner);
    locator_free(config->safe);
    dict_free(config->outer);
    *config = (struct vmx_config){0};
}

/* Decrypt encryption.data under the config key. */
static bool open_data(struct vmx_config *config, struct error *error)
{
    struct buffer text = BUFFER_INIT;
    struct secret *sealed = sealed_data(config->outer, error);
    bool ok = sealed != NULL &&
              seal_open(config->key.key, config->mac, sealed->data, sealed->length, &text, error);
    if (sealed != NULL && !ok && error->code == ERROR_NO_KEY)
        error_set(error, ERROR_DAMAGED,
                  CONFIG_DATA " does not verify (%s) under the key that the key safe gives: "
                              "it was damaged or changed",
                  seal_mac_name(config->mac));
    if (ok) {
        config->inner =
            dict_parse(buffer_text(&text), text.length, dict_encoding(config->outer), error);
        ok = config->inner != NULL;
    }
    secret_free(sealed);
    buffer_free(&text);
    return ok;
}

static void lock_again(struct vmx_config *config)
{
    keysafe_result_free(&config->opened);
    crypto_key_free(&config->key);
    config->key_is_new = false;
    dict_free(config->inner);
    config->inner = NULL;
}

bool vmx_config_unlock(struct vmx_config *config, const struct keyring *ring, struct error *error)
{
    if (!config->encrypted)
        return error_set(error, ERROR_USAGE, "is not encrypted");
    lock_again(config);
    if (!keysafe_open(config->safe, ring, &config->opened, error))
        return error_prefix(error, CONFIG_SAFE);
    config->mac = config->opened.mac;
    const struct buffer *plain = &config->opened.plain;
    if (!crypto_key_parse(buffer_text(plain), plain->length, &config->key, error))
        return error_prefix(error, CONFIG_SAFE);
    if (open_data(config, error))
        return true;
    crypto_key_free(&config->key);
    return false;
}

const char *vmx_config_get(const struct vmx_config *config, const char *name)
{
    const char *value = config->inner == NULL ? NULL : dict_get(config->inner, name);
    return value != NULL ? value : dict_get(config->outer, name);
}

struct dict *config_copy(const struct dict *dict, struct error *error)
{
    struct buffer text = BUFFER_INIT;
    struct dict *copy = NULL;
    if (dict_write(dict, &text))
        copy = dict_parse(buffer_text(&text), text.length, dict_encoding(dict), error);
    else
        error_memory(error);
    buffer_free(&text);
    return copy;
}

/* The outer part without its key safe, its data and what the inner part sets anew. */
static struct dict *plain_outer(const struct vmx_config *config, struct error *error)
{
    struct dict *outer = config_copy(config->outer, error);
    const char *name, *value;
    if (outer == NULL)
        return NULL;
    for (size_t i = 0; dict_at(config->outer, i, &name, &value); i++)
        if (strncasecmp(name, CONFIG_PREFIX, sizeof CONFIG_PREFIX - 1) == 0)
            dict_unset(outer, name);
    for (size_t i = 0; dict_at(config->inner, i, &name, &value); i++)
        if (strcasecmp(name, CONFIG_ENCODING) != 0)
            dict_unset(outer, name);
    return outer;
}

/* Both parts one behind the other, as they are. */
static struct dict *join_texts(const struct dict *outer, const struct dict *inner,
                               struct error *error)
{
    struct buffer text = BUFFER_INIT;
    dict_write(outer, &text);
    if (text.length > 0 && text.data[text.length - 1] != '\n' && text.data[text.length - 1] != '\r')
        buffer_append_byte(&text, '\n');
    struct dict *joined = NULL;
    if (dict_write(inner, &text))
        joined = dict_parse(buffer_text(&text), text.length, dict_encoding(outer), error);
    else
        error_memory(error);
    buffer_free(&text);
    return joined;
}

static bool append_settings(struct dict *to, const struct dict *from, struct error *error)
{
    const char *name, *value;
    for (size_t i = 0; dict_at(from, i, &name, &value); i++)
        if (strcasecmp(name, CONFIG_ENCODING) != 0 && !dict_append_from(to, from, i, error))
            return false;
    return true;
}

/* The settings of both parts in a new text in UTF-8, which has a form for all of them. */
static struct dict *join_settings(const struct dict *outer, const struct dict *inner,
                                  struct error *error)
{
    struct dict *joined = dict_new("UTF-8", error);
    if (joined != NULL && dict_set(joined, CONFIG_ENCODING, "UTF-8", error) &&
        append_settings(joined, outer, error) && append_settings(joined, inner, error))
        return joined;
    dict_free(joined);
    return NULL;
}

struct dict *vmx_config_plain(const struct vmx_config *config, struct error *error)
{
    if (!config->encrypted)
        return config_copy(config->outer, error);
    if (config->inner == NULL) {
        error_set(error, ERROR_NO_KEY, "is locked");
        return NULL;
    }
    struct dict *plain = NULL, *inner = config_copy(config->inner, error);
    struct dict *outer = inner == NULL ? NULL : plain_outer(config, error);
    if (outer != NULL) {
        dict_unset(inner, CONFIG_ENCODING);
        dict_drop_mark(inner);
        bool same = strcasecmp(dict_encoding(outer), dict_encoding(inner)) == 0;
        plain = same ? join_texts(outer, inner, error) : join_settings(outer, inner, error);
    }
    dict_free(inner);
    dict_free(outer);
    return plain;
}
