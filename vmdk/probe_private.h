/* probe_private - insides shared by probe*.c only. */
#ifndef VMCRYPT_VMDK_PROBE_PRIVATE_H
#define VMCRYPT_VMDK_PROBE_PRIVATE_H

#include <stdbool.h>
#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <openssl/evp.h>

#include "vmdk/probe.h"

enum {
    PROBE_SECTOR = 512,
    PROBE_BLOCK = 16,         /* of the cipher */
    PROBE_PLACES = 384,       /* of 4096 bytes each */
    PROBE_SCANNED = 96,       /* samples that every geometry is tried on, until one fits */
    PROBE_ROUND = 8,          /* of them at a time */
    PROBE_HITS = 8192,        /* geometries that fit one sample */
    PROBE_BASES = 3,          /* enum geometry_base */
    PROBE_FIRST_BLOCKS = 512, /* how many trials are decrypted together */
};

/* A sector that looks encrypted, and where it is. */
struct probe_sample {
    uint64_t at[PROBE_BASES]; /* bytes from the start of disk, extent, file (EXTENT_NOWHERE) */
    bool has_before;
    uint8_t before[PROBE_BLOCK]; /* what is stored in front of it in the same block of 4096 */
    uint8_t data[PROBE_SECTOR];
};

struct probe {
    const struct disk *disk;
    uint64_t reach;
    bool flat;  /* one flat extent: it may have a header */
    bool split; /* the extent is another base than the disk */
    bool moved; /* the file is another base than the disk */
    struct probe_looks looks;
    size_t place_count;
    uint64_t places[PROBE_PLACES];
    size_t count;
    struct probe_sample *samples;
    size_t scanned_count;
    size_t scanned[PROBE_SCANNED]; /* those to try everything on: of each place one */
};

/* probe_sample.c: fill what follows DISK and REACH. */
bool probe_sample(struct probe *probe, struct error *error);

/* probe_blocks.c: the block ciphers of a key. */

struct probe_keys {
    bool cbc;                 /* it is long enough for that */
    EVP_CIPHER_CTX *data[2];  /* decrypt with the first half of the key, and with the second */
    EVP_CIPHER_CTX *tweak[2]; /* encrypt with the other one */
    EVP_CIPHER_CTX *cbc_data[2], *cbc_salt[2];
};

bool probe_keys_open(struct probe_keys *keys, const struct secret *key, struct error *error);
void probe_keys_close(struct probe_keys *keys);
/* COUNT blocks from IN to OUT. */
bool probe_crypt(EVP_CIPHER_CTX *context, uint8_t *out, const uint8_t *in, size_t count);

/* A tweak as the polynomial that it is. */
struct probe_tweak {
    uint64_t low, high;
};
/* The functions below are what a scan spends its time in. */
static inline struct probe_tweak probe_tweak_read(const uint8_t *block)
{
    uint64_t low, high;
    memcpy(&low, block, sizeof low);
    memcpy(&high, block + sizeof low, sizeof high);
    return (struct probe_tweak){le64toh(low), le64toh(high)};
}

/* Times x^BITS, from 1 to 56. */
static inline struct probe_tweak probe_tweak_times(struct probe_tweak t, unsigned bits)
{
    uint64_t over = t.high >> (64 - bits);
    /* x^128 = x^7 + x^2 + x + 1 */
    return (struct probe_tweak){t.low << bits ^ over ^ over << 1 ^ over << 2 ^ over << 7,
                                t.high << bits | t.low >> (64 - bits)};
}

/* OUT = IN ^ T. */
static inline void probe_tweak_xor(struct probe_tweak t, uint8_t *out, const uint8_t *in)
{
    struct probe_tweak sum = probe_tweak_read(in);
    uint64_t low = htole64(sum.low ^ t.low), high = htole64(sum.high ^ t.high);
    memcpy(out, &low, sizeof low);
    memcpy(out + sizeof low, &high, sizeof high);
}

/* A word of 8 bytes that stands at the start of sectors. */
bool probe_has_word(const uint8_t *block);

/* What a decrypted block shows; FIRST: it is the first of a sector. */
enum probe_sign { PROBE_SIGN_NONE, PROBE_SIGN_WORD, PROBE_SIGN_EVEN };
static inline enum probe_sign probe_sign_of(const uint8_t *block, bool first)
{
    struct probe_tweak b = probe_tweak_read(block);
    if (b.low == b.high && b.low == block[0] * UINT64_C(0x0101010101010101))
        return PROBE_SIGN_EVEN;
    return first && probe_has_word(block) ? PROBE_SIGN_WORD : PROBE_SIGN_NONE;
}

/* Where a sample lies in the units of a geometry: it is sector *K of one, whose number is NUMBER.
 * False when it is in none. */
bool probe_locate(const struct disk_geometry *g, const struct probe_sample *s, size_t *k,
                  uint8_t number[GEOMETRY_NUMBER_BYTES]);

/* Decrypt a sample as G says, and add what it shows; *shows: anything at all that tells of G. */
bool probe_weigh(const struct probe_keys *keys, const struct disk_geometry *g,
                 const struct probe_sample *s, struct probe_evidence *evidence, bool *shows);

/* probe_scan.c: all geometries, on some samples. */

struct probe_hits {
    size_t count;
    struct disk_geometry *all; /* PROBE_HITS places */
    size_t sample_count;
    size_t samples[PROBE_ROUND]; /* which ones showed something */
};

/* Try all XTS geometries, or all of CBC, on sample S of the probe. */
bool probe_scan(const struct probe *probe, const struct probe_keys *keys, size_t s, bool cbc,
                struct probe_hits *hits);

/* probe_rank.c: of the geometries in HITS the one that explains the most samples. */
bool probe_rank(const struct probe *probe, const struct probe_keys *keys, struct probe_hits *hits,
                struct probe_result *result, struct error *error);

/* probe_content.c: what the plaintext shows; where it begins. */
bool probe_content(const struct probe *probe, const struct secret *key, struct probe_result *result,
                   struct error *error);

#endif
