/* descriptor_edit - see descriptor.h: changing lines, the others kept as they are. */
#include "vmdk/descriptor_private.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool is_ddb(struct span name)
{
    return name.length > 4 && strncasecmp(name.at, "ddb.", 4) == 0;
}

/* Give LINE new bytes; all views of it are renewed. */
static bool line_store(struct descriptor *d, struct descriptor_line *line, const char *text,
                       size_t length, struct error *error)
{
    struct descriptor_line fresh = {.owned = malloc(length + 1)};
    if (fresh.owned == NULL)
        return error_memory(error);
    memcpy(fresh.owned, text, length);
    fresh.owned[length] = '\0';
    fresh.bytes = (struct span){fresh.owned, length};
    line_classify(&fresh);
    if (fresh.kind == LINE_SETTING) {
        fresh.value = token_value(d, fresh.token);
        if (fresh.value == NULL) {
            free(fresh.owned);
            return error_memory(error);
        }
    }
    line_free(line);
    *line = fresh;
    return true;
}

/* New lines are put behind line AT - 1, which may be a last one without its end. */
static bool end_line_before(struct descriptor *d, size_t at, struct error *error)
{
    if (at == 0)
        return true;
    struct descriptor_line *line = &d->lines[at - 1];
    if (line->bytes.length > 0 && line->bytes.at[line->bytes.length - 1] == '\n')
        return true;
    struct buffer text = BUFFER_INIT;
    buffer_append(&text, line->bytes.at, line->bytes.length);
    buffer_append_text(&text, d->line_end);
    bool ok =
        !text.failed ? line_store(d, line, text.data, text.length, error) : error_memory(error);
    buffer_free(&text);
    return ok;
}

/* Insert TEXT with a line end as line AT. */
static bool add_line(struct descriptor *d, size_t at, const struct buffer *text,
                     struct error *error)
{
    if (!end_line_before(d, at, error))
        return false;
    struct buffer whole = BUFFER_INIT;
    buffer_append(&whole, buffer_text(text), text->length);
    buffer_append_text(&whole, d->line_end);
    struct descriptor_line *line = whole.failed ? NULL : line_insert(d, at);
    bool ok =
        line != NULL ? line_store(d, line, whole.data, whole.length, error) : error_memory(error);
    buffer_free(&whole);
    return ok;
}

static bool needs_quotes(const char *value)
{
    return value[0] == '\0' || strpbrk(value, " \t#=") != NULL;
}

/* Products write these four bare in the head of a descriptor, all else in quotes. */
static bool is_bare_name(const char *name)
{
    static const char *const BARE[] = {"version", "CID", "parentCID", "keyID"};
    for (size_t i = 0; i < sizeof BARE / sizeof BARE[0]; i++) {
        if (strcasecmp(name, BARE[i]) == 0)
            return true;
    }
    return false;
}

static bool rewrite_setting(struct descriptor *d, struct descriptor_line *line, const char *value,
                            struct error *error)
{
    const char *end = line->bytes.at + line->bytes.length;
    const char *after = line->token.at + line->token.length;
    bool quotes = (line->token.length > 0 && line->token.at[0] == '"') || needs_quotes(value);
    struct buffer text = BUFFER_INIT;
    buffer_append(&text, line->bytes.at, (size_t)(line->token.at - line->bytes.at));
    buffer_printf(&text, quotes ? "\"%s\"" : "%s", value);
    buffer_append(&text, after, (size_t)(end - after));
    bool ok =
        !text.failed ? line_store(d, line, text.data, text.length, error) : error_memory(error);
    buffer_free(&text);
    return ok;
}

/* Behind the last setting of the same section; without one, ddb settings go to the end and
 * others behind the mark. */
static size_t place_for_setting(const struct descriptor *d, bool ddb)
{
    size_t place = ddb ? d->line_count : mark_line(d) + 1;
    for (size_t i = 0; i < d->line_count; i++) {
        if (d->lines[i].kind == LINE_SETTING && is_ddb(d->lines[i].name) == ddb)
            place = i + 1;
    }
    return place;
}

