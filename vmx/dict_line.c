/* dict_line - see dict_line.h. */
#include "vmx/dict_line.h"

#include <stdbool.h>
#include <string.h>

size_t dict_line_split(const char *text, size_t length, size_t *end_length)
{
    size_t i = 0;
    while (i < length && text[i] != '\n' && text[i] != '\r')
        i++;
    *end_length = 0;
    if (i < length)
        *end_length = text[i] == '\r' && i + 1 < length && text[i + 1] == '\n' ? 2 : 1;
    return i + *end_length;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static size_t skip_space(const char *line, size_t length, size_t i)
{
    while (i < length && is_space(line[i]))
        i++;
    return i;
}

static bool all_nul(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (bytes[i] != '\0')
            return false;
    return true;
}

/* The closing quote of a value that starts at START; LENGTH when there is none. */
static size_t closing_quote(const char *line, size_t length, size_t start)
{
    for (size_t i = start; i < length; i++) {
        const char *quote = memchr(line + i, '"', length - i);
        if (quote == NULL)
            return length;
        i = (size_t)(quote - line);
        size_t after = skip_space(line, length, i + 1);
        if (after == length || line[after] == '#')
            return i;
        i = after - 1;
    }
    return length;
}

/* Behind the last byte of a bare value that starts at START. */
static size_t bare_end(const char *line, size_t length, size_t start)
{
    const char *comment = memchr(line + start, '#', length - start);
    size_t end = comment == NULL ? length : (size_t)(comment - line);
    while (end > start && is_space(line[end - 1]))
        end--;
    return end;
}

struct dict_line_parts dict_line_parse(const char *line, size_t length)
{
    struct dict_line_parts parts = {.kind = DICT_LINE_ODD};
    const char *nul = memchr(line, '\0', length);
    size_t whole = length;
    if (nul != NULL)
        length = (size_t)(nul - line);
    size_t name = skip_space(line, length, 0);
    if (name == length) {
        /* Crashed hosts leave runs of NULs; other bytes behind a NUL are worth counting. */
        if (all_nul(line + length, whole - length))
            parts.kind = DICT_LINE_BLANK;
        return parts;
    }
    if (line[name] == '#') {
        parts.kind = DICT_LINE_COMMENT;
        return parts;
    }
    size_t name_end = name;
    while (name_end < length && !is_space(line[name_end]) && line[name_end] != '=' &&
           line[name_end] != '#')
        name_end++;
    size_t equals = skip_space(line, length, name_end);
    if (name_end == name || equals == length || line[equals] != '=')
        return parts;
    size_t token = skip_space(line, length, equals + 1), end, quotes = 0;
    if (token < length && line[token] == '"') {
        end = closing_quote(line, length, token + 1);
        if (end == length)
            return parts;
        end++;
        quotes = 1;
    } else {
        end = bare_end(line, length, token);
    }
    parts.kind = DICT_LINE_SETTING;
    parts.name = (uint32_t)name;
    parts.name_length = (uint32_t)(name_end - name);
    parts.token = (uint32_t)token;
    parts.token_length = (uint32_t)(end - token);
    parts.value = (uint32_t)(token + quotes);
    parts.value_length = (uint32_t)(end - token - 2 * quotes);
    return parts;
}
