/* descriptor_new - see descriptor.h: descriptors from nothing, and fresh content ids. */
#include "vmdk/descriptor.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/rand.h>

enum { LONG_ID_BYTES = 16, UUID_BYTES = 16 };

static bool random_bytes(uint8_t *bytes, size_t length, struct error *error)
{
    return RAND_bytes(bytes, (int)length) == 1 ||
           error_set(error, ERROR_FAILED, "the random generator gave no bytes");
}

bool descriptor_renew_cid(struct descriptor *d, struct error *error)
{
    uint8_t id[LONG_ID_BYTES];
    if (!random_bytes(id, sizeof id, error))
        return false;
    /* ffffffff means "no parent" and fffffffe "never opened" where a child names its parent. */
    id[LONG_ID_BYTES - 1] &= 0x7f;
    char hex[2 * LONG_ID_BYTES + 1];
    for (size_t i = 0; i < LONG_ID_BYTES; i++)
        snprintf(hex + 2 * i, 3, "%02x", id[i]);
    return descriptor_set(d, "CID", hex + 2 * LONG_ID_BYTES - 8, error) &&
           descriptor_set(d, "ddb.longContentID", hex, error);
}

static bool set_uuid(struct descriptor *d, struct error *error)
{
    uint8_t id[UUID_BYTES];
    if (!random_bytes(id, sizeof id, error))
        return false;
    /* VMware's own prefix for made-up disk ids, spelled as its tools do. */
    static const char PREFIX[] = "60 00 C2 9";
    char text[3 * UUID_BYTES];
    for (size_t i = 0; i < UUID_BYTES; i++)
        snprintf(text + 3 * i, 3, "%02x", id[i]);
    for (size_t i = 1; i < UUID_BYTES; i++)
        text[3 * i - 1] = i == UUID_BYTES / 2 ? '-' : ' ';
    memcpy(text, PREFIX, sizeof PREFIX - 1);
    return descriptor_set(d, "ddb.uuid", text, error);
}

struct geometry {
    uint64_t cylinders;
    unsigned heads, sectors;
};

/* What VMware's tools give a new disk of so many sectors. */
static struct geometry geometry_for(uint64_t sectors, const char *adapter)
{
    enum { IDE_MAX_CYLINDERS = 16383, GIB_SECTORS = 1 << 21 };
    struct geometry g = {.heads = 255, .sectors = 63};
    if (strcasecmp(adapter, "ide") == 0) {
        g.heads = 16;
    } else if (sectors < 2 * GIB_SECTORS) {
        g.heads = sectors < GIB_SECTORS ? 64 : 128;
        g.sectors = 32;
    }
    g.cylinders = sectors / ((uint64_t)g.heads * g.sectors);
    if (g.heads == 16 && g.cylinders > IDE_MAX_CYLINDERS)
        g.cylinders = IDE_MAX_CYLINDERS;
    return g;
}

struct descriptor *descriptor_new_flat(const char *file, uint64_t bytes, const char *adapter,
                                       struct error *error)
{
    if (bytes > INT64_MAX - SECTOR_BYTES) {
        error_set(error, ERROR_FAILED, "%" PRIu64 " bytes are too large for a disk", bytes);
        return NULL;
    }
    if (adapter == NULL)
        adapter = "lsilogic";
    uint64_t sectors = (bytes + SECTOR_BYTES - 1) / SECTOR_BYTES;
    struct geometry g = geometry_for(sectors, adapter);
    struct buffer text = BUFFER_INIT;
    buffer_printf(&text,
                  "# Disk DescriptorFile\nversion=1\nencoding=\"UTF-8\"\nCID=00000000\n"
                  "parentCID=ffffffff\ncreateType=\"monolithicFlat\"\n\n# Extent description\n\n"
                  "# The Disk Data Base \n#DDB\n\nddb.geometry.cylinders = \"%" PRIu64 "\"\n"
                  "ddb.geometry.heads = \"%u\"\nddb.geometry.sectors = \"%u\"\n"
                  "ddb.virtualHWVersion = \"14\"\n",
                  g.cylinders, g.heads, g.sectors);
    struct descriptor *d = NULL;
    if (text.failed)
        error_memory(error);
    else
        d = descriptor_parse(text.data, text.length, error);
    buffer_free(&text);
    if (d == NULL)
        return NULL;
    char type[] = "FLAT", *name = strdup(file);
    struct descriptor_extent extent = {.sectors = sectors, .type = type, .file = name};
    bool ok = name != NULL ? descriptor_set_extents(d, &extent, 1, error) : error_memory(error);
    free(name);
    ok = ok && descriptor_set(d, "ddb.adapterType", adapter, error) && set_uuid(d, error) &&
         descriptor_renew_cid(d, error);
    if (!ok) {
        descriptor_free(d);
        d = NULL;
    }
    return d;
}
