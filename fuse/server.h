/*
 * server - serves a view through FUSE, with libfuse's low-level interface: read-only, EROFS for
 * whatever would change something, EIO with one line in the log for what cannot be read.
 *
 * Threads are made once, each with a descriptor of its own (a clone of the session's), and a
 * buffer that data are decrypted into and replied from: locked, not dumped, wiped at the end. All
 * descriptors and buffers are made by server_mount, so that server_run opens nothing; of the
 * server itself it needs only read, writev, futex and what threads need (clone, mmap, mprotect,
 * madvise, tgkill, rt_sigprocmask, rt_sigreturn, exit).
 *
 * The kernel keeps what it was told: names, attributes and data never change. It splits large
 * reads, so that several threads have a part in each. A request that touches what cannot be read
 * fails as a whole; of reads through the page cache it then asks again page by page, so that only
 * the bad pages are lost.
 *
 * getxattr "user.vmcrypt.status" of the root tells how it goes, as one JSON object
 * (vmcrypt-mount(1)).
 */
#ifndef VMCRYPT_FUSE_SERVER_H
#define VMCRYPT_FUSE_SERVER_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/log.h"
#include "vm/view.h"

#define SERVER_STATUS "user.vmcrypt.status"

enum { SERVER_THREADS_MAX = 8 };

struct server_options {
    const char *mountpoint;
    bool on_file; /* the mountpoint is a regular file: serve the single disk itself */
    bool single_thread, direct_io, allow_other;
    mode_t mode; /* of files; directories can be searched, too, by who can read */
    uid_t owner;
    gid_t group;
    const char *fuse_options; /* further -o words; NULL for none. They cannot undo read-only */
    const char *name;         /* of the evidence, for findmnt and the status */
    unsigned threads;         /* 0: as many as CPUs, at least 2 and at most SERVER_THREADS_MAX */
    struct log *log;
};

struct server;

/* Make a session for VIEW and mount it; VIEW and the log outlive it. Requests wait in the kernel
 * until server_run. libfuse says on stderr what it does not like. */
struct server *server_mount(struct view *view, const struct server_options *options,
                            struct error *error);

/* Serve until the file system is unmounted or server_stop is called. The calling thread takes the
 * signals, the others have them blocked. */
bool server_run(struct server *server, struct error *error);

/* Let server_run return. Async-signal-safe. */
void server_stop(struct server *server);

/* Somebody else unmounts it: server_free does not try. In a sandbox it could not. */
void server_leave(struct server *server);

/* Unmounts unless that has happened. NULL is fine. */
void server_free(struct server *server);

#endif
