/* keyring_words: what a user's words add to a keyring, and in what order they count. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "keywrap/keyring_words.h"
#include "tests/scratch.h"

/* Pairs of name and value, NULL past the last. */
static const char *value_at(const void *context, const char *name, size_t i)
{
    for (const char *const *pair = context; *pair != NULL; pair += 2)
        if (strcmp(pair[0], name) == 0 && i-- == 0)
            return pair[1];
    return NULL;
}

struct given {
    struct keyring ring, unlock;
    struct error error;
    bool ok;
};

static struct given given(const char *const pairs[])
{
    struct log log = {.program = "test", .level = -1};
    const struct words words = {.value_at = value_at, .context = pairs};
    const struct keyring_load load = {.log = &log};
    struct given g = {.error = ERROR_INIT};
    g.ok = keyring_add_words(&g.ring, &g.unlock, &words, &load, &g.error);
    return g;
}

static void given_free(struct given *g)
{
    keyring_free(&g->ring);
    keyring_free(&g->unlock);
}

static void write_file(const char *name, const char *text)
{
    FILE *f = fopen(name, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(name, 0600), 0);
}

static int set_up(void **state)
{
    int failed = scratch_set_up(state);
    write_file("k", "0123456789abcdef0123456789abcdef");
    write_file("a=b", "0123456789abcdef0123456789abcdef");
    write_file("ring.yaml", "version: 1\npassphrases:\n  - file: phrase\n");
    write_file("phrase", "caf\303\251\n");
    return failed;
}

/* A key given as TEXT has this provider and id. */
static void check_key(const char *text, const char *provider, const char *id)
{
    const char *const pairs[] = {"key", text, NULL};
    struct given g = given(pairs);
    if (!g.ok || g.ring.key_count != 1)
        fail_msg("'%s': %zu keys: %s", text, g.ring.key_count, g.error.message);
    const struct keyring_key *key = &g.ring.keys[0];
    assert_int_equal(key->provider == NULL, provider == NULL);
    assert_int_equal(key->id == NULL, id == NULL);
    if (provider != NULL)
        assert_string_equal(key->provider, provider);
    if (id != NULL)
        assert_string_equal(key->id, id);
    given_free(&g);
}

static void test_key_forms(void **state)
{
    (void)state;
    check_key("k", NULL, NULL);
    check_key("=k", NULL, NULL);
    check_key("=a=b", NULL, NULL);
    check_key("id=k", NULL, "id");
    check_key("KMS/id=k", "KMS", "id");
    check_key("KMS/=k", "KMS", NULL);
    check_key("/id=k", NULL, "id");
    check_key("KMS/aWQ===k", "KMS", "aWQ==");
    check_key("local/x/y=k", "local", "x/y");
}

static void check_refused(const char *name, const char *value, enum error_code code,
                          const char *words)
{
    const char *const pairs[] = {name, value, NULL};
    struct given g = given(pairs);
    if (g.ok || g.error.code != code || strstr(g.error.message, words) == NULL)
        fail_msg("%s=%s: code %d, %s", name, value, g.error.code, g.error.message);
    given_free(&g);
}

static void test_refused(void **state)
{
    (void)state;
    check_refused("key", "", ERROR_USAGE, "[[PROVIDER/]ID=]FILE");
    check_refused("key", "KMS/id=", ERROR_USAGE, "[[PROVIDER/]ID=]FILE");
    check_refused("key", "KMS/id", ERROR_FAILED, "[[PROVIDER/]ID=]FILE");
    check_refused("key", "id=nothing", ERROR_FAILED, "cannot open");
    check_refused("keyring", "nothing.yaml", ERROR_FAILED, "cannot open");
    check_refused("passphrase-file", "nothing", ERROR_FAILED, "cannot open");
}

static bool is_phrase(const struct keyring *ring, size_t i, const char *text)
{
    const struct secret *phrase = ring->phrases[i].passphrase;
    return phrase->length == strlen(text) && memcmp(phrase->data, text, phrase->length) == 0;
}

/* What opens VMs has the form that is asked for, what opens keyrings is taken as it is. */
static void test_passphrases(void **state)
{
    (void)state;
    static const char *const pairs[] = {"passphrase-file",      "phrase",  "passphrase-encoding",
                                        "windows-1252",         "keyring", "ring.yaml",
                                        "no-such-word-is-read", "nothing", NULL};
    struct given g = given(pairs);
    if (!g.ok)
        fail_msg("%s", g.error.message);
    assert_true(g.ring.phrase_count >= 1 && is_phrase(&g.ring, 0, "caf\351"));
    assert_int_equal(g.unlock.phrase_count, 1);
    assert_true(is_phrase(&g.unlock, 0, "caf\303\251"));
    given_free(&g);
}

static void test_keyring_passphrase_opens_no_vm(void **state)
{
    (void)state;
    static const char *const pairs[] = {"keyring-passphrase-file", "phrase", NULL};
    struct given g = given(pairs);
    assert_true(g.ok);
    assert_int_equal(g.ring.phrase_count, 0);
    assert_int_equal(g.unlock.phrase_count, 1);
    given_free(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_key_forms),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_passphrases),
        cmocka_unit_test(test_keyring_passphrase_opens_no_vm),
    };
    return cmocka_run_group_tests(tests, set_up, scratch_tear_down);
}
