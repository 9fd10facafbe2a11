/* verify - see verify.h: how a block looks. */
#include "vmdk/verify.h"

#include <string.h>

#include "vmdk/zero.h"

enum {
    BLOCK = VERIFY_BLOCK,
    SECTOR = 512,
    CIPHER_BLOCK = 16,
    SLOTS = 512, /* of the table of blocks; twice as many as there can be */
    /* Chi-square of 256 bins: 255 on average. Beyond these with a chance of less than 10^-16 for
     * whole blocks; fewer bytes have a heavier tail. */
    UNEVEN_BLOCK = 500,
    UNEVEN_SECTORS = 800,
};

const char *verify_look_name(enum verify_look look)
{
    static const char *const NAMES[VERIFY_LOOKS] = {"noise", "zeros", "repeated", "uneven"};
    return NAMES[look];
}

/* Any two of the blocks are equal. SECTORS are those to look at. */
static bool has_repeats(const uint8_t *const *sectors, size_t count)
{
    const uint8_t *slots[SLOTS] = {NULL};
    for (size_t i = 0; i < count * (SECTOR / CIPHER_BLOCK); i++) {
        const uint8_t *block =
            sectors[i / (SECTOR / CIPHER_BLOCK)] + i % (SECTOR / CIPHER_BLOCK) * CIPHER_BLOCK;
        uint64_t word;
        memcpy(&word, block, sizeof word);
        size_t at = (size_t)((word * UINT64_C(0x9e3779b97f4a7c15)) >> 55);
        while (slots[at] != NULL) {
            if (memcmp(slots[at], block, CIPHER_BLOCK) == 0)
                return true;
            at = (at + 1) % SLOTS;
        }
        slots[at] = block;
    }
    return false;
}

static bool is_uneven(const uint8_t *const *sectors, size_t count)
{
    /* Four tables, since equal neighbours would wait for each other. */
    uint16_t bins[4][256] = {{0}};
    for (size_t s = 0; s < count; s++) {
        for (size_t i = 0; i < SECTOR; i += 4) {
            for (size_t k = 0; k < 4; k++)
                bins[k][sectors[s][i + k]]++;
        }
    }
    uint64_t squares = 0;
    for (size_t b = 0; b < 256; b++) {
        uint64_t sum = (uint64_t)bins[0][b] + bins[1][b] + bins[2][b] + bins[3][b];
        squares += sum * sum;
    }
    uint64_t bytes = count * SECTOR;
    uint64_t limit = count * SECTOR == BLOCK ? UNEVEN_BLOCK : UNEVEN_SECTORS;
    /* chi-square = 256 × squares / bytes − bytes */
    return squares * 256 > (limit + bytes) * bytes;
}

enum verify_look verify_look_at(const uint8_t *data, size_t length)
{
    const uint8_t *sectors[BLOCK / SECTOR];
    size_t count = 0;
    for (size_t at = 0; at + SECTOR <= length && count < BLOCK / SECTOR; at += SECTOR) {
        if (!bytes_are_zero(data + at, SECTOR))
            sectors[count++] = data + at;
    }
    if (count == 0)
        return VERIFY_ZEROS;
    if (has_repeats(sectors, count))
        return VERIFY_REPEATED;
    return is_uneven(sectors, count) ? VERIFY_UNEVEN : VERIFY_NOISE;
}
