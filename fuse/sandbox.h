/*
 * sandbox - take from a process that serves decrypted data all that serving does not need.
 *
 * What a mount reads is hostile: descriptors, extents and tables that an attacker wrote may be
 * parsed long after mounting, when a snapshot is first looked at. Should one of our parsers be
 * talked into more, then it can still only read the evidence and answer the kernel's questions:
 *   no_new_privs    nothing that is run later can gain rights
 *   capabilities    root keeps only what reading other people's files without a trace needs
 *   Landlock        files can be opened in the given directories alone, for reading (best effort:
 *                   older kernels have none)
 *   seccomp         an allow-list of system calls, see sandbox_calls.c
 * Sources: capabilities(7), landlock(7), seccomp(2).
 */
#ifndef VMCRYPT_FUSE_SANDBOX_H
#define VMCRYPT_FUSE_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* What is in force. */
struct sandbox {
    int landlock; /* version of the kernel's Landlock; 0: none */
};

/*
 * Enter it, for good, while the process has one thread; threads made later are in it, too. READABLE
 * are COUNT directories or files. False with *error when the kernel refuses: nothing is to be
 * served then.
 */
bool sandbox_enter(const char *const *readable, size_t count, struct sandbox *sandbox,
                   struct error *error);

#endif
