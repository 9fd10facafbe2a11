/* inplace - see inplace.h: preparing, and the steps in their order. */
#include "vmdk/inplace.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "vmdk/disk_key.h"
#include "vmdk/inplace_private.h"

struct inplace {
    char *path; /* of the descriptor */
    struct inplace_options options;
    struct journal journal;
    struct target target;
    struct segment segment;
    struct journal_slot slot; /* being made */
    struct xts *from, *to;
    enum journal_text now; /* the text that the descriptor has */
    bool resumed;
    uint64_t converted;
};

void inplace_close(struct inplace *job)
{
    if (job == NULL)
        return;
    segment_free(&job->segment);
    target_close(&job->target);
    journal_free(&job->journal);
    free(job->slot.checksums);
    xts_free(job->from);
    xts_free(job->to);
    free(job->path);
    free(job);
}

enum inplace_operation inplace_job_operation(const struct inplace *job)
{
    return job->journal.operation;
}

/* A descriptor with two names, or behind a link, would have its journal beside one of them only. */
static bool check_descriptor(const char *path, bool force, struct error *error)
{
    struct stat st;
    char *lock = NULL;
    bool ok = true;
    if (lstat(path, &st) != 0)
        ok = error_system(error, "cannot examine");
    else if (!S_ISREG(st.st_mode))
        ok =
            error_set(error, ERROR_FAILED,
                      "is a link or no file; a disk is converted in place where its descriptor is");
    else if (st.st_nlink > 1)
        ok = error_set(error, ERROR_FAILED,
                       "has several names (hard links); the others would not see the journal of a "
                       "conversion");
    if (ok && asprintf(&lock, "%s.lck", path) < 0) {
        lock = NULL;
        ok = error_memory(error);
    }
    if (ok && !force && file_exists(lock))
        ok = error_set(error, ERROR_FAILED,
                       "is locked by a running VM (%s.lck is there); --force does it all the same",
                       file_name(path));
    free(lock);
    return ok;
}

static struct inplace *new_job(const char *path, const struct inplace_options *options,
                               struct error *error)
{
    struct inplace *job = calloc(1, sizeof *job);
    if (job == NULL) {
        error_memory(error);
        return NULL;
    }
    job->options = *options;
    job->journal.fd = -1;
    job->path = strdup(path);
    if (job->path == NULL) {
        error_memory(error);
    } else if (check_descriptor(path, options->force, error)) {
        job->journal.path = journal_path(path, error);
        if (job->journal.path != NULL)
            return job;
    }
    inplace_close(job);
    return NULL;
}

/* Which of the three texts the descriptor has now. */
static bool look_at_descriptor(struct inplace *job, struct error *error)
{
    struct buffer text = BUFFER_INIT;
    bool ok = file_read_all(job->path, DESCRIPTOR_MAX_BYTES, &text, error);
    if (ok)
        job->now = journal_recognize(&job->journal, buffer_text(&text), text.length);
    buffer_free(&text);
    return ok;
}

/* OLD as nobody opens it, with nothing of it lost. */
static bool make_mark(const struct buffer *old, struct buffer *out, struct error *error)
{
    struct descriptor *d = descriptor_parse(buffer_text(old), old->length, error);
    if (d == NULL)
        return false;
    size_t count = descriptor_extent_count(d);
    struct descriptor_extent *extents = calloc(count, sizeof *extents);
    bool ok = extents != NULL || error_memory(error);
    for (size_t i = 0; ok && i < count; i++) {
        extents[i] = *descriptor_extent_at(d, i);
        extents[i].access = EXTENT_NOACCESS;
    }
    ok = ok && descriptor_set_extents(d, extents, count, error) &&
         descriptor_set(d, "createType", INPLACE_MARK, error) &&
         (descriptor_write(d, out) || error_memory(error));
    free(extents);
    descriptor_free(d);
    return ok;
}

static bool fill_texts(struct journal *j, const struct descriptor *old,
                       const struct descriptor *new, struct error *error)
{
    if (!descriptor_write(old, &j->texts[TEXT_OLD]) || !descriptor_write(new, &j->texts[TEXT_NEW]))
        return error_memory(error);
    if (!make_mark(&j->texts[TEXT_OLD], &j->texts[TEXT_MARKED], error))
        return false;
    for (size_t i = 0; i < TEXT_COUNT; i++) {
        if (j->texts[i].length > DESCRIPTOR_MAX_BYTES)
            return error_set(error, ERROR_FAILED, "the descriptor would become too large");
    }
    return journal_recognize(j, buffer_text(&j->texts[TEXT_NEW]), j->texts[TEXT_NEW].length) ==
               TEXT_NEW ||
           error_set(error, ERROR_FAILED, "nothing would be changed");
}

