/*
 * xts_kernel - inside of vmdk/xts/: what a CPU's kernel offers, and the run over data units.
 *
 * AES-XTS (IEEE 1619): block j of the unit with number N is E1(P ^ T) ^ T, where
 * T = E2(N) * x^j in GF(2^128) modulo x^128 + x^7 + x^2 + x + 1, little endian.
 *
 * A kernel knows two things: how to encrypt many unit numbers at once, and how to transform runs
 * of 512-byte chunks, each from a base tweak of its own. The serial E2(N) of every unit, which
 * costs others half their time on 512-byte units, so disappears in a batch; larger units are
 * chunks whose bases are x^32 apart.
 */
#ifndef VMCRYPT_VMDK_XTS_KERNEL_H
#define VMCRYPT_VMDK_XTS_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum {
    XTS_BLOCK = 16,
    XTS_CHUNK = 512,
    XTS_BATCH = 64,     /* chunks, or unit numbers, that a kernel gets at once, at most */
    XTS_SCRATCH = 1024, /* bytes of working memory of a kernel */
    XTS_ROUND_KEYS = 15,
};

/* Expanded keys, 64-byte aligned. The assembly files know this layout by its offsets. */
struct xts_keys {
    uint8_t encrypt[XTS_ROUND_KEYS][XTS_BLOCK];
    uint8_t decrypt[XTS_ROUND_KEYS][XTS_BLOCK]; /* for the equivalent inverse cipher (FIPS 197) */
    uint8_t tweak[XTS_ROUND_KEYS][XTS_BLOCK];
    uint32_t rounds; /* 10 or 14 */
};

/* The number of a data unit; 128 bits, since a run may count past 2^64. */
struct xts_number {
    uint64_t low, high;
};

struct xts_kernel {
    const char *name;

    /* Encrypt FIRST, FIRST + 1, ... with the tweak key. COUNT is at most XTS_BATCH, and the low
     * half does not overflow within it. OUT is 64-byte aligned, and is written in whole groups of
     * 16 blocks. NULL: no kernel but OpenSSL does the work. */
    void (*tweaks)(const struct xts_keys *keys, struct xts_number first, uint8_t (*out)[XTS_BLOCK],
                   size_t count);

    /* The bases of the EACH chunks (an even number) of every one of COUNT units, from the tweaks
     * in UNITS; behind them the base of what would be the next chunk of the last unit. */
    void (*spread)(uint8_t (*bases)[XTS_BLOCK], const uint8_t (*units)[XTS_BLOCK], size_t count,
                   size_t each);

    /* Transform CHUNKS (at least 1) times 512 bytes from SRC to DST, which may be the same. BASES
     * has CHUNKS + 1 entries: the last is read, since tweaks are made one chunk ahead, but has no
     * effect. SCRATCH is 64-byte aligned; it is left with key-dependent bytes. */
    void (*encrypt)(const struct xts_keys *keys, const uint8_t (*bases)[XTS_BLOCK], uint8_t *dst,
                    const uint8_t *src, size_t chunks, uint8_t *scratch);
    void (*decrypt)(const struct xts_keys *keys, const uint8_t (*bases)[XTS_BLOCK], uint8_t *dst,
                    const uint8_t *src, size_t chunks, uint8_t *scratch);
};

extern const struct xts_kernel xts_portable; /* only a name */
#if defined(__x86_64__)
extern const struct xts_kernel xts_vaes512, xts_vaes256, xts_aesni;
#elif defined(__aarch64__)
extern const struct xts_kernel xts_neon;
#endif

/* The best kernel of this CPU, or the one that the environment variable VMCRYPT_CPU names. NULL
 * with *error set when that is unknown, or not for this CPU. */
const struct xts_kernel *xts_kernel_pick(struct error *error);

#if defined(__x86_64__) || defined(__aarch64__)
/* Expand the data key and the tweak key, LENGTH (16 or 32) bytes each, with the AES instructions
 * of the CPU: constant time, and in the byte order that the kernels want. */
void xts_expand(struct xts_keys *keys, const uint8_t *data_key, const uint8_t *tweak_key,
                size_t length);
#endif

/* Transform BYTES (whole units) with a KERNEL other than the portable one. */
void xts_run(const struct xts_kernel *kernel, const struct xts_keys *keys, bool encrypt,
             size_t unit_bytes, struct xts_number first, uint8_t *dst, const uint8_t *src,
             size_t bytes);

#endif
