/* Tests of vmdk/xts/xts_dispatch: what VMCRYPT_CPU does, and what is picked without it. */
#include "vmdk/xts/xts_kernel.h"

#include <stdio.h>

#include "tests/vmdk/xts/kernels.h"

/* Whether every word of WORDS is among the CPU's flags as the kernel reports them. */
static bool cpu_has(const char *words)
{
    char line[8192], list[256];
    bool has = false;
    FILE *file = fopen("/proc/cpuinfo", "r");
    assert_non_null(file);
    while (!has && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "flags", 5) != 0 && strncmp(line, "Features", 8) != 0)
            continue;
        line[strcspn(line, "\n")] = ' ';
        has = true;
        strcpy(list, words);
        for (char *save, *word = strtok_r(list, " ", &save); word != NULL;
             word = strtok_r(NULL, " ", &save)) {
            char spaced[64];
            snprintf(spaced, sizeof spaced, " %s ", word);
            has = has && strstr(line, spaced) != NULL;
        }
        break;
    }
    fclose(file);
    return has;
}

static void kernels_by_name(void **state)
{
    (void)state;
    static const char *const NEEDS[KERNEL_COUNT] = {
        "aes avx avx2 pclmulqdq vaes vpclmulqdq avx512f avx512bw avx512dq avx512vl",
        "aes avx avx2 pclmulqdq vaes vpclmulqdq",
        "aes avx pclmulqdq",
        "aes pmull",
        "",
    };
    for (size_t i = 0; i < KERNEL_COUNT; i++) {
        struct error error = ERROR_INIT;
        setenv("VMCRYPT_CPU", KERNEL_NAMES[i], 1);
        const struct xts_kernel *kernel = xts_kernel_pick(&error);
        if (cpu_has(NEEDS[i])) {
            assert_non_null(kernel);
            assert_string_equal(kernel->name, KERNEL_NAMES[i]);
        } else {
            assert_null(kernel);
            assert_int_equal(error.code, ERROR_FAILED);
            assert_non_null(strstr(error.message, KERNEL_NAMES[i]));
        }
    }
}

static void unknown_names(void **state)
{
    (void)state;
    static const char *const NAMES[] = {"",         "fast", "VAES512",
                                        "vaes512 ", "aesn", "portable,aesni"};
    struct secret *key = key_from_hex("000102030405060708090a0b0c0d0e0f"
                                      "101112131415161718191a1b1c1d1e1f");
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        struct error error = ERROR_INIT;
        setenv("VMCRYPT_CPU", NAMES[i], 1);
        assert_null(xts_new(key, 512, &error));
        assert_int_equal(error.code, ERROR_USAGE);
        assert_non_null(strstr(error.message, "VMCRYPT_CPU="));
        assert_non_null(strstr(error.message, "portable"));
    }
    secret_free(key);
}

static void best_by_default(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    unsetenv("VMCRYPT_CPU");
    const struct xts_kernel *kernel = xts_kernel_pick(&error);
    assert_non_null(kernel);
    if (cpu_has("aes avx pclmulqdq") || cpu_has("aes pmull"))
        assert_ptr_not_equal(kernel, &xts_portable);
    if (cpu_has("aes avx avx2 pclmulqdq vaes vpclmulqdq"))
        assert_int_equal(strncmp(kernel->name, "vaes", 4), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kernels_by_name),
        cmocka_unit_test(unknown_names),
        cmocka_unit_test(best_by_default),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
