/* extent_zero - ZERO extents: see extent.h. */
#include "vmdk/extent.h"

#include <string.h>

static bool zero_open(struct extent *e, struct error *error)
{
    (void)e;
    (void)error;
    return true;
}

static bool zero_read(const struct extent *e, uint64_t at, void *data, size_t length,
                      struct error *error)
{
    (void)e;
    (void)at;
    (void)error;
    memset(data, 0, length);
    return true;
}

static bool zero_run_at(const struct extent *e, uint64_t at, struct extent_run *run,
                        struct error *error)
{
    (void)error;
    *run = (struct extent_run){
        .state = EXTENT_ZEROS, .length = e->length - at, .file_offset = EXTENT_NOWHERE};
    return true;
}

const struct extent_ops extent_zero = {.open = zero_open, .read = zero_read, .run_at = zero_run_at};
