/* disk_read - see disk.h: reading, each byte from the layer that has it. */
#include <inttypes.h>
#include <string.h>

#include "vmdk/disk_private.h"

static bool check_range(const struct disk *disk, uint64_t offset, uint64_t length,
                        struct error *error)
{
    uint64_t end, size = disk->layers[0]->size;
    for (size_t i = 0; i < disk->layer_count; i++)
        if (disk->layers[i]->closed)
            return error_set(error, ERROR_NO_KEY,
                             "the disk is encrypted and was opened without keys");
    if (__builtin_add_overflow(offset, length, &end) || end > size)
        return error_set(error, ERROR_FAILED,
                         "bytes %" PRIu64 " to %" PRIu64 " lie beyond the disk of %" PRIu64, offset,
                         offset + length, size);
    return true;
}

/* The layer that has the byte at OFFSET, NULL for none, and for how many bytes. */
static bool find(const struct disk *disk, uint64_t offset, const struct layer **layer,
                 uint64_t *length, struct error *error)
{
    if (disk->map == NULL) {
        const struct layer *only = disk->layers[0];
        *layer = only->missing ? NULL : only;
        *length = only->size - offset;
        return true;
    }
    struct chain_run run;
    if (!chain_map_at(disk->map, offset, &run, error))
        return false;
    *layer = run.layer == CHAIN_NOBODY ? NULL : disk->layers[run.layer];
    *length = run.length;
    return true;
}

typedef bool reader(const struct layer *layer, uint64_t offset, uint8_t *data, size_t length,
                    struct error *error);

/* Let READ do each part in its layer. NULL data are left alone where no layer has them. */
static bool each_part(const struct disk *disk, uint64_t offset, uint8_t *data, size_t length,
                      reader *read, bool fill, struct error *error)
{
    while (length > 0) {
        const struct layer *layer;
        uint64_t part;
        if (!find(disk, offset, &layer, &part, error))
            return false;
        part = part < length ? part : length;
        if (layer == NULL && fill)
            memset(data, 0, (size_t)part);
        else if (layer != NULL && !read(layer, offset, data, (size_t)part, error))
            return false;
        offset += part;
        data += part;
        length -= (size_t)part;
    }
    return true;
}

static bool decrypt_part(const struct layer *layer, uint64_t offset, uint8_t *data, size_t length,
                         struct error *error)
{
    return layer->xts == NULL || layer_decrypt(layer, offset, data, length, error);
}

bool disk_read(const struct disk *disk, uint64_t offset, void *data, size_t length,
               struct error *error)
{
    return check_range(disk, offset, length, error) &&
           each_part(disk, offset, data, length, layer_read, true, error);
}

bool disk_read_stored(const struct disk *disk, uint64_t offset, void *data, size_t length,
                      struct error *error)
{
    return check_range(disk, offset, length, error) &&
           each_part(disk, offset, data, length, layer_read_stored, true, error);
}

bool disk_decrypt(const struct disk *disk, uint64_t offset, void *data, size_t length,
                  struct error *error)
{
    return check_range(disk, offset, length, error) &&
           each_part(disk, offset, data, length, decrypt_part, false, error);
}

size_t disk_unit_bytes(const struct disk *disk)
{
    for (size_t i = 0; i < disk->layer_count; i++)
        if (disk->layers[i]->xts != NULL)
            return xts_unit_bytes(disk->layers[i]->xts);
    return 0;
}

bool disk_run_at(const struct disk *disk, uint64_t offset, enum disk_run *run, uint64_t *length,
                 struct error *error)
{
    const struct layer *layer;
    uint64_t part, zeros;
    bool zero = true;
    if (!check_range(disk, offset, 1, error) || !find(disk, offset, &layer, &part, error))
        return false;
    if (layer != NULL) {
        if (!layer_zero_run(layer, offset, &zero, &zeros, error))
            return false;
        part = zeros < part ? zeros : part;
    }
    *run = zero ? DISK_ZERO : DISK_DATA;
    *length = part;
    return true;
}

bool disk_place_at(const struct disk *disk, uint64_t offset, struct disk_place *place,
                   struct error *error)
{
    const struct layer *layer;
    const struct extent *extent;
    struct extent_run run;
    uint64_t part;
    if (!check_range(disk, offset, 1, error) || !find(disk, offset, &layer, &part, error))
        return false;
    *place =
        (struct disk_place){.kind = DISK_PLACE_HOLE, .length = part, .file_offset = EXTENT_NOWHERE};
    if (layer == NULL)
        return true;
    if (!layer_run_at(layer, offset, &run, &extent, error))
        return false;
    while (disk->layers[place->layer] != layer)
        place->layer++;
    place->kind = run.state == EXTENT_STORED  ? DISK_PLACE_STORED
                  : run.state == EXTENT_ZEROS ? DISK_PLACE_ZERO
                                              : DISK_PLACE_HOLE;
    uint64_t length = run.state == EXTENT_STORED ? run.file_length : run.length;
    place->length = length < part ? length : part;
    if (run.state == EXTENT_STORED) {
        place->file = extent_pool_path(extent->pool, extent->file);
        place->file_offset = run.file_offset;
        place->compressed = run.compressed;
        place->encrypted = layer->encrypted;
    }
    return true;
}
