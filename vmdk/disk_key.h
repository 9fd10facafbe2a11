/*
 * disk_key - the key of an encrypted disk, as its descriptor locks it in `encryptionKeys`:
 * a list of pairs around "type=key:cipher=XTS-AES-256:key=…". [source: govmomi; documents]
 */
#ifndef VMCRYPT_VMDK_DISK_KEY_H
#define VMCRYPT_VMDK_DISK_KEY_H

#include <stdbool.h>

#include "base/error.h"
#include "base/log.h"
#include "keywrap/cryptodict.h"
#include "keywrap/keysafe.h"
#include "vmdk/descriptor.h"

/* True when the descriptor says that its extents are encrypted: it has encryptionKeys, or names
 * the vmwarevmcrypt filter. */
bool descriptor_is_encrypted(const struct descriptor *d);

/* Parsed encryptionKeys; NULL with *error set when absent or malformed. Caller frees. */
struct locator *disk_key_safe(const struct descriptor *d, struct error *error);

/* Unlock the DEK that SAFE holds; *result as keysafe_open, to be freed either way, and with
 * attempts that live as long as SAFE. */
bool disk_key_unlock(const struct locator *safe, const struct keyring *ring, struct crypto_key *dek,
                     struct keysafe_result *result, struct error *error);

/* Lock DEK for LOCKER with MAC and put encryptionKeys, keyID and ddb.iofilters into the
 * descriptor. */
bool disk_key_lock(struct descriptor *d, const struct crypto_key *dek,
                   const struct keysafe_locker *locker, enum seal_mac mac, struct error *error);

/* Take all three out again, and with the last filter the sidecars. Other filters stay named. */
bool disk_key_strip(struct descriptor *d, struct error *error);

/* Warn of I/O filters beside ours on the disk called NAME: what they did to the data is not known,
 * and not undone. */
void disk_key_warn_filters(const struct descriptor *d, const char *name, struct log *log);

#endif
