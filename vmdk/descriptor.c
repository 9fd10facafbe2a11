/* descriptor - see descriptor.h: parsing and asking. */
#include "vmdk/descriptor_private.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char MARK[] = "# Disk DescriptorFile";

struct span span_trim(struct span s)
{
    while (s.length > 0 && (s.at[0] == ' ' || s.at[0] == '\t')) {
        s.at++;
        s.length--;
    }
    while (s.length > 0 && strchr(" \t\r\n", s.at[s.length - 1]) != NULL &&
           s.at[s.length - 1] != '\0')
        s.length--;
    return s;
}

bool span_is(struct span s, const char *text)
{
    return s.length == strlen(text) && strncasecmp(s.at, text, s.length) == 0;
}

/* RW, RDONLY or NOACCESS followed by a blank; "RW = 1" would be a setting. */
static bool looks_like_extent(struct span line)
{
    size_t word = 0;
    while (word < line.length && line.at[word] != ' ' && line.at[word] != '\t')
        word++;
    struct span access = {line.at, word};
    if (!span_is(access, "RW") && !span_is(access, "RDONLY") && !span_is(access, "NOACCESS"))
        return false;
    struct span rest = span_trim((struct span){line.at + word, line.length - word});
    return rest.length == 0 || rest.at[0] != '=';
}

void line_classify(struct descriptor_line *line)
{
    struct span text = span_trim(line->bytes);
    line->kind = LINE_OTHER;
    line->name = line->token = (struct span){text.at, 0};
    if (text.length == 0 || text.at[0] == '#')
        return;
    if (looks_like_extent(text)) {
        line->kind = LINE_EXTENT;
        return;
    }
    const char *equals = memchr(text.at, '=', text.length);
    if (equals == NULL)
        return;
    size_t before = (size_t)(equals - text.at);
    struct span name = span_trim((struct span){text.at, before});
    struct span value = span_trim((struct span){equals + 1, text.length - before - 1});
    for (size_t i = 0; i < name.length; i++) {
        if (name.at[i] == ' ' || name.at[i] == '\t' || name.at[i] == '"' || name.at[i] == '\0')
            return;
    }
    if (name.length == 0 || memchr(value.at, '\0', value.length) != NULL)
        return;
    /* What stands behind a closing quote (a comment, say) is kept but no part of the value. */
    if (value.length > 1 && value.at[0] == '"') {
        const char *close = memchr(value.at + 1, '"', value.length - 1);
        if (close != NULL)
            value.length = (size_t)(close - value.at) + 1;
    }
    line->kind = LINE_SETTING;
    line->name = name;
    line->token = value;
}

char *token_value(const struct descriptor *d, struct span token)
{
    if (token.length > 0 && token.at[0] == '"') {
        token.at++;
        token.length--;
        if (token.length > 0 && token.at[token.length - 1] == '"')
            token.length--;
    }
    return charset_to_utf8(d->encoding, token.at, token.length);
}

void line_free(struct descriptor_line *line)
{
    free(line->owned);
    free(line->value);
}

/* Make room for one more item in an array that doubles. */
static bool grow(void **items, size_t count, size_t *capacity, size_t item)
{
    if (count < *capacity)
        return true;
    size_t wanted = *capacity == 0 ? 64 : *capacity * 2;
    void *grown = realloc(*items, wanted * item);
    if (grown == NULL)
        return false;
    *items = grown;
    *capacity = wanted;
    return true;
}

struct descriptor_line *line_insert(struct descriptor *d, size_t at)
{
    void *lines = d->lines;
    if (!grow(&lines, d->line_count, &d->line_capacity, sizeof *d->lines))
        return NULL;
    d->lines = lines;
    memmove(d->lines + at + 1, d->lines + at, (d->line_count - at) * sizeof *d->lines);
    d->line_count++;
    d->lines[at] = (struct descriptor_line){.kind = LINE_OTHER};
    return &d->lines[at];
}

static bool split_lines(struct descriptor *d, struct error *error)
{
    const char *at = buffer_text(&d->text);
    const char *end = at + d->text.length;
    while (end > at && end[-1] == '\0')
        end--;
    d->tail = (struct span){end, d->text.length - (size_t)(end - at)};
    d->line_end = "\n";
    while (at < end) {
        const char *feed = memchr(at, '\n', (size_t)(end - at));
        const char *next = feed == NULL ? end : feed + 1;
        if (d->line_count == 0 && feed != NULL && feed > at && feed[-1] == '\r')
            d->line_end = "\r\n";
        if (d->line_count == DESCRIPTOR_MAX_LINES)
            return error_set(error, ERROR_DAMAGED, "more than %d lines", DESCRIPTOR_MAX_LINES);
        struct descriptor_line *line = line_insert(d, d->line_count);
        if (line == NULL)
            return error_memory(error);
        line->bytes = (struct span){at, (size_t)(next - at)};
        line_classify(line);
        at = next;
    }
    return true;
}

size_t mark_line(const struct descriptor *d)
{
    for (size_t i = 0; i < d->line_count && d->lines[i].kind == LINE_OTHER; i++) {
        if (span_is(span_trim(d->lines[i].bytes), MARK))
            return i;
    }
    return d->line_count;
}

