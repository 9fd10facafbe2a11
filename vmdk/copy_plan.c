/* copy_plan - what is to be copied next, and what is done; see copy_private.h. */
#include "vmdk/copy_private.h"

#include <errno.h>
#include <time.h>

enum { HOLE_MAX = 1 << 30 }; /* one item of zeros to hash: seconds, so that a stop is felt */

double copy_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void copy_stop(struct copying *c, uint64_t offset, const struct error *error)
{
    pthread_mutex_lock(&c->lock);
    if (error != NULL && error->code != ERROR_NONE && offset <= c->error_offset) {
        c->error = *error;
        c->error_offset = offset;
    }
    c->stop = true;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    if (c->hash != NULL)
        copy_hash_stop(c->hash);
}

uint64_t copy_watermark(const struct copying *c)
{
    uint64_t mark = c->cursor;
    for (unsigned i = 0; i < COPY_PLACES; i++)
        mark = c->active[i] < mark ? c->active[i] : mark;
    return mark;
}

/* Learn of the run that holds the cursor. A hole of less than a grain is read like data. */
static bool find_run(struct copying *c, struct error *error)
{
    if (c->run_end > c->cursor)
        return true;
    enum disk_run run;
    uint64_t length;
    if (!disk_run_at(c->disk, c->cursor, &run, &length, error))
        return false;
    uint64_t end = length < c->end - c->cursor ? c->cursor + length : c->end;
    c->run_zero = run == DISK_ZERO && !c->options->dense;
    if (c->run_zero && end < c->end)
        end -= end % c->grain;
    if (c->run_zero && end <= c->cursor) {
        c->run_zero = false;
        end = c->cursor + 1;
    }
    uint64_t over = c->run_zero ? 0 : end % c->grain;
    if (over != 0)
        end += c->grain - over;
    c->run_end = end < c->end ? end : c->end;
    return true;
}

/* The next item, whatever the rate; false at the end or after an error. */
static bool next_item(struct copying *c, struct copy_item *item, struct error *error)
{
    while (c->cursor < c->end) {
        if (!find_run(c, error))
            return false;
        uint64_t limit = c->run_end;
        bool again = c->cursor < c->fresh;
        if (again && limit > c->fresh)
            limit = c->fresh;
        uint64_t most = c->run_zero ? HOLE_MAX : COPY_CHUNK - c->cursor % COPY_CHUNK;
        if ((!c->run_zero || c->show_holes) && limit - c->cursor > most)
            limit = c->cursor + most;
        *item = (struct copy_item){.number = c->number,
                                   .offset = c->cursor,
                                   .length = limit - c->cursor,
                                   .hole = c->run_zero,
                                   .again = again};
        c->cursor = limit;
        if (item->hole)
            c->counts.holes += item->length;
        if (!item->hole || c->show_holes) {
            c->number++;
            return true;
        }
        c->done += item->length;
    }
    return false;
}

/* Wait until LENGTH more bytes are due. */
static void wait_for_rate(struct copying *c, uint64_t length)
{
    double due = c->started + (double)c->limited / (double)c->options->rate;
    c->limited += length;
    struct timespec until = {.tv_sec = (time_t)due,
                             .tv_nsec = (long)((due - (double)(time_t)due) * 1e9)};
    int waited = 0;
    while (!c->stop && waited != ETIMEDOUT)
        waited = pthread_cond_timedwait(&c->changed, &c->lock, &until);
}

bool copy_take(struct copying *c, unsigned place, struct copy_item *item, struct error *error)
{
    pthread_mutex_lock(&c->lock);
    uint64_t at = c->cursor;
    bool taken = !c->stop && next_item(c, item, error);
    if (taken) {
        c->active[place] = item->offset;
        if (c->options->rate > 0 && !item->hole)
            wait_for_rate(c, item->length);
        taken = !c->stop;
    } else if (error->code != ERROR_NONE) {
        item->offset = at;
    }
    pthread_mutex_unlock(&c->lock);
    return taken;
}

void copy_done(struct copying *c, unsigned place, const struct copy_item *item, uint64_t written)
{
    pthread_mutex_lock(&c->lock);
    c->active[place] = UINT64_MAX;
    c->done += item->length;
    c->counts.written += written;
    pthread_mutex_unlock(&c->lock);
}
