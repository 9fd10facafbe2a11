/* server_tree - see server.h: names and attributes, and the table of all operations. */
#include "fuse/server_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

/* Nothing ever changes. */
#define FOREVER 1e9

const struct view_node *server_node(struct server *server, fuse_ino_t inode)
{
    if (server->on_file && inode == FUSE_ROOT_ID)
        return view_node(server->view, view_disk_inode(server->view));
    return view_node(server->view, inode);
}

static struct stat attributes(const struct server *server, const struct view_node *node)
{
    bool directory = node->kind == VIEW_DIRECTORY;
    mode_t search = (server->mode & 0444) >> 2; /* x where there is r */
    return (struct stat){
        .st_ino = server->on_file ? FUSE_ROOT_ID : node->inode,
        .st_mode = directory ? S_IFDIR | server->mode | search : S_IFREG | server->mode,
        .st_nlink = directory ? 2 : 1,
        .st_uid = server->owner,
        .st_gid = server->group,
        .st_size = directory ? 0 : (off_t)node->size,
        .st_blocks = directory ? 0 : (blkcnt_t)((node->size + 511) / 512),
        .st_blksize = 1 << 20,
        .st_atim = node->mtime,
        .st_mtim = node->mtime,
        .st_ctim = node->mtime,
    };
}

/* NULL: there is none, and never will be. */
static struct fuse_entry_param entry(const struct server *server, const struct view_node *node)
{
    struct fuse_entry_param e = {.attr_timeout = FOREVER, .entry_timeout = FOREVER};
    if (node != NULL) {
        e.ino = node->inode;
        e.attr = attributes(server, node);
    }
    return e;
}

static void tree_init(void *userdata, struct fuse_conn_info *conn)
{
    const struct server *server = userdata;
    conn->max_readahead = SERVER_READAHEAD; /* the kernel takes less when it has less */
    /* libfuse derives the largest read from it. */
    conn->max_write = (unsigned)server->read_max;
    conn->max_background = 64;
    conn->congestion_threshold = 48;
    conn->time_gran = 1;
    /* What is cached stays valid, whatever getattr is asked. */
    conn->want &= ~(unsigned)FUSE_CAP_AUTO_INVAL_DATA;
    conn->want |= conn->capable & FUSE_CAP_EXPLICIT_INVAL_DATA;
}

static void tree_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct server *server = fuse_req_userdata(req);
    struct error error = ERROR_INIT;
    const struct view_node *node = view_lookup(server->view, parent, name, &error);
    if (node == NULL && error.code != ERROR_NONE) {
        server_complain(server, name, 0, &error);
        fuse_reply_err(req, EIO);
        return;
    }
    struct fuse_entry_param e = entry(server, node);
    fuse_reply_entry(req, &e);
}

static void tree_forget(fuse_req_t req, fuse_ino_t inode, uint64_t count)
{
    (void)inode;
    (void)count;
    fuse_reply_none(req);
}

static void tree_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
    (void)count;
    (void)forgets;
    fuse_reply_none(req);
}

static void tree_getattr(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *file)
{
    struct server *server = fuse_req_userdata(req);
    const struct view_node *node = server_node(server, inode);
    (void)file;
    if (node == NULL) {
        fuse_reply_err(req, ENOENT);
        return;
    }
    struct stat st = attributes(server, node);
    fuse_reply_attr(req, &st, FOREVER);
}

/* Append entry number I, of which 0 and 1 are "." and ".."; what it needs, 0 past the last. */
static size_t add_entry(fuse_req_t req, const struct view_node *directory, size_t i, bool plus,
                        char *at, size_t left, struct error *error)
{
    struct server *server = fuse_req_userdata(req);
    const struct view_node *node = directory;
    const char *name = i == 0 ? "." : "..";
    if (i == 1)
        node = view_node(server->view, directory->parent);
    if (i >= 2) {
        node = view_entry(server->view, directory->inode, i - 2, error);
        if (node == NULL)
            return 0;
        name = node->name;
    }
    struct fuse_entry_param e = entry(server, node);
    if (plus && i < 2)
        e.ino = 0; /* told the name only */
    return plus ? fuse_add_direntry_plus(req, at, left, name, &e, (off_t)(i + 1))
                : fuse_add_direntry(req, at, left, name, &e.attr, (off_t)(i + 1));
}

