/* copy_journal - see copy_journal.h. */
#include "vmdk/copy_journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "base/file.h"
#include "base/reader.h"

enum {
    VERSION = 1,
    SLOT = 64 << 10,
    SLOTS = 2,
    DIGEST = 32,
    FLAG_ZERO_UNITS = 1,
    FLAG_BAD_AS_ZEROS = 2,
    RECORD_FIXED = 8 + 4 + 4 + 6 * 8 + 4 + 4 + 3 * COPY_IDENTITY_DIGEST + 8,
};
_Static_assert(RECORD_FIXED + COPY_BAD_MAX * 16 + DIGEST <= SLOT, "the ranges fit a slot");

static const char MAGIC[8] = {'v', 'm', 'c', 'r', 'c', 'o', 'p', 'y'};

struct record {
    struct copy_identity identity;
    struct copy_part part;
    uint64_t sequence;
    struct copy_bad bad;
};

struct copy_journal {
    int fd;
    char *path;
    struct record newest;
    uint8_t slot[SLOT];
};

static uint8_t *put(uint8_t *at, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        *at++ = (uint8_t)(value >> 8 * i);
    return at;
}

static uint8_t *put_digest(uint8_t *at, const uint8_t *digest)
{
    memcpy(at, digest, COPY_IDENTITY_DIGEST);
    return at + COPY_IDENTITY_DIGEST;
}

static bool slot_digest(const uint8_t *slot, uint8_t *digest)
{
    return EVP_Digest(slot, SLOT - DIGEST, digest, NULL, EVP_sha256(), NULL) == 1;
}

static bool encode(const struct record *r, uint8_t *slot)
{
    const struct copy_identity *i = &r->identity;
    memset(slot, 0, SLOT);
    memcpy(slot, MAGIC, sizeof MAGIC);
    uint8_t *at = put(slot + sizeof MAGIC, VERSION, 4);
    at = put(at, i->operation, 4);
    at = put(at, r->sequence, 8);
    at = put(at, i->size, 8);
    at = put(at, r->part.start, 8);
    at = put(at, r->part.end, 8);
    at = put(at, r->part.done, 8);
    at = put(at, i->first_unit, 8);
    at = put(at, i->unit_bytes, 4);
    at = put(at,
             (i->decrypt_zero_units ? FLAG_ZERO_UNITS : 0) |
                 (i->bad_as_zeros ? FLAG_BAD_AS_ZEROS : 0),
             4);
    at = put_digest(at, i->extents);
    at = put_digest(at, i->files);
    at = put_digest(at, i->key);
    at = put(at, r->bad.count, 8);
    for (size_t k = 0; k < r->bad.count; k++) {
        at = put(at, r->bad.ranges[k].offset, 8);
        at = put(at, r->bad.ranges[k].length, 8);
    }
    return slot_digest(slot, slot + SLOT - DIGEST);
}

static void get_digest(struct reader *r, uint8_t *digest)
{
    const uint8_t *bytes = reader_bytes(r, COPY_IDENTITY_DIGEST);
    if (bytes != NULL)
        memcpy(digest, bytes, COPY_IDENTITY_DIGEST);
}

static bool get_bad(struct reader *r, struct copy_bad *bad)
{
    uint64_t count = reader_u64(r);
    if (count > COPY_BAD_MAX)
        return false;
    bad->count = (size_t)count;
    for (size_t i = 0; i < bad->count; i++) {
        bad->ranges[i].offset = reader_u64(r);
        bad->ranges[i].length = reader_u64(r);
    }
    return !r->failed;
}

