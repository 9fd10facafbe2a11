/*
 * detach - a server in the background, whose starter returns when it serves and not before.
 *
 * The fork comes first, before keys are read: secrets do not survive one (MADV_WIPEONFORK). Until
 * it serves, the new process talks to the terminal and standard input of the old one.
 */
#ifndef VMCRYPT_FUSE_DETACH_H
#define VMCRYPT_FUSE_DETACH_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"

enum { DETACH_INHERITED_MAX = 1024 };

struct detach {
    pid_t pid;                            /* in the old process: of the new one; 0 in the new one */
    int ready;                            /* a pipe: a byte says that it serves */
    bool inherited[DETACH_INHERITED_MAX]; /* descriptors that were open before */
};

/* Open what is not open of the three standard descriptors, so that no file of ours gets one of
 * their numbers. */
bool detach_fill_standard(struct error *error);

/* A descriptor that takes each line of standard error to the syslog daemon, or nowhere when there
 * is none. Writing to it never waits. -1 with *error. */
int detach_open_syslog(struct error *error);
/* What a line begins with that the daemon is to take for a warning of daemon NAME. */
void detach_syslog_prefix(const char *name, char *prefix, size_t size);

/* Fork. False when that fails. */
bool detach_fork(struct detach *detach, struct error *error);

/* In the old process. True when the new one serves; else it is gone, and *status its exit status,
 * or ERROR_FAILED with *error set when it was killed. */
bool detach_wait(struct detach *detach, int *status, struct error *error);

/* In the new process: leave the session and directory of the old one, close what was inherited but
 * for standard error. */
bool detach_leave(struct detach *detach, struct error *error);

/* In the new process, at last: say that it serves, and from now on talk to descriptor LOG. Needs
 * dup2, write and close alone. */
void detach_ready(struct detach *detach, int log);

#endif
