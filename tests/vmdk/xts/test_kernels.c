/* Tests of the kernels of vmdk/xts/: each against OpenSSL, at every size, place and number. */
#include "vmdk/xts/xts.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/vmdk/xts/kernels.h"

#include <openssl/evp.h>

enum { MOST = 1 << 20, EDGE = 64 };

static const uint64_t FIRST_UNITS[] = {
    0,
    1,
    UINT64_C(0xfffffffd),         /* 2^32 - 3 */
    UINT64_C(0x7fffffffffffffff), /* 2^63 - 1 */
    UINT64_C(0xffffffffffffffc1), /* 2^64 - 63 */
    UINT64_MAX,
};
enum { FIRST_COUNT = sizeof FIRST_UNITS / sizeof FIRST_UNITS[0] };

struct reference {
    EVP_CIPHER_CTX *contexts[2]; /* decrypt, encrypt */
};

static struct reference reference_new(const uint8_t *key, size_t length)
{
    struct reference r;
    for (int encrypt = 0; encrypt < 2; encrypt++) {
        r.contexts[encrypt] = EVP_CIPHER_CTX_new();
        assert_int_equal(EVP_CipherInit_ex(r.contexts[encrypt],
                                           length == 64 ? EVP_aes_256_xts() : EVP_aes_128_xts(),
                                           NULL, key, NULL, encrypt),
                         1);
    }
    return r;
}

static void reference_free(struct reference r)
{
    EVP_CIPHER_CTX_free(r.contexts[0]);
    EVP_CIPHER_CTX_free(r.contexts[1]);
}

static void reference_run(const struct reference *r, bool encrypt, size_t unit_bytes,
                          uint64_t first, uint8_t *data, size_t bytes)
{
    for (size_t i = 0; i < bytes / unit_bytes; i++) {
        unsigned __int128 number = (unsigned __int128)first + i;
        uint8_t tweak[16];
        int done = 0;
        for (size_t b = 0; b < sizeof tweak; b++)
            tweak[b] = (uint8_t)(number >> (8 * b));
        uint8_t *at = data + i * unit_bytes;
        assert_int_equal(EVP_CipherInit_ex(r->contexts[encrypt], NULL, NULL, NULL, tweak, -1), 1);
        assert_int_equal(EVP_CipherUpdate(r->contexts[encrypt], at, &done, at, (int)unit_bytes), 1);
    }
}

struct bench {
    uint64_t random;
    uint8_t *plain, *expected, *space; /* space: MOST bytes and edges of 2 * EDGE at both ends */
    size_t key_bytes, unit_bytes;
    struct xts *x;
    struct reference reference;
};

static void bench_begin(struct bench *b, size_t key_bytes, size_t unit_bytes)
{
    struct error error = ERROR_INIT;
    uint8_t key[64];
    fill_random(&b->random, key, key_bytes);
    struct secret *secret = secret_copy(key, key_bytes, &error);
    b->key_bytes = key_bytes;
    b->unit_bytes = unit_bytes;
    b->x = xts_new(secret, unit_bytes, &error);
    assert_non_null(b->x);
    assert_string_equal(xts_kernel_name(b->x), getenv("VMCRYPT_CPU"));
    b->reference = reference_new(key, key_bytes);
    secret_free(secret);
}

static void bench_end(struct bench *b)
{
    xts_free(b->x);
    reference_free(b->reference);
}

static struct bench bench_new(void)
{
    struct bench b = {.random = 88172645463325252};
    b.plain = malloc(MOST);
    b.expected = malloc(MOST);
    b.space = malloc(2 * MOST + 6 * EDGE);
    assert_true(b.plain != NULL && b.expected != NULL && b.space != NULL);
    fill_random(&b.random, b.plain, MOST);
    return b;
}

static void bench_free(struct bench *b)
{
    free(b->plain);
    free(b->expected);
    free(b->space);
}

static bool transform(const struct bench *b, bool encrypt, uint64_t first, uint8_t *dst,
                      const uint8_t *src, size_t bytes)
{
    struct error error = ERROR_INIT;
    return (encrypt ? xts_encrypt : xts_decrypt)(b->x, first, dst, src, bytes, &error);
}

