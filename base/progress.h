/*
 * progress - how a long job tells how far it is, and learns that it should stop.
 */
#ifndef VMCRYPT_BASE_PROGRESS_H
#define VMCRYPT_BASE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    /* Called now and then with bytes done and to do. False stops the job, which then fails as
     * interrupted. NULL: nobody is watching. */
    bool (*update)(void *user, uint64_t done, uint64_t total);
    void *user;
};

static inline bool progress_update(const struct progress *p, uint64_t done, uint64_t total)
{
    return p == NULL || p->update == NULL || p->update(p->user, done, total);
}

#endif
