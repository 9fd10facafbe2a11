/* tell - see tell.h. */
#include "nbdkit/tell.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/printable.h"

int tell_error(const struct error *error)
{
    char file[2 * sizeof error->file], message[2 * sizeof error->message], place[40] = "";
    printable_copy(error->file, file, sizeof file);
    printable_copy(error->message, message, sizeof message);
    if (error->offset != UINT64_MAX)
        snprintf(place, sizeof place, " (at byte %" PRIu64 ")", error->offset);
    nbdkit_error("%s%s%s%s", file, file[0] == '\0' ? "" : ": ", message, place);
    return -1;
}

int tell_error_limited(struct tell_limit *limit, const struct error *error)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    uint64_t last = atomic_load(&limit->second), second = (uint64_t)now.tv_sec + 1;
    if (last == second || !atomic_compare_exchange_strong(&limit->second, &last, second)) {
        atomic_fetch_add(&limit->kept_back, 1);
        return -1;
    }
    uint64_t kept_back = atomic_exchange(&limit->kept_back, 0);
    if (kept_back > 0)
        nbdkit_error("%" PRIu64 " more reads failed", kept_back);
    return tell_error(error);
}