/* Both directions, at a random place in memory, in place and not. Nothing beside DST changes. */
static void check(struct bench *b, uint64_t first, size_t bytes)
{
    uint8_t *dst = b->space + EDGE + next_random(&b->random) % EDGE;
    uint8_t *src = b->space + MOST + 3 * EDGE + next_random(&b->random) % EDGE;
    uint8_t before[EDGE], after[EDGE];
    fill_random(&b->random, before, EDGE);
    fill_random(&b->random, after, EDGE);
    for (int encrypt = 0; encrypt < 2; encrypt++) {
        memcpy(b->expected, b->plain, bytes);
        reference_run(&b->reference, encrypt, b->unit_bytes, first, b->expected, bytes);
        memcpy(src, b->plain, bytes);
        memcpy(dst - EDGE, before, EDGE);
        memcpy(dst + bytes, after, EDGE);
        assert_true(transform(b, encrypt, first, dst, src, bytes));
        assert_memory_equal(dst, b->expected, bytes);
        assert_memory_equal(dst - EDGE, before, EDGE);
        assert_memory_equal(dst + bytes, after, EDGE);
        assert_memory_equal(src, b->plain, bytes);
        assert_true(transform(b, encrypt, first, src, src, bytes));
        assert_memory_equal(src, b->expected, bytes);
    }
}

static void every_count_of_512(void **state)
{
    (void)state;
    struct bench b = bench_new();
    for (size_t key_bytes = 32; key_bytes <= 64; key_bytes += 32) {
        bench_begin(&b, key_bytes, 512);
        for (size_t units = 1; units <= 200; units++)
            check(&b, FIRST_UNITS[units % FIRST_COUNT] + (units > 100 ? units : 0), units * 512);
        bench_end(&b);
    }
    bench_free(&b);
}

static void every_unit_size(void **state)
{
    (void)state;
    struct bench b = bench_new();
    for (size_t key_bytes = 32; key_bytes <= 64; key_bytes += 32) {
        for (size_t unit_bytes = 1024; unit_bytes <= 65536; unit_bytes *= 2) {
            bench_begin(&b, key_bytes, unit_bytes);
            size_t most = MOST / unit_bytes < 200 ? MOST / unit_bytes : 200;
            for (size_t i = 0; i < FIRST_COUNT; i++) {
                check(&b, FIRST_UNITS[i], unit_bytes);
                check(&b, FIRST_UNITS[i], (1 + next_random(&b.random) % most) * unit_bytes);
            }
            check(&b, next_random(&b.random), most * unit_bytes);
            bench_end(&b);
        }
    }
    bench_free(&b);
}

/* Numbers that wrap at each place of a batch. */
static void every_wrap(void **state)
{
    (void)state;
    struct bench b = bench_new();
    bench_begin(&b, 64, 512);
    for (uint64_t before = 0; before <= 70; before++) {
        check(&b, UINT64_MAX - before, (size_t)140 * 512);
        check(&b, (UINT64_C(1) << 32) - 1 - before, (size_t)140 * 512);
    }
    bench_end(&b);
    bench_free(&b);
}

/* Every offset within a cache line, for source and destination. */
static void every_alignment(void **state)
{
    (void)state;
    struct bench b = bench_new();
    bench_begin(&b, 64, 512);
    size_t bytes = (size_t)3 * 512;
    memcpy(b.expected, b.plain, bytes);
    reference_run(&b.reference, true, 512, 9, b.expected, bytes);
    for (size_t from = 0; from < EDGE; from++) {
        for (size_t to = 0; to < EDGE; to++) {
            uint8_t *src = b.space + from, *dst = b.space + MOST + to;
            memcpy(src, b.plain, bytes);
            assert_true(transform(&b, true, 9, dst, src, bytes));
            assert_memory_equal(dst, b.expected, bytes);
            assert_true(transform(&b, false, 9, dst, dst, bytes));
            assert_memory_equal(dst, b.plain, bytes);
        }
    }
    bench_end(&b);
    bench_free(&b);
}

/* Memory that ends in front of, or begins behind, a page that cannot be touched: the assembly is
 * out of the sanitizers' sight. */
