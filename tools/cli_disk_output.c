/* cli_disk_output - the files that vmcrypt-disk makes; see cli_disk.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/cli_disk.h"
#include "vmdk/disk_key.h"
#include "vmdk/extent_file.h"

enum { NEW_FILE_MODE = 0600 };

static bool same_file(const char *path, dev_t device, ino_t inode)
{
    struct stat st;
    return stat(path, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

/* True when PATH, or its unfinished form, is a file that SOURCE is read from. */
static bool is_source(const char *path, const char *name, const struct disk *source)
{
    char *partial = NULL;
    if (asprintf(&partial, "%s.partial", path) < 0)
        return true;
    const struct descriptor *d = disk_descriptor(source);
    struct stat st;
    bool is = stat(name, &st) == 0 &&
              (same_file(path, st.st_dev, st.st_ino) || same_file(partial, st.st_dev, st.st_ino));
    for (size_t i = 0; !is && i < descriptor_extent_count(d); i++) {
        const char *file = descriptor_extent_at(d, i)->file;
        char *beside = file == NULL ? NULL : file_beside(name, file);
        if (beside != NULL && stat(beside, &st) == 0)
            is = same_file(path, st.st_dev, st.st_ino) || same_file(partial, st.st_dev, st.st_ino);
        free(beside);
    }
    free(partial);
    return is;
}

static bool check_target(const char *path, const char *name, const struct disk *source,
                         struct error *error)
{
    struct stat st;
    bool ok = true;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
        ok = error_set(error, ERROR_FAILED, "exists and is no regular file; it is not replaced");
    else if (is_source(path, name, source))
        ok = error_set(error, ERROR_USAGE, "is what is to be read; write to another file");
    return ok || error_in_file(error, path);
}

/* "NAME-flat.vmdk" for "NAME.vmdk". */
static char *flat_name(const char *path)
{
    size_t stem = strlen(path) - (cli_is_vmdk_name(path) ? strlen(".vmdk") : 0);
    char *flat = NULL;
    return asprintf(&flat, "%.*s-flat.vmdk", (int)stem, path) < 0 ? NULL : flat;
}

bool disk_output_open(struct cli *cli, struct disk_output *out, const char *path,
                      bool with_descriptor, const char *name, const struct disk *source,
                      struct error *error)
{
    bool force = cli_value(cli, "force") != NULL;
    *out = (struct disk_output){.image = {.fd = -1}, .descriptor = {.fd = -1}};
    out->image_path = with_descriptor ? flat_name(path) : strdup(path);
    if (out->image_path == NULL)
        return error_memory(error);
    out->image_existed = file_exists(out->image_path);
    bool ok = check_target(out->image_path, name, source, error);
    if (with_descriptor) {
        out->descriptor_path = path;
        ok = ok && check_target(path, name, source, error) &&
             file_create(&out->descriptor, path, NEW_FILE_MODE, force, error);
    }
    ok = ok && file_create(&out->image, out->image_path, NEW_FILE_MODE, force, error);
    if (!ok)
        disk_output_close(out);
    return ok;
}

bool disk_output_publish(struct disk_output *out, const struct descriptor *d, struct error *error)
{
    struct buffer text = BUFFER_INIT;
    bool ok = true;
    if (d != NULL)
        ok = (descriptor_write(d, &text) || error_memory(error)) &&
             file_write_at(out->descriptor.fd, out->descriptor.partial, buffer_text(&text),
                           text.length, 0, error);
    buffer_free(&text);
    ok = ok && file_publish(&out->image, error);
    if (ok && d != NULL && !file_publish(&out->descriptor, error)) {
        /* An extent without its descriptor would pass for a whole image. */
        if (!out->image_existed)
            unlink(out->image_path);
        ok = false;
    }
    disk_output_close(out);
    return ok;
}

void disk_output_close(struct disk_output *out)
{
    file_abandon(&out->image);
    file_abandon(&out->descriptor);
    free(out->image_path);
    out->image_path = NULL;
}

/* A second copy of D, to be changed. */
static struct descriptor *clone(const struct descriptor *d, struct error *error)
{
    struct buffer text = BUFFER_INIT;
    struct descriptor *copy = NULL;
    if (descriptor_write(d, &text))
        copy = descriptor_parse(buffer_text(&text), text.length, error);
    else
        error_memory(error);
    buffer_free(&text);
    return copy;
}

struct descriptor *disk_output_describe(const struct disk_output *out, const struct disk *source,
                                        bool keep, const char *create_type, const char *extent_type,
                                        struct error *error)
{
    const char *file = file_name(out->image_path);
    struct descriptor *d = keep ? clone(disk_descriptor(source), error)
                                : descriptor_new_flat(file, disk_size(source), NULL, error);
    if (d == NULL)
        return NULL;
    char *type = strdup(extent_type), *name = strdup(file);
    struct descriptor_extent extent = {
        .sectors = disk_size(source) / SECTOR_BYTES, .type = type, .file = name};
    bool ok = (type != NULL && name != NULL) || error_memory(error);
    ok = ok && descriptor_set_extents(d, &extent, 1, error) &&
         descriptor_set(d, "createType", create_type, error) && disk_key_strip(d, error) &&
         descriptor_renew_cid(d, error);
    descriptor_unset(d, "changeTrackPath");
    free(type);
    free(name);
    if (!ok) {
        descriptor_free(d);
        d = NULL;
    }
    return d;
}
