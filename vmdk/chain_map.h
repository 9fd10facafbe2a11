/*
 * chain_map - which layer of a disk has which bytes.
 *
 * Asked layer by layer, a read of a disk with 200 snapshots would look into 200 tables. So for
 * each stretch of the disk that is read the layers are gone through once, and the outcome is kept,
 * in a bounded amount of memory. Thread-safe.
 */
#ifndef VMCRYPT_VMDK_CHAIN_MAP_H
#define VMCRYPT_VMDK_CHAIN_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "vmdk/layer.h"

enum {
    CHAIN_STRETCH = 16 << 20, /* bytes of the disk that are mapped at a time */
    CHAIN_BYTES = 24 << 20,   /* memory that maps take at most, or little more */
};

/* Whose the bytes are; CHAIN_NOBODY: no layer has them. */
enum { CHAIN_NOBODY = UINT16_MAX };

struct chain_run {
    uint16_t layer;
    uint64_t length; /* from the place asked for */
};

struct chain_map;

/* Of COUNT layers, the top first, which outlive it; SIZE of the disk is that of the top layer. */
struct chain_map *chain_map_new(struct layer *const *layers, size_t count, struct error *error);
void chain_map_free(struct chain_map *map);

/* Whose the byte at OFFSET is, and how many behind it are the same one's. */
bool chain_map_at(struct chain_map *map, uint64_t offset, struct chain_run *run,
                  struct error *error);

#endif
