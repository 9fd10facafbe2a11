/*
 * mounted - mounts of ours, seen from outside: what is mounted where, is its server alive, and how
 * to take it away.
 *
 * The server of a mount that was killed leaves the kernel's side behind: every access gives
 * ENOTCONN, "Transport endpoint is not connected". Sources: proc(5) mountinfo, fusermount3(1).
 */
#ifndef VMCRYPT_FUSE_MOUNTED_H
#define VMCRYPT_FUSE_MOUNTED_H

#include <stdbool.h>

#include "base/error.h"

/* As findmnt shows it: "fuse.vmcrypt". */
#define MOUNTED_TYPE "fuse.vmcrypt"

/* Malloc'd absolute path of the mount point PATH, also of a dead mount. */
char *mounted_path(const char *path, struct error *error);

/* What lies on top of a mount point. */
struct mounted {
    bool ours;
    char device[16]; /* "MAJOR:MINOR"; "" when nothing is mounted there */
};
/* Of PATH, which is one of mounted_path. Asks no server. */
bool mounted_at(const char *path, struct mounted *out, struct error *error);
/* The same by the text of a mountinfo file; false when nothing is mounted there. */
bool mounted_find(const char *mountinfo, const char *path, struct mounted *out);

/* Is its server gone? Waits for an answer when it is not. */
bool mounted_is_dead(const char *path);

/* Take the mount at PATH away from the tree of files at once; whoever has a file of it open can go
 * on reading. By umount2 where that is allowed, else by fusermount3, which may say on stderr why
 * it does not. */
bool mounted_detach(const char *path, struct error *error);

#endif
