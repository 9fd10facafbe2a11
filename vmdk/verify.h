/*
 * verify - where a ciphertext does not look like one.
 *
 * AES-XTS has no tag, but its output is not told from noise. In each block of 4096 bytes, sectors
 * of zeros left out (never written), two equal blocks of 16 bytes or bytes that are far from
 * evenly spread say that it is not encrypted: by chance either is found less than once in 10^12
 * blocks. The contrary proves nothing: compressed data look like noise too.
 */
#ifndef VMCRYPT_VMDK_VERIFY_H
#define VMCRYPT_VMDK_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/progress.h"
#include "vmdk/disk.h"

enum verify_look {
    VERIFY_NOISE,    /* as encrypted data look */
    VERIFY_ZEROS,    /* never written, or zeros that nobody encrypted */
    VERIFY_REPEATED, /* equal blocks of 16 bytes */
    VERIFY_UNEVEN,   /* some bytes are far more frequent than others */
    VERIFY_LOOKS
};

/* "noise", "zeros", "repeated", "uneven". */
const char *verify_look_name(enum verify_look look);

enum {
    VERIFY_BLOCK = 4096,
    VERIFY_RANGES_MAX = 8192,
    VERIFY_ZEROS_LISTED = 1 << 20, /* shorter runs of zeros are only counted */
};

struct verify_range {
    uint64_t offset, length;
    enum verify_look look;
};

struct verify_map {
    uint64_t bytes[VERIFY_LOOKS];
    size_t count;
    struct verify_range ranges[VERIFY_RANGES_MAX]; /* all but noise, in order */
    size_t left_out;                               /* ranges that found no place */
};

/* All zero: as fast as it goes. */
struct verify_options {
    unsigned threads; /* 0: one for each CPU */
    uint64_t rate;    /* bytes per second at most; 0: no limit */
    const struct progress *progress;
};

/* Look at all of DISK, which hands out what is stored (disk_options.raw_ciphertext), by several
 * threads. The map, and of several errors the one that is told, do not depend on their number. */
bool verify_cipher(const struct disk *disk, const struct verify_options *options,
                   struct verify_map *map, struct error *error);

/* How one block of at most VERIFY_BLOCK bytes, a multiple of 512, looks. */
enum verify_look verify_look_at(const uint8_t *data, size_t length);

#endif
