/*
 * xts_limit - how fast this CPU issues AES rounds: eight independent registers, 14 rounds each,
 * no memory. No AES-256 of any mode can be faster.
 */
#include "tests/bench/xts_subjects.h"

#include <time.h>

enum { STREAMS = 8, TURNS = 16000 };

double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#if defined(__x86_64__)

/* Eight streams in registers of kind R, in the order of the rounds of a cipher. */
#define FOURTEEN_ROUNDS(R)                                                                         \
    ".rept 14\n"                                                                                   \
    "vaesdec %%" R "8, %%" R "0, %%" R "0\n"                                                       \
    "vaesdec %%" R "8, %%" R "1, %%" R "1\n"                                                       \
    "vaesdec %%" R "8, %%" R "2, %%" R "2\n"                                                       \
    "vaesdec %%" R "8, %%" R "3, %%" R "3\n"                                                       \
    "vaesdec %%" R "8, %%" R "4, %%" R "4\n"                                                       \
    "vaesdec %%" R "8, %%" R "5, %%" R "5\n"                                                       \
    "vaesdec %%" R "8, %%" R "6, %%" R "6\n"                                                       \
    "vaesdec %%" R "8, %%" R "7, %%" R "7\n"                                                       \
    ".endr\n"
#define CLOBBERED "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8"

static void turns512(void)
{
    for (long i = 0; i < TURNS; i++)
        __asm__ volatile(FOURTEEN_ROUNDS("zmm")::: CLOBBERED);
    __asm__ volatile("vzeroupper");
}

static void turns256(void)
{
    for (long i = 0; i < TURNS; i++)
        __asm__ volatile(FOURTEEN_ROUNDS("ymm")::: CLOBBERED);
    __asm__ volatile("vzeroupper");
}

static void turns128(void)
{
    for (long i = 0; i < TURNS; i++)
        __asm__ volatile(FOURTEEN_ROUNDS("xmm")::: CLOBBERED);
}

double limit_measure(unsigned width)
{
    double begin = now();
    if (width == 512)
        turns512();
    else if (width == 256)
        turns256();
    else
        turns128();
    return (double)TURNS * STREAMS * (width / 8) / (now() - begin);
}

#else

double limit_measure(unsigned width)
{
    (void)width;
    return 0;
}

#endif
