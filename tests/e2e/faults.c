/*
 * faults - a library to preload that makes media and disks fail, for the end-to-end tests.
 *
 *   FAULT_FILE=NAME           files whose path ends in NAME
 *   FAULT_READ=FROM:TO        reads that touch these bytes end in EIO
 *   FAULT_CUT=OFFSET:SIZE   before the first long read at or behind OFFSET the file is cut to SIZE
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

ssize_t pread64(int fd, void *data, size_t length, off_t offset);

enum { CHUNK = 65536 }; /* longer than what is read to look at a disk */

static int is_file(int fd)
{
    char link[64], path[4096];
    const char *wanted = getenv("FAULT_FILE");
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = wanted == NULL ? -1 : readlink(link, path, sizeof path - 1);
    if (n < 0)
        return 0;
    path[n] = '\0';
    size_t have = (size_t)n, want = strlen(wanted);
    return have >= want && strcmp(path + have - want, wanted) == 0;
}

static int get_pair(const char *name, long long *a, long long *b)
{
    const char *text = getenv(name);
    return text != NULL && sscanf(text, "%lld:%lld", a, b) == 2;
}

static void cut(int fd, long long size)
{
    static int done;
    char path[64];
    if (__atomic_exchange_n(&done, 1, __ATOMIC_SEQ_CST))
        return;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (truncate(path, size) != 0)
        perror("faults: truncate");
}

ssize_t pread64(int fd, void *data, size_t length, off_t offset)
{
    static ssize_t (*real)(int, void *, size_t, off_t);
    long long a, b;
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "pread64");
    if (is_file(fd)) {
        if (get_pair("FAULT_CUT", &a, &b) && offset >= a && length >= CHUNK)
            cut(fd, b);
        if (get_pair("FAULT_READ", &a, &b) && offset < b && offset + (long long)length > a) {
            errno = EIO;
            return -1;
        }
    }
    return real(fd, data, length, offset);
}
