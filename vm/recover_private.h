/* What the parts of recover share: the job at hand and its report. */
#ifndef VMCRYPT_VM_RECOVER_PRIVATE_H
#define VMCRYPT_VM_RECOVER_PRIVATE_H

#include <jansson.h>

#include "vm/recover.h"
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

/* A string of any bytes; shown as Latin-1 when it is no UTF-8, so that a report can always be
 * written. */
json_t *report_text(const char *text);

/* Append {"kind": KIND, "detail": DETAIL} to the array PROOFS. */
void report_proof(json_t *proofs, const char *kind, const char *detail);

/* Note in ENTRY that this file failed, and count it. */
void report_failure(struct recovery *r, json_t *entry, const struct error *error);

/* Recover the disk on DEVICE; sets its file name in r->plain. Never fails the whole. */
void recover_disk(struct recovery *r, const char *device, const char *file);

/* Recover or copy the other files of the VM: nvram, snapshot states, logs. */
bool recover_files(struct recovery *r, struct error *error);

#endif
