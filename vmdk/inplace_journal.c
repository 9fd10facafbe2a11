/* inplace_journal - the journal as a file, and its header; see inplace_private.h. */
#include "vmdk/inplace_private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "base/file.h"
#include "base/reader.h"

enum {
    VERSION = 1,
    BLOCK = 4096,
    FIXED_BYTES = 68,
    FILE_MIN_BYTES = 12,
    NAME_MAX_BYTES = 64 << 10
};

static const char MAGIC[8] = {'v', 'm', 'c', 'r', 'i', 'n', 'p', 'l'};

char *journal_path(const char *path, struct error *error)
{
    char *journal = NULL, *real = realpath(path, NULL);
    if (real == NULL) {
        error_system(error, "cannot find");
        error_in_file(error, path);
        return NULL;
    }
    if (asprintf(&journal, "%s.journal", real) < 0) {
        journal = NULL;
        error_memory(error);
    }
    free(real);
    return journal;
}

static void put_number(struct buffer *out, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        buffer_append_byte(out, (char)(value >> (8 * i)));
}

static bool digest_of(const void *data, size_t length, uint8_t *digest, struct error *error)
{
    return EVP_Digest(data, length, digest, NULL, EVP_sha256(), NULL) == 1 ||
           error_set(error, ERROR_FAILED, "SHA-256 is not to be had from libcrypto");
}

bool journal_format(struct journal *j, struct buffer *out, struct error *error)
{
    size_t start = out->length, length = FIXED_BYTES + JOURNAL_DIGEST;
    for (size_t i = 0; i < j->file_count; i++)
        length += FILE_MIN_BYTES + strlen(j->files[i].name);
    for (size_t i = 0; i < TEXT_COUNT; i++)
        length += j->texts[i].length;
    buffer_append(out, MAGIC, sizeof MAGIC);
    put_number(out, VERSION, 4);
    put_number(out, j->operation, 4);
    put_number(out, j->unit_bytes, 4);
    put_number(out, j->segment_bytes, 4);
    put_number(out, j->disk_bytes, 8);
    put_number(out, length, 8);
    for (size_t i = 0; i < TEXT_COUNT; i++)
        put_number(out, j->texts[i].length, 8);
    put_number(out, j->file_count, 4);
    for (size_t i = 0; i < j->file_count; i++) {
        put_number(out, j->files[i].size, 8);
        put_number(out, strlen(j->files[i].name), 4);
        buffer_append_text(out, j->files[i].name);
    }
    for (size_t i = 0; i < TEXT_COUNT; i++)
        buffer_append(out, buffer_text(&j->texts[i]), j->texts[i].length);
    if (out->failed)
        return error_memory(error);
    j->header_bytes = length;
    return digest_of(out->data + start, out->length - start, j->digest, error) &&
           (buffer_append(out, j->digest, sizeof j->digest) || error_memory(error));
}

static bool damaged(struct error *error, const char *what)
{
    return error_set(error, ERROR_DAMAGED,
                     "%s: no journal of an in-place conversion, or a damaged one; the disk beside "
                     "it may be converted in part",
                     what);
}

/* Sizes that add up, and that later code may rely on. */
static bool check_numbers(const struct journal *j, struct error *error)
{
    bool unit = j->unit_bytes >= 512 && j->unit_bytes <= 65536 &&
                (j->unit_bytes & (j->unit_bytes - 1)) == 0;
    if (j->operation < INPLACE_DECRYPT || j->operation > INPLACE_REENCRYPT || !unit)
        return damaged(error, "an operation or unit that is not known");
    if (j->segment_bytes == 0 || j->segment_bytes > INPLACE_SEGMENT_MAX ||
        j->segment_bytes % j->unit_bytes != 0 || j->disk_bytes == 0 || j->disk_bytes > INT64_MAX ||
        j->disk_bytes % j->unit_bytes != 0)
        return damaged(error, "sizes that do not fit");
    return true;
}

static bool parse_files(struct journal *j, struct reader *r, size_t count, struct error *error)
{
    if (count > TARGET_MAX_FILES || count > reader_left(r) / FILE_MIN_BYTES)
        return damaged(error, "too many files");
    j->files = calloc(count + 1, sizeof *j->files);
    if (j->files == NULL)
        return error_memory(error);
    for (size_t i = 0; i < count; i++) {
        j->files[i].size = reader_u64(r);
        size_t length = reader_u32(r);
        const uint8_t *name = length > NAME_MAX_BYTES ? NULL : reader_bytes(r, length);
        if (name == NULL || length == 0 || memchr(name, '\0', length) != NULL)
            return damaged(error, "a file without a name");
        j->files[i].name = strndup((const char *)name, length);
        if (j->files[i].name == NULL)
            return error_memory(error);
        j->file_count++;
    }
    return true;
}