static void read_directory(fuse_req_t req, fuse_ino_t inode, size_t size, off_t offset, bool plus)
{
    struct server *server = fuse_req_userdata(req);
    const struct view_node *directory = server_node(server, inode);
    struct error error = ERROR_INIT;
    int status = directory == NULL                   ? ENOENT
                 : directory->kind != VIEW_DIRECTORY ? ENOTDIR
                 : offset < 0                        ? EINVAL
                                                     : 0;
    if (status != 0) {
        fuse_reply_err(req, status);
        return;
    }
    char *list = (char *)server_self(server)->reply;
    size_t used = 0;
    size = size < server->read_max ? size : server->read_max;
    for (size_t i = (size_t)offset;; i++) {
        size_t needed = add_entry(req, directory, i, plus, list + used, size - used, &error);
        if (needed == 0 || needed > size - used)
            break;
        used += needed;
    }
    if (used == 0 && error.code != ERROR_NONE) {
        server_complain(server, directory->name, 0, &error);
        fuse_reply_err(req, EIO);
    } else {
        fuse_reply_buf(req, list, used);
    }
}

static void tree_readdir(fuse_req_t req, fuse_ino_t inode, size_t size, off_t offset,
                         struct fuse_file_info *file)
{
    (void)file;
    read_directory(req, inode, size, offset, false);
}

static void tree_readdirplus(fuse_req_t req, fuse_ino_t inode, size_t size, off_t offset,
                             struct fuse_file_info *file)
{
    (void)file;
    read_directory(req, inode, size, offset, true);
}

/* Files of DIRECTORY and of the directories in it, down to DEPTH; so what needs opening first, the
 * snapshots, is left out. */
static void add_sizes(struct server *server, const struct view_node *directory, int depth,
                      struct statvfs *st)
{
    struct error ignored = ERROR_INIT;
    const struct view_node *node;
    for (size_t i = 0; (node = view_entry(server->view, directory->inode, i, &ignored)) != NULL;
         i++) {
        st->f_files++;
        if (node->kind != VIEW_DIRECTORY)
            st->f_blocks += (node->size + st->f_frsize - 1) / st->f_frsize;
        else if (depth > 1)
            add_sizes(server, node, depth - 1, st);
    }
}

static void tree_statfs(fuse_req_t req, fuse_ino_t inode)
{
    struct server *server = fuse_req_userdata(req);
    struct statvfs st = {.f_bsize = 4096, .f_frsize = 4096, .f_namemax = 255};
    const struct view_node *root = server_node(server, FUSE_ROOT_ID);
    (void)inode;
    if (root->kind == VIEW_DIRECTORY)
        add_sizes(server, root, 2, &st);
    else
        st.f_blocks = (root->size + st.f_frsize - 1) / st.f_frsize;
    fuse_reply_statfs(req, &st);
}

/* Answer a question for SIZE bytes of an attribute, or with SIZE 0 for its length. */
static void reply_attribute(fuse_req_t req, const char *value, size_t length, size_t size,
                            size_t slack)
{
    if (size == 0)
        fuse_reply_xattr(req, length + slack);
    else if (size < length)
        fuse_reply_err(req, ERANGE);
    else
        fuse_reply_buf(req, value, length);
}

static void tree_getxattr(fuse_req_t req, fuse_ino_t inode, const char *name, size_t size)
{
    /* The counts get longer while somebody asks for the length and then for the text. */
    enum { SLACK = 128 };
    struct server *server = fuse_req_userdata(req);
    if (inode != FUSE_ROOT_ID || strcmp(name, SERVER_STATUS) != 0) {
        fuse_reply_err(req, ENODATA);
        return;
    }
    char *text = server_status(server);
    if (text == NULL)
        fuse_reply_err(req, ENOMEM);
    else
        reply_attribute(req, text, strlen(text), size, SLACK);
    free(text);
}

