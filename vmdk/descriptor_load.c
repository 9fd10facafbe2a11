/* descriptor_load - a descriptor from a file of its own, or out of the extent that holds it, or
 * one made up for an extent that holds none. */
#include "vmdk/descriptor_private.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/reader.h"

enum { HEAD_BYTES = 512 };

/* What is to be known of an extent before its descriptor is. */
struct container {
    const char *type;              /* of an extent line */
    uint64_t capacity;             /* sectors */
    uint64_t text_at, text_length; /* the descriptor inside, bytes; 0: there is none */
};

/* [docs/formats.md; source: libvmdk, qemu block/vmdk.c] */
static bool recognise(const uint8_t *head, struct container *c)
{
    struct reader r = reader_over(head, HEAD_BYTES);
    *c = (struct container){.type = NULL};
    if (memcmp(head, "KDMV", 4) == 0) {
        reader_skip(&r, 12);
        c->type = "SPARSE";
        c->capacity = reader_u64(&r);
        reader_skip(&r, 8);
        c->text_at = reader_u64(&r);
        c->text_length = reader_u64(&r);
    } else if (memcmp(head, "COWD", 4) == 0) {
        reader_skip(&r, 12);
        c->type = "VMFSSPARSE";
        c->capacity = reader_u32(&r);
    } else if (memcmp(head, "\xbe\xba\xfe\xca\0\0\0\0", 8) == 0) {
        reader_skip(&r, 16);
        c->type = "SESPARSE";
        c->capacity = reader_u64(&r);
    }
    return c->type != NULL;
}

/* A descriptor of one extent that says no more than the extent itself. */
static struct descriptor *make_up(const char *path, const struct container *c, struct error *error)
{
    struct buffer text = BUFFER_INIT;
    struct descriptor_extent extent = {
        .sectors = c->capacity, .type = (char *)c->type, .file = (char *)file_name(path)};
    buffer_append_text(&text, "# Disk DescriptorFile\nversion=1\nencoding=\"UTF-8\"\n"
                              "CID=fffffffe\nparentCID=ffffffff\ncreateType=\"custom\"\n");
    struct descriptor *d = text.failed ? NULL : descriptor_parse(text.data, text.length, error);
    if (text.failed)
        error_memory(error);
    buffer_free(&text);
    if (d != NULL && !descriptor_set_extents(d, &extent, 1, error)) {
        descriptor_free(d);
        d = NULL;
    }
    if (d != NULL)
        d->made_up = true;
    return d;
}

static bool read_text(int fd, const char *path, uint64_t offset, uint64_t length,
                      struct buffer *text, struct error *error)
{
    if (length > DESCRIPTOR_MAX_BYTES)
        return error_set(error, ERROR_DAMAGED,
                         "%" PRIu64 " bytes, too large for a disk descriptor (at most %d); if it "
                         "is an extent, name the small .vmdk beside it",
                         length, DESCRIPTOR_MAX_BYTES);
    char *data = buffer_reserve(text, (size_t)length);
    if (data == NULL)
        return error_memory(error);
    if (!file_read_at(fd, path, data, (size_t)length, offset, error))
        return false;
    text->length = (size_t)length;
    return true;
}

static struct descriptor *load_embedded(int fd, const char *path, const struct container *c,
                                        struct error *error)
{
    struct buffer text = BUFFER_INIT;
    struct descriptor *d = NULL;
    /* Products leave the rest of the sectors that are set aside for it zero. */
    if (c->text_at > (uint64_t)INT64_MAX / SECTOR_BYTES)
        error_set(error, ERROR_DAMAGED, "its descriptor lies beyond any file");
    else if (read_text(fd, path, c->text_at * SECTOR_BYTES,
                       c->text_length > DESCRIPTOR_MAX_BYTES ? UINT64_MAX
                                                             : c->text_length * SECTOR_BYTES,
                       &text, error))
        d = descriptor_parse(text.data, text.length, error);
    buffer_free(&text);
    if (d != NULL)
        d->embedded = true;
    return d;
}

static struct descriptor *load(int fd, const char *path, struct error *error)
{
    struct stat st;
    uint8_t head[HEAD_BYTES];
    struct container c;
    if (fstat(fd, &st) != 0) {
        error_system(error, "cannot examine");
        return NULL;
    }
    if (!S_ISREG(st.st_mode)) {
        error_set(error, ERROR_FAILED, "is no regular file");
        return NULL;
    }
    if (st.st_size >= HEAD_BYTES) {
        if (!file_read_at(fd, path, head, sizeof head, 0, error))
            return NULL;
        if (recognise(head, &c))
            return c.text_at != 0 && c.text_length != 0 ? load_embedded(fd, path, &c, error)
                                                        : make_up(path, &c, error);
    }
    struct buffer text = BUFFER_INIT;
    struct descriptor *d = NULL;
    if (read_text(fd, path, 0, (uint64_t)st.st_size, &text, error))
        d = descriptor_parse(buffer_text(&text), text.length, error);
    buffer_free(&text);
    return d;
}

struct descriptor *descriptor_load_from(int fd, const char *path, struct error *error)
{
    struct descriptor *d = load(fd, path, error);
    if (d == NULL)
        error_in_file(error, path);
    return d;
}

struct descriptor *descriptor_load(const char *path, struct error *error)
{
    struct stat st;
    /* Asked before opening: an open of a FIFO would wait for a writer. */
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
        error_set(error, ERROR_FAILED, "is no regular file");
        error_in_file(error, path);
        return NULL;
    }
    int fd = file_open_read(path, error);
    if (fd < 0) {
        error_in_file(error, path);
        return NULL;
    }
    struct descriptor *d = descriptor_load_from(fd, path, error);
    close(fd);
    return d;
}

bool descriptor_is_embedded(const struct descriptor *d)
{
    return d->embedded;
}

bool descriptor_is_made_up(const struct descriptor *d)
{
    return d->made_up;
}
