/* extent_flat - FLAT and VMFS extents: see extent.h. */
#include "vmdk/extent.h"

#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

static bool flat_open(struct extent *e, struct error *error)
{
    /* Both terms fit 63 bits, their sum 64. */
    uint64_t needed = e->offset + e->length, size = extent_pool_size(e->pool, e->file);
    if (size >= needed)
        return true;
    error_set(error, ERROR_DAMAGED,
              "this extent is cut off: %" PRIu64 " bytes are needed, it has %" PRIu64, needed,
              size);
    return error_in_file(error, extent_pool_path(e->pool, e->file));
}

static bool flat_read(const struct extent *e, uint64_t at, void *data, size_t length,
                      struct error *error)
{
    return extent_pool_read(e->pool, e->file, data, length, e->offset + at, error);
}

/*
 * Holes as the file system tells them. A file system that cannot tell reports data, which is
 * always right. lseek moves the offset of a shared descriptor, but nobody reads through that.
 */
static void find_run(int fd, off_t here, uint64_t left, enum extent_state *state, uint64_t *length)
{
    off_t data = lseek(fd, here, SEEK_DATA);
    *length = left;
    if (data < 0) {
        /* No data up to the end; beyond the end of a file that shrank since it was opened, let
         * the read find out. */
        off_t end = errno == ENXIO ? lseek(fd, 0, SEEK_END) : -1;
        *state = end >= here && (uint64_t)(end - here) >= left ? EXTENT_ZEROS : EXTENT_STORED;
    } else if (data > here) {
        *state = EXTENT_ZEROS;
        if ((uint64_t)(data - here) < left)
            *length = (uint64_t)(data - here);
    } else {
        *state = EXTENT_STORED;
        off_t hole = lseek(fd, here, SEEK_HOLE);
        if (hole > here && (uint64_t)(hole - here) < left)
            *length = (uint64_t)(hole - here);
    }
}

static bool flat_run_at(const struct extent *e, uint64_t at, struct extent_run *run,
                        struct error *error)
{
    int fd = extent_pool_take(e->pool, e->file, error);
    if (fd < 0)
        return false;
    *run = (struct extent_run){.file_offset = e->offset + at};
    find_run(fd, (off_t)(e->offset + at), e->length - at, &run->state, &run->length);
    run->file_length = run->length;
    extent_pool_give(e->pool, e->file, fd);
    return true;
}

const struct extent_ops extent_flat = {.open = flat_open, .read = flat_read, .run_at = flat_run_at};
