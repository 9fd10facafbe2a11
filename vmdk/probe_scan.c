/*
 * probe_scan - see probe.h: all geometries, tried on a sector of which nothing is known.
 *
 * Of the sector two blocks are decrypted: the first, where words of file systems stand, and the
 * last but one, which is zero in most sectors that are not full to the end (what ends a sector is
 * a mark or checksum often). The tweaks of neighbouring headers are made of each other, so that a
 * trial costs little more than the two blocks.
 */
#include "vmdk/probe_private.h"

#include <string.h>

#include "vmdk/extent.h"

enum {
    BATCH = PROBE_FIRST_BLOCKS,
    LATE = 30, /* the block that is decrypted beside the first */
    SECTOR_BLOCKS = PROBE_SECTOR / PROBE_BLOCK,
    STARTS_DENSE = 65536, /* starts are multiples of 512 up to there, then of 4096 */
    START_STEP = 4096,
    CBC_UNIT_MAX = 4096,
    START_SECTORS = 8, /* parts of a unit that starts are tried on: the tweaks of others are slow */
};

/* Trials of one kind, which differ by the header or the start. */
struct batch {
    const struct probe *probe;
    const struct probe_keys *keys;
    const struct probe_sample *sample;
    struct probe_hits *hits;
    struct disk_geometry geometry;
    bool starts; /* the shift is a start */
    bool fits;   /* any of them */
    bool ok;
    size_t count;
    uint64_t shifts[BATCH];
    uint64_t positions[BATCH]; /* of the unit */
    size_t inside[BATCH];      /* sector of the unit */
};

static void add_hit(struct batch *b, size_t i)
{
    struct disk_geometry g = b->geometry;
    if (b->starts)
        g.start = (int64_t)b->shifts[i];
    else
        g.header = b->shifts[i];
    if (b->hits->count < PROBE_HITS)
        b->hits->all[b->hits->count++] = g;
    b->fits = true;
}

/* The numbers of all units in the batch, encrypted with CONTEXT unless that is NULL; units that
 * follow each other in the batch often are the same. */
static bool number_units(struct batch *b, EVP_CIPHER_CTX *context, uint8_t (*out)[PROBE_BLOCK])
{
    size_t count = 0, which[BATCH];
    uint8_t numbers[BATCH][PROBE_BLOCK];
    struct disk_geometry g = b->geometry;
    for (size_t i = 0; i < b->count; i++) {
        g.start = b->starts ? (int64_t)b->shifts[i] : 0;
        if (i == 0 || b->positions[i] != b->positions[i - 1] || b->starts)
            geometry_number(&g, b->positions[i], numbers[count++]);
        which[i] = count - 1;
    }
    if (context != NULL && !probe_crypt(context, numbers[0], numbers[0], count))
        return false;
    for (size_t i = 0; i < b->count; i++)
        memcpy(out[i], numbers[which[i]], PROBE_BLOCK);
    return true;
}

static bool try_xts(struct batch *b)
{
    uint8_t units[BATCH][PROBE_BLOCK], plain[2 * BATCH][PROBE_BLOCK];
    struct probe_tweak tweaks[2 * BATCH];
    const uint8_t *data = b->sample->data;
    if (!number_units(b, b->keys->tweak[b->geometry.swapped], units))
        return false;
    for (size_t i = 0; i < b->count; i++) {
        bool next = i > 0 && !b->starts && b->positions[i] == b->positions[i - 1];
        struct probe_tweak t = next ? tweaks[2 * i - 2] : probe_tweak_read(units[i]);
        for (size_t k = next ? b->inside[i - 1] : 0; k < b->inside[i]; k++)
            t = probe_tweak_times(t, SECTOR_BLOCKS);
        tweaks[2 * i] = t;
        tweaks[2 * i + 1] = probe_tweak_times(t, LATE);
        probe_tweak_xor(tweaks[2 * i], plain[2 * i], data);
        probe_tweak_xor(tweaks[2 * i + 1], plain[2 * i + 1], data + (size_t)LATE * PROBE_BLOCK);
    }
    if (!probe_crypt(b->keys->data[b->geometry.swapped], plain[0], plain[0], 2 * b->count))
        return false;
    for (size_t i = 0; i < 2 * b->count; i++) {
        probe_tweak_xor(tweaks[i], plain[i], plain[i]);
        if (probe_sign_of(plain[i], i % 2 == 0) != PROBE_SIGN_NONE)
            add_hit(b, i / 2);
    }
    return true;
}

/* Only the first block of a unit depends on the vector. */
static bool try_cbc(struct batch *b)
{
    uint8_t units[BATCH][PROBE_BLOCK], plain[PROBE_BLOCK];
    bool swapped = b->geometry.swapped, salted = b->geometry.cipher == GEOMETRY_CBC_ESSIV;
    if (!number_units(b, salted ? b->keys->cbc_salt[swapped] : NULL, units) ||
        !probe_crypt(b->keys->cbc_data[swapped], plain, b->sample->data, 1))
        return false;
    for (size_t i = 0; i < b->count; i++) {
        for (size_t j = 0; j < PROBE_BLOCK; j++)
            units[i][j] ^= plain[j];
        if (probe_sign_of(units[i], true) != PROBE_SIGN_NONE)
            add_hit(b, i);
    }
    return true;
}

