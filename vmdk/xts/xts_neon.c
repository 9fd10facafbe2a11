/*
 * xts_neon - AES-XTS over 512-byte chunks with the ARMv8 Cryptography Extensions.
 *
 * Eight blocks in flight hide the latency of aese + aesmc, which compilers keep adjacent so that
 * cores can fuse them. aese and aesd begin with AddRoundKey, so a round uses the key of the round
 * before, and the last key is left for a plain exclusive or, where the tweak is folded in.
 */
#include "vmdk/xts/xts_kernel.h"

#if defined(__aarch64__)

#include "vmdk/xts/xts_neon.h"

enum { STREAMS = 8 };

/* Times x: bits 63 and 127, as masks of a quadword, go to the other half as 1 and 0x87. */
static inline uint8x16_t doubled(uint8x16_t t)
{
    const int64x2_t carry = {0x87, 1};
    int64x2_t a = vreinterpretq_s64_u8(t);
    int64x2_t top = vshrq_n_s64(a, 63);
    int64x2_t back = vandq_s64(vextq_s64(top, top, 1), carry);
    return vreinterpretq_u8_s64(veorq_s64(vaddq_s64(a, a), back));
}

static inline void encrypt_rounds(uint8x16_t *block, const uint8_t (*keys)[XTS_BLOCK],
                                  uint32_t rounds)
{
    for (uint32_t round = 0; round + 1 < rounds; round++) {
        uint8x16_t key = vld1q_u8(keys[round]);
#pragma GCC unroll 8
        for (size_t s = 0; s < STREAMS; s++)
            block[s] = vaesmcq_u8(vaeseq_u8(block[s], key));
    }
    uint8x16_t key = vld1q_u8(keys[rounds - 1]);
#pragma GCC unroll 8
    for (size_t s = 0; s < STREAMS; s++)
        block[s] = vaeseq_u8(block[s], key);
}

static inline void decrypt_rounds(uint8x16_t *block, const uint8_t (*keys)[XTS_BLOCK],
                                  uint32_t rounds)
{
    for (uint32_t round = 0; round + 1 < rounds; round++) {
        uint8x16_t key = vld1q_u8(keys[round]);
#pragma GCC unroll 8
        for (size_t s = 0; s < STREAMS; s++)
            block[s] = vaesimcq_u8(vaesdq_u8(block[s], key));
    }
    uint8x16_t key = vld1q_u8(keys[rounds - 1]);
#pragma GCC unroll 8
    for (size_t s = 0; s < STREAMS; s++)
        block[s] = vaesdq_u8(block[s], key);
}

static inline void chunks_of(const struct xts_keys *keys, bool encrypt,
                             const uint8_t (*bases)[XTS_BLOCK], uint8_t *dst, const uint8_t *src,
                             size_t chunks)
{
    const uint8_t(*schedule)[XTS_BLOCK] = encrypt ? keys->encrypt : keys->decrypt;
    uint8x16_t last = vld1q_u8(schedule[keys->rounds]);
    for (; chunks > 0; chunks--) {
        uint8x16_t tweak = vld1q_u8(*bases++);
        for (size_t at = 0; at < XTS_CHUNK; at += STREAMS * XTS_BLOCK) {
            uint8x16_t tweaks[STREAMS], block[STREAMS];
#pragma GCC unroll 8
            for (size_t s = 0; s < STREAMS; s++) {
                tweaks[s] = tweak;
                block[s] = veorq_u8(vld1q_u8(src + s * XTS_BLOCK), tweak);
                tweak = doubled(tweak);
            }
            if (encrypt)
                encrypt_rounds(block, schedule, keys->rounds);
            else
                decrypt_rounds(block, schedule, keys->rounds);
#pragma GCC unroll 8
            for (size_t s = 0; s < STREAMS; s++)
                vst1q_u8(dst + s * XTS_BLOCK, veorq_u8(block[s], veorq_u8(tweaks[s], last)));
            dst += STREAMS * XTS_BLOCK;
            src += STREAMS * XTS_BLOCK;
        }
    }
}

static void neon_encrypt(const struct xts_keys *keys, const uint8_t (*bases)[XTS_BLOCK],
                         uint8_t *dst, const uint8_t *src, size_t chunks, uint8_t *scratch)
{
    (void)scratch;
    chunks_of(keys, true, bases, dst, src, chunks);
}

static void neon_decrypt(const struct xts_keys *keys, const uint8_t (*bases)[XTS_BLOCK],
                         uint8_t *dst, const uint8_t *src, size_t chunks, uint8_t *scratch)
{
    (void)scratch;
    chunks_of(keys, false, bases, dst, src, chunks);
}

static void neon_tweaks(const struct xts_keys *keys, struct xts_number first,
                        uint8_t (*out)[XTS_BLOCK], size_t count)
{
    uint64x2_t number = {first.low, first.high};
    const uint64x2_t one = {1, 0};
    uint8x16_t last = vld1q_u8(keys->tweak[keys->rounds]);
    for (size_t i = 0; i < count; i += STREAMS) {
        uint8x16_t block[STREAMS];
#pragma GCC unroll 8
        for (size_t s = 0; s < STREAMS; s++) {
            block[s] = vreinterpretq_u8_u64(number);
            number = vaddq_u64(number, one);
        }
        encrypt_rounds(block, keys->tweak, keys->rounds);
#pragma GCC unroll 8
        for (size_t s = 0; s < STREAMS; s++)
            vst1q_u8(out[i + s], veorq_u8(block[s], last));
    }
}

static inline uint8x16_t product(uint64_t a)
{
    return vreinterpretq_u8_p128(vmull_p64((poly64_t)a, (poly64_t)0x87));
}

/* Times x^64: the high half comes back times 0x87. */
static inline uint8x16_t times_x64(uint8x16_t t)
{
    uint64_t high = vgetq_lane_u64(vreinterpretq_u64_u8(t), 1);
    return veorq_u8(vextq_u8(vdupq_n_u8(0), t, 8), product(high));
}

/* A chunk further is times x^32; even and odd chunks are two chains, to halve the latency. */
static void neon_spread(uint8_t (*bases)[XTS_BLOCK], const uint8_t (*units)[XTS_BLOCK],
                        size_t count, size_t each)
{
    for (size_t u = 0; u < count; u++) {
        uint8x16_t even = vld1q_u8(units[u]);
        uint32_t top = vgetq_lane_u32(vreinterpretq_u32_u8(even), 3);
        uint8x16_t odd = veorq_u8(vextq_u8(vdupq_n_u8(0), even, 12), product(top));
        for (size_t c = 0; c < each; c += 2) {
            vst1q_u8(*bases++, even);
            vst1q_u8(*bases++, odd);
            even = times_x64(even);
            odd = times_x64(odd);
        }
        vst1q_u8(*bases, even);
    }
}

const struct xts_kernel xts_neon = {
    .name = "neon",
    .tweaks = neon_tweaks,
    .spread = neon_spread,
    .encrypt = neon_encrypt,
    .decrypt = neon_decrypt,
};

#else
/* ISO C wants something in every file. */
typedef int xts_neon_is_for_arm64;
#endif