static bool parse_body(struct journal *j, struct reader *r, struct error *error)
{
    uint64_t lengths[TEXT_COUNT];
    j->operation = (enum inplace_operation)reader_u32(r);
    j->unit_bytes = reader_u32(r);
    j->segment_bytes = reader_u32(r);
    j->disk_bytes = reader_u64(r);
    reader_u64(r); /* the length, known by now */
    for (size_t i = 0; i < TEXT_COUNT; i++)
        lengths[i] = reader_u64(r);
    if (!check_numbers(j, error) || !parse_files(j, r, reader_u32(r), error))
        return false;
    for (size_t i = 0; i < TEXT_COUNT; i++) {
        const uint8_t *text = NULL;
        if (lengths[i] > 0 && lengths[i] <= DESCRIPTOR_MAX_BYTES)
            text = reader_bytes(r, (size_t)lengths[i]);
        if (text == NULL)
            return damaged(error, "a descriptor that does not fit");
        if (!buffer_append(&j->texts[i], text, (size_t)lengths[i]))
            return error_memory(error);
    }
    return reader_left(r) == 0 || damaged(error, "more than it should hold");
}

/* The length that the fixed part at DATA tells; 0 when it is none of ours. */
static size_t header_length(const uint8_t *data, size_t length, struct error *error)
{
    struct reader r = reader_over(data, length);
    const uint8_t *magic = reader_bytes(&r, sizeof MAGIC);
    uint32_t version = reader_u32(&r);
    if (r.failed || memcmp(magic, MAGIC, sizeof MAGIC) != 0) {
        damaged(error, "does not begin as one");
        return 0;
    }
    if (version != VERSION) {
        error_set(error, ERROR_FAILED,
                  "a journal of version %" PRIu32 ", which another version of vmcrypt wrote",
                  version);
        return 0;
    }
    reader_bytes(&r, 20);
    uint64_t total = reader_u64(&r);
    if (r.failed || total < FIXED_BYTES + JOURNAL_DIGEST || total > JOURNAL_HEADER_MAX) {
        damaged(error, "a header that does not fit");
        return 0;
    }
    return (size_t)total;
}

bool journal_parse(struct journal *j, const uint8_t *data, size_t length, struct error *error)
{
    size_t total = header_length(data, length, error);
    if (total == 0)
        return false;
    if (total > length)
        return damaged(error, "ends early");
    j->header_bytes = total;
    if (!digest_of(data, total - JOURNAL_DIGEST, j->digest, error))
        return false;
    if (memcmp(j->digest, data + total - JOURNAL_DIGEST, JOURNAL_DIGEST) != 0)
        return damaged(error, "a checksum that does not hold");
    struct reader r = reader_over(data, total - JOURNAL_DIGEST);
    reader_bytes(&r, sizeof MAGIC + 4);
    return parse_body(j, &r, error);
}

uint64_t journal_slots_at(const struct journal *j)
{
    return ((uint64_t)j->header_bytes + BLOCK - 1) / BLOCK * BLOCK;
}

static bool read_header(struct journal *j, struct error *error)
{
    struct stat st;
    uint8_t fixed[FIXED_BYTES];
    if (fstat(j->fd, &st) != 0)
        return error_system(error, "cannot examine");
    if (!S_ISREG(st.st_mode))
        return damaged(error, "is no regular file");
    if (st.st_size < FIXED_BYTES)
        return damaged(error, "ends early");
    if (!file_read_at(j->fd, j->path, fixed, sizeof fixed, 0, error))
        return false;
    size_t total = header_length(fixed, sizeof fixed, error);
    if (total == 0)
        return false;
    if ((uint64_t)st.st_size < total)
        return damaged(error, "ends early");
    uint8_t *data = malloc(total);
    if (data == NULL)
        return error_memory(error);
    bool ok =
        file_read_at(j->fd, j->path, data, total, 0, error) && journal_parse(j, data, total, error);
    free(data);
    if (ok && (uint64_t)st.st_size < journal_slots_at(j) + 2 * (uint64_t)journal_slot_bytes(j))
        ok = damaged(error, "ends early");
    return ok;
}

/* The file may have been removed, or even another one be there, since it was opened: by a run that
 * held the lock till now. */
