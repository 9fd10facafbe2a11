/* serve - the bytes of one export, for one connection. */
#ifndef VMCRYPT_NBDKIT_SERVE_H
#define VMCRYPT_NBDKIT_SERVE_H

#include "nbdkit/tell.h"
#include "vm/view.h"

struct served {
    struct view *view;
    const struct view_node *node;
    struct view_bytes bytes;
    struct tell_limit *limit; /* shared by all connections */
};

/* Hold NODE until serve_close. NULL after nbdkit_error. */
struct served *serve_open(struct view *view, const struct view_node *node,
                          struct tell_limit *limit);

/* nbdkit's callbacks; the handle is a struct served. */
void serve_close(void *handle);
int64_t serve_get_size(void *handle);
int serve_block_size(void *handle, uint32_t *minimum, uint32_t *preferred, uint32_t *maximum);
int serve_pread(void *handle, void *buffer, uint32_t count, uint64_t offset, uint32_t flags);
int serve_extents(void *handle, uint32_t count, uint64_t offset, uint32_t flags,
                  struct nbdkit_extents *extents);

#endif
