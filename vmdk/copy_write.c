/* copy_write - see copy_write.h. */
#include "vmdk/copy_write.h"

#include <errno.h>
#include <stdlib.h>

#include "vmdk/copy_ring.h"
#include "vmdk/zero.h"

struct copy_writer {
    struct copying *copying;
    struct copy_ring *ring; /* NULL: nothing is ever under way */
    struct copy_run runs[COPY_RING];
    unsigned under_way; /* of them */
    bool lost;          /* what is under way cannot be waited for */
    uint8_t *data;      /* of all slots */
    unsigned count;
    struct copy_slot slots[COPY_SLOTS];
};

static size_t block_at(size_t at, size_t length)
{
    return length - at < COPY_BLOCK ? length - at : COPY_BLOCK;
}

/* Blocks from OFFSET on that can go past the page cache, in bytes. */
static size_t direct_part(const struct copying *c, size_t length, uint64_t offset)
{
    return c->direct >= 0 && offset % COPY_BLOCK == 0 ? length - length % COPY_BLOCK : 0;
}

/* Write past the page cache where all is aligned; what is not, or is refused, goes the usual
 * way. */
static bool write_now(struct copying *c, const uint8_t *data, size_t length, uint64_t offset,
                      struct error *error)
{
    size_t whole = direct_part(c, length, offset);
    struct error refused = ERROR_INIT;
    if (whole > 0 && !file_write_at(c->direct, c->out->partial, data, whole, offset, &refused)) {
        if (refused.cause != EINVAL) {
            *error = refused;
            return false;
        }
        pthread_mutex_lock(&c->lock);
        c->counts.direct_refused = true;
        pthread_mutex_unlock(&c->lock);
        whole = 0;
    }
    if (length == whole)
        return true;
    pthread_mutex_lock(&c->writing);
    bool ok = file_write_at(c->out->fd, c->out->partial, data + whole, length - whole,
                            offset + whole, error);
    pthread_mutex_unlock(&c->writing);
    return ok;
}

static void fail(struct copy_writer *w, struct copy_slot *slot, const struct error *error)
{
    slot->failed = true;
    copy_stop(w->copying, error->offset, error);
}

static void release(struct copy_writer *w, struct copy_slot *slot)
{
    if (--slot->pending == 0 && !slot->failed)
        copy_done(w->copying, slot->place, &slot->item, slot->written);
}

/* What was not written, without that being an error of the medium, is written now: then it is
 * known what is wrong. */
static bool finish_run(struct copying *c, const struct copy_run *run, int result,
                       struct error *error)
{
    if (result < 0 && result != -EINVAL && result != -EINTR && result != -EAGAIN) {
        errno = -result;
        error_system(error, "cannot write");
        return error_at(error, c->out->partial, run->offset);
    }
    size_t done = result < 0 ? 0 : (size_t)result;
    return done >= run->length ||
           write_now(c, run->data + done, run->length - done, run->offset + done, error);
}

/* Take note of a write that has ended; with WAIT, wait for one. False: there is none. */
static bool reap(struct copy_writer *w, bool wait)
{
    struct error error = ERROR_INIT;
    int result;
    if (w->under_way == 0 || w->lost)
        return false;
    struct copy_run *run = copy_ring_reap(w->ring, wait, &result);
    if (run == NULL) {
        if (wait) {
            w->lost = true;
            error_system(&error, "cannot wait for what is being written");
            error_in_file(&error, w->copying->out->partial);
            copy_stop(w->copying, UINT64_MAX, &error);
        }
        return false;
    }
    struct copy_slot *slot = run->slot;
    if (!finish_run(w->copying, run, result, &error))
        fail(w, slot, &error);
    run->slot = NULL;
    w->under_way--;
    release(w, slot);
    return true;
}

static struct copy_run *idle_run(struct copy_writer *w)
{
    for (unsigned i = 0; i < COPY_RING; i++) {
        if (w->runs[i].slot == NULL)
            return &w->runs[i];
    }
    return NULL;
}

