/* printable - see printable.h. */
#include "base/printable.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

/* Length of the printable character at TEXT; 0 when it must not reach a terminal. */
static size_t printable_length(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t length = utf8_character(text, strnlen(text, 4));
    if (length == 1 && (at[0] < 0x20 || at[0] == 0x7f))
        return 0;
    /* U+0080 ... U+009F are controls; U+2028 ... U+202E and U+2066 ... U+2069 break or reorder a
     * line. */
    if (length == 2 && at[0] == 0xc2 && at[1] < 0xa0)
        return 0;
    if (length == 3 && at[0] == 0xe2 &&
        ((at[1] == 0x80 && at[2] >= 0xa8 && at[2] <= 0xae) ||
         (at[1] == 0x81 && at[2] >= 0xa6 && at[2] <= 0xa9)))
        return 0;
    return length;
}

void printable_copy(const char *text, char *out, size_t size)
{
    size_t used = 0;
    while (*text != '\0' && size - used > 4) {
        size_t length = printable_length(text);
        if (length == 0) {
            used += (size_t)sprintf(out + used, "\\x%02x", (unsigned char)*text++);
            continue;
        }
        memcpy(out + used, text, length);
        used += length;
        text += length;
    }
    out[used] = '\0';
}
