/*
 * evidence - where files that a disk names may lie: beside what names them, and where the user
 * says.
 *
 * A descriptor is hostile input: the name it gives must not make us read /etc/shadow, block on a
 * FIFO or touch a device. Unless the user allows it, a file counts only when its real path lies
 * below the real path of one of the roots, and only when it is a regular file. The roots are the
 * directory of the descriptor that the user named, and the directories given to search.
 */
#ifndef VMCRYPT_VMDK_EVIDENCE_H
#define VMCRYPT_VMDK_EVIDENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

struct evidence {
    bool allow_outside; /* any path counts, and block devices too */
    const char *root;   /* a directory; NULL: the one of whatever names a file */
    size_t search_count;
    const char *const *search; /* more directories */
};

struct evidence_file {
    uint64_t size;
    uint64_t allocated; /* bytes of it that the file system holds */
    dev_t device;
    ino_t inode;
    nlink_t links;
};

/*
 * Open the file NAME (in UTF-8) that REFERRER, a path, names, for reading: beside it; when nothing
 * is there, by the last two parts of NAME or the last one in the directories to search. *path,
 * unless NULL, is where it was (malloc'd). Returns an fd, or -1 with *error set; a file that is not
 * there is ERROR_DAMAGED, since the disk lacks a part.
 */
int evidence_open(const struct evidence *evidence, const char *referrer, const char *name,
                  char **path, struct evidence_file *file, struct error *error);

/* The same for reading and writing. */
int evidence_open_writable(const struct evidence *evidence, const char *referrer, const char *name,
                           char **path, struct evidence_file *file, struct error *error);

#endif
