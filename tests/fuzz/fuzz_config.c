/*
 * A whole .vmx: reading, the facts, the crackers' lines, unlocking with keys that do not fit, and
 * a way through encryption and back that must lose no setting.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vmx/bundle.h"
#include "vmx/config.h"
#include "vmx/hash.h"
#include "vmx/info.h"

static void require(bool condition)
{
    if (!condition)
        abort();
}

static struct keyring make_ring(void)
{
    struct keyring ring = KEYRING_INIT;
    struct error error = ERROR_INIT;
    require(keyring_add(
        &ring,
        &(struct keyring_key){
            .provider = "P", .id = "1", .origin = "fuzz", .key = secret_new(32, &error)},
        &error));
    return ring;
}

/* The value of every setting of A is the same in B. */
static void require_same_values(const struct dict *a, const struct dict *b)
{
    const char *name, *value;
    for (size_t i = 0; dict_at(a, i, &name, &value); i++) {
        const char *other = dict_get(b, name);
        require(other != NULL && strcmp(other, dict_get(a, name)) == 0);
    }
}

static void encrypt_and_back(struct vmx_config *config, const struct keyring *ring)
{
    struct error error = ERROR_INIT;
    struct buffer text = BUFFER_INIT;
    struct vmx_config again;
    struct keysafe_locker locker = {.kek = &ring->keys[0]};
    struct dict *before = vmx_config_plain(config, &error);
    require(before != NULL);
    if (vmx_config_encrypt(config, "AES-256", &locker, SEAL_HMAC_SHA256, &error)) {
        require(dict_write(config->outer, &text));
        require(vmx_config_parse(&again, "fuzz", buffer_text(&text), text.length, &error));
        require(vmx_config_unlock(&again, ring, &error));
        struct dict *after = vmx_config_plain(&again, &error);
        require(after != NULL);
        require_same_values(before, after);
        dict_free(after);
        vmx_config_free(&again);
    }
    dict_free(before);
    buffer_free(&text);
}

static void look_into(struct vmx_config *config, const struct keyring *ring)
{
    struct error error = ERROR_INIT;
    struct vmx_info info;
    struct buffer lines = BUFFER_INIT, refused = BUFFER_INIT;
    if (vmx_info_fill(&info, config, &error))
        vmx_info_free(&info);
    if (config->encrypted) {
        require(vmx_hash_lines(config->safe, VMX_HASH_HASHCAT, &lines, &refused, &error));
        require(vmx_hash_lines(config->safe, VMX_HASH_JOHN, &lines, &refused, &error));
        /* A rawkey locator carries its own key, so this may even open. */
        if (vmx_config_unlock(config, ring, &error))
            require(config->inner != NULL && config->key.key != NULL);
        else
            require(config->inner == NULL && error.code != ERROR_NONE);
    } else {
        encrypt_and_back(config, ring);
    }
    buffer_free(&lines);
    buffer_free(&refused);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error = ERROR_INIT;
    struct keyring ring = make_ring();
    struct vmx_config config;
    struct vmx_bundle bundle;
    if (vmx_config_parse(&config, "fuzz", (const char *)data, size, &error)) {
        look_into(&config, &ring);
        vmx_config_free(&config);
    } else {
        require(error.code != ERROR_NONE);
    }
    if (vmx_bundle_open(&bundle, (const char *)data, size, &ring, &error))
        require(bundle.settings != NULL);
    vmx_bundle_free(&bundle);
    keyring_free(&ring);
    return 0;
}
