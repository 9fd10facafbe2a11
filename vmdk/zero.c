/* zero - see zero.h. */
#include "vmdk/zero.h"

#include <string.h>

bool bytes_are_zero_to_the_end(const uint8_t *data, size_t length)
{
    /* Most data differ in the first bytes. When those are zero, all are if each byte equals the
     * one a window before it: a comparison that libc does with the widest registers. */
    enum { WINDOW = 16 };
    for (size_t i = 0; i < WINDOW && i < length; i++) {
        if (data[i] != 0)
            return false;
    }
    return length <= WINDOW || memcmp(data, data + WINDOW, length - WINDOW) == 0;
}
