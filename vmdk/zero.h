/* zero - is it all zeros? Asked for every block of a disk, so it has to be quick. */
#ifndef VMCRYPT_VMDK_ZERO_H
#define VMCRYPT_VMDK_ZERO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The same, by looking at all of them. */
bool bytes_are_zero_to_the_end(const uint8_t *data, size_t length);

/* The first bytes settle most of the questions. */
static inline bool bytes_are_zero(const uint8_t *data, size_t length)
{
    uint64_t first = 0;
    if (length >= sizeof first)
        memcpy(&first, data, sizeof first);
    return first == 0 && bytes_are_zero_to_the_end(data, length);
}

#endif
