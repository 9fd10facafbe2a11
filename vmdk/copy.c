/* copy - see copy.h. */
#include "vmdk/copy.h"

#include <stdlib.h>
#include <unistd.h>

#include "vmdk/zero.h"

enum {
    CHUNK = 1 << 20,          /* read at a time, and the alignment of reads */
    BLOCK = 4096,             /* smallest hole worth making: a block of the file system */
    PROGRESS_EVERY = 16 << 20 /* bytes between two reports */
};

struct copying {
    const struct disk *disk;
    const struct xts *encrypt;
    struct file_output *out;
    uint64_t size;
    size_t grain; /* chunks start and end on multiples of it, or at the end of the disk */
    uint8_t *buffer;
    uint64_t written;
};

/* Encrypt in place all units that are not zero. */
static bool encrypt_chunk(const struct copying *c, uint64_t offset, size_t length,
                          struct error *error)
{
    size_t unit = xts_unit_bytes(c->encrypt);
    for (size_t at = 0; at < length;) {
        size_t end = at;
        while (end < length && !bytes_are_zero(c->buffer + end, unit))
            end += unit;
        if (end > at && !xts_encrypt(c->encrypt, (offset + at) / unit, c->buffer + at,
                                     c->buffer + at, end - at, error))
            return false;
        at = end + unit;
    }
    return true;
}

static size_t block_at(size_t at, size_t length)
{
    return length - at < BLOCK ? length - at : BLOCK;
}

/* Write the blocks that are not zero, neighbours together. */
static bool write_chunk(struct copying *c, uint64_t offset, size_t length, struct error *error)
{
    for (size_t at = 0; at < length;) {
        size_t end = at;
        while (end < length && !bytes_are_zero(c->buffer + end, block_at(end, length)))
            end += block_at(end, length);
        if (end > at && !file_write_at(c->out->fd, c->out->partial, c->buffer + at, end - at,
                                       offset + at, error))
            return false;
        c->written += end - at;
        at = end < length ? end + block_at(end, length) : end;
    }
    return true;
}

/* One step at OFFSET, which it moves on: over a hole, or a chunk of data copied. */
static bool copy_step(struct copying *c, uint64_t *offset, struct error *error)
{
    enum disk_run run;
    uint64_t length;
    if (!disk_run_at(c->disk, *offset, &run, &length, error))
        return false;
    uint64_t end = *offset + length;
    if (run == DISK_ZERO && end < c->size)
        end -= end % c->grain;
    /* A hole of less than a grain is read like data. */
    if (run == DISK_ZERO && end > *offset) {
        *offset = end;
        return true;
    }
    uint64_t limit = *offset - *offset % CHUNK + CHUNK;
    end = (end + c->grain - 1) / c->grain * c->grain;
    if (end <= *offset)
        end = *offset + c->grain;
    if (end > limit)
        end = limit;
    if (end > c->size)
        end = c->size;
    size_t part = (size_t)(end - *offset);
    if (!disk_read(c->disk, *offset, c->buffer, part, error) ||
        (c->encrypt != NULL && !encrypt_chunk(c, *offset, part, error)) ||
        !write_chunk(c, *offset, part, error))
        return false;
    *offset = end;
    return true;
}

static bool copy_all(struct copying *c, const struct progress *progress, struct error *error)
{
    uint64_t reported = 0;
    bool going = progress_update(progress, 0, c->size);
    for (uint64_t offset = 0; going && offset < c->size;) {
        if (!copy_step(c, &offset, error))
            return false;
        if (offset - reported >= PROGRESS_EVERY || offset == c->size) {
            going = progress_update(progress, offset, c->size);
            reported = offset;
        }
    }
    return going || error_set(error, ERROR_FAILED, "interrupted");
}

bool disk_copy(const struct disk *disk, const struct xts *encrypt, struct file_output *out,
               const struct progress *progress, struct copy_stats *stats, struct error *error)
{
    struct copying c = {
        .disk = disk, .encrypt = encrypt, .out = out, .size = disk_size(disk), .grain = BLOCK};
    if (encrypt != NULL && xts_unit_bytes(encrypt) > c.grain)
        c.grain = xts_unit_bytes(encrypt);
    if (encrypt != NULL && c.size % xts_unit_bytes(encrypt) != 0)
        return error_set(error, ERROR_FAILED,
                         "the size of the disk is no multiple of a data unit of %zu bytes",
                         xts_unit_bytes(encrypt));
    if (ftruncate(out->fd, (off_t)c.size) != 0) {
        error_system(error, "cannot make it as large as the disk");
        return error_in_file(error, out->partial);
    }
    c.buffer = aligned_alloc(BLOCK, CHUNK);
    if (c.buffer == NULL)
        return error_memory(error);
    bool ok = copy_all(&c, progress, error);
    free(c.buffer);
    *stats = (struct copy_stats){.bytes = c.size, .written = c.written};
    return ok;
}