static bool fill_files(struct journal *j, const struct target *t, struct error *error)
{
    j->files = calloc(t->file_count + 1, sizeof *j->files);
    if (j->files == NULL)
        return error_memory(error);
    for (; j->file_count < t->file_count; j->file_count++) {
        struct journal_file *file = &j->files[j->file_count];
        file->size = t->files[j->file_count].size;
        file->name = strdup(t->files[j->file_count].name);
        if (file->name == NULL)
            return error_memory(error);
    }
    return true;
}

/* A unit that lies partly in no file cannot be converted as a whole. */
static bool check_units(const struct inplace *job, struct error *error)
{
    const struct target *t = &job->target;
    size_t unit = job->journal.unit_bytes;
    bool ok = t->size % unit == 0;
    for (size_t i = 0; ok && i < t->extent_count; i++) {
        const struct target_extent *e = &t->extents[i];
        ok = e->file != TARGET_ZERO || (e->start % unit == 0 && e->length % unit == 0);
    }
    return ok || error_set(error, ERROR_FAILED,
                           "the disk or an extent of type ZERO is no multiple of a data unit of "
                           "%zu bytes",
                           unit);
}

static bool open_target(struct inplace *job, struct error *error)
{
    const struct buffer *old = &job->journal.texts[TEXT_OLD];
    struct descriptor *d = descriptor_parse(buffer_text(old), old->length, error);
    bool ok = d != NULL && target_open(&job->target, job->path, d, &job->options, error);
    descriptor_free(d);
    return ok && check_units(job, error);
}

struct inplace *inplace_begin(const char *path, enum inplace_operation operation, size_t unit_bytes,
                              const struct descriptor *old, const struct descriptor *new,
                              const struct inplace_options *options, struct error *error)
{
    struct inplace *job = new_job(path, options, error);
    if (job == NULL) {
        error_in_file(error, path);
        return NULL;
    }
    struct journal *j = &job->journal;
    j->operation = operation;
    j->unit_bytes = unit_bytes;
    j->segment_bytes = options->segment_bytes == 0 ? INPLACE_SEGMENT_BYTES : options->segment_bytes;
    bool ok = true;
    if (j->segment_bytes % unit_bytes != 0 || j->segment_bytes > INPLACE_SEGMENT_MAX)
        ok = error_set(error, ERROR_USAGE,
                       "a segment is a multiple of the data unit, of at most %d"
                       " bytes",
                       INPLACE_SEGMENT_MAX);
    ok = ok && fill_texts(j, old, new, error) && open_target(job, error);
    if (ok) {
        j->disk_bytes = job->target.size;
        if (j->segment_bytes > j->disk_bytes)
            j->segment_bytes = (size_t)j->disk_bytes;
        /* Only now, with the extents locked, it stays as it is. */
        ok = fill_files(j, &job->target, error) && look_at_descriptor(job, error);
    }
    if (ok && job->now != TEXT_OLD)
        ok = error_set(error, ERROR_FAILED, "was changed by someone else just now");
    if (ok && file_exists(j->path))
        ok = error_set(error, ERROR_FAILED, "another vmcrypt just began to convert it");
    if (!ok) {
        error_in_file(error, path);
        inplace_close(job);
        job = NULL;
    }
    return job;
}

/* The extents are those of the beginning, as far as their names and sizes tell. */
static bool check_files(const struct inplace *job, struct error *error)
{
    const struct journal *j = &job->journal;
    const struct target *t = &job->target;
    bool same = j->disk_bytes == t->size && j->file_count == t->file_count;
    for (size_t i = 0; same && i < t->file_count; i++)
        same =
            strcmp(j->files[i].name, t->files[i].name) == 0 && j->files[i].size == t->files[i].size;
    return same || error_set(error, ERROR_DAMAGED,
                             "the extents are not of the size that they had when the conversion "
                             "began; put back the right ones");
}

