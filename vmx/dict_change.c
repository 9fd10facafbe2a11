/* dict_change - the part of dict.h that changes a dictionary. */
#include "vmx/dict_private.h"

#include <string.h>
#include <strings.h>

#include "base/utf8.h"
#include "vmx/dict_escape.h"

static const char *end_of(const struct dict_line *line)
{
    if (line->end_length == 2)
        return "\r\n";
    return line->end_length == 1 && line->text[line->length - 1] == '\r' ? "\r" : "\n";
}

/* The line end that a new line takes: that of the last setting, else of the first line. */
static const char *line_end(const struct dict *dict)
{
    uint32_t model = dict->last_setting;
    if (model == DICT_NO_LINE || dict->lines[model].end_length == 0)
        model = dict->first;
    return model == DICT_NO_LINE ? "\n" : end_of(&dict->lines[model]);
}

/* Keep a copy of TEXT as the text of LINE. */
static bool take_text(struct dict *dict, struct dict_line *line, const struct buffer *text,
                      struct error *error)
{
    if (text->failed || text->length > DICT_MAX_BYTES)
        return text->failed ? error_memory(error)
                            : error_set(error, ERROR_FAILED, "the value is too large");
    line->text = dict_arena_copy(&dict->arena, buffer_text(text), text->length);
    line->length = (uint32_t)text->length;
    return line->text != NULL || error_memory(error);
}

/* Append `"VALUE"` as it is spelled in the code page. */
static bool append_token(struct dict *dict, const char *value, struct buffer *out,
                         struct error *error)
{
    struct buffer *escaped = &dict->scratch;
    escaped->length = 0;
    if (!dict_escape_do(value, strlen(value), escaped) || !buffer_append_byte(out, '"'))
        return error_memory(error);
    return encoding_encode(dict->encoding, buffer_text(escaped), escaped->length, out, error) &&
           (buffer_append_byte(out, '"') || error_memory(error));
}

/* Spell line I anew with VALUE; what stands before and behind the value stays. */
static bool rewrite_line(struct dict *dict, uint32_t i, const char *value, struct error *error)
{
    struct dict_line line = dict->lines[i];
    struct buffer *text = &dict->text;
    size_t token = line.parts.token, behind = token + line.parts.token_length;
    text->length = 0;
    buffer_append(text, line.text, token);
    if (!append_token(dict, value, text, error))
        return false;
    line.parts.token_length = (uint32_t)(text->length - token);
    line.parts.value = line.parts.token + 1;
    line.parts.value_length = line.parts.token_length - 2;
    buffer_append(text, line.text + behind, line.length - behind);
    if (!take_text(dict, &line, text, error))
        return false;
    line.value = dict_arena_copy(&dict->arena, value, strlen(value));
    if (line.value == NULL)
        return error_memory(error);
    dict->lines[i] = line;
    dict->non_ascii = dict->non_ascii || dict_has_non_ascii(line.text, line.length);
    return true;
}

/* A text whose last line has no end gets one before another line follows. */
static bool end_line(struct dict *dict, uint32_t i, const char *end, struct error *error)
{
    if (i == DICT_NO_LINE || dict->lines[i].end_length > 0)
        return true;
    struct dict_line line = dict->lines[i];
    struct buffer text = BUFFER_INIT;
    buffer_append(&text, line.text, line.length);
    buffer_append_text(&text, end);
    bool ok = take_text(dict, &line, &text, error);
    buffer_free(&text);
    line.end_length = (uint32_t)strlen(end);
    if (ok)
        dict->lines[i] = line;
    return ok;
}

/* Put the one line in dict->text, which lacks its END, behind the last setting. */
static bool append_line(struct dict *dict, const char *end, struct error *error)
{
    uint32_t after = dict->last_setting == DICT_NO_LINE ? dict->last : dict->last_setting;
    struct dict_line line = {0};
    buffer_append_text(&dict->text, end);
    if (!take_text(dict, &line, &dict->text, error))
        return false;
    line.end_length = (uint32_t)strlen(end);
    line.parts = dict_line_parse(line.text, line.length - line.end_length);
    return end_line(dict, after, end, error) && dict_decode_line(dict, &line, error) &&
           dict_insert_line(dict, after, line, error) &&
           dict_enter_setting(dict, (uint32_t)(dict->line_count - 1), error);
}

static bool is_new_name(const char *name)
{
    for (const char *c = name; *c != '\0'; c++)
        if (*c <= ' ' || *c > '~' || *c == '=' || *c == '#' || *c == '"')
            return false;
    return name[0] != '\0';
}

