/* text - see text.h. */
#include "tpm/text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "keywrap/secret_json.h"
#include "tpm/bank.h"

enum { JSON_TEXT_MAX = 8 << 20 };

/* Where the text begins, and bytes for each character: 1, or 2 for UTF-16, whose low byte comes
 * first unless *big. */
static size_t begin(const char *data, size_t length, size_t *unit, bool *big)
{
    *unit = 1;
    *big = false;
    if (length >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0)
        return 3;
    if (length >= 2 && (memcmp(data, "\xff\xfe", 2) == 0 || memcmp(data, "\xfe\xff", 2) == 0)) {
        *unit = 2;
        *big = data[0] == '\xfe';
        return 2;
    }
    return 0;
}

/* The first character that is no white space; 0 when there is none or it is none of ASCII. */
static char first_character(const char *data, size_t length)
{
    size_t unit;
    bool big;
    for (size_t i = begin(data, length, &unit, &big); i + unit <= length; i += unit) {
        char c = unit == 2 && big ? data[i + 1] : data[i];
        char other = unit == 1 ? '\0' : big ? data[i] : data[i + 1];
        if (other != '\0')
            return '\0';
        if (c != ' ' && c != '\t' && c != '\r' && c != '\n')
            return c;
    }
    return '\0';
}

bool tpm_text_is_json(const char *data, size_t length)
{
    char c = first_character(data, length);
    return c == '{' || c == '[';
}

bool tpm_text_is_xml(const char *data, size_t length)
{
    return first_character(data, length) == '<';
}

static void append_utf8(uint32_t c, struct buffer *out)
{
    if (c < 0x80) {
        buffer_append_byte(out, (char)c);
    } else if (c < 0x800) {
        buffer_append_byte(out, (char)(0xc0 | c >> 6));
        buffer_append_byte(out, (char)(0x80 | (c & 0x3f)));
    } else if (c < 0x10000) {
        buffer_append_byte(out, (char)(0xe0 | c >> 12));
        buffer_append_byte(out, (char)(0x80 | (c >> 6 & 0x3f)));
        buffer_append_byte(out, (char)(0x80 | (c & 0x3f)));
    } else {
        buffer_append_byte(out, (char)(0xf0 | c >> 18));
        buffer_append_byte(out, (char)(0x80 | (c >> 12 & 0x3f)));
        buffer_append_byte(out, (char)(0x80 | (c >> 6 & 0x3f)));
        buffer_append_byte(out, (char)(0x80 | (c & 0x3f)));
    }
}

static uint32_t utf16_unit(const char *data, bool big)
{
    uint8_t a = (uint8_t)data[0], b = (uint8_t)data[1];
    return big ? (uint32_t)a << 8 | b : (uint32_t)b << 8 | a;
}

bool tpm_text_utf8(const char *data, size_t length, struct buffer *out, struct error *error)
{
    size_t unit;
    bool big;
    size_t i = begin(data, length, &unit, &big);
    if (unit == 1)
        return buffer_append(out, data + i, length - i) || error_memory(error);
    for (; i + 2 <= length; i += 2) {
        uint32_t c = utf16_unit(data + i, big);
        if (c >= 0xd800 && c < 0xe000) {
            uint32_t low = i + 4 <= length ? utf16_unit(data + i + 2, big) : 0;
            if (c >= 0xdc00 || low < 0xdc00 || low >= 0xe000)
                return error_set(error, ERROR_DAMAGED, "is no well-formed UTF-16");
            c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
            i += 2;
        }
        append_utf8(c, out);
    }
    return !out->failed || error_memory(error);
}

json_t *tpm_text_json(const char *data, size_t length, struct error *error)
{
    struct buffer text = BUFFER_INIT;
    json_t *document = NULL;
    json_error_t where;
    if (length > JSON_TEXT_MAX)
        error_set(error, ERROR_DAMAGED, "JSON of more than %d MiB", JSON_TEXT_MAX >> 20);
    else if (tpm_text_utf8(data, length, &text, error)) {
        document = json_loadb(buffer_text(&text), text.length, JSON_REJECT_DUPLICATES, &where);
        if (document == NULL)
            error_set(error, ERROR_DAMAGED, "JSON is damaged or cut short at line %d, column %d",
                      where.line, where.column);
    }
    buffer_free(&text);
    return document;
}

const json_t *tpm_text_member(const json_t *object, const char *name)
{
    char squeezed[40];
    size_t length = 0;
    for (; *name != '\0' && length + 1 < sizeof squeezed; name++)
        if (*name != '_')
            squeezed[length++] = *name;
    squeezed[length] = '\0';
    return secret_json_member(object, squeezed);
}

/* A number, or the text of one, as XML has it; 256 for another thing. */
static long byte_of(const json_t *item)
{
    const char *text = json_string_value(item);
    if (json_is_integer(item))
        return json_integer_value(item) < -128 || json_integer_value(item) > 255
                   ? 256
                   : (long)json_integer_value(item);
    char *end = NULL;
    long value = text == NULL ? 256 : strtol(text, &end, 10);
    return text == NULL || end == text || *end != '\0' || value < -128 || value > 255 ? 256 : value;
}

static bool list_digest(const json_t *list, uint8_t *out, size_t *length)
{
    *length = json_array_size(list);
    if (*length > BANK_DIGEST_MAX)
        return false;
    for (size_t i = 0; i < *length; i++) {
        long value = byte_of(json_array_get(list, i));
        if (value == 256)
            return false;
        out[i] = (uint8_t)value;
    }
    return *length > 0;
}

bool tpm_text_digest(const json_t *value, uint8_t *out, size_t *length)
{
    char squeezed[2 * BANK_DIGEST_MAX + 2];
    size_t size = 0;
    if (json_is_array(value))
        return list_digest(value, out, length);
    const char *text = json_string_value(value);
    for (; text != NULL && *text != '\0'; text++) {
        if (isspace((unsigned char)*text))
            continue;
        if (size == sizeof squeezed)
            return false;
        squeezed[size++] = *text;
    }
    bool prefixed = size >= 2 && squeezed[0] == '0' && (squeezed[1] == 'x' || squeezed[1] == 'X');
    size_t start = prefixed ? 2 : 0;
    *length = BANK_DIGEST_MAX;
    if (size > start && hex_decode(squeezed + start, size - start, out, length))
        return true;
    *length = BANK_DIGEST_MAX;
    return size > 0 && base64_decode(squeezed, size, out, length);
}
