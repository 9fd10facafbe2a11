/*
 * recover - a whole VM from cold files: decrypted .vmx, plain disks, and a report of what was
 * proved for each file.
 */
#ifndef VMCRYPT_VM_RECOVER_H
#define VMCRYPT_VM_RECOVER_H

#include <stdbool.h>

#include "base/error.h"
#include "base/log.h"
#include "base/progress.h"
#include "keywrap/keyring.h"

struct recover_options {
    const struct keyring *keyring;
    bool decrypt_zero_units;
    bool allow_outside;
    bool force; /* write a disk although nothing in its plaintext confirms the key */
    /* Called before each file that takes long; NAME is for a progress line. */
    const struct progress *(*progress_for)(void *user, const char *name);
    void *user;
    struct log *log;
};

/*
 * Recover the VM whose .vmx is VM (or the only .vmx in directory VM) into the directory OUT,
 * which is made and must not hold files. *report is a JSON document (also written as
 * OUT/report.json). False with ERROR_NO_KEY, ERROR_DAMAGED … when nothing useful came out;
 * ERROR_PARTIAL when some files did.
 */
bool vm_recover(const char *vm, const char *out, const struct recover_options *options,
                struct error *error);

#endif
