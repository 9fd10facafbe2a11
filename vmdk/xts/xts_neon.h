/*
 * xts_neon - arm_neon.h with the AES instructions, whatever the compiler's baseline is.
 */
#ifndef VMCRYPT_VMDK_XTS_NEON_H
#define VMCRYPT_VMDK_XTS_NEON_H

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("aes"))), apply_to = function)
#else
#pragma GCC target("+crypto")
#endif
#include <arm_neon.h>

#endif
