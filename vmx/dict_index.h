/*
 * dict_index - which line sets a name: a hash table over names without regard to ASCII case.
 *
 * Names come from hostile files, so the hash (SipHash-1-3) is keyed with random bytes: nobody can
 * choose names that all land in one place.
 */
#ifndef VMCRYPT_VMX_DICT_INDEX_H
#define VMCRYPT_VMX_DICT_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DICT_NO_LINE = UINT32_MAX };

struct dict_index_entry {
    const char *name; /* not owned */
    uint64_t hash;
    uint32_t line; /* the last one that sets the name; DICT_NO_LINE when none does any more */
};

struct dict_index {
    uint64_t key[2];
    struct dict_index_entry *entries;
    size_t entry_count, entry_room;
    uint32_t *slots;   /* entry + 1; 0 is free */
    size_t slot_count; /* a power of two */
};

/* False when there are no random bytes to be had. */
bool dict_index_init(struct dict_index *index);
void dict_index_free(struct dict_index *index);

/* The entry of NAME, NULL when it was never there. Valid until the next dict_index_add. */
struct dict_index_entry *dict_index_find(const struct dict_index *index, const char *name);

/* The same, making one (with DICT_NO_LINE) when it is missing; NAME must outlive the index.
 * NULL when memory is short. */
struct dict_index_entry *dict_index_add(struct dict_index *index, const char *name);

#endif
