/*
 * files - which files make up a VM: what its settings name, and what lies beside them.
 */
#ifndef VMCRYPT_VM_FILES_H
#define VMCRYPT_VM_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "vmx/config.h"

struct vm_disk {
    char *device; /* "scsi0:0" */
    char *file;   /* as the setting names it */
};

struct vm_disks {
    size_t count;
    struct vm_disk *disks;
};

/* The .vmx that PATH means: itself, or the only one in a directory. Malloc'd; NULL with *error
 * when there is none or more than one. */
char *vm_find_vmx(const char *path, struct error *error);

/* Virtual disks (no CD-ROMs, no physical devices) in the order of the settings. */
bool vm_disks_of(const struct vmx_config *config, struct vm_disks *disks, struct error *error);
void vm_disks_free(struct vm_disks *disks);

struct vm_names {
    size_t count;
    char **names;
};

/* Names of the regular files in the directory of VMX, sorted, without subdirectories. */
bool vm_files_beside(const char *vmx, struct vm_names *names, struct error *error);
void vm_names_free(struct vm_names *names);

/* True when NAME ends in SUFFIX, in any case. */
bool vm_has_suffix(const char *name, const char *suffix);

#endif