static void within_bounds(void **state)
{
    (void)state;
    size_t page = (size_t)sysconf(_SC_PAGESIZE), room = 32 * page;
    uint8_t *pages[2];
    for (size_t i = 0; i < 2; i++) {
        pages[i] =
            mmap(NULL, room + 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert_ptr_not_equal(pages[i], MAP_FAILED);
        assert_int_equal(mprotect(pages[i], page, PROT_NONE), 0);
        assert_int_equal(mprotect(pages[i] + page + room, page, PROT_NONE), 0);
    }
    struct bench b = bench_new();
    for (size_t unit_bytes = 512; unit_bytes <= 65536; unit_bytes *= 128) {
        bench_begin(&b, 64, unit_bytes);
        for (size_t bytes = unit_bytes; bytes <= room && bytes <= 70 * unit_bytes;
             bytes += unit_bytes) {
            for (int at_end = 0; at_end < 2; at_end++) {
                uint8_t *src = pages[0] + page + (at_end ? room - bytes : 0);
                uint8_t *dst = pages[1] + page + (at_end ? room - bytes : 0);
                memcpy(src, b.plain, bytes);
                assert_true(transform(&b, true, 5, dst, src, bytes));
                assert_true(transform(&b, false, 5, dst, dst, bytes));
                assert_memory_equal(dst, b.plain, bytes);
            }
        }
        bench_end(&b);
    }
    bench_free(&b);
    munmap(pages[0], room + 2 * page);
    munmap(pages[1], room + 2 * page);
}

/* What python3-cryptography makes of the same bytes, right now. */
static void python_agrees(void **state)
{
    (void)state;
    static const char SCRIPT[] =
        "/usr/bin/python3 - 2>/dev/null <<'END'\n"
        "import hashlib\n"
        "from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes\n"
        "data = bytes((i * 7 + (i >> 8)) & 255 for i in range(12288))\n"
        "key = bytes(range(1, 65))\n"
        "hash = hashlib.sha256()\n"
        "for unit in (512, 4096):\n"
        "    for i in range(len(data) // unit):\n"
        "        tweak = (2**64 - 2 + i).to_bytes(16, 'little')\n"
        "        e = Cipher(algorithms.AES(key), modes.XTS(tweak)).encryptor()\n"
        "        hash.update(e.update(data[i * unit:(i + 1) * unit]) + e.finalize())\n"
        "print(hash.hexdigest())\n"
        "END\n";
    char line[80] = "";
    FILE *python = popen(SCRIPT, "r");
    assert_non_null(python);
    bool has = fgets(line, sizeof line, python) != NULL;
    if (pclose(python) != 0 || !has) {
        print_message("no /usr/bin/python3 with cryptography\n");
        skip();
    }

    uint8_t data[12288], key[64], digest[32], expected[32];
    size_t length = sizeof expected;
    struct error error = ERROR_INIT;
    for (size_t i = 0; i < sizeof key; i++)
        key[i] = (uint8_t)(i + 1);
    struct secret *secret = secret_copy(key, sizeof key, &error);
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    EVP_DigestInit(hash, EVP_sha256());
    for (size_t unit_bytes = 512; unit_bytes <= 4096; unit_bytes *= 8) {
        struct xts *x = xts_new(secret, unit_bytes, &error);
        for (size_t i = 0; i < sizeof data; i++)
            data[i] = (uint8_t)(i * 7 + (i >> 8));
        assert_true(xts_encrypt(x, UINT64_MAX - 1, data, data, sizeof data, &error));
        EVP_DigestUpdate(hash, data, sizeof data);
        xts_free(x);
    }
    EVP_DigestFinal(hash, digest, NULL);
    EVP_MD_CTX_free(hash);
    secret_free(secret);
    assert_true(hex_decode(line, 64, expected, &length));
    assert_memory_equal(digest, expected, sizeof digest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_count_of_512), cmocka_unit_test(every_unit_size),
        cmocka_unit_test(every_wrap),         cmocka_unit_test(every_alignment),
        cmocka_unit_test(within_bounds),      cmocka_unit_test(python_agrees),
    };
    return run_for_each_kernel(tests);
}
