/*
 * convert - see convert.h: workers read and deflate chunks, the caller's thread writes them in
 * order.
 */
#include "vmdk/convert_private.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "vmdk/copy.h"
#include "vmdk/zero.h"

enum { SLOTS_PER_THREAD = 4, PACKED_GRAIN = CONVERT_GRAIN + CONVERT_GRAIN / 8 + 64 };

enum slot_state { SLOT_FREE, SLOT_TAKEN, SLOT_DONE };

struct slot {
    enum slot_state state;
    struct convert_chunk chunk;
};

struct converting {
    const struct disk *disk;
    const struct convert_options *options;
    uint64_t chunk_count;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t slot_count;
    struct slot *slots;   /* chunk N goes through slot N % slot_count */
    uint64_t next, wrote; /* chunks taken by workers, and written */
    bool stop;
    struct error error;
};

static void fail(struct converting *c, const struct error *error)
{
    pthread_mutex_lock(&c->lock);
    if (!c->stop)
        c->error = *error;
    c->stop = true;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

/* The next chunk's slot, when it is free; NULL at the end. */
static struct slot *take(struct converting *c)
{
    struct slot *slot = NULL;
    pthread_mutex_lock(&c->lock);
    while (!c->stop && c->next < c->chunk_count && c->next - c->wrote >= c->slot_count)
        pthread_cond_wait(&c->changed, &c->lock);
    if (!c->stop && c->next < c->chunk_count) {
        slot = &c->slots[c->next % c->slot_count];
        slot->state = SLOT_TAKEN;
        slot->chunk.number = c->next++;
    }
    pthread_mutex_unlock(&c->lock);
    return slot;
}

static void done(struct converting *c, struct slot *slot)
{
    pthread_mutex_lock(&c->lock);
    slot->state = SLOT_DONE;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

static bool read_chunk(const struct converting *c, struct convert_chunk *chunk, size_t *length,
                       struct error *error)
{
    uint64_t offset = chunk->number * CONVERT_CHUNK, left = disk_size(c->disk) - offset, zeros;
    enum disk_run run;
    *length = left < CONVERT_CHUNK ? (size_t)left : CONVERT_CHUNK;
    if (!disk_run_at(c->disk, offset, &run, &zeros, error))
        return false;
    chunk->skipped = run == DISK_ZERO && zeros >= *length;
    if (chunk->skipped)
        return true;
    /* The last grain is stored whole, with zeros behind the end of the disk. */
    memset(chunk->data + *length, 0, CONVERT_CHUNK - *length);
    return disk_read(c->disk, offset, chunk->data, *length, error);
}

static bool deflate_grain(z_stream *z, const uint8_t *data, uint8_t *packed, size_t *length,
                          struct error *error)
{
    z->next_in = (uint8_t *)data;
    z->avail_in = CONVERT_GRAIN;
    z->next_out = packed;
    z->avail_out = PACKED_GRAIN;
    if (deflateReset(z) != Z_OK || deflate(z, Z_FINISH) != Z_STREAM_END)
        return error_set(error, ERROR_FAILED, "zlib cannot deflate a grain");
    *length = PACKED_GRAIN - z->avail_out;
    return true;
}

static bool pack(struct convert_chunk *chunk, size_t length, z_stream *z, struct error *error)
{
    for (size_t i = 0; i < CONVERT_CHUNK_GRAINS; i++) {
        const uint8_t *data = chunk->data + i * CONVERT_GRAIN;
        struct convert_grain *grain = &chunk->grains[i];
        *grain = (struct convert_grain){.length = 0};
        if (i * CONVERT_GRAIN >= length || bytes_are_zero(data, CONVERT_GRAIN))
            continue;
        *grain = (struct convert_grain){CONVERT_GRAIN, data};
        if (z != NULL) {
            uint8_t *packed = chunk->packed + i * PACKED_GRAIN;
            if (!deflate_grain(z, data, packed, &grain->length, error))
                return false;
            grain->data = packed;
        }
    }
    return true;
}

static void *work(void *argument)
{
    struct converting *c = argument;
    bool stream = c->options->format == CONVERT_STREAM;
    z_stream z = {0};
    struct error error = ERROR_INIT;
    int level = c->options->level == 0 ? Z_DEFAULT_COMPRESSION : c->options->level;
    if (stream && deflateInit(&z, level) != Z_OK) {
        error_memory(&error);
        fail(c, &error);
        return NULL;
    }
    for (struct slot *slot; (slot = take(c)) != NULL;) {
        size_t length;
        bool ok = read_chunk(c, &slot->chunk, &length, &error);
        if (ok && !slot->chunk.skipped)
            ok = pack(&slot->chunk, length, stream ? &z : NULL, &error);
        if (!ok) {
            fail(c, &error);
            break;
        }
        done(c, slot);
    }
    if (stream)
        deflateEnd(&z);
    return NULL;
}

/* Wait for chunk N; NULL when something failed. */
static struct slot *wait_for(struct converting *c, uint64_t number)
{
    struct slot *slot = &c->slots[number % c->slot_count];
    pthread_mutex_lock(&c->lock);
    while (!c->stop && !(slot->state == SLOT_DONE && slot->chunk.number == number))
        pthread_cond_wait(&c->changed, &c->lock);
    bool stopped = c->stop;
    pthread_mutex_unlock(&c->lock);
    return stopped ? NULL : slot;
}

static void release(struct converting *c, struct slot *slot)
{
    pthread_mutex_lock(&c->lock);
    slot->state = SLOT_FREE;
    c->wrote++;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

static void write_all(struct converting *c, struct convert_file *file)
{
    uint64_t size = disk_size(c->disk);
    struct error error = ERROR_INIT;
    for (uint64_t n = 0; n < c->chunk_count; n++) {
        struct slot *slot = wait_for(c, n);
        if (slot == NULL)
            return;
        uint64_t done_bytes = (n + 1) * CONVERT_CHUNK;
        bool ok = convert_file_chunk(file, &slot->chunk, &error);
        if (ok &&
            !progress_update(c->options->progress, done_bytes < size ? done_bytes : size, size))
            ok = error_set(&error, ERROR_FAILED, "interrupted");
        if (!ok) {
            fail(c, &error);
            return;
        }
        release(c, slot);
    }
}

static bool make_slots(struct converting *c, size_t threads)
{
    c->slot_count = threads * SLOTS_PER_THREAD;
    c->slots = calloc(c->slot_count, sizeof *c->slots);
    bool ok = c->slots != NULL;
    for (size_t i = 0; ok && i < c->slot_count; i++) {
        struct convert_chunk *chunk = &c->slots[i].chunk;
        chunk->data = malloc(CONVERT_CHUNK);
        ok = chunk->data != NULL;
        if (ok && c->options->format == CONVERT_STREAM)
            ok = (chunk->packed = malloc((size_t)CONVERT_CHUNK_GRAINS * PACKED_GRAIN)) != NULL;
    }
    return ok;
}

static void free_slots(struct converting *c)
{
    for (size_t i = 0; c->slots != NULL && i < c->slot_count; i++) {
        free(c->slots[i].chunk.data);
        free(c->slots[i].chunk.packed);
    }
    free(c->slots);
}

static void run(struct converting *c, struct convert_file *file, unsigned threads)
{
    pthread_t workers[COPY_THREADS_MAX];
    unsigned started = 0;
    while (started < threads && pthread_create(&workers[started], NULL, work, c) == 0)
        started++;
    if (started == 0) {
        struct error error = ERROR_INIT;
        error_set(&error, ERROR_FAILED, "cannot start a thread");
        fail(c, &error);
    } else {
        write_all(c, file);
    }
    for (unsigned i = 0; i < started; i++)
        pthread_join(workers[i], NULL);
}

const char *convert_type(enum convert_format format)
{
    return format == CONVERT_STREAM ? "streamOptimized" : "monolithicSparse";
}

bool disk_convert(const struct disk *disk, const struct descriptor *d,
                  const struct convert_options *options, struct file_output *out,
                  struct convert_stats *stats, struct error *error)
{
    unsigned threads = options->threads == 0 ? copy_default_threads() : options->threads;
    threads = threads > COPY_THREADS_MAX ? COPY_THREADS_MAX : threads;
    struct converting c = {
        .disk = disk,
        .options = options,
        .chunk_count = (disk_size(disk) + CONVERT_CHUNK - 1) / CONVERT_CHUNK,
        .error = ERROR_INIT,
    };
    struct convert_file *file = convert_file_new(disk, d, options, out, error);
    if (file == NULL)
        return false;
    bool ok = make_slots(&c, threads) || error_memory(error);
    if (ok) {
        pthread_mutex_init(&c.lock, NULL);
        pthread_cond_init(&c.changed, NULL);
        run(&c, file, threads);
        pthread_cond_destroy(&c.changed);
        pthread_mutex_destroy(&c.lock);
        ok = !c.stop;
        if (!ok)
            *error = c.error;
    }
    ok = ok && convert_file_end(file, stats, error);
    free_slots(&c);
    convert_file_free(file);
    return ok;
}
