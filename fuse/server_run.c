/*
 * server_run - see server.h: the threads, and the loop of each.
 *
 * libfuse has such a loop, too, but it makes and ends threads as it goes, and their descriptors
 * and buffers with them. Here all of that is there before the sandbox is. A thread is cancelled
 * while it waits for a request, and only then, as libfuse does it.
 */
#include "fuse/server_private.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static ssize_t read_request(int fd, void *data, size_t size, void *userdata)
{
    const struct worker *self = server_self(userdata);
    return read(self == NULL ? fd : self->fd, data, size);
}

/* By the descriptor that the request came from: the kernel looks for it there. */
static ssize_t write_reply(int fd, struct iovec *parts, int count, void *userdata)
{
    const struct worker *self = server_self(userdata);
    return writev(self == NULL ? fd : self->fd, parts, count);
}

const struct fuse_custom_io server_io = {.read = read_request, .writev = write_reply};

static void *work(void *argument)
{
    struct worker *self = argument;
    struct server *server = self->server;
    int status = 0, state;
    pthread_setspecific(server->self, self);
    while (status == 0) {
        pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state);
        ssize_t n = read(self->fd, self->request, server->read_max + SERVER_HEADERS);
        int cause = errno;
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
        if (n > 0) {
            struct fuse_buf request = {.mem = self->request, .size = (size_t)n};
            server_count(&self->requests, 1);
            fuse_session_process_buf(server->session, &request);
        } else if (n == 0 || cause == ENODEV || cause == ECONNABORTED) {
            /* ECONNABORTED: the mount went away while a request was being handed over. */
            status = 1;
        } else if (cause != EINTR && cause != EAGAIN && cause != ENOENT) {
            /* ENOENT: whoever asked gave up before we took the question. */
            status = -cause;
        }
    }
    int none = 0;
    atomic_compare_exchange_strong(&server->gone, &none, status);
    sem_post(&server->wake);
    return NULL;
}

/* As many threads as there are workers, with all signals blocked. */
static bool start(struct server *server, struct error *error)
{
    sigset_t all, before;
    int status = 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (size_t i = 0; i < server->worker_count && status == 0; i++) {
        struct worker *worker = &server->workers[i];
        status = pthread_create(&worker->thread, NULL, work, worker);
        worker->started = status == 0;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = status;
    return status == 0 || error_system(error, "cannot make a thread");
}

static void end(struct server *server)
{
    for (size_t i = 0; i < server->worker_count; i++)
        if (server->workers[i].started)
            pthread_cancel(server->workers[i].thread);
    for (size_t i = 0; i < server->worker_count; i++) {
        if (server->workers[i].started)
            pthread_join(server->workers[i].thread, NULL);
        server->workers[i].started = false;
    }
}

static void say_rest(struct server *server)
{
    if (server->limit.skipped > 0)
        log_say(server->log, LOG_WARN, "%llu more errors were not shown",
                (unsigned long long)server->limit.skipped);
    server->limit.skipped = 0;
}

bool server_run(struct server *server, struct error *error)
{
    bool ok = start(server, error);
    while (ok && sem_wait(&server->wake) != 0)
        ; /* a signal; its handler calls server_stop when it means that */
    end(server);
    say_rest(server);
    int gone = atomic_load(&server->gone);
    if (ok && gone < 0) {
        errno = -gone;
        ok = error_system(error, "cannot read from the kernel");
        error_in_file(error, "/dev/fuse");
    }
    return ok;
}

void server_stop(struct server *server)
{
    sem_post(&server->wake);
}
