/* dict_arena - see dict_arena.h. */
#include "vmx/dict_arena.h"

#include <stdint.h>
#include <string.h>

#include "base/secret.h"

enum { CHUNK_FIRST = 32 << 10, CHUNK_LARGEST = 4 << 20 };

struct dict_arena_chunk {
    struct dict_arena_chunk *older;
    size_t size; /* with this head */
    size_t used;
};

char *dict_arena_take(struct dict_arena *arena, size_t length)
{
    struct dict_arena_chunk *chunk = arena->chunks;
    if (chunk == NULL || length > chunk->size - chunk->used) {
        size_t size = CHUNK_FIRST, needed;
        if (__builtin_add_overflow(length, sizeof *chunk, &needed))
            return NULL;
        /* Growing chunks keep their number small whatever the text is like. */
        if (chunk != NULL)
            size = chunk->size < CHUNK_LARGEST / 2 ? chunk->size * 2 : CHUNK_LARGEST;
        if (size < needed)
            size = needed;
        chunk = secret_pages_alloc(size);
        if (chunk == NULL)
            return NULL;
        *chunk = (struct dict_arena_chunk){arena->chunks, size, sizeof *chunk};
        arena->chunks = chunk;
    }
    char *taken = (char *)chunk + chunk->used;
    chunk->used += length;
    return taken;
}

char *dict_arena_copy(struct dict_arena *arena, const void *data, size_t length)
{
    char *copy = length == SIZE_MAX ? NULL : dict_arena_take(arena, length + 1);
    if (copy != NULL) {
        if (length > 0)
            memcpy(copy, data, length);
        copy[length] = '\0';
    }
    return copy;
}

void dict_arena_free(struct dict_arena *arena)
{
    while (arena->chunks != NULL) {
        struct dict_arena_chunk *chunk = arena->chunks;
        arena->chunks = chunk->older;
        secret_pages_free(chunk, chunk->size);
    }
}
