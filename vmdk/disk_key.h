/*
 * disk_key - the key of an encrypted disk, as its descriptor locks it in `encryptionKeys`:
 * a list of pairs around "type=key:cipher=XTS-AES-256:key=…". [source: govmomi; documents]
 */
#ifndef VMCRYPT_VMDK_DISK_KEY_H
#define VMCRYPT_VMDK_DISK_KEY_H

#include <stdbool.h>

#include "base/error.h"
#include "keywrap/cryptodict.h"
#include "keywrap/keysafe.h"
#include "vmdk/descriptor.h"

/* True when the descriptor says that its extents are encrypted: it has encryptionKeys, or names
 * the vmwarevmcrypt filter. */
bool descriptor_is_encrypted(const struct descriptor *d);

/* Parsed encryptionKeys; NULL with *error set when absent or malformed. Caller frees. */
struct locator *disk_key_safe(const struct descriptor *d, struct error *error);

/* Unlock the DEK; *result as keysafe_open. */
bool disk_key_unlock(const struct descriptor *d, const struct keyring *ring, struct crypto_key *dek,
                     struct keysafe_result *result, struct error *error);

/* Lock DEK for LOCKER and put encryptionKeys, keyID and ddb.iofilters into the descriptor. */
bool disk_key_lock(struct descriptor *d, const struct crypto_key *dek,
                   const struct keysafe_locker *locker, struct error *error);

/* Take all three out again. */
void disk_key_strip(struct descriptor *d);

#endif
