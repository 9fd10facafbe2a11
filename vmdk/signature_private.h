/* signature_private - insides shared by signature*.c only. */
#ifndef VMCRYPT_VMDK_SIGNATURE_PRIVATE_H
#define VMCRYPT_VMDK_SIGNATURE_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "vmdk/disk.h"
#include "vmdk/signature.h"

enum { LOOK_MAX_PARTITIONS = 128 };

struct partition {
    uint64_t offset, length; /* bytes, inside the disk */
};

/* One pass over a disk. A failed read is sticky. */
struct look {
    const struct signature_source *source;
    uint64_t size;
    struct signatures *out;
    size_t partition_count;
    struct partition partitions[LOOK_MAX_PARTITIONS];
    struct error *error;
    bool failed;
};

/* LENGTH bytes at OFFSET; false when they do not lie on the disk or cannot be read. */
bool look_read(struct look *l, uint64_t offset, void *data, size_t length);

/*
 * Note WHAT for the volume or table at OFFSET. EVIDENCE is where its farthest proof lies: the
 * first sector of a disk decrypts alike whatever the data unit is, so what lies there only is
 * never strong.
 */
__attribute__((format(printf, 6, 7))) void look_found(struct look *l, uint64_t offset,
                                                      uint64_t length, uint64_t evidence,
                                                      bool strong, const char *format, ...);

/* Note a partition, clipped to the disk; those beyond the bound are not looked at. */
void look_add_partition(struct look *l, uint64_t offset, uint64_t length);

/* The partition tables; true when there is one that makes sense. */
bool look_gpt(struct look *l);
bool look_mbr(struct look *l);

/* File systems and the like at OFFSET. */
void look_volume(struct look *l, uint64_t offset, uint64_t length);
/* Those whose proof takes more than a magic; HEAD holds the first LENGTH bytes of the volume. */
void look_structured(struct look *l, const struct partition *at, const uint8_t *head,
                     size_t length);

#endif
