/* Keys derived from passphrases: once each, by many threads, in bounded memory. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "keywrap/keyring.h"
#include "keywrap/phrase_cache.h"

static struct phrase_params params_of(unsigned salt)
{
    struct phrase_params p = {.rounds = 1000, .salt_length = 8};
    strcpy(p.pass2key, "PBKDF2-HMAC-SHA-1");
    strcpy(p.cipher, "AES-256");
    memcpy(p.salt, &salt, sizeof salt);
    return p;
}

static struct secret *text(const char *of)
{
    struct error error = ERROR_INIT;
    struct secret *s = secret_copy(of, strlen(of), &error);
    assert_non_null(s);
    return s;
}

/* The cache gives what PBKDF2 gives. */
static void check(struct phrase_cache *cache, const struct phrase_params *params, const char *of)
{
    struct error error = ERROR_INIT;
    struct secret *phrase = text(of);
    struct secret *got = phrase_cache_derive(cache, params, phrase, &error);
    struct secret *wanted = phrase_derive(params, phrase, &error);
    assert_non_null(got);
    assert_true(secret_equal(got, wanted));
    secret_free(got);
    secret_free(wanted);
    secret_free(phrase);
}

static void test_once(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct phrase_cache *cache = phrase_cache_new(8, &error);
    struct phrase_params p = params_of(1);
    check(cache, &p, "a");
    check(cache, &p, "a");
    assert_int_equal(phrase_cache_derived(cache), 1);
    /* Whatever the key depends on makes another entry. */
    check(cache, &p, "b");
    p.rounds++;
    check(cache, &p, "a");
    p.salt_length--;
    check(cache, &p, "a");
    p.salt[0]++;
    check(cache, &p, "a");
    strcpy(p.cipher, "XTS-AES-256");
    check(cache, &p, "a");
    strcpy(p.pass2key, "PBKDF2-HMAC-SHA-256");
    check(cache, &p, "a");
    assert_int_equal(phrase_cache_derived(cache), 7);
    check(cache, &p, "a");
    assert_int_equal(phrase_cache_derived(cache), 7);
    phrase_cache_free(cache);
}

static void test_oldest_goes(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct phrase_cache *cache = phrase_cache_new(2, &error);
    struct phrase_params a = params_of(1), b = params_of(2), c = params_of(3);
    check(cache, &a, "x");
    check(cache, &b, "x");
    check(cache, &a, "x");
    check(cache, &c, "x");
    assert_int_equal(phrase_cache_derived(cache), 3);
    check(cache, &a, "x");
    assert_int_equal(phrase_cache_derived(cache), 3);
    check(cache, &b, "x");
    assert_int_equal(phrase_cache_derived(cache), 4);
    phrase_cache_free(cache);
}

static void test_failure(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct phrase_cache *cache = phrase_cache_new(2, &error);
    struct phrase_params p = params_of(1);
    struct secret *phrase = text("x");
    strcpy(p.pass2key, "unknown");
    for (int i = 0; i < 3; i++) {
        assert_null(phrase_cache_derive(cache, &p, phrase, &error));
        assert_int_equal(error.code, ERROR_USAGE);
    }
    secret_free(phrase);
    p = params_of(1);
    check(cache, &p, "x");
    phrase_cache_free(cache);
}

enum { THREADS = 8, SALTS = 6, ROUNDS = 12 };

static void *use(void *ring)
{
    for (unsigned i = 0; i < ROUNDS * SALTS; i++) {
        struct error error = ERROR_INIT;
        struct phrase_params p = params_of(i % SALTS);
        p.rounds = 20000;
        struct secret *key = keyring_phrase_key(ring, 0, &p, &error);
        if (key == NULL || key->length != 32)
            return ring;
        secret_free(key);
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct keyring ring = KEYRING_INIT;
    pthread_t threads[THREADS];
    assert_true(keyring_add_phrase(&ring, "test", text("x"), &error));
    assert_true(keyring_cache_phrases(&ring, &error));
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use, &ring), 0);
    for (size_t i = 0; i < THREADS; i++) {
        void *failed;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    assert_int_equal(phrase_cache_derived(ring.cache), SALTS);
    keyring_free(&ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_once),
        cmocka_unit_test(test_oldest_goes),
        cmocka_unit_test(test_failure),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
