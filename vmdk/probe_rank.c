/* probe_rank - see probe.h: which of the geometries that fit some samples fits the most. */
#include "vmdk/probe_private.h"

#include <stdlib.h>
#include <string.h>

enum { FINALISTS = 256, BITS = 8 };

struct finalist {
    const struct disk_geometry *geometry;
    struct probe_evidence evidence;
    size_t count;   /* samples that show something */
    uint8_t *shown; /* a bit for each sample */
};

/* How far G is from what is plain; among equals the plainest is taken. */
static uint64_t oddity(const struct disk_geometry *g)
{
    uint64_t odd = 0;
    odd += g->swapped ? 64 : 0;
    odd += g->cipher == GEOMETRY_XTS ? 0 : 32 + (unsigned)g->cipher;
    odd += g->order != GEOMETRY_LITTLE ? 16 + (unsigned)g->order : 0;
    odd += g->start != 0 ? 16 : 0;
    odd += g->header != 0 ? 8 : 0;
    odd += g->from != GEOMETRY_DISK ? 4 : 0;
    odd += g->tweak != GEOMETRY_UNITS ? 2 : 0;
    odd += g->unit != GEOMETRY_UNIT_MIN && g->unit != 4096;
    return odd;
}

static int compare_numbers(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int compare(const void *left, const void *right)
{
    const struct disk_geometry *a = left, *b = right;
    const uint64_t keys[][2] = {
        {oddity(a), oddity(b)}, {a->unit, b->unit},
        {a->header, b->header}, {(uint64_t)a->start, (uint64_t)b->start},
        {a->tweak, b->tweak},   {a->from, b->from},
        {a->order, b->order},   {a->cipher, b->cipher},
    };
    int order = 0;
    for (size_t i = 0; order == 0 && i < sizeof keys / sizeof keys[0]; i++)
        order = compare_numbers(keys[i][0], keys[i][1]);
    return order;
}

static void sort_out_doubles(struct probe_hits *hits)
{
    size_t kept = 0;
    qsort(hits->all, hits->count, sizeof *hits->all, compare);
    for (size_t i = 0; i < hits->count; i++)
        if (kept == 0 || !geometry_equal(&hits->all[kept - 1], &hits->all[i]))
            hits->all[kept++] = hits->all[i];
    hits->count = kept;
}

/* Those that fit the most of the samples that any fits. */
static bool find_finalists(const struct probe *probe, const struct probe_keys *keys,
                           const struct probe_hits *hits, struct finalist *finalists, size_t *count)
{
    size_t most = 0;
    *count = 0;
    for (size_t i = 0; i < hits->count; i++) {
        struct probe_evidence evidence = {.sectors = 0};
        size_t shown = 0;
        for (size_t j = 0; j < hits->sample_count; j++) {
            bool shows;
            if (!probe_weigh(keys, &hits->all[i], &probe->samples[hits->samples[j]], &evidence,
                             &shows))
                return false;
            shown += shows;
        }
        if (shown > most)
            *count = 0;
        most = shown > most ? shown : most;
        if (shown == most && *count < FINALISTS)
            finalists[(*count)++] = (struct finalist){.geometry = &hits->all[i]};
    }
    return true;
}

static bool weigh_all(const struct probe *probe, const struct probe_keys *keys, struct finalist *f)
{
    for (size_t i = 0; i < probe->count; i++) {
        bool shows;
        if (!probe_weigh(keys, f->geometry, &probe->samples[i], &f->evidence, &shows))
            return false;
        f->count += shows;
        f->shown[i / BITS] |= (uint8_t)(shows << i % BITS);
    }
    return true;
}

static void report(const struct finalist *finalists, size_t count, size_t bytes,
                   struct probe_result *result)
{
    size_t best = 0;
    for (size_t i = 1; i < count; i++)
        if (finalists[i].count > finalists[best].count)
            best = i;
    const struct finalist *f = &finalists[best];
    const struct probe_evidence *e = &f->evidence;
    result->geometry = *f->geometry;
    result->evidence = *e;
    result->verdict =
        e->zero_sectors + e->even_sectors + e->even_blocks > 0 ? PROBE_PROVED : PROBE_LIKELY;
    for (size_t i = 0; i < count; i++) {
        if (i == best || memcmp(finalists[i].shown, f->shown, bytes) != 0)
            continue;
        if (result->other_count++ < PROBE_OTHERS)
            result->others[result->other_count - 1] = *finalists[i].geometry;
    }
}

bool probe_rank(const struct probe *probe, const struct probe_keys *keys, struct probe_hits *hits,
                struct probe_result *result, struct error *error)
{
    size_t bytes = probe->count / BITS + 1, count = 0;
    struct finalist *finalists = calloc(FINALISTS, sizeof *finalists);
    uint8_t *shown = calloc(FINALISTS, bytes);
    bool ok = finalists != NULL && shown != NULL;
    if (!ok) {
        error_memory(error);
        goto out;
    }
    sort_out_doubles(hits);
    ok = find_finalists(probe, keys, hits, finalists, &count);
    for (size_t i = 0; ok && i < count; i++) {
        finalists[i].shown = shown + i * bytes;
        ok = weigh_all(probe, keys, &finalists[i]);
    }
    if (ok && count > 0)
        report(finalists, count, bytes, result);
    else if (!ok)
        error_set(error, ERROR_FAILED, "OpenSSL failed at AES");
out:
    free(finalists);
    free(shown);
    return ok;
}