/* False: it has to be written in another way. */
static bool begin_run(struct copy_writer *w, struct copy_slot *slot, const uint8_t *data,
                      size_t length, uint64_t offset)
{
    if (w->ring == NULL || length == 0)
        return false;
    if (w->under_way == COPY_RING)
        reap(w, true);
    struct copy_run *run = idle_run(w);
    if (run == NULL)
        return false;
    *run = (struct copy_run){slot, data, length, offset};
    if (!copy_ring_submit(w->ring, run)) {
        run->slot = NULL;
        return false;
    }
    w->under_way++;
    slot->pending++;
    return true;
}

static void write_run(struct copy_writer *w, struct copy_slot *slot, size_t at, size_t length)
{
    struct error error = ERROR_INIT;
    uint64_t offset = slot->item.offset + at;
    size_t whole = direct_part(w->copying, length, offset);
    if (!begin_run(w, slot, slot->data + at, whole, offset))
        whole = 0;
    at += whole;
    if (length > whole &&
        !write_now(w->copying, slot->data + at, length - whole, offset + whole, &error))
        fail(w, slot, &error);
}

void copy_writer_write(struct copy_writer *w, struct copy_slot *slot)
{
    bool dense = w->copying->options->dense;
    size_t length = (size_t)slot->item.length;
    for (size_t at = 0; at < length && !slot->failed;) {
        size_t end = at;
        while (end < length && (dense || !bytes_are_zero(slot->data + end, block_at(end, length))))
            end += block_at(end, length);
        if (end > at)
            write_run(w, slot, at, end - at);
        slot->written += end - at;
        at = end < length ? end + block_at(end, length) : end;
    }
}

struct copy_slot *copy_writer_slot(struct copy_writer *w)
{
    while (reap(w, false))
        ;
    do {
        for (unsigned i = 0; i < w->count; i++) {
            struct copy_slot *slot = &w->slots[i];
            if (slot->pending > 0)
                continue;
            slot->pending = 1;
            slot->written = 0;
            return slot;
        }
    } while (reap(w, true));
    return NULL;
}

void copy_writer_end(struct copy_writer *w, struct copy_slot *slot)
{
    release(w, slot);
}

/* Only for direct writes. With a limit they are done one by one, so that what is done is told
 * before a wait and not after it. */
static void open_ring(struct copy_writer *w)
{
    struct copying *c = w->copying;
    if (c->direct < 0 || c->options->rate > 0)
        return;
    w->ring = copy_ring_open(c->direct);
    if (w->ring == NULL) {
        int cause = errno;
        pthread_mutex_lock(&c->lock);
        c->counts.ring_refused = cause;
        pthread_mutex_unlock(&c->lock);
    }
}

struct copy_writer *copy_writer_open(struct copying *c, unsigned worker, struct error *error)
{
    struct copy_writer *w = calloc(1, sizeof *w);
    if (w == NULL) {
        error_memory(error);
        return NULL;
    }
    w->copying = c;
    open_ring(w);
    w->count = w->ring == NULL ? 1 : COPY_SLOTS;
    w->data = aligned_alloc(COPY_BLOCK, (size_t)w->count * COPY_CHUNK);
    if (w->data == NULL) {
        copy_writer_close(w);
        error_memory(error);
        return NULL;
    }
    for (unsigned i = 0; i < w->count; i++)
        w->slots[i] = (struct copy_slot){.data = w->data + (size_t)i * COPY_CHUNK,
                                         .place = worker * COPY_SLOTS + i,
                                         .item.offset = c->start};
    return w;
}

void copy_writer_close(struct copy_writer *w)
{
    if (w == NULL)
        return;
    while (reap(w, true))
        ;
    copy_ring_close(w->ring);
    /* The kernel may still read from there. */
    if (!w->lost)
        free(w->data);
    free(w);
}
