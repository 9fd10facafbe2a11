/*
 * copy_ring - direct writes of one thread that go on while it does something else: io_uring.
 *
 * Not everywhere: io_uring is missing in old kernels, and is forbidden in many containers or by
 * kernel.io_uring_disabled. Then its user writes in the usual way; see copy_write.c.
 */
#ifndef VMCRYPT_VMDK_COPY_RING_H
#define VMCRYPT_VMDK_COPY_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { COPY_RING = 32 }; /* runs under way in one ring at most */

struct copy_slot;

struct copy_run {
    struct copy_slot *slot; /* that it is a piece of; NULL: not in use */
    const uint8_t *data;
    size_t length;
    uint64_t offset;
};

struct copy_ring;

/* To write to FD. NULL, with errno, where that cannot be done. */
struct copy_ring *copy_ring_open(int fd);
/* Only when nothing is under way. */
void copy_ring_close(struct copy_ring *r);

/* Begin to write RUN; it and its data have to stay as they are until it is reaped. False: it was
 * not begun, and will not be. */
bool copy_ring_submit(struct copy_ring *r, struct copy_run *run);

/* One of the runs that have ended, in any order, with *RESULT bytes written or a negative errno.
 * NULL: none has; with WAIT, that cannot be waited for, with errno. */
struct copy_run *copy_ring_reap(struct copy_ring *r, bool wait, int *result);

#endif
