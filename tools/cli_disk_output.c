/* cli_disk_output - the files that vmcrypt-disk makes; see cli_disk.h. */
#include <fcntl.h>
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

static bool refuse_existing(const struct disk_output *out, const char *path, struct error *error)
{
    if (out->force || !file_exists(path))
        return true;
    error_set(error, ERROR_FAILED, "exists already; it is not overwritten (see --force)");
    return error_in_file(error, path);
}

/* A job without journals: what an earlier run left is not gone on with. */
static bool open_anew(struct disk_output *out, struct error *error)
{
    size_t journals;
    if (!disk_parts_count(out->image_path, &journals, error))
        return false;
    if (journals > 0 && !out->force) {
        error_set(error, ERROR_FAILED,
                  "an interrupted copy is there: --resume goes on with it, --force starts again");
        return error_in_file(error, out->image_path);
    }
    out->fresh = true;
    return (journals == 0 || disk_parts_remove(out->image_path, error)) &&
           (out->descriptor_path == NULL || file_create(&out->descriptor, out->descriptor_path,
                                                        NEW_FILE_MODE, out->force, error)) &&
           file_create(&out->image, out->image_path, NEW_FILE_MODE, out->force, error);
}

/* A job with journals: go on with what they speak of. */
static bool open_again(struct disk_output *out, struct error *error)
{
    size_t journals;
    out->lock = disk_parts_lock(out->image_path);
    if (!disk_parts_count(out->image_path, &journals, error))
        return false;
    if (out->job->finish && journals == 0) {
        error_set(error, ERROR_FAILED, "there are no parts to finish");
        return error_in_file(error, out->image_path);
    }
    char *partial = NULL;
    if (asprintf(&partial, "%s.partial", out->image_path) < 0)
        return error_memory(error);
    out->fresh = journals == 0 || !file_exists(partial);
    free(partial);
    if (!out->fresh)
        return file_reopen(&out->image, out->image_path, error);
    if (out->job->finish) {
        error_set(error, ERROR_FAILED, "the unfinished image that its journals speak of is gone");
        return error_in_file(error, out->image_path);
    }
    return (journals == 0 || disk_parts_remove(out->image_path, error)) &&
           file_create(&out->image, out->image_path, NEW_FILE_MODE, out->force, error);
}

bool disk_output_open(struct cli *cli, struct disk_output *out, struct disk_job *job,
                      const char *path, bool with_descriptor, const char *name,
                      const struct disk *source, struct error *error)
{
    *out = (struct disk_output){.image = {.fd = -1},
                                .descriptor = {.fd = -1},
                                .force = cli_value(cli, "force") != NULL,
                                .lock = -1,
                                .job = job};
    out->image_path = with_descriptor ? flat_name(path) : strdup(path);
    if (out->image_path == NULL)
        return error_memory(error);
    out->image_existed = file_exists(out->image_path);
    bool ok = check_target(out->image_path, name, source, error);
    if (with_descriptor) {
        out->descriptor_path = path;
        ok = ok && check_target(path, name, source, error) && refuse_existing(out, path, error);
    }
    ok = ok && refuse_existing(out, out->image_path, error) &&
         (job->resume ? open_again(out, error) : open_anew(out, error));
    if (!ok)
        disk_output_close(cli, out, false);
    return ok;
}

static bool write_descriptor(struct disk_output *out, const struct descriptor *d,
                             struct error *error)
{
    struct buffer text = BUFFER_INIT;
    bool ok = (descriptor_write(d, &text) || error_memory(error)) &&
              file_write_at(out->descriptor.fd, out->descriptor.partial, buffer_text(&text),
                            text.length, 0, error);
    buffer_free(&text);
    return ok;
}

bool disk_output_keep_descriptor(struct disk_output *out, const struct descriptor *d,
                                 struct error *error)
{
    if (!file_create(&out->descriptor, out->descriptor_path, NEW_FILE_MODE, out->force, error) ||
        !write_descriptor(out, d, error))
        return false;
    if (fsync(out->descriptor.fd) == 0)
        return true;
    error_system(error, "cannot write to disk");
    return error_in_file(error, out->descriptor.partial);
}

struct descriptor *disk_output_kept_descriptor(struct disk_output *out, struct error *error)
{
    struct buffer text = BUFFER_INIT;
    struct descriptor *d = NULL;
    if (file_reopen(&out->descriptor, out->descriptor_path, error) &&
        file_read_all(out->descriptor.partial, DESCRIPTOR_MAX_BYTES, &text, error)) {
        d = descriptor_parse(buffer_text(&text), text.length, error);
        if (d == NULL)
            error_in_file(error, out->descriptor.partial);
    }
    buffer_free(&text);
    return d;
}

