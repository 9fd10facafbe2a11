/* dict - see dict.h. */
#include "vmx/dict.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "vmx/dict_escape.h"
#include "vmx/dict_private.h"

static const char byte_order_mark[] = "\xef\xbb\xbf";

static struct dict *dict_create(struct error *error)
{
    struct dict *dict = calloc(1, sizeof *dict);
    struct dict_cursor *cursor = calloc(1, sizeof *cursor);
    if (dict == NULL || cursor == NULL) {
        free(dict);
        free(cursor);
        error_memory(error);
        return NULL;
    }
    dict->cursor = cursor;
    dict->first = dict->last = DICT_NO_LINE;
    dict->first_setting = dict->last_setting = cursor->line = DICT_NO_LINE;
    if (!dict_index_init(&dict->index)) {
        error_system(error, "cannot get random bytes");
        dict_free(dict);
        return NULL;
    }
    return dict;
}

void dict_free(struct dict *dict)
{
    if (dict == NULL)
        return;
    dict_arena_free(&dict->arena);
    dict_index_free(&dict->index);
    encoding_close(dict->encoding);
    buffer_free(&dict->text);
    buffer_free(&dict->scratch);
    free(dict->lines);
    free(dict->cursor);
    free(dict);
}

bool dict_has_non_ascii(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] >= 0x80)
            return true;
    return false;
}

bool dict_insert_line(struct dict *dict, uint32_t after, struct dict_line line, struct error *error)
{
    if (dict->line_count == dict->line_room) {
        size_t room = dict->line_room == 0 ? 64 : dict->line_room * 2;
        struct dict_line *lines = realloc(dict->lines, room * sizeof *lines);
        if (lines == NULL)
            return error_memory(error);
        dict->lines = lines;
        dict->line_room = room;
    }
    if (dict->line_count == DICT_NO_LINE)
        return error_set(error, ERROR_FAILED, "too many settings");
    uint32_t new = (uint32_t)dict->line_count++;
    line.before = after;
    line.after = after == DICT_NO_LINE ? dict->first : dict->lines[after].after;
    line.setting_before = line.setting_after = line.same_before = DICT_NO_LINE;
    *(line.before == DICT_NO_LINE ? &dict->first : &dict->lines[line.before].after) = new;
    *(line.after == DICT_NO_LINE ? &dict->last : &dict->lines[line.after].before) = new;
    dict->lines[new] = line;
    if (!dict->non_ascii)
        dict->non_ascii = dict_has_non_ascii(line.text, line.length);
    return true;
}

bool dict_enter_setting(struct dict *dict, uint32_t i, struct error *error)
{
    struct dict_line *line = &dict->lines[i];
    struct dict_index_entry *entry = dict_index_add(&dict->index, line->name);
    if (entry == NULL)
        return error_memory(error);
    line->same_before = entry->line;
    entry->line = i;
    line->setting_before = dict->last_setting;
    *(dict->last_setting == DICT_NO_LINE ? &dict->first_setting
                                         : &dict->lines[dict->last_setting].setting_after) = i;
    dict->last_setting = i;
    return true;
}

bool dict_decode_line(struct dict *dict, struct dict_line *line, struct error *error)
{
    const struct dict_line_parts *parts = &line->parts;
    struct buffer *scratch = &dict->scratch;
    scratch->length = 0;
    if (!encoding_decode(dict->encoding, line->text + parts->name, parts->name_length, "|",
                         scratch))
        return error_memory(error);
    line->name = dict_arena_copy(&dict->arena, buffer_text(scratch), scratch->length);
    scratch->length = 0;
    if (!encoding_decode(dict->encoding, line->text + parts->value, parts->value_length, "|7C",
                         scratch))
        return error_memory(error);
    if (scratch->length > 0)
        scratch->length = dict_escape_undo(scratch->data, scratch->length);
    line->value = dict_arena_copy(&dict->arena, scratch->data, scratch->length);
    return (line->name != NULL && line->value != NULL) || error_memory(error);
}

static bool is_encoding_setting(const struct dict_line *line)
{
    const size_t length = sizeof DICT_ENCODING_SETTING - 1;
    return line->parts.kind == DICT_LINE_SETTING && line->parts.name_length == length &&
           strncasecmp(line->text + line->parts.name, DICT_ENCODING_SETTING, length) == 0;
}

/* Cut the text, which lies in the arena, into lines. *named: the last line that sets the code
 * page, NULL when there is none. */
static bool split_lines(struct dict *dict, const char *text, size_t length, uint32_t *named,
                        struct error *error)
{
    *named = DICT_NO_LINE;
    for (size_t offset = 0; offset < length;) {
        size_t end_length;
        size_t size = dict_line_split(text + offset, length - offset, &end_length);
        struct dict_line line = {.text = text + offset,
                                 .length = (uint32_t)size,
                                 .end_length = (uint32_t)end_length,
                                 .parts = dict_line_parse(text + offset, size - end_length)};
        if (dict->line_count == DICT_MAX_LINES)
            return error_set(error, ERROR_DAMAGED, "more than %d lines: no settings file",
                             DICT_MAX_LINES);
        if (!dict_insert_line(dict, dict->last, line, error))
            return false;
        if (is_encoding_setting(&line))
            *named = dict->last;
        dict->odd_lines += line.parts.kind == DICT_LINE_ODD;
        offset += size;
    }
    return true;
}

