/* fixture - a temporary directory with files, and samples, for the tests of vmdk/. */
#ifndef VMCRYPT_TESTS_VMDK_FIXTURE_H
#define VMCRYPT_TESTS_VMDK_FIXTURE_H

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"

struct fixture {
    char directory[64];
    char *paths[64]; /* handed out so far */
    size_t count;
};

/* As cmocka's setup and teardown, with the fixture as state. */
static inline int fixture_make(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    if (f == NULL)
        return -1;
    snprintf(f->directory, sizeof f->directory, "/tmp/vmcrypt-test-XXXXXX");
    *state = f;
    return mkdtemp(f->directory) != NULL ? 0 : -1;
}

static inline int fixture_unlink(const char *path, const struct stat *st, int type,
                                 struct FTW *where)
{
    (void)st;
    (void)type;
    (void)where;
    return remove(path);
}

static inline int fixture_remove(void **state)
{
    struct fixture *f = *state;
    nftw(f->directory, fixture_unlink, 16, FTW_DEPTH | FTW_PHYS);
    for (size_t i = 0; i < f->count; i++)
        free(f->paths[i]);
    free(f);
    return 0;
}

static inline const char *fixture_path(struct fixture *f, const char *name)
{
    assert_true(f->count < sizeof f->paths / sizeof f->paths[0]);
    char **path = &f->paths[f->count];
    assert_true(asprintf(path, "%s/%s", f->directory, name) > 0);
    f->count++;
    return *path;
}

/* Write LENGTH bytes at OFFSET of the file NAME, which is made when it is not there. */
static inline const char *fixture_write_at(struct fixture *f, const char *name, const void *data,
                                           size_t length, off_t offset)
{
    const char *path = fixture_path(f, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, data, length, offset), length);
    close(fd);
    return path;
}

static inline const char *fixture_text(struct fixture *f, const char *name, const char *text)
{
    const char *path = fixture_path(f, name);
    unlink(path);
    return fixture_write_at(f, name, text, strlen(text), 0);
}

/* An empty (all hole) file of SIZE bytes. */
static inline const char *fixture_sized(struct fixture *f, const char *name, off_t size)
{
    const char *path = fixture_path(f, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, size), 0);
    close(fd);
    return path;
}

/* Path of a sample in OUT; false (and a message) when there are no samples here. */
static inline bool fixture_sample(const char *name, char *out, size_t size)
{
    const char *samples = getenv("VMCRYPT_SAMPLES");
    snprintf(out, size, "%s/%s", samples != NULL ? samples : "../shared/samples", name);
    if (access(out, R_OK) == 0)
        return true;
    print_message("no sample %s: skipped\n", out);
    return false;
}

#define assert_error(error, wanted, part)                                                          \
    do {                                                                                           \
        if (strstr((error).message, (part)) == NULL)                                               \
            fail_msg("\"%s\" does not say \"%s\"", (error).message, (part));                       \
        assert_int_equal((error).code, (wanted));                                                  \
    } while (0)

#endif
