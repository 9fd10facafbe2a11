/* Change tracking files: areas lie in the disk, in order, and are as many as the records that are
 * set. */
#include "tests/fuzz/extent_harness.h"
#include "vmdk/change_track.h"

struct walk {
    uint64_t end, blocks, left, disk_bytes, block_bytes;
};

static bool take(void *context, const struct change_track_area *area)
{
    struct walk *walk = context;
    require(area->number != 0 && area->length > 0 && area->offset >= walk->end);
    require(area->length <= walk->disk_bytes && area->offset <= walk->disk_bytes - area->length);
    walk->end = area->offset + area->length;
    walk->blocks += (area->length + walk->block_bytes - 1) / walk->block_bytes;
    return --walk->left > 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error = ERROR_INIT;
    struct change_track ct;
    struct change_track_sum sum;
    struct harness *h = harness_file(data, size, size);
    /* What fits the size of the file, or nearly so. */
    uint64_t disk = size > 512 ? (size - 512) / 4 * 65536 - data[size - 1] * 512ULL : 0;
    if (!change_track_load(h->fd, h->path, disk, &ct, &error)) {
        require(error.code != ERROR_NONE);
        return 0;
    }
    require(change_track_count(h->fd, h->path, &ct, &sum, &error));
    struct walk walk = {.left = data[0] == 0xa2 ? UINT64_MAX : 1,
                        .disk_bytes = disk,
                        .block_bytes = ct.block_bytes};
    require(change_track_each(h->fd, h->path, &ct, take, &walk, &error));
    require(ct.block_bytes == 0 ? walk.blocks == 0 : walk.blocks == sum.set);
    return 0;
}
