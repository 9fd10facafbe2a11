/* layer_read - the stored bytes of a layer, across its extents; see layer.h. */
#include <string.h>

#include "vmdk/layer.h"

const struct extent *layer_extent(const struct layer *layer, uint64_t offset)
{
    size_t low = 0, high = layer->extent_count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (layer->extents[middle].start <= offset)
            low = middle;
        else
            high = middle;
    }
    return &layer->extents[low];
}

bool layer_read_stored(const struct layer *layer, uint64_t offset, uint8_t *data, size_t length,
                       struct error *error)
{
    while (length > 0) {
        const struct extent *e = layer_extent(layer, offset);
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

bool layer_run_at(const struct layer *layer, uint64_t offset, struct extent_run *run,
                  const struct extent **extent, struct error *error)
{
    const struct extent *e = layer_extent(layer, offset);
    *extent = e;
    if (!e->ops->run_at(e, offset - e->start, run, error))
        return false;
    uint64_t left = e->start + e->length - offset;
    if (run->length > left)
        run->length = left;
    return true;
}
