/* nkp_memory - see nkp_memory.h. */
#include "keywrap/nkp_memory.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* KDKs times UUIDs; what comes after them is not remembered. */
enum { ENTRIES = 256 };

struct entry {
    uint8_t uuid[16];
    const struct secret *kdk;
    size_t hint; /* of the way that fitted; 0 */
    unsigned failures;
};

struct nkp_memory {
    pthread_mutex_t mutex;
    size_t hint; /* of the last way that fitted anywhere */
    size_t count;
    struct entry entries[ENTRIES];
};

struct nkp_memory *nkp_memory_new(struct error *error)
{
    struct nkp_memory *memory = calloc(1, sizeof *memory);
    if (memory != NULL && pthread_mutex_init(&memory->mutex, NULL) != 0) {
        free(memory);
        memory = NULL;
    }
    if (memory == NULL)
        error_memory(error);
    return memory;
}

void nkp_memory_free(struct nkp_memory *memory)
{
    if (memory != NULL)
        pthread_mutex_destroy(&memory->mutex);
    free(memory);
}

static struct entry *find(struct nkp_memory *memory, const uint8_t uuid[16],
                          const struct secret *kdk)
{
    for (size_t i = 0; i < memory->count; i++)
        if (memory->entries[i].kdk == kdk && memcmp(memory->entries[i].uuid, uuid, 16) == 0)
            return &memory->entries[i];
    return NULL;
}

enum nkp_advice nkp_memory_ask(struct nkp_memory *memory, const uint8_t uuid[16],
                               const struct secret *kdk, size_t *hint)
{
    enum nkp_advice advice = NKP_TRY_ALL;
    *hint = 0;
    if (memory == NULL)
        return advice;
    pthread_mutex_lock(&memory->mutex);
    const struct entry *entry = find(memory, uuid, kdk);
    *hint = entry != NULL && entry->hint != 0 ? entry->hint : memory->hint;
    if (entry != NULL && entry->hint != 0)
        advice = NKP_TRY_HINT;
    else if (entry != NULL && entry->failures >= NKP_MEMORY_FAILURES)
        advice = NKP_TRY_NONE;
    pthread_mutex_unlock(&memory->mutex);
    return advice;
}

void nkp_memory_tell(struct nkp_memory *memory, const uint8_t uuid[16], const struct secret *kdk,
                     size_t hint)
{
    if (memory == NULL)
        return;
    pthread_mutex_lock(&memory->mutex);
    struct entry *entry = find(memory, uuid, kdk);
    if (entry == NULL && memory->count < ENTRIES) {
        entry = &memory->entries[memory->count++];
        memcpy(entry->uuid, uuid, sizeof entry->uuid);
        entry->kdk = kdk;
    }
    if (hint != 0)
        memory->hint = hint;
    if (entry != NULL && hint != 0)
        entry->hint = hint;
    else if (entry != NULL && entry->failures < NKP_MEMORY_FAILURES)
        entry->failures++;
    pthread_mutex_unlock(&memory->mutex);
}
