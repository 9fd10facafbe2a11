/* disk_private - insides shared by disk*.c and who tells one disk from another. */
#ifndef VMCRYPT_VMDK_DISK_PRIVATE_H
#define VMCRYPT_VMDK_DISK_PRIVATE_H

#include <stddef.h>

#include "vmdk/chain_map.h"
#include "vmdk/disk.h"
#include "vmdk/layer.h"

struct disk {
    size_t layer_count;
    struct layer **layers; /* the top first; at least one */
    struct chain_map *map; /* NULL for a single layer */
    struct meta_cache *cache;
    struct notes *notes;
    struct evidence evidence; /* points to ROOT and SEARCH */
    char *root;
    char **search;
    struct evidence_file files[DISK_LAYERS_MAX]; /* of the descriptors, to find loops */
};

#endif
