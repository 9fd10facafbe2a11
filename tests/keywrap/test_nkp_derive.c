/* Native Key Providers: every family of candidate derivations against python3-cryptography
 * (tests/keywrap/nkp_vectors.py made the figures), and key safes opened by way of a KDK. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/encode.h"
#include "keywrap/keysafe.h"
#include "keywrap/nkp_derive.h"
#include "keywrap/nkp_memory.h"

static const struct {
    const char *name, *id, *kek;
} vectors[] = {
    {"kdk",
     "ASEAAgEAQNi22xjuQ+WLKgBKrdS0NAEIAAwAEAAgAAQAQUVTLTI1NgDX6nKDeO0gbE6/"
     "P1q9UeBpgzuTus8k+NCx4VOHEbULqfCmRlOxxdS6uStR4sg1TQxuI63lHrXmrpG6448FAAAA",
     "6465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f80818283"},
    {"gcm(kdk)",
     "ASEAAgEA50iA9kZgQ8SfSHMbEMj6lAEIAAwAEAAgAAQAQUVTLTI1NgAHG5WflcsZXP/"
     "q4gOcCdSzW69zb+TQlHy1zjhOnev0AhloKNY5Welh9qeUw2SDzIrDneqc85RWUdIQfNAFAAAA",
     "88a9c6396ca09c6071ef88f877ab8b7e1f2bf8253086dbdca336e88409f248b8"},
    {"gcm+header(kdk)",
     "ASEAAgEABA0PibDmTveD0B2uXvh2FQEIAAwAEAAgAAQAQUVTLTI1NgCRSQLOE2AMkgOjWUaNC+cYk4CwUoLv/"
     "bvQ2SVAy7UxwY1fEKyeDwp4zJA4UGJkpf2IpkdKHCGc2ze+3aEFAAAA",
     "95215f1ed45a3d93c59a565c720cafa475cb49d1c00b050f153f0db319318deb"},
    {"gcm+header|cipher0(kdk)",
     "ASEAAgEAacF172SmRNWBm0/xWau5PAEIAAwAEAAgAAQAQUVTLTI1NgDxjA3NDoRJBrwy7DQ3ya4U4PVhJYPkbctGl/"
     "0OYXxoKshTFz+Zh3yefZVoUlLFVVkWbADJr4hA8Uq+vdkFAAAA",
     "baf6e1c5cb17e47d0ae26eae829e3fdc81d08874c6c73a8fa9db3ce4ac3dc3bc"},
    {"gcm+rounds(kdk)",
     "ASEAAgEAN1eJZsCsSFSi/"
     "aoT1+pZbAEIAAwAEAAgAAQAQUVTLTI1NgCh92krU60WjnnjjwQkXArWOeZYytlWx3bfpHrN92iLwlYw/"
     "BhjU5BnMkk0MYsfWOg5WOrfTGXCQJjJZlkFAAAA",
     "ac0cb28787f6e15c711910928b1f19303cf08aed21ef428d29e83bc6e8717b6f"},
    {"cbc(kdk)",
     "ASEAAgEACaGfOCeSQyCUF1IYRZeaCgEIAAwAEAAgAAQAQUVTLTI1NgCYFKLc3LPtJLpwVGzN+"
     "8hNW1FQFnmiZYiXVe2h611rTl0di48JB5WMMKfEVyDj04qRlpWnuVyoF30qGzAFAAAA",
     "8fce6fc9f284de0b0d8abeaf8dbf6b8fa72fcb93d38437dcbd483dda98f8fcf4"},
    {"ctr(kdk)",
     "ASEAAgEA+"
     "kRG6GFgSJuoMuvexFJK5AEIAAwAEAAgAAQAQUVTLTI1NgBKpQSALyeBNem0QHbchWogwb2DYNnMpMvXrxcpRoqlVLi41X"
     "MFo0dYrkSVIB/YPRztau23R/Oi65WXrZgFAAAA",
     "d2977834b4fd4568bdb91dbd8431d3e21e34f17a75a061300519fe3803eac7fd"},
    {"hmac-sha256(kdk, salt16)",
     "ASEAAgEAiplN2AmxTTOmHPMIYRUvtQEIAAwAEAAgAAQAQUVTLTI1NgC/"
     "lWUYb84YCs8w9JoMmjZQmTsDDY6xgWqQnGwqUfKg9yxH/HyyY7MW7HvGQaLrbY6tJyhpb59UTXAuAuIFAAAA",
     "e2ffc5783fbe7855caea880c4c50b95ad3917b108db994c25a786cd0b48271ae"},
    {"hmac-sha512(kdk, nonce12|salt16|data32)",
     "ASEAAgEAXL3QOZZ0RlmlhUTeiIjNAgEIAAwAEAAgAAQAQUVTLTI1NgD7ln9dJC2ONYWWJxrBe51AUn8lNo062givxa7Q/"
     "fJGuGW4gVNL4bxEz9UkwjXxZGmOelZQPMfK4wNIsXoFAAAA",
     "e508a2481de5b220908caaf438e6f8722f87731b5f4cae990964364245e249aa"},
    {"gcm+uuid(hmac-sha256(kdk, uuid))",
     "ASEAAgEAs50pZIBtSUmsBXnqQCxIpAEIAAwAEAAgAAQAQUVTLTI1NgCvjJ5+i6/"
     "cELX235ySRVY8g5E35+fSNfeeoJnSlWmfX4lPlbpjfDb1phgj4BHu5QDjAjscQX2jVvym3v4FAAAA",
     "58f2401e79e41407fc77fe87bbe939d8b7e98b7676723f7fee4d4a39ef5c1dd7"},
    {"sp800-108-sha256(kdk, cipher, nonce12|salt16)",
     "ASEAAgEAhEu0YjDYTOyCV60OHUbmdAEIAAwAEAAgAAQAQUVTLTI1NgBF+PoVWXZTZQogSyH/"
     "ZQIKMaQV+YnxiqCpzG89gmz/5ltiGaVByznjpeK8b+KOgx0UJO4VYGQJQznKxpkFAAAA",
     "63a385663ca9724b44e91340b17c3054ba5108b7f55181bf4f0d7adc8b26140d"},
    {"sp800-108-sha512(kdk, uuid-text, uuid|salt16)",
     "ASEAAgEATOXU4EjyT+SKKhmvSQVlvAEIAAwAEAAgAAQAQUVTLTI1NgB8vlArxn1XlP0rxvadqsR3xoE4Kt6mP/"
     "QNK7ElOFcmEP/Db671tW/4Uvem+SRqUiplIE7SproGQUII+FkFAAAA",
     "c1c67b003f91e8d924370a90e5e7d53b41826ca52524892f3228001abe9da4c5"},
    {"sp800-108-sha256(kdk, , )",
     "ASEAAgEAohNVcfRsQa+PaDtyXQCBjgEIAAwAEAAgAAQAQUVTLTI1NgDCJ0HJxmqi0s+"
     "QOYmcmgfwD1ENR33sOwCgiKi9ylIo6rQ/KZFdkNYXoRKQ4UeVkRJgeJYfKihRBeVkJskFAAAA",
     "87a49738e871311dadafb033687123037b8694580c1b67d910bd36f39a7d8434"},
    {"gcm+cipher(sp800-108-sha256(kdk, cipher0, uuid))",
     "ASEAAgEAQJND/CH5Qj2ojSAYt8+YuQEIAAwAEAAgAAQAQUVTLTI1NgDB9HGw2yVoE27LRrHY3WMIW3/"
     "oFmEIx24h7xazj/6iXhQPzmQkLVTZjLNYe8I0UtP/0gJqv7RWE1OiX74FAAAA",
     "37d91b04979a944de9ce6854a869f72bdd1f46a58f1e0e262b70e20520a0f5ca"},
    {"hkdf-sha256(kdk, salt16, cipher)",
     "ASEAAgEA6CkngEmgR+2ShvblsqK2DwEIAAwAEAAgAAQAQUVTLTI1NgBo+IT5/"
     "8P21CSiMciUzis3qdpn2vBM2Q9wYX9gal20rXICshKpQK3MJiyS2WzbSLz4tu4xbbheuh+0qTMFAAAA",
     "f3aa02e69090fbfc68a07a5f10c73ac05a95598c3cbefbc70ec34b04391c4c56"},
    {"hkdf-sha512(kdk, , header)",
     "ASEAAgEAkgTq/JhFQPmpSdYTad36vgEIAAwAEAAgAAQAQUVTLTI1NgB+/HxYmj7AmosLUrN/"
     "6iobfIo7dnOCN2UWwIBTRDY2gtzKr5kSiD9fr4wxcL9R/EcvK7125gAya0wA0R0FAAAA",
     "fe2b128ddedb6b0aa84a4fd01c651ee4736a7e8cb5a2925dad296589628818d8"},
    {"gcm+uuid-text(hkdf-sha256(kdk, , uuid))",
     "ASEAAgEAl+oxQiMkTLe29G0efwcGWQEIAAwAEAAgAAQAQUVTLTI1NgBewAC/"
     "4Oa2MUwNZJt2LpMpcMuBw32afxfjiv0STYd+Pmi5kie6NkP1uynlzNiKf7hlZ6nxqbYh0ld5FOIFAAAA",
     "6c66499ae533290049e417e1edbbb1f04bb8356142ded129cb8b8ddaf303156a"},
    {"pbkdf2-sha256(kdk, salt16)",
     "ASEAAgEA0OtNJY2GRbK9Hc5k0XdybAEIAAwAEAAgAAQAQUVTLTI1NgBk9CCq1yVmiezrZ0wO0tzZ9vRmC6SmSXhGBOOfY"
     "+gU4tWq9eYTnD/r9BQoPIbrGvKImMAxEPhGzEVgldYFAAAA",
     "4510933798639ecfde9979fb2a888bfcf59e57d6a29af2ece705a1e130fe88c7"},
    {"pbkdf2-sha512(kdk, nonce12)",
     "ASEAAgEA/1DoQdzTQJeGswl/"
     "zMxe7AEIAAwAEAAgAAQAQUVTLTI1NgBUxIFy8Kqe0TctVIXqq9KE2OYbVuAL9HLYfr164ONgpLQMnkAJtOb2rCPvGo+"
     "oejLOzrKLRnP6xtSc9oMFAAAA",
     "455a6107fcb1668311bb66417055cea4ef7416fe63f38c16525444a6ca80f483"},
    {"pbkdf2-sha1(kdk, salt16|nonce12)",
     "ASEAAgEAWk9CuxU2TfuFBtmNI2c/9gEIAAwAEAAgAAQAQUVTLTI1NgB3aBKl1sUE9khD7l3/MBTNZbcvfr/"
     "Lqubp3geiQK7Rz7oFeDYi3Pb4ZDPs9op0i8ND3X8YEB+oCdtaTQQFAAAA",
     "54a276a34cd98e9d42f279c42ef8bc8d5e143796909d0f2db780ebd7e3a15ed6"},
    {"pbkdf2-sha256(base64(kdk), salt16)",
     "ASEAAgEAM12C9UmIR7GjsEKAy395gwEIAAwAEAAgAAQAQUVTLTI1NgDI8vk1anyeF6zXP2SfIHbBp0+q0UL+"
     "aSdAbh6dqzjhOajB4TW8dEw7myRdYY4bli/BHr+HmlEKCnaa7aUFAAAA",
     "47a0398f13481daf43b5952ad732a20bc74b95b62d691406092911cbd7f6a435"},
    {"pbkdf2-sha1(base64(kdk), uuid-text)",
     "ASEAAgEAw7g6NUFRRl+3Bn2NVHilTgEIAAwAEAAgAAQAQUVTLTI1NgBI8a78+bxHdEbCDwZTr+KPR4S6dl/"
     "VwkY45cwMKHmqPCONIFLKkUy0OwjjVubBmaNllTybQOx8KY3qn4UFAAAA",
     "1d0275a075a790829b343864f392db9472759500444853028fa5df3f08a34bc8"},
    {"gcm(pbkdf2-sha256(kdk, uuid))",
     "ASEAAgEAgRvY8xs7S7+o1VY+"
     "h3qJDwEIAAwAEAAgAAQAQUVTLTI1NgCSgC4hbX1WFm4potvwYnGtGG0nGMB9eIPxsq7i61CNyV6rUtGKJvkL5tdL4Il6y"
     "onPWzlahYcZEHy+I6UFAAAA",
     "eccb96f989452857f8c23103e9d4a1befbaed51d94b9b01251b8e525a0587d37"},
    {"gcm+cipher0(pbkdf2-sha512(base64(kdk), uuid))",
     "ASEAAgEAaTHuofSgRzCG4m/sNdEW7gEIAAwAEAAgAAQAQUVTLTI1NgCcxMrHKfxCX/syN9LC61CMaCneeRyi9/"
     "V+3LUNpOwK93YQgSQfHGNWz339hDoJk5nr9LrptXygqtbjXnoFAAAA",
     "4ec72a2dd048f7c0998eafc24a4ae9ec3195502abaf7d6267f4fc6da11db34e0"},
    {"cbc(pbkdf2-sha256(kdk, uuid))",
     "ASEAAgEA44UYEepIST6Dqk5pdwbFXgEIAAwAEAAgAAQAQUVTLTI1NgD2EBYCz2F3p0XvXQVZfL7d0sssmCD7kO099eWMi"
     "6l+BZM/GhQmqUG/3HpOPxF3u4Sqa+nt0zFZw7/o7y0FAAAA",
     "750fe591b78673df05f9a139b9406244b9e2558cf8f7d36d8c2e5119e70fa763"},
    {"ctr(pbkdf2-sha256(kdk, nonce12))",
     "ASEAAgEAfvCDHaviQYimA1uTbUVesQEIAAwAEAAgAAQAQUVTLTI1NgCdKu3Gx9Z5w3XPpaATo+"
     "CTAIn1PK3SocOoULeRbKHDCJva/+jEXwAE7e4gYeSNNoXgkABG4FfjEs+dZHgFAAAA",
     "6d6df55a7a72e5deb25a51eb151af00439c4c47df7322f00722b52c9f0ef89eb"}};

enum { VECTORS = sizeof vectors / sizeof vectors[0] };

static struct secret *from_hex(const char *hex)
{
    struct error error = ERROR_INIT;
    size_t length = strlen(hex) / 2;
    struct secret *s = secret_new(length, &error);
    assert_non_null(s);
    assert_true(hex_decode(hex, strlen(hex), s->data, &length));
    return s;
}

/* The KDK of all vectors: 100, 101, … */
static struct secret *the_kdk(size_t length)
{
    struct error error = ERROR_INIT;
    struct secret *kdk = secret_new(length, &error);
    assert_non_null(kdk);
    for (size_t i = 0; i < length; i++)
        kdk->data[i] = (uint8_t)(100 + i);
    return kdk;
}

