/*
 * chain_map - see chain_map.h.
 *
 * A stretch is a sorted list of segments, each with the layer that has it. It is made from the
 * top: what a layer leaves absent is looked for in the next one.
 */
#include "vmdk/chain_map.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    SLOTS = 1024,
    UNIT_WORDS = 256, /* of 64 bits */
};

struct segment {
    uint32_t start, end; /* in the stretch */
    uint16_t layer;
};

struct list {
    size_t count, capacity;
    struct segment *segments;
};

struct stretch {
    bool filled;
    uint64_t number;
    uint64_t used;
    struct list list;
};

struct chain_map {
    struct layer *const *layers;
    size_t layer_count;
    uint64_t size;
    uint64_t unit;    /* bytes of the disk for which a bit of ABSENT stands */
    uint64_t *absent; /* UNIT_WORDS for each layer: it was seen to have nothing there */
    pthread_mutex_t lock;
    uint64_t clock;
    size_t bytes;                /* of all lists */
    struct stretch slots[SLOTS]; /* stretch N is in slot N % SLOTS, if anywhere */
};

struct chain_map *chain_map_new(struct layer *const *layers, size_t count, struct error *error)
{
    struct chain_map *map = calloc(1, sizeof *map);
    if (map == NULL) {
        error_memory(error);
        return NULL;
    }
    map->layers = layers;
    map->layer_count = count;
    map->size = layers[0]->size;
    map->unit = CHAIN_STRETCH;
    while (map->size / map->unit >= UNIT_WORDS * 64)
        map->unit *= 2;
    map->absent = calloc(count * UNIT_WORDS, sizeof *map->absent);
    if (map->absent == NULL) {
        free(map);
        error_memory(error);
        return NULL;
    }
    pthread_mutex_init(&map->lock, NULL);
    return map;
}

void chain_map_free(struct chain_map *map)
{
    if (map == NULL)
        return;
    for (size_t i = 0; i < SLOTS; i++)
        free(map->slots[i].list.segments);
    pthread_mutex_destroy(&map->lock);
    free(map->absent);
    free(map);
}

/* Most layers have nothing in most places, and say so for gigabytes at a time. */
static void remember_absent(struct chain_map *map, size_t i, uint64_t from, uint64_t length)
{
    uint64_t end = from + length < from ? UINT64_MAX : from + length;
    /* Up to the end of the disk is up to the end of its last unit. */
    end = end >= map->layers[i]->size ? UINT64_MAX : end;
    for (uint64_t unit = (from + map->unit - 1) / map->unit;
         unit < UNIT_WORDS * 64 && unit * map->unit < map->size &&
         (end == UINT64_MAX || (unit + 1) * map->unit <= end);
         unit++)
        map->absent[i * UNIT_WORDS + unit / 64] |= UINT64_C(1) << unit % 64;
}

static bool is_absent(const struct chain_map *map, size_t i, uint64_t offset)
{
    uint64_t unit = offset / map->unit;
    return map->absent[i * UNIT_WORDS + unit / 64] >> unit % 64 & 1;
}

static bool append(struct list *list, uint32_t start, uint32_t end, uint16_t layer,
                   struct error *error)
{
    struct segment *last = list->count == 0 ? NULL : &list->segments[list->count - 1];
    if (last != NULL && last->end == start && last->layer == layer) {
        last->end = end;
        return true;
    }
    if (list->count == list->capacity) {
        size_t wanted = list->capacity == 0 ? 16 : 2 * list->capacity;
        struct segment *grown = realloc(list->segments, wanted * sizeof *grown);
        if (grown == NULL)
            return error_memory(error);
        list->segments = grown;
        list->capacity = wanted;
    }
    list->segments[list->count++] = (struct segment){start, end, layer};
    return true;
}

/* Go through bytes START to END of the stretch at BASE in layer I: what it has goes to FOUND, what
 * it leaves to ABSENT. */
static bool ask_layer(struct chain_map *map, size_t i, uint64_t base, uint32_t start, uint32_t end,
                      struct list *found, struct list *absent, struct error *error)
{
    const struct layer *layer = map->layers[i];
    if (is_absent(map, i, base))
        return append(absent, start, end, CHAIN_NOBODY, error);
    for (uint32_t at = start; at < end;) {
        struct extent_run run = {.state = EXTENT_ABSENT, .length = end - at};
        const struct extent *extent;
        /* A disk that was grown after the snapshot is longer than the layers below. */
        if (!layer->missing && base + at < layer->size &&
            !layer_run_at(layer, base + at, &run, &extent, error))
            return false;
        if (run.state == EXTENT_ABSENT)
            remember_absent(map, i, base + at, run.length);
        uint32_t length = run.length < end - at ? (uint32_t)run.length : end - at;
        bool ok = run.state == EXTENT_ABSENT ? append(absent, at, at + length, CHAIN_NOBODY, error)
                                             : append(found, at, at + length, (uint16_t)i, error);
        if (!ok)
            return false;
        at += length;
    }
    return true;
}

