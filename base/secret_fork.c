/* secret_fork - see secret_fork.h. */
#include "base/secret_fork.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct range {
    void *start;
    size_t length;
    bool locked, wiped;
};

struct secret_fork {
    size_t count, capacity;
    struct range *ranges;
};

void secret_fork_free(struct secret_fork *fork)
{
    if (fork == NULL)
        return;
    free(fork->ranges);
    free(fork);
}

static bool add(struct secret_fork *fork, const struct range *range)
{
    if (fork->count == fork->capacity) {
        size_t wanted = fork->capacity == 0 ? 16 : fork->capacity * 2;
        struct range *ranges = reallocarray(fork->ranges, wanted, sizeof *ranges);
        if (ranges == NULL)
            return false;
        fork->ranges = ranges;
        fork->capacity = wanted;
    }
    fork->ranges[fork->count++] = *range;
    return true;
}

/* "START-END PERMISSIONS OFFSET DEVICE INODE [PATH]": *range is empty unless it is memory that
 * belongs to no file. False for another line. */
static bool parse_mapping(const char *line, struct range *range)
{
    enum { FIELDS = 4 }; /* between the addresses and the path */
    char *at;
    uintptr_t start = strtoul(line, &at, 16), end = *at == '-' ? strtoul(at + 1, &at, 16) : 0;
    if (end <= start || *at != ' ')
        return false;
    for (int i = 0; i < FIELDS; i++) {
        at += strspn(at, " ");
        at += strcspn(at, " \n");
    }
    bool anonymous = at[strspn(at, " \n")] == '\0';
    *range = (struct range){.start = anonymous ? (void *)start : NULL, .length = end - start};
    return true;
}

/* "VmFlags: rd wr mr mw me lo ac dd wf": locked (lo), not dumped (dd), wiped on a fork (wf). */
static bool is_secret(const char *flags, struct range *range)
{
    range->locked = strstr(flags, " lo ") != NULL;
    range->wiped = strstr(flags, " wf ") != NULL;
    return range->start != NULL && strstr(flags, " dd ") != NULL && (range->locked || range->wiped);
}

static bool read_ranges(FILE *smaps, struct secret_fork *fork, struct error *error)
{
    static const char flags[] = "VmFlags:";
    char *line = NULL;
    size_t size = 0, told = 0;
    struct range range = {.start = NULL};
    bool ok = true;
    while (ok && getline(&line, &size, smaps) > 0) {
        if (strncmp(line, flags, strlen(flags)) != 0) {
            parse_mapping(line, &range);
            continue;
        }
        told++;
        /* The kernel puts a space behind each; a newline behind the last would hide it. */
        line[strcspn(line, "\n")] = ' ';
        if (is_secret(line, &range) && !add(fork, &range))
            ok = error_memory(error);
    }
    free(line);
    if (ok && (ferror(smaps) || told == 0))
        ok = error_set(error, ERROR_FAILED, "does not tell how memory is marked");
    return ok;
}

struct secret_fork *secret_fork_prepare(struct error *error)
{
    static const char path[] = "/proc/self/smaps";
    struct secret_fork *fork = calloc(1, sizeof *fork);
    if (fork == NULL) {
        error_memory(error);
        return NULL;
    }
    FILE *smaps = fopen(path, "re");
    bool ok =
        smaps != NULL || error_system(error, "cannot find the secrets that a child process needs");
    ok = ok && read_ranges(smaps, fork, error);
    for (size_t i = 0; ok && i < fork->count; i++)
        if (fork->ranges[i].wiped &&
            madvise(fork->ranges[i].start, fork->ranges[i].length, MADV_KEEPONFORK) != 0)
            ok = error_system(error, "cannot let a child process inherit secrets");
    if (smaps != NULL)
        fclose(smaps);
    if (!ok) {
        error_in_file(error, path);
        secret_fork_free(fork);
        return NULL;
    }
    return fork;
}

bool secret_fork_settle(struct secret_fork *fork)
{
    bool ok = true;
    for (size_t i = 0; i < fork->count; i++) {
        const struct range *range = &fork->ranges[i];
        if (range->locked && mlock(range->start, range->length) != 0)
            ok = false;
        if (range->wiped && madvise(range->start, range->length, MADV_WIPEONFORK) != 0)
            ok = false;
    }
    secret_fork_free(fork);
    return ok;
}
