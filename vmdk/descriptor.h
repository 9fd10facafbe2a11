/*
 * descriptor - the text that describes a virtual disk, kept without loss.
 *
 * `name=value` lines, `ddb.*` lines and extent lines
 *   ACCESS SECTORS TYPE ["FILE" [OFFSET [PARTITION-UUID [DEVICE-ID]]]]
 * [docs/formats.md; source: libvmdk, govmomi; real samples]. Unknown lines, order, comments,
 * line ends and trailing NULs are kept; an untouched descriptor is written back byte for byte.
 */
#ifndef VMCRYPT_VMDK_DESCRIPTOR_H
#define VMCRYPT_VMDK_DESCRIPTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

enum {
    SECTOR_BYTES = 512,
    DESCRIPTOR_MAX_BYTES = 8 << 20, /* the largest seen have a few thousand extents */
    DESCRIPTOR_MAX_EXTENTS = 65536,
};
#define DESCRIPTOR_NO_PARENT UINT32_C(0xffffffff)

enum extent_access { EXTENT_RW, EXTENT_RDONLY, EXTENT_NOACCESS };

struct descriptor_extent {
    enum extent_access access;
    uint64_t sectors;
    char *type;      /* "FLAT", "VMFS", "SPARSE" … as written */
    char *file;      /* in UTF-8; NULL for ZERO and where NOACCESS names none */
    uint64_t offset; /* in FILE, in sectors */
};

struct descriptor;

/* Parse LENGTH bytes. A text without the "# Disk DescriptorFile" mark or with a malformed extent
 * line is ERROR_DAMAGED with its line number. */
struct descriptor *descriptor_parse(const char *text, size_t length, struct error *error);
/* Read and parse: a descriptor, the one inside of a hosted sparse extent, or one made up for a
 * sparse extent that has none. */
struct descriptor *descriptor_load(const char *path, struct error *error);
/* The same of an open file; PATH is for messages. */
struct descriptor *descriptor_load_from(int fd, const char *path, struct error *error);
/* It came out of its extent: the name that it gives that file does not count. */
bool descriptor_is_embedded(const struct descriptor *d);
/* There was none; what it says is only what the extent says. */
bool descriptor_is_made_up(const struct descriptor *d);
bool descriptor_write(const struct descriptor *d, struct buffer *out);
void descriptor_free(struct descriptor *d);

/* Value of NAME (any case) without quotes, in UTF-8, NULL when it is not there; of duplicates the
 * last one counts. Bytes that the code page does not explain come as they are. Valid until D
 * changes. */
const char *descriptor_get(const struct descriptor *d, const char *name);
/* Set (of duplicates the last one) or append in the section it belongs to; quoted as products
 * do. False (ERROR_FAILED) when VALUE has no form in a descriptor of this code page. */
bool descriptor_set(struct descriptor *d, const char *name, const char *value, struct error *error);
size_t descriptor_unset(struct descriptor *d, const char *name);

size_t descriptor_extent_count(const struct descriptor *d);
const struct descriptor_extent *descriptor_extent_at(const struct descriptor *d, size_t i);
/* Replace all extent lines. */
bool descriptor_set_extents(struct descriptor *d, const struct descriptor_extent *extents,
                            size_t count, struct error *error);

/* Sum of all extents in bytes; false when it overflows. */
bool descriptor_size(const struct descriptor *d, uint64_t *bytes);

/* CID (0 when there is none) and parentCID; parent is DESCRIPTOR_NO_PARENT for a base disk. */
bool descriptor_cids(const struct descriptor *d, uint32_t *cid, uint32_t *parent,
                     struct error *error);

/* Give it a fresh random content id: CID, and ddb.longContentID which ends in it. */
bool descriptor_renew_cid(struct descriptor *d, struct error *error);

/* A new descriptor for one flat extent FILE of BYTES (rounded up to sectors), monolithicFlat,
 * with geometry and a fresh CID and uuid. ADAPTER is "lsilogic", "ide" …; NULL for "lsilogic". */
struct descriptor *descriptor_new_flat(const char *file, uint64_t bytes, const char *adapter,
                                       struct error *error);

#endif
