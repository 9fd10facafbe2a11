/* server - see server.h: made, mounted, and gone. */
#include "fuse/server_private.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuse/mounted.h"
#include "fuse/server_name.h"

static size_t count_workers(const struct server_options *options)
{
    cpu_set_t set;
    if (options->single_thread)
        return 1;
    size_t count = options->threads;
    if (count == 0) {
        /* Two at least: one of them may wait for a disk. */
        count = sched_getaffinity(0, sizeof set, &set) == 0 ? (size_t)CPU_COUNT(&set) : 2;
        count = count < 2 ? 2 : count;
    }
    return count < SERVER_THREADS_MAX ? count : SERVER_THREADS_MAX;
}

static size_t read_max(size_t workers)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), bytes = SERVER_READ_ALL / workers / page * page;
    return bytes > SERVER_READ_MIN ? bytes : SERVER_READ_MIN;
}

/* The words for -o, ours behind the user's: of two that contradict each other the last counts. */
static bool add_words(struct fuse_args *args, const struct server_options *options)
{
    char name[SERVER_NAME_MAX + 1], source[SERVER_NAME_MAX + 16];
    server_name_escape(options->name, name);
    snprintf(source, sizeof source, "fsname=%s", name);
    const char *words[] = {
        "subtype=vmcrypt",
        source,
        options->allow_other ? "allow_other" : NULL,
        options->fuse_options,
        "ro,nosuid,nodev,default_permissions",
    };
    bool ok = fuse_opt_add_arg(args, "vmcrypt-mount") == 0;
    for (size_t i = 0; ok && i < sizeof words / sizeof words[0]; i++)
        if (words[i] != NULL && words[i][0] != '\0')
            ok = fuse_opt_add_arg(args, "-o") == 0 && fuse_opt_add_arg(args, words[i]) == 0;
    return ok;
}

static bool make_session(struct server *server, const struct server_options *options,
                         struct error *error)
{
    struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
    bool ok = add_words(&args, options) || error_memory(error);
    if (ok) {
        server->session =
            fuse_session_new(&args, &server_operations, sizeof server_operations, server);
        ok = server->session != NULL ||
             error_set(error, ERROR_USAGE, "libfuse does not take these options (-o)");
    }
    fuse_opt_free_args(&args);
    return ok;
}

static bool mount_session(struct server *server, struct error *error)
{
    errno = 0;
    if (fuse_session_mount(server->session, server->mountpoint) != 0) {
        if (errno != 0)
            error_system(error, "cannot mount here");
        else
            error_set(error, ERROR_FAILED, "cannot mount here");
        return error_in_file(error, server->mountpoint);
    }
    int fd = fuse_session_fd(server->session);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    return fuse_session_custom_io(server->session, &server_io, fd) == 0 || error_memory(error);
}

/* A descriptor whose requests and replies the kernel keeps apart from the others', or where it
 * cannot clone one, the session's. */
static int clone_descriptor(int session)
{
    uint32_t from = (uint32_t)session;
    int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    if (fd >= 0 && ioctl(fd, FUSE_DEV_IOC_CLONE, &from) != 0) {
        close(fd);
        fd = -1;
    }
    return fd < 0 ? session : fd;
}

