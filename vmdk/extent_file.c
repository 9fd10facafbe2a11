/* extent_file - see extent_file.h. */
#include "vmdk/extent_file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"

/* Non-blocking, so that the open of a FIFO returns; it has no effect on files and disks. */
enum { OPEN_FLAGS = O_CLOEXEC | O_NONBLOCK };

static bool outside(struct error *error)
{
    return error_set(error, ERROR_FAILED,
                     "lies outside the directory of its descriptor; it is read only with "
                     "--allow-outside");
}

static bool cannot_open(struct error *error)
{
    if (errno == ENOENT || errno == ENOTDIR)
        return error_set(error, ERROR_DAMAGED, "this extent of the disk is missing");
    return error_system(error, "cannot open");
}

static bool climbs(const char *name)
{
    for (const char *part = name; part != NULL; part = strchr(part, '/')) {
        part += part[0] == '/';
        if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0'))
            return true;
    }
    return false;
}

/* One open in which no link is followed, so that nothing can be swapped in after the check. */
static int open_beneath(int directory, const char *name, int flags)
{
    struct open_how how = {.flags = (uint64_t)flags,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    long fd = syscall(SYS_openat2, directory, name, &how, sizeof how);
    /* Older kernels lack the call, some sandboxes forbid it. */
    if (fd < 0 && (errno == ENOSYS || errno == EPERM))
        fd = openat(directory, name, flags | O_NOFOLLOW);
    return (int)fd;
}

/* REAL and DIRECTORY are real paths. */
static int open_real(const char *directory, const char *real, int flags, struct error *error)
{
    size_t length = strlen(directory);
    while (length > 0 && directory[length - 1] == '/')
        length--;
    if (strncmp(real, directory, length) != 0 || real[length] != '/') {
        outside(error);
        return -1;
    }
    int at = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (at < 0) {
        error_system(error, "cannot open the directory of its descriptor");
        return -1;
    }
    /* As in file_open_read: without the right to O_NOATIME, reading matters more. */
    int fd = open_beneath(at, real + length + 1, flags | O_NOATIME);
    if (fd < 0 && errno == EPERM)
        fd = open_beneath(at, real + length + 1, flags);
    if (fd < 0)
        cannot_open(error);
    close(at);
    return fd;
}

static int open_inside(const char *descriptor, const char *name, const char *path, int flags,
                       struct error *error)
{
    if (name[0] == '/' || climbs(name)) {
        outside(error);
        return -1;
    }
    int fd = -1;
    char *beside = file_beside(descriptor, ".");
    char *directory = beside == NULL ? NULL : realpath(beside, NULL);
    char *real = directory == NULL ? NULL : realpath(path, NULL);
    if (real != NULL)
        fd = open_real(directory, real, flags, error);
    else
        cannot_open(error);
    free(beside);
    free(directory);
    free(real);
    return fd;
}

static int open_anywhere(const char *path, int flags, struct error *error)
{
    int fd = open(path, flags | O_NOATIME);
    if (fd < 0 && errno == EPERM)
        fd = open(path, flags);
    if (fd < 0)
        cannot_open(error);
    return fd;
}

static bool examine(int fd, bool devices, struct extent_file_facts *facts, struct error *error)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return error_system(error, "cannot examine");
    *facts = (struct extent_file_facts){.size = (uint64_t)st.st_size,
                                        .allocated = (uint64_t)st.st_blocks * 512,
                                        .device = st.st_dev,
                                        .inode = st.st_ino,
                                        .links = st.st_nlink};
    if (S_ISREG(st.st_mode))
        return true;
    if (!S_ISBLK(st.st_mode) || !devices)
        return error_set(error, ERROR_FAILED, "is no regular file");
    off_t end = lseek(fd, 0, SEEK_END);
    if (end < 0)
        return error_system(error, "cannot find the size");
    facts->size = facts->allocated = (uint64_t)end;
    return true;
}

static int open_extent(const char *descriptor, const char *name, bool allow_outside, int flags,
                       struct extent_file_facts *facts, struct error *error)
{
    char *path = file_beside(descriptor, name);
    if (path == NULL) {
        error_memory(error);
        return -1;
    }
    int fd = -1;
    if (name[0] == '\0')
        error_set(error, ERROR_DAMAGED, "an extent names no file");
    else
        fd = allow_outside ? open_anywhere(path, flags, error)
                           : open_inside(descriptor, name, path, flags, error);
    if (fd >= 0 && !examine(fd, allow_outside, facts, error)) {
        close(fd);
        fd = -1;
    }
    if (fd < 0)
        error_in_file(error, path);
    free(path);
    return fd;
}

int extent_file_open(const char *descriptor, const char *name, bool allow_outside,
                     struct extent_file_facts *facts, struct error *error)
{
    return open_extent(descriptor, name, allow_outside, OPEN_FLAGS | O_RDONLY, facts, error);
}

int extent_file_open_writable(const char *descriptor, const char *name, bool allow_outside,
                              struct extent_file_facts *facts, struct error *error)
{
    return open_extent(descriptor, name, allow_outside, OPEN_FLAGS | O_RDWR, facts, error);
}