static void tree_listxattr(fuse_req_t req, fuse_ino_t inode, size_t size)
{
    reply_attribute(req, SERVER_STATUS, inode == FUSE_ROOT_ID ? sizeof SERVER_STATUS : 0, size, 0);
}

/*
 * What would change something. The kernel does not ask while the mount is read-only, but root can
 * remount it.
 */
static void refuse(fuse_req_t req)
{
    fuse_reply_err(req, EROFS);
}

static void refuse_setattr(fuse_req_t req, fuse_ino_t inode, struct stat *st, int set,
                           struct fuse_file_info *file)
{
    (void)inode, (void)st, (void)set, (void)file;
    refuse(req);
}

static void refuse_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
                         dev_t device)
{
    (void)parent, (void)name, (void)mode, (void)device;
    refuse(req);
}

static void refuse_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
    (void)parent, (void)name, (void)mode;
    refuse(req);
}

static void refuse_name(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    (void)parent, (void)name;
    refuse(req);
}

static void refuse_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
    (void)target, (void)parent, (void)name;
    refuse(req);
}

static void refuse_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t to,
                          const char *new_name, unsigned flags)
{
    (void)parent, (void)name, (void)to, (void)new_name, (void)flags;
    refuse(req);
}

static void refuse_link(fuse_req_t req, fuse_ino_t inode, fuse_ino_t parent, const char *name)
{
    (void)inode, (void)parent, (void)name;
    refuse(req);
}

static void refuse_write(fuse_req_t req, fuse_ino_t inode, const char *data, size_t size,
                         off_t offset, struct fuse_file_info *file)
{
    (void)inode, (void)data, (void)size, (void)offset, (void)file;
    refuse(req);
}

static void refuse_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
                          struct fuse_file_info *file)
{
    (void)parent, (void)name, (void)mode, (void)file;
    refuse(req);
}

static void refuse_setxattr(fuse_req_t req, fuse_ino_t inode, const char *name, const char *value,
                            size_t size, int flags)
{
    (void)inode, (void)name, (void)value, (void)size, (void)flags;
    refuse(req);
}

static void refuse_fallocate(fuse_req_t req, fuse_ino_t inode, int mode, off_t offset, off_t length,
                             struct fuse_file_info *file)
{
    (void)inode, (void)mode, (void)offset, (void)length, (void)file;
    refuse(req);
}

static void refuse_copy(fuse_req_t req, fuse_ino_t from, off_t from_offset,
                        struct fuse_file_info *from_file, fuse_ino_t to, off_t to_offset,
                        struct fuse_file_info *to_file, size_t length, int flags)
{
    (void)from, (void)from_offset, (void)from_file, (void)to, (void)to_offset, (void)to_file;
    (void)length, (void)flags;
    refuse(req);
}

/* Left out: access, which default_permissions settles in the kernel, and flush and fsync, which the
 * kernel stops to ask for and counts as done when they are unknown. */
const struct fuse_lowlevel_ops server_operations = {
    .init = tree_init,
    .lookup = tree_lookup,
    .forget = tree_forget,
    .forget_multi = tree_forget_multi,
    .getattr = tree_getattr,
    .readdir = tree_readdir,
    .readdirplus = tree_readdirplus,
    .statfs = tree_statfs,
    .getxattr = tree_getxattr,
    .listxattr = tree_listxattr,
    .open = server_open,
    .release = server_release,
    .read = server_read,
    .lseek = server_lseek,
    .setattr = refuse_setattr,
    .mknod = refuse_mknod,
    .mkdir = refuse_mkdir,
    .unlink = refuse_name,
    .rmdir = refuse_name,
    .symlink = refuse_symlink,
    .rename = refuse_rename,
    .link = refuse_link,
    .write = refuse_write,
    .create = refuse_create,
    .setxattr = refuse_setxattr,
    .removexattr = refuse_name,
    .fallocate = refuse_fallocate,
    .copy_file_range = refuse_copy,
};
