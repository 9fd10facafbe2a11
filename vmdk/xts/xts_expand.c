/*
 * xts_expand - AES key expansion (FIPS 197, 5.2) with the CPU's AES instructions.
 *
 * The instruction for a last round does SubBytes and ShiftRows. Given the same word in all four
 * columns, ShiftRows changes nothing, and what is left is the SubWord of the expansion: without
 * a table in memory, so its time tells nothing about the key.
 */
#include "vmdk/xts/xts_kernel.h"

#include <string.h>

#include "base/secret.h"

#if defined(__x86_64__)

#include <immintrin.h>

__attribute__((target("aes"))) static uint32_t sub_word(uint32_t word)
{
    __m128i columns = _mm_set1_epi32((int)word);
    return (uint32_t)_mm_cvtsi128_si32(_mm_aesenclast_si128(columns, _mm_setzero_si128()));
}

__attribute__((target("aes"))) static void inverse_mix_columns(uint8_t *out, const uint8_t *in)
{
    _mm_storeu_si128((__m128i *)out, _mm_aesimc_si128(_mm_loadu_si128((const __m128i *)in)));
}

#elif defined(__aarch64__)

#include "vmdk/xts/xts_neon.h"

static uint32_t sub_word(uint32_t word)
{
    uint8x16_t columns = vreinterpretq_u8_u32(vdupq_n_u32(word));
    return vgetq_lane_u32(vreinterpretq_u32_u8(vaeseq_u8(columns, vdupq_n_u8(0))), 0);
}

static void inverse_mix_columns(uint8_t *out, const uint8_t *in)
{
    vst1q_u8(out, vaesimcq_u8(vld1q_u8(in)));
}

#endif

#if defined(__x86_64__) || defined(__aarch64__)

/* Words are little endian here, so FIPS 197's RotWord is a rotation to the right. */
static void expand(uint8_t (*schedule)[XTS_BLOCK], const uint8_t *key, size_t length,
                   uint32_t rounds)
{
    uint32_t words[4 * XTS_ROUND_KEYS];
    size_t key_words = length / 4, count = 4 * (rounds + 1);
    uint32_t constant = 1;
    memcpy(words, key, length);
    for (size_t i = key_words; i < count; i++) {
        uint32_t word = words[i - 1];
        if (i % key_words == 0) {
            word = sub_word(word >> 8 | word << 24) ^ constant;
            constant = constant << 1 ^ (constant >> 7) * 0x11b;
        } else if (key_words == 8 && i % 8 == 4) {
            word = sub_word(word);
        }
        words[i] = words[i - key_words] ^ word;
    }
    memcpy(schedule, words, count * sizeof words[0]);
    secret_wipe(words, sizeof words);
}

void xts_expand(struct xts_keys *keys, const uint8_t *data_key, const uint8_t *tweak_key,
                size_t length)
{
    keys->rounds = length == 32 ? 14 : 10;
    expand(keys->encrypt, data_key, length, keys->rounds);
    expand(keys->tweak, tweak_key, length, keys->rounds);
    for (size_t i = 0; i <= keys->rounds; i++) {
        const uint8_t *key = keys->encrypt[keys->rounds - i];
        if (i == 0 || i == keys->rounds)
            memcpy(keys->decrypt[i], key, XTS_BLOCK);
        else
            inverse_mix_columns(keys->decrypt[i], key);
    }
}

#endif
