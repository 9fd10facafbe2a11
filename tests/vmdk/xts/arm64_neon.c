/*
 * arm64_neon - a test of the NEON kernel that needs nothing but libc, for a cross-built program
 * under qemu-user: see check-arm64. On an arm64 machine the other tests cover the kernel too.
 *
 * The reference is FIPS 197 and IEEE 1619 by the book, byte by byte, itself checked with the
 * standard's vectors.
 */
#include "vmdk/xts/xts_kernel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "tests/vmdk/xts/ieee1619_vectors.h"

/* base/secret.c needs OpenSSL. */
void secret_wipe(void *data, size_t length)
{
    explicit_bzero(data, length);
}

/* GF(2^8) modulo x^8 + x^4 + x^3 + x + 1. */
static uint8_t multiply(uint8_t a, uint8_t b)
{
    uint8_t product = 0;
    for (; b != 0; b >>= 1) {
        product ^= (b & 1) != 0 ? a : 0;
        a = (uint8_t)(a << 1 ^ (a >> 7) * 0x1b);
    }
    return product;
}

static uint8_t sbox[256];

static void make_sbox(void)
{
    for (unsigned a = 0; a < 256; a++) {
        uint8_t inverse = 1;
        for (int i = 0; i < 254; i++) /* a^254 */
            inverse = multiply(inverse, (uint8_t)a);
        uint8_t s = 0x63;
        for (int i = 0; i < 5; i++)
            s ^= (uint8_t)(inverse << i | inverse >> (8 - i));
        sbox[a] = s;
    }
}

struct aes {
    uint8_t keys[15][16];
    unsigned rounds;
};

static void aes_expand(struct aes *aes, const uint8_t *key, size_t length)
{
    uint8_t *w = aes->keys[0], constant = 1;
    aes->rounds = length == 32 ? 14 : 10;
    memcpy(w, key, length);
    for (size_t i = length; i < 16 * (aes->rounds + 1); i += 4) {
        uint8_t t[4];
        memcpy(t, w + i - 4, 4);
        if (i % length == 0) {
            uint8_t first = t[0];
            for (int j = 0; j < 3; j++)
                t[j] = sbox[t[j + 1]];
            t[3] = sbox[first];
            t[0] ^= constant;
            constant = multiply(constant, 2);
        } else if (length == 32 && i % 32 == 16) {
            for (int j = 0; j < 4; j++)
                t[j] = sbox[t[j]];
        }
        for (size_t j = 0; j < 4; j++)
            w[i + j] = w[i + j - length] ^ t[j];
    }
}

static void aes_encrypt(const struct aes *aes, uint8_t *block)
{
    for (unsigned round = 0; round <= aes->rounds; round++) {
        uint8_t t[16];
        for (int i = 0; round > 0 && i < 16; i++)
            t[i] = sbox[block[(i + 4 * (i % 4)) % 16]]; /* SubBytes, ShiftRows */
        for (int i = 0; round > 0 && i < 16; i++) {
            const uint8_t *column = t + i / 4 * 4;
            block[i] = round == aes->rounds
                           ? t[i]
                           : multiply(column[i % 4], 2) ^ multiply(column[(i + 1) % 4], 3) ^
                                 column[(i + 2) % 4] ^ column[(i + 3) % 4];
        }
        for (int i = 0; i < 16; i++)
            block[i] ^= aes->keys[round][i];
    }
}

static void reference(const uint8_t *key, size_t half, struct xts_number number, uint8_t *data,
                      size_t bytes)
{
    struct aes data_key, tweak_key;
    uint8_t tweak[16];
    aes_expand(&data_key, key, half);
    aes_expand(&tweak_key, key + half, half);
    for (size_t i = 0; i < 8; i++) {
        tweak[i] = (uint8_t)(number.low >> (8 * i));
        tweak[8 + i] = (uint8_t)(number.high >> (8 * i));
    }
    aes_encrypt(&tweak_key, tweak);
    for (size_t at = 0; at < bytes; at += 16) {
        for (size_t i = 0; i < 16; i++)
            data[at + i] ^= tweak[i];
        aes_encrypt(&data_key, data + at);
        unsigned carry = 0;
        for (size_t i = 0; i < 16; i++) {
            data[at + i] ^= tweak[i];
            carry |= (unsigned)tweak[i] << 1;
            tweak[i] = (uint8_t)carry;
            carry >>= 8;
        }
        tweak[0] ^= carry != 0 ? 0x87 : 0;
    }
}