static bool is_expected(void *context, const struct secret *kek)
{
    return secret_equal(context, kek);
}

static void test_vectors(void **state)
{
    (void)state;
    struct secret *kdk = the_kdk(32);
    for (size_t i = 0; i < VECTORS; i++) {
        struct secret *kek = from_hex(vectors[i].kek);
        struct nkp_id id;
        struct error error = ERROR_INIT;
        uint64_t rounds = 1000;
        struct nkp_search search = {
            .id = &id, .fits = is_expected, .context = kek, .rounds_left = &rounds};
        assert_true(nkp_id_decode(vectors[i].id, &id));
        assert_int_equal(id.rounds, 5);
        if (!nkp_derive(&search, kdk, &error))
            fail_msg("not found: %s", vectors[i].name);
        assert_string_equal(search.name, vectors[i].name);
        secret_free(kek);
    }
    secret_free(kdk);
}

static bool never(void *context, const struct secret *kek)
{
    (void)kek;
    ++*(size_t *)context;
    return false;
}

/* None fits: all are tried, nothing is an error, and rounds are counted. */
static void test_none_fits(void **state)
{
    (void)state;
    struct nkp_id id;
    assert_true(nkp_id_decode(vectors[0].id, &id));
    static const size_t sizes[] = {16, 24, 32};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct secret *kdk = the_kdk(sizes[i]);
        struct error error = ERROR_INIT;
        uint64_t rounds = 1000;
        size_t calls = 0;
        struct nkp_search search = {
            .id = &id, .fits = never, .context = &calls, .rounds_left = &rounds};
        assert_false(nkp_derive(&search, kdk, &error));
        assert_int_equal(error.code, ERROR_NONE);
        assert_false(search.cut_short);
        assert_true(search.tried > 2500);
        /* No GCM tag holds, so what is asked about is the direct, CBC and CTR candidates. */
        assert_int_equal(calls * 11, search.tried * 3);
        assert_int_equal(1000 - rounds, 5 * 2 * 3 * 9);
        secret_free(kdk);
    }
    struct secret *kdk = the_kdk(64);
    struct error error = ERROR_INIT;
    struct nkp_search search = {.id = &id, .fits = never};
    assert_false(nkp_derive(&search, kdk, &error));
    assert_int_equal(search.tried, 0);
    secret_free(kdk);
}