static bool make_workers(struct server *server, struct error *error)
{
    if (!server_buffers_make(server))
        return error_memory(error);
    int session = fuse_session_fd(server->session);
    for (size_t i = 0; i < server->worker_count; i++) {
        struct worker *worker = &server->workers[i];
        worker->fd = i == 0 ? session : clone_descriptor(session);
        worker->reply = server->replies + i * server->read_max;
        worker->request = mmap(NULL, server->read_max + SERVER_HEADERS, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (worker->request == MAP_FAILED)
            worker->request = NULL;
        if (worker->request == NULL)
            return error_memory(error);
    }
    return true;
}

/* The kernel reads ahead 128 KiB unless root says otherwise, and then as much as we tell it in our
 * answer to INIT. Best effort. */
static void raise_readahead(const struct server *server)
{
    struct mounted mounted;
    struct error ignored = ERROR_INIT;
    char path[80], text[32];
    /* Asking for the device by stat would wait for an answer of ours. */
    if (geteuid() != 0 || !mounted_at(server->mountpoint, &mounted, &ignored))
        return;
    snprintf(path, sizeof path, "/sys/class/bdi/%s/read_ahead_kb", mounted.device);
    int length = snprintf(text, sizeof text, "%d", SERVER_READAHEAD >> 10);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    ssize_t refused = fd < 0 ? -1 : write(fd, text, (size_t)length);
    (void)refused;
    if (fd >= 0)
        close(fd);
}

static struct server *make_server(struct view *view, const struct server_options *options)
{
    struct server *server = calloc(1, sizeof *server);
    if (server == NULL)
        return NULL;
    *server = (struct server){
        .view = view,
        .log = options->log,
        .name = strdup(options->name),
        .mountpoint = realpath(options->mountpoint, NULL),
        .on_file = options->on_file,
        .direct_io = options->direct_io,
        .mode = options->mode & 0777,
        .owner = options->owner,
        .group = options->group,
        .since = time(NULL),
        .limit = SERVER_LIMIT_INIT,
        .worker_count = count_workers(options),
    };
    server->read_max = read_max(server->worker_count);
    server->workers =
        aligned_alloc(_Alignof(struct worker), server->worker_count * sizeof *server->workers);
    for (size_t i = 0; server->workers != NULL && i < server->worker_count; i++)
        server->workers[i] = (struct worker){.server = server, .fd = -1, .error = ERROR_INIT};
    void *zeros = mmap(NULL, server->read_max, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    server->zeros = zeros == MAP_FAILED ? NULL : zeros;
    server->has_key = pthread_key_create(&server->self, NULL) == 0;
    server->has_wake = sem_init(&server->wake, 0, 0) == 0;
    return server;
}

struct server *server_mount(struct view *view, const struct server_options *options,
                            struct error *error)
{
    struct server *server = make_server(view, options);
    bool ok = false;
    if (server == NULL || server->name == NULL || server->workers == NULL ||
        server->zeros == NULL || !server->has_key || !server->has_wake) {
        error_memory(error);
    } else if (server->mountpoint == NULL) {
        error_system(error, "cannot mount here");
        error_in_file(error, options->mountpoint);
    } else {
        ok = make_session(server, options, error) && mount_session(server, error) &&
             make_workers(server, error);
    }
    if (!ok) {
        server_free(server);
        return NULL;
    }
    raise_readahead(server);
    return server;
}

static void free_workers(struct server *server)
{
    for (size_t i = 0; server->workers != NULL && i < server->worker_count; i++) {
        struct worker *worker = &server->workers[i];
        if (worker->fd >= 0 && worker->fd != fuse_session_fd(server->session))
            close(worker->fd);
        if (worker->request != NULL)
            munmap(worker->request, server->read_max + SERVER_HEADERS);
    }
    free(server->workers);
    server_buffers_free(server);
}

void server_leave(struct server *server)
{
    server->left = true;
}

void server_free(struct server *server)
{
    if (server == NULL)
        return;
    free_workers(server);
    if (server->session != NULL) {
        /* Of what is unmounted already it only forgets the name. */
        if (!server->left || atomic_load(&server->gone) == 1)
            fuse_session_unmount(server->session);
        fuse_session_destroy(server->session);
    }
    if (server->zeros != NULL)
        munmap((void *)(uintptr_t)server->zeros, server->read_max);
    if (server->has_key)
        pthread_key_delete(server->self);
    if (server->has_wake)
        sem_destroy(&server->wake);
    pthread_mutex_destroy(&server->limit.lock);
    free(server->name);
    free(server->mountpoint);
    free(server);
}
