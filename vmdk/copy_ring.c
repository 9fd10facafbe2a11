/* copy_ring - see copy_ring.h. */
#include "vmdk/copy_ring.h"

#include <errno.h>
#include <stdlib.h>

#include <liburing.h>

struct copy_ring {
    struct io_uring ring;
    int fd;
    bool broken; /* holds what the kernel did not take, and must not get later */
};

/* From Linux 6.1 on, what has ended is taken note of when it is asked for, and does not interrupt
 * the thread while it reads. */
static int set_up(struct io_uring *ring, struct io_uring_params *params)
{
    params->flags =
        IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG;
    int result = io_uring_queue_init_params(COPY_RING, ring, params);
    if (result != -EINVAL)
        return result;
    *params = (struct io_uring_params){0};
    return io_uring_queue_init_params(COPY_RING, ring, params);
}

struct copy_ring *copy_ring_open(int fd)
{
    struct copy_ring *r = calloc(1, sizeof *r);
    if (r == NULL)
        return NULL;
    struct io_uring_params params = {0};
    int result = set_up(&r->ring, &params);
    if (result < 0) {
        free(r);
        errno = -result;
        return NULL;
    }
    r->fd = fd;
    /* Came with Linux 5.6, as IORING_OP_WRITE did. */
    if ((params.features & IORING_FEAT_RW_CUR_POS) == 0) {
        copy_ring_close(r);
        errno = ENOSYS;
        return NULL;
    }
    return r;
}

void copy_ring_close(struct copy_ring *r)
{
    if (r == NULL)
        return;
    io_uring_queue_exit(&r->ring);
    free(r);
}

bool copy_ring_submit(struct copy_ring *r, struct copy_run *run)
{
    struct io_uring_sqe *sqe = r->broken ? NULL : io_uring_get_sqe(&r->ring);
    if (sqe == NULL)
        return false;
    io_uring_prep_write(sqe, r->fd, run->data, (unsigned)run->length, run->offset);
    io_uring_sqe_set_data(sqe, run);
    int submitted;
    do
        submitted = io_uring_submit(&r->ring);
    while (submitted == -EINTR);
    r->broken = submitted != 1;
    return !r->broken;
}

struct copy_run *copy_ring_reap(struct copy_ring *r, bool wait, int *result)
{
    struct io_uring_cqe *cqe = NULL;
    int failed;
    do
        failed = wait ? io_uring_wait_cqe(&r->ring, &cqe) : io_uring_peek_cqe(&r->ring, &cqe);
    while (failed == -EINTR);
    if (failed != 0 || cqe == NULL) {
        errno = -failed;
        return NULL;
    }
    struct copy_run *run = io_uring_cqe_get_data(cqe);
    *result = cqe->res;
    io_uring_cqe_seen(&r->ring, cqe);
    return run;
}
