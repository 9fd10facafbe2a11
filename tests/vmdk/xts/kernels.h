/* kernels - for the tests of vmdk/xts/: the kernels of this CPU, one after the other. */
#ifndef VMCRYPT_TESTS_VMDK_XTS_KERNELS_H
#define VMCRYPT_TESTS_VMDK_XTS_KERNELS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/encode.h"
#include "vmdk/xts/xts.h"

static const char *const KERNEL_NAMES[] = {"vaes512", "vaes256", "aesni", "neon", "portable"};
enum { KERNEL_COUNT = sizeof KERNEL_NAMES / sizeof KERNEL_NAMES[0] };

static inline struct secret *key_from_hex(const char *hex)
{
    struct error error = ERROR_INIT;
    uint8_t bytes[64];
    size_t length = sizeof bytes;
    assert_true(hex_decode(hex, strlen(hex), bytes, &length));
    struct secret *key = secret_copy(bytes, length, &error);
    assert_non_null(key);
    return key;
}

/* Have xts_new take that kernel; false when the CPU lacks it. */
static inline bool use_kernel(const char *name)
{
    static const uint8_t KEY[32] = {1};
    struct error error = ERROR_INIT;
    struct secret *key = secret_copy(KEY, sizeof KEY, &error);
    setenv("VMCRYPT_CPU", name, 1);
    struct xts *x = xts_new(key, 512, &error);
    bool has = x != NULL;
    xts_free(x);
    secret_free(key);
    return has;
}

/* Run the tests once for each kernel; the number of failed tests. */
#define run_for_each_kernel(tests)                                                                 \
    __extension__({                                                                                \
        int failed = 0;                                                                            \
        for (size_t kernel = 0; kernel < KERNEL_COUNT; kernel++)                                   \
            if (use_kernel(KERNEL_NAMES[kernel]))                                                  \
                failed += cmocka_run_group_tests_name(KERNEL_NAMES[kernel], tests, NULL, NULL);    \
        failed;                                                                                    \
    })

/* xorshift64* */
static inline uint64_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(0x2545f4914f6cdd1d);
}

static inline void fill_random(uint64_t *state, void *data, size_t length)
{
    uint8_t *bytes = data;
    for (size_t i = 0; i < length; i++)
        bytes[i] = (uint8_t)(next_random(state) >> 56);
}

#endif
