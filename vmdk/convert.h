/*
 * convert - a disk's content as one hosted sparse file: monolithicSparse, or streamOptimized with
 * its grains deflated by several threads. Flat files are copy.h's.
 *
 * Only what is not zero is stored. Everything is written once, from front to back, but for the
 * grain tables of a monolithicSparse, so memory does not grow with the disk.
 * [source: libvmdk, qemu block/vmdk.c, VMware Virtual Disk Format 5.0]
 */
#ifndef VMCRYPT_VMDK_CONVERT_H
#define VMCRYPT_VMDK_CONVERT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/file.h"
#include "base/progress.h"
#include "vmdk/descriptor.h"
#include "vmdk/disk.h"

enum convert_format { CONVERT_SPARSE, CONVERT_STREAM };

struct convert_options {
    enum convert_format format;
    unsigned threads; /* 0: one for each CPU */
    int level;        /* of deflate, 1 to 9; 0 for zlib's own choice */
    const struct progress *progress;
};

struct convert_stats {
    uint64_t bytes;  /* size of the disk */
    uint64_t stored; /* of it, in grains */
    uint64_t file;   /* bytes of the file */
};

/* The createType that goes with FORMAT. */
const char *convert_type(enum convert_format format);

/* Write all of DISK to the unfinished file OUT, with D (one SPARSE extent, createType as above)
 * inside. A disk that the format cannot hold (its offsets have 32 bits) is ERROR_FAILED. The
 * caller publishes or abandons OUT. */
bool disk_convert(const struct disk *disk, const struct descriptor *d,
                  const struct convert_options *options, struct file_output *out,
                  struct convert_stats *stats, struct error *error);

#endif
