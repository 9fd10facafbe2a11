/*
 * layer_crypt - the bytes of a layer, decrypted.
 *
 * Unless the user gave another geometry, data units are counted from the start of the disk,
 * whichever extent holds them, and a unit that is all zero in the extent was never written and
 * reads as zeros [both inferred: the layout of encrypted extents is not published;
 * docs/formats.md].
 */
#include "vmdk/layer.h"

#include <stdlib.h>
#include <string.h>

#include "vmdk/zero.h"

/* Bytes from OFFSET on, at most LENGTH, whose places in the geometry lie behind one another; the
 * first in *position. */
static bool find_position(const struct layer *layer, uint64_t offset, size_t length,
                          uint64_t *position, size_t *part, struct error *error)
{
    enum geometry_base from = geometry_cipher_of(layer->cipher)->from;
    const struct extent *e = layer_extent(layer, offset);
    uint64_t at = offset - e->start, left = e->length - at;
    struct extent_run run = {.file_offset = e->offset + at};
    *position = from == GEOMETRY_DISK ? offset : at;
    if (from == GEOMETRY_DISK)
        left = length;
    if (from == GEOMETRY_FILE && e->ops != &extent_flat) {
        if (!e->ops->run_at(e, at, &run, error))
            return false;
        left = run.state == EXTENT_STORED ? run.file_length : run.length;
    }
    if (from == GEOMETRY_FILE)
        *position = run.file_offset;
    *part = left < length ? (size_t)left : length;
    if (run.file_offset != EXTENT_NOWHERE || from != GEOMETRY_FILE)
        return true;
    error_set(
        error, ERROR_FAILED,
        "the geometry counts from the start of the file, in which these data have no place of "
        "their own");
    return error_in_file(error, extent_pool_path(e->pool, e->file));
}

/* Decrypt whole units at OFFSET in place. */
static bool decrypt_units(const struct layer *layer, uint64_t offset, uint8_t *data, size_t length,
                          struct error *error)
{
    if (layer->cipher == NULL)
        return xts_decrypt(layer->xts, offset / xts_unit_bytes(layer->xts), data, data, length,
                           error);
    while (length > 0) {
        uint64_t position;
        size_t part;
        if (!find_position(layer, offset, length, &position, &part, error) ||
            !geometry_decrypt(layer->cipher, position, data, part, error))
            return false;
        offset += part;
        data += part;
        length -= part;
    }
    return true;
}

/* Decrypt whole units in place, leaving the all-zero ones. */
static bool decrypt_written(const struct layer *layer, uint64_t offset, uint8_t *data,
                            size_t length, struct error *error)
{
    size_t bytes = xts_unit_bytes(layer->xts);
    for (size_t at = 0; at < length;) {
        size_t end = at;
        while (end < length && !bytes_are_zero(data + end, bytes))
            end += bytes;
        if (end > at && !decrypt_units(layer, offset + at, data + at, end - at, error))
            return false;
        /* The unit at END, when there is one, is zero. */
        at = end + bytes;
    }
    return true;
}

/* Decrypt every unit but those that were never in a file. */
static bool decrypt_all(const struct layer *layer, uint64_t offset, uint8_t *data, size_t length,
                        struct error *error)
{
    size_t bytes = xts_unit_bytes(layer->xts);
    for (size_t at = 0; at < length;) {
        struct extent_run run;
        const struct extent *e;
        if (!layer_run_at(layer, offset + at, &run, &e, error))
            return false;
        uint64_t left = e->ops == &extent_flat ? e->start + e->length - (offset + at) : run.length;
        bool never = e->ops != &extent_flat && run.state != EXTENT_STORED && left >= bytes;
        size_t part = length - at;
        if (left < part)
            part = (size_t)((never ? left : left + bytes - 1) / bytes * bytes);
        part = part < length - at ? part : length - at;
        if (!never && !decrypt_units(layer, offset + at, data + at, part, error))
            return false;
        at += part;
    }
    return true;
}

bool layer_decrypt(const struct layer *layer, uint64_t offset, uint8_t *data, size_t length,
                   struct error *error)
{
    if (layer->decrypt_zero_units)
        return decrypt_all(layer, offset, data, length, error);
    return decrypt_written(layer, offset, data, length, error);
}

/* OFFSET and LENGTH are whole units. */
static bool read_units(const struct layer *layer, uint64_t offset, uint8_t *data, size_t length,
                       struct error *error)
{
    return layer_read_stored(layer, offset, data, length, error) &&
           layer_decrypt(layer, offset, data, length, error);
}

/* LENGTH bytes out of the one unit that holds OFFSET. */
static bool read_part(const struct layer *layer, uint64_t offset, uint8_t *data, size_t length,
                      struct error *error)
{
    size_t bytes = xts_unit_bytes(layer->xts);
    size_t skip = (size_t)(offset % bytes);
    uint8_t *unit = malloc(bytes);
    if (unit == NULL)
        return error_memory(error);
    bool ok = read_units(layer, offset - skip, unit, bytes, error);
    if (ok)
        memcpy(data, unit + skip, length);
    free(unit);
    return ok;
}

static bool crypt_read(const struct layer *layer, uint64_t offset, uint8_t *data, size_t length,
                       struct error *error)
{
    size_t bytes = xts_unit_bytes(layer->xts);
    while (length > 0) {
        size_t skip = (size_t)(offset % bytes);
        bool whole = skip == 0 && length >= bytes;
        size_t part = whole ? length / bytes * bytes : bytes - skip;
        if (part > length)
            part = length;
        bool ok = whole ? read_units(layer, offset, data, part, error)
                        : read_part(layer, offset, data, part, error);
        if (!ok)
            return false;
        offset += part;
        data += part;
        length -= part;
    }
    return true;
}

bool layer_read(const struct layer *layer, uint64_t offset, uint8_t *data, size_t length,
                struct error *error)
{
    return layer->xts == NULL ? layer_read_stored(layer, offset, data, length, error)
                              : crypt_read(layer, offset, data, length, error);
}

/* Bytes of zeros at OFFSET that need no reading, 0 for none; else *data is how many need it. */
static bool zeros_at(const struct layer *layer, uint64_t offset, uint64_t *zeros, uint64_t *data,
                     struct error *error)
{
    struct extent_run run;
    const struct extent *extent;
    if (!layer_run_at(layer, offset, &run, &extent, error))
        return false;
    /* What a flat file has a hole for may have been written as a hole by whoever copied it. */
    bool decrypted = layer->xts != NULL && layer->decrypt_zero_units && extent->ops == &extent_flat;
    *zeros = run.state != EXTENT_STORED && !decrypted ? run.length : 0;
    *data = *zeros > 0 ? 0 : run.length;
    return true;
}

bool layer_zero_run(const struct layer *layer, uint64_t offset, bool *zero, uint64_t *length,
                    struct error *error)
{
    size_t bytes = layer->xts == NULL ? 1 : xts_unit_bytes(layer->xts);
    uint64_t start = offset / bytes * bytes, end = start, zeros = 1, data = 0;
    /* A hole counts in whole units; two of them may share one. */
    while (zeros > 0 && end < layer->size && end - start < bytes) {
        if (!zeros_at(layer, end, &zeros, &data, error))
            return false;
        end += zeros;
    }
    *zero = end - start >= bytes;
    end = *zero ? end / bytes * bytes : (end + data + bytes - 1) / bytes * bytes;
    *length = end - offset;
    return true;
}