/* Rounds come from the id: none, too many, or more than may be spent leave PBKDF2 out. */
static void test_rounds_are_bounded(void **state)
{
    (void)state;
    struct secret *kdk = the_kdk(32);
    struct nkp_id id;
    assert_true(nkp_id_decode(vectors[0].id, &id));
    static const struct {
        uint32_t rounds;
        uint64_t budget, left;
    } cases[] = {
        {0, 1000, 1000},
        {UINT32_MAX, UINT64_MAX, UINT64_MAX},
        {10000001, 20000000, 20000000},
        {100, 99, 99},
        {100, 250, 50},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error error = ERROR_INIT;
        uint64_t left = cases[i].budget;
        size_t calls = 0;
        struct nkp_search search = {
            .id = &id, .fits = never, .context = &calls, .rounds_left = &left};
        id.rounds = cases[i].rounds;
        assert_false(nkp_derive(&search, kdk, &error));
        assert_true(search.cut_short);
        assert_int_equal(left, cases[i].left);
    }
    secret_free(kdk);
}

/* A hint is tried first, and alone when that is wanted. */
static void test_hints(void **state)
{
    (void)state;
    struct secret *kdk = the_kdk(32);
    size_t hints[VECTORS];
    for (size_t i = 0; i < VECTORS; i++) {
        struct secret *kek = from_hex(vectors[i].kek);
        struct nkp_id id;
        struct error error = ERROR_INIT;
        uint64_t rounds = 1000;
        struct nkp_search search = {
            .id = &id, .fits = is_expected, .context = kek, .rounds_left = &rounds};
        assert_true(nkp_id_decode(vectors[i].id, &id));
        assert_true(nkp_derive(&search, kdk, &error));
        hints[i] = search.hint = search.found;
        search.hint_only = true;
        search.tried = 0;
        assert_true(nkp_derive(&search, kdk, &error));
        assert_true(search.tried <= 11);
        assert_string_equal(search.name, vectors[i].name);
        search.hint = hints[i] == hints[0] ? hints[i] + 1 : hints[0];
        search.tried = 0;
        assert_false(nkp_derive(&search, kdk, &error));
        assert_int_equal(search.tried, 11);
        search.hint_only = false;
        search.tried = 0;
        rounds = 1000;
        assert_true(nkp_derive(&search, kdk, &error));
        assert_string_equal(search.name, vectors[i].name);
        secret_free(kek);
    }
    size_t calls = 0;
    struct nkp_id id;
    struct error error = ERROR_INIT;
    uint64_t rounds = 1000;
    struct nkp_search search = {.id = &id,
                                .fits = never,
                                .context = &calls,
                                .rounds_left = &rounds,
                                .hint = hints[VECTORS - 1]};
    assert_true(nkp_id_decode(vectors[0].id, &id));
    assert_false(nkp_derive(&search, kdk, &error));
    assert_int_equal(search.tried, 2915); /* nothing twice */
    assert_int_equal(1000 - rounds, 5 * 2 * 3 * 9);
    secret_free(kdk);
}

