/* evidence - see evidence.h. */
#include "vmdk/evidence.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
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
                     "--allow-outside, or with its directory given to --search");
}

static bool cannot_open(struct error *error)
{
    if (errno == ENOENT || errno == ENOTDIR)
        return error_set(error, ERROR_DAMAGED, "this extent of the disk is missing");
    return error_system(error, "cannot open");
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

/* DIRECTORY and REAL are real paths; *below tells whether one lies below the other. */
static int open_real(const char *directory, const char *real, int flags, bool *below,
                     struct error *error)
{
    size_t length = strlen(directory);
    while (length > 0 && directory[length - 1] == '/')
        length--;
    *below = strncmp(real, directory, length) == 0 && real[length] == '/';
    if (!*below)
        return -1;
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

/* Root I as a real path: the directories to search come behind the descriptor's. */
static char *real_root(const struct evidence *evidence, const char *referrer, size_t i)
{
    if (i > 0)
        return realpath(evidence->search[i - 1], NULL);
    if (evidence->root != NULL)
        return realpath(evidence->root, NULL);
    char *beside = file_beside(referrer, ".");
    char *root = beside == NULL ? NULL : realpath(beside, NULL);
    free(beside);
    return root;
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

/*
 * The common case, without asking where each part of two paths really is: a file that is no link,
 * in the same directory as what names it, which is a root itself. -1 for anything else.
 */
static int open_beside(const struct evidence *evidence, const char *referrer, const char *name,
                       int flags)
{
    const char *root = evidence->root;
    size_t length = (size_t)(file_name(referrer) - referrer);
    /* The root is "DIR/.", or "." in the current directory, as file_beside gives it. */
    if (root == NULL || strchr(name, '/') != NULL || strcmp(name, "..") == 0 ||
        strncmp(root, referrer, length) != 0 || strcmp(root + length, ".") != 0)
        return -1;
    int at = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (at < 0)
        return -1;
    int fd = open_beneath(at, name, flags | O_NOATIME);
    if (fd < 0 && errno == EPERM)
        fd = open_beneath(at, name, flags);
    close(at);
    return fd;
}

/* NAME leads to PATH. */
static int open_inside(const struct evidence *evidence, const char *referrer, const char *name,
                       const char *path, int flags, struct error *error)
{
    int beside = open_beside(evidence, referrer, name, flags);
    if (beside >= 0)
        return beside;
    char *real = realpath(path, NULL);
    if (real == NULL) {
        /* Whether something is there is nobody's business either. */
        if (name[0] == '/' || climbs(name))
            outside(error);
        else
            cannot_open(error);
        return -1;
    }
    int fd = -1;
    bool below = false;
    for (size_t i = 0; !below && i <= evidence->search_count; i++) {
        char *root = real_root(evidence, referrer, i);
        if (root != NULL)
            fd = open_real(root, real, flags, &below, error);
        free(root);
    }
    if (!below)
        outside(error);
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

static bool examine(int fd, bool devices, struct evidence_file *file, struct error *error)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return error_system(error, "cannot examine");
    *file = (struct evidence_file){.size = (uint64_t)st.st_size,
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
    file->size = file->allocated = (uint64_t)end;
    return true;
}

/* The last part of NAME, or the last two; VMFS paths name the VM's directory before the file. */
static const char *tail_of(const char *name, size_t parts)
{
    const char *at = name + strlen(name);
    for (; at > name && parts > 0; parts--) {
        at--;
        while (at > name && at[-1] != '/')
            at--;
        if (parts > 1 && at > name)
            at--;
    }
    return at;
}

/* Where NAME is; when it is nowhere the first place, so that opening it tells. */
static char *find(const struct evidence *evidence, const char *referrer, const char *name,
                  struct error *error)
{
    char *beside = file_beside(referrer, name);
    if (beside == NULL) {
        error_memory(error);
        return NULL;
    }
    bool there = file_exists(beside) && (evidence->allow_outside || name[0] != '/');
    for (size_t i = 0; !there && i < 2 * evidence->search_count; i++) {
        char *path = NULL;
        if (asprintf(&path, "%s/%s", evidence->search[i / 2], tail_of(name, 2 - i % 2)) < 0) {
            free(beside);
            error_memory(error);
            return NULL;
        }
        there = file_exists(path);
        if (there) {
            free(beside);
            beside = path;
        } else {
            free(path);
        }
    }
    return beside;
}

static int open_file(const struct evidence *evidence, const char *referrer, const char *name,
                     int flags, char **path, struct evidence_file *file, struct error *error)
{
    char *found = find(evidence, referrer, name, error);
    if (found == NULL)
        return -1;
    int fd = -1;
    if (name[0] == '\0')
        error_set(error, ERROR_DAMAGED, "a disk names no file for one of its parts");
    else
        fd = evidence->allow_outside ? open_anywhere(found, flags, error)
                                     : open_inside(evidence, referrer, name, found, flags, error);
    if (fd >= 0 && !examine(fd, evidence->allow_outside, file, error)) {
        close(fd);
        fd = -1;
    }
    if (fd < 0)
        error_in_file(error, found);
    if (path != NULL && fd >= 0)
        *path = found;
    else
        free(found);
    return fd;
}

int evidence_open(const struct evidence *evidence, const char *referrer, const char *name,
                  char **path, struct evidence_file *file, struct error *error)
{
    return open_file(evidence, referrer, name, OPEN_FLAGS | O_RDONLY, path, file, error);
}

int evidence_open_writable(const struct evidence *evidence, const char *referrer, const char *name,
                           char **path, struct evidence_file *file, struct error *error)
{
    return open_file(evidence, referrer, name, OPEN_FLAGS | O_RDWR, path, file, error);
}
