/* file - see file.h. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int file_open_read(const char *path, struct error *error)
{
    /* O_NOATIME is for the owner and root only; without the right, reading matters more. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOATIME);
    if (fd < 0 && errno == EPERM)
        fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        error_system(error, "cannot open");
        error_in_file(error, path);
    }
    return fd;
}

bool file_read_at(int fd, const char *path, void *data, size_t length, uint64_t offset,
                  struct error *error)
{
    size_t done = 0;
    while (done < length) {
        ssize_t n = pread(fd, (char *)data + done, length - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            error_system(error, "cannot read");
            return error_at(error, path, offset + done);
        }
        if (n == 0) {
            error_set(error, ERROR_DAMAGED, "file ends here, %zu more bytes are needed",
                      length - done);
            return error_at(error, path, offset + done);
        }
        done += (size_t)n;
    }
    return true;
}

bool file_write_at(int fd, const char *path, const void *data, size_t length, uint64_t offset,
                   struct error *error)
{
    size_t done = 0;
    while (done < length) {
        ssize_t n = pwrite(fd, (const char *)data + done, length - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            error_system(error, "cannot write");
            return error_at(error, path, offset + done);
        }
        done += (size_t)n;
    }
    return true;
}

static bool read_stream(int fd, size_t limit, struct buffer *out, struct error *error)
{
    enum { CHUNK = 64 << 10 };
    size_t start = out->length;
    for (;;) {
        char *end = buffer_reserve(out, CHUNK);
        if (end == NULL)
            return error_memory(error);
        ssize_t n = read(fd, end, CHUNK);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_system(error, "cannot read");
        if (n == 0)
            break;
        out->length += (size_t)n;
        if (out->length - start > limit)
            return error_set(error, ERROR_DAMAGED, "larger than the %zu bytes that make sense here",
                             limit);
    }
    out->data[out->length] = '\0';
    return true;
}

bool file_read_all(const char *path, size_t limit, struct buffer *out, struct error *error)
{
    if (strcmp(path, "-") == 0)
        return read_stream(STDIN_FILENO, limit, out, error) ||
               error_in_file(error, "standard input");
    int fd = file_open_read(path, error);
    if (fd < 0)
        return false;
    struct stat st;
    bool ok;
    if (fstat(fd, &st) != 0)
        ok = error_system(error, "cannot examine");
    else if (S_ISDIR(st.st_mode))
        ok = error_set(error, ERROR_FAILED, "is a directory");
    else if (S_ISREG(st.st_mode) && (uint64_t)st.st_size > limit)
        ok = error_set(error, ERROR_DAMAGED, "%jd bytes, larger than the %zu that make sense here",
                       (intmax_t)st.st_size, limit);
    else
        ok = read_stream(fd, limit, out, error);
    close(fd);
    return ok || error_in_file(error, path);
}

bool file_exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

char *file_beside(const char *path, const char *name)
{
    if (name[0] == '/')
        return strdup(name);
    size_t directory = (size_t)(file_name(path) - path);
    size_t length = strlen(name);
    char *joined = malloc(directory + length + 1);
    if (joined != NULL) {
        memcpy(joined, path, directory);
        memcpy(joined + directory, name, length + 1);
    }
    return joined;
}

static void forget(struct file_output *out)
{
    if (out->fd >= 0)
        close(out->fd);
    free(out->path);
    free(out->partial);
    *out = (struct file_output){.fd = -1};
}

/* A rewritten file keeps its owner and mode; a new one gets MODE. */
static bool inherit_mode(int fd, const char *path, mode_t mode, struct error *error)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return fchmod(fd, mode) == 0 || error_system(error, "cannot set the mode");
    if (fchown(fd, st.st_uid, st.st_gid) != 0 && errno != EPERM)
        return error_system(error, "cannot keep the owner");
    return fchmod(fd, st.st_mode & 07777) == 0 || error_system(error, "cannot keep the mode");
}

