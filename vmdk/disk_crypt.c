/*
 * disk_crypt - the decrypting layer of a disk.
 *
 * Data units are counted from the start of the disk, whichever extent holds them, and a unit that
 * is all zero in the extent was never written and reads as zeros [both inferred: the layout of
 * encrypted extents is not published; docs/formats.md].
 */
#include "vmdk/disk_private.h"

#include <stdlib.h>
#include <string.h>

#include "vmdk/zero.h"

/* Decrypt whole units in place, leaving the all-zero ones. */
static bool decrypt_written(const struct xts *x, uint64_t unit, uint8_t *data, size_t length,
                            struct error *error)
{
    size_t bytes = xts_unit_bytes(x);
    for (size_t at = 0; at < length;) {
        size_t end = at;
        while (end < length && !bytes_are_zero(data + end, bytes))
            end += bytes;
        if (end > at && !xts_decrypt(x, unit + at / bytes, data + at, data + at, end - at, error))
            return false;
        /* The unit at END, when there is one, is zero. */
        at = end + bytes;
    }
    return true;
}

/* Decrypt every unit but those that lie in a ZERO extent, which were never in a file. */
static bool decrypt_all(const struct disk *disk, uint64_t offset, uint8_t *data, size_t length,
                        struct error *error)
{
    size_t bytes = xts_unit_bytes(disk->xts);
    for (size_t at = 0; at < length;) {
        const struct extent *e = stored_extent(disk, offset + at);
        uint64_t left = e->start + e->length - (offset + at);
        size_t part = length - at;
        bool never = e->ops == &extent_zero && left >= bytes;
        if (left < part)
            part = (size_t)((never ? left : left + bytes - 1) / bytes * bytes);
        if (!never &&
            !xts_decrypt(disk->xts, (offset + at) / bytes, data + at, data + at, part, error))
            return false;
        at += part;
    }
    return true;
}

bool crypt_units(const struct disk *disk, uint64_t offset, uint8_t *data, size_t length,
                 struct error *error)
{
    if (disk->decrypt_zero_units)
        return decrypt_all(disk, offset, data, length, error);
    return decrypt_written(disk->xts, offset / xts_unit_bytes(disk->xts), data, length, error);
}

/* OFFSET and LENGTH are whole units. */
static bool read_units(const struct disk *disk, uint64_t offset, uint8_t *data, size_t length,
                       struct error *error)
{
    return stored_read(disk, offset, data, length, error) &&
           crypt_units(disk, offset, data, length, error);
}

/* LENGTH bytes out of the one unit that holds OFFSET. */
static bool read_part(const struct disk *disk, uint64_t offset, uint8_t *data, size_t length,
                      struct error *error)
{
    size_t bytes = xts_unit_bytes(disk->xts);
    size_t skip = (size_t)(offset % bytes);
    uint8_t *unit = malloc(bytes);
    if (unit == NULL)
        return error_memory(error);
    bool ok = read_units(disk, offset - skip, unit, bytes, error);
    if (ok)
        memcpy(data, unit + skip, length);
    free(unit);
    return ok;
}

bool crypt_read(const struct disk *disk, uint64_t offset, uint8_t *data, size_t length,
                struct error *error)
{
    size_t bytes = xts_unit_bytes(disk->xts);
    while (length > 0) {
        size_t skip = (size_t)(offset % bytes);
        bool whole = skip == 0 && length >= bytes;
        size_t part = whole ? length / bytes * bytes : bytes - skip;
        if (part > length)
            part = length;
        bool ok = whole ? read_units(disk, offset, data, part, error)
                        : read_part(disk, offset, data, part, error);
        if (!ok)
            return false;
        offset += part;
        data += part;
        length -= part;
    }
    return true;
}

bool crypt_run_at(const struct disk *disk, uint64_t offset, enum disk_run *run, uint64_t *length,
                  struct error *error)
{
    size_t bytes = xts_unit_bytes(disk->xts);
    uint64_t start = offset / bytes * bytes, end = start;
    /* A hole counts in whole units; two of them may share one. */
    for (bool zero = true; zero && end < disk->size && end - start < bytes;) {
        if (!stored_run_at(disk, end, run, length, error))
            return false;
        bool decrypted = disk->decrypt_zero_units && stored_extent(disk, end)->ops != &extent_zero;
        zero = *run == DISK_ZERO && !decrypted;
        if (zero)
            end += *length;
    }
    if (end - start >= bytes) {
        *run = DISK_ZERO;
        end = end / bytes * bytes;
    } else {
        *run = DISK_DATA;
        end = (end + *length + bytes - 1) / bytes * bytes;
    }
    *length = end - offset;
    return true;
}
