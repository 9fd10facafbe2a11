/*
 * secret_fork - secrets that a server takes along when it forks into the background.
 *
 * A forked child inherits no memory locks, and of pages that are wiped on a fork (secret.h) only
 * zeros: a key that was unlocked before would be one of zeros after it, and decrypt to nonsense.
 */
#ifndef VMCRYPT_BASE_SECRET_FORK_H
#define VMCRYPT_BASE_SECRET_FORK_H

#include <stdbool.h>

#include "base/error.h"

struct secret_fork;

/*
 * Before the fork, with no other thread running: let children inherit all secrets that there are
 * now. What they are is read from /proc/self/smaps, where the kernel tells of the marks that
 * secret.h sets, also on the heap that lies within OpenSSL. NULL with *error when that cannot be
 * read: then nothing may be forked.
 */
struct secret_fork *secret_fork_prepare(struct error *error);

/*
 * In the process that goes on: lock again what was locked, and let no further child inherit what
 * it would not have before. Frees FORK. False when not all could be locked or marked, which
 * deserves a warning.
 */
bool secret_fork_settle(struct secret_fork *fork);

/* Not going on: forget it. NULL is fine. */
void secret_fork_free(struct secret_fork *fork);

#endif
