/* xts_dispatch - which kernel this CPU, or the user, wants. */
#include "vmdk/xts/xts_kernel.h"

#include <stdlib.h>
#include <string.h>

const struct xts_kernel xts_portable = {.name = "portable"};

enum { VAES512, VAES256, AESNI, NEON, PORTABLE, CHOICES }; /* the best first */

struct choice {
    const char *name;
    const char *needs;
    const struct xts_kernel *kernel; /* NULL: not for this CPU */
    bool avoided;                    /* works, but only when asked for by name */
};

#if defined(__x86_64__)

#include <cpuid.h>

struct cpu {
    uint32_t vendor, model;        /* leaf 0 EBX, leaf 1 EAX */
    uint32_t features;             /* leaf 1 ECX */
    uint32_t features7, features8; /* leaf 7 EBX and ECX */
    uint32_t saved;                /* registers that the operating system saves: XCR0 */
};

static struct cpu ask_cpu(void)
{
    struct cpu cpu = {0};
    uint32_t a, b, c, d;
    if (__get_cpuid(0, &a, &b, &c, &d))
        cpu.vendor = b;
    if (__get_cpuid(1, &a, &b, &c, &d)) {
        cpu.model = a;
        cpu.features = c;
    }
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
        cpu.features7 = b;
        cpu.features8 = c;
    }
    if ((cpu.features & bit_OSXSAVE) != 0)
        __asm__ volatile("xgetbv" : "=a"(cpu.saved), "=d"(d) : "c"(0));
    return cpu;
}

/*
 * Intel's Ice Lake and Tiger Lake lower their clock for a while when 512-bit registers are in use,
 * and what runs beside us pays for it. Linux prefers 256 bits on the same models, and lets Rocket
 * Lake, all later ones and AMD's be. (Skylake-X is as slow, but has no VAES.)
 */
static bool is_slowed_by_zmm(const struct cpu *cpu)
{
    static const uint32_t MODELS[] = {
        0x6a, 0x6c,       /* Ice Lake, servers */
        0x7d, 0x7e, 0x9d, /* Ice Lake, clients */
        0x8c, 0x8d,       /* Tiger Lake */
    };
    uint32_t family = cpu->model >> 8 & 0xf;
    uint32_t model = (cpu->model >> 12 & 0xf0) | (cpu->model >> 4 & 0xf);
    if (cpu->vendor != signature_INTEL_ebx || family != 6)
        return false;
    for (size_t i = 0; i < sizeof MODELS / sizeof MODELS[0]; i++)
        if (model == MODELS[i])
            return true;
    return false;
}

static bool has(uint32_t word, uint32_t bits)
{
    return (word & bits) == bits;
}

static void judge(struct choice *choices)
{
    const uint32_t saved_avx = 0x6, saved_avx512 = 0xe6;
    struct cpu cpu = ask_cpu();
    if (!has(cpu.features, bit_AES | bit_PCLMUL | bit_AVX) || !has(cpu.saved, saved_avx))
        return;
    choices[AESNI].kernel = &xts_aesni;
    if (!has(cpu.features8, bit_VAES | bit_VPCLMULQDQ) || !has(cpu.features7, bit_AVX2))
        return;
    choices[VAES256].kernel = &xts_vaes256;
    if (!has(cpu.features7, bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL) ||
        !has(cpu.saved, saved_avx512))
        return;
    choices[VAES512].kernel = &xts_vaes512;
    choices[VAES512].avoided = is_slowed_by_zmm(&cpu);
}

#elif defined(__aarch64__)

#include <asm/hwcap.h>
#include <sys/auxv.h>

static void judge(struct choice *choices)
{
    const unsigned long needed = HWCAP_AES | HWCAP_PMULL;
    if ((getauxval(AT_HWCAP) & needed) == needed)
        choices[NEON].kernel = &xts_neon;
}

#else

static void judge(struct choice *choices)
{
    (void)choices;
}

#endif

const struct xts_kernel *xts_kernel_pick(struct error *error)
{
    struct choice choices[CHOICES] = {
        [VAES512] = {"vaes512", "an x86-64 CPU with VAES and AVX-512", NULL, false},
        [VAES256] = {"vaes256", "an x86-64 CPU with VAES and AVX2", NULL, false},
        [AESNI] = {"aesni", "an x86-64 CPU with AES-NI, PCLMULQDQ and AVX", NULL, false},
        [NEON] = {"neon", "an arm64 CPU with the AES and PMULL instructions", NULL, false},
        [PORTABLE] = {"portable", "OpenSSL", &xts_portable, false},
    };
    const char *wanted = getenv("VMCRYPT_CPU");
    judge(choices);
    for (size_t i = 0; i < CHOICES; i++) {
        const struct choice *c = &choices[i];
        if (wanted == NULL ? c->kernel != NULL && !c->avoided : strcmp(wanted, c->name) == 0) {
            if (c->kernel == NULL)
                error_set(error, ERROR_FAILED, "VMCRYPT_CPU=%s needs %s; unset it", c->name,
                          c->needs);
            return c->kernel;
        }
    }
    error_set(error, ERROR_USAGE,
              "VMCRYPT_CPU=%s is unknown; it can be vaes512, vaes256, aesni, neon or portable",
              wanted);
    return NULL;
}
