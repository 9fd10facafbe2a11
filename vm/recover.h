/*
 * recover - a whole VM from cold files: decrypted .vmx, plain disks, and a report of what was
 * proved for each file.
 */
#ifndef VMCRYPT_VM_RECOVER_H
#define VMCRYPT_VM_RECOVER_H

#include <stdbool.h>

#include <jansson.h>

#include "base/error.h"
#include "base/log.h"
#include "base/progress.h"
#include "keywrap/keyring.h"

struct recover_options {
    const struct keyring *keyring;
    bool decrypt_zero_units; /* see disk_options */
    bool allow_outside;      /* see disk_options */
    /* Called before a file that takes long, and after it with NULL. */
    const struct progress *(*progress_for)(void *user, const char *name);
    void *user;
    struct log *log;
};

/*
 * Recover the VM whose .vmx is VM (or the only .vmx in directory VM) into directory OUT, which is
 * made, or empty. Every file in OUT is whole: unfinished ones are removed.
 *
 * *report (owned by the caller, NULL when nothing was begun) is also written as OUT/report.json:
 * for each file "state" (recovered, unproved, copied, left, failed) and "proofs", each of kind
 * "hmac" (key and text proved), "signature" (the plaintext shows a partition table or file
 * system), or "none".
 *
 * False with ERROR_NO_KEY, ERROR_DAMAGED … when nothing came out, ERROR_PARTIAL when some files
 * did and others did not, or a plaintext was written that nothing confirms.
 */
bool vm_recover(const char *vm, const char *out, const struct recover_options *options,
                json_t **report, struct error *error);

#endif
