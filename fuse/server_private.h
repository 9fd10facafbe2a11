/* server_private - insides shared by server*.c. */
#ifndef VMCRYPT_FUSE_SERVER_PRIVATE_H
#define VMCRYPT_FUSE_SERVER_PRIVATE_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <time.h>

#include <fuse_lowlevel.h>

#include "fuse/server.h"
#include "fuse/server_limit.h"

enum {
    /* The most that the kernel asks for at a time, whatever it could. The less it is the more
     * threads have a part in one large direct read, which the kernel splits; measured best with two
     * threads are 512 KiB, a quarter faster than 1 MiB. */
    SERVER_READ_ALL = 1 << 20, /* of all threads */
    SERVER_READ_MIN = 256 << 10,
    SERVER_HEADERS = 4096, /* what libfuse and the kernel want to have room for beside data */
    /* For each thread one request; more is no quicker. */
    SERVER_READAHEAD = SERVER_READ_ALL,
};

/* Only its own thread changes the counts; others look at them. */
struct worker {
    _Alignas(64) struct server *server;
    pthread_t thread;
    bool started;
    int fd;             /* a clone of the session's, or that itself */
    uint8_t *request;   /* pages that are touched as far as requests reach */
    uint8_t *reply;     /* server->read_max bytes of server->replies */
    struct error error; /* of the request at hand; empty before and after */
    _Atomic uint64_t requests, reads, bytes, zero_bytes, errors;
};

struct server {
    struct view *view;
    struct fuse_session *session;
    struct log *log;
    char *name, *mountpoint;
    bool on_file, direct_io;
    bool left; /* see server_leave */
    mode_t mode;
    uid_t owner;
    gid_t group;
    time_t since;
    size_t read_max;  /* bytes of a read */
    uint8_t *replies; /* of all threads; see server_buffers.c */
    size_t replies_bytes;
    const uint8_t *zeros; /* as many, read-only */
    pthread_key_t self;   /* a thread's own worker */
    bool has_key, has_wake;
    sem_t wake;      /* posted by server_stop, and by a worker that ended */
    atomic_int gone; /* it was unmounted: 1, or reading from the kernel failed: an errno, negated */
    struct server_limit limit;
    size_t worker_count;
    struct worker *workers;
};

/* server_tree.c: the operations, all of them. */
extern const struct fuse_lowlevel_ops server_operations;

/* The node that the kernel means; NULL when there is none. */
const struct view_node *server_node(struct server *server, fuse_ino_t inode);

/* server_read.c: the operations on open files. */
void server_open(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *file);
void server_release(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *file);
void server_read(fuse_req_t req, fuse_ino_t inode, size_t size, off_t offset,
                 struct fuse_file_info *file);
void server_lseek(fuse_req_t req, fuse_ino_t inode, off_t offset, int whence,
                  struct fuse_file_info *file);

/* Tell in the log what happened to NAME, unless too much was told already, count it, and empty the
 * error. */
void server_complain(struct server *server, const char *name, uint64_t offset, struct error *error);
void server_count(_Atomic uint64_t *counter, uint64_t more);
struct worker *server_self(const struct server *server);

/* server_buffers.c: locked pages for the replies of all threads. */
bool server_buffers_make(struct server *server);
void server_buffers_free(struct server *server);

/* server_status.c: malloc'd JSON; NULL when memory is short. */
char *server_status(struct server *server);

/* server_run.c: libfuse's way to the kernel, by the descriptor of the thread. */
extern const struct fuse_custom_io server_io;

#endif
