/*
 * baseimage_make - see baseimage.h: directories, and archives in archives, read as streams. Nothing
 * is unpacked to disk.
 */
#include "tpm/baseimage.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include <archive_entry.h>

#include "base/file.h"
#include "tpm/baseimage_scan.h"

enum { BLOCK = 1 << 18, TREE_DEPTH_MAX = 16 };

static bool has_suffix(const char *name, const char *suffix)
{
    size_t length = strcspn(name, ";"), tail = strlen(suffix);
    return length >= tail && strncasecmp(name + length - tail, suffix, tail) == 0;
}

/* Worth opening: what a depot, an image or an image database is made of. */
static bool is_archive_name(const char *name)
{
    return has_suffix(name, ".vib") || has_suffix(name, ".zip") || has_suffix(name, ".iso") ||
           has_suffix(name, "imgdb.tgz") || has_suffix(name, "imgdb.tar");
}

/* A file that could not be read is told, and the rest goes on. */
static bool give_up(struct scan *s, const char *name)
{
    if (s->error->code == ERROR_NONE)
        error_set(s->error, ERROR_DAMAGED, "cannot be read");
    log_say(s->log, LOG_WARN, "%s: %s: %s", s->source, name, s->error->message);
    error_clear(s->error);
    s->complete = false;
    return true;
}

/* Streams: an open file, an entry of an archive. */

struct file_stream {
    int fd;
    struct scan *scan;
};

static ssize_t read_file(void *user, void *data, size_t length)
{
    struct file_stream *f = user;
    ssize_t got;
    do
        got = read(f->fd, data, length);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        error_system(f->scan->error, "cannot read");
    return got;
}

struct entry_stream {
    struct archive *archive;
    struct scan *scan;
};

static ssize_t read_entry(void *user, void *data, size_t length)
{
    struct entry_stream *e = user;
    ssize_t got = archive_read_data(e->archive, data, length);
    if (got < 0) {
        const char *why = archive_error_string(e->archive);
        error_set(e->scan->error, ERROR_DAMAGED, "%s", why != NULL ? why : "damaged archive");
    }
    return got < 0 ? -1 : got;
}

/* Archives. */

struct feed {
    const struct scan_stream *stream;
    uint8_t block[BLOCK];
};

static la_ssize_t feed(struct archive *archive, void *user, const void **block)
{
    struct feed *f = user;
    ssize_t got = f->stream->read(f->stream->user, f->block, sizeof f->block);
    *block = f->block;
    if (got < 0)
        archive_set_error(archive, EIO, "the source cannot be read");
    return got;
}

static bool examine(struct scan *s, const char *place, const char *name,
                    const struct scan_stream *stream, unsigned depth);

static bool examine_entries(struct scan *s, struct archive *archive, const char *place,
                            unsigned depth)
{
    struct archive_entry *entry;
    for (;;) {
        int status = archive_read_next_header(archive, &entry);
        if (status == ARCHIVE_EOF)
            return true;
        if (status < ARCHIVE_WARN) {
            const char *why = archive_error_string(archive);
            return error_set(s->error, ERROR_DAMAGED, "%s", why != NULL ? why : "no archive");
        }
        const char *path = archive_entry_pathname(entry);
        if (path == NULL || archive_entry_filetype(entry) != AE_IFREG)
            continue;
        struct entry_stream e = {archive, s};
        const struct scan_stream stream = {read_entry, &e};
        if (!examine(s, place, file_name(path), &stream, depth))
            return false;
    }
}

static bool examine_archive(struct scan *s, const char *name, const struct scan_stream *stream,
                            unsigned depth)
{
    if (depth >= SCAN_DEPTH_MAX)
        return error_set(s->error, ERROR_DAMAGED, "archives inside archives, too deep");
    struct archive *archive = archive_read_new();
    struct feed *f = malloc(sizeof *f);
    bool ok = (archive != NULL && f != NULL) || error_memory(s->error);
    /* The files of a VIB are its payloads, and have no directory that a boot.cfg could speak of. */
    const char *place = has_suffix(name, ".vib") ? NULL : name;
    if (ok) {
        f->stream = stream;
        archive_read_support_filter_gzip(archive);
        archive_read_support_filter_xz(archive);
        archive_read_support_format_tar(archive);
        archive_read_support_format_zip_streamable(archive);
        archive_read_support_format_ar(archive);
        archive_read_support_format_iso9660(archive);
        if (archive_read_open(archive, f, NULL, feed, NULL) != ARCHIVE_OK) {
            const char *why = archive_error_string(archive);
            ok = error_set(s->error, ERROR_DAMAGED, "%s", why != NULL ? why : "no archive");
        }
        ok = ok && examine_entries(s, archive, place, depth);
    }
    archive_read_free(archive);
    free(f);
    return ok;
}