/* False when the slot does not verify or makes no sense. */
static bool decode(const uint8_t *slot, struct record *out)
{
    uint8_t digest[DIGEST];
    if (!slot_digest(slot, digest) || memcmp(digest, slot + SLOT - DIGEST, DIGEST) != 0 ||
        memcmp(slot, MAGIC, sizeof MAGIC) != 0)
        return false;
    struct reader r = reader_over(slot + sizeof MAGIC, SLOT - DIGEST - sizeof MAGIC);
    bool known = reader_u32(&r) == VERSION;
    *out = (struct record){.identity = {.operation = (enum copy_operation)reader_u32(&r)}};
    out->sequence = reader_u64(&r);
    out->identity.size = reader_u64(&r);
    out->part.start = reader_u64(&r);
    out->part.end = reader_u64(&r);
    out->part.done = reader_u64(&r);
    out->identity.first_unit = reader_u64(&r);
    out->identity.unit_bytes = reader_u32(&r);
    uint32_t flags = reader_u32(&r);
    out->identity.decrypt_zero_units = (flags & FLAG_ZERO_UNITS) != 0;
    out->identity.bad_as_zeros = (flags & FLAG_BAD_AS_ZEROS) != 0;
    get_digest(&r, out->identity.extents);
    get_digest(&r, out->identity.files);
    get_digest(&r, out->identity.key);
    return get_bad(&r, &out->bad) && known && out->part.start <= out->part.done &&
           out->part.done <= out->part.end && out->part.end <= out->identity.size;
}

/* The newest slot that verifies. */
static bool load(int fd, const char *path, struct record *newest, struct error *error)
{
    uint8_t *slots = malloc((size_t)SLOTS * SLOT);
    struct record *r = malloc(sizeof *r);
    bool ok = (slots != NULL && r != NULL) || error_memory(error);
    ok = ok && file_read_at(fd, path, slots, (size_t)SLOTS * SLOT, 0, error);
    bool found = false;
    for (int i = 0; ok && i < SLOTS; i++) {
        if (decode(slots + (size_t)i * SLOT, r) && (!found || r->sequence > newest->sequence)) {
            *newest = *r;
            found = true;
        }
    }
    if (ok && !found)
        error_set(error, ERROR_DAMAGED, "this journal is damaged");
    free(slots);
    free(r);
    if (found)
        return true;
    if (error->code == ERROR_DAMAGED) {
        error_set(error, ERROR_DAMAGED,
                  "the journal of the interrupted copy is damaged, so that it cannot be gone on "
                  "with; --force starts again");
        error_in_file(error, path);
    }
    return false;
}

/* NULL: the two are of the same copy. Else what differs. */
static const char *difference(const struct copy_identity *a, const struct copy_identity *b)
{
    if (a->operation != b->operation)
        return "the operation";
    if (a->size != b->size)
        return "the size of the disk";
    if (memcmp(a->extents, b->extents, sizeof a->extents) != 0)
        return "the descriptor";
    if (memcmp(a->files, b->files, sizeof a->files) != 0)
        return "the size or time of change of an extent";
    if (a->unit_bytes != b->unit_bytes || a->first_unit != b->first_unit)
        return "the data unit";
    if (memcmp(a->key, b->key, sizeof a->key) != 0)
        return "the disk key";
    if (a->decrypt_zero_units != b->decrypt_zero_units)
        return "--decrypt-zero-units";
    if (a->bad_as_zeros != b->bad_as_zeros)
        return "--bad-sectors";
    return NULL;
}

static bool check(const struct record *r, const struct copy_identity *identity, const char *path,
                  struct error *error)
{
    const char *what = difference(&r->identity, identity);
    if (what == NULL)
        return true;
    error_set(error, ERROR_FAILED,
              "this is the journal of another copy: %s differs; --force starts again", what);
    return error_in_file(error, path);
}

static bool write_slot(struct copy_journal *j, int fd, const char *path, uint64_t sequence,
                       struct error *error)
{
    j->newest.sequence = sequence;
    return (encode(&j->newest, j->slot) ||
            error_set(error, ERROR_FAILED, "cannot compute SHA-256")) &&
           file_write_at(fd, path, j->slot, SLOT, sequence % SLOTS * SLOT, error);
}

