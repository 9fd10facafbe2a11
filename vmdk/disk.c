/* disk - see disk.h: opening, with all checks before the first read. */
#include "vmdk/disk_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/file.h"
#include "vmdk/disk_key.h"
#include "vmdk/extent_file.h"
#include "vmdk/inplace.h"

enum { DEFAULT_UNIT_BYTES = 512 };

static bool is_one_of(const char *text, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(text, names[i]) == 0)
            return true;
    }
    return false;
}

/* The kinds of disk whose extents are all flat; "custom" may mix, its extents are looked at. */
static bool check_type(const struct descriptor *d, struct error *error)
{
    static const char *const TYPES[] = {
        "monolithicFlat",   "twoGbMaxExtentFlat",   "2GbMaxExtentFlat", "vmfs",
        "vmfsPreallocated", "vmfsEagerZeroedThick", "vmfsThin",         "custom"};
    const char *type = descriptor_get(d, "createType");
    return type == NULL || is_one_of(type, TYPES, sizeof TYPES / sizeof TYPES[0]) ||
           error_set(error, ERROR_FAILED,
                     "a disk of type \"%.64s\"; this version reads flat extents only", type);
}

static bool check_parent(const struct descriptor *d, struct error *error)
{
    uint32_t cid, parent;
    if (!descriptor_cids(d, &cid, &parent, error))
        return false;
    if (parent == DESCRIPTOR_NO_PARENT)
        return true;
    const char *hint = descriptor_get(d, "parentFileNameHint");
    return error_set(error, ERROR_FAILED,
                     "a snapshot delta on top of \"%.255s\" (parent CID %08" PRIx32
                     "); this version reads base disks only",
                     hint == NULL ? "a disk it does not name" : hint, parent);
}

/* Only this disk's own extent file was renamed along with the descriptor, or not: tell, but do
 * not guess. */
static void hint_at_renamed(const struct disk *disk, const char *path, const char *file,
                            struct error *error)
{
    char *extent = file_beside(path, file);
    const char *name = file_name(path);
    size_t stem = strlen(name);
    if (stem > 5 && strcasecmp(name + stem - 5, ".vmdk") == 0)
        stem -= 5;
    char *beside = NULL, *candidate = NULL;
    if (asprintf(&beside, "%.*s-flat.vmdk", (int)stem, name) < 0)
        beside = NULL;
    if (beside != NULL)
        candidate = file_beside(path, beside);
    if (descriptor_extent_count(disk->descriptor) == 1 && extent != NULL && candidate != NULL &&
        !file_exists(extent) && file_exists(candidate)) {
        error_set(error, ERROR_DAMAGED,
                  "this extent of the disk is missing; %.255s lies beside: rename it or fix the "
                  "descriptor",
                  beside);
        error_in_file(error, extent);
    }
    free(extent);
    free(beside);
    free(candidate);
}

static bool check_extent_kind(const struct descriptor_extent *from, struct error *error)
{
    static const char *const TYPES[] = {"FLAT", "VMFS", "ZERO"};
    if (!is_one_of(from->type, TYPES, sizeof TYPES / sizeof TYPES[0]))
        return error_set(error, ERROR_FAILED,
                         "an extent of type \"%.32s\"; this version reads flat extents only",
                         from->type);
    if (from->access == EXTENT_NOACCESS)
        return error_set(error, ERROR_FAILED,
                         "the descriptor denies access to an extent (NOACCESS)");
    return true;
}

static bool add_flat(struct disk *disk, const char *path, const struct descriptor_extent *from,
                     struct extent *e, struct error *error)
{
    e->ops = &extent_flat;
    e->pool = disk->pool;
    e->offset = from->offset * SECTOR_BYTES;
    if (!extent_pool_add(disk->pool, from->file, &e->file, error)) {
        if (error->code == ERROR_DAMAGED)
            hint_at_renamed(disk, path, from->file, error);
        return false;
    }
    /* Both terms fit 63 bits, their sum 64. */
    uint64_t needed = e->offset + e->length, size = extent_pool_size(disk->pool, e->file);
    if (size < needed) {
        error_set(error, ERROR_DAMAGED,
                  "this extent is cut off: %" PRIu64 " bytes are needed, it has %" PRIu64, needed,
                  size);
        return error_in_file(error, extent_pool_path(disk->pool, e->file));
    }
    return true;
}

