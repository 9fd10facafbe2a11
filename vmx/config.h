/*
 * config - a .vmx file, encrypted or not: outer dictionary, inner dictionary, and its key.
 *
 * Encrypted: `encryption.keySafe` is a list of pairs that lock the config key; `encryption.data`
 * is base64 of the inner text sealed under it with the same MAC (seal.h). [real sample]
 */
#ifndef VMCRYPT_VMX_CONFIG_H
#define VMCRYPT_VMX_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "keywrap/cryptodict.h"
#include "keywrap/keyring.h"
#include "keywrap/keysafe.h"
#include "keywrap/locator.h"
#include "vmx/dict.h"

struct vmx_config {
    struct dict *outer;           /* the file as it is */
    bool encrypted;               /* it has encryption.keySafe and encryption.data */
    struct locator *safe;         /* parsed keySafe; NULL when not encrypted */
    size_t sealed_length;         /* bytes of the decoded encryption.data */
    struct dict *inner;           /* decrypted text; NULL while locked */
    struct crypto_key key;        /* config key; key.key NULL while locked */
    bool key_is_new;              /* nothing is sealed under it yet (vmx_config_new_key) */
    enum seal_mac mac;            /* of keySafe and data */
    struct keysafe_result opened; /* attempts of the last unlock */
};

/* Read and parse; a config that is half encrypted (one of the two settings only), whose key safe
 * does not parse or whose data are no base64 is ERROR_DAMAGED. After a failure there is nothing
 * to free. */
bool vmx_config_load(struct vmx_config *config, const char *path, struct error *error);

/* As above from text at hand; NAME is for messages. */
bool vmx_config_parse(struct vmx_config *config, const char *name, const char *text, size_t length,
                      struct error *error);

/* Open the key safe with RING and decrypt the inner text, both proved by HMAC. ERROR_NO_KEY when
 * no key fits; the attempts stay in config->opened. ERROR_DAMAGED when the text does not verify
 * under the key that the safe gave, which is then the right one. */
bool vmx_config_unlock(struct vmx_config *config, const struct keyring *ring, struct error *error);

/* The value that counts for NAME: the inner one when unlocked and there, else the outer one. */
const char *vmx_config_get(const struct vmx_config *config, const char *name);

/* The whole plain .vmx: outer settings without encryption.*, then the inner ones, which win over
 * outer ones of the same name. Comments come along, unless the two parts are in different code
 * pages, which gives a text in UTF-8. For an unencrypted config: the text itself. */
struct dict *vmx_config_plain(const struct vmx_config *config, struct error *error);

/* Seal the (changed) inner text again under the same config key and put it into the outer
 * dictionary; the key safe stays. */
bool vmx_config_reseal(struct vmx_config *config, struct error *error);

/* Replace the key safe by a new one for LOCKER, config key kept. MAC and data are kept too when
 * the MAC stays the same; otherwise the data are sealed anew. */
bool vmx_config_rekey(struct vmx_config *config, const struct keysafe_locker *locker,
                      enum seal_mac mac, struct error *error);

/* A new config key of CIPHER; call vmx_config_rekey afterwards, which seals everything under it.
 * vmx_config_reseal refuses until then. */
bool vmx_config_new_key(struct vmx_config *config, const char *cipher, struct error *error);

/* Turn an unencrypted config into an encrypted one under a new key of CIPHER: everything but
 * `.encoding`, `displayName` (and what Workstation keeps outside: encryptedVM.guid,
 * vmx.encryptionType) moves inside. On failure the config is what it was. */
bool vmx_config_encrypt(struct vmx_config *config, const char *cipher,
                        const struct keysafe_locker *locker, enum seal_mac mac,
                        struct error *error);

void vmx_config_free(struct vmx_config *config);

#endif
