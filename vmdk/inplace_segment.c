/* inplace_segment - a segment in memory: checksums and conversion; see inplace_private.h. */
#include "vmdk/inplace_private.h"

#include <stdlib.h>
#include <string.h>

#include "vmdk/zero.h"

enum { PAGE = 4096 };

bool segment_init(struct segment *s, size_t unit_bytes, size_t capacity, struct error *error)
{
    *s = (struct segment){.unit_bytes = unit_bytes, .capacity = capacity, .anchor = UINT64_MAX};
    s->data = aligned_alloc(PAGE, (capacity + PAGE - 1) / PAGE * PAGE);
    s->changed = calloc(capacity / unit_bytes, sizeof *s->changed);
    s->unit = malloc(unit_bytes);
    s->hash = journal_hash_new(error);
    bool ok = (s->data != NULL && s->changed != NULL && s->unit != NULL) || error_memory(error);
    ok = ok && s->hash != NULL;
    if (!ok)
        segment_free(s);
    return ok;
}

void segment_free(struct segment *s)
{
    free(s->data);
    free(s->changed);
    free(s->unit);
    journal_hash_free(s->hash);
    *s = (struct segment){.anchor = UINT64_MAX};
}

bool segment_has_data(struct segment *s)
{
    bool any = false;
    for (size_t u = 0; u < s->length / s->unit_bytes; u++) {
        s->changed[u] = !bytes_are_zero(s->data + u * s->unit_bytes, s->unit_bytes);
        any = any || s->changed[u];
    }
    return any;
}

static bool hash_sector(struct segment *s, const uint8_t *sector, uint8_t *checksum,
                        struct error *error)
{
    return journal_hash_sector(s->hash, sector, checksum) ||
           error_set(error, ERROR_FAILED, "libcrypto did not compute a SHA-256");
}

bool segment_checksums(struct segment *s, uint8_t *checksums, struct error *error)
{
    for (size_t at = 0; at < s->length; at += SECTOR_BYTES) {
        if (!hash_sector(s, s->data + at, checksums, error))
            return false;
        checksums += JOURNAL_CHECKSUM;
    }
    return true;
}

/* BYTES of whole units at DATA, the first of which has this number. */
static bool convert_units(const struct segment *s, uint64_t number, uint8_t *data, size_t bytes,
                          struct error *error)
{
    return (s->from == NULL || xts_decrypt(s->from, number, data, data, bytes, error)) &&
           (s->to == NULL || xts_encrypt(s->to, number, data, data, bytes, error));
}

/* End of the run of changed units that begins at unit U. */
static size_t run_end(const struct segment *s, size_t u)
{
    size_t count = s->length / s->unit_bytes;
    while (u < count && s->changed[u])
        u++;
    return u;
}

bool segment_convert(struct segment *s, struct error *error)
{
    size_t bytes = s->unit_bytes;
    for (size_t u = 0; u < s->length / bytes; u++) {
        size_t end = run_end(s, u);
        if (end > u && !convert_units(s, s->position / bytes + u, s->data + u * bytes,
                                      (end - u) * bytes, error))
            return false;
        u = end;
    }
    return true;
}

/* Convert those sectors of unit U that are old. */
static bool convert_mixed_unit(struct segment *s, size_t u, const uint8_t *checksums,
                               struct error *error)
{
    size_t bytes = s->unit_bytes, old_count = 0;
    uint8_t *data = s->data + u * bytes;
    bool old[65536 / SECTOR_BYTES];
    for (size_t i = 0; i < bytes / SECTOR_BYTES; i++) {
        uint8_t now[JOURNAL_CHECKSUM];
        if (!hash_sector(s, data + i * SECTOR_BYTES, now, error))
            return false;
        old[i] = memcmp(now, checksums + i * JOURNAL_CHECKSUM, JOURNAL_CHECKSUM) == 0;
        old_count += old[i];
    }
    /* Units of zeros stay. A unit with a new sector was none, whatever else is in it. */
    s->changed[u] = old_count < bytes / SECTOR_BYTES || !bytes_are_zero(data, bytes);
    if (old_count == 0 || !s->changed[u])
        return true;
    /* What the new sectors give is nonsense, and not used: blocks do not depend on each other. */
    memcpy(s->unit, data, bytes);
    if (!convert_units(s, s->position / bytes + u, s->unit, bytes, error))
        return false;
    for (size_t i = 0; i < bytes / SECTOR_BYTES; i++) {
        if (old[i])
            memcpy(data + i * SECTOR_BYTES, s->unit + i * SECTOR_BYTES, SECTOR_BYTES);
    }
    return true;
}

bool segment_convert_mixed(struct segment *s, const uint8_t *checksums, struct error *error)
{
    size_t sums = s->unit_bytes / SECTOR_BYTES * JOURNAL_CHECKSUM;
    for (size_t u = 0; u < s->length / s->unit_bytes; u++) {
        if (!convert_mixed_unit(s, u, checksums + u * sums, error))
            return false;
    }
    return true;
}

bool segment_write(struct segment *s, struct target *t, struct error *error)
{
    size_t bytes = s->unit_bytes, last = SIZE_MAX;
    for (size_t u = 0; u < s->length / bytes; u++) {
        size_t end = run_end(s, u);
        if (end > u) {
            if (!target_write(t, s->position + u * bytes, s->data + u * bytes, (end - u) * bytes,
                              error))
                return false;
            last = end * bytes - SECTOR_BYTES;
        }
        u = end;
    }
    if (last == SIZE_MAX)
        return true;
    s->anchor = s->position + last;
    return hash_sector(s, s->data + last, s->anchor_checksum, error);
}

uint64_t segment_changed(const struct segment *s)
{
    uint64_t bytes = 0;
    for (size_t u = 0; u < s->length / s->unit_bytes; u++)
        bytes += s->changed[u] ? s->unit_bytes : 0;
    return bytes;
}
