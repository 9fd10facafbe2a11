/* serve - see serve.h. */
#include "nbdkit/serve.h"

#include <stdlib.h>

enum {
    SECTOR = 512,
    PREFERRED = 4096,
    LARGEST = 32 << 20,  /* half of what nbdkit takes */
    EXTENTS_MAX = 65536, /* in one answer; a client then asks on */
};

struct served *serve_open(struct view *view, const struct view_node *node, struct tell_limit *limit)
{
    struct error error = ERROR_INIT;
    struct served *s = malloc(sizeof *s);
    if (s == NULL || !view_hold(view, node, &error)) {
        if (s == NULL)
            error_memory(&error);
        free(s);
        tell_error(&error);
        return NULL;
    }
    *s = (struct served){
        .view = view, .node = node, .bytes = view_bytes(view, node), .limit = limit};
    return s;
}

void serve_close(void *handle)
{
    struct served *s = handle;
    view_release(s->view, s->node);
    free(s);
}

int64_t serve_get_size(void *handle)
{
    const struct served *s = handle;
    return (int64_t)s->node->size;
}

int serve_block_size(void *handle, uint32_t *minimum, uint32_t *preferred, uint32_t *maximum)
{
    (void)handle;
    *minimum = SECTOR;
    *preferred = PREFERRED;
    *maximum = LARGEST;
    return 0;
}

static int refuse(const struct served *s, const struct error *error)
{
    tell_error_limited(s->limit, error);
    nbdkit_set_error(EIO);
    return -1;
}

int serve_pread(void *handle, void *buffer, uint32_t count, uint64_t offset, uint32_t flags)
{
    (void)flags;
    const struct served *s = handle;
    struct error error = ERROR_INIT;
    if (disk_read(s->bytes.disk, s->bytes.start + offset, buffer, count, &error))
        return 0;
    return refuse(s, &error);
}

int serve_extents(void *handle, uint32_t count, uint64_t offset, uint32_t flags,
                  struct nbdkit_extents *extents)
{
    const struct served *s = handle;
    struct error error = ERROR_INIT;
    uint64_t end = offset + count;
    for (unsigned told = 0; offset < end && told < EXTENTS_MAX; told++) {
        enum disk_run run;
        uint64_t length;
        if (!disk_run_at(s->bytes.disk, s->bytes.start + offset, &run, &length, &error))
            return refuse(s, &error);
        /* A run may go on behind the partition. */
        if (length > s->node->size - offset)
            length = s->node->size - offset;
        if (nbdkit_add_extent(extents, offset, length,
                              run == DISK_ZERO ? NBDKIT_EXTENT_HOLE | NBDKIT_EXTENT_ZERO : 0) != 0)
            return -1;
        offset += length;
        if ((flags & NBDKIT_FLAG_REQ_ONE) != 0)
            break;
    }
    return 0;
}
