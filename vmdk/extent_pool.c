/* extent_pool - see extent_pool.h. */
#include "vmdk/extent_pool.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

struct pool_file {
    char *name;
    char *path;
    struct evidence_file facts;
    int fd;        /* -1 while closed */
    size_t users;  /* of FD */
    uint64_t used; /* when it was taken last */
};

struct extent_pool {
    char *descriptor;
    const struct evidence *evidence;
    bool sequential;
    pthread_mutex_t lock;
    uint64_t clock;
    size_t open_count;
    size_t open[EXTENT_POOL_OPEN]; /* which files are open */
    size_t count, capacity;
    struct pool_file *files;
};

struct extent_pool *extent_pool_new(const char *descriptor, const struct evidence *evidence,
                                    bool sequential, struct error *error)
{
    struct extent_pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL) {
        error_memory(error);
        return NULL;
    }
    pool->evidence = evidence;
    pool->sequential = sequential;
    pthread_mutex_init(&pool->lock, NULL);
    pool->descriptor = strdup(descriptor);
    if (pool->descriptor == NULL) {
        error_memory(error);
        extent_pool_free(pool);
        return NULL;
    }
    return pool;
}

void extent_pool_free(struct extent_pool *pool)
{
    if (pool == NULL)
        return;
    for (size_t i = 0; i < pool->count; i++) {
        if (pool->files[i].fd >= 0)
            close(pool->files[i].fd);
        free(pool->files[i].name);
        free(pool->files[i].path);
    }
    free(pool->files);
    free(pool->descriptor);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

/* Close the idle file that was not used for the longest time; false when all are in use. */
static bool make_room(struct extent_pool *pool)
{
    size_t oldest = EXTENT_POOL_OPEN;
    for (size_t i = 0; i < EXTENT_POOL_OPEN; i++) {
        const struct pool_file *file = &pool->files[pool->open[i]];
        if (file->users == 0 &&
            (oldest == EXTENT_POOL_OPEN || file->used < pool->files[pool->open[oldest]].used))
            oldest = i;
    }
    if (oldest == EXTENT_POOL_OPEN)
        return false;
    close(pool->files[pool->open[oldest]].fd);
    pool->files[pool->open[oldest]].fd = -1;
    pool->open[oldest] = pool->open[--pool->open_count];
    return true;
}

/* Let the pool keep FD open as file I; false when there is no room. */
static bool keep_open(struct extent_pool *pool, size_t i, int fd)
{
    if (pool->open_count == EXTENT_POOL_OPEN && !make_room(pool))
        return false;
    pool->open[pool->open_count++] = i;
    pool->files[i].fd = fd;
    pool->files[i].used = pool->clock++;
    return true;
}

static int open_file(const struct extent_pool *pool, const char *name, char **path,
                     struct evidence_file *facts, struct error *error)
{
    int fd = evidence_open(pool->evidence, pool->descriptor, name, path, facts, error);
    if (fd >= 0 && pool->sequential)
        posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    return fd;
}

static bool add_file(struct extent_pool *pool, const char *name, struct error *error)
{
    if (pool->count == pool->capacity) {
        size_t wanted = pool->capacity == 0 ? 8 : pool->capacity * 2;
        struct pool_file *files = realloc(pool->files, wanted * sizeof *files);
        if (files == NULL)
            return error_memory(error);
        pool->files = files;
        pool->capacity = wanted;
    }
    struct pool_file file = {.name = strdup(name), .fd = -1};
    int fd = -1;
    if (file.name != NULL)
        fd = open_file(pool, name, &file.path, &file.facts, error);
    else
        error_memory(error);
    if (fd < 0) {
        free(file.name);
        free(file.path);
        return false;
    }
    pool->files[pool->count++] = file;
    if (!keep_open(pool, pool->count - 1, fd))
        close(fd);
    return true;
}

bool extent_pool_add(struct extent_pool *pool, const char *name, size_t *index, struct error *error)
{
    bool again = pool->count > 0 && strcmp(pool->files[pool->count - 1].name, name) == 0;
    if (!again && !add_file(pool, name, error))
        return false;
    *index = pool->count - 1;
    return true;
}

const char *extent_pool_path(const struct extent_pool *pool, size_t i)
{
    return pool->files[i].path;
}

uint64_t extent_pool_size(const struct extent_pool *pool, size_t i)
{
    return pool->files[i].facts.size;
}

static int open_again(struct extent_pool *pool, size_t i, struct error *error)
{
    const struct pool_file *file = &pool->files[i];
    struct evidence_file now;
    int fd = open_file(pool, file->name, NULL, &now, error);
    if (fd >= 0 && (now.device != file->facts.device || now.inode != file->facts.inode)) {
        error_set(error, ERROR_FAILED, "is not the file any more that was opened at first");
        error_in_file(error, file->path);
        close(fd);
        fd = -1;
    }
    return fd;
}

/* With no more files than may be open, none is ever closed: no lock is needed. */
static bool all_stay_open(const struct extent_pool *pool)
{
    return pool->count <= EXTENT_POOL_OPEN;
}

int extent_pool_take(struct extent_pool *pool, size_t i, struct error *error)
{
    if (all_stay_open(pool))
        return pool->files[i].fd;
    pthread_mutex_lock(&pool->lock);
    struct pool_file *file = &pool->files[i];
    int fd = file->fd;
    if (fd < 0) {
        fd = open_again(pool, i, error);
        /* When every place is in use the descriptor lives for this one taker. */
        if (fd >= 0)
            keep_open(pool, i, fd);
    }
    if (fd >= 0 && fd == file->fd) {
        file->users++;
        file->used = pool->clock++;
    }
    pthread_mutex_unlock(&pool->lock);
    return fd;
}

void extent_pool_give(struct extent_pool *pool, size_t i, int fd)
{
    if (all_stay_open(pool))
        return;
    pthread_mutex_lock(&pool->lock);
    if (pool->files[i].fd == fd)
        pool->files[i].users--;
    else
        close(fd);
    pthread_mutex_unlock(&pool->lock);
}

bool extent_pool_read(struct extent_pool *pool, size_t i, void *data, size_t length,
                      uint64_t offset, struct error *error)
{
    int fd = extent_pool_take(pool, i, error);
    if (fd < 0)
        return false;
    bool ok = file_read_at(fd, extent_pool_path(pool, i), data, length, offset, error);
    extent_pool_give(pool, i, fd);
    return ok;
}
