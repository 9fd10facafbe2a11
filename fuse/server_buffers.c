/*
 * server_buffers - see server_private.h: where plaintext lies while it is replied.
 *
 * Not base/secret's pages, since the kernel takes those one by one when it copies a reply: with
 * one huge page for all buffers a large read takes 6 % less CPU time. Otherwise the same care.
 */
#include "fuse/server_private.h"

#include <sys/mman.h>

#include "base/secret.h"

enum { HUGE_PAGE = 2 << 20 };

bool server_buffers_make(struct server *server)
{
    size_t bytes = (server->worker_count * server->read_max + HUGE_PAGE - 1) & -(size_t)HUGE_PAGE;
    size_t mapped = bytes + HUGE_PAGE;
    uint8_t *pages = mmap(NULL, mapped, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (pages == MAP_FAILED)
        return false;
    size_t before = -(uintptr_t)pages & (HUGE_PAGE - 1);
    if (before > 0)
        munmap(pages, before);
    if (before < HUGE_PAGE)
        munmap(pages + before + bytes, HUGE_PAGE - before);
    server->replies = pages + before;
    server->replies_bytes = bytes;
    /* Best effort, each. */
    madvise(server->replies, bytes, MADV_HUGEPAGE);
    madvise(server->replies, bytes, MADV_DONTDUMP);
    madvise(server->replies, bytes, MADV_WIPEONFORK);
    mlock(server->replies, bytes);
    return true;
}

void server_buffers_free(struct server *server)
{
    if (server->replies == NULL)
        return;
    secret_wipe(server->replies, server->worker_count * server->read_max);
    munmap(server->replies, server->replies_bytes);
}
