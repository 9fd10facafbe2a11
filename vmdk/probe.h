/*
 * probe - find out how the data of a disk are encrypted, with its key in hand.
 *
 * Samples of what is stored are decrypted under every geometry that can be thought of, until their
 * plaintext shows what chance does not: 16 equal bytes in a block of the cipher, as zeros make
 * them; then all samples are decrypted so, to tell one geometry from another.
 *
 * What chance may do: a key is tried in less than 2^29 blocks (96 samples, two blocks of each under
 * less than 2^20 geometries; and once more in all that is sampled, for CBC). A wrong one makes 16
 * equal bytes in one of them with a chance below 2^29 × 2^-120 = 2^-91, over 10,000 keys below
 * 2^-77: that is what "proved" means. Words of file systems with 8 fixed bytes are looked for at
 * the start of sectors, six kinds in half of the blocks: 2^28 × 6 × 2^-64, less than 2^-33, which
 * is called "likely", and never happens in 10,000 keys but once in 2^19 tries of as many.
 */
#ifndef VMCRYPT_VMDK_PROBE_H
#define VMCRYPT_VMDK_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/secret.h"
#include "vmdk/disk.h"
#include "vmdk/geometry.h"
#include "vmdk/signature.h"
#include "vmdk/verify.h"

enum {
    PROBE_REACH = 1 << 20, /* headers, and starts, up to there */
    PROBE_OTHERS = 16,
    PROBE_PLAIN = 64,
};

enum probe_verdict { PROBE_NOTHING, PROBE_LIKELY, PROBE_PROVED };

/* How the samples, blocks of 4096 bytes, look as they are stored. */
struct probe_looks {
    size_t blocks[VERIFY_LOOKS];
    size_t plain_count; /* repeated or uneven; the first of them: */
    uint64_t plain[PROBE_PLAIN];
    struct signatures signatures; /* what the stored bytes show */
};

/* Sectors that were decrypted, and what is in them. */
struct probe_evidence {
    size_t sectors;      /* decrypted */
    size_t zero_sectors; /* 512 zeros: by chance 2^-4096 */
    size_t even_sectors; /* 512 equal bytes that are no zeros */
    size_t even_blocks;  /* in other sectors, blocks of 16 equal bytes: 2^-120 */
    size_t words;        /* 8 bytes of a file system or partition table: 2^-64 */
};

struct probe_result {
    enum probe_verdict verdict;
    bool boot_mark; /* NOTHING: but sector 0 ends in 55AA when it counts as number 0; chance does
                     * that once in 65,536 keys */
    struct disk_geometry geometry;
    bool begins; /* a partition table or file system shows where the data begin */
    struct probe_evidence evidence;
    struct signatures signatures; /* of the plaintext */
    /* Geometries that the evidence does not tell from it. */
    size_t other_count; /* of which are here: */
    struct disk_geometry others[PROBE_OTHERS];
};

struct probe;

/* Take samples of DISK, which hands out what is stored (disk_options.raw_ciphertext) and is of one
 * layer, and outlives the probe. REACH: 0 for PROBE_REACH. */
struct probe *probe_new(const struct disk *disk, uint64_t reach, struct error *error);
void probe_free(struct probe *probe);

const struct probe_looks *probe_looks(const struct probe *probe);
size_t probe_samples(const struct probe *probe); /* sectors that look encrypted */

/* Try KEY, 32 or 64 bytes. Nothing found is success. */
bool probe_key(const struct probe *probe, const struct secret *key, struct probe_result *result,
               struct error *error);

#endif
