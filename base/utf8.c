/* utf8 - see utf8.h. */
#include "base/utf8.h"

#include <stdint.h>

size_t utf8_character(const char *text, size_t length)
{
    const uint8_t *s = (const uint8_t *)text;
    if (length == 0)
        return 0;
    if (s[0] < 0x80)
        return 1;
    size_t size = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    /* c0 and c1 start overlong forms only, f5 and up lie past U+10FFFF. */
    if (s[0] < 0xc2 || s[0] > 0xf4 || length < size)
        return 0;
    for (size_t i = 1; i < size; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
    bool surrogate = s[0] == 0xed && s[1] >= 0xa0;
    bool too_high = s[0] == 0xf4 && s[1] >= 0x90;
    return overlong || surrogate || too_high ? 0 : size;
}

bool utf8_valid(const char *text, size_t length)
{
    for (size_t i = 0; i < length;) {
        size_t size = utf8_character(text + i, length - i);
        if (size == 0)
            return false;
        i += size;
    }
    return true;
}
