/* extent_flat - FLAT and VMFS extents: see extent.h. */
#include "vmdk/extent.h"

#include <errno.h>
#include <unistd.h>

#include "base/file.h"

static bool flat_read(const struct extent *e, uint64_t at, void *data, size_t length,
                      struct error *error)
{
    int fd = extent_pool_take(e->pool, e->file, error);
    if (fd < 0)
        return false;
    bool ok =
        file_read_at(fd, extent_pool_path(e->pool, e->file), data, length, e->offset + at, error);
    extent_pool_give(e->pool, e->file, fd);
    return ok;
}

/*
 * Holes as the file system tells them. A file system that cannot tell reports data, which is
 * always right. lseek moves the offset of a shared descriptor, but nobody reads through that.
 */
static void find_run(int fd, off_t here, uint64_t left, enum disk_run *run, uint64_t *length)
{
    off_t data = lseek(fd, here, SEEK_DATA);
    *length = left;
    if (data < 0) {
        /* No data up to the end; beyond the end of a file that shrank since it was opened, let
         * the read find out. */
        off_t end = errno == ENXIO ? lseek(fd, 0, SEEK_END) : -1;
        *run = end >= here && (uint64_t)(end - here) >= left ? DISK_ZERO : DISK_DATA;
    } else if (data > here) {
        *run = DISK_ZERO;
        if ((uint64_t)(data - here) < left)
            *length = (uint64_t)(data - here);
    } else {
        *run = DISK_DATA;
        off_t hole = lseek(fd, here, SEEK_HOLE);
        if (hole > here && (uint64_t)(hole - here) < left)
            *length = (uint64_t)(hole - here);
    }
}

static bool flat_run_at(const struct extent *e, uint64_t at, enum disk_run *run, uint64_t *length,
                        struct error *error)
{
    int fd = extent_pool_take(e->pool, e->file, error);
    if (fd < 0)
        return false;
    find_run(fd, (off_t)(e->offset + at), e->length - at, run, length);
    extent_pool_give(e->pool, e->file, fd);
    return true;
}

const struct extent_ops extent_flat = {.read = flat_read, .run_at = flat_run_at};