static bool check_still_there(const struct journal *j, struct error *error)
{
    struct stat ours, named;
    if (fstat(j->fd, &ours) == 0 && stat(j->path, &named) == 0 && ours.st_dev == named.st_dev &&
        ours.st_ino == named.st_ino)
        return true;
    return error_set(error, ERROR_FAILED, "another vmcrypt just finished with it");
}

bool journal_open(struct journal *j, bool lock, struct error *error)
{
    int mode = lock ? O_RDWR : O_RDONLY;
    j->fd = open(j->path, mode | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    bool ok = j->fd >= 0 || error_system(error, "cannot open");
    if (ok && lock)
        ok = journal_lock_file(j->fd, j->path, error) && check_still_there(j, error);
    ok = ok && read_header(j, error) && journal_get(j, error);
    return ok || error_in_file(error, j->path);
}

/* Both slots are written, as zeros: room that exists cannot be lacking later. */
static bool write_whole(struct journal *j, struct error *error)
{
    struct buffer header = BUFFER_INIT;
    uint8_t *zeros = NULL;
    bool ok = journal_format(j, &header, error);
    size_t bytes = journal_slot_bytes(j);
    if (ok) {
        zeros = calloc(1, bytes);
        ok = zeros != NULL || error_memory(error);
    }
    ok = ok && file_write_at(j->fd, j->path, buffer_text(&header), header.length, 0, error);
    for (uint64_t i = 0; ok && i < 2; i++)
        ok = file_write_at(j->fd, j->path, zeros, bytes, journal_slots_at(j) + i * bytes, error);
    free(zeros);
    buffer_free(&header);
    return ok;
}

bool journal_create(struct journal *j, struct error *error)
{
    struct file_output out;
    if (file_exists(j->path)) {
        error_set(error, ERROR_FAILED, "exists by now: another vmcrypt is at this disk");
        return error_in_file(error, j->path);
    }
    if (!file_create(&out, j->path, 0600, false, error))
        return false;
    /* The lock is held by what both descriptors stand for, and stays when one is closed. */
    j->fd = fcntl(out.fd, F_DUPFD_CLOEXEC, 0);
    bool ok = j->fd >= 0 || error_system(error, "cannot open");
    ok = ok && journal_lock_file(j->fd, j->path, error) && write_whole(j, error);
    if (ok)
        ok = file_publish(&out, error);
    else
        file_abandon(&out);
    if (!ok && j->fd >= 0) {
        close(j->fd);
        j->fd = -1;
    }
    return ok ? journal_sync_directory(j->path, error) : error_in_file(error, j->path);
}

bool journal_remove(struct journal *j, struct error *error)
{
    if (unlink(j->path) != 0) {
        error_system(error, "cannot remove");
        return error_in_file(error, j->path);
    }
    close(j->fd);
    j->fd = -1;
    return journal_sync_directory(j->path, error);
}

void journal_free(struct journal *j)
{
    if (j->fd >= 0)
        close(j->fd);
    for (size_t i = 0; i < j->file_count; i++)
        free(j->files[i].name);
    free(j->files);
    for (size_t i = 0; i < TEXT_COUNT; i++)
        buffer_free(&j->texts[i]);
    free(j->slot.checksums);
    free(j->path);
    *j = (struct journal){.fd = -1};
}

enum journal_text journal_recognize(const struct journal *j, const char *text, size_t length)
{
    for (size_t i = 0; i < TEXT_COUNT; i++) {
        if (j->texts[i].length == length && memcmp(buffer_text(&j->texts[i]), text, length) == 0)
            return (enum journal_text)i;
    }
    return TEXT_COUNT;
}

bool journal_sync_directory(const char *path, struct error *error)
{
    char *directory = file_beside(path, ".");
    if (directory == NULL)
        return error_memory(error);
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && (fsync(fd) == 0 || errno == EINVAL);
    if (!ok) {
        error_system(error, "cannot sync the directory");
        error_in_file(error, directory);
    }
    if (fd >= 0)
        close(fd);
    free(directory);
    return ok;
}

bool journal_sync_file(int fd, const char *path, struct error *error)
{
    int result;
    do
        result = fdatasync(fd);
    while (result != 0 && errno == EINTR);
    if (result == 0)
        return true;
    error_system(error, "cannot write to disk");
    return error_in_file(error, path);
}

bool journal_lock_file(int fd, const char *path, struct error *error)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
        return true;
    if (errno == EAGAIN || errno == EACCES)
        error_set(error, ERROR_FAILED, "is in use by another program, which holds a lock on it");
    else
        error_system(error, "cannot be locked");
    return error_in_file(error, path);
}
