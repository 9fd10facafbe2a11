/* inplace_target - the extents of a disk, open for writing; see inplace_private.h. */
#include "vmdk/inplace_private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "vmdk/evidence.h"

/* Files that a conversion makes or replaces, and so cannot be extents. */
static bool is_reserved(const char *path, const struct evidence_file *facts)
{
    static const char *const ENDS[] = {"", ".partial", ".journal", ".journal.partial"};
    for (size_t i = 0; i < sizeof ENDS / sizeof ENDS[0]; i++) {
        char *name = NULL;
        struct stat st;
        bool same =
            asprintf(&name, "%s%s", path, ENDS[i]) < 0 ||
            (stat(name, &st) == 0 && st.st_dev == facts->device && st.st_ino == facts->inode);
        free(name);
        if (same)
            return true;
    }
    return false;
}

static bool check_file(const char *path, const struct evidence_file *facts, bool force,
                       struct error *error)
{
    if (is_reserved(path, facts))
        return error_set(error, ERROR_DAMAGED,
                         "is an extent, and the descriptor or a file that belongs to it");
    if (facts->links > 1 && !force)
        return error_set(error, ERROR_FAILED,
                         "has %ju names (hard links), and what they belong to would be converted "
                         "with it; --force does it all the same",
                         (uintmax_t)facts->links);
    return true;
}

static size_t find_file(const struct target *t, const struct evidence_file *facts)
{
    size_t i = 0;
    while (i < t->file_count &&
           (t->files[i].inode != facts->inode || t->files[i].device != facts->device))
        i++;
    return i;
}

/* Open NAME, or find it among those that are open, be it under another name: two locks of one
 * file would exclude each other. */
static bool add_file(struct target *t, const char *path, const char *name,
                     const struct inplace_options *options, size_t *index, struct error *error)
{
    struct evidence_file facts;
    const char *last = t->file_count > 0 ? t->files[t->file_count - 1].name : NULL;
    if (last != NULL && strcmp(last, name) == 0) {
        *index = t->file_count - 1;
        return true;
    }
    const struct evidence evidence = {.allow_outside = options->allow_outside};
    int fd = evidence_open_writable(&evidence, path, name, NULL, &facts, error);
    if (fd < 0)
        return false;
    *index = find_file(t, &facts);
    if (*index < t->file_count) {
        close(fd);
        return true;
    }
    struct target_file file = {.name = strdup(name),
                               .path = file_beside(path, name),
                               .fd = fd,
                               .size = facts.size,
                               .device = facts.device,
                               .inode = facts.inode};
    bool ok = (file.name != NULL && file.path != NULL) || error_memory(error);
    if (ok && t->file_count == TARGET_MAX_FILES)
        ok = error_set(error, ERROR_FAILED, "more than %d extent files are not converted in place",
                       TARGET_MAX_FILES);
    ok = ok && check_file(path, &facts, options->force, error) &&
         journal_lock_file(fd, file.path, error);
    if (!ok) {
        error_in_file(error, file.path == NULL ? name : file.path);
        free(file.name);
        free(file.path);
        close(fd);
        return false;
    }
    t->files[t->file_count++] = file;
    return true;
}

static bool add_extent(struct target *t, const char *path, const struct descriptor_extent *from,
                       const struct inplace_options *options, struct error *error)
{
    bool zero = strcasecmp(from->type, "ZERO") == 0;
    struct target_extent e = {
        .start = t->size, .length = from->sectors * SECTOR_BYTES, .file = TARGET_ZERO};
    if (!zero && strcasecmp(from->type, "FLAT") != 0 && strcasecmp(from->type, "VMFS") != 0)
        return error_set(error, ERROR_FAILED,
                         "an extent of type \"%.32s\"; only flat ones are converted in place",
                         from->type);
    if (!zero && from->access != EXTENT_RW)
        return error_set(error, ERROR_FAILED,
                         "the descriptor does not allow writing to an extent (RDONLY or NOACCESS)");
    if (!zero) {
        e.offset = from->offset * SECTOR_BYTES;
        if (!add_file(t, path, from->file, options, &e.file, error))
            return false;
        uint64_t size = t->files[e.file].size;
        if (e.offset > size || e.length > size - e.offset) {
            error_set(error, ERROR_DAMAGED,
                      "this extent is cut off: %" PRIu64 " bytes are needed, it has %" PRIu64,
                      e.offset + e.length, size);
            return error_in_file(error, t->files[e.file].path);
        }
    }
    t->extents[t->extent_count++] = e;
    t->size += e.length;
    return true;
}

