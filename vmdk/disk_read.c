/* disk_read - see disk.h: reading, across extents and through the decrypting layer. */
#include "vmdk/disk_private.h"

#include <inttypes.h>

const struct extent *stored_extent(const struct disk *disk, uint64_t offset)
{
    size_t low = 0, high = disk->extent_count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (disk->extents[middle].start <= offset)
            low = middle;
        else
            high = middle;
    }
    return &disk->extents[low];
}

bool stored_read(const struct disk *disk, uint64_t offset, uint8_t *data, size_t length,
                 struct error *error)
{
    while (length > 0) {
        const struct extent *e = stored_extent(disk, offset);
        uint64_t at = offset - e->start;
        size_t part = length < e->length - at ? length : (size_t)(e->length - at);
        if (!e->ops->read(e, at, data, part, error))
            return false;
        offset += part;
        data += part;
        length -= part;
    }
    return true;
}

bool stored_run_at(const struct disk *disk, uint64_t offset, enum disk_run *run, uint64_t *length,
                   struct error *error)
{
    const struct extent *e = stored_extent(disk, offset);
    return e->ops->run_at(e, offset - e->start, run, length, error);
}

static bool check_range(const struct disk *disk, uint64_t offset, uint64_t length,
                        struct error *error)
{
    if (disk->closed)
        return error_set(error, ERROR_NO_KEY, "the disk is encrypted and was opened without keys");
    uint64_t end;
    if (__builtin_add_overflow(offset, length, &end) || end > disk->size)
        return error_set(error, ERROR_FAILED,
                         "bytes %" PRIu64 " to %" PRIu64 " lie beyond the disk of %" PRIu64, offset,
                         offset + length, disk->size);
    return true;
}

bool disk_read(const struct disk *disk, uint64_t offset, void *data, size_t length,
               struct error *error)
{
    if (!check_range(disk, offset, length, error))
        return false;
    return disk->xts == NULL ? stored_read(disk, offset, data, length, error)
                             : crypt_read(disk, offset, data, length, error);
}

bool disk_read_stored(const struct disk *disk, uint64_t offset, void *data, size_t length,
                      struct error *error)
{
    return check_range(disk, offset, length, error) &&
           stored_read(disk, offset, data, length, error);
}

bool disk_decrypt(const struct disk *disk, uint64_t offset, void *data, size_t length,
                  struct error *error)
{
    return check_range(disk, offset, length, error) &&
           (disk->xts == NULL || crypt_units(disk, offset, data, length, error));
}

size_t disk_unit_bytes(const struct disk *disk)
{
    return disk->xts == NULL ? 0 : xts_unit_bytes(disk->xts);
}

bool disk_run_at(const struct disk *disk, uint64_t offset, enum disk_run *run, uint64_t *length,
                 struct error *error)
{
    if (!check_range(disk, offset, 1, error))
        return false;
    return disk->xts == NULL ? stored_run_at(disk, offset, run, length, error)
                             : crypt_run_at(disk, offset, run, length, error);
}
