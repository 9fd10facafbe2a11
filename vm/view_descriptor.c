/* view_descriptor - a plain descriptor for a disk that is shown decrypted. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

#include "vm/view_private.h"

enum { ID_BYTES = 16 };

/* Of the newest layer that has it: deltas leave out what their base says. */
static const char *setting(const struct disk *disk, const char *name)
{
    const char *value = NULL;
    for (size_t i = 0; value == NULL && i < disk_layer_count(disk); i++)
        value = descriptor_get(disk_layer_at(disk, i).descriptor, name);
    return value;
}

/* Another content id than the source's, which is another file, but always the same one. */
static bool derive_id(const struct disk *disk, const char *what, uint8_t id[ID_BYTES],
                      struct error *error)
{
    uint32_t cid = 0, parent = 0;
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    char text[512];
    const char *long_id = descriptor_get(disk_descriptor(disk), "ddb.longContentID");
    if (!descriptor_cids(disk_descriptor(disk), &cid, &parent, error))
        return false;
    snprintf(text, sizeof text, "vmcrypt view %s %08" PRIx32 " %08" PRIx32 " %.200s %" PRIu64, what,
             cid, parent, long_id == NULL ? "" : long_id, disk_size(disk));
    if (EVP_Digest(text, strlen(text), digest, &length, EVP_sha256(), NULL) != 1)
        return error_set(error, ERROR_FAILED, "cannot compute SHA-256");
    memcpy(id, digest, ID_BYTES);
    return true;
}

static bool set_content_id(struct descriptor *d, const struct disk *disk, struct error *error)
{
    uint8_t id[ID_BYTES];
    char hex[2 * ID_BYTES + 1];
    if (!derive_id(disk, "content", id, error))
        return false;
    /* As descriptor_renew_cid: never one of the two that mean something. */
    id[ID_BYTES - 1] &= 0x7f;
    for (size_t i = 0; i < ID_BYTES; i++)
        snprintf(hex + 2 * i, 3, "%02x", id[i]);
    return descriptor_set(d, "CID", hex + 2 * ID_BYTES - 8, error) &&
           descriptor_set(d, "ddb.longContentID", hex, error);
}

/* For a source without one. */
static bool set_uuid(struct descriptor *d, const struct disk *disk, struct error *error)
{
    uint8_t id[ID_BYTES];
    char text[3 * ID_BYTES + 1] = "60 00 C2 9";
    if (!derive_id(disk, "uuid", id, error))
        return false;
    snprintf(text + 10, sizeof text - 10, "%x", id[3] & 15U);
    for (size_t i = 4; i < ID_BYTES; i++)
        snprintf(text + 3 * i - 1, sizeof text - (3 * i - 1), "%c%02x",
                 i == ID_BYTES / 2 ? '-' : ' ', id[i]);
    return descriptor_set(d, "ddb.uuid", text, error);
}

bool view_descriptor(const struct disk *disk, const char *image, struct buffer *text,
                     struct error *error)
{
    static const char *const kept[] = {
        "ddb.geometry.cylinders",
        "ddb.geometry.heads",
        "ddb.geometry.sectors",
        "ddb.adapterType",
        "ddb.virtualHWVersion",
        "ddb.toolsVersion",
        "ddb.uuid",
    };
    struct error odd = ERROR_INIT;
    struct descriptor *d = descriptor_new_flat(image, disk_size(disk), NULL, error);
    bool ok = d != NULL && set_content_id(d, disk, error) && set_uuid(d, disk, error);
    for (size_t i = 0; ok && i < sizeof kept / sizeof kept[0]; i++) {
        const char *value = setting(disk, kept[i]);
        /* A value that has no form here is not worth the disk. */
        if (value != NULL && !descriptor_set(d, kept[i], value, &odd))
            error_clear(&odd);
    }
    ok = ok && (descriptor_write(d, text) || error_memory(error));
    descriptor_free(d);
    return ok;
}
