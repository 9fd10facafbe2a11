/* xts_x86 - the kernels of x86-64: the assembly files, and the encryption of unit numbers. */
#include "vmdk/xts/xts_kernel.h"

#if defined(__x86_64__)

#include <assert.h>
#include <immintrin.h>

#include "vmdk/xts/xts_x86.h"

static_assert(offsetof(struct xts_keys, encrypt) == ENCRYPT, "xts_x86.h is out of step");
static_assert(offsetof(struct xts_keys, decrypt) == DECRYPT, "xts_x86.h is out of step");
static_assert(offsetof(struct xts_keys, rounds) == ROUNDS, "xts_x86.h is out of step");
static_assert(XTS_CHUNK == 512 && XTS_SCRATCH >= 2 * XTS_CHUNK, "what the assembly needs");

/* As xts_kernel's encrypt and decrypt. */
void xts_vaes512_encrypt(const struct xts_keys *keys, const uint8_t (*bases)[XTS_BLOCK],
                         uint8_t *dst, const uint8_t *src, size_t chunks, uint8_t *scratch);
void xts_vaes512_decrypt(const struct xts_keys *keys, const uint8_t (*bases)[XTS_BLOCK],
                         uint8_t *dst, const uint8_t *src, size_t chunks, uint8_t *scratch);
void xts_vaes256_encrypt(const struct xts_keys *keys, const uint8_t (*bases)[XTS_BLOCK],
                         uint8_t *dst, const uint8_t *src, size_t chunks, uint8_t *scratch);
void xts_vaes256_decrypt(const struct xts_keys *keys, const uint8_t (*bases)[XTS_BLOCK],
                         uint8_t *dst, const uint8_t *src, size_t chunks, uint8_t *scratch);
void xts_aesni_encrypt(const struct xts_keys *keys, const uint8_t (*bases)[XTS_BLOCK], uint8_t *dst,
                       const uint8_t *src, size_t chunks, uint8_t *scratch);
void xts_aesni_decrypt(const struct xts_keys *keys, const uint8_t (*bases)[XTS_BLOCK], uint8_t *dst,
                       const uint8_t *src, size_t chunks, uint8_t *scratch);

static inline __m128i number_block(struct xts_number number)
{
    return _mm_set_epi64x((long long)number.high, (long long)number.low);
}

/*
 * The same three times: 16 (or 8) numbers in flight, enough to hide the latency of vaesenc. The
 * vector of the next numbers is counted on by adding to the low halves alone.
 */
__attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,vaes"))) static void
vaes512_tweaks(const struct xts_keys *keys, struct xts_number first, uint8_t (*out)[XTS_BLOCK],
               size_t count)
{
    enum { STREAMS = 4, EACH = 4 };
    __m512i number = _mm512_broadcast_i32x4(number_block(first));
    number = _mm512_add_epi64(number, _mm512_set_epi64(0, 3, 0, 2, 0, 1, 0, 0));
    const __m512i step = _mm512_set_epi64(0, EACH, 0, EACH, 0, EACH, 0, EACH);
    for (size_t i = 0; i < count; i += STREAMS * EACH) {
        __m512i block[STREAMS];
        __m512i key = _mm512_broadcast_i32x4(_mm_load_si128((const __m128i *)keys->tweak[0]));
#pragma GCC unroll 4
        for (size_t s = 0; s < STREAMS; s++) {
            block[s] = _mm512_xor_si512(number, key);
            number = _mm512_add_epi64(number, step);
        }
        for (size_t round = 1; round < keys->rounds; round++) {
            key = _mm512_broadcast_i32x4(_mm_load_si128((const __m128i *)keys->tweak[round]));
#pragma GCC unroll 4
            for (size_t s = 0; s < STREAMS; s++)
                block[s] = _mm512_aesenc_epi128(block[s], key);
        }
        key = _mm512_broadcast_i32x4(_mm_load_si128((const __m128i *)keys->tweak[keys->rounds]));
#pragma GCC unroll 4
        for (size_t s = 0; s < STREAMS; s++)
            _mm512_store_si512(out[i + s * EACH], _mm512_aesenclast_epi128(block[s], key));
    }
}

