/*
 * files - which files make up a VM: its .vmx, and what lies beside it.
 */
#ifndef VMCRYPT_VM_FILES_H
#define VMCRYPT_VM_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* The .vmx that PATH means: itself, or the only one in a directory. Malloc'd; NULL with *error
 * when there is none or more than one. */
char *vm_find_vmx(const char *path, struct error *error);

struct vm_names {
    size_t count;
    char **names;
};

/* Names of the regular files in the directory of VMX, sorted, without subdirectories. */
bool vm_files_beside(const char *vmx, struct vm_names *names, struct error *error);
/* Add a copy of NAME. */
bool vm_names_add(struct vm_names *names, const char *name, struct error *error);
void vm_names_sort(struct vm_names *names);
void vm_names_free(struct vm_names *names);

/* True when NAME ends in SUFFIX, in any case. */
bool vm_has_suffix(const char *name, const char *suffix);

/* True for the name of a file that the dataFileKey encrypts: nvram, vmsn, vmss, vmem. */
bool vm_is_data_file(const char *name);

#endif
