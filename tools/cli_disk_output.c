/* cli_disk_output - the files that vmcrypt-disk makes; see cli_disk.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/cli_disk.h"
#include "vmdk/disk_key.h"
#include "vmdk/evidence.h"

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

static bool has_partial(const char *path)
{
    char *partial = NULL;
    bool has = asprintf(&partial, "%s.partial", path) < 0 || file_exists(partial);
    free(partial);
    return has;
}

static struct descriptor *read_descriptor(const char *path, struct error *error)
{
    struct buffer text = BUFFER_INIT;
    struct descriptor *d = NULL;
    if (file_read_all(path, DESCRIPTOR_MAX_BYTES, &text, error)) {
        d = descriptor_parse(buffer_text(&text), text.length, error);
        if (d == NULL)
            error_in_file(error, path);
    }
    buffer_free(&text);
    return d;
}

/* A run without journals that was stopped between its last two steps has left a whole image, and
 * its descriptor, which is written only then, without the name. */
static bool lacks_name_only(const struct disk_output *out)
{
    struct error ignored = ERROR_INIT;
    struct stat st;
    char *partial = NULL;
    if (out->descriptor_path == NULL || file_exists(out->descriptor_path) ||
        has_partial(out->image_path) || stat(out->image_path, &st) != 0 ||
        asprintf(&partial, "%s.partial", out->descriptor_path) < 0)
        return false;
    struct descriptor *d = read_descriptor(partial, &ignored);
    bool is = false;
    if (d != NULL && descriptor_extent_count(d) == 1) {
        const struct descriptor_extent *e = descriptor_extent_at(d, 0);
        is = e->file != NULL && strcmp(e->file, file_name(out->image_path)) == 0 &&
             e->sectors == (uint64_t)st.st_size / SECTOR_BYTES;
    }
    descriptor_free(d);
    free(partial);
    return is;
}

static bool refuse_existing(const struct disk_output *out, struct error *error)
{
    const char *paths[] = {out->descriptor_path, out->image_path};
    for (size_t i = 0; i < 2; i++) {
        if (out->force || paths[i] == NULL || !file_exists(paths[i]))
            continue;
        if (lacks_name_only(out))
            error_set(error, ERROR_FAILED,
                      "exists, and %s.partial describes it: it seems that a run was stopped at its "
                      "end; rename that file to %s to finish, or --force starts again",
                      out->descriptor_path, file_name(out->descriptor_path));
        else
            error_set(error, ERROR_FAILED, "exists already; it is not overwritten (see --force)");
        return error_in_file(error, paths[i]);
    }
    return true;
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
    return refuse_existing(out, error) &&
           (journals == 0 || disk_parts_remove(out->image_path, error)) &&
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
    bool partial = has_partial(out->image_path);
    /* Journals go last: whether they prove it, disk_output_start finds out. */
    out->named = journals > 0 && !partial && file_exists(out->image_path);
    if (out->named)
        return true;
    if (!refuse_existing(out, error))
        return false;
    if (out->job->finish && journals == 0) {
        error_set(error, ERROR_FAILED, "there are no parts to finish");
        return error_in_file(error, out->image_path);
    }
    out->fresh = journals == 0 || !partial;
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
    bool ok = check_target(out->image_path, name, source, error);
    if (with_descriptor) {
        out->descriptor_path = path;
        ok = ok && check_target(path, name, source, error);
    }
    ok = ok && (job->resume ? open_again(out, error) : open_anew(out, error));
    if (!ok)
        disk_output_close(cli, out, false);
    return ok;
}

/* Written and synced, so that what gets a name is whole also after a power cut. */
static bool write_descriptor(struct disk_output *out, const struct descriptor *d,
                             struct error *error)
{
    struct buffer text = BUFFER_INIT;
    bool ok = (descriptor_write(d, &text) || error_memory(error)) &&
              file_write_at(out->descriptor.fd, out->descriptor.partial, buffer_text(&text),
                            text.length, 0, error);
    buffer_free(&text);
    if (!ok || fsync(out->descriptor.fd) == 0)
        return ok;
    error_system(error, "cannot write to disk");
    return error_in_file(error, out->descriptor.partial);
}

bool disk_output_keep_descriptor(struct disk_output *out, const struct descriptor *d,
                                 struct error *error)
{
    return file_create(&out->descriptor, out->descriptor_path, NEW_FILE_MODE, out->force, error) &&
           write_descriptor(out, d, error);
}