__attribute__((target("avx2,vaes"))) static void vaes256_tweaks(const struct xts_keys *keys,
                                                                struct xts_number first,
                                                                uint8_t (*out)[XTS_BLOCK],
                                                                size_t count)
{
    enum { STREAMS = 8, EACH = 2 };
    __m256i number = _mm256_broadcastsi128_si256(number_block(first));
    number = _mm256_add_epi64(number, _mm256_set_epi64x(0, 1, 0, 0));
    const __m256i step = _mm256_set_epi64x(0, EACH, 0, EACH);
    for (size_t i = 0; i < count; i += STREAMS * EACH) {
        __m256i block[STREAMS];
        __m256i key = _mm256_broadcastsi128_si256(_mm_load_si128((const __m128i *)keys->tweak[0]));
#pragma GCC unroll 8
        for (size_t s = 0; s < STREAMS; s++) {
            block[s] = _mm256_xor_si256(number, key);
            number = _mm256_add_epi64(number, step);
        }
        for (size_t round = 1; round < keys->rounds; round++) {
            key = _mm256_broadcastsi128_si256(_mm_load_si128((const __m128i *)keys->tweak[round]));
#pragma GCC unroll 8
            for (size_t s = 0; s < STREAMS; s++)
                block[s] = _mm256_aesenc_epi128(block[s], key);
        }
        key =
            _mm256_broadcastsi128_si256(_mm_load_si128((const __m128i *)keys->tweak[keys->rounds]));
#pragma GCC unroll 8
        for (size_t s = 0; s < STREAMS; s++)
            _mm256_store_si256((__m256i *)out[i + s * EACH],
                               _mm256_aesenclast_epi128(block[s], key));
    }
}

__attribute__((target("avx,aes"))) static void aesni_tweaks(const struct xts_keys *keys,
                                                            struct xts_number first,
                                                            uint8_t (*out)[XTS_BLOCK], size_t count)
{
    enum { STREAMS = 8 };
    __m128i number = number_block(first);
    const __m128i step = _mm_set_epi64x(0, 1);
    for (size_t i = 0; i < count; i += STREAMS) {
        __m128i block[STREAMS];
        __m128i key = _mm_load_si128((const __m128i *)keys->tweak[0]);
#pragma GCC unroll 8
        for (size_t s = 0; s < STREAMS; s++) {
            block[s] = _mm_xor_si128(number, key);
            number = _mm_add_epi64(number, step);
        }
        for (size_t round = 1; round < keys->rounds; round++) {
            key = _mm_load_si128((const __m128i *)keys->tweak[round]);
#pragma GCC unroll 8
            for (size_t s = 0; s < STREAMS; s++)
                block[s] = _mm_aesenc_si128(block[s], key);
        }
        key = _mm_load_si128((const __m128i *)keys->tweak[keys->rounds]);
#pragma GCC unroll 8
        for (size_t s = 0; s < STREAMS; s++)
            _mm_store_si128((__m128i *)out[i + s], _mm_aesenclast_si128(block[s], key));
    }
}

/*
 * A chunk further is times x^32: the top dword comes back times 0x87. Even and odd chunks are two
 * chains of x^64 a step, which halves the latency, and the top quadword needs no shift.
 */
__attribute__((target("avx,pclmul"))) static void
spread(uint8_t (*bases)[XTS_BLOCK], const uint8_t (*units)[XTS_BLOCK], size_t count, size_t each)
{
    const __m128i poly = _mm_set_epi64x(0, 0x87);
    for (size_t u = 0; u < count; u++) {
        __m128i even = _mm_load_si128((const __m128i *)units[u]);
        __m128i odd = _mm_xor_si128(_mm_slli_si128(even, 4),
                                    _mm_clmulepi64_si128(_mm_srli_si128(even, 12), poly, 0x00));
        for (size_t c = 0; c < each; c += 2) {
            _mm_store_si128((__m128i *)*bases++, even);
            _mm_store_si128((__m128i *)*bases++, odd);
            even = _mm_xor_si128(_mm_slli_si128(even, 8), _mm_clmulepi64_si128(even, poly, 0x01));
            odd = _mm_xor_si128(_mm_slli_si128(odd, 8), _mm_clmulepi64_si128(odd, poly, 0x01));
        }
        _mm_store_si128((__m128i *)*bases, even);
    }
}

const struct xts_kernel xts_vaes512 = {
    .name = "vaes512",
    .tweaks = vaes512_tweaks,
    .spread = spread,
    .encrypt = xts_vaes512_encrypt,
    .decrypt = xts_vaes512_decrypt,
};

const struct xts_kernel xts_vaes256 = {
    .name = "vaes256",
    .tweaks = vaes256_tweaks,
    .spread = spread,
    .encrypt = xts_vaes256_encrypt,
    .decrypt = xts_vaes256_decrypt,
};

const struct xts_kernel xts_aesni = {
    .name = "aesni",
    .tweaks = aesni_tweaks,
    .spread = spread,
    .encrypt = xts_aesni_encrypt,
    .decrypt = xts_aesni_decrypt,
};

#else
/* ISO C wants something in every file. */
typedef int xts_x86_is_for_x86_64;
#endif
