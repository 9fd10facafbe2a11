/*
 * server_limit - how often the log may be told the same kind of thing: a disk with a bad region
 * would fill it. Thread-safe.
 */
#ifndef VMCRYPT_FUSE_SERVER_LIMIT_H
#define VMCRYPT_FUSE_SERVER_LIMIT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

enum { SERVER_LIMIT_LINES = 10, SERVER_LIMIT_SECONDS = 60 };

struct server_limit {
    pthread_mutex_t lock;
    time_t start;     /* of the current stretch of SERVER_LIMIT_SECONDS */
    unsigned said;    /* in it */
    uint64_t skipped; /* not told yet */
};

#define SERVER_LIMIT_INIT ((struct server_limit){.lock = PTHREAD_MUTEX_INITIALIZER})

/* May one more line be said at NOW (monotonic seconds)? If so *skipped is how many were not since
 * the last time it was told. Called, and followed by the line, with LOCK held. */
bool server_limit_pass(struct server_limit *limit, time_t now, uint64_t *skipped);

#endif
