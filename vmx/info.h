/*
 * info - what a .vmx tells of its VM: with a key everything, without one what is in the clear.
 *
 * A fact that could be in the locked part is said to be locked, never to be absent.
 * [setting names: real samples, VMware documentation, govmomi, STIG]
 */
#ifndef VMCRYPT_VMX_INFO_H
#define VMCRYPT_VMX_INFO_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "vmx/config.h"

enum vmx_encryption { VMX_ENCRYPTION_NONE, VMX_ENCRYPTION_PARTIAL, VMX_ENCRYPTION_FULL };

enum vmx_known { VMX_ABSENT, VMX_KNOWN, VMX_LOCKED };

enum vmx_truth { VMX_NO, VMX_YES, VMX_NOT_KNOWN };

enum vmx_fact {
    VMX_FACT_DISPLAY_NAME,
    VMX_FACT_GUEST_OS,
    VMX_FACT_HARDWARE_VERSION,
    VMX_FACT_FIRMWARE,
    VMX_FACT_UUID_BIOS,
    VMX_FACT_NVRAM,
    VMX_FACT_VMOTION_ENCRYPTION, /* disabled, opportunistic, required */
    VMX_FACT_FT_ENCRYPTION,      /* ftEncryptionDisabled, …Opportunistic, …Required */
    VMX_FACT_CRYPTO_STATE,
    VMX_FACT_COUNT,
};

/* "display_name" and so on, for JSON. */
const char *vmx_fact_name(enum vmx_fact fact);

struct vmx_value {
    enum vmx_known known;
    const char *text; /* when known */
};

struct vmx_disk {
    char *device;     /* "scsi0:0" */
    const char *file; /* as the setting names it */
    const char *type; /* deviceType; NULL when there is none */
    bool present;     /* unless a setting says FALSE: hand-made files leave it out */
    bool delta;       /* the file is named like one of a snapshot: NAME-000001.vmdk */
};

/* The texts live as long as the config and until it changes. */
struct vmx_info {
    enum vmx_encryption encryption;
    bool locked; /* there is an inner part that has not been decrypted */
    struct vmx_value facts[VMX_FACT_COUNT];
    enum vmx_truth vtpm, secure_boot;
    enum vmx_truth data_key;  /* there is a dataFileKey */
    char data_key_cipher[32]; /* "" when there is none or it is malformed */
    size_t disk_count;        /* while locked there may be more */
    struct vmx_disk *disks;
};

bool vmx_info_fill(struct vmx_info *info, const struct vmx_config *config, struct error *error);
void vmx_info_free(struct vmx_info *info);

/* Snapshots that the snapshot database (NAME.vmsd beside PATH) counts. *count is -1 when there is
 * no database or it does not say. */
bool vmx_info_snapshots(const char *path, long *count, struct error *error);

#endif
