/* What the parts of recover share: the job at hand and its report. */
#ifndef VMCRYPT_VM_RECOVER_PRIVATE_H
#define VMCRYPT_VM_RECOVER_PRIVATE_H

#include <jansson.h>

#include "vm/recover.h"
#include "vm/report.h"
#include "vmx/config.h"
#include "vmx/info.h"

struct recovery {
    const struct recover_options *options;
    const char *vmx; /* path of the source .vmx */
    const char *out; /* output directory */
    struct vmx_config config;
    struct vmx_info info;
    struct dict *plain; /* settings to be written */
    json_t *disks, *files;
    size_t recovered;        /* files that came out, whole */
    size_t missed;           /* files that did not, or that nothing confirms */
    struct error first_miss; /* why, for the first of them */
};

/* Malloc'd OUT/NAME; NULL with *error. */
char *recovery_path(const struct recovery *r, const char *name, struct error *error);

/* Note in ENTRY that this file failed, and count it. */
void recovery_missed(struct recovery *r, json_t *entry, const struct error *error);

/* Recover the disk on DEVICE; sets its file name in r->plain. Never fails the whole. */
void recover_disk(struct recovery *r, const char *device, const char *file);

/* Recover or copy the other files of the VM: nvram, snapshot states, logs. */
bool recover_files(struct recovery *r, struct error *error);

#endif
