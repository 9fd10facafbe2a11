/* copy - see copy.h: the caller's thread of a copy. */
#include "vmdk/copy_private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "vmdk/copy_journal.h"

enum {
    WAKE_MS = 100,
    DIRECT_FROM = 1 << 30, /* bytes */
};
#define RECORD_SECONDS 5.0 /* between two entries in the journal */

struct worker_start {
    struct copying *copying;
    unsigned worker;
};

unsigned copy_default_threads(void)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    return cpus < 1 ? 1 : cpus > COPY_THREADS_MAX ? COPY_THREADS_MAX : (unsigned)cpus;
}

bool copy_differs(struct copying *c, uint64_t offset, struct error *error)
{
    pthread_mutex_lock(&c->lock);
    if (offset < c->difference)
        c->difference = offset;
    pthread_mutex_unlock(&c->lock);
    error_set(error, ERROR_DAMAGED, "what an earlier run wrote is not there any more");
    error->offset = offset;
    return false;
}

static void *work(void *arg)
{
    const struct worker_start *start = arg;
    struct copying *c = start->copying;
    copy_work(c, start->worker);
    pthread_mutex_lock(&c->lock);
    c->running--;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

/* Keeps the journal; once syncing failed nothing can be trusted to be on disk any more. */
struct keeper {
    double recorded;
    bool failed;
};

/* Sync what is written, then say so in the journal. */
static bool record(struct copying *c, struct keeper *k, struct error *error)
{
    struct copy_journal *j = c->options->journal;
    if (j == NULL || k->failed)
        return true;
    struct copy_bad *bad = NULL;
    pthread_mutex_lock(&c->lock);
    uint64_t mark = copy_watermark(c);
    if (c->options->bad != NULL && (bad = malloc(sizeof *bad)) != NULL)
        *bad = *c->options->bad;
    pthread_mutex_unlock(&c->lock);
    k->recorded = copy_now();
    bool ok = true;
    if (c->options->bad != NULL && bad == NULL)
        ok = error_memory(error);
    else if (mark > copy_journal_done(j)) {
        if (fdatasync(c->out->fd) != 0) {
            error_system(error, "cannot write to disk");
            ok = error_in_file(error, c->out->partial);
        } else {
            ok = copy_journal_record(j, mark, bad, error);
        }
    }
    free(bad);
    k->failed = !ok;
    return ok;
}

/* Tell how far it is; false when the user wants it to stop. */
static bool report(struct copying *c, struct copy_stats *stats)
{
    pthread_mutex_lock(&c->lock);
    uint64_t done = c->done;
    uint64_t kept = stats->kept, bytes = stats->bytes;
    *stats = c->counts;
    stats->kept = kept;
    stats->bytes = bytes;
    pthread_mutex_unlock(&c->lock);
    return progress_update(c->options->progress, done, c->end - c->start);
}

static void wait_a_little(struct copying *c)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += WAKE_MS * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    pthread_mutex_lock(&c->lock);
    if (c->running > 0)
        pthread_cond_timedwait(&c->changed, &c->lock, &until);
    pthread_mutex_unlock(&c->lock);
}

static bool any_running(struct copying *c)
{
    pthread_mutex_lock(&c->lock);
    bool running = c->running > 0;
    pthread_mutex_unlock(&c->lock);
    return running;
}

/* While the workers work. */
static void watch(struct copying *c, struct copy_stats *stats)
{
    struct keeper keeper = {.recorded = copy_now()};
    for (bool running = true; running;) {
        struct error error = ERROR_INIT;
        running = any_running(c);
        if (running)
            wait_a_little(c);
        bool due = copy_now() - keeper.recorded >= RECORD_SECONDS;
        if (!report(c, stats))
            error_set(&error, ERROR_FAILED, "interrupted");
        else if (due || !running)
            record(c, &keeper, &error);
        /* What a worker found counts more. */
        if (error.code != ERROR_NONE)
            copy_stop(c, UINT64_MAX, &error);
    }
    /* Also what was done when it failed is kept, if that can be synced. */
    struct error ignored = ERROR_INIT;
    record(c, &keeper, &ignored);
}

