/* partitions_private - insides shared by partitions*.c only. */
#ifndef VMCRYPT_VMDK_PARTITIONS_PRIVATE_H
#define VMCRYPT_VMDK_PARTITIONS_PRIVATE_H

#include "vmdk/partitions.h"

/* One search. A failed read is sticky. */
struct partitions_search {
    const struct partitions_source *source;
    struct partitions *out;
    struct error *error;
    bool failed;
};

/* LENGTH bytes at OFFSET; false when they do not lie on the disk or cannot be read. */
bool partitions_read(struct partitions_search *s, uint64_t offset, void *data, size_t length);

/* Append a partition of COUNT sectors at START, clipped to the disk; NULL when it is not on it or
 * there are too many. */
struct partitions_entry *partitions_add(struct partitions_search *s, unsigned number,
                                        uint64_t start, uint64_t count);

/* Fill *s->out from a GPT; true when there is a valid one. */
bool partitions_find_gpt(struct partitions_search *s);

#endif
