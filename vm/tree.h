/*
 * tree - the files of VMs under given paths, one after the other, in the order of their names.
 *
 * Memory is that of one directory's names and of the directories still to come, however large the
 * tree. Links to directories are not followed; a named path is whatever it leads to.
 */
#ifndef VMCRYPT_VM_TREE_H
#define VMCRYPT_VM_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum tree_kind {
    TREE_VMX,   /* NAME.vmx */
    TREE_VMDK,  /* NAME.vmdk: descriptor or extent, its content tells */
    TREE_DATA,  /* nvram, vmsn, vmss, vmem */
    TREE_OTHER, /* told for named files only */
};

struct tree_file {
    enum tree_kind kind;
    char *path;
    char *vmx; /* of TREE_DATA: the .vmx of its VM; NULL when there is none that it could be */
};

struct tree;

/* NULL with *error when memory is short. PATHS must outlive it. */
struct tree *tree_new(char *const *paths, size_t count, struct error *error);

/* The next file, to be freed with tree_file_free; *end when there are no more. False with *error
 * for a path or directory that cannot be read: the walk can go on behind it. */
bool tree_next(struct tree *tree, struct tree_file *file, bool *end, struct error *error);

void tree_file_free(struct tree_file *file);
void tree_free(struct tree *tree);

#endif
