/*
 * copy_write - what a worker of a copy holds and writes: chunks in their buffers.
 *
 * Of direct writes several are under way while the worker reads on, where the kernel lets it
 * (copy_ring.h); all others are done when the call returns. A chunk is done, for copy_done(),
 * when all its writes have ended, in whatever order.
 */
#ifndef VMCRYPT_VMDK_COPY_WRITE_H
#define VMCRYPT_VMDK_COPY_WRITE_H

#include "vmdk/copy_private.h"

struct copy_slot {
    uint8_t *data;  /* COPY_CHUNK bytes */
    unsigned place; /* for copy_take() */
    struct copy_item item;
    uint64_t written;
    unsigned pending; /* writes under way, and 1 for its holder */
    bool failed;
};

struct copy_writer;

struct copy_writer *copy_writer_open(struct copying *c, unsigned worker, struct error *error);
/* Waits for all that is under way. */
void copy_writer_close(struct copy_writer *w);

/* A chunk to be filled; waits until one is free. NULL: there will be none, the copy stops. */
struct copy_slot *copy_writer_slot(struct copy_writer *w);

/* Write the blocks of SLOT that are not zero. What fails, now or later, stops the copy. */
void copy_writer_write(struct copy_writer *w, struct copy_slot *slot);

/* Give SLOT back: it is done with what was asked for until now. */
void copy_writer_end(struct copy_writer *w, struct copy_slot *slot);

#endif