/* What lies behind DONE was written by a run that did not live to sync it: make it a hole. */
static bool drop_unsynced(struct disk_output *out, uint64_t size, uint64_t done, uint64_t end,
                          struct error *error)
{
    int fd = out->image.fd;
    struct stat st;
    bool ok = fstat(fd, &st) == 0;
    if (ok && (uint64_t)st.st_size != size)
        ok = ftruncate(fd, (off_t)size) == 0;
    if (!ok) {
        error_system(error, "cannot make it as large as the disk");
        return error_in_file(error, out->image.partial);
    }
    if (done < end && fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)done,
                                (off_t)(end - done)) != 0)
        out->job->copy.dense = true;
    return true;
}

static bool open_journal(struct disk_output *out, const struct copy_identity *identity,
                         struct error *error)
{
    struct disk_job *job = out->job;
    uint64_t start = job->copy.offset;
    uint64_t end = job->copy.length == 0 ? identity->size : start + job->copy.length;
    char *path = disk_parts_name(out->image_path, job);
    if (path == NULL)
        return error_memory(error);
    if (disk_parts_are_apart(out->image_path, identity, path, start, end, error))
        job->copy.journal = copy_journal_open(path, identity, start, end, error);
    free(path);
    if (job->copy.journal == NULL)
        return false;
    if (job->copy.bad != NULL)
        copy_journal_bad(job->copy.journal, job->copy.bad);
    return drop_unsynced(out, identity->size, copy_journal_done(job->copy.journal), end, error);
}

bool disk_output_start(struct disk_output *out, struct copy_identity *identity, struct error *error)
{
    struct disk_job *job = out->job;
    if (!job->resume)
        return true;
    identity->bad_as_zeros = job->copy.bad != NULL;
    bool ok = job->finish ? disk_parts_check(out->image_path, job, identity, error)
                          : open_journal(out, identity, error);
    if (out->lock >= 0)
        close(out->lock);
    out->lock = -1;
    return ok;
}

bool disk_output_copy(struct disk_output *out, const struct disk *source, struct error *error)
{
    struct disk_job *job = out->job;
    if (job->finish) {
        job->stats = (struct copy_stats){.bytes = disk_size(source), .kept = disk_size(source)};
        return true;
    }
    return disk_copy_with(source, &job->copy, &out->image, &job->stats, error);
}

bool disk_output_is_whole(const struct disk_output *out)
{
    return !out->job->part;
}

/* Journals go when all they speak of is safe, and before the file gets its name. */
static bool publish_image(struct disk_output *out, struct error *error)
{
    if (out->job->resume) {
        if (fsync(out->image.fd) != 0) {
            error_system(error, "cannot write to disk");
            return error_in_file(error, out->image.partial);
        }
        if (!disk_parts_remove(out->image_path, error))
            return false;
    }
    return file_publish(&out->image, error);
}

bool disk_output_publish(struct disk_output *out, const struct descriptor *d, struct error *error)
{
    bool ok = true;
    if (d != NULL && out->descriptor.fd < 0)
        ok = file_create(&out->descriptor, out->descriptor_path, NEW_FILE_MODE, out->force, error);
    ok = ok && (d == NULL || write_descriptor(out, d, error)) && publish_image(out, error);
    if (ok && d != NULL && !file_publish(&out->descriptor, error)) {
        /* An extent without its descriptor would pass for a whole image. */
        if (!out->image_existed)
            unlink(out->image_path);
        ok = false;
    }
    return ok;
}

void disk_output_close(struct cli *cli, struct disk_output *out, bool failed)
{
    struct disk_job *job = out->job;
    bool keep = job->copy.journal != NULL || (job->resume && !out->fresh);
    if (job->copy.journal != NULL && failed && out->image.fd >= 0)
        cli_say(cli, "%s is kept with its journal: the same command goes on with it",
                cli_printable(out->image.partial));
    if (keep) {
        file_leave(&out->image);
        file_leave(&out->descriptor);
    } else {
        file_abandon(&out->image);
        file_abandon(&out->descriptor);
    }
    copy_journal_close(job->copy.journal);
    job->copy.journal = NULL;
    if (out->lock >= 0)
        close(out->lock);
    out->lock = -1;
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