static void test_memory(void **state)
{
    (void)state;
    static const uint8_t one[16] = {1}, two[16] = {2};
    struct error error = ERROR_INIT;
    struct secret *a = the_kdk(32), *b = the_kdk(32);
    struct nkp_memory *m = nkp_memory_new(&error);
    size_t hint = 9;
    assert_non_null(m);
    assert_int_equal(nkp_memory_ask(NULL, one, a, &hint), NKP_TRY_ALL);
    assert_int_equal(hint, 0);
    for (int i = 0; i < NKP_MEMORY_FAILURES; i++) {
        assert_int_equal(nkp_memory_ask(m, one, a, &hint), NKP_TRY_ALL);
        nkp_memory_tell(m, one, a, 0);
    }
    assert_int_equal(nkp_memory_ask(m, one, a, &hint), NKP_TRY_NONE);
    assert_int_equal(nkp_memory_ask(m, two, a, &hint), NKP_TRY_ALL);
    assert_int_equal(nkp_memory_ask(m, one, b, &hint), NKP_TRY_ALL);
    assert_int_equal(hint, 0);
    nkp_memory_tell(m, one, b, 7);
    assert_int_equal(nkp_memory_ask(m, one, b, &hint), NKP_TRY_HINT);
    assert_int_equal(hint, 7);
    assert_int_equal(nkp_memory_ask(m, two, a, &hint), NKP_TRY_ALL);
    assert_int_equal(hint, 7);
    /* A failure after that, of a damaged pair maybe, changes nothing. */
    nkp_memory_tell(m, one, b, 0);
    assert_int_equal(nkp_memory_ask(m, one, b, &hint), NKP_TRY_HINT);
    /* More than it can hold. */
    for (unsigned i = 0; i < 1000; i++) {
        const uint8_t uuid[16] = {(uint8_t)i, (uint8_t)(i >> 8), 1};
        nkp_memory_tell(m, uuid, a, 0);
    }
    assert_int_equal(nkp_memory_ask(m, one, b, &hint), NKP_TRY_HINT);
    nkp_memory_free(m);
    secret_free(a);
    secret_free(b);
}