static void flush(struct batch *b)
{
    if (b->count > 0 && b->ok)
        b->ok = b->geometry.cipher == GEOMETRY_XTS ? try_xts(b) : try_cbc(b);
    b->count = 0;
}

static void push(struct batch *b, uint64_t shift, uint64_t position, uint64_t inside)
{
    if (b->geometry.cipher != GEOMETRY_XTS && inside > 0)
        return;
    if (b->count == BATCH)
        flush(b);
    b->shifts[b->count] = shift;
    b->positions[b->count] = position - inside;
    b->inside[b->count++] = (size_t)(inside / PROBE_SECTOR);
}

/* The data, and numbering, begin behind a header; tried from the longest on, so that the place in
 * the data rises. */
static void try_headers(struct batch *b, enum geometry_base from, uint64_t reach)
{
    uint64_t at = b->sample->at[from], unit = geometry_unit(&b->geometry);
    b->geometry.from = from;
    b->starts = false;
    for (uint64_t data = at > reach ? at - reach : 0; data <= at; data += PROBE_SECTOR)
        push(b, at - data, data, data % unit);
    flush(b);
}

/* Numbering begins with the file, the data behind a header of which only the rest can be told. */
static void try_file(struct batch *b)
{
    const uint64_t *at = b->sample->at;
    uint64_t unit = geometry_unit(&b->geometry);
    /* Whole units of a header count in numbers, too: then these are the numbers of try_headers. */
    bool same = !b->probe->moved && b->geometry.tweak == GEOMETRY_UNITS;
    if (at[GEOMETRY_FILE] == EXTENT_NOWHERE || same)
        return;
    b->geometry.from = GEOMETRY_FILE;
    b->starts = false;
    for (uint64_t rest = b->probe->moved ? 0 : PROBE_SECTOR; rest < unit; rest += PROBE_SECTOR) {
        uint64_t inside = (at[GEOMETRY_EXTENT] - rest) % unit;
        if (at[GEOMETRY_EXTENT] < rest || at[GEOMETRY_FILE] < inside)
            continue;
        push(b, rest, at[GEOMETRY_FILE], inside);
        if (!b->probe->flat)
            break;
    }
    flush(b);
}

/* The first unit has another number than 0. */
static void try_starts(struct batch *b, enum geometry_base from)
{
    uint64_t at = b->sample->at[from], unit = geometry_unit(&b->geometry);
    uint64_t step = b->geometry.tweak == GEOMETRY_UNITS ? unit : (uint64_t)PROBE_SECTOR;
    b->geometry.from = from;
    b->starts = true;
    if (at % unit / PROBE_SECTOR >= START_SECTORS)
        return;
    for (uint64_t start = step; start <= b->probe->reach; start += step) {
        if (start <= STARTS_DENSE || start % START_STEP == 0)
            push(b, start, at, at % unit);
    }
    flush(b);
}

/* All shifts, for one unit and way to number. */
static void try_shifts(struct batch *b)
{
    /* Without a number only the place of the units counts. */
    bool numbered = b->geometry.cipher != GEOMETRY_CBC_NULL;
    uint64_t reach = numbered ? b->probe->reach : geometry_unit(&b->geometry) - PROBE_SECTOR;
    try_headers(b, GEOMETRY_DISK, reach);
    if (b->probe->split && numbered)
        try_headers(b, GEOMETRY_EXTENT, reach);
    if (!numbered)
        return;
    try_file(b);
    try_starts(b, GEOMETRY_DISK);
    if (b->probe->split)
        try_starts(b, GEOMETRY_EXTENT);
}

static void try_units(struct batch *b)
{
    size_t last = b->geometry.cipher == GEOMETRY_XTS ? (size_t)GEOMETRY_UNIT_MAX : CBC_UNIT_MAX;
    for (size_t unit = GEOMETRY_UNIT_MIN; unit <= last; unit *= 2) {
        for (int tweak = GEOMETRY_UNITS; tweak <= GEOMETRY_BYTES; tweak++) {
            bool same = unit == PROBE_SECTOR && tweak == GEOMETRY_SECTORS;
            if (same || (tweak != GEOMETRY_UNITS && b->geometry.cipher == GEOMETRY_CBC_NULL))
                continue;
            b->geometry.unit = unit;
            b->geometry.tweak = (enum geometry_tweak)tweak;
            try_shifts(b);
        }
    }
}

bool probe_scan(const struct probe *probe, const struct probe_keys *keys, size_t s, bool cbc,
                struct probe_hits *hits)
{
    struct batch b = {
        .probe = probe, .keys = keys, .sample = &probe->samples[s], .hits = hits, .ok = true};
    int last_cipher = cbc ? GEOMETRY_CBC_NULL : GEOMETRY_XTS;
    int last_order = cbc ? GEOMETRY_LITTLE : GEOMETRY_BIG64;
    for (int swapped = 0; swapped < 2; swapped++) {
        for (int cipher = cbc ? GEOMETRY_CBC_PLAIN64 : GEOMETRY_XTS; cipher <= last_cipher;
             cipher++) {
            for (int order = GEOMETRY_LITTLE; order <= last_order; order++) {
                b.geometry = (struct disk_geometry){.cipher = (enum geometry_cipher_kind)cipher,
                                                    .order = (enum geometry_order)order,
                                                    .swapped = swapped != 0};
                try_units(&b);
            }
        }
    }
    if (b.fits)
        hits->samples[hits->sample_count++] = s;
    return b.ok;
}
