/*
 * dict_arena - memory for the texts of one dictionary: given out, never moved, freed as a whole.
 *
 * It is secret memory, since the settings of an encrypted VM pass through it.
 */
#ifndef VMCRYPT_VMX_DICT_ARENA_H
#define VMCRYPT_VMX_DICT_ARENA_H

#include <stddef.h>

struct dict_arena_chunk;

struct dict_arena {
    struct dict_arena_chunk *chunks; /* newest first */
};

/* LENGTH bytes, not cleared; NULL when memory is short. */
char *dict_arena_take(struct dict_arena *arena, size_t length);

/* A copy of LENGTH bytes with a NUL behind them. */
char *dict_arena_copy(struct dict_arena *arena, const void *data, size_t length);

void dict_arena_free(struct dict_arena *arena);

#endif