/* A new journal is whole when it gets its name. */
static bool make(struct copy_journal *j, struct error *error)
{
    struct file_output out;
    if (!file_create(&out, j->path, 0600, true, error))
        return false;
    bool ok = write_slot(j, out.fd, out.partial, 1, error) &&
              write_slot(j, out.fd, out.partial, 2, error) && file_publish(&out, error);
    file_abandon(&out);
    return ok;
}

static bool open_locked(struct copy_journal *j, struct error *error)
{
    j->fd = open(j->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (j->fd < 0) {
        error_system(error, "cannot open the journal");
        return error_in_file(error, j->path);
    }
    if (flock(j->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        error_set(error, ERROR_FAILED, "another process is at work on this copy");
        return error_in_file(error, j->path);
    }
    return true;
}

struct copy_journal *copy_journal_open(const char *path, const struct copy_identity *identity,
                                       uint64_t start, uint64_t end, struct error *error)
{
    struct copy_journal *j = calloc(1, sizeof *j);
    if (j == NULL) {
        error_memory(error);
        return NULL;
    }
    j->fd = -1;
    j->path = strdup(path);
    bool ok = j->path != NULL || error_memory(error);
    if (ok && !file_exists(path)) {
        j->newest = (struct record){.identity = *identity, .part = {start, end, start}};
        ok = make(j, error);
    }
    ok = ok && open_locked(j, error) && load(j->fd, path, &j->newest, error) &&
         check(&j->newest, identity, path, error);
    if (ok && (j->newest.part.start != start || j->newest.part.end != end)) {
        ok = error_set(error, ERROR_FAILED, "this is the journal of another part of the disk");
        error_in_file(error, path);
    }
    if (!ok) {
        copy_journal_close(j);
        j = NULL;
    }
    return j;
}

void copy_journal_close(struct copy_journal *j)
{
    if (j == NULL)
        return;
    if (j->fd >= 0)
        close(j->fd);
    free(j->path);
    free(j);
}

uint64_t copy_journal_done(const struct copy_journal *j)
{
    return j->newest.part.done;
}

/* Put what of FROM lies before DONE in place of INTO. */
static void restrict_bad(struct copy_bad *into, const struct copy_bad *from, uint64_t done)
{
    into->count = 0;
    for (size_t i = 0; i < from->count && from->ranges[i].offset < done; i++) {
        struct copy_range r = from->ranges[i];
        if (r.length > done - r.offset)
            r.length = done - r.offset;
        into->ranges[into->count++] = r;
    }
}

void copy_journal_bad(const struct copy_journal *j, struct copy_bad *bad)
{
    restrict_bad(bad, &j->newest.bad, j->newest.part.done);
}

bool copy_journal_record(struct copy_journal *j, uint64_t done, const struct copy_bad *bad,
                         struct error *error)
{
    j->newest.part.done = done;
    if (bad != NULL)
        restrict_bad(&j->newest.bad, bad, done);
    if (!write_slot(j, j->fd, j->path, j->newest.sequence + 1, error))
        return false;
    if (fdatasync(j->fd) == 0)
        return true;
    error_system(error, "cannot write to disk");
    return error_in_file(error, j->path);
}

bool copy_journal_peek(const char *path, const struct copy_identity *identity,
                       struct copy_part *part, struct copy_bad *bad, struct error *error)
{
    int fd = file_open_read(path, error);
    if (fd < 0)
        return false;
    struct record *r = malloc(sizeof *r);
    bool ok = r == NULL ? error_memory(error)
                        : load(fd, path, r, error) && check(r, identity, path, error);
    close(fd);
    if (ok && r->bad.count > COPY_BAD_MAX - bad->count)
        ok = error_set(error, ERROR_FAILED, "more than %d unreadable ranges in all parts",
                       COPY_BAD_MAX);
    if (ok) {
        *part = r->part;
        for (size_t i = 0; i < r->bad.count; i++)
            bad->ranges[bad->count++] = r->bad.ranges[i];
    }
    free(r);
    return ok;
}
