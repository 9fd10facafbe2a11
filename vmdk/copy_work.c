/* copy_work - one worker of a copy: read, transform, hash, write; see copy_private.h. */
#include "vmdk/copy_private.h"

#include <stdlib.h>
#include <string.h>

#include "vmdk/copy_write.h"
#include "vmdk/zero.h"

struct worker {
    struct copying *copying;
    struct copy_writer *writer;
    uint8_t *other; /* COPY_CHUNK bytes, when something is compared */
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

static bool do_data(struct worker *w, struct copy_slot *slot, struct error *error)
{
    struct copying *c = w->copying;
    const struct copy_cipher *cipher = &c->options->cipher;
    const struct copy_item *item = &slot->item;
    uint8_t *data = slot->data;
    size_t length = (size_t)item->length;
    bool bad = false;
    if (!copy_read(c, item->offset, data, length, &bad, error) ||
        !hash(c, COPY_STORED, item, data, error) ||
        !disk_decrypt(c->disk, item->offset, data, length, error) ||
        (cipher->xts != NULL && !transform(cipher, item->offset, data, length, error)))
        return false;
    if (bad && (cipher->xts == NULL || cipher->decrypt))
        copy_blank_bad(c, item->offset, data, length);
    if (!hash(c, COPY_RESULT, item, data, error))
        return false;
    if (w->other != NULL && (c->out == NULL || item->again))
        return compare_part(w, item->offset, data, length, error);
    copy_writer_write(w->writer, slot);
    return true;
}

void copy_work(struct copying *c, unsigned worker)
{
    struct error error = ERROR_INIT;
    struct worker w = {.copying = c, .writer = copy_writer_open(c, worker, &error)};
    if (c->other != NULL)
        w.other = aligned_alloc(COPY_BLOCK, COPY_CHUNK);
    uint64_t at = c->start;
    bool ok = w.writer != NULL && (c->other == NULL || w.other != NULL || error_memory(&error));
    while (ok) {
        struct copy_slot *slot = copy_writer_slot(w.writer);
        ok = slot != NULL && copy_take(c, slot->place, &slot->item, &error);
        if (slot != NULL)
            at = slot->item.offset;
        ok = ok && (slot->item.hole ? do_hole(&w, &slot->item, &error) : do_data(&w, slot, &error));
        if (ok)
            copy_writer_end(w.writer, slot);
    }
    /* Stopped by another, or failed; what was being done is not done. */
    if (error.code != ERROR_NONE)
        copy_stop(c, at, &error);
    copy_writer_close(w.writer);
    free(w.other);
}