struct descriptor *disk_output_kept_descriptor(struct disk_output *out, struct error *error)
{
    if (out->named && file_exists(out->descriptor_path))
        return read_descriptor(out->descriptor_path, error);
    if (!file_reopen(&out->descriptor, out->descriptor_path, error))
        return NULL;
    return read_descriptor(out->descriptor.partial, error);
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

/* What the journal says may be in the page cache only, when an earlier run did not live to sync it,
 * or could not. It is made safe before anything relies on it, by a sync and then in the other slot:
 * else a power cut could take both slots, or take back that all is done from an image that has its
 * name. */
static bool settle_journal(struct disk_job *job, const char *path, struct error *error)
{
    uint64_t done = copy_journal_done(job->copy.journal);
    if (done == job->copy.offset)
        return true;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (!ok) {
        error_system(error, "cannot write to disk");
        error_in_file(error, path);
    }
    if (fd >= 0)
        close(fd);
    return ok && copy_journal_record(job->copy.journal, done, job->copy.bad, error);
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
    bool ok = job->copy.journal != NULL;
    if (ok && job->copy.bad != NULL)
        copy_journal_bad(job->copy.journal, job->copy.bad);
    ok = ok && settle_journal(job, path, error);
    free(path);
    return ok &&
           drop_unsynced(out, identity->size, copy_journal_done(job->copy.journal), end, error);
}

/* The image has its name already: its journals must say that all of it was done. */
static bool check_named(struct disk_output *out, const struct copy_identity *identity,
                        struct error *error)
{
    struct disk_job *job = out->job;
    struct stat st;
    char *path = disk_parts_name(out->image_path, job);
    bool ok = path != NULL || error_memory(error);
    /* Opened to lock it. */
    if (ok && !job->part && !job->finish && file_exists(path)) {
        job->copy.journal = copy_journal_open(path, identity, 0, identity->size, error);
        ok = job->copy.journal != NULL;
    }
    free(path);
    ok = ok && disk_parts_check(out->image_path, job, identity, error);
    if (ok ? stat(out->image_path, &st) == 0 && (uint64_t)st.st_size == identity->size
           : error->code != ERROR_PARTIAL)
        return ok;
    error_set(error, ERROR_FAILED,
              "exists already, and is not what the journals beside it speak of; --force without "
              "--resume starts again");
    return error_in_file(error, out->image_path);
}

bool disk_output_start(struct disk_output *out, struct copy_identity *identity, struct error *error)
{
    struct disk_job *job = out->job;
    if (!job->resume)
        return true;
    identity->bad_as_zeros = job->copy.bad != NULL;
    bool ok = out->named    ? check_named(out, identity, error)
              : job->finish ? disk_parts_check(out->image_path, job, identity, error)
                            : open_journal(out, identity, error);
    if (out->lock >= 0)
        close(out->lock);
    out->lock = -1;
    return ok;
}

/* Nothing is to be written any more. For the digests all is read again, and then compared too. */
static bool read_named(struct disk_output *out, const struct disk *source, struct error *error)
{
    struct disk_job *job = out->job;
    struct copy_options options = job->copy;
    options.journal = NULL;
    bool equal;
    uint64_t difference;
    struct disk *image = disk_open_raw(out->image_path, error);
    bool ok = image != NULL &&
              disk_compare(source, image, &options, &equal, &difference, &job->stats, error);
    disk_close(image);
    if (!ok || equal)
        return ok;
    error_set(error, ERROR_DAMAGED, "what an earlier run wrote is not there any more");
    return error_at(error, out->image_path, difference);
}

bool disk_output_copy(struct disk_output *out, const struct disk *source, struct error *error)
{
    struct disk_job *job = out->job;
    if (!out->named && !job->finish)
        return disk_copy_with(source, &job->copy, &out->image, &job->stats, error);
    if (out->named && job->copy.digests != NULL && !read_named(out, source, error))
        return false;
    job->stats = (struct copy_stats){.bytes = disk_size(source), .kept = disk_size(source)};
    return true;
}

bool disk_output_is_whole(const struct disk_output *out)
{
    return !out->job->part;
}

/* An image with the descriptor of another one would be read wrong: that of a file that is
 * replaced goes first. */
static bool publish_image(struct disk_output *out, bool describe, struct error *error)
{
    if (describe && fsync(out->image.fd) != 0) {
        error_system(error, "cannot write to disk");
        return error_in_file(error, out->image.partial);
    }
    if (describe && unlink(out->descriptor_path) != 0 && errno != ENOENT) {
        error_system(error, "cannot replace");
        return error_in_file(error, out->descriptor_path);
    }
    return file_publish(&out->image, error);
}

bool disk_output_publish(struct disk_output *out, const struct descriptor *d, struct error *error)
{
    bool describe = d != NULL && !(out->named && file_exists(out->descriptor_path));
    bool ok = true;
    if (describe && out->descriptor.fd < 0)
        ok = file_create(&out->descriptor, out->descriptor_path, NEW_FILE_MODE, out->force, error);
    ok = ok && (!describe || write_descriptor(out, d, error)) &&
         (out->named || publish_image(out, describe, error));
    if (ok && describe && !file_publish(&out->descriptor, error)) {
        /* An extent without its descriptor would pass for a whole image. */
        unlink(out->image_path);
        ok = false;
    }
    out->published = ok;
    return ok;
}

/* Until all has its name, and its digests are written, the journals are what tells that nothing but
 * that is missing. */
static void remove_journals(struct cli *cli, const struct disk_output *out)
{
    struct error error = ERROR_INIT;
    if (!disk_parts_remove(out->image_path, &error))
        log_say(&cli->log, LOG_WARN, "%s is done, but its journal is still there: %s",
                out->image_path, error.message);
}

void disk_output_close(struct cli *cli, struct disk_output *out, bool failed)
{
    struct disk_job *job = out->job;
    bool keep = job->copy.journal != NULL || (job->resume && !out->fresh);
    if (job->copy.journal != NULL && failed && out->image.fd >= 0)
        cli_say(cli, "%s is kept with its journal: the same command goes on with it",
                cli_printable(out->image.partial));
    if (out->published && job->resume && !failed)
        remove_journals(cli, out);
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

/* What was read through its parents has none any more. */
static bool stand_alone(struct descriptor *d, struct error *error)
{
    if (descriptor_get(d, "parentCID") == NULL)
        return true;
    descriptor_unset(d, "parentFileNameHint");
    descriptor_unset(d, "isNativeSnapshot");
    return descriptor_set(d, "parentCID", "ffffffff", error);
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
         descriptor_renew_cid(d, error) && stand_alone(d, error);
    descriptor_unset(d, "changeTrackPath");
    free(type);
    free(name);
    if (!ok) {
        descriptor_free(d);
        d = NULL;
    }
    return d;
}
