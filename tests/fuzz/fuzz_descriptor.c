/*
 * Disk descriptors: an untouched text comes back byte for byte; a value or extent that was set is
 * there, also when the text is read again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vmdk/descriptor.h"
#include "vmdk/disk_key.h"

static void require(bool condition)
{
    if (!condition)
        abort();
}

static struct descriptor *write_and_parse(const struct descriptor *d)
{
    struct error error = ERROR_INIT;
    struct buffer text = BUFFER_INIT;
    require(descriptor_write(d, &text));
    struct descriptor *again = descriptor_parse(buffer_text(&text), text.length, &error);
    buffer_free(&text);
    require(again != NULL);
    require(descriptor_extent_count(again) == descriptor_extent_count(d));
    return again;
}

static void check_set(struct descriptor *d, const char *name, const char *value)
{
    struct error error = ERROR_INIT;
    if (!descriptor_set(d, name, value, &error))
        return;
    require(strcmp(descriptor_get(d, name), value) == 0);
    struct descriptor *again = write_and_parse(d);
    require(strcmp(descriptor_get(again, name), value) == 0);
    descriptor_free(again);
}

static void check_extents(struct descriptor *d)
{
    struct error error = ERROR_INIT;
    char type[] = "FLAT", file[] = "one two.vmdk";
    struct descriptor_extent extent = {.sectors = 7, .type = type, .file = file, .offset = 9};
    require(descriptor_set_extents(d, &extent, 1, &error));
    require(descriptor_extent_count(d) == 1);
    const struct descriptor_extent *set = descriptor_extent_at(d, 0);
    require(strcmp(set->file, file) == 0 && set->offset == 9 && set->sectors == 7);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const NAMES[] = {"CID", "createType", "ddb.adapterType", "ddb.new", "new"};
    struct error error = ERROR_INIT;
    struct buffer text = BUFFER_INIT;
    uint64_t bytes;
    uint32_t cid, parent;
    struct descriptor *d = descriptor_parse((const char *)data, size, &error);
    require(d != NULL || error.code != ERROR_NONE);
    if (d == NULL)
        return 0;
    require(descriptor_write(d, &text) && text.length == size);
    require(memcmp(text.data, data, size) == 0);
    buffer_free(&text);
    (void)descriptor_size(d, &bytes);
    (void)descriptor_cids(d, &cid, &parent, &error);
    locator_free(disk_key_safe(d, &error));
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        check_set(d, NAMES[i], "x");
        check_set(d, NAMES[i], " y = # z ");
        check_set(d, NAMES[i], "");
        check_set(d, NAMES[i], "\xc3\xa9");
    }
    require(descriptor_unset(d, "new") > 0 && descriptor_get(d, "new") == NULL);
    require(descriptor_renew_cid(d, &error));
    require(descriptor_cids(d, &cid, &parent, &error) || descriptor_get(d, "parentCID") != NULL);
    check_extents(d);
    /* A list of filters with a stray quote cannot be written anew. */
    require(!disk_key_strip(d, &error) || !descriptor_is_encrypted(d));
    descriptor_free(write_and_parse(d));
    descriptor_free(d);
    return 0;
}
