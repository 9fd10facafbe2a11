/*
 * copy_hash - two SHA-256 over chunks that several threads bring in any order.
 *
 * A thread waits for the turn of its chunk and hashes it itself, from its own buffer. The two
 * sides take turns of their own, so that two threads hash at a time. The holder of the lowest
 * chunk never waits, hence no deadlock.
 */
#ifndef VMCRYPT_VMDK_COPY_HASH_H
#define VMCRYPT_VMDK_COPY_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum copy_side { COPY_STORED, COPY_RESULT, COPY_SIDES };

struct copy_hash;

struct copy_hash *copy_hash_new(struct error *error);
void copy_hash_free(struct copy_hash *h);

/* Hash chunk NUMBER of SIDE when all before it are. DATA NULL: zeros. False without *error when
 * stopped meanwhile. Each number has to come once on each side. */
bool copy_hash_add(struct copy_hash *h, enum copy_side side, uint64_t number, const void *data,
                   uint64_t length, struct error *error);

/* Let all who wait return. */
void copy_hash_stop(struct copy_hash *h);

/* After the last chunk. */
bool copy_hash_finish(struct copy_hash *h, enum copy_side side, uint8_t *digest,
                      struct error *error);

#endif
