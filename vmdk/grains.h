/*
 * grains - reading by a grain directory, grain tables and grains: what COWD and seSparse extents
 * have in common. Private to the two.
 *
 * Both have 4096 entries in a table, and an entry of 0, of a directory or a table, stands for what
 * is absent.
 */
#ifndef VMCRYPT_VMDK_GRAINS_H
#define VMCRYPT_VMDK_GRAINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "vmdk/extent.h"

enum { GRAIN_TABLE_ENTRIES = 4096 };

struct grain_place {
    enum extent_state state;
    uint64_t offset; /* STORED: in the file */
};

/* The first member of the state of an extent of either kind. */
struct grains {
    uint64_t directory; /* in the file */
    size_t entry_bytes; /* of the directory and of the tables: 4 or 8 */
    /* What an entry means that is not 0. They return NULL, or what is wrong with it. */
    const char *(*table)(const struct extent *e, uint64_t entry, uint64_t *offset);
    /* Only the first BYTES of the grain count, where the extent ends in it. */
    const char *(*grain)(const struct extent *e, uint64_t entry, uint64_t bytes,
                         struct grain_place *place);
};

/* What both kinds check of the header: the SECTORS and the grain that it gives, and a directory of
 * ENTRIES. Fills e->grain. */
bool grains_check(struct extent *e, uint64_t sectors, uint64_t grain_sectors, uint64_t entries,
                  struct error *error);
/* Entries of the directory that the extent needs. */
uint64_t grains_tables(const struct extent *e);

/* As in struct extent_ops. */
bool grains_read(const struct extent *e, uint64_t at, void *data, size_t length,
                 struct error *error);
bool grains_run_at(const struct extent *e, uint64_t at, struct extent_run *run,
                   struct error *error);
void grains_close(struct extent *e);

#endif
