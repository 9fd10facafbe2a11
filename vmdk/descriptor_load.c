/* descriptor_load - a descriptor from a file, and what else that file may turn out to be. */
#include "vmdk/descriptor.h"

#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

struct container {
    uint8_t magic[4];
    const char *what;
};

/* [docs/formats.md; source: libvmdk, qemu block/vmdk.c] */
static const struct container CONTAINERS[] = {
    {{'K', 'D', 'M', 'V'}, "a hosted sparse disk (KDMV; monolithicSparse or streamOptimized)"},
    {{'C', 'O', 'W', 'D'}, "a COWD sparse extent (vmfsSparse delta)"},
    {{0xbe, 0xba, 0xfe, 0xca}, "an seSparse extent"},
};

static bool refuse_container(int fd, const char *path, struct error *error)
{
    uint8_t magic[4];
    if (!file_read_at(fd, path, magic, sizeof magic, 0, error))
        return false;
    for (size_t i = 0; i < sizeof CONTAINERS / sizeof CONTAINERS[0]; i++) {
        if (memcmp(magic, CONTAINERS[i].magic, sizeof magic) == 0)
            return error_set(error, ERROR_FAILED, "%s; this version reads flat extents only",
                             CONTAINERS[i].what);
    }
    return true;
}

static bool read_text(const char *path, struct buffer *text, struct error *error)
{
    /* Asked before opening: an open of a FIFO would wait for a writer. */
    struct stat st;
    if (stat(path, &st) != 0)
        return error_system(error, "cannot open");
    if (!S_ISREG(st.st_mode))
        return error_set(error, ERROR_FAILED, "is no regular file");
    int fd = file_open_read(path, error);
    if (fd < 0)
        return false;
    bool ok = true;
    if (fstat(fd, &st) != 0)
        ok = error_system(error, "cannot examine");
    if (ok && st.st_size >= 4)
        ok = refuse_container(fd, path, error);
    if (ok && st.st_size > DESCRIPTOR_MAX_BYTES)
        ok = error_set(error, ERROR_DAMAGED,
                       "%jd bytes, too large for a disk descriptor (at most %d); if it is an "
                       "extent, name the small .vmdk beside it",
                       (intmax_t)st.st_size, DESCRIPTOR_MAX_BYTES);
    if (ok) {
        char *data = buffer_reserve(text, (size_t)st.st_size);
        ok = data != NULL ? file_read_at(fd, path, data, (size_t)st.st_size, 0, error)
                          : error_memory(error);
        if (ok)
            text->length = (size_t)st.st_size;
    }
    close(fd);
    return ok;
}

struct descriptor *descriptor_load(const char *path, struct error *error)
{
    struct buffer text = BUFFER_INIT;
    struct descriptor *d = NULL;
    if (read_text(path, &text, error))
        d = descriptor_parse(buffer_text(&text), text.length, error);
    buffer_free(&text);
    if (d == NULL)
        error_in_file(error, path);
    return d;
}
