/*
 * passthrough - the plainest quick FUSE server of one read-only file, to compare ours with.
 *
 *   passthrough [-o noop|mmap|direct_io]... [-t THREADS] SOURCE DIRECTORY
 *
 * DIRECTORY/disk.raw has the bytes of SOURCE: each read is a pread into the thread's own aligned
 * buffer and one reply from there. With mmap the reply comes straight from a mapping of SOURCE,
 * with noop it is zeros and nothing is read: what remains is the cost of FUSE itself. Stays in the
 * foreground until it is unmounted or gets a signal. For bench_mount.py.
 */
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_MAX = 1 << 20, ALIGNMENT = 4096, FILE_INODE = 2, FOREVER = 86400, THREADS = 2 };

static const char FILE_NAME[] = "disk.raw";

struct source {
    int fd;
    off_t size;
    const uint8_t *mapping; /* NULL: pread */
    bool noop, direct_io;
};

/* One for each thread, for as long as it lives: libfuse ends its threads with the process. */
static _Thread_local uint8_t *thread_buffer;

static const struct source *source_of(fuse_req_t request)
{
    return fuse_req_userdata(request);
}

static struct stat attributes(const struct source *source, fuse_ino_t inode)
{
    struct stat st = {.st_ino = inode, .st_nlink = 1, .st_uid = getuid(), .st_gid = getgid()};
    st.st_mode = inode == FUSE_ROOT_ID ? S_IFDIR | 0500 : S_IFREG | 0400;
    st.st_size = inode == FUSE_ROOT_ID ? 0 : source->size;
    return st;
}

static void serve_init(void *userdata, struct fuse_conn_info *connection)
{
    (void)userdata;
    connection->max_read = READ_MAX;
    connection->max_readahead = READ_MAX;
}

static void serve_lookup(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    if (parent != FUSE_ROOT_ID || strcmp(name, FILE_NAME) != 0) {
        fuse_reply_err(request, ENOENT);
        return;
    }
    struct fuse_entry_param entry = {
        .ino = FILE_INODE, .attr_timeout = FOREVER, .entry_timeout = FOREVER};
    entry.attr = attributes(source_of(request), FILE_INODE);
    fuse_reply_entry(request, &entry);
}

static void serve_getattr(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *file)
{
    (void)file;
    struct stat st = attributes(source_of(request), inode);
    fuse_reply_attr(request, &st, FOREVER);
}

static void serve_open(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *file)
{
    if (inode != FILE_INODE || (file->flags & O_ACCMODE) != O_RDONLY) {
        fuse_reply_err(request, inode == FILE_INODE ? EROFS : EISDIR);
        return;
    }
    file->keep_cache = 1;
    file->direct_io = source_of(request)->direct_io;
    fuse_reply_open(request, file);
}

static const uint8_t *fetch(const struct source *source, size_t length, off_t offset)
{
    if (source->mapping != NULL)
        return source->mapping + offset;
    if (thread_buffer == NULL) {
        thread_buffer = aligned_alloc(ALIGNMENT, READ_MAX);
        if (thread_buffer == NULL)
            return NULL;
        memset(thread_buffer, 0, READ_MAX);
    }
    if (source->noop)
        return thread_buffer;
    return pread(source->fd, thread_buffer, length, offset) == (ssize_t)length ? thread_buffer
                                                                               : NULL;
}

static void serve_read(fuse_req_t request, fuse_ino_t inode, size_t length, off_t offset,
                       struct fuse_file_info *file)
{
    (void)inode;
    (void)file;
    const struct source *source = source_of(request);
    if (offset < 0 || length > READ_MAX) {
        fuse_reply_err(request, EINVAL);
        return;
    }
    if (offset >= source->size)
        length = 0;
    else if ((off_t)length > source->size - offset)
        length = (size_t)(source->size - offset);
    const uint8_t *data = fetch(source, length, offset);
    if (data == NULL)
        fuse_reply_err(request, EIO);
    else
        fuse_reply_buf(request, (const char *)data, length);
}

static const struct fuse_lowlevel_ops operations = {
    .init = serve_init,
    .lookup = serve_lookup,
    .getattr = serve_getattr,
    .open = serve_open,
    .read = serve_read,
};

static bool open_source(struct source *source, const char *path, bool mapped)
{
    struct stat st;
    source->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (source->fd < 0 || fstat(source->fd, &st) != 0 || st.st_size == 0)
        return false;
    source->size = st.st_size;
    if (mapped) {
        void *mapping = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, source->fd, 0);
        if (mapping == MAP_FAILED)
            return false;
        source->mapping = mapping;
    }
    return true;
}

static int serve(struct source *source, const char *directory, unsigned threads)
{
    char name[] = "passthrough", words[] = "-oro,fsname=passthrough,max_read=1048576";
    char *argv[] = {name, words, NULL};
    struct fuse_args args = FUSE_ARGS_INIT(2, argv);
    struct fuse_session *session = fuse_session_new(&args, &operations, sizeof operations, source);
    struct fuse_loop_config *config = fuse_loop_cfg_create();
    int status = -1;
    if (session != NULL && config != NULL && fuse_set_signal_handlers(session) == 0 &&
        fuse_session_mount(session, directory) == 0) {
        fuse_loop_cfg_set_clone_fd(config, 1);
        fuse_loop_cfg_set_max_threads(config, threads);
        fuse_loop_cfg_set_idle_threads(config, threads);
        status = threads == 1 ? fuse_session_loop(session) : fuse_session_loop_mt(session, config);
        fuse_session_unmount(session);
    }
    if (config != NULL)
        fuse_loop_cfg_destroy(config);
    if (session != NULL)
        fuse_session_destroy(session);
    fuse_opt_free_args(&args);
    return status >= 0 ? 0 : 1; /* a signal's number is well */
}

int main(int argc, char **argv)
{
    struct source source = {0};
    unsigned threads = THREADS;
    bool mapped = false, ok = true;
    int option;
    while ((option = getopt(argc, argv, "o:t:")) != -1) {
        if (option == 't')
            threads = (unsigned)strtoul(optarg, NULL, 10);
        else if (option == 'o' && strcmp(optarg, "noop") == 0)
            source.noop = true;
        else if (option == 'o' && strcmp(optarg, "mmap") == 0)
            mapped = true;
        else if (option == 'o' && strcmp(optarg, "direct_io") == 0)
            source.direct_io = true;
        else
            ok = false;
    }
    if (!ok || argc - optind != 2 || threads == 0) {
        fprintf(stderr, "usage: %s [-o noop|mmap|direct_io]... [-t THREADS] SOURCE DIRECTORY\n",
                argv[0]);
        return 2;
    }
    if (!open_source(&source, argv[optind], mapped)) {
        perror(argv[optind]);
        return 1;
    }
    return serve(&source, argv[optind + 1], threads);
}
