/*
 * verify_scan - see verify.h: all blocks of a disk, by several threads.
 *
 * Workers take pieces in order, a chunk of data or a hole, and finish them in any order; what they
 * found waits in a ring until all before it is in the map. The ring, not the size of the disk, is
 * what takes memory: a worker that is too far ahead waits.
 */
#include "vmdk/verify.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vmdk/copy.h"

enum {
    BLOCK = VERIFY_BLOCK,
    CHUNK = 1 << 20,
    AHEAD = 4 * COPY_THREADS_MAX, /* pieces that may be under way */
    WAKE_MS = 100,
};

/* A chunk of data, or a hole of any length. */
struct piece {
    uint64_t offset, length;
    bool hole, done;
    uint8_t looks[CHUNK / BLOCK];
};

/* The run of equal looks that is being gathered. */
struct run {
    uint64_t start, length;
    enum verify_look look;
};

struct scan {
    const struct disk *disk;
    const struct verify_options *options;
    uint64_t size;
    struct timespec started;

    pthread_mutex_t lock; /* for all below */
    pthread_cond_t changed;
    bool stop;
    unsigned running;
    uint64_t cursor;   /* next byte to hand out */
    uint64_t data_end; /* all before it, from the cursor on, is known to be data */
    uint64_t limited;  /* bytes counted by the rate limit */
    uint64_t taken, merged;
    struct piece ring[AHEAD]; /* numbers MERGED to TAKEN */
    struct run run;
    struct verify_map *map;
    struct error error; /* at the lowest offset so far */
    uint64_t error_offset;
};

static void end_run(struct verify_map *map, const struct run *run)
{
    if (run->length == 0 || run->look == VERIFY_NOISE ||
        (run->look == VERIFY_ZEROS && run->length < VERIFY_ZEROS_LISTED))
        return;
    /* Zeros are no news: they leave half of the places to the rest. */
    size_t places = run->look == VERIFY_ZEROS ? VERIFY_RANGES_MAX / 2 : VERIFY_RANGES_MAX;
    if (map->count < places)
        map->ranges[map->count++] = (struct verify_range){run->start, run->length, run->look};
    else
        map->left_out++;
}

static void add(struct scan *s, uint64_t offset, uint64_t length, enum verify_look look)
{
    struct run *run = &s->run;
    s->map->bytes[look] += length;
    if (look != run->look || run->length == 0) {
        end_run(s->map, run);
        *run = (struct run){.start = offset, .look = look};
    }
    run->length += length;
}

static size_t block_at(const struct piece *p, size_t at)
{
    return p->length - at < BLOCK ? (size_t)(p->length - at) : BLOCK;
}

static void merge(struct scan *s, const struct piece *p)
{
    if (p->hole)
        add(s, p->offset, p->length, VERIFY_ZEROS);
    else
        for (size_t at = 0; at < p->length; at += BLOCK)
            add(s, p->offset + at, block_at(p, at), (enum verify_look)p->looks[at / BLOCK]);
}

/* With the lock held. */
static void stop(struct scan *s, uint64_t offset, const struct error *error)
{
    if (s->error.code == ERROR_NONE || offset < s->error_offset) {
        s->error = *error;
        s->error_offset = offset;
    }
    s->stop = true;
    pthread_cond_broadcast(&s->changed);
}

/* What lies at the cursor, up to the end of the hole or chunk. The end of a run is asked for once:
 * some file systems walk over all of it to tell. */
static bool next_piece(struct scan *s, struct piece *p, struct error *error)
{
    enum disk_run kind = DISK_DATA;
    uint64_t length;
    *p = (struct piece){.offset = s->cursor};
    if (s->cursor >= s->data_end) {
        if (!disk_run_at(s->disk, s->cursor, &kind, &length, error))
            return false;
        s->data_end = s->cursor + length;
    }
    uint64_t end = s->data_end;
    if (kind == DISK_ZERO && end < s->size)
        end -= end % BLOCK;
    p->hole = kind == DISK_ZERO && end > s->cursor;
    if (!p->hole)
        end = s->cursor - s->cursor % CHUNK + CHUNK;
    p->length = (end < s->size ? end : s->size) - s->cursor;
    s->cursor += p->length;
    if (kind == DISK_ZERO)
        s->data_end = s->cursor;
    return true;
}

/* Wait until LENGTH more bytes are due. With the lock held. */
static void wait_for_rate(struct scan *s, uint64_t length)
{
    double due = (double)s->limited / (double)s->options->rate + (double)s->started.tv_nsec * 1e-9;
    s->limited += length;
    struct timespec until = {.tv_sec = s->started.tv_sec + (time_t)due,
                             .tv_nsec = (long)((due - (double)(time_t)due) * 1e9)};
    int waited = 0;
    while (!s->stop && waited != ETIMEDOUT)
        waited = pthread_cond_timedwait(&s->changed, &s->lock, &until);
}