static int by_place(const void *a, const void *b)
{
    const struct target_extent *x = a, *y = b;
    if (x->file != y->file)
        return x->file < y->file ? -1 : 1;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* What is in two extents would be converted twice. */
static bool check_apart(const struct target *t, struct error *error)
{
    struct target_extent *sorted = calloc(t->extent_count + 1, sizeof *sorted);
    if (sorted == NULL)
        return error_memory(error);
    memcpy(sorted, t->extents, t->extent_count * sizeof *sorted);
    qsort(sorted, t->extent_count, sizeof *sorted, by_place);
    bool ok = true;
    for (size_t i = 1; ok && i < t->extent_count; i++) {
        const struct target_extent *before = &sorted[i - 1], *e = &sorted[i];
        if (e->file != TARGET_ZERO && e->file == before->file &&
            e->offset < before->offset + before->length) {
            ok = error_set(error, ERROR_DAMAGED, "two extents of the disk share bytes of it");
            error_at(error, t->files[e->file].path, e->offset);
        }
    }
    free(sorted);
    return ok;
}

bool target_open(struct target *t, const char *path, const struct descriptor *d,
                 const struct inplace_options *options, struct error *error)
{
    uint64_t size;
    size_t count = descriptor_extent_count(d);
    *t = (struct target){0};
    uint32_t cid, parent;
    if (!descriptor_cids(d, &cid, &parent, error))
        return false;
    if (parent != DESCRIPTOR_NO_PARENT)
        return error_set(error, ERROR_FAILED,
                         "a snapshot delta, whose parent would not go with it; only base disks are "
                         "converted in place");
    if (!descriptor_size(d, &size) || size == 0 || size > INT64_MAX)
        return error_set(error, ERROR_DAMAGED, "the sum of the extents is no size of a disk");
    t->extents = calloc(count, sizeof *t->extents);
    t->files = calloc(count < TARGET_MAX_FILES ? count : TARGET_MAX_FILES, sizeof *t->files);
    bool ok = (t->extents != NULL && t->files != NULL) || error_memory(error);
    for (size_t i = 0; ok && i < count; i++) {
        const struct descriptor_extent *e = descriptor_extent_at(d, i);
        ok = e->sectors == 0 || add_extent(t, path, e, options, error);
    }
    ok = ok && check_apart(t, error);
    if (!ok)
        target_close(t);
    return ok;
}

void target_close(struct target *t)
{
    for (size_t i = 0; i < t->file_count; i++) {
        close(t->files[i].fd);
        free(t->files[i].name);
        free(t->files[i].path);
    }
    free(t->files);
    free(t->extents);
    *t = (struct target){0};
}

/* Index of the extent that holds OFFSET. */
static size_t extent_at(const struct target *t, uint64_t offset)
{
    size_t low = 0, high = t->extent_count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (t->extents[middle].start <= offset)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static size_t part_of(const struct target_extent *e, uint64_t at, size_t length)
{
    return length < e->length - at ? length : (size_t)(e->length - at);
}

bool target_read(const struct target *t, uint64_t offset, uint8_t *data, size_t length,
                 struct error *error)
{
    while (length > 0) {
        const struct target_extent *e = &t->extents[extent_at(t, offset)];
        uint64_t at = offset - e->start;
        size_t part = part_of(e, at, length);
        if (e->file == TARGET_ZERO)
            memset(data, 0, part);
        else if (!file_read_at(t->files[e->file].fd, t->files[e->file].path, data, part,
                               e->offset + at, error))
            return false;
        offset += part;
        data += part;
        length -= part;
    }
    return true;
}

bool target_write(struct target *t, uint64_t offset, const uint8_t *data, size_t length,
                  struct error *error)
{
    while (length > 0) {
        const struct target_extent *e = &t->extents[extent_at(t, offset)];
        uint64_t at = offset - e->start;
        size_t part = part_of(e, at, length);
        if (e->file == TARGET_ZERO)
            return error_set(error, ERROR_FAILED,
                             "a data unit lies partly in an extent of type ZERO");
        struct target_file *file = &t->files[e->file];
        file->dirty = true;
        if (!file_write_at(file->fd, file->path, data, part, e->offset + at, error))
            return false;
        offset += part;
        data += part;
        length -= part;
    }
    return true;
}

bool target_sync(struct target *t, struct error *error)
{
    for (size_t i = 0; i < t->file_count; i++) {
        struct target_file *file = &t->files[i];
        if (file->dirty && !journal_sync_file(file->fd, file->path, error))
            return false;
        file->dirty = false;
    }
    return true;
}

/* The first byte of E from AT on that is in no hole, as a place in E; its length for none. */
static uint64_t next_data_in(const struct target *t, const struct target_extent *e, uint64_t at)
{
    if (e->file == TARGET_ZERO)
        return e->length;
    int fd = t->files[e->file].fd;
    off_t data = lseek(fd, (off_t)(e->offset + at), SEEK_DATA);
    if (data >= 0)
        return (uint64_t)data < e->offset + e->length ? (uint64_t)data - e->offset : e->length;
    /* A hole up to the end of the file; of one that shrank let the read find out. */
    off_t end = errno == ENXIO ? lseek(fd, 0, SEEK_END) : -1;
    return end >= 0 && (uint64_t)end >= e->offset + e->length ? e->length : at;
}

uint64_t target_next_data(const struct target *t, uint64_t offset)
{
    size_t first = offset < t->size ? extent_at(t, offset) : t->extent_count;
    for (size_t i = first; i < t->extent_count; i++) {
        const struct target_extent *e = &t->extents[i];
        uint64_t at = next_data_in(t, e, offset > e->start ? offset - e->start : 0);
        if (at < e->length)
            return e->start + at;
    }
    return t->size;
}

void target_will_read(const struct target *t, uint64_t offset, uint64_t length)
{
    if (offset >= t->size)
        return;
    const struct target_extent *e = &t->extents[extent_at(t, offset)];
    if (e->file != TARGET_ZERO)
        posix_fadvise(t->files[e->file].fd, (off_t)(e->offset + offset - e->start), (off_t)length,
                      POSIX_FADV_WILLNEED);
}