static void find_encoding(struct descriptor *d)
{
    for (size_t i = 0; i < d->line_count; i++) {
        struct descriptor_line *line = &d->lines[i];
        if (line->kind != LINE_SETTING || !span_is(line->name, "encoding"))
            continue;
        struct span name = line->token;
        if (name.length > 1 && name.at[0] == '"') {
            name.at++;
            name.length -= 2;
        }
        /* A longer name is no code page that we know. */
        if (name.length < sizeof d->encoding) {
            memcpy(d->encoding, name.at, name.length);
            d->encoding[name.length] = '\0';
        }
    }
}

static bool add_extent(struct descriptor *d, struct span line, struct error *error)
{
    if (d->extent_count == DESCRIPTOR_MAX_EXTENTS)
        return error_set(error, ERROR_DAMAGED, "more than %d extents", DESCRIPTOR_MAX_EXTENTS);
    void *extents = d->extents;
    if (!grow(&extents, d->extent_count, &d->extent_capacity, sizeof *d->extents))
        return error_memory(error);
    d->extents = extents;
    if (!extent_parse(d->encoding, line, &d->extents[d->extent_count], error))
        return false;
    d->extent_count++;
    return true;
}

static bool read_lines(struct descriptor *d, struct error *error)
{
    for (size_t i = 0; i < d->line_count; i++) {
        struct descriptor_line *line = &d->lines[i];
        if (line->kind == LINE_EXTENT && !add_extent(d, span_trim(line->bytes), error))
            return error_prefix(error, "line %zu", i + 1);
        if (line->kind != LINE_SETTING)
            continue;
        line->value = token_value(d, line->token);
        if (line->value == NULL)
            return error_memory(error);
    }
    return true;
}

struct descriptor *descriptor_parse(const char *text, size_t length, struct error *error)
{
    struct descriptor *d = calloc(1, sizeof *d);
    if (d == NULL) {
        error_memory(error);
        return NULL;
    }
    bool ok;
    if (length > DESCRIPTOR_MAX_BYTES)
        ok = error_set(error, ERROR_DAMAGED, "%zu bytes, too large for a disk descriptor", length);
    else if (!buffer_append(&d->text, text, length))
        ok = error_memory(error);
    else
        ok = split_lines(d, error);
    if (ok && mark_line(d) == d->line_count)
        ok = error_set(error, ERROR_DAMAGED, "no disk descriptor: it lacks the line \"%s\"", MARK);
    if (ok) {
        find_encoding(d);
        ok = read_lines(d, error);
    }
    if (!ok) {
        descriptor_free(d);
        d = NULL;
    }
    return d;
}

void descriptor_free(struct descriptor *d)
{
    if (d == NULL)
        return;
    for (size_t i = 0; i < d->line_count; i++)
        line_free(&d->lines[i]);
    for (size_t i = 0; i < d->extent_count; i++)
        extent_free(&d->extents[i]);
    free(d->lines);
    free(d->extents);
    buffer_free(&d->text);
    free(d);
}

bool descriptor_write(const struct descriptor *d, struct buffer *out)
{
    for (size_t i = 0; i < d->line_count; i++)
        buffer_append(out, d->lines[i].bytes.at, d->lines[i].bytes.length);
    return buffer_append(out, d->tail.at, d->tail.length);
}

const char *descriptor_get(const struct descriptor *d, const char *name)
{
    const char *value = NULL;
    for (size_t i = 0; i < d->line_count; i++) {
        if (d->lines[i].kind == LINE_SETTING && span_is(d->lines[i].name, name))
            value = d->lines[i].value;
    }
    return value;
}

size_t descriptor_extent_count(const struct descriptor *d)
{
    return d->extent_count;
}

const struct descriptor_extent *descriptor_extent_at(const struct descriptor *d, size_t i)
{
    return i < d->extent_count ? &d->extents[i] : NULL;
}

bool descriptor_size(const struct descriptor *d, uint64_t *bytes)
{
    uint64_t sectors = 0;
    for (size_t i = 0; i < d->extent_count; i++) {
        if (__builtin_add_overflow(sectors, d->extents[i].sectors, &sectors))
            return false;
    }
    return sectors <= INT64_MAX / SECTOR_BYTES &&
           !__builtin_mul_overflow(sectors, (uint64_t)SECTOR_BYTES, bytes);
}

/* Up to eight hex digits, as CIDs are written. */
static bool parse_cid(const char *text, uint32_t *cid)
{
    size_t digits = strspn(text, "0123456789abcdefABCDEF");
    if (digits == 0 || digits > 8 || text[digits] != '\0')
        return false;
    *cid = (uint32_t)strtoul(text, NULL, 16);
    return true;
}

bool descriptor_cids(const struct descriptor *d, uint32_t *cid, uint32_t *parent,
                     struct error *error)
{
    const char *own = descriptor_get(d, "CID"), *above = descriptor_get(d, "parentCID");
    *cid = 0;
    *parent = DESCRIPTOR_NO_PARENT;
    if (own != NULL && !parse_cid(own, cid))
        return error_set(error, ERROR_DAMAGED, "CID is no number of up to 8 hex digits");
    if (above != NULL && !parse_cid(above, parent))
        return error_set(error, ERROR_DAMAGED, "parentCID is no number of up to 8 hex digits");
    return true;
}
