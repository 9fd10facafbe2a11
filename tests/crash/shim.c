/* shim - the calls that are taken over; see shim.h and README.md. */
#include "tests/crash/shim.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { NAP_NS = 200000, HASTE = 100000 };

#define TAKEN __attribute__((visibility("default")))

static struct shim shim;
/* One call after the other, whatever thread makes it. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static unsigned long number(const char *name)
{
    const char *text = getenv(name);
    return text == NULL ? 0 : strtoul(text, NULL, 10);
}

static void text(const char *name, char *to, size_t size)
{
    const char *value = getenv(name);
    snprintf(to, size, "%s", value == NULL ? "" : value);
}

__attribute__((constructor)) static void begin(void)
{
    const char *when = getenv("CRASH_WHEN"), *loss = getenv("CRASH_LOSS");
    text("CRASH_DIR", shim.directory, sizeof shim.directory);
    text("CRASH_SAVES", shim.saves, sizeof shim.saves);
    text("CRASH_STATE", shim.state, sizeof shim.state);
    shim.at = number("CRASH_AT");
    shim.fail = number("CRASH_FAIL");
    shim.when = when == NULL || strcmp(when, "before") == 0 ? BEFORE
                : strcmp(when, "half") == 0                 ? HALF
                                                            : AFTER;
    shim.loss = loss == NULL ? 0 : strtod(loss, NULL);
    shim.page_bytes = number("CRASH_PAGE") == 512 ? 512 : 4096;
    shim.lie = getenv("CRASH_LIE");
    shim.fast = number("CRASH_FAST") != 0;
    shim.random = number("CRASH_SEED") * 2 + 1;
    model_load(&shim);
}

/* How many calls there were, for the driver. */
__attribute__((destructor)) static void end(void)
{
    const char *path = getenv("CRASH_COUNT");
    int fd = path == NULL ? -1 : (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT, 0600);
    if (fd >= 0)
        dprintf(fd, "%lu\n", shim.calls);
    model_save(&shim);
}

static void crash(void)
{
    if (shim.loss > 0)
        model_power_cut(&shim);
    else
        model_save(&shim);
    syscall(SYS_exit_group, 137);
}

/* Called before each call that counts; true when it is the one. */
static bool next_call(void)
{
    bool here = ++shim.calls == shim.at;
    if (here && shim.when == BEFORE)
        crash();
    return here;
}

static void done(bool here)
{
    if (here)
        crash();
}

static bool fails(void)
{
    if (shim.calls != shim.fail)
        return false;
    errno = EIO;
    return true;
}

static bool is_journal(int fd)
{
    char link[64], path[512] = "";
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    return readlink(link, path, sizeof path - 1) > 0 && strstr(path, ".journal") != NULL;
}

static ssize_t put(int fd, struct file *f, const void *data, size_t length, uint64_t offset)
{
    bool here = next_call();
    if (fails())
        return -1;
    if (here && shim.when == HALF)
        length = length / 2 / 512 * 512;
    model_dirty(&shim, f, fd, offset, length);
    ssize_t n = (ssize_t)syscall(SYS_pwrite64, fd, data, length, offset);
    done(here);
    return n;
}

TAKEN ssize_t pwrite64(int fd, const void *data, size_t length, off_t offset)
{
    pthread_mutex_lock(&lock);
    struct file *f = model_file(&shim, fd);
    ssize_t n = f == NULL ? (ssize_t)syscall(SYS_pwrite64, fd, data, length, offset)
                          : put(fd, f, data, length, (uint64_t)offset);
    pthread_mutex_unlock(&lock);
    /* Leave time for a journal to be kept meanwhile. */
    if (f != NULL && shim.fast && !is_journal(fd))
        syscall(SYS_nanosleep, &(struct timespec){.tv_nsec = NAP_NS}, NULL);
    return n;
}

TAKEN ssize_t write(int fd, const void *data, size_t length)
{
    pthread_mutex_lock(&lock);
    bool known = model_file(&shim, fd) != NULL;
    pthread_mutex_unlock(&lock);
    if (known) {
        /* vmcrypt writes to places; whoever changes that, change this. */
        dprintf(STDERR_FILENO, "crash shim: write() is not modelled\n");
        _exit(99);
    }
    return (ssize_t)syscall(SYS_write, fd, data, length);
}

static bool lies(const char *what)
{
    return shim.lie != NULL && strcmp(shim.lie, what) == 0;
}

static int sync_file(int fd, struct file *f)
{
    bool here = next_call();
    if (fails()) {
        model_sync_failed(f);
        return -1;
    }
    if (!lies(is_journal(fd) ? "journal" : "data"))
        model_synced(&shim, f);
    done(here);
    return 0;
}

static int sync_directory(void)
{
    bool here = next_call();
    if (fails())
        return -1;
    if (!lies("directory"))
        model_steps_synced(&shim);
    done(here);
    return 0;
}

