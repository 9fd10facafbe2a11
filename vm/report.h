/*
 * report - the parts of a report that say what a file is and what proves it, alike in what
 * recover writes and what a mount shows.
 *
 * A proof is {"kind", "detail"}: "hmac" (key and text proved), "signature" (the plaintext shows a
 * partition table or file system), or "none".
 */
#ifndef VMCRYPT_VM_REPORT_H
#define VMCRYPT_VM_REPORT_H

#include <stdbool.h>

#include <jansson.h>

#include "base/error.h"
#include "vmdk/disk.h"
#include "vmx/config.h"

/* A string of any bytes; shown as Latin-1 when it is no UTF-8, so that a report can always be
 * written. */
json_t *report_text(const char *text);

/* Append {"kind": KIND, "detail": DETAIL} to the array PROOFS. */
void report_proof(json_t *proofs, const char *kind, const char *detail);
/* Append "none" when there is no other. */
void report_no_proof(json_t *proofs);

/* Tell in ENTRY why the file failed. */
void report_error(json_t *entry, const struct error *error);

/* What proves the settings of CONFIG, unlocked or plain. */
json_t *report_config_proofs(const struct vmx_config *config);

/* Take the settings out of PLAIN that only make sense in an encrypted VM, keys among them: a
 * product would refuse a plain VM that has them. Their names, as an array. */
json_t *report_strip_settings(struct dict *plain);

/* Whose keys opened DISK: "encrypted", "provider" and "key_id" of its newest layer that has them,
 * and a proof for each layer that was unlocked. */
void report_disk_keys(json_t *entry, json_t *proofs, const struct disk *disk);

/* The layers of DISK, the newest first: an array of their files, and what locks each. */
json_t *report_disk_layers(const struct disk *disk);

/* Look what the plaintext of DISK shows. *proved when something in it confirms key and geometry.
 * False when it cannot be read. */
bool report_disk_signatures(json_t *proofs, const struct disk *disk, bool *proved,
                            struct error *error);

#endif
