/*
 * data_files - the files of a VM that its dataFileKey encrypts: nvram, vmsn, vmss, vmem, vswp.
 *
 * A new dataFileKey would leave them unreadable, so whoever changes it asks here first. Found by
 * extension beside the .vmx and by the settings that name them. [source: vmem-decrypt, VDDK guide]
 */
#ifndef VMCRYPT_VMX_DATA_FILES_H
#define VMCRYPT_VMX_DATA_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "vmx/config.h"

struct vmx_data_files {
    size_t count;
    char **names; /* as they are found: beside the .vmx, or as the setting names them */
};

/* Those of CONFIG, unlocked or plain, which lies at PATH. */
bool vmx_data_files_find(struct vmx_data_files *files, const struct vmx_config *config,
                         const char *path, struct error *error);
void vmx_data_files_free(struct vmx_data_files *files);

#endif
