/* dict_index - see dict_index.h. */
#include "vmx/dict_index.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

static char fold(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool same_name(const char *a, const char *b)
{
    for (; fold(*a) == fold(*b); a++, b++)
        if (*a == '\0')
            return true;
    return false;
}

static uint64_t rotate(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
}

static uint64_t hash_name(const uint64_t key[2], const char *name)
{
    uint64_t v[4] = {key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d,
                     key[0] ^ 0x6c7967656e657261, key[1] ^ 0x7465646279746573};
    uint64_t word = 0;
    size_t i = 0;
    for (; name[i] != '\0'; i++) {
        word |= (uint64_t)(uint8_t)fold(name[i]) << (i % 8 * 8);
        if (i % 8 == 7) {
            sip_word(v, word);
            word = 0;
        }
    }
    sip_word(v, word | (uint64_t)i << 56);
    v[2] ^= 0xff;
    for (int round = 0; round < 3; round++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

bool dict_index_init(struct dict_index *index)
{
    *index = (struct dict_index){0};
    return getrandom(index->key, sizeof index->key, 0) == (ssize_t)sizeof index->key;
}

void dict_index_free(struct dict_index *index)
{
    free(index->entries);
    free(index->slots);
    *index = (struct dict_index){0};
}

/* The slot that holds NAME or the free one where it belongs. */
static size_t find_slot(const struct dict_index *index, const char *name, uint64_t hash)
{
    size_t mask = index->slot_count - 1, slot = hash & mask;
    while (index->slots[slot] != 0) {
        const struct dict_index_entry *entry = &index->entries[index->slots[slot] - 1];
        if (entry->hash == hash && same_name(entry->name, name))
            break;
        slot = (slot + 1) & mask;
    }
    return slot;
}

struct dict_index_entry *dict_index_find(const struct dict_index *index, const char *name)
{
    if (index->slot_count == 0)
        return NULL;
    uint32_t found = index->slots[find_slot(index, name, hash_name(index->key, name))];
    return found == 0 ? NULL : &index->entries[found - 1];
}

/* Keep a quarter of the slots free at least, and room for one more entry. */
static bool make_room(struct dict_index *index)
{
    if (index->entry_count == index->entry_room) {
        size_t room = index->entry_room == 0 ? 64 : index->entry_room * 2;
        struct dict_index_entry *entries = realloc(index->entries, room * sizeof *entries);
        if (entries == NULL)
            return false;
        index->entries = entries;
        index->entry_room = room;
    }
    if (index->entry_count < index->slot_count / 4 * 3)
        return true;
    size_t count = index->slot_count == 0 ? 128 : index->slot_count * 2;
    uint32_t *slots = calloc(count, sizeof *slots);
    if (slots == NULL)
        return false;
    free(index->slots);
    index->slots = slots;
    index->slot_count = count;
    for (size_t i = 0; i < index->entry_count; i++) {
        size_t slot = index->entries[i].hash & (count - 1);
        while (slots[slot] != 0)
            slot = (slot + 1) & (count - 1);
        slots[slot] = (uint32_t)(i + 1);
    }
    return true;
}

struct dict_index_entry *dict_index_add(struct dict_index *index, const char *name)
{
    if (!make_room(index))
        return NULL;
    uint64_t hash = hash_name(index->key, name);
    size_t slot = find_slot(index, name, hash);
    if (index->slots[slot] == 0) {
        index->entries[index->entry_count] = (struct dict_index_entry){name, hash, DICT_NO_LINE};
        index->slots[slot] = (uint32_t)++index->entry_count;
    }
    return &index->entries[index->slots[slot] - 1];
}