struct inplace *inplace_resume(const char *path, const struct inplace_options *options,
                               struct error *error)
{
    struct inplace *job = new_job(path, options, error);
    if (job == NULL) {
        error_in_file(error, path);
        return NULL;
    }
    job->resumed = true;
    bool ok = journal_open(&job->journal, true, error) && look_at_descriptor(job, error);
    if (ok && job->now == TEXT_COUNT)
        ok = error_set(error, ERROR_DAMAGED,
                       "is not the disk that the journal %s belongs to, or was changed since",
                       file_name(job->journal.path));
    if (ok && job->now != TEXT_NEW)
        ok = open_target(job, error) && check_files(job, error);
    if (!ok) {
        error_in_file(error, path);
        inplace_close(job);
        job = NULL;
    }
    return job;
}

static struct xts *unlock_text(const struct buffer *text, size_t unit_bytes,
                               const struct keyring *ring, struct error *error)
{
    struct keysafe_result result = {.attempt_count = 0};
    struct crypto_key dek = {.key = NULL};
    struct xts *x = NULL;
    struct descriptor *d = descriptor_parse(buffer_text(text), text->length, error);
    struct locator *safe = d == NULL ? NULL : disk_key_safe(d, error);
    if (safe != NULL && disk_key_unlock(safe, ring, &dek, &result, error))
        x = xts_new(dek.key, unit_bytes, error);
    crypto_key_free(&dek);
    keysafe_result_free(&result);
    locator_free(safe);
    descriptor_free(d);
    return x;
}

bool inplace_unlock(struct inplace *job, const struct keyring *ring, struct error *error)
{
    const struct journal *j = &job->journal;
    bool ok = true;
    if (job->now == TEXT_NEW)
        return true;
    if (j->operation != INPLACE_ENCRYPT) {
        job->from = unlock_text(&j->texts[TEXT_OLD], j->unit_bytes, ring, error);
        ok = job->from != NULL;
    }
    if (ok && j->operation != INPLACE_DECRYPT) {
        job->to = unlock_text(&j->texts[TEXT_NEW], j->unit_bytes, ring, error);
        ok = job->to != NULL || error_prefix(error, "the new disk key");
    }
    return ok || error_in_file(error, job->path);
}

/* Give the descriptor one of its texts, for good. */
static bool set_descriptor(struct inplace *job, enum journal_text which, struct error *error)
{
    const struct buffer *text = &job->journal.texts[which];
    if (!file_replace(job->path, buffer_text(text), text->length, 0600, true, error) ||
        !journal_sync_directory(job->path, error))
        return false;
    job->now = which;
    return true;
}

/* Steps 1 and 2. When they fail while nothing is changed, nothing is left either. */
static bool announce(struct inplace *job, struct error *error)
{
    struct error ignored = ERROR_INIT;
    if (job->journal.fd < 0 && !journal_create(&job->journal, error)) {
        if (job->journal.fd >= 0)
            journal_remove(&job->journal, &ignored);
        return false;
    }
    /* When resuming, neither name is known to be safe. */
    if (job->resumed && !journal_sync_directory(job->path, error))
        return false;
    if (job->now == TEXT_MARKED || set_descriptor(job, TEXT_MARKED, error))
        return true;
    if (!job->resumed && look_at_descriptor(job, &ignored) && job->now == TEXT_OLD)
        journal_remove(&job->journal, &ignored);
    return false;
}

/* Step 3 for the segment that is in memory, old as a whole. */
static bool convert_segment(struct inplace *job, struct error *error)
{
    struct segment *s = &job->segment;
    struct journal_slot *slot = &job->slot;
    slot->sequence++;
    slot->position = s->position;
    slot->length = s->length;
    slot->anchor = s->anchor;
    memcpy(slot->anchor_checksum, s->anchor_checksum, JOURNAL_CHECKSUM);
    return segment_checksums(s, slot->checksums, error) &&
           journal_put(&job->journal, slot, error) && segment_convert(s, error) &&
           segment_write(s, &job->target, error) && target_sync(&job->target, error);
}

