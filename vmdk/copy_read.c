/* copy_read - reading media that fail; see copy_private.h. */
#include "vmdk/copy_private.h"

#include <errno.h>
#include <string.h>

/* The medium, not the way to it, is the reason. */
static bool is_medium_error(const struct error *error)
{
    return error->cause == EIO || error->cause == EBADMSG || error->cause == ENODATA ||
           error->cause == EREMOTEIO || error->cause == EUCLEAN;
}

/* Smallest piece to give up: a sector, and never a part of a unit, which would be noise. */
static size_t smallest_piece(const struct copying *c)
{
    size_t unit = disk_unit_bytes(c->disk);
    const struct copy_cipher *cipher = &c->options->cipher;
    if (cipher->xts != NULL && cipher->decrypt && xts_unit_bytes(cipher->xts) > unit)
        unit = xts_unit_bytes(cipher->xts);
    return unit > 512 ? unit : 512;
}

/* Keep the list in order. Call with the lock held. */
static bool insert(struct copy_bad *bad, uint64_t offset, uint64_t length, struct error *error)
{
    size_t i = bad->count;
    while (i > 0 && bad->ranges[i - 1].offset > offset)
        i--;
    if (i > 0 && bad->ranges[i - 1].offset + bad->ranges[i - 1].length >= offset) {
        struct copy_range *before = &bad->ranges[i - 1];
        if (before->offset + before->length < offset + length)
            before->length = offset + length - before->offset;
        return true;
    }
    if (i < bad->count && offset + length == bad->ranges[i].offset) {
        bad->ranges[i].offset = offset;
        bad->ranges[i].length += length;
        return true;
    }
    if (bad->count == COPY_BAD_MAX)
        return error_set(error, ERROR_FAILED,
                         "more than %d unreadable ranges: save the medium with a tool made for "
                         "that (ddrescue) first",
                         COPY_BAD_MAX);
    memmove(&bad->ranges[i + 1], &bad->ranges[i], (bad->count - i) * sizeof bad->ranges[0]);
    bad->ranges[i] = (struct copy_range){offset, length};
    bad->count++;
    return true;
}

static bool give_up(struct copying *c, uint64_t offset, uint8_t *data, size_t length,
                    struct error *error)
{
    memset(data, 0, length);
    pthread_mutex_lock(&c->lock);
    bool ok = insert(c->options->bad, offset, length, error);
    pthread_mutex_unlock(&c->lock);
    return ok;
}

/* Halve what fails until it is a smallest piece; at most 2 reads for each such piece. */
static bool read_halves(struct copying *c, uint64_t offset, uint8_t *data, size_t length,
                        size_t piece, bool *bad, struct error *error)
{
    struct error here = ERROR_INIT;
    if (disk_read_stored(c->disk, offset, data, length, &here))
        return true;
    if (!is_medium_error(&here)) {
        *error = here;
        return false;
    }
    *bad = true;
    if (length <= piece)
        return give_up(c, offset, data, length, error);
    size_t half = length / 2 + (piece - 1);
    half -= half % piece;
    return read_halves(c, offset, data, half, piece, bad, error) &&
           read_halves(c, offset + half, data + half, length - half, piece, bad, error);
}

bool copy_read(struct copying *c, uint64_t offset, uint8_t *data, size_t length, bool *bad,
               struct error *error)
{
    *bad = false;
    if (c->options->bad == NULL)
        return disk_read_stored(c->disk, offset, data, length, error);
    return read_halves(c, offset, data, length, smallest_piece(c), bad, error);
}

void copy_blank_bad(struct copying *c, uint64_t offset, uint8_t *data, size_t length)
{
    const struct copy_bad *bad = c->options->bad;
    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < bad->count; i++) {
        uint64_t from = bad->ranges[i].offset, to = from + bad->ranges[i].length;
        from = from > offset ? from : offset;
        to = to < offset + length ? to : offset + length;
        if (from < to)
            memset(data + (from - offset), 0, (size_t)(to - from));
    }
    pthread_mutex_unlock(&c->lock);
}
