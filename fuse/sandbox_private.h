/* What the parts of the sandbox share. */
#ifndef VMCRYPT_FUSE_SANDBOX_PRIVATE_H
#define VMCRYPT_FUSE_SANDBOX_PRIVATE_H

#include "fuse/sandbox.h"

/* Let the kernel refuse all system calls but those that serving needs. LANDLOCK is its version that
 * is in force, 0: none. */
bool sandbox_filter_calls(int landlock, struct error *error);

#endif
