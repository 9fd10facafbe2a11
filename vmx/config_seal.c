/* config_seal - the part of config.h that seals a .vmx anew. */
#include "vmx/config.h"

#include <string.h>
#include <strings.h>

#include "base/encode.h"
#include "keywrap/seal.h"
#include "vmx/config_private.h"

static bool require_unlocked(const struct vmx_config *config, struct error *error)
{
    if (!config->encrypted)
        return error_set(error, ERROR_USAGE, "is not encrypted");
    return config->inner != NULL || error_set(error, ERROR_NO_KEY, "is locked");
}

/* Seal the inner text under the config key and put it into OUTER. */
static bool write_data(const struct dict *inner, const struct crypto_key *key, enum seal_mac mac,
                       struct dict *outer, size_t *sealed_length, struct error *error)
{
    struct buffer text = BUFFER_INIT, sealed = BUFFER_INIT, encoded = BUFFER_INIT;
    bool ok = dict_write(inner, &text) || error_memory(error);
    ok = ok && seal_make(key->key, mac, buffer_text(&text), text.length, &sealed, error);
    if (ok && !base64_encode(sealed.data, sealed.length, &encoded))
        ok = error_memory(error);
    ok = ok && dict_set(outer, CONFIG_DATA, buffer_text(&encoded), error);
    if (ok)
        *sealed_length = sealed.length;
    buffer_free(&text);
    buffer_free(&sealed);
    buffer_free(&encoded);
    return ok;
}

/* A key safe around KEY for LOCKER, also put into OUTER. */
static struct locator *write_safe(const struct crypto_key *key, const struct keysafe_locker *locker,
                                  enum seal_mac mac, struct dict *outer, struct error *error)
{
    struct buffer plain = BUFFER_INIT, text = BUFFER_INIT;
    struct locator *safe = NULL;
    if (crypto_key_write(key, &plain))
        safe = keysafe_make(locker, mac, buffer_text(&plain), plain.length, error);
    else
        error_memory(error);
    bool ok = safe != NULL && (locator_write(safe, &text) || error_memory(error)) &&
              dict_set(outer, CONFIG_SAFE, buffer_text(&text), error);
    buffer_free(&plain);
    buffer_free(&text);
    if (ok)
        return safe;
    locator_free(safe);
    return NULL;
}

bool vmx_config_reseal(struct vmx_config *config, struct error *error)
{
    if (!require_unlocked(config, error))
        return false;
    if (config->key_is_new)
        return error_set(error, ERROR_USAGE, "the new config key is in no key safe yet");
    return write_data(config->inner, &config->key, config->mac, config->outer,
                      &config->sealed_length, error);
}

bool vmx_config_rekey(struct vmx_config *config, const struct keysafe_locker *locker,
                      enum seal_mac mac, struct error *error)
{
    if (!require_unlocked(config, error))
        return false;
    struct locator *safe = write_safe(&config->key, locker, mac, config->outer, error);
    if (safe == NULL)
        return false;
    /* The attempts point into the old safe. */
    keysafe_result_free(&config->opened);
    locator_free(config->safe);
    config->safe = safe;
    if (mac == config->mac && !config->key_is_new)
        return true;
    config->mac = mac;
    config->key_is_new = false;
    return write_data(config->inner, &config->key, mac, config->outer, &config->sealed_length,
                      error);
}

bool vmx_config_new_key(struct vmx_config *config, const char *cipher, struct error *error)
{
    struct crypto_key key;
    if (!require_unlocked(config, error) || !crypto_key_generate(cipher, &key, error))
        return false;
    crypto_key_free(&config->key);
    config->key = key;
    config->key_is_new = true;
    return true;
}

/* What stays readable [real sample: the first two; Workstation: the others]. */
static bool stays_outside(const char *name)
{
    static const char *const names[] = {CONFIG_ENCODING, "displayName", "encryptedVM.guid",
                                        "vmx.encryptionType"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcasecmp(name, names[i]) == 0)
            return true;
    return false;
}

/* Share out the text of PLAIN. */
static bool divide(const struct dict *plain, struct vmx_config *into, struct error *error)
{
    into->outer = dict_new(dict_encoding(plain), error);
    into->inner = into->outer == NULL ? NULL : config_copy(plain, error);
    if (into->inner == NULL)
        return false;
    dict_drop_mark(into->inner);
    const char *name, *value;
    for (size_t i = 0; dict_at(plain, i, &name, &value); i++) {
        /* Of settings that are there twice the last one counts. */
        if (!stays_outside(name) || value != dict_get(plain, name))
            continue;
        if (!dict_append_from(into->outer, plain, i, error))
            return false;
        dict_unset(into->inner, name);
    }
    return true;
}

bool vmx_config_encrypt(struct vmx_config *config, const char *cipher,
                        const struct keysafe_locker *locker, enum seal_mac mac, struct error *error)
{
    if (config->encrypted)
        return error_set(error, ERROR_USAGE, "is encrypted already");
    struct vmx_config made = {.encrypted = true, .mac = mac};
    bool ok = divide(config->outer, &made, error) && crypto_key_generate(cipher, &made.key, error);
    if (ok) {
        made.safe = write_safe(&made.key, locker, mac, made.outer, error);
        ok = made.safe != NULL &&
             write_data(made.inner, &made.key, mac, made.outer, &made.sealed_length, error);
    }
    if (!ok) {
        vmx_config_free(&made);
        return false;
    }
    vmx_config_free(config);
    *config = made;
    return true;
}
