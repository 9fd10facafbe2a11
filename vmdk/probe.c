/* probe - see probe.h. */
#include "vmdk/probe_private.h"

#include <stdlib.h>
#include <string.h>

#include "vmdk/disk_private.h"

struct probe *probe_new(const struct disk *disk, uint64_t reach, struct error *error)
{
    struct probe *probe = calloc(1, sizeof *probe);
    if (probe == NULL) {
        error_memory(error);
        return NULL;
    }
    probe->disk = disk;
    probe->reach = reach == 0 || reach > PROBE_REACH ? PROBE_REACH : reach;
    if (!probe_sample(probe, error)) {
        probe_free(probe);
        return NULL;
    }
    return probe;
}

void probe_free(struct probe *probe)
{
    if (probe == NULL)
        return;
    free(probe->samples);
    free(probe);
}

const struct probe_looks *probe_looks(const struct probe *probe)
{
    return &probe->looks;
}

size_t probe_samples(const struct probe *probe)
{
    return probe->count;
}

static bool failed(struct error *error)
{
    return error_set(error, ERROR_FAILED, "OpenSSL failed at AES");
}

/* Go on until some samples fit. */
static bool scan_xts(const struct probe *probe, const struct probe_keys *keys,
                     struct probe_hits *hits, struct error *error)
{
    for (size_t i = 0; i < probe->scanned_count; i++) {
        if (i % PROBE_ROUND == 0 && hits->count > 0)
            return true;
        if (!probe_scan(probe, keys, probe->scanned[i], false, hits))
            return failed(error);
    }
    return true;
}

/* Behind the first block of a unit CBC depends on nothing but the key: so only samples that show
 * something there are worth trying. */
static bool scan_cbc(const struct probe *probe, const struct probe_keys *keys,
                     struct probe_hits *hits, struct error *error)
{
    size_t scanned = 0;
    for (size_t i = 0; i < probe->count && scanned < PROBE_SCANNED; i++) {
        if (hits->sample_count == PROBE_ROUND)
            break;
        for (int swapped = 0; swapped < 2; swapped++) {
            const struct disk_geometry g = {.cipher = GEOMETRY_CBC_NULL, .swapped = swapped != 0};
            struct probe_evidence e = {.sectors = 0};
            bool shows;
            if (!probe_weigh(keys, &g, &probe->samples[i], &e, &shows))
                return failed(error);
            if (e.zero_sectors + e.even_sectors + e.even_blocks == 0)
                continue;
            if (!probe_scan(probe, keys, i, true, hits))
                return failed(error);
            scanned++;
            break;
        }
    }
    return true;
}

/* Sector 0 decrypts alike under all geometries that begin with number 0 there. */
static bool look_for_boot_mark(const struct probe *probe, const struct secret *key,
                               struct probe_result *result, struct error *error)
{
    const struct disk_geometry g = {.unit = PROBE_SECTOR};
    uint8_t data[PROBE_SECTOR];
    if (probe->count == 0 || probe->samples[0].at[GEOMETRY_DISK] != 0)
        return true;
    struct geometry_cipher *cipher = geometry_cipher_new(&g, key, error);
    memcpy(data, probe->samples[0].data, sizeof data);
    bool ok = cipher != NULL && geometry_decrypt(cipher, 0, data, sizeof data, error);
    result->boot_mark = ok && data[510] == 0x55 && data[511] == 0xaa;
    geometry_cipher_free(cipher);
    secret_wipe(data, sizeof data);
    return ok;
}

bool probe_key(const struct probe *probe, const struct secret *key, struct probe_result *result,
               struct error *error)
{
    struct probe_keys keys;
    struct probe_hits hits = {.all = malloc(PROBE_HITS * sizeof *hits.all)};
    *result = (struct probe_result){.verdict = PROBE_NOTHING};
    if (hits.all == NULL)
        return error_memory(error);
    bool ok = probe_keys_open(&keys, key, error);
    if (ok) {
        ok = scan_xts(probe, &keys, &hits, error);
        if (ok && hits.count == 0)
            ok = scan_cbc(probe, &keys, &hits, error);
        if (ok && hits.count > 0)
            ok = probe_rank(probe, &keys, &hits, result, error) &&
                 probe_content(probe, key, result, error);
        else if (ok)
            ok = look_for_boot_mark(probe, key, result, error);
        probe_keys_close(&keys);
    }
    free(hits.all);
    return ok;
}
