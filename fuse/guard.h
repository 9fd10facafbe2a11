/*
 * guard - a small process that unmounts for a server which no longer can.
 *
 * In its sandbox a server can neither unmount nor run fusermount3, and one that was killed cannot
 * do anything. The guard is forked before keys are read, holds none, and has no file open but one
 * end of a pipe, so it keeps no mount alive either. It lives as long as the server.
 */
#ifndef VMCRYPT_FUSE_GUARD_H
#define VMCRYPT_FUSE_GUARD_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

struct guard_options {
    const char *mountpoint; /* absolute, see mounted_path */
    const char *pid_file;   /* absolute; removed when the server is gone; NULL: none */
    bool auto_unmount;      /* unmount when the server was killed */
};

struct guard {
    int fd; /* to it; -1: there is none */
    pid_t pid;
};

/* Fork it. In the calling process this is done before secrets and threads are there. */
bool guard_start(struct guard *guard, const struct guard_options *options, struct error *error);

/* Have the mount detached: the server's work ends when nobody has a file of it open any more.
 * Async-signal-safe; false when the guard is gone. */
bool guard_detach(const struct guard *guard);

/* The server ends in an orderly way, after unmounting when that is still to be done: wait until
 * the guard is done and gone. */
void guard_end(struct guard *guard, bool detach);

#endif