bool descriptor_set(struct descriptor *d, const char *name, const char *value, struct error *error)
{
    if (strpbrk(value, "\"\r\n") != NULL)
        return error_set(error, ERROR_FAILED,
                         "a value with a quote or line end has no form in a descriptor");
    if (strcasecmp(name, "encoding") == 0 && strcmp(value, d->encoding) != 0)
        return error_set(error, ERROR_FAILED,
                         "the code page of a descriptor stays: its other lines are written in it");
    char *bytes = charset_from_utf8(d->encoding, value, error);
    if (bytes == NULL)
        return false;
    struct descriptor_line *line = NULL;
    for (size_t i = 0; i < d->line_count; i++) {
        if (d->lines[i].kind == LINE_SETTING && span_is(d->lines[i].name, name))
            line = &d->lines[i];
    }
    bool ok;
    if (line != NULL) {
        ok = rewrite_setting(d, line, bytes, error);
    } else {
        bool ddb = is_ddb((struct span){name, strlen(name)});
        bool bare = !ddb && is_bare_name(name) && !needs_quotes(bytes);
        struct buffer text = BUFFER_INIT;
        buffer_printf(&text, "%s%s", name, ddb ? " = " : "=");
        buffer_printf(&text, bare ? "%s" : "\"%s\"", bytes);
        ok = !text.failed ? add_line(d, place_for_setting(d, ddb), &text, error)
                          : error_memory(error);
        buffer_free(&text);
    }
    free(bytes);
    return ok;
}

size_t descriptor_unset(struct descriptor *d, const char *name)
{
    size_t kept = 0, count = d->line_count;
    for (size_t i = 0; i < count; i++) {
        if (d->lines[i].kind == LINE_SETTING && span_is(d->lines[i].name, name))
            line_free(&d->lines[i]);
        else
            d->lines[kept++] = d->lines[i];
    }
    d->line_count = kept;
    return count - kept;
}

/* Where the extents stand, or belong: behind their heading, else before the ddb settings. */
static size_t place_for_extents(const struct descriptor *d)
{
    for (size_t i = 0; i < d->line_count; i++) {
        if (d->lines[i].kind == LINE_EXTENT)
            return i;
    }
    for (size_t i = mark_line(d); i < d->line_count; i++) {
        if (span_is(span_trim(d->lines[i].bytes), "# Extent description"))
            return i + 1;
    }
    return place_for_setting(d, false);
}

/* Append lines [FROM, TO) but extents. */
static void append_other_lines(const struct descriptor *d, size_t from, size_t to,
                               struct buffer *out)
{
    for (size_t i = from; i < to; i++) {
        if (d->lines[i].kind != LINE_EXTENT)
            buffer_append(out, d->lines[i].bytes.at, d->lines[i].bytes.length);
    }
    if (out->length > 0 && out->data[out->length - 1] != '\n')
        buffer_append_text(out, d->line_end);
}

bool descriptor_set_extents(struct descriptor *d, const struct descriptor_extent *extents,
                            size_t count, struct error *error)
{
    /* The text is made anew and parsed: what is written is then what would be read. */
    struct buffer text = BUFFER_INIT;
    size_t at = place_for_extents(d);
    append_other_lines(d, 0, at, &text);
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        ok = extent_format(d->encoding, &extents[i], &text, error);
        buffer_append_text(&text, d->line_end);
    }
    append_other_lines(d, at, d->line_count, &text);
    buffer_append(&text, d->tail.at, d->tail.length);
    if (ok && text.failed)
        ok = error_memory(error);
    struct descriptor *fresh = ok ? descriptor_parse(text.data, text.length, error) : NULL;
    buffer_free(&text);
    if (fresh == NULL)
        return false;
    struct descriptor old = *d;
    *d = *fresh;
    *fresh = old;
    descriptor_free(fresh);
    return true;
}