/* A new code page would give other meaning to the bytes that are there, unless they are ASCII. */
static bool change_encoding(struct dict *dict, const char *value, struct error *error)
{
    if (dict_has_non_ascii(value, strlen(value)))
        return error_set(error, ERROR_FAILED, "the name of a code page is ASCII");
    struct encoding *encoding = encoding_open(value, error);
    if (encoding == NULL)
        return false;
    if (dict->non_ascii && !encoding_same(dict->encoding, encoding)) {
        encoding_close(encoding);
        return error_set(error, ERROR_FAILED,
                         "the text is in code page '%.60s' and cannot be renamed to another one",
                         dict_encoding(dict));
    }
    encoding_close(dict->encoding);
    dict->encoding = encoding;
    return true;
}

bool dict_set(struct dict *dict, const char *name, const char *value, struct error *error)
{
    uint32_t found = dict_find_line(dict, name);
    /* Bytes without meaning in the code page survive being set to what is shown for them. */
    if (found != DICT_NO_LINE && strcmp(dict->lines[found].value, value) == 0)
        return true;
    if (!utf8_valid(value, strlen(value)))
        return error_set(error, ERROR_FAILED, "the value of a setting must be UTF-8");
    if (strcasecmp(name, DICT_ENCODING_SETTING) == 0 && !change_encoding(dict, value, error))
        return false;
    if (found != DICT_NO_LINE)
        return rewrite_line(dict, found, value, error);
    if (!is_new_name(name))
        return error_set(error, ERROR_USAGE,
                         "a setting's name is ASCII without spaces, '=', '#' "
                         "and quotes");
    dict->text.length = 0;
    buffer_printf(&dict->text, "%s = ", name);
    return append_token(dict, value, &dict->text, error) &&
           append_line(dict, line_end(dict), error);
}

static void unlink_line(struct dict *dict, uint32_t i)
{
    const struct dict_line *line = &dict->lines[i];
    *(line->before == DICT_NO_LINE ? &dict->first : &dict->lines[line->before].after) = line->after;
    *(line->after == DICT_NO_LINE ? &dict->last : &dict->lines[line->after].before) = line->before;
    uint32_t *forward = line->setting_before == DICT_NO_LINE
                            ? &dict->first_setting
                            : &dict->lines[line->setting_before].setting_after;
    uint32_t *backward = line->setting_after == DICT_NO_LINE
                             ? &dict->last_setting
                             : &dict->lines[line->setting_after].setting_before;
    *forward = line->setting_after;
    *backward = line->setting_before;
}

size_t dict_unset(struct dict *dict, const char *name)
{
    struct dict_index_entry *entry = dict_index_find(&dict->index, name);
    size_t removed = 0;
    if (entry == NULL)
        return 0;
    for (uint32_t i = entry->line; i != DICT_NO_LINE; i = dict->lines[i].same_before) {
        unlink_line(dict, i);
        removed++;
    }
    entry->line = DICT_NO_LINE;
    *dict->cursor = (struct dict_cursor){0, DICT_NO_LINE};
    return removed;
}

/* Spell LINE of FROM in the code page of TO, into to->text. Escapes pass through as they are
 * spelled, which keeps those that stand for nothing. */
static bool convert_line(struct dict *to, const struct dict *from, const struct dict_line *line,
                         struct error *error)
{
    const struct dict_line_parts *parts = &line->parts;
    struct buffer *decoded = &to->scratch;
    decoded->length = 0;
    encoding_decode(from->encoding, line->text + parts->name, parts->name_length, "|", decoded);
    buffer_append_text(decoded, " = \"");
    encoding_decode(from->encoding, line->text + parts->value, parts->value_length, "|7C", decoded);
    if (!buffer_append_byte(decoded, '"'))
        return error_memory(error);
    return encoding_encode(to->encoding, decoded->data, decoded->length, &to->text, error);
}

bool dict_append_from(struct dict *to, const struct dict *from, size_t i, struct error *error)
{
    uint32_t found = dict_setting_line(from, i);
    if (found == DICT_NO_LINE)
        return error_set(error, ERROR_FAILED, "there is no setting %zu", i);
    const struct dict_line *line = &from->lines[found];
    if (strcasecmp(line->name, DICT_ENCODING_SETTING) == 0 &&
        !change_encoding(to, line->value, error))
        return false;
    to->text.length = 0;
    if (encoding_same(to->encoding, from->encoding))
        buffer_append(&to->text, line->text, line->length - line->end_length);
    else if (!convert_line(to, from, line, error))
        return false;
    return append_line(to, to->first == DICT_NO_LINE ? end_of(line) : line_end(to), error);
}
