/*
 * extent_file - the files that extents name, opened without following them out of the evidence.
 *
 * A descriptor is hostile input: the name it gives must not make us read /etc/shadow, block on a
 * FIFO or touch a device. Unless the user allows it, a file counts only when its real path lies
 * below the real path of the descriptor's directory, and only when it is a regular file.
 */
#ifndef VMCRYPT_VMDK_EXTENT_FILE_H
#define VMCRYPT_VMDK_EXTENT_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

struct extent_file_facts {
    uint64_t size;
    uint64_t allocated; /* bytes of it that the file system holds */
    dev_t device;
    ino_t inode;
    nlink_t links;
};

/* Open the file NAME (in UTF-8, relative) of the descriptor at DESCRIPTOR for reading. With
 * ALLOW_OUTSIDE any path, and block devices too. Returns an fd, or -1 with *error set; a file that
 * is not there is ERROR_DAMAGED, since the disk lacks a part. */
int extent_file_open(const char *descriptor, const char *name, bool allow_outside,
                     struct extent_file_facts *facts, struct error *error);

/* The same for reading and writing. */
int extent_file_open_writable(const char *descriptor, const char *name, bool allow_outside,
                              struct extent_file_facts *facts, struct error *error);

#endif
