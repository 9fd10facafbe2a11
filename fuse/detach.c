/* detach - see detach.h. */
#include "fuse/detach.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

bool detach_fill_standard(struct error *error)
{
    int fd;
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd < 0)
        return error_system(error, "cannot open /dev/null");
    close(fd);
    return true;
}

/* syslog(3) would open its socket anew whenever it likes, which a sandbox forbids. */
int detach_open_syslog(struct error *error)
{
    struct sockaddr_un daemon = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&daemon, sizeof daemon) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        error_system(error, "cannot open /dev/null");
    return fd;
}

void detach_syslog_prefix(const char *name, char *prefix, size_t size)
{
    snprintf(prefix, size, "<%d>%s[%ld]", LOG_DAEMON | LOG_WARNING, name, (long)getpid());
}

bool detach_fork(struct detach *detach, struct error *error)
{
    int ends[2];
    *detach = (struct detach){.ready = -1};
    for (int fd = STDERR_FILENO + 1; fd < DETACH_INHERITED_MAX; fd++)
        detach->inherited[fd] = fcntl(fd, F_GETFD) >= 0;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return error_system(error, "cannot make a pipe");
    detach->pid = fork();
    detach->ready = ends[detach->pid == 0 ? 1 : 0];
    close(ends[detach->pid == 0 ? 0 : 1]);
    if (detach->pid < 0) {
        close(detach->ready);
        return error_system(error, "cannot start the server");
    }
    return true;
}

bool detach_wait(struct detach *detach, int *status, struct error *error)
{
    char byte;
    ssize_t n;
    do
        n = read(detach->ready, &byte, 1);
    while (n < 0 && errno == EINTR);
    close(detach->ready);
    if (n == 1)
        return true;
    while (waitpid(detach->pid, status, 0) < 0)
        if (errno != EINTR)
            return error_system(error, "lost the server");
    if (WIFSIGNALED(*status))
        error_set(error, ERROR_FAILED, "the server was killed by signal %d (%s)", WTERMSIG(*status),
                  strsignal(WTERMSIG(*status)));
    *status = WIFEXITED(*status) ? WEXITSTATUS(*status) : (int)ERROR_FAILED;
    return false;
}

bool detach_leave(struct detach *detach, struct error *error)
{
    setsid();
    if (chdir("/") != 0)
        return error_system(error, "cannot go to /");
    for (int fd = STDERR_FILENO + 1; fd < DETACH_INHERITED_MAX; fd++)
        if (detach->inherited[fd])
            close(fd);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
        return error_system(error, "cannot open /dev/null");
    close(null);
    return true;
}

void detach_ready(struct detach *detach, int log)
{
    char byte = 'r';
    dup2(log, STDERR_FILENO);
    close(log);
    ssize_t ignored = write(detach->ready, &byte, 1);
    (void)ignored;
    close(detach->ready);
}