bool file_create(struct file_output *out, const char *path, mode_t mode, bool replace,
                 struct error *error)
{
    *out = (struct file_output){.fd = -1};
    if (!replace && file_exists(path)) {
        error_set(error, ERROR_FAILED, "exists already; it is not overwritten (see --force)");
        return error_in_file(error, path);
    }
    out->path = strdup(path);
    if (out->path == NULL || asprintf(&out->partial, "%s.partial", path) < 0) {
        out->partial = NULL;
        forget(out);
        return error_memory(error);
    }
    if (unlink(out->partial) != 0 && errno != ENOENT) {
        error_system(error, "cannot remove a left-over");
        error_in_file(error, out->partial);
        forget(out);
        return false;
    }
    out->fd = open(out->partial, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (out->fd < 0) {
        error_system(error, "cannot create");
        error_in_file(error, out->partial);
        forget(out);
        return false;
    }
    if (!inherit_mode(out->fd, path, mode, error)) {
        error_in_file(error, out->partial);
        file_abandon(out);
        return false;
    }
    return true;
}

bool file_reopen(struct file_output *out, const char *path, struct error *error)
{
    *out = (struct file_output){.fd = -1, .path = strdup(path)};
    if (out->path == NULL || asprintf(&out->partial, "%s.partial", path) < 0) {
        out->partial = NULL;
        forget(out);
        return error_memory(error);
    }
    out->fd = open(out->partial, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (out->fd >= 0)
        return true;
    error_system(error, "cannot open the unfinished file");
    error_in_file(error, out->partial);
    forget(out);
    return false;
}

void file_leave(struct file_output *out)
{
    forget(out);
}

/* Best effort: some file systems cannot sync a directory, and the rename itself has happened. */
static void sync_directory(const char *path)
{
    char *directory = file_beside(path, ".");
    int fd = directory == NULL ? -1 : open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    free(directory);
}

bool file_publish(struct file_output *out, struct error *error)
{
    bool ok = true;
    if (fsync(out->fd) != 0)
        ok = error_system(error, "cannot write to disk");
    else if (rename(out->partial, out->path) != 0)
        ok = error_system(error, "cannot rename the finished file");
    if (!ok) {
        error_in_file(error, out->partial);
        file_abandon(out);
        return false;
    }
    sync_directory(out->path);
    forget(out);
    return true;
}

void file_abandon(struct file_output *out)
{
    if (out->fd >= 0)
        unlink(out->partial);
    forget(out);
}

static bool write_standard_output(const char *data, size_t length, struct error *error)
{
    for (size_t done = 0; done < length;) {
        ssize_t n = write(STDOUT_FILENO, data + done, length - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            error_system(error, "cannot write");
            return error_in_file(error, "standard output");
        }
        done += (size_t)n;
    }
    return true;
}

bool file_replace(const char *path, const void *data, size_t length, mode_t mode, bool replace,
                  struct error *error)
{
    if (strcmp(path, "-") == 0)
        return write_standard_output(data, length, error);
    struct file_output out;
    if (!file_create(&out, path, mode, replace, error))
        return false;
    if (!file_write_at(out.fd, out.partial, data, length, 0, error)) {
        file_abandon(&out);
        return false;
    }
    return file_publish(&out, error);
}

bool file_backup(const char *path, const char *backup, struct error *error)
{
    enum { LIMIT = 256 << 20 };
    struct buffer text = BUFFER_INIT;
    struct stat st;
    bool ok = file_read_all(path, LIMIT, &text, error);
    if (ok && stat(path, &st) != 0) {
        ok = error_system(error, "cannot examine");
        error_in_file(error, path);
    }
    struct file_output out;
    if (ok && (ok = file_create(&out, backup, st.st_mode & 07777, true, error))) {
        /* Best effort: only root may give a file away. */
        if (fchown(out.fd, st.st_uid, st.st_gid) != 0)
            errno = 0;
        ok = file_write_at(out.fd, out.partial, buffer_text(&text), text.length, 0, error);
        if (ok)
            ok = file_publish(&out, error);
        else
            file_abandon(&out);
    }
    buffer_free(&text);
    return ok;
}
