/* disk - see disk.h: the chain of layers, from the snapshot to its base. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "vmdk/disk_private.h"
#include "vmdk/inplace.h"

/* The disk outlives its options. */
static bool copy_evidence(struct disk *disk, const char *path, const struct disk_options *options,
                          struct error *error)
{
    bool ok = true;
    disk->root = file_beside(path, ".");
    disk->search = calloc(options->search_count + 1, sizeof *disk->search);
    ok = disk->root != NULL && disk->search != NULL;
    for (size_t i = 0; ok && i < options->search_count; i++)
        ok = (disk->search[i] = strdup(options->search[i])) != NULL;
    disk->evidence = (struct evidence){
        .allow_outside = options->allow_outside,
        .root = disk->root,
        .search_count = ok ? options->search_count : 0,
        .search = (const char *const *)disk->search,
    };
    return ok || error_memory(error);
}

static bool add_layer(struct disk *disk, struct layer *layer, struct error *error)
{
    if (layer == NULL)
        return false;
    struct layer **grown = realloc(disk->layers, (disk->layer_count + 1) * sizeof(struct layer *));
    if (grown == NULL) {
        layer_close(layer);
        return error_memory(error);
    }
    disk->layers = grown;
    disk->layers[disk->layer_count++] = layer;
    return true;
}

/* The parent that CHILD names, be it by an absolute path of the host it comes from. */
static struct descriptor *find_parent(struct disk *disk, const struct layer *child, char **path,
                                      struct error *error)
{
    const char *hint = descriptor_get(child->descriptor, "parentFileNameHint");
    struct evidence_file file;
    if (hint == NULL || hint[0] == '\0') {
        error_set(error, ERROR_DAMAGED, "a snapshot delta that does not name its parent");
        error_in_file(error, child->path);
        return NULL;
    }
    int fd = evidence_open(&disk->evidence, child->path, hint, path, &file, error);
    if (fd < 0) {
        /* It may have been moved along with its child. */
        struct error moved = ERROR_INIT;
        if (strchr(hint, '/') != NULL)
            fd = evidence_open(&disk->evidence, child->path, file_name(hint), path, &file, &moved);
        if (fd < 0) {
            error_prefix(error, "the parent \"%.200s\" of %.200s", hint, file_name(child->path));
            return NULL;
        }
        error_clear(error);
    }
    for (size_t i = 0; i < disk->layer_count; i++)
        if (disk->files[i].device == file.device && disk->files[i].inode == file.inode) {
            error_set(error, ERROR_DAMAGED, "a chain that leads back to itself");
            error_in_file(error, child->path);
            close(fd);
            return NULL;
        }
    disk->files[disk->layer_count] = file;
    struct descriptor *d = descriptor_load_from(fd, *path, error);
    close(fd);
    return d;
}

static bool check_parent(const struct disk *disk, const struct layer *child,
                         const struct descriptor *parent, const char *path,
                         const struct disk_options *options, struct error *error)
{
    uint32_t cid, wanted, own, above;
    (void)disk;
    if (!descriptor_cids(child->descriptor, &own, &wanted, error))
        return error_in_file(error, child->path);
    if (!descriptor_cids(parent, &cid, &above, error))
        return error_in_file(error, path);
    if (cid == wanted)
        return true;
    if (options->ignore_cid) {
        notes_add(disk->notes, path,
                  "its CID is %08" PRIx32 ", but its child expects %08" PRIx32
                  ": it was changed since, or is another disk; read all the same, as was asked",
                  cid, wanted);
        return true;
    }
    error_set(error, ERROR_DAMAGED,
              "its CID is %08" PRIx32 ", but its child %.200s expects %08" PRIx32
              ": it was changed since the snapshot, or is another disk; --ignore-cid reads it all "
              "the same",
              cid, file_name(child->path), wanted);
    return error_in_file(error, path);
}

/* The layers below the first, down to the base. */
static bool add_parents(struct disk *disk, const struct layer_context *context, struct error *error)
{
    const struct layer *child = disk->layers[0];
    bool ok = true;
    while (ok && child->delta && !context->options->top_only) {
        char *path = NULL;
        if (disk->layer_count == DISK_LAYERS_MAX) {
            error_set(error, ERROR_DAMAGED, "a chain of more than %d layers", DISK_LAYERS_MAX);
            return error_in_file(error, child->path);
        }
        struct descriptor *d = find_parent(disk, child, &path, error);
        ok = d != NULL && inplace_check(path, d, error) &&
             check_parent(disk, child, d, path, context->options, error);
        if (ok)
            ok = add_layer(disk, layer_open(d, path, context, error), error);
        else
            descriptor_free(d);
        free(path);
        if (ok)
            child = disk->layers[disk->layer_count - 1];
    }
    return ok;
}

