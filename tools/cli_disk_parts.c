/* cli_disk_parts - the journals beside an unfinished image; see cli_disk.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "tools/cli_disk.h"

/* Journals are named IMAGE.partial.journal, and for a part IMAGE.partial.OFFSET+LENGTH.journal. */
static bool is_journal(const char *name, const char *image)
{
    size_t length = strlen(image);
    if (strncmp(name, image, length) != 0 ||
        strncmp(name + length, ".partial.", strlen(".partial.")) != 0)
        return false;
    const char *rest = name + length + strlen(".partial.");
    if (strcmp(rest, "journal") == 0)
        return true;
    size_t first = strspn(rest, "0123456789");
    size_t second = rest[first] == '+' ? strspn(rest + first + 1, "0123456789") : 0;
    return first > 0 && second > 0 && strcmp(rest + first + 1 + second, ".journal") == 0;
}

static DIR *open_directory(const char *image, struct error *error)
{
    char *directory = file_beside(image, ".");
    DIR *dir = directory == NULL ? NULL : opendir(directory);
    if (dir == NULL) {
        error_system(error, "cannot look for journals");
        error_in_file(error, directory == NULL ? image : directory);
    }
    free(directory);
    return dir;
}

/* Call VISIT with the path of each journal of IMAGE. */
static bool each_journal(const char *image, bool (*visit)(void *, const char *, struct error *),
                         void *user, struct error *error)
{
    DIR *dir = open_directory(image, error);
    bool ok = dir != NULL;
    for (struct dirent *entry; ok && (entry = readdir(dir)) != NULL;) {
        if (!is_journal(entry->d_name, file_name(image)))
            continue;
        char *path = file_beside(image, entry->d_name);
        ok = path == NULL ? error_memory(error) : visit(user, path, error);
        free(path);
    }
    if (dir != NULL)
        closedir(dir);
    return ok;
}

static bool count_one(void *user, const char *path, struct error *error)
{
    (void)path;
    (void)error;
    ++*(size_t *)user;
    return true;
}

bool disk_parts_count(const char *image, size_t *count, struct error *error)
{
    *count = 0;
    return each_journal(image, count_one, count, error);
}

static bool remove_one(void *user, const char *path, struct error *error)
{
    (void)user;
    if (unlink(path) == 0 || errno == ENOENT)
        return true;
    error_system(error, "cannot remove the journal");
    return error_in_file(error, path);
}

bool disk_parts_remove(const char *image, struct error *error)
{
    if (!each_journal(image, remove_one, NULL, error))
        return false;
    /* A journal that comes back after a power cut would speak of another file. */
    DIR *dir = open_directory(image, error);
    if (dir == NULL)
        return false;
    fsync(dirfd(dir));
    closedir(dir);
    return true;
}

int disk_parts_lock(const char *image)
{
    char *directory = file_beside(image, ".");
    int fd = directory == NULL ? -1 : open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    /* Where a directory cannot be locked, two that begin at once may find each other's journal
     * missing in the end, and say so. */
    if (fd >= 0)
        while (flock(fd, LOCK_EX) != 0 && errno == EINTR)
            continue;
    free(directory);
    return fd;
}

char *disk_parts_name(const char *image, const struct disk_job *job)
{
    char *name = NULL;
    int n = job->part ? asprintf(&name, "%s.partial.%" PRIu64 "+%" PRIu64 ".journal", image,
                                 job->copy.offset, job->copy.length)
                      : asprintf(&name, "%s.partial.journal", image);
    return n < 0 ? NULL : name;
}

enum { PARTS_MAX = 100000 };

struct gathering {
    struct disk_job *job;
    const struct copy_identity *identity;
    size_t count, capacity;
    struct copy_part *parts;
};

static bool gather_one(void *user, const char *path, struct error *error)
{
    struct gathering *g = user;
    if (g->count == g->capacity) {
        size_t wanted = g->capacity == 0 ? 16 : 2 * g->capacity;
        struct copy_part *parts =
            wanted > PARTS_MAX ? NULL : realloc(g->parts, wanted * sizeof *parts);
        if (parts == NULL)
            return error_memory(error);
        g->parts = parts;
        g->capacity = wanted;
    }
    return copy_journal_peek(path, g->identity, &g->parts[g->count++], &g->job->bad, error);
}

static int by_start(const void *a, const void *b)
{
    uint64_t x = ((const struct copy_part *)a)->start, y = ((const struct copy_part *)b)->start;
    return x < y ? -1 : x > y;
}

static bool check_cover(const struct gathering *g, uint64_t size, struct error *error)
{
    uint64_t done = 0;
    for (size_t i = 0; i < g->count && g->parts[i].start <= done; i++)
        done = g->parts[i].done > done ? g->parts[i].done : done;
    if (done >= size)
        return true;
    uint64_t next = size;
    for (size_t i = 0; i < g->count; i++)
        if (g->parts[i].start > done && g->parts[i].start < next)
            next = g->parts[i].start;
    return error_set(error, ERROR_PARTIAL,
                     "cannot be finished: no part has done bytes %" PRIu64 " to %" PRIu64, done,
                     next);
}

struct neighbour {
    const struct copy_identity *identity;
    const char *own; /* path of the own journal */
    uint64_t start, end;
    struct copy_bad bad; /* not used */
};

static bool check_neighbour(void *user, const char *path, struct error *error)
{
    struct neighbour *n = user;
    struct copy_part part;
    if (strcmp(path, n->own) == 0)
        return true;
    n->bad.count = 0;
    if (!copy_journal_peek(path, n->identity, &part, &n->bad, error))
        return false;
    if (part.end <= n->start || part.start >= n->end)
        return true;
    error_set(error, ERROR_FAILED,
              "parts do not overlap: this one and that of bytes %" PRIu64 " to %" PRIu64
              " do; go on with that one, or start again without it (--force without a part)",
              part.start, part.end);
    return error_in_file(error, path);
}

bool disk_parts_are_apart(const char *image, const struct copy_identity *identity,
                          const char *journal, uint64_t start, uint64_t end, struct error *error)
{
    struct neighbour n = {.identity = identity, .own = journal, .start = start, .end = end};
    return each_journal(image, check_neighbour, &n, error);
}

bool disk_parts_check(const char *image, struct disk_job *job, const struct copy_identity *identity,
                      struct error *error)
{
    struct gathering g = {.job = job, .identity = identity};
    bool ok = each_journal(image, gather_one, &g, error);
    if (ok) {
        if (g.count > 0)
            qsort(g.parts, g.count, sizeof *g.parts, by_start);
        ok = check_cover(&g, identity->size, error) || error_in_file(error, image);
    }
    free(g.parts);
    return ok;
}
