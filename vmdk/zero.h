/* zero - is it all zeros? Asked for every block of a disk, so it has to be quick. */
#ifndef VMCRYPT_VMDK_ZERO_H
#define VMCRYPT_VMDK_ZERO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool bytes_are_zero(const uint8_t *data, size_t length);

#endif
