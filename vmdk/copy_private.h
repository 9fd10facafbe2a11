/* copy_private - insides shared by copy*.c only. */
#ifndef VMCRYPT_VMDK_COPY_PRIVATE_H
#define VMCRYPT_VMDK_COPY_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmdk/copy.h"
#include "vmdk/copy_hash.h"

enum {
    COPY_CHUNK = 1 << 20, /* bytes at a time: docs/performance.md tells why */
    COPY_BLOCK = 4096,    /* smallest hole worth making: a block of the file system */
    COPY_SLOTS = 2,       /* chunks that a worker holds: one is filled while one is written */
    COPY_PLACES = COPY_THREADS_MAX * COPY_SLOTS,
};

/* A piece of work. */
struct copy_item {
    uint64_t number; /* counted from 0, in order of the disk */
    uint64_t offset, length;
    bool hole;  /* zeros, only there to be hashed or compared: of any length */
    bool again; /* was written by an earlier run */
};

struct copying {
    const struct disk *disk;
    const struct disk *other; /* to compare with; NULL: write */
    const struct copy_options *options;
    struct file_output *out; /* NULL when only comparing */
    int direct;              /* second descriptor of OUT, for direct I/O; -1: none */
    struct copy_hash *hash;  /* NULL: no digests */
    bool show_holes;         /* hand out holes as items */
    size_t grain;            /* chunks start and end on multiples of it, or at the end */
    uint64_t start, end;     /* of the part */
    uint64_t fresh;          /* all before it was written by an earlier run */

    /* File systems let one thread at a time write to a file through the page cache; those who wait
     * for that in the kernel burn a CPU. */
    pthread_mutex_t writing;

    pthread_mutex_t lock; /* for all below */
    pthread_cond_t changed;
    atomic_bool stop;
    struct error error; /* at the lowest offset so far */
    uint64_t error_offset;
    uint64_t difference; /* the lowest one found; UINT64_MAX: none */
    uint64_t cursor;     /* next byte to hand out */
    uint64_t number;
    uint64_t run_end; /* of the run that holds CURSOR, when known: above CURSOR */
    bool run_zero;
    double started;               /* seconds; for the rate limit */
    uint64_t limited;             /* bytes counted by it */
    uint64_t active[COPY_PLACES]; /* offset of the item in work; UINT64_MAX: none */
    unsigned running;
    uint64_t done; /* bytes */
    struct copy_stats counts;
};

/* copy_plan.c: the next item, to be in work at PLACE, one of COPY_PLACES; false at the end, or when
 * the copy was stopped, with *error set when it failed. */
bool copy_take(struct copying *c, unsigned place, struct copy_item *item, struct error *error);
/* It is done. */
void copy_done(struct copying *c, unsigned place, const struct copy_item *item, uint64_t written);
/* Everything before it (and after c->start) is done. Call with the lock held. */
uint64_t copy_watermark(const struct copying *c);
/* Stop all, for an error at OFFSET (the lowest one is kept) or, without one, at will. */
void copy_stop(struct copying *c, uint64_t offset, const struct error *error);

/* copy_work.c: a worker, until there is nothing left. */
void copy_work(struct copying *c, unsigned worker);

/* copy_read.c: read what is stored at OFFSET; with c->options->bad what cannot be read counts as
 * zeros, *bad. */
bool copy_read(struct copying *c, uint64_t offset, uint8_t *data, size_t length, bool *bad,
               struct error *error);
/* Zero the bad ranges in DATA. */
void copy_blank_bad(struct copying *c, uint64_t offset, uint8_t *data, size_t length);

/* copy.c: fill *error, for what is compared differs at OFFSET. Returns false. */
bool copy_differs(struct copying *c, uint64_t offset, struct error *error);

double copy_now(void);

#endif