static bool run_threads(struct copying *c, struct copy_stats *stats, struct error *error)
{
    unsigned wanted = c->options->threads == 0 ? copy_default_threads() : c->options->threads;
    if (wanted > COPY_THREADS_MAX)
        wanted = COPY_THREADS_MAX;
    pthread_t threads[COPY_THREADS_MAX];
    struct worker_start starts[COPY_THREADS_MAX];
    unsigned count = 0;
    c->running = wanted;
    c->started = copy_now();
    if (!report(c, stats))
        return error_set(error, ERROR_FAILED, "interrupted");
    for (; count < wanted; count++) {
        starts[count] = (struct worker_start){c, count};
        if (pthread_create(&threads[count], NULL, work, &starts[count]) != 0)
            break;
    }
    if (count == 0)
        return error_set(error, ERROR_FAILED, "cannot start a thread");
    pthread_mutex_lock(&c->lock);
    c->running -= wanted - count;
    pthread_mutex_unlock(&c->lock);
    watch(c, stats);
    for (unsigned i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    *error = c->error;
    return error->code == ERROR_NONE;
}

static bool is_known(int fd)
{
    struct statfs st;
    return fstatfs(fd, &st) == 0 && (st.f_type == EXT4_SUPER_MAGIC || st.f_type == XFS_SUPER_MAGIC);
}

/* A second descriptor for direct I/O. That a file system refuses it is no error. */
static void open_direct(struct copying *c)
{
    enum copy_cache cache = c->options->cache;
    if (cache == COPY_CACHED ||
        (cache == COPY_AUTO && (c->end - c->start < DIRECT_FROM || !is_known(c->out->fd))))
        return;
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", c->out->fd);
    c->direct = open(path, O_WRONLY | O_DIRECT | O_CLOEXEC);
    c->counts.direct_refused = c->direct < 0 && cache == COPY_DIRECT;
}

static bool finish_digests(struct copying *c, struct error *error)
{
    struct copy_digests *digests = c->options->digests;
    return digests == NULL || (copy_hash_finish(c->hash, COPY_STORED, digests->stored, error) &&
                               copy_hash_finish(c->hash, COPY_RESULT, digests->result, error));
}

/* What the journal says is done is skipped, or for the digests read again. */
static void start_behind_journal(struct copying *c, struct copy_stats *stats)
{
    uint64_t done = copy_journal_done(c->options->journal);
    stats->kept = done - c->start;
    if (c->options->digests != NULL) {
        c->fresh = done;
    } else {
        c->cursor = done;
        c->done = stats->kept;
    }
}

static bool run(struct copying *c, struct copy_stats *stats, struct error *error)
{
    const struct copy_options *o = c->options;
    pthread_condattr_t attributes;
    pthread_mutex_init(&c->lock, NULL);
    pthread_mutex_init(&c->writing, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&c->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    for (unsigned i = 0; i < COPY_PLACES; i++)
        c->active[i] = UINT64_MAX;
    c->error = ERROR_INIT;
    c->error_offset = c->difference = UINT64_MAX;
    c->show_holes = o->digests != NULL || (c->other != NULL && c->out == NULL);
    if (o->journal != NULL)
        start_behind_journal(c, stats);
    bool ok = true;
    if (o->digests != NULL) {
        c->hash = copy_hash_new(error);
        ok = c->hash != NULL;
    }
    if (c->out != NULL)
        open_direct(c);
    ok = ok && run_threads(c, stats, error) && finish_digests(c, error);
    if (c->direct >= 0)
        close(c->direct);
    copy_hash_free(c->hash);
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->lock);
    pthread_mutex_destroy(&c->writing);
    return ok;
}

static bool set_up(struct copying *c, const struct disk *disk, const struct copy_options *options,
                   struct copy_stats *stats, struct error *error)
{
    *c = (struct copying){.disk = disk, .options = options, .direct = -1, .grain = COPY_BLOCK};
    uint64_t size = disk_size(disk);
    *stats = (struct copy_stats){.bytes = size};
    const struct xts *x = options->cipher.xts;
    if (x != NULL && xts_unit_bytes(x) > c->grain)
        c->grain = xts_unit_bytes(x);
    if (x != NULL && size % xts_unit_bytes(x) != 0)
        return error_set(error, ERROR_FAILED,
                         "the size of the disk is no multiple of a data unit of %zu bytes",
                         xts_unit_bytes(x));
    if (options->offset % COPY_ALIGN != 0 || options->offset >= size ||
        options->length > size - options->offset)
        return error_set(error, ERROR_USAGE, "this part is not inside the disk");
    c->start = c->cursor = options->offset;
    c->end = options->length == 0 ? size : options->offset + options->length;
    if (c->end % COPY_ALIGN != 0 && c->end != size)
        return error_set(error, ERROR_USAGE, "a part ends at a multiple of %d bytes", COPY_ALIGN);
    stats->bytes = c->end - c->start;
    return true;
}

bool disk_copy_with(const struct disk *disk, const struct copy_options *options,
                    struct file_output *out, struct copy_stats *stats, struct error *error)
{
    struct copying c;
    if (!set_up(&c, disk, options, stats, error))
        return false;
    c.out = out;
    if (ftruncate(out->fd, (off_t)disk_size(disk)) != 0) {
        error_system(error, "cannot make it as large as the disk");
        return error_in_file(error, out->partial);
    }
    struct disk *earlier = NULL;
    if (options->journal != NULL && options->digests != NULL) {
        earlier = disk_open_raw(out->partial, error);
        if (earlier == NULL)
            return false;
    }
    c.other = earlier;
    bool ok = run(&c, stats, error);
    if (!ok && c.difference != UINT64_MAX)
        error_at(error, out->partial, c.difference);
    disk_close(earlier);
    return ok;
}

bool disk_copy(const struct disk *disk, const struct xts *encrypt, struct file_output *out,
               const struct progress *progress, struct copy_stats *stats, struct error *error)
{
    const struct copy_options options = {.cipher.xts = encrypt, .progress = progress};
    return disk_copy_with(disk, &options, out, stats, error);
}

bool disk_compare(const struct disk *disk, const struct disk *other,
                  const struct copy_options *options, bool *equal, uint64_t *difference,
                  struct copy_stats *stats, struct error *error)
{
    struct copying c;
    if (!set_up(&c, disk, options, stats, error))
        return false;
    if (disk_size(other) != disk_size(disk))
        return error_set(error, ERROR_DAMAGED,
                         "the two differ in size: %" PRIu64 " and %" PRIu64 " bytes",
                         disk_size(disk), disk_size(other));
    c.other = other;
    bool ok = run(&c, stats, error);
    *equal = c.difference == UINT64_MAX;
    *difference = c.difference;
    /* The lowest error may still be one of reading. */
    if (!ok && !*equal && error->offset == c.difference && error->file[0] == '\0') {
        error_clear(error);
        return true;
    }
    return ok;
}