/* A key safe of one pair, locked under the KEK of vector I. */
static struct locator *make_safe(size_t i)
{
    struct error error = ERROR_INIT;
    struct buffer sealed = BUFFER_INIT, base64 = BUFFER_INIT, text = BUFFER_INIT;
    struct secret *kek = from_hex(vectors[i].kek);
    assert_true(seal_make(kek, SEAL_HMAC_SHA256, "secret", 6, &sealed, &error));
    buffer_append_text(&text, "vmware:key/list/(pair/(fqid/<VMWARE-NULL>/local/");
    percent_encode(vectors[i].id, strlen(vectors[i].id), &text);
    buffer_append_text(&text, ",HMAC%2dSHA%2d256,");
    base64_encode(sealed.data, sealed.length, &base64);
    percent_encode(base64.data, base64.length, &text);
    buffer_free(&base64);
    assert_true(buffer_append_text(&text, "))"));
    struct locator *safe = locator_parse(text.data, text.length, &error);
    assert_non_null(safe);
    buffer_free(&sealed);
    buffer_free(&text);
    secret_free(kek);
    return safe;
}

static bool open_with(const struct locator *safe, enum keyring_kind kind, const char *id,
                      struct secret *key, struct keysafe_result *result, struct error *error)
{
    struct keyring ring = KEYRING_INIT;
    const struct keyring_key entry = {.kind = kind, .id = id, .origin = "x.p12", .key = key};
    *error = ERROR_INIT;
    if (key != NULL)
        assert_true(keyring_add(&ring, &entry, error));
    bool ok = keysafe_open(safe, &ring, result, error);
    result->attempts[0].key = NULL; /* of the ring that goes now */
    keyring_free(&ring);
    return ok;
}

