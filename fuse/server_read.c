/* server_read - see server.h: what is done with open files. */
#include "fuse/server_private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* From this size on a read asks first whether there is anything to read. */
enum { ASK_FOR_ZEROS = 64 << 10 };

struct open_file {
    const struct view_node *node;
    struct view_bytes bytes;
    /* The run of the file that was asked for last: whoever reads on finds the answer here. */
    pthread_mutex_t lock;
    bool zero;
    uint64_t start, end;
};

static struct open_file *open_file(const struct fuse_file_info *file)
{
    return (struct open_file *)(uintptr_t)file->fh;
}

struct worker *server_self(const struct server *server)
{
    return pthread_getspecific(server->self);
}

void server_count(_Atomic uint64_t *counter, uint64_t more)
{
    uint64_t now = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, now + more, memory_order_relaxed);
}

void server_complain(struct server *server, const char *name, uint64_t offset, struct error *error)
{
    struct timespec now;
    uint64_t skipped;
    server_count(&server_self(server)->errors, 1);
    clock_gettime(CLOCK_MONOTONIC, &now);
    pthread_mutex_lock(&server->limit.lock);
    if (server_limit_pass(&server->limit, now.tv_sec, &skipped)) {
        char place[32] = "";
        if (skipped > 0)
            log_say(server->log, LOG_WARN, "%" PRIu64 " more errors were not shown", skipped);
        if (error->offset != UINT64_MAX)
            snprintf(place, sizeof place, ", offset %" PRIu64, error->offset);
        log_say(server->log, LOG_WARN, "%.300s%s: %.400s; \"%.200s\" cannot be read at %" PRIu64,
                error->file[0] == '\0' ? server->name : error->file, place, error->message, name,
                offset);
    }
    pthread_mutex_unlock(&server->limit.lock);
    error_clear(error);
}

void server_open(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *file)
{
    struct server *server = fuse_req_userdata(req);
    const struct view_node *node = server_node(server, inode);
    struct error error = ERROR_INIT;
    int status = node == NULL                            ? ENOENT
                 : (file->flags & O_ACCMODE) != O_RDONLY ? EROFS
                 : node->kind == VIEW_DIRECTORY          ? EISDIR
                                                         : 0;
    struct open_file *open = status == 0 ? calloc(1, sizeof *open) : NULL;
    if (status == 0 && open == NULL)
        status = ENOMEM;
    if (status == 0 && !view_hold(server->view, node, &error)) {
        server_complain(server, node->name, 0, &error);
        status = EIO;
    }
    if (status != 0) {
        free(open);
        fuse_reply_err(req, status);
        return;
    }
    *open = (struct open_file){
        .node = node, .bytes = view_bytes(server->view, node), .lock = PTHREAD_MUTEX_INITIALIZER};
    file->fh = (uintptr_t)open;
    file->keep_cache = 1;
    file->direct_io = server->direct_io;
    file->noflush = 1;
    /* An open that was interrupted is never released. */
    if (fuse_reply_open(req, file) != 0) {
        view_release(server->view, node);
        free(open);
    }
}

void server_release(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *file)
{
    struct server *server = fuse_req_userdata(req);
    struct open_file *open = open_file(file);
    (void)inode;
    view_release(server->view, open->node);
    pthread_mutex_destroy(&open->lock);
    free(open);
    fuse_reply_err(req, 0);
}

/* What lies at OFFSET of an open file of a disk, and where that ends. */
static bool run_at(struct open_file *open, uint64_t offset, bool *zero, uint64_t *end,
                   struct error *error)
{
    bool ok = true;
    pthread_mutex_lock(&open->lock);
    if (offset < open->start || offset >= open->end) {
        enum disk_run run;
        uint64_t length, left = open->node->size - offset;
        ok = disk_run_at(open->bytes.disk, open->bytes.start + offset, &run, &length, error);
        if (ok) {
            open->zero = run == DISK_ZERO;
            open->start = offset;
            open->end = offset + (length < left ? length : left);
        }
    }
    *zero = open->zero;
    *end = open->end;
    pthread_mutex_unlock(&open->lock);
    return ok;
}

static bool is_zero(struct open_file *open, uint64_t offset, size_t size, struct error *error)
{
    bool zero;
    uint64_t end;
    if (size < ASK_FOR_ZEROS)
        return false;
    if (run_at(open, offset, &zero, &end, error))
        return zero && end - offset >= size;
    error_clear(error); /* reading says it, too */
    return false;
}

static void read_disk(fuse_req_t req, struct server *server, struct open_file *open,
                      uint64_t offset, size_t size)
{
    struct worker *self = server_self(server);
    /* To fill one anew for each read costs as much as a tenth of decrypting 4 KiB. */
    struct error *error = &self->error;
    if (is_zero(open, offset, size, error)) {
        server_count(&self->zero_bytes, size);
        fuse_reply_buf(req, (const char *)server->zeros, size);
    } else if (disk_read(open->bytes.disk, open->bytes.start + offset, self->reply, size, error)) {
        fuse_reply_buf(req, (const char *)self->reply, size);
    } else {
        server_complain(server, open->node->name, offset, error);
        fuse_reply_err(req, EIO);
    }
}

void server_read(fuse_req_t req, fuse_ino_t inode, size_t size, off_t offset,
                 struct fuse_file_info *file)
{
    struct server *server = fuse_req_userdata(req);
    struct open_file *open = open_file(file);
    struct worker *self = server_self(server);
    (void)inode;
    if (offset < 0 || size > server->read_max) {
        fuse_reply_err(req, EINVAL);
        return;
    }
    uint64_t at = (uint64_t)offset;
    uint64_t left = at < open->node->size ? open->node->size - at : 0;
    size = size < left ? size : (size_t)left;
    server_count(&self->reads, 1);
    server_count(&self->bytes, size);
    if (size == 0)
        fuse_reply_buf(req, NULL, 0);
    else if (open->bytes.text != NULL)
        fuse_reply_buf(req, open->bytes.text + at, size);
    else
        read_disk(req, server, open, at, size);
}

/* The first byte from AT on that is a hole (or with HOLE false, is none); the size of the file when
 * there is none. */
static bool seek(struct open_file *open, uint64_t at, bool hole, uint64_t *found,
                 struct error *error)
{
    bool zero = false;
    uint64_t end = open->node->size;
    while (at < open->node->size && open->bytes.disk != NULL) {
        if (!run_at(open, at, &zero, &end, error))
            return false;
        if (zero == hole)
            break;
        at = end;
    }
    if (open->bytes.disk == NULL && hole)
        at = open->node->size;
    *found = at;
    return true;
}

void server_lseek(fuse_req_t req, fuse_ino_t inode, off_t offset, int whence,
                  struct fuse_file_info *file)
{
    struct server *server = fuse_req_userdata(req);
    struct open_file *open = open_file(file);
    struct error error = ERROR_INIT;
    uint64_t found = 0, size = open->node->size;
    int status = 0;
    (void)inode;
    if (whence != SEEK_DATA && whence != SEEK_HOLE) {
        status = EINVAL;
    } else if (offset < 0 || (uint64_t)offset >= size) {
        status = ENXIO;
    } else if (!seek(open, (uint64_t)offset, whence == SEEK_HOLE, &found, &error)) {
        server_complain(server, open->node->name, (uint64_t)offset, &error);
        status = EIO;
    }
    if (status == 0 && whence == SEEK_DATA && found == size)
        status = ENXIO;
    if (status != 0)
        fuse_reply_err(req, status);
    else
        fuse_reply_lseek(req, (off_t)found);
}