/* Takes over D. */
static struct disk *open_chain(struct descriptor *d, const char *path,
                               const struct disk_options *options, struct error *error)
{
    struct disk *disk = calloc(1, sizeof *disk);
    if (disk == NULL) {
        descriptor_free(d);
        error_memory(error);
        return NULL;
    }
    struct stat st;
    disk->notes = notes_new();
    disk->cache = meta_cache_new(error);
    bool ok = disk->notes != NULL && disk->cache != NULL;
    ok = (ok || error_memory(error)) && copy_evidence(disk, path, options, error);
    struct layer_context context = {options, &disk->evidence, disk->cache, disk->notes};
    if (ok && stat(path, &st) == 0)
        disk->files[0] = (struct evidence_file){.device = st.st_dev, .inode = st.st_ino};
    if (ok && descriptor_is_made_up(d))
        notes_add(disk->notes, path,
                  "a bare extent, opened without the descriptor that names it: what it does not "
                  "hold reads as zeros, though a parent may have it");
    if (ok)
        ok = add_layer(disk, layer_open(d, path, &context, error), error);
    else
        descriptor_free(d);
    ok = ok && add_parents(disk, &context, error);
    if (ok && disk->layer_count > 1) {
        disk->map = chain_map_new(disk->layers, disk->layer_count, error);
        ok = disk->map != NULL;
    }
    if (!ok) {
        disk_close(disk);
        return NULL;
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
    return d == NULL ? NULL : open_chain(d, path, options, error);
}

struct disk *disk_open_raw(const char *path, struct error *error)
{
    const struct evidence anywhere = {.allow_outside = true};
    const struct disk_options options = {.allow_outside = true, .sequential = true};
    struct evidence_file file;
    int fd = evidence_open(&anywhere, path, file_name(path), NULL, &file, error);
    if (fd < 0)
        return NULL;
    close(fd);
    if (file.size % SECTOR_BYTES != 0) {
        error_set(error, ERROR_DAMAGED,
                  "%" PRIu64 " bytes are no whole sectors of %d; no disk image", file.size,
                  SECTOR_BYTES);
        error_in_file(error, path);
        return NULL;
    }
    struct descriptor *d = descriptor_new_flat(file_name(path), file.size, NULL, error);
    return d == NULL ? NULL : open_chain(d, path, &options, error);
}

void disk_close(struct disk *disk)
{
    if (disk == NULL)
        return;
    chain_map_free(disk->map);
    for (size_t i = 0; i < disk->layer_count; i++)
        layer_close(disk->layers[i]);
    free(disk->layers);
    meta_cache_free(disk->cache);
    notes_free(disk->notes);
    for (size_t i = 0; disk->search != NULL && i < disk->evidence.search_count; i++)
        free(disk->search[i]);
    free(disk->search);
    free(disk->root);
    free(disk);
}

uint64_t disk_size(const struct disk *disk)
{
    return disk->layers[0]->size;
}

const struct descriptor *disk_descriptor(const struct disk *disk)
{
    return disk->layers[0]->descriptor;
}

bool disk_is_encrypted(const struct disk *disk)
{
    for (size_t i = 0; i < disk->layer_count; i++)
        if (disk->layers[i]->encrypted)
            return true;
    return false;
}

bool disk_key_is_weak(const struct disk *disk)
{
    for (size_t i = 0; i < disk->layer_count; i++)
        if (disk->layers[i]->xts != NULL && xts_weak_key(disk->layers[i]->xts))
            return true;
    return false;
}

const struct keysafe_result *disk_unlocked(const struct disk *disk)
{
    return disk_layer_at(disk, 0).unlocked;
}

size_t disk_layer_count(const struct disk *disk)
{
    return disk->layer_count;
}

struct disk_layer disk_layer_at(const struct disk *disk, size_t i)
{
    const struct layer *layer = disk->layers[i];
    return (struct disk_layer){
        .path = layer->path,
        .descriptor = layer->descriptor,
        .size = layer->size,
        .encrypted = layer->encrypted,
        .missing = layer->missing,
        .unlocked = layer->unlocked ? &layer->result : NULL,
    };
}

struct notes *disk_notes(const struct disk *disk)
{
    return disk->notes;
}
