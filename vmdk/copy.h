/*
 * copy - a disk's content into one flat file: decrypted, or encrypted under a new key.
 */
#ifndef VMCRYPT_VMDK_COPY_H
#define VMCRYPT_VMDK_COPY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/file.h"
#include "base/progress.h"
#include "vmdk/disk.h"
#include "vmdk/xts/xts.h"

struct copy_stats {
    uint64_t bytes;   /* size of the disk */
    uint64_t written; /* bytes written; the rest are holes that read as zeros */
};

/* Write the whole of DISK to the unfinished file OUT at offset 0, keeping runs of zeros as
 * holes. With ENCRYPT each unit is encrypted before it is written; units of zeros stay holes,
 * as never-written ones are. The caller publishes or abandons OUT. */
bool disk_copy(const struct disk *disk, const struct xts *encrypt, struct file_output *out,
               const struct progress *progress, struct copy_stats *stats, struct error *error);

#endif
