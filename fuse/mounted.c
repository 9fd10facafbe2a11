/* mounted - see mounted.h. */
#include "fuse/mounted.h"

#include <errno.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/file.h"

enum { MOUNTINFO_MAX = 16 << 20 };

char *mounted_path(const char *path, struct error *error)
{
    char *real = realpath(path, NULL);
    if (real != NULL || errno != ENOTCONN) {
        if (real == NULL) {
            error_system(error, "cannot be a mount point");
            error_in_file(error, path);
        }
        return real;
    }
    /* The mount itself cannot be asked, the directory that it is in can. */
    char *trimmed = strdup(path);
    for (size_t n = trimmed == NULL ? 0 : strlen(trimmed); n > 1 && trimmed[n - 1] == '/'; n--)
        trimmed[n - 1] = '\0';
    char *parent = trimmed == NULL ? NULL : file_beside(trimmed, ".");
    char *real_parent = parent == NULL ? NULL : realpath(parent, NULL);
    if (real_parent == NULL ||
        asprintf(&real, "%s/%s", strcmp(real_parent, "/") == 0 ? "" : real_parent,
                 file_name(trimmed)) < 0) {
        error_system(error, "cannot be found");
        error_in_file(error, path);
        real = NULL;
    }
    free(real_parent);
    free(parent);
    free(trimmed);
    return real;
}

/* Three octal digits behind a backslash; -1 when they are none. */
static int escape_at(const char *text, size_t length)
{
    int code = 0;
    if (length < 4 || text[0] != '\\')
        return -1;
    for (size_t i = 1; i < 4; i++) {
        if (text[i] < '0' || text[i] > '7')
            return -1;
        code = 8 * code + (text[i] - '0');
    }
    return code;
}

/* Is the field at TEXT, with escapes for white space and backslashes, PATH? */
static bool field_is(const char *text, size_t length, const char *path)
{
    size_t at = 0;
    for (; at < length && *path != '\0'; path++) {
        int code = escape_at(text + at, length - at);
        if ((unsigned char)*path != (code < 0 ? (unsigned char)text[at] : code))
            return false;
        at += code < 0 ? 1 : 4;
    }
    return at == length && *path == '\0';
}

/* Does the record at LINE, behind its optional fields, name TYPE? */
static bool type_is(const char *line, size_t length, const char *type)
{
    const char *dash = memmem(line, length, " - ", 3);
    size_t left = dash == NULL ? 0 : length - (size_t)(dash + 3 - line), wanted = strlen(type);
    return left > wanted && memcmp(dash + 3, type, wanted) == 0 && dash[3 + wanted] == ' ';
}

bool mounted_find(const char *mountinfo, const char *path, struct mounted *out)
{
    enum { DEVICE = 2, ROOT, POINT, FIELDS };
    bool found = false;
    for (const char *line = mountinfo; *line != '\0';) {
        const char *field[FIELDS + 1] = {line};
        size_t end = strcspn(line, "\n"), count = 1;
        for (const char *p = line; p < line + end && count <= FIELDS; p++)
            if (*p == ' ')
                field[count++] = p + 1;
        size_t device = count > FIELDS ? (size_t)(field[ROOT] - field[DEVICE] - 1) : SIZE_MAX;
        if (device < sizeof out->device &&
            field_is(field[POINT], (size_t)(field[FIELDS] - field[POINT] - 1), path)) {
            memcpy(out->device, field[DEVICE], device);
            out->device[device] = '\0';
            out->ours = type_is(line, end, MOUNTED_TYPE);
            found = true; /* the last one counts */
        }
        line += end + (line[end] == '\n');
    }
    return found;
}

bool mounted_at(const char *path, struct mounted *out, struct error *error)
{
    struct buffer text = BUFFER_INIT;
    bool ok = file_read_all("/proc/self/mountinfo", MOUNTINFO_MAX, &text, error);
    if (!ok || !mounted_find(buffer_text(&text), path, out))
        *out = (struct mounted){.ours = false};
    buffer_free(&text);
    return ok;
}

bool mounted_is_dead(const char *path)
{
    /* Unlike attributes, what statfs tells is never kept by the kernel. The second error is that of
     * a question that was waiting when the server died. */
    struct statfs facts;
    return statfs(path, &facts) != 0 && (errno == ENOTCONN || errno == ECONNABORTED);
}

/* Who is not root cannot unmount: fusermount3 does it for the owner of the mount. */
static bool run_fusermount(const char *path, struct error *error)
{
    char program[] = "fusermount3", options[] = "-uz", end[] = "--";
    char *copy = strdup(path);
    if (copy == NULL)
        return error_memory(error);
    char *const arguments[] = {program, options, end, copy, NULL};
    pid_t child;
    int status = -1, problem = posix_spawnp(&child, program, NULL, NULL, arguments, environ);
    free(copy);
    if (problem != 0) {
        errno = problem;
        return error_system(error, "cannot run fusermount3");
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return error_set(error, ERROR_FAILED, "fusermount3 did not unmount it");
    return true;
}

bool mounted_detach(const char *path, struct error *error)
{
    if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
        return true;
    bool ok =
        errno == EPERM ? run_fusermount(path, error) : error_system(error, "cannot be unmounted");
    if (!ok)
        error_in_file(error, path);
    return ok;
}
