/* dict_escape - see dict_escape.h. */
#include "vmx/dict_escape.h"

#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

#include "base/encode.h"

/* The byte that the escape at TEXT stands for, -1 when there is none. */
static int escaped_byte(const char *text, size_t length)
{
    uint8_t byte;
    size_t size = 1;
    if (length < 3 || text[0] != '|' || !hex_decode(text + 1, 2, &byte, &size))
        return -1;
    return byte;
}

/* Bytes of TEXT that are escapes of one whole character, with the character in OUT; 0: none. */
static size_t escaped_character(const char *text, size_t length, char out[4], size_t *out_length)
{
    size_t count = 0;
    while (count < 4) {
        int byte = escaped_byte(text + 3 * count, length - 3 * count);
        if (byte <= 0)
            return 0;
        out[count++] = (char)byte;
        if (utf8_character(out, count) == count) {
            *out_length = count;
            return 3 * count;
        }
    }
    return 0;
}

size_t dict_escape_undo(char *text, size_t length)
{
    size_t written = 0;
    for (size_t i = 0; i < length;) {
        const char *bar = memchr(text + i, '|', length - i);
        size_t plain = bar == NULL ? length - i : (size_t)(bar - text) - i;
        memmove(text + written, text + i, plain);
        written += plain;
        i += plain;
        if (i == length)
            break;
        char character[4];
        size_t size;
        size_t used = escaped_character(text + i, length - i, character, &size);
        if (used == 0) {
            text[written++] = text[i++];
        } else {
            memcpy(text + written, character, size);
            written += size;
            i += used;
        }
    }
    return written;
}

bool dict_escape_do(const char *text, size_t length, struct buffer *out)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < length; i++) {
        uint8_t byte = (uint8_t)text[i];
        if ((byte < 0x20 && byte != '\t') || byte == '"' || byte == '|' || byte == 0x7f) {
            char escape[3] = {'|', digits[byte >> 4], digits[byte & 15]};
            buffer_append(out, escape, sizeof escape);
        } else {
            buffer_append_byte(out, text[i]);
        }
    }
    return !out->failed;
}