/* A file of whatever sort. */
static bool examine(struct scan *s, const char *place, const char *name,
                    const struct scan_stream *stream, unsigned depth)
{
    struct scan_digest digest;
    struct buffer text = BUFFER_INIT;
    if (++s->files > SCAN_FILES_MAX)
        return error_set(s->error, ERROR_DAMAGED, "more than %d files", SCAN_FILES_MAX);
    if (is_archive_name(name))
        return examine_archive(s, name, stream, depth + 1) || give_up(s, name);
    bool is_text = has_suffix(name, ".xml") || has_suffix(name, "boot.cfg");
    bool ok = scan_hash(s, stream, &digest, is_text ? &text : NULL);
    if (!ok) {
        buffer_free(&text);
        return give_up(s, name);
    }
    if (has_suffix(name, ".xml") && text.length > 0)
        scan_descriptor(s, name, buffer_text(&text), text.length);
    else if (has_suffix(name, "boot.cfg"))
        ok = scan_boot_cfg(s, place != NULL ? place : "", buffer_text(&text));
    else
        ok = scan_add_hashed(s, place, name, &digest);
    buffer_free(&text);
    if (s->error->code != ERROR_NONE)
        return give_up(s, name);
    return ok;
}

static bool examine_file(struct scan *s, const char *place, const char *path)
{
    int fd = file_open_read(path, s->error);
    if (fd < 0)
        return give_up(s, path);
    struct file_stream f = {fd, s};
    const struct scan_stream stream = {read_file, &f};
    bool ok = examine(s, place, file_name(path), &stream, 0);
    close(fd);
    return ok;
}

static bool examine_directory(struct scan *s, const char *path, unsigned depth)
{
    DIR *directory = opendir(path);
    bool ok = true;
    if (directory == NULL) {
        error_system(s->error, "cannot open the directory");
        return give_up(s, path);
    }
    for (struct dirent *e; ok && (e = readdir(directory)) != NULL;) {
        struct stat st;
        char *child = NULL;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (asprintf(&child, "%s/%s", path, e->d_name) < 0) {
            ok = error_memory(s->error);
            break;
        }
        /* Links may lead in circles, and out of the image. */
        if (lstat(child, &st) == 0 && S_ISDIR(st.st_mode) && depth < TREE_DEPTH_MAX)
            ok = examine_directory(s, child, depth + 1);
        else if (lstat(child, &st) == 0 && S_ISREG(st.st_mode))
            ok = examine_file(s, path, child);
        free(child);
    }
    closedir(directory);
    return ok;
}

static bool examine_source(struct scan *s)
{
    struct stat st;
    if (stat(s->source, &st) != 0)
        return error_system(s->error, "cannot open");
    if (S_ISDIR(st.st_mode))
        return examine_directory(s, s->source, 0);
    int fd = file_open_read(s->source, s->error);
    if (fd < 0)
        return false;
    struct file_stream f = {fd, s};
    const struct scan_stream stream = {read_file, &f};
    bool ok = examine_archive(s, file_name(s->source), &stream, 0);
    close(fd);
    return ok;
}

static int by_name(const void *a, const void *b)
{
    const json_t *const *x = a, *const *y = b;
    int order = strcmp(json_string_value(json_object_get(*x, "name")),
                       json_string_value(json_object_get(*y, "name")));
    return order != 0 ? order
                      : strcmp(json_string_value(json_object_get(*x, "sha256")),
                               json_string_value(json_object_get(*y, "sha256")));
}

/* In one order, whatever that of the files was. */
static json_t *sorted(json_t *modules)
{
    size_t count = json_object_size(modules), i = 0;
    json_t **list = calloc(count + 1, sizeof(json_t *));
    json_t *out = list == NULL ? NULL : json_array();
    const char *digest;
    json_t *module;
    if (out != NULL) {
        json_object_foreach(modules, digest, module) list[i++] = module;
        qsort(list, count, sizeof(json_t *), by_name);
        for (i = 0; i < count; i++)
            json_array_append(out, list[i]);
    }
    free(list);
    return out;
}

json_t *baseimage_make(const char *source, const char *name, bool *complete, struct log *log,
                       struct error *error)
{
    struct scan s = {.source = source,
                     .log = log,
                     .error = error,
                     .complete = true,
                     .hashed = json_array(),
                     .listed = json_object(),
                     .modules = json_object()};
    json_t *document = NULL;
    bool ok = (s.hashed != NULL && s.listed != NULL && s.modules != NULL) || error_memory(error);
    ok = ok && examine_source(&s) && scan_settle(&s);
    if (ok && json_object_size(s.modules) == 0)
        ok = error_set(error, ERROR_DAMAGED,
                       "no modules of ESXi were found: neither descriptors of VIBs, nor a boot.cfg "
                       "with the files that it names, nor signed modules");
    if (ok)
        document = json_pack("{s:s, s:s, s:o}", "version", "1", "name", name, "modules",
                             sorted(s.modules));
    if (ok && document == NULL)
        error_set(error, ERROR_USAGE, "the name must be UTF-8");
    *complete = s.complete;
    json_decref(s.hashed);
    json_decref(s.listed);
    json_decref(s.modules);
    if (document == NULL)
        error_in_file(error, source);
    return document;
}
