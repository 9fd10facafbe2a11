/* layer - see layer.h: opening, with all checks before the first read. */
#include "vmdk/layer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "vmdk/disk_key.h"

enum { DEFAULT_UNIT_BYTES = 512 };

struct kind {
    const char *type; /* of the extent line */
    const struct extent_ops *ops;
};

/* Raw device mappings and devices are flat for who was given the device or a copy of it. */
static const struct kind KINDS[] = {
    {"FLAT", &extent_flat},     {"VMFS", &extent_flat},       {"ZERO", &extent_zero},
    {"SPARSE", &extent_sparse}, {"VMFSSPARSE", &extent_cowd}, {"SESPARSE", &extent_sesparse},
    {"VMFSRDM", &extent_flat},  {"VMFSRAW", &extent_flat},
};

static const struct extent_ops *kind_of(const char *type)
{
    for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++)
        if (strcasecmp(type, KINDS[i].type) == 0)
            return KINDS[i].ops;
    return NULL;
}

/* Only this disk's own extent file was renamed along with the descriptor, or not: tell, but do
 * not guess. */
static void hint_at_renamed(const struct layer *layer, const char *file, struct error *error)
{
    char *extent = file_beside(layer->path, file);
    const char *name = file_name(layer->path);
    size_t stem = strlen(name);
    if (stem > 5 && strcasecmp(name + stem - 5, ".vmdk") == 0)
        stem -= 5;
    char *beside = NULL, *candidate = NULL;
    if (asprintf(&beside, "%.*s-flat.vmdk", (int)stem, name) < 0)
        beside = NULL;
    if (beside != NULL)
        candidate = file_beside(layer->path, beside);
    if (descriptor_extent_count(layer->descriptor) == 1 && extent != NULL && candidate != NULL &&
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

static bool check_kind(const struct descriptor_extent *from, struct error *error)
{
    if (kind_of(from->type) == NULL)
        return error_set(error, ERROR_FAILED,
                         "an extent of type \"%.32s\", which this version does not read",
                         from->type);
    if (from->access == EXTENT_NOACCESS)
        return error_set(error, ERROR_FAILED,
                         "the descriptor denies access to an extent (NOACCESS)");
    if (kind_of(from->type) != &extent_zero && from->file == NULL)
        return error_set(error, ERROR_DAMAGED, "an extent of type \"%.32s\" names no file",
                         from->type);
    return true;
}

/* The file of a disk that holds its own descriptor is that very file, whatever it was called when
 * the descriptor was written. */
static const char *file_of(const struct layer *layer, const struct descriptor_extent *from)
{
    return descriptor_is_embedded(layer->descriptor) &&
                   descriptor_extent_count(layer->descriptor) == 1
               ? file_name(layer->path)
               : from->file;
}

/* The data of a flat extent begin behind HEADER. Where the descriptor counts that in, as who only
 * knows the file would, the file is too short for both, and the extent is less the header. */
static void skip_header(struct extent *e, uint64_t header)
{
    uint64_t size = extent_pool_size(e->pool, e->file);
    if (e->ops != &extent_flat || header == 0)
        return;
    /* Neither term is more than 2^63. */
    e->offset = e->offset + header > INT64_MAX ? INT64_MAX : e->offset + header;
    if (header < e->length && size < e->offset + e->length &&
        size >= e->offset + e->length - header)
        e->length -= header;
}

static bool open_extent(struct layer *layer, const struct descriptor_extent *from, struct extent *e,
                        uint64_t header, struct error *error)
{
    if (e->ops != &extent_zero) {
        const char *file = file_of(layer, from);
        e->pool = layer->pool;
        e->offset = from->offset * SECTOR_BYTES;
        if (!extent_pool_add(layer->pool, file, &e->file, error)) {
            if (error->code == ERROR_DAMAGED)
                hint_at_renamed(layer, file, error);
            return false;
        }
        skip_header(e, header);
    }
    return e->ops->open(e, error);
}

static bool add_extents(struct layer *layer, const struct layer_context *context,
                        struct error *error)
{
    size_t count = descriptor_extent_count(layer->descriptor);
    if (!descriptor_size(layer->descriptor, &layer->size))
        return error_set(error, ERROR_DAMAGED, "the sum of the extents is too large for any disk");
    if (layer->size == 0)
        return error_set(error, ERROR_DAMAGED, "a disk without any sectors");
    layer->extents = calloc(count, sizeof *layer->extents);
    if (layer->extents == NULL)
        return error_memory(error);
    uint64_t start = 0;
    bool decrypted = layer->encrypted && !context->options->raw_ciphertext;
    uint64_t header = decrypted ? context->options->geometry.header : 0;
    for (size_t i = 0; i < count; i++) {
        const struct descriptor_extent *from = descriptor_extent_at(layer->descriptor, i);
        if (!check_kind(from, error))
            return false;
        if (from->sectors == 0)
            continue;
        struct extent *e = &layer->extents[layer->extent_count];
        *e = (struct extent){.ops = kind_of(from->type),
                             .start = start,
                             .length = from->sectors * SECTOR_BYTES,
                             .delta = layer->delta,
                             .cache = context->cache,
                             .notes = context->notes};
        if (!open_extent(layer, from, e, header, error))
            return false;
        layer->extent_count++;
        start += e->length;
    }
    layer->size = start;
    return true;
}

static void close_extents(struct layer *layer)
{
    for (size_t i = 0; i < layer->extent_count; i++)
        if (layer->extents[i].ops->close != NULL)
            layer->extents[i].ops->close(&layer->extents[i]);
    layer->extent_count = 0;
}

/* The layer is made of whole units. */
static bool check_units(const struct layer *layer, const struct disk_geometry *g, size_t unit,
                        struct error *error)
{
    if (layer->size % unit != 0)
        return error_set(error, ERROR_FAILED,
                         "the disk of %" PRIu64 " bytes is no multiple of a data unit of %zu",
                         layer->size, unit);
    for (size_t i = 0; i < layer->extent_count; i++)
        if (layer->extents[i].grain % unit != 0)
            return error_set(error, ERROR_FAILED,
                             "its grains of %" PRIu64 " bytes are no whole data units of %zu",
                             layer->extents[i].grain, unit);
    for (size_t i = 0; i < layer->extent_count && g->from != GEOMETRY_DISK; i++)
        if (layer->extents[i].start % unit != 0)
            return error_set(error, ERROR_FAILED,
                             "its extents are no whole data units of %zu, which this geometry has "
                             "in each of them",
                             unit);
    return true;
}

static bool open_cipher(struct layer *layer, const struct disk_geometry *g, size_t unit,
                        const struct secret *key, struct error *error)
{
    layer->xts = xts_new(key, unit, error);
    if (layer->xts != NULL && (g->unit == 0 || geometry_is_default(g)))
        return true;
    if (layer->xts != NULL)
        layer->cipher = geometry_cipher_new(g, key, error);
    return layer->cipher != NULL;
}

static bool unlock(struct layer *layer, const struct disk_options *options, struct error *error)
{
    const struct disk_geometry *g = &options->geometry;
    size_t unit = g->unit != 0 ? g->unit : options->unit_bytes;
    unit = unit == 0 ? DEFAULT_UNIT_BYTES : unit;
    if (!check_units(layer, g, unit, error))
        return false;
    struct crypto_key dek;
    layer->safe = disk_key_safe(layer->descriptor, error);
    if (layer->safe == NULL)
        return false;
    if (!disk_key_unlock(layer->safe, options->keyring, &dek, &layer->result, error)) {
        keysafe_result_free(&layer->result);
        return false;
    }
    layer->unlocked = true;
    bool ok = open_cipher(layer, g, unit, dek.key, error);
    crypto_key_free(&dek);
    /* The text holds the key; who opened the disk needs how it was unlocked, not with what. */
    buffer_free(&layer->result.plain);
    return ok;
}

/* A delta whose extents are all gone can be passed by, when the user wants that; what it held is
 * lost, but its parent is not. */
static bool pass_by(struct layer *layer, const struct layer_context *context, struct error *error)
{
    if (!layer->delta || !context->options->missing_delta || error->code != ERROR_DAMAGED ||
        layer->extent_count > 0)
        return false;
    notes_add(context->notes, layer->path,
              "the data of this delta are missing; what it changed is not seen, its parent is read "
              "instead (%.300s: %.300s)",
              error->file, error->message);
    error_clear(error);
    layer->missing = true;
    return true;
}

struct layer *layer_open(struct descriptor *d, const char *path,
                         const struct layer_context *context, struct error *error)
{
    const struct disk_options *options = context->options;
    struct layer *layer = calloc(1, sizeof *layer);
    if (layer == NULL) {
        descriptor_free(d);
        error_memory(error);
        return NULL;
    }
    uint32_t cid, parent;
    layer->descriptor = d;
    layer->path = strdup(path);
    layer->encrypted = descriptor_is_encrypted(d);
    layer->decrypt_zero_units = options->decrypt_zero_units;
    bool ok = layer->path != NULL || error_memory(error);
    ok = ok && descriptor_cids(d, &cid, &parent, error);
    if (ok) {
        layer->delta = parent != DESCRIPTOR_NO_PARENT;
        layer->pool = extent_pool_new(path, context->evidence, options->sequential, error);
        ok = layer->pool != NULL &&
             (add_extents(layer, context, error) || pass_by(layer, context, error));
    }
    if (ok && layer->encrypted && !options->raw_ciphertext && !layer->missing) {
        layer->closed = options->keyring == NULL;
        ok = layer->closed || unlock(layer, options, error);
    }
    if (!ok) {
        error_in_file(error, path);
        layer_close(layer);
        layer = NULL;
    }
    return layer;
}

void layer_close(struct layer *layer)
{
    if (layer == NULL)
        return;
    close_extents(layer);
    if (layer->unlocked)
        keysafe_result_free(&layer->result);
    locator_free(layer->safe);
    xts_free(layer->xts);
    geometry_cipher_free(layer->cipher);
    extent_pool_free(layer->pool);
    free(layer->extents);
    descriptor_free(layer->descriptor);
    free(layer->path);
    free(layer);
}
