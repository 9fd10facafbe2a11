/*
 * snapshots - the snapshots of a VM, as its database (NAME.vmsd beside NAME.vmx) lists them.
 *
 * A dictionary like the .vmx, `snapshotN.NAME = "value"`; it may be encrypted like one. N only
 * groups the lines; a snapshot is known by its uid. The disk that a snapshot names is the one that
 * was the newest when it was taken: its content is that moment's.
 * [source: Broadcom KB 337269; real files in public reports]
 */
#ifndef VMCRYPT_VM_SNAPSHOTS_H
#define VMCRYPT_VM_SNAPSHOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "keywrap/keyring.h"

enum {
    SNAPSHOTS_MAX = 4096,       /* products allow 32 in a row, a few hundred in all */
    SNAPSHOTS_DISKS_MAX = 1024, /* of one snapshot */
};

struct snapshot_disk {
    char *node; /* "scsi0:0"; "" when not told */
    char *file; /* as the database names it; never "" */
};

struct snapshot {
    uint64_t uid;
    uint64_t parent;   /* uid; 0 when it has none */
    char *name;        /* displayName; "" when there is none */
    char *description; /* "" when there is none */
    char *file;        /* the .vmsn; "" when there is none */
    uint64_t created;  /* microseconds since 1970; 0 when not told */
    size_t disk_count;
    struct snapshot_disk *disks;
};

struct snapshots {
    char *path;       /* of the database; NULL when there is none */
    bool encrypted;   /* it was */
    uint64_t current; /* uid from which the VM's present state comes; 0 when it has none */
    size_t odd;       /* entries left out: without a uid, or with one that another has */
    size_t count;
    struct snapshot *list; /* by N */
};

/* Those of the VM at VMX. A database that is not there, or empty, is success with none. RING opens
 * an encrypted one. */
bool snapshots_load(struct snapshots *snapshots, const char *vmx, const struct keyring *ring,
                    struct error *error);
/* The same of a text at hand; NAME is for messages. */
bool snapshots_parse(struct snapshots *snapshots, const char *name, const char *text, size_t length,
                     const struct keyring *ring, struct error *error);
void snapshots_free(struct snapshots *snapshots);

/* The snapshot whose uid or name is WORD: a number is a uid first. NULL with ERROR_USAGE, which
 * lists what there is, when there is none or when several have that name. */
const struct snapshot *snapshots_find(const struct snapshots *snapshots, const char *word,
                                      struct error *error);

#endif
