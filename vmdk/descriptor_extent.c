/*
 * descriptor_extent - extent lines:
 *   ACCESS SECTORS TYPE ["FILE" [OFFSET [PARTITION-UUID [DEVICE-ID]]]]
 * [source: libvmdk, govmomi vmdk/descriptor.go; real samples]
 */
#include "vmdk/descriptor_private.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const ACCESS_NAMES[] = {"RW", "RDONLY", "NOACCESS"};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Take the next word off LINE; empty at its end. */
static struct span next_word(struct span *line)
{
    *line = span_trim(*line);
    struct span word = {line->at, 0};
    while (word.length < line->length && !is_blank(line->at[word.length]))
        word.length++;
    line->at += word.length;
    line->length -= word.length;
    return word;
}

/* A count of sectors whose bytes fit a file offset. */
static bool parse_sectors(struct span word, const char *what, uint64_t *value, struct error *error)
{
    if (word.length > 0 && word.at[0] == '-')
        return error_set(error, ERROR_DAMAGED, "negative %s in an extent", what);
    *value = 0;
    bool fits = true;
    for (size_t i = 0; i < word.length; i++) {
        char c = word.at[i];
        if (c < '0' || c > '9')
            return error_set(error, ERROR_DAMAGED, "the %s of an extent is no number", what);
        fits = fits && !__builtin_mul_overflow(*value, 10, value) &&
               !__builtin_add_overflow(*value, (uint64_t)(c - '0'), value);
    }
    if (word.length == 0)
        return error_set(error, ERROR_DAMAGED, "an extent without %s", what);
    if (!fits || *value > INT64_MAX / SECTOR_BYTES)
        return error_set(error, ERROR_DAMAGED, "the %s of an extent is too large for any file",
                         what);
    return true;
}

static bool parse_access(struct span word, enum extent_access *access, struct error *error)
{
    for (size_t i = 0; i < sizeof ACCESS_NAMES / sizeof ACCESS_NAMES[0]; i++) {
        if (span_is(word, ACCESS_NAMES[i])) {
            *access = (enum extent_access)i;
            return true;
        }
    }
    return error_set(error, ERROR_DAMAGED, "an extent with unknown access");
}

static bool parse_file(const char *encoding, struct span *line, struct descriptor_extent *extent,
                       struct error *error)
{
    *line = span_trim(*line);
    if (line->length == 0) {
        if (strcasecmp(extent->type, "ZERO") == 0 || extent->access == EXTENT_NOACCESS)
            return true;
        return error_set(error, ERROR_DAMAGED, "an extent of type %.32s without a file name",
                         extent->type);
    }
    const char *close =
        line->at[0] == '"' && line->length > 1 ? memchr(line->at + 1, '"', line->length - 1) : NULL;
    if (close == NULL)
        return error_set(error, ERROR_DAMAGED, "the file name of an extent is not in quotes");
    size_t length = (size_t)(close - line->at) - 1;
    extent->file = charset_to_utf8(encoding, line->at + 1, length);
    if (extent->file == NULL)
        return error_memory(error);
    line->at += length + 2;
    line->length -= length + 2;
    return true;
}

bool extent_parse(const char *encoding, struct span line, struct descriptor_extent *extent,
                  struct error *error)
{
    *extent = (struct descriptor_extent){0};
    if (memchr(line.at, '\0', line.length) != NULL)
        return error_set(error, ERROR_DAMAGED, "a NUL byte in an extent");
    if (!parse_access(next_word(&line), &extent->access, error) ||
        !parse_sectors(next_word(&line), "size", &extent->sectors, error))
        return false;
    struct span type = next_word(&line);
    if (type.length == 0 || type.at[0] == '"')
        return error_set(error, ERROR_DAMAGED, "an extent without a type");
    extent->type = strndup(type.at, type.length);
    bool ok = extent->type != NULL || error_memory(error);
    ok = ok && parse_file(encoding, &line, extent, error);
    struct span offset = next_word(&line);
    if (ok && offset.length > 0)
        ok = parse_sectors(offset, "offset", &extent->offset, error);
    if (!ok)
        extent_free(extent);
    return ok;
}

bool extent_format(const char *encoding, const struct descriptor_extent *extent, struct buffer *out,
                   struct error *error)
{
    buffer_printf(out, "%s %" PRIu64 " %s", ACCESS_NAMES[extent->access], extent->sectors,
                  extent->type);
    if (extent->file != NULL) {
        if (strpbrk(extent->file, "\"\r\n") != NULL)
            return error_set(error, ERROR_FAILED,
                             "a file name with a quote or line end has no form in a descriptor");
        char *file = charset_from_utf8(encoding, extent->file, error);
        if (file == NULL)
            return false;
        buffer_printf(out, " \"%s\"", file);
        free(file);
        /* VMFS extents are whole files; products write no offset. */
        if (strcasecmp(extent->type, "VMFS") != 0 || extent->offset != 0)
            buffer_printf(out, " %" PRIu64, extent->offset);
    }
    return !out->failed || error_memory(error);
}

void extent_free(struct descriptor_extent *extent)
{
    free(extent->type);
    free(extent->file);
    *extent = (struct descriptor_extent){0};
}
