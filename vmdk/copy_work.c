/* copy_work - one worker of a copy: read, transform, hash, write; see copy_private.h. */
#include "vmdk/copy_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmdk/zero.h"

struct worker {
    struct copying *copying;
    uint8_t *data;  /* COPY_CHUNK bytes */
    uint8_t *other; /* as many, when something is compared */
    uint64_t written;
};

/* En- or decrypt in place all units that are not zero. */
static bool transform(const struct copy_cipher *cipher, uint64_t offset, uint8_t *data,
                      size_t length, struct error *error)
{
    size_t unit = xts_unit_bytes(cipher->xts);
    for (size_t at = 0; at < length;) {
        size_t end = at;
        while (end < length && !bytes_are_zero(data + end, unit))
            end += unit;
        uint64_t first = cipher->first_unit + (offset + at) / unit;
        bool ok = end == at ||
                  (cipher->decrypt
                       ? xts_decrypt(cipher->xts, first, data + at, data + at, end - at, error)
                       : xts_encrypt(cipher->xts, first, data + at, data + at, end - at, error));
        if (!ok)
            return false;
        at = end + unit;
    }
    return true;
}

static size_t block_at(size_t at, size_t length)
{
    return length - at < COPY_BLOCK ? length - at : COPY_BLOCK;
}

/* Write past the page cache where all is aligned; what is not, or is refused, goes the usual
 * way. */
static bool write_run(struct copying *c, const uint8_t *data, size_t length, uint64_t offset,
                      struct error *error)
{
    if (c->direct >= 0 && offset % COPY_BLOCK == 0) {
        size_t whole = length - length % COPY_BLOCK;
        struct error refused = ERROR_INIT;
        if (whole > 0 &&
            !file_write_at(c->direct, c->out->partial, data, whole, offset, &refused)) {
            if (refused.cause != EINVAL) {
                *error = refused;
                return false;
            }
            pthread_mutex_lock(&c->lock);
            c->counts.direct_refused = true;
            pthread_mutex_unlock(&c->lock);
            whole = 0;
        }
        data += whole;
        offset += whole;
        length -= whole;
    }
    if (length == 0)
        return true;
    pthread_mutex_lock(&c->writing);
    bool ok = file_write_at(c->out->fd, c->out->partial, data, length, offset, error);
    pthread_mutex_unlock(&c->writing);
    return ok;
}

/* Write the blocks that are not zero, neighbours together. */
static bool write_chunk(struct worker *w, const struct copy_item *item, struct error *error)
{
    struct copying *c = w->copying;
    size_t length = (size_t)item->length;
    for (size_t at = 0; at < length;) {
        size_t end = at;
        while (end < length &&
               (c->options->dense || !bytes_are_zero(w->data + end, block_at(end, length))))
            end += block_at(end, length);
        if (end > at && !write_run(c, w->data + at, end - at, item->offset + at, error))
            return false;
        w->written += end - at;
        at = end < length ? end + block_at(end, length) : end;
    }
    return true;
}

/* LENGTH bytes at OFFSET of the other disk are those at DATA, or zeros for NULL. */
static bool compare_part(struct worker *w, uint64_t offset, const uint8_t *data, size_t length,
                         struct error *error)
{
    if (!disk_read(w->copying->other, offset, w->other, length, error))
        return false;
    if (data == NULL ? bytes_are_zero(w->other, length) : memcmp(w->other, data, length) == 0)
        return true;
    size_t i = 0;
    while (w->other[i] == (data == NULL ? 0 : data[i]))
        i++;
    return copy_differs(w->copying, offset + i, error);
}

static bool compare_hole(struct worker *w, const struct copy_item *item, struct error *error)
{
    uint64_t end = item->offset + item->length;
    for (uint64_t at = item->offset; at < end;) {
        enum disk_run run;
        uint64_t length;
        if (!disk_run_at(w->copying->other, at, &run, &length, error))
            return false;
        length = length < end - at ? length : end - at;
        if (run == DISK_DATA) {
            length = length < COPY_CHUNK ? length : COPY_CHUNK;
            if (!compare_part(w, at, NULL, (size_t)length, error))
                return false;
        }
        at += length;
    }
    return true;
}

static bool hash(const struct copying *c, enum copy_side side, const struct copy_item *item,
                 const void *data, struct error *error)
{
    return c->hash == NULL || copy_hash_add(c->hash, side, item->number, data, item->length, error);
}

static bool do_hole(struct worker *w, const struct copy_item *item, struct error *error)
{
    const struct copying *c = w->copying;
    bool compare = w->other != NULL && (c->out == NULL || item->again);
    /* Hashed first, as data are: who gets its turn knows that all before it will be compared. */
    return hash(c, COPY_STORED, item, NULL, error) && hash(c, COPY_RESULT, item, NULL, error) &&
           (!compare || compare_hole(w, item, error));
}

static bool do_data(struct worker *w, const struct copy_item *item, struct error *error)
{
    struct copying *c = w->copying;
    const struct copy_cipher *cipher = &c->options->cipher;
    size_t length = (size_t)item->length;
    bool bad = false;
    if (!copy_read(c, item->offset, w->data, length, &bad, error) ||
        !hash(c, COPY_STORED, item, w->data, error) ||
        !disk_decrypt(c->disk, item->offset, w->data, length, error) ||
        (cipher->xts != NULL && !transform(cipher, item->offset, w->data, length, error)))
        return false;
    if (bad && (cipher->xts == NULL || cipher->decrypt))
        copy_blank_bad(c, item->offset, w->data, length);
    if (!hash(c, COPY_RESULT, item, w->data, error))
        return false;
    if (w->other != NULL && (c->out == NULL || item->again))
        return compare_part(w, item->offset, w->data, length, error);
    return write_chunk(w, item, error);
}

void copy_work(struct copying *c, unsigned worker)
{
    struct worker w = {.copying = c, .data = aligned_alloc(COPY_BLOCK, COPY_CHUNK)};
    if (c->other != NULL)
        w.other = aligned_alloc(COPY_BLOCK, COPY_CHUNK);
    struct error error = ERROR_INIT;
    struct copy_item item = {.offset = c->start};
    bool ok = (w.data != NULL && (c->other == NULL || w.other != NULL)) || error_memory(&error);
    while (ok && copy_take(c, worker, &item, &error)) {
        w.written = 0;
        ok = item.hole ? do_hole(&w, &item, &error) : do_data(&w, &item, &error);
        if (ok)
            copy_done(c, worker, &item, w.written);
    }
    /* Stopped by another, or failed; what was being done is not done. */
    if (error.code != ERROR_NONE)
        copy_stop(c, item.offset, &error);
    free(w.data);
    free(w.other);
}
