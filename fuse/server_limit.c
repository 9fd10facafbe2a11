/* server_limit - see server_limit.h. */
#include "fuse/server_limit.h"

bool server_limit_pass(struct server_limit *limit, time_t now, uint64_t *skipped)
{
    if (limit->said == 0 || now - limit->start >= SERVER_LIMIT_SECONDS) {
        limit->start = now;
        limit->said = 0;
    }
    if (limit->said == SERVER_LIMIT_LINES) {
        limit->skipped++;
        return false;
    }
    limit->said++;
    *skipped = limit->skipped;
    limit->skipped = 0;
    return true;
}
