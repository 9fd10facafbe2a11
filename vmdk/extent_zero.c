/* extent_zero - ZERO extents: see extent.h. */
#include "vmdk/extent.h"

#include <string.h>

static bool zero_read(const struct extent *e, uint64_t at, void *data, size_t length,
                      struct error *error)
{
    (void)e;
    (void)at;
    (void)error;
    memset(data, 0, length);
    return true;
}

static bool zero_run_at(const struct extent *e, uint64_t at, enum disk_run *run, uint64_t *length,
                        struct error *error)
{
    (void)error;
    *run = DISK_ZERO;
    *length = e->length - at;
    return true;
}

const struct extent_ops extent_zero = {.read = zero_read, .run_at = zero_run_at};
