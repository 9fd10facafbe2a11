/*
 * config_private - shared by config.c (reading) and config_seal.c (changing) only.
 */
#ifndef VMCRYPT_VMX_CONFIG_PRIVATE_H
#define VMCRYPT_VMX_CONFIG_PRIVATE_H

#include "vmx/config.h"

#define CONFIG_PREFIX "encryption."
#define CONFIG_SAFE "encryption.keySafe"
#define CONFIG_DATA "encryption.data"
#define CONFIG_ENCODING ".encoding"

/* The same text again. */
struct dict *config_copy(const struct dict *dict, struct error *error);

#endif