/* Before anything is written on the word of the journal: what was converted last is still there. */
static bool check_anchor(struct inplace *job, struct error *error)
{
    const struct journal_slot *slot = &job->journal.slot;
    uint8_t sector[SECTOR_BYTES], checksum[JOURNAL_CHECKSUM];
    if (slot->anchor == UINT64_MAX)
        return true;
    if (!target_read(&job->target, slot->anchor, sector, sizeof sector, error))
        return false;
    if (journal_hash_sector(job->segment.hash, sector, checksum) &&
        memcmp(checksum, slot->anchor_checksum, JOURNAL_CHECKSUM) == 0)
        return true;
    error_set(error, ERROR_DAMAGED,
              "the extents are not as the interrupted conversion left them at byte %" PRIu64
              " of the disk: an older copy, or written to since; put back the right ones",
              slot->anchor);
    return error_in_file(error, job->path);
}

/* Step 3 for the segment of the slot that was found, which is old, new, or of both. */
static bool finish_segment(struct inplace *job, struct error *error)
{
    struct segment *s = &job->segment;
    const struct journal_slot *found = &job->journal.slot;
    s->position = found->position;
    s->length = (size_t)found->length;
    job->slot.sequence = found->sequence;
    return check_anchor(job, error) && journal_put(&job->journal, found, error) &&
           target_read(&job->target, s->position, s->data, s->length, error) &&
           segment_convert_mixed(s, found->checksums, error) &&
           segment_write(s, &job->target, error) && target_sync(&job->target, error);
}

static uint64_t segment_end(const struct segment *s)
{
    return s->position + s->length;
}

/* Read the first segment from OFFSET on that holds data; its length is 0 when there is none. */
static bool read_segment(struct inplace *job, uint64_t offset, struct error *error)
{
    struct segment *s = &job->segment;
    do {
        uint64_t data = target_next_data(&job->target, offset), left = job->target.size - data;
        s->position = data - data % s->unit_bytes;
        left += data - s->position;
        s->length = left < s->capacity ? (size_t)left : s->capacity;
        if (!target_read(&job->target, s->position, s->data, s->length, error))
            return false;
        offset = segment_end(s);
    } while (s->length > 0 && !segment_has_data(s));
    return true;
}

static bool stopped(struct inplace *job, uint64_t done, struct error *error)
{
    error_set(error, ERROR_PARTIAL, "interrupted with %.1f of %.1f MiB done; '%s' goes on",
              (double)done / 1048576, (double)job->target.size / 1048576,
              inplace_command(job->journal.operation));
    return error_in_file(error, job->path);
}

/* All of step 3. */
static bool convert_all(struct inplace *job, const struct progress *progress, struct error *error)
{
    struct segment *s = &job->segment;
    uint64_t size = job->target.size;
    s->from = job->from;
    s->to = job->to;
    if (job->journal.slot.sequence > 0) {
        if (!finish_segment(job, error))
            return false;
        job->converted += segment_changed(s);
    }
    for (;;) {
        if (!progress_update(progress, segment_end(s), size))
            return stopped(job, segment_end(s), error);
        if (!read_segment(job, segment_end(s), error))
            return false;
        if (s->length == 0)
            return true;
        target_will_read(&job->target, segment_end(s), s->capacity);
        if (!convert_segment(job, error))
            return false;
        job->converted += segment_changed(s);
    }
}

static bool make_room(struct inplace *job, struct error *error)
{
    size_t segment = job->journal.segment_bytes;
    job->slot = (struct journal_slot){
        .anchor = UINT64_MAX, .checksums = malloc(segment / SECTOR_BYTES * JOURNAL_CHECKSUM)};
    return (job->slot.checksums != NULL || error_memory(error)) &&
           segment_init(&job->segment, job->journal.unit_bytes, segment, error);
}

static bool convert_disk(struct inplace *job, const struct progress *progress, struct error *error)
{
    if (!make_room(job, error) || !announce(job, error))
        return false;
    if (convert_all(job, progress, error) && set_descriptor(job, TEXT_NEW, error)) {
        progress_update(progress, job->target.size, job->target.size);
        return true;
    }
    if (error->code == ERROR_FAILED)
        error->code = ERROR_PARTIAL;
    return false;
}

bool inplace_run(struct inplace *job, const struct progress *progress, struct inplace_stats *stats,
                 struct error *error)
{
    bool ok = true;
    if (job->now == TEXT_NEW)
        ok = journal_sync_directory(job->path, error);
    else
        ok = convert_disk(job, progress, error);
    ok = ok && journal_remove(&job->journal, error);
    *stats = (struct inplace_stats){
        .bytes = job->journal.disk_bytes, .converted = job->converted, .resumed = job->resumed};
    return ok;
}