static size_t from_hex(const char *hex, uint8_t *out)
{
    size_t length = strlen(hex) / 2;
    for (size_t i = 0; i < length; i++) {
        char digits[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        out[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return length;
}

static struct xts_keys keys __attribute__((aligned(64)));

/* The kernel and the reference on the standard's vectors. */
static bool standard_vectors(void)
{
    uint8_t previous[512], plain[512], cipher[512], got[512], key[64];
    for (size_t v = 0; v < VECTOR_COUNT; v++) {
        struct xts_number number = {.low = VECTORS[v].unit};
        size_t half = from_hex(VECTORS[v].key, key) / 2;
        from_hex(VECTORS[v].ciphertext, cipher);
        for (size_t i = 0; i < sizeof plain; i++)
            plain[i] = VECTORS[v].number == 5 ? previous[i] : (uint8_t)i;
        memcpy(got, plain, sizeof got);
        reference(key, half, number, got, sizeof got);
        if (memcmp(got, cipher, sizeof got) != 0)
            return false;
        xts_expand(&keys, key, key + half, half);
        xts_run(&xts_neon, &keys, true, 512, number, got, plain, sizeof got);
        if (memcmp(got, cipher, sizeof got) != 0)
            return false;
        xts_run(&xts_neon, &keys, false, 512, number, got, got, sizeof got);
        if (memcmp(got, plain, sizeof got) != 0)
            return false;
        memcpy(previous, cipher, sizeof previous);
    }
    return true;
}

/* The kernel against the reference. */
static bool one_run(size_t half, size_t unit_bytes, size_t units, struct xts_number first)
{
    size_t bytes = units * unit_bytes;
    uint8_t *plain = malloc(bytes), *expected = malloc(bytes), *space = malloc(bytes + 64);
    uint8_t *got = space + (units * 7 + half) % 64, key[64];
    uint32_t random = (uint32_t)(bytes + first.low);
    for (size_t i = 0; i < bytes + sizeof key; i++) {
        random = random * 1664525 + 1013904223;
        *(i < sizeof key ? &key[i] : &plain[i - sizeof key]) = (uint8_t)(random >> 24);
    }
    memcpy(expected, plain, bytes);
    struct xts_number number = first;
    for (size_t u = 0; u < units; u++) {
        reference(key, half, number, expected + u * unit_bytes, unit_bytes);
        number.low++;
        number.high += number.low == 0;
    }
    xts_expand(&keys, key, key + half, half);
    xts_run(&xts_neon, &keys, true, unit_bytes, first, got, plain, bytes);
    bool ok = memcmp(got, expected, bytes) == 0;
    xts_run(&xts_neon, &keys, false, unit_bytes, first, got, got, bytes);
    ok = ok && memcmp(got, plain, bytes) == 0;
    free(plain);
    free(expected);
    free(space);
    return ok;
}

static bool counts_and_numbers(void)
{
    static const uint64_t FIRST[] = {0, UINT64_C(0xfffffffd), UINT64_MAX - 5, UINT64_MAX};
    for (size_t half = 16; half <= 32; half += 16)
        for (size_t i = 0; i < sizeof FIRST / sizeof FIRST[0]; i++)
            for (size_t units = 1; units <= 140; units += units < 18 ? 1 : 23)
                if (!one_run(half, 512, units, (struct xts_number){FIRST[i], i}))
                    return false;
    return true;
}

static bool unit_sizes(void)
{
    for (size_t unit_bytes = 1024; unit_bytes <= 65536; unit_bytes *= 2)
        for (size_t units = 1; units <= 5; units += 2)
            if (!one_run(units == 3 ? 16 : 32, unit_bytes, units, (struct xts_number){99, 0}))
                return false;
    return true;
}

static bool dispatch(void)
{
    struct error error = ERROR_INIT;
    unsetenv("VMCRYPT_CPU");
    bool ok = xts_kernel_pick(&error) == &xts_neon;
    setenv("VMCRYPT_CPU", "portable", 1);
    ok = ok && xts_kernel_pick(&error) == &xts_portable;
    setenv("VMCRYPT_CPU", "vaes512", 1);
    return ok && xts_kernel_pick(&error) == NULL && error.code == ERROR_FAILED;
}

int main(void)
{
    static const struct {
        const char *name;
        bool (*run)(void);
    } TESTS[] = {{"standard_vectors", standard_vectors},
                 {"counts_and_numbers", counts_and_numbers},
                 {"unit_sizes", unit_sizes},
                 {"dispatch", dispatch}};
    enum { COUNT = sizeof TESTS / sizeof TESTS[0] };
    int failed = 0;
    make_sbox();
    printf("1..%d\n", COUNT);
    for (int i = 0; i < COUNT; i++) {
        bool ok = TESTS[i].run();
        printf("%s %d - %s\n", ok ? "ok" : "not ok", i + 1, TESTS[i].name);
        fflush(stdout);
        failed += !ok;
    }
    return failed;
}