/* Nothing is really synced: that is what makes thousands of runs quick. */
static int sync_any(int fd)
{
    struct stat st;
    struct file *f = model_file(&shim, fd);
    if (f != NULL)
        return sync_file(fd, f);
    return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode) ? sync_directory() : 0;
}

static int sync_in_turn(int fd)
{
    pthread_mutex_lock(&lock);
    int result = sync_any(fd);
    pthread_mutex_unlock(&lock);
    return result;
}

TAKEN int fsync(int fd)
{
    return sync_in_turn(fd);
}

TAKEN int fdatasync(int fd)
{
    return sync_in_turn(fd);
}

static bool is_ours(const char *path)
{
    size_t length = strlen(shim.directory);
    return length > 0 && strncmp(path, shim.directory, length) == 0;
}

static int rename_here(const char *from, const char *to)
{
    bool here = next_call();
    if (fails())
        return -1;
    model_step(&shim, STEP_RENAME, from, to);
    int result = real_rename(from, to);
    done(here);
    return result;
}

TAKEN int rename(const char *from, const char *to)
{
    if (!is_ours(to))
        return real_rename(from, to);
    pthread_mutex_lock(&lock);
    int result = rename_here(from, to);
    pthread_mutex_unlock(&lock);
    return result;
}

static int unlink_here(const char *path)
{
    bool here = next_call();
    if (fails())
        return -1;
    if (access(path, F_OK) == 0)
        model_step(&shim, STEP_UNLINK, path, NULL);
    int result = real_unlink(path);
    done(here);
    return result;
}

TAKEN int unlink(const char *path)
{
    if (!is_ours(path))
        return real_unlink(path);
    pthread_mutex_lock(&lock);
    int result = unlink_here(path);
    pthread_mutex_unlock(&lock);
    return result;
}

TAKEN int open64(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(args, mode_t) : 0;
    va_end(args);
    bool creates = (flags & O_CREAT) != 0 && is_ours(path) && access(path, F_OK) != 0;
    if (!creates)
        return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    pthread_mutex_lock(&lock);
    bool here = next_call();
    int fd = fails() ? -1 : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    if (fd >= 0)
        model_step(&shim, STEP_CREATE, path, NULL);
    done(here);
    pthread_mutex_unlock(&lock);
    return fd;
}

/* Calls that the model knows nothing of must not slip by. */
static int unknown(const char *name)
{
    dprintf(STDERR_FILENO, "crash shim: %s() is not modelled\n", name);
    _exit(99);
}

/* Growing is a matter of the size, which counts as lost until the file is synced. */
static int grow(int fd, off_t length)
{
    struct stat st;
    if (fstat(fd, &st) == 0 && st.st_size > length)
        return unknown("ftruncate to less");
    bool here = next_call();
    if (fails())
        return -1;
    int result = (int)syscall(SYS_ftruncate, fd, length);
    done(here);
    return result;
}

TAKEN int ftruncate64(int fd, off_t length)
{
    pthread_mutex_lock(&lock);
    bool known = model_file(&shim, fd) != NULL;
    int result = known ? grow(fd, length) : (int)syscall(SYS_ftruncate, fd, length);
    pthread_mutex_unlock(&lock);
    return result;
}

static int punch(int fd, struct file *f, int mode, off_t offset, off_t length)
{
    if (mode != (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE))
        return unknown("fallocate but for holes");
    bool here = next_call();
    if (fails())
        return -1;
    model_punched(&shim, f, fd, (uint64_t)offset, (uint64_t)length);
    int result = (int)syscall(SYS_fallocate, fd, mode, offset, length);
    done(here);
    return result;
}

TAKEN int fallocate64(int fd, int mode, off_t offset, off_t length)
{
    pthread_mutex_lock(&lock);
    struct file *f = model_file(&shim, fd);
    int result = f != NULL ? punch(fd, f, mode, offset, length)
                           : (int)syscall(SYS_fallocate, fd, mode, offset, length);
    pthread_mutex_unlock(&lock);
    return result;
}

TAKEN int clock_gettime(clockid_t clock, struct timespec *t)
{
    int result = (int)syscall(SYS_clock_gettime, clock, t);
    if (shim.fast && clock == CLOCK_MONOTONIC && result == 0) {
        t->tv_sec = t->tv_sec * HASTE + t->tv_nsec / (1000000000 / HASTE);
        t->tv_nsec = 0;
    }
    return result;
}

/* Times that were reckoned with the fast clock mean nothing: a nap. */
TAKEN int pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex,
                                 const struct timespec *until)
{
    static int (*real)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "pthread_cond_timedwait");
    struct timespec t;
    if (!shim.fast)
        return real(condition, mutex, until);
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t);
    t.tv_nsec += NAP_NS;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return real(condition, mutex, &t);
}
