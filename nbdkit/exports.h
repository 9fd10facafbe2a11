/*
 * exports - the disks of a view and their partitions, by the names that vmcrypt mount gives their
 * files: "web01.raw", "web01.p1"; of a single disk "disk.raw", "p1".
 */
#ifndef VMCRYPT_NBDKIT_EXPORTS_H
#define VMCRYPT_NBDKIT_EXPORTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "vm/view.h"

struct exports {
    size_t count;
    const struct view_node **nodes;
    const struct view_node *standard; /* what "" means: the only disk; NULL with several */
};

/* DISK: its name, with or without ".raw" or ".vmdk", when that alone is wanted; NULL for all. */
bool exports_find(struct exports *e, struct view *view, const char *disk, struct error *error);
void exports_free(struct exports *e);

/* The export a client calls NAME; NULL with *error, which says what names there are. A whole disk
 * may be named without its ".raw". */
const struct view_node *exports_named(const struct exports *e, const char *name,
                                      struct error *error);

/* A whole disk, not a partition. */
bool exports_is_whole(const struct view_node *node);

#endif