static bool add_extents(struct disk *disk, const char *path, struct error *error)
{
    size_t count = descriptor_extent_count(disk->descriptor);
    if (!descriptor_size(disk->descriptor, &disk->size))
        return error_set(error, ERROR_DAMAGED, "the sum of the extents is too large for any disk");
    if (disk->size == 0)
        return error_set(error, ERROR_DAMAGED, "a disk without any sectors");
    disk->extents = calloc(count, sizeof *disk->extents);
    if (disk->extents == NULL)
        return error_memory(error);
    uint64_t start = 0;
    for (size_t i = 0; i < count; i++) {
        const struct descriptor_extent *from = descriptor_extent_at(disk->descriptor, i);
        if (!check_extent_kind(from, error))
            return false;
        if (from->sectors == 0)
            continue;
        struct extent *e = &disk->extents[disk->extent_count];
        *e = (struct extent){
            .ops = &extent_zero, .start = start, .length = from->sectors * SECTOR_BYTES};
        if (strcasecmp(from->type, "ZERO") != 0 && !add_flat(disk, path, from, e, error))
            return false;
        disk->extent_count++;
        start += e->length;
    }
    return true;
}

static bool unlock(struct disk *disk, const struct disk_options *options, struct error *error)
{
    size_t unit = options->unit_bytes == 0 ? DEFAULT_UNIT_BYTES : options->unit_bytes;
    if (disk->size % unit != 0)
        return error_set(error, ERROR_FAILED,
                         "the disk of %" PRIu64 " bytes is no multiple of a data unit of %zu",
                         disk->size, unit);
    struct crypto_key dek;
    disk->safe = disk_key_safe(disk->descriptor, error);
    if (disk->safe == NULL)
        return false;
    if (!disk_key_unlock(disk->safe, options->keyring, &dek, &disk->result, error)) {
        keysafe_result_free(&disk->result);
        return false;
    }
    disk->unlocked = true;
    disk->xts = xts_new(dek.key, unit, error);
    crypto_key_free(&dek);
    /* The text holds the key; who opened the disk needs how it was unlocked, not with what. */
    buffer_free(&disk->result.plain);
    return disk->xts != NULL;
}

/* Takes over D. */
static struct disk *open_described(struct descriptor *d, const char *path,
                                   const struct disk_options *options, struct error *error)
{
    struct disk *disk = calloc(1, sizeof *disk);
    if (disk == NULL) {
        descriptor_free(d);
        error_memory(error);
        return NULL;
    }
    disk->descriptor = d;
    disk->encrypted = descriptor_is_encrypted(d);
    disk->decrypt_zero_units = options->decrypt_zero_units;
    bool ok = check_parent(d, error) && check_type(d, error);
    if (ok) {
        disk->pool = extent_pool_new(path, options->allow_outside, options->sequential, error);
        ok = disk->pool != NULL && add_extents(disk, path, error);
    }
    if (ok && disk->encrypted && !options->raw_ciphertext) {
        disk->closed = options->keyring == NULL;
        ok = disk->closed || unlock(disk, options, error);
    }
    if (!ok) {
        error_in_file(error, path);
        disk_close(disk);
        disk = NULL;
    }
    return disk;
}

struct disk *disk_open(const char *path, const struct disk_options *options, struct error *error)
{
    struct descriptor *d = descriptor_load(path, error);
    if (d != NULL && !inplace_check(path, d, error)) {
        descriptor_free(d);
        d = NULL;
    }
    return d == NULL ? NULL : open_described(d, path, options, error);
}

struct disk *disk_open_raw(const char *path, struct error *error)
{
    struct extent_file_facts facts;
    const struct disk_options options = {.allow_outside = true, .sequential = true};
    int fd = extent_file_open(path, file_name(path), true, &facts, error);
    if (fd < 0)
        return NULL;
    close(fd);
    if (facts.size % SECTOR_BYTES != 0) {
        error_set(error, ERROR_DAMAGED,
                  "%" PRIu64 " bytes are no whole sectors of %d; no disk image", facts.size,
                  SECTOR_BYTES);
        error_in_file(error, path);
        return NULL;
    }
    struct descriptor *d = descriptor_new_flat(file_name(path), facts.size, NULL, error);
    return d == NULL ? NULL : open_described(d, path, &options, error);
}

void disk_close(struct disk *disk)
{
    if (disk == NULL)
        return;
    if (disk->unlocked)
        keysafe_result_free(&disk->result);
    locator_free(disk->safe);
    xts_free(disk->xts);
    extent_pool_free(disk->pool);
    free(disk->extents);
    descriptor_free(disk->descriptor);
    free(disk);
}

uint64_t disk_size(const struct disk *disk)
{
    return disk->size;
}

const struct descriptor *disk_descriptor(const struct disk *disk)
{
    return disk->descriptor;
}

bool disk_is_encrypted(const struct disk *disk)
{
    return disk->encrypted;
}

bool disk_key_is_weak(const struct disk *disk)
{
    return disk->xts != NULL && xts_weak_key(disk->xts);
}

const struct keysafe_result *disk_unlocked(const struct disk *disk)
{
    return disk->unlocked ? &disk->result : NULL;
}