static int by_start(const void *a, const void *b)
{
    const struct segment *x = a, *y = b;
    return (x->start > y->start) - (x->start < y->start);
}

/* FOUND, in order, neighbours of one layer joined. */
static void tidy(struct list *found)
{
    if (found->count == 0)
        return;
    qsort(found->segments, found->count, sizeof *found->segments, by_start);
    size_t kept = 0;
    for (size_t i = 1; i < found->count; i++) {
        struct segment *last = &found->segments[kept];
        if (last->end == found->segments[i].start && last->layer == found->segments[i].layer)
            last->end = found->segments[i].end;
        else
            found->segments[++kept] = found->segments[i];
    }
    found->count = kept + 1;
    struct segment *less = realloc(found->segments, found->count * sizeof *less);
    if (less != NULL)
        found->segments = less;
    found->capacity = found->count;
}

static bool map_stretch(struct chain_map *map, uint64_t number, struct list *found,
                        struct error *error)
{
    uint64_t base = number * CHAIN_STRETCH;
    uint32_t end = map->size - base < CHAIN_STRETCH ? (uint32_t)(map->size - base) : CHAIN_STRETCH;
    struct list wanted = {0}, absent = {0};
    bool ok = append(&wanted, 0, end, CHAIN_NOBODY, error);
    for (size_t i = 0; ok && i < map->layer_count && wanted.count > 0; i++) {
        absent.count = 0;
        for (size_t w = 0; ok && w < wanted.count; w++)
            ok = ask_layer(map, i, base, wanted.segments[w].start, wanted.segments[w].end, found,
                           &absent, error);
        struct list swap = wanted;
        wanted = absent;
        absent = swap;
    }
    for (size_t w = 0; ok && w < wanted.count; w++)
        ok = append(found, wanted.segments[w].start, wanted.segments[w].end, CHAIN_NOBODY, error);
    free(wanted.segments);
    free(absent.segments);
    if (ok)
        tidy(found);
    return ok;
}

static void forget(struct chain_map *map, struct stretch *stretch)
{
    map->bytes -= stretch->list.capacity * sizeof *stretch->list.segments;
    free(stretch->list.segments);
    *stretch = (struct stretch){0};
}

/* Forget what was not used for the longest time until MAP is within its bound. */
static void make_room(struct chain_map *map, const struct stretch *keep)
{
    while (map->bytes > CHAIN_BYTES) {
        struct stretch *oldest = NULL;
        for (size_t i = 0; i < SLOTS; i++) {
            struct stretch *s = &map->slots[i];
            if (s->filled && s != keep && (oldest == NULL || s->used < oldest->used))
                oldest = s;
        }
        if (oldest == NULL)
            return;
        forget(map, oldest);
    }
}

/* Under the lock. */
static struct stretch *get_stretch(struct chain_map *map, uint64_t number, struct error *error)
{
    struct stretch *stretch = &map->slots[number % SLOTS];
    if (!stretch->filled || stretch->number != number) {
        struct list found = {0};
        if (!map_stretch(map, number, &found, error)) {
            free(found.segments);
            return NULL;
        }
        forget(map, stretch);
        *stretch = (struct stretch){.filled = true, .number = number, .list = found};
        map->bytes += found.capacity * sizeof *found.segments;
        make_room(map, stretch);
    }
    stretch->used = ++map->clock;
    return stretch;
}

bool chain_map_at(struct chain_map *map, uint64_t offset, struct chain_run *run,
                  struct error *error)
{
    uint32_t at = (uint32_t)(offset % CHAIN_STRETCH);
    pthread_mutex_lock(&map->lock);
    const struct stretch *stretch = get_stretch(map, offset / CHAIN_STRETCH, error);
    if (stretch != NULL) {
        size_t low = 0, high = stretch->list.count;
        while (high - low > 1) {
            size_t middle = low + (high - low) / 2;
            if (stretch->list.segments[middle].start <= at)
                low = middle;
            else
                high = middle;
        }
        const struct segment *s = &stretch->list.segments[low];
        *run = (struct chain_run){.layer = s->layer, .length = s->end - at};
    }
    pthread_mutex_unlock(&map->lock);
    return stretch != NULL;
}
