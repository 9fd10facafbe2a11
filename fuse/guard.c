/* guard - see guard.h. */
#include "fuse/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuse/mounted.h"

enum { DETACH = 'd', ORDERLY = 'o' };

/* The guard outlives the terminal, Ctrl-C, and the directory it was started in; and it keeps no
 * pipe open whose other end waits for the tool to finish. */
static void let_go(int fd)
{
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
        signal(ignored[i], SIG_IGN);
    prctl(PR_SET_NAME, "vmcrypt-guard", 0, 0, 0);
    setsid();
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int i = 0; i <= STDERR_FILENO; i++)
        dup2(null, i);
    dup3(fd, STDERR_FILENO + 1, O_CLOEXEC);
    close_range(STDERR_FILENO + 2, ~0U, 0);
    if (chdir("/") != 0)
        return;
}

/* Only a mount of ours: others may have unmounted it and put theirs there. A server that is about
 * to end does not answer any more, so it is not asked. */
static void detach(const char *mountpoint)
{
    struct error ignored = ERROR_INIT;
    struct mounted found;
    if (mounted_at(mountpoint, &found, &ignored) && found.ours)
        mounted_detach(mountpoint, &ignored);
}

/* The file may have been taken over by a later mount. */
static void remove_pid_file(const char *path, pid_t server)
{
    char text[32] = "";
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return;
    if (fgets(text, sizeof text, file) != NULL && strtol(text, NULL, 10) == (long)server)
        unlink(path);
    fclose(file);
}

static void watch(const struct guard_options *options, pid_t server)
{
    bool orderly = false;
    for (;;) {
        char byte;
        ssize_t n = read(STDERR_FILENO + 1, &byte, 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        if (byte == DETACH)
            detach(options->mountpoint);
        orderly = orderly || byte == ORDERLY;
    }
    if (!orderly && options->auto_unmount && mounted_is_dead(options->mountpoint))
        detach(options->mountpoint);
    if (options->pid_file != NULL)
        remove_pid_file(options->pid_file, server);
}

bool guard_start(struct guard *guard, const struct guard_options *options, struct error *error)
{
    int ends[2];
    *guard = (struct guard){.fd = -1};
    pid_t server = getpid();
    if (pipe2(ends, O_CLOEXEC) != 0)
        return error_system(error, "cannot make a pipe");
    guard->pid = fork();
    if (guard->pid == 0) {
        let_go(ends[0]);
        watch(options, server);
        _exit(0);
    }
    close(ends[0]);
    if (guard->pid < 0) {
        close(ends[1]);
        return error_system(error, "cannot start the process that unmounts");
    }
    guard->fd = ends[1];
    return true;
}

static bool tell(const struct guard *guard, char byte)
{
    return guard->fd >= 0 && write(guard->fd, &byte, 1) == 1;
}

bool guard_detach(const struct guard *guard)
{
    return tell(guard, DETACH);
}

void guard_end(struct guard *guard, bool detach_first)
{
    if (guard->fd < 0)
        return;
    if (detach_first)
        tell(guard, DETACH);
    tell(guard, ORDERLY);
    close(guard->fd);
    guard->fd = -1;
    while (waitpid(guard->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
}