/* The next piece of data; holes are done at once. NULL at the end, or when stopped. What was taken
 * is looked at even then: an error in it would be the lower one. */
static struct piece *take(struct scan *s)
{
    struct piece *p = NULL;
    pthread_mutex_lock(&s->lock);
    while (p == NULL && !s->stop && s->cursor < s->size) {
        if (s->taken - s->merged == AHEAD) {
            pthread_cond_wait(&s->changed, &s->lock);
            continue;
        }
        struct error error = ERROR_INIT;
        struct piece *next = &s->ring[s->taken % AHEAD];
        if (!next_piece(s, next, &error)) {
            stop(s, next->offset, &error);
            break;
        }
        s->taken++;
        next->done = next->hole;
        if (!next->hole)
            p = next;
        else if (s->taken - s->merged == 1)
            merge(s, &s->ring[s->merged++ % AHEAD]);
    }
    if (p != NULL && s->options->rate > 0)
        wait_for_rate(s, p->length);
    pthread_mutex_unlock(&s->lock);
    return p;
}

/* It is done: into the map with it and all that waited for it. */
static void finish(struct scan *s, struct piece *p)
{
    pthread_mutex_lock(&s->lock);
    bool was_full = s->taken - s->merged == AHEAD;
    p->done = true;
    while (s->merged < s->taken && s->ring[s->merged % AHEAD].done)
        merge(s, &s->ring[s->merged++ % AHEAD]);
    if (was_full)
        pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static void look_at(struct piece *p, const uint8_t *data)
{
    for (size_t at = 0; at < p->length; at += BLOCK)
        p->looks[at / BLOCK] = (uint8_t)verify_look_at(data + at, block_at(p, at));
}

static void fail(struct scan *s, uint64_t offset, const struct error *error)
{
    pthread_mutex_lock(&s->lock);
    stop(s, offset, error);
    pthread_mutex_unlock(&s->lock);
}

static void *work(void *arg)
{
    struct scan *s = arg;
    struct error error = ERROR_INIT;
    uint8_t *data = aligned_alloc(BLOCK, CHUNK);
    if (data == NULL) {
        error_memory(&error);
        fail(s, 0, &error);
    }
    for (struct piece *p; data != NULL && (p = take(s)) != NULL;) {
        if (!disk_read(s->disk, p->offset, data, (size_t)p->length, &error)) {
            fail(s, p->offset, &error);
            break;
        }
        look_at(p, data);
        finish(s, p);
    }
    free(data);
    pthread_mutex_lock(&s->lock);
    s->running--;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* While the workers work. */
static void watch(struct scan *s)
{
    bool running = true;
    while (running) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += WAKE_MS * 1000000L;
        if (until.tv_nsec >= 1000000000L) {
            until.tv_sec++;
            until.tv_nsec -= 1000000000L;
        }
        pthread_mutex_lock(&s->lock);
        for (int waited = 0; s->running > 0 && waited != ETIMEDOUT;)
            waited = pthread_cond_timedwait(&s->changed, &s->lock, &until);
        running = s->running > 0;
        uint64_t at = s->cursor;
        pthread_mutex_unlock(&s->lock);
        struct error error = ERROR_INIT;
        if (!progress_update(s->options->progress, at, s->size) && running) {
            error_set(&error, ERROR_FAILED, "interrupted");
            fail(s, UINT64_MAX, &error);
        }
    }
}

static bool run_threads(struct scan *s, struct error *error)
{
    unsigned wanted = s->options->threads == 0 ? copy_default_threads() : s->options->threads;
    if (wanted > COPY_THREADS_MAX)
        wanted = COPY_THREADS_MAX;
    pthread_t threads[COPY_THREADS_MAX];
    unsigned count = 0;
    clock_gettime(CLOCK_MONOTONIC, &s->started);
    s->running = wanted;
    while (count < wanted && pthread_create(&threads[count], NULL, work, s) == 0)
        count++;
    if (count == 0)
        return error_set(error, ERROR_FAILED, "cannot start a thread");
    pthread_mutex_lock(&s->lock);
    s->running -= wanted - count;
    pthread_mutex_unlock(&s->lock);
    watch(s);
    for (unsigned i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    *error = s->error;
    return error->code == ERROR_NONE;
}

bool verify_cipher(const struct disk *disk, const struct verify_options *options,
                   struct verify_map *map, struct error *error)
{
    struct scan *s = calloc(1, sizeof *s);
    if (s == NULL)
        return error_memory(error);
    memset(map, 0, sizeof *map);
    s->disk = disk;
    s->options = options;
    s->size = disk_size(disk);
    s->map = map;
    s->error = ERROR_INIT;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    bool ok = run_threads(s, error);
    end_run(map, &s->run);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    free(s);
    return ok;
}