static bool open_named_encoding(struct dict *dict, const struct dict_line *line,
                                struct error *error)
{
    char name[64];
    size_t length = line->parts.value_length;
    if (length >= sizeof name)
        length = sizeof name - 1;
    memcpy(name, line->text + line->parts.value, length);
    name[length] = '\0';
    dict->encoding = encoding_open(name, error);
    return dict->encoding != NULL;
}

static bool starts_with_mark(const char *text, size_t length)
{
    const size_t mark = sizeof byte_order_mark - 1;
    return length >= mark && memcmp(text, byte_order_mark, mark) == 0;
}

static bool parse(struct dict *dict, const char *text, size_t length, const char *encoding,
                  struct error *error)
{
    const char *copy = dict_arena_copy(&dict->arena, text, length);
    if (copy == NULL)
        return error_memory(error);
    if (starts_with_mark(copy, length)) {
        dict->has_mark = true;
        copy += sizeof byte_order_mark - 1;
        length -= sizeof byte_order_mark - 1;
    }
    uint32_t named;
    if (!split_lines(dict, copy, length, &named, error))
        return false;
    if (named != DICT_NO_LINE) {
        if (!open_named_encoding(dict, &dict->lines[named], error))
            return false;
    } else {
        dict->encoding = encoding_open(encoding == NULL ? "UTF-8" : encoding, error);
        if (dict->encoding == NULL)
            return false;
    }
    bool ok = true;
    for (uint32_t i = 0; ok && i < dict->line_count; i++)
        if (dict->lines[i].parts.kind == DICT_LINE_SETTING)
            ok = dict_decode_line(dict, &dict->lines[i], error) &&
                 dict_enter_setting(dict, i, error);
    return ok;
}

struct dict *dict_parse(const char *text, size_t length, const char *encoding, struct error *error)
{
    if (length > DICT_MAX_BYTES) {
        error_set(error, ERROR_DAMAGED, "%zu bytes: too large for a settings file", length);
        return NULL;
    }
    struct dict *dict = dict_create(error);
    if (dict != NULL && !parse(dict, text, length, encoding, error)) {
        dict_free(dict);
        return NULL;
    }
    return dict;
}

struct dict *dict_new(const char *encoding, struct error *error)
{
    return dict_parse("", 0, encoding, error);
}

const char *dict_encoding(const struct dict *dict)
{
    return encoding_name(dict->encoding);
}

uint32_t dict_find_line(const struct dict *dict, const char *name)
{
    const struct dict_index_entry *entry = dict_index_find(&dict->index, name);
    return entry == NULL ? (uint32_t)DICT_NO_LINE : entry->line;
}

const char *dict_get(const struct dict *dict, const char *name)
{
    uint32_t found = dict_find_line(dict, name);
    return found == DICT_NO_LINE ? NULL : dict->lines[found].value;
}

bool dict_get_bool(const struct dict *dict, const char *name, bool absent)
{
    const char *value = dict_get(dict, name);
    if (value == NULL)
        return absent;
    return strcasecmp(value, "true") == 0 || strcasecmp(value, "yes") == 0 ||
           strcmp(value, "1") == 0;
}

uint32_t dict_setting_line(const struct dict *dict, size_t i)
{
    struct dict_cursor *cursor = dict->cursor;
    if (cursor->line == DICT_NO_LINE || i < cursor->i)
        *cursor = (struct dict_cursor){0, dict->first_setting};
    while (cursor->line != DICT_NO_LINE && cursor->i < i) {
        cursor->line = dict->lines[cursor->line].setting_after;
        cursor->i++;
    }
    return cursor->line;
}

bool dict_at(const struct dict *dict, size_t i, const char **name, const char **value)
{
    uint32_t found = dict_setting_line(dict, i);
    if (found == DICT_NO_LINE)
        return false;
    *name = dict->lines[found].name;
    *value = dict->lines[found].value;
    return true;
}

size_t dict_odd_lines(const struct dict *dict)
{
    return dict->odd_lines;
}

/* A name that starts with the bytes of a mark, come to the start of a text since what stood before
 * it is gone, would lose them unless there is a real one before it. */
static bool needs_mark(const struct dict *dict)
{
    const struct dict_line *first = dict->first == DICT_NO_LINE ? NULL : &dict->lines[dict->first];
    return first != NULL && starts_with_mark(first->text, first->length);
}

bool dict_write(const struct dict *dict, struct buffer *out)
{
    if (dict->has_mark || (out->length == 0 && needs_mark(dict)))
        buffer_append(out, byte_order_mark, sizeof byte_order_mark - 1);
    for (uint32_t i = dict->first; i != DICT_NO_LINE; i = dict->lines[i].after)
        buffer_append(out, dict->lines[i].text, dict->lines[i].length);
    return !out->failed;
}

void dict_drop_mark(struct dict *dict)
{
    dict->has_mark = false;
}