static void test_keysafe(void **state)
{
    (void)state;
    struct keysafe_result result;
    struct error error;
    struct nkp_id id;
    for (size_t i = 0; i < VECTORS; i++) {
        struct locator *safe = make_safe(i);
        assert_true(nkp_id_decode(vectors[i].id, &id));
        if (!open_with(safe, KEYRING_KDK, id.kdk_uuid, the_kdk(32), &result, &error))
            fail_msg("%s: %s", vectors[i].name, error.message);
        assert_string_equal(buffer_text(&result.plain), "secret");
        assert_non_null(strstr(result.attempts[0].reason, vectors[i].name));
        assert_non_null(strstr(result.attempts[0].reason, "from x.p12"));
        assert_non_null(strstr(result.attempts[0].reason, "hypothesis"));
        keysafe_result_free(&result);
        locator_free(safe);
    }
    struct locator *safe = make_safe(1);
    assert_true(nkp_id_decode(vectors[1].id, &id));
    /* Without an id; given as a plain key under the KDK's UUID; the KEK itself. */
    assert_true(open_with(safe, KEYRING_KDK, NULL, the_kdk(32), &result, &error));
    keysafe_result_free(&result);
    assert_true(open_with(safe, KEYRING_KEK, id.kdk_uuid, the_kdk(32), &result, &error));
    keysafe_result_free(&result);
    assert_true(
        open_with(safe, KEYRING_KEK, vectors[1].id, from_hex(vectors[1].kek), &result, &error));
    assert_string_equal(result.attempts[0].reason, "opened with the key from x.p12");
    keysafe_result_free(&result);
    locator_free(safe);
}

