/* What the parts of convert share: chunks on their way from the workers to the file. */
#ifndef VMCRYPT_VMDK_CONVERT_PRIVATE_H
#define VMCRYPT_VMDK_CONVERT_PRIVATE_H

#include <stddef.h>

#include "vmdk/convert.h"

enum {
    CONVERT_GRAIN_SECTORS = 128,
    CONVERT_GRAIN = CONVERT_GRAIN_SECTORS * SECTOR_BYTES,
    CONVERT_CHUNK_GRAINS = 16,
    CONVERT_CHUNK = CONVERT_CHUNK_GRAINS * CONVERT_GRAIN,
    CONVERT_TABLE = 512, /* entries of a grain table */
};

/* A grain of a chunk, as it is to be stored. */
struct convert_grain {
    size_t length; /* bytes at DATA; 0: all zero, not stored */
    const uint8_t *data;
};

struct convert_chunk {
    uint64_t number;
    bool skipped; /* zeros, not read */
    struct convert_grain grains[CONVERT_CHUNK_GRAINS];
    uint8_t *data;   /* CONVERT_CHUNK bytes */
    uint8_t *packed; /* deflated grains; NULL where they are stored as they are */
};

/* convert_write.c: the file, front to back. */
struct convert_file;
struct convert_file *convert_file_new(const struct disk *disk, const struct descriptor *d,
                                      const struct convert_options *options,
                                      struct file_output *out, struct error *error);
bool convert_file_chunk(struct convert_file *f, const struct convert_chunk *chunk,
                        struct error *error);
bool convert_file_end(struct convert_file *f, struct convert_stats *stats, struct error *error);
void convert_file_free(struct convert_file *f);

#endif
