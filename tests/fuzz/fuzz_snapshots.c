/* Fuzz target: a snapshot database parses or is refused, and what it gives keeps its promises. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vm/snapshots.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool fact)
{
    if (!fact)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct keyring none = KEYRING_INIT;
    struct error error = ERROR_INIT;
    struct snapshots s;
    if (!snapshots_parse(&s, "x.vmsd", (const char *)data, size, &none, &error)) {
        require(error.code != ERROR_NONE && s.count == 0);
        return 0;
    }
    require(s.count <= SNAPSHOTS_MAX);
    for (size_t i = 0; i < s.count; i++) {
        char uid[32];
        require(s.list[i].disk_count <= SNAPSHOTS_DISKS_MAX);
        for (size_t j = 0; j < s.list[i].disk_count; j++)
            require(s.list[i].disks[j].file[0] != '\0' && s.list[i].disks[j].node != NULL);
        /* Each is found by its uid, which no other has. */
        snprintf(uid, sizeof uid, "%llu", (unsigned long long)s.list[i].uid);
        require(snapshots_find(&s, uid, &error) == &s.list[i]);
        const struct snapshot *named = snapshots_find(&s, s.list[i].name, &error);
        require(named != NULL || error.code == ERROR_USAGE);
    }
    snapshots_free(&s);
    return 0;
}