/* With a memory: once opened, the same way only; failed often, not tried any more. */
static void test_keysafe_learns(void **state)
{
    (void)state;
    struct keyring ring = KEYRING_INIT;
    struct keysafe_result result;
    struct error error = ERROR_INIT;
    struct secret *wrong = the_kdk(32);
    wrong->data[0] ^= 1;
    const struct keyring_key entry = {.kind = KEYRING_KDK, .key = wrong};
    assert_true(keyring_cache_phrases(&ring, &error));
    assert_true(keyring_add(&ring, &entry, &error));
    struct locator *safe = make_safe(1);
    for (int i = 0; i <= NKP_MEMORY_FAILURES; i++) {
        assert_false(keysafe_open(safe, &ring, &result, &error));
        assert_non_null(
            strstr(error.message, i < NKP_MEMORY_FAILURES ? "none of 2915 ways" : "not tried"));
        keysafe_result_free(&result);
    }
    const struct keyring_key right = {.kind = KEYRING_KDK, .key = the_kdk(32)};
    assert_true(keyring_add(&ring, &right, &error));
    for (int i = 0; i < 2; i++) {
        assert_true(keysafe_open(safe, &ring, &result, &error));
        keysafe_result_free(&result);
    }
    locator_free(safe);
    keyring_free(&ring);
}

static void test_keysafe_refuses(void **state)
{
    (void)state;
    struct keysafe_result result;
    struct error error;
    struct nkp_id id;
    struct locator *safe = make_safe(1);
    assert_true(nkp_id_decode(vectors[1].id, &id));
    assert_false(open_with(safe, KEYRING_KDK, NULL, NULL, &result, &error));
    assert_int_equal(error.code, ERROR_NO_KEY);
    assert_true(result.attempts[0].missing);
    assert_non_null(strstr(error.message, id.kdk_uuid));
    assert_non_null(strstr(error.message, "\"local\""));
    assert_non_null(strstr(error.message, "--key FILE.p12"));
    keysafe_result_free(&result);
    struct secret *wrong = the_kdk(32);
    wrong->data[31] ^= 1;
    assert_false(open_with(safe, KEYRING_KDK, id.kdk_uuid, wrong, &result, &error));
    assert_int_equal(error.code, ERROR_NO_KEY);
    assert_false(result.attempts[0].missing);
    assert_non_null(strstr(error.message, "none of 2915 ways"));
    assert_non_null(strstr(error.message, "1 KDK fits"));
    keysafe_result_free(&result);
    /* The KDK of another provider is not tried, and said to be missing. */
    assert_false(open_with(safe, KEYRING_KDK, "21ec4161-2ecc-4c53-86a3-a5f24b43d97d", the_kdk(32),
                           &result, &error));
    assert_true(result.attempts[0].missing);
    keysafe_result_free(&result);
    locator_free(safe);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_none_fits),
        cmocka_unit_test(test_rounds_are_bounded),
        cmocka_unit_test(test_hints),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_keysafe),
        cmocka_unit_test(test_keysafe_refuses),
        cmocka_unit_test(test_keysafe_learns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
