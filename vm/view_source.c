/* view_source - what the user named: a VM, a disk, one of a disk's files, an image. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "vm/view_private.h"

enum { DESCRIPTORS_MAX = 4096 /* looked into, in one directory */ };

/* The descriptor D beside FILE has an extent in it. */
static bool names_file(const struct descriptor *d, const char *directory, const struct stat *file)
{
    for (size_t i = 0; i < descriptor_extent_count(d); i++) {
        const char *name = descriptor_extent_at(d, i)->file;
        char *path =
            name == NULL || strchr(name, '/') != NULL ? NULL : file_beside(directory, name);
        struct stat st;
        bool same = path != NULL && stat(path, &st) == 0 && st.st_dev == file->st_dev &&
                    st.st_ino == file->st_ino;
        free(path);
        if (same)
            return true;
    }
    return false;
}

/* Descriptors are text; extents, of which there may be many, need not be read whole. */
static bool begins_as_text(const char *path)
{
    struct error ignored = ERROR_INIT;
    unsigned char head[128];
    int fd = file_open_read(path, &ignored);
    ssize_t length = fd < 0 ? 0 : pread(fd, head, sizeof head, 0);
    bool text = length > 0;
    for (ssize_t i = 0; text && i < length; i++)
        text = head[i] >= ' ' || head[i] == '\t' || head[i] == '\r' || head[i] == '\n';
    if (fd >= 0)
        close(fd);
    return text;
}

static bool is_descriptor_of(const char *path, const char *file, const struct stat *st)
{
    struct error ignored = ERROR_INIT;
    struct stat own;
    if (stat(path, &own) != 0 || !S_ISREG(own.st_mode) || own.st_size > DESCRIPTOR_MAX_BYTES ||
        (own.st_dev == st->st_dev && own.st_ino == st->st_ino) || !begins_as_text(path))
        return false;
    struct descriptor *d = descriptor_load(path, &ignored);
    bool found = d != NULL && !descriptor_is_embedded(d) && !descriptor_is_made_up(d) &&
                 names_file(d, file, st);
    descriptor_free(d);
    return found;
}

/* The descriptor that products make for "web-flat.vmdk" is "web.vmdk". */
static char *usual_descriptor(const char *file)
{
    const char *dash = strrchr(file, '-');
    char *path = NULL;
    if (dash == NULL || dash < file_name(file) ||
        asprintf(&path, "%.*s.vmdk", (int)(dash - file), file) < 0)
        return NULL;
    return path;
}

/* The descriptor beside FILE that names it: malloc'd; NULL with ERROR_NONE when there is none, with
 * ERROR_USAGE when there are several. */
static char *find_descriptor(const char *file, const struct stat *st, struct error *error)
{
    char *found = usual_descriptor(file);
    if (found != NULL && is_descriptor_of(found, file, st))
        return found;
    free(found);
    found = NULL;
    struct vm_names names;
    bool ok = vm_files_beside(file, &names, error);
    size_t looked = 0;
    for (size_t i = 0; ok && i < names.count && looked < DESCRIPTORS_MAX; i++) {
        if (!vm_has_suffix(names.names[i], ".vmdk"))
            continue;
        looked++;
        char *path = file_beside(file, names.names[i]);
        if (path == NULL) {
            ok = error_memory(error);
        } else if (!is_descriptor_of(path, file, st)) {
            free(path);
        } else if (found == NULL) {
            found = path;
        } else {
            error_set(error, ERROR_USAGE,
                      "belongs to several disks; name the one you mean: %.200s, %.200s",
                      file_name(found), file_name(path));
            ok = error_in_file(error, file);
            free(path);
        }
    }
    vm_names_free(&names);
    if (!ok) {
        free(found);
        found = NULL;
    }
    return found;
}

/* True when PATH is a descriptor, an extent that holds one, or a sparse extent; *bare when it is an
 * extent without one. */
static bool is_vmdk(const char *path, bool *bare, struct error *error)
{
    struct descriptor *d = descriptor_load(path, error);
    *bare = d != NULL && descriptor_is_made_up(d);
    descriptor_free(d);
    return d != NULL;
}

/* A small NAME.vmdk is a descriptor, and when it does not look like one it is a bad one; all else
 * that has whole sectors may be an image. */
static bool may_be_image(const char *path, const struct stat *st)
{
    const char *dash = strrchr(file_name(path), '-');
    return !vm_has_suffix(path, ".vmdk") || st->st_size > DESCRIPTOR_MAX_BYTES ||
           (dash != NULL && (strcasecmp(dash, "-flat.vmdk") == 0 || dash[1] == 'f'));
}

static bool find_disk(struct view *view, const char *source, struct error *error)
{
    struct stat st;
    bool bare = false;
    struct error reason = ERROR_INIT;
    if (stat(source, &st) != 0) {
        error_system(error, "cannot open");
        return error_in_file(error, source);
    }
    bool regular = S_ISREG(st.st_mode);
    bool vmdk = regular && is_vmdk(source, &bare, &reason);
    view->kind = VIEW_SOURCE_DISK;
    if (vmdk && !bare)
        return true;
    char *descriptor = regular ? find_descriptor(source, &st, error) : NULL;
    if (error->code != ERROR_NONE)
        return false;
    if (descriptor != NULL) {
        free(view->path);
        view->path = descriptor;
        if (asprintf(&view->note, "opened through %s, which names %s", descriptor,
                     file_name(source)) >= 0)
            return true;
        view->note = NULL;
        return error_memory(error);
    }
    if (vmdk)
        return true;
    if (regular && !may_be_image(source, &st)) {
        *error = reason;
        return false;
    }
    view->kind = VIEW_SOURCE_RAW;
    if (asprintf(&view->note,
                 "%s: no descriptor beside it names it; shown as it is stored, and whether it is "
                 "encrypted is not known",
                 source) >= 0)
        return true;
    view->note = NULL;
    return error_memory(error);
}

bool view_source_find(struct view *view, const char *source, bool raw, struct error *error)
{
    struct stat st;
    view->source = strdup(source);
    if (view->source == NULL)
        return error_memory(error);
    if (!raw &&
        ((stat(source, &st) == 0 && S_ISDIR(st.st_mode)) || vm_has_suffix(source, ".vmx"))) {
        view->kind = VIEW_SOURCE_VM;
        view->path = vm_find_vmx(source, error);
        return view->path != NULL;
    }
    view->path = strdup(source);
    if (view->path == NULL)
        return error_memory(error);
    view->kind = VIEW_SOURCE_RAW;
    return raw || find_disk(view, source, error);
}
