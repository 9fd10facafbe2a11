/* All that a keyring file can say: secrets, kinds, sources, passphrases, includes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keywrap/keyring.h"
#include "keywrap/keyring_crypt.h"
#include "tests/scratch.h"

#define HEX16 "000102030405060708090a0b0c0d0e0f"

static void put_text(const char *name, const char *text)
{
    FILE *f = fopen(name, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(name, 0600), 0);
}

/* What the user was asked, and is to answer. */
struct user {
    const char *answer;
    char asked[100];
};

static struct secret *ask(void *context, const char *what, struct error *error)
{
    struct user *user = context;
    snprintf(user->asked, sizeof user->asked, "%s", what);
    return secret_copy(user->answer, strlen(user->answer), error);
}

static struct log log_quiet;

static bool load_with(struct keyring *ring, const char *name, struct keyring_load load,
                      struct error *error)
{
    log_quiet = (struct log){.program = "test", .level = -1};
    load.log = &log_quiet;
    *ring = KEYRING_INIT;
    *error = ERROR_INIT;
    return keyring_load(ring, name, &load, error);
}

/* Load YAML as "ring"; it must go well, with that many warnings. */
static struct keyring loaded(const char *yaml, size_t warnings)
{
    struct keyring ring;
    struct error error;
    put_text("ring", yaml);
    if (!load_with(&ring, "ring", (struct keyring_load){0}, &error))
        fail_msg("%s: %s", error.file, error.message);
    assert_int_equal(log_quiet.warnings, warnings);
    return ring;
}

static void refused(const char *yaml, const char *why)
{
    struct keyring ring;
    struct error error;
    put_text("ring", yaml);
    if (load_with(&ring, "ring", (struct keyring_load){0}, &error))
        fail_msg("accepted: %s", yaml);
    if (strstr(error.message, why) == NULL)
        fail_msg("not '%s' but '%s'", why, error.message);
    assert_true(error.file[0] != '\0');
    keyring_free(&ring);
}

static void test_inline(void **state)
{
    (void)state;
    struct keyring ring = loaded("version: 1\n"
                                 "keys:\n"
                                 "  - secret: AAECAwQFBgcICQoLDA0ODw==   # remark\n"
                                 "  - {secret: \"ASECAwQFBgcICQoLDA0ODw\", id: \"17\"}\n"
                                 "  - provider: K\u00fc\n"
                                 "    id: x\n"
                                 "    'secret' : 'AiECAwQFBgcICQoLDA0ODw=='\n"
                                 "    name: a vm\n"
                                 "    identifier: its uuid\n"
                                 "    component: Virtual Machine\n"
                                 "kdks:\n"
                                 "  - id: 21EC4161-2ecc-4c53-86a3-a5f24b43d97d\n"
                                 "    secret: AyECAwQFBgcICQoLDA0ODw\n"
                                 "---\n"
                                 "version: 1\n"
                                 "keys:\n"
                                 "  - {kind: kdk, secret: BiECAwQFBgcICQoLDA0ODw}\n"
                                 "providers:\n"
                                 "  - name: P\n"
                                 "    kdks:\n"
                                 "      - {secret: BCECAwQFBgcICQoLDA0ODw}\n"
                                 "      - {secret: BSECAwQFBgcICQoLDA0ODw, kind: kek}\n",
                                 0);
    assert_int_equal(ring.key_count, 7);
    assert_null(ring.keys[0].provider);
    assert_null(ring.keys[0].id);
    assert_string_equal(ring.keys[0].origin, "ring");
    assert_string_equal(ring.keys[1].id, "17");
    assert_string_equal(ring.keys[2].provider, "K\u00fc");
    assert_string_equal(ring.keys[2].name, "a vm");
    assert_string_equal(ring.keys[2].identifier, "its uuid");
    assert_string_equal(ring.keys[2].component, "Virtual Machine");
    static const enum keyring_kind kinds[] = {KEYRING_KEK, KEYRING_KEK, KEYRING_KEK, KEYRING_KDK,
                                              KEYRING_KDK, KEYRING_KEK, KEYRING_KDK};
    static const uint8_t first[] = {0, 1, 2, 3, 4, 5, 6};
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(ring.keys[i].kind, kinds[i]);
        assert_int_equal(ring.keys[i].key->length, 16);
        assert_int_equal(ring.keys[i].key->data[0], first[i]);
        assert_int_equal(ring.keys[i].key->data[15], 15);
    }
    struct keyring_search search = {.kind = KEYRING_KDK,
                                    .id = "21ec4161-2ECC-4c53-86a3-a5f24b43d97d"};
    assert_ptr_equal(keyring_next(&ring, &search), &ring.keys[3]);
    keyring_free(&ring);
    /* Secrets for all to read. */
    chmod("ring", 0644);
    struct error error;
    assert_true(load_with(&ring, "ring", (struct keyring_load){0}, &error));
    assert_int_equal(log_quiet.warnings, 1);
    keyring_free(&ring);
}

/* Text that only looks like a secret is left as it is. */
static void test_lookalikes(void **state)
{
    (void)state;
    struct keyring ring = loaded("version: 1 # secret: AAAA\n"
                                 "keys:\n"
                                 "  - name: \"my secret: AAAA\"\n"
                                 "    identifier: top-secret:BBBB\n"
                                 "    component: secrets\n"
                                 "    id: secret\n"
                                 "    secret: AAECAwQFBgcICQoLDA0ODw==\n",
                                 0);
    assert_string_equal(ring.keys[0].name, "my secret: AAAA");
    assert_string_equal(ring.keys[0].identifier, "top-secret:BBBB");
    assert_string_equal(ring.keys[0].id, "secret");
    keyring_free(&ring);
    refused("version: 1\nkeys:\n  - secret: >\n      AAECAwQFBgcICQoLDA0ODw==\n", "same line");
    refused("version: 1\nkeys:\n  - secret: !!str AAECAwQFBgcICQoLDA0ODw==\n", "same line");
    refused("version: 1\nkeys:\n  - secret: [AAAA]\n", "same line");
    refused("version: 1\nkeys:\n  - secret: AAECAwQFBgcICQoLDA0ODx==\n", "not base64");
    refused("version: 1\nkeys:\n  - secret: AAAA\n", "16, 24, 32 or 64 bytes");
    refused("version: 1\nkeys:\n  - secret:\n", "16, 24, 32 or 64 bytes");
    refused("version: 1\nkeys:\n  - secret: AAECAwQF\n      BgcICQoLDA0ODw==\n", "same line");
}

static void test_refused(void **state)
{
    (void)state;
    put_text("a.key", HEX16);
    refused("version: 1\nkeys:\n  - id: x\n", "one of `file:`");
    refused("version: 1\nkeys:\n  - {file: a.key, secret: AAAA}\n", "one of `file:`");
    refused("version: 1\nkeys:\n  - {file: a.key, kind: dek}\n", "kek and kdk");
    refused("version: 1\nkeys:\n  - {secret: AAAA, encoding: hex}\n", "go with `file:`");
    refused("version: 1\nkeys:\n  - {file: a.key, encoding: octal}\n", "no form");
    refused("version: 1\nkeys:\n  - {file: [a.key]}\n", "plain text");
    refused("version: 1\nproviders:\n  - name: x\n    keys:\n      - {file: a.key, provider: y}\n",
            "do not have here");
    refused("version: 1\npassphrases:\n  - {}\n", "one of `file:`");
    refused("version: 1\npassphrases:\n  - {fd: -1}\n", "number");
    refused("version: 1\npassphrases:\n  - {fd: 3x}\n", "number");
    refused("version: 1\npassphrases:\n  - {fd: 77}\n", "descriptor 77");
    refused("version: 1\npassphrases:\n  - {secret: eA==, encoding: klingon}\n", "no code page");
    refused("version: 1\npassphrases:\n  - {secret: eA==, normalize: x}\n", "normalization");
    refused("version: 1\npassphrases:\n  - {secret: 4oKs, encoding: iso-8859-1}\n", "cannot hold");
    refused("version: 1\npassphrases:\n  - {secret: /A==, encoding: iso-8859-1}\n", "not UTF-8");
    refused("version: 1\nincludes:\n  - absent\n", "cannot open");
    refused("version: 1\nincludes:\n  - {passphrase: {secret: eA==}}\n", "needs `file:`");
    refused("version: 1\nsources:\n  - absent\n", "cannot open");
    refused("version: 1\nsources:\n  - -\n", "expected");
    refused("version: 1\nkeys:\n  - tpm: {public: a.key}\n", "`private:`");
    refused("version: 1\nkeys:\n  - tpm: {public: a, private: b, parent: 0x40000001}\n", "0x81");
    refused("version: 1\n---\nproviders: []\n", "version: 1");
    refused("version: 1\n---\nversion: 1\nkey: []\n", "line 4");
    /* "-" is a file here, and not standard input. */
    refused("version: 1\nkeys:\n  - file: \"-\"\n", "cannot open");
}

static void test_phrases(void **state)
{
    (void)state;
    put_text("p", "u\u0308\n");
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], "by fd\r\n", 7), 7);
    close(fds[1]);
    char yaml[1000];
    snprintf(yaml, sizeof yaml,
             "version: 1\n"
             "passphrases:\n"
             "  - file: p\n"
             "  - {file: p, normalize: nfc}\n"
             "  - {file: p, normalize: NFC, encoding: windows-1252, name: old}\n"
             "  - fd: %d\n"
             "  - secret: c2VjcmV0Cg==\n"
             "  - {secret: \"\", name: empty}\n"
             "  - prompt: the VM's passphrase\n",
             fds[0]);
    /* With nobody to ask, that one is left out. */
    struct keyring ring = loaded(yaml, 1);
    static const char *const wanted[] = {"u\u0308", "\u00fc", "\xfc", "by fd", "secret\n", ""};
    static const char *const labels[] = {"p", "p", "old", "ring", "ring", "empty"};
    assert_int_equal(ring.phrase_count, 6);
    for (size_t i = 0; i < 6; i++) {
        assert_string_equal((const char *)ring.phrases[i].passphrase->data, wanted[i]);
        assert_string_equal(ring.phrases[i].origin, labels[i]);
    }
    keyring_free(&ring);
    close(fds[0]);
    put_text("ring", "version: 1\npassphrases:\n  - {prompt: the VM's, encoding: ibm850}\n");
    struct user user = {.answer = "\u00fc"};
    struct error error;
    assert_true(
        load_with(&ring, "ring", (struct keyring_load){.ask = ask, .context = &user}, &error));
    assert_string_equal(user.asked, "the VM's");
    assert_string_equal((const char *)ring.phrases[0].passphrase->data, "\x81");
    keyring_free(&ring);
}

static void encrypt_as(const char *name, const char *yaml, const char *passphrase)
{
    struct error error = ERROR_INIT;
    struct buffer plain = BUFFER_INIT, out = BUFFER_INIT;
    struct secret *p = secret_copy(passphrase, strlen(passphrase), &error);
    buffer_append_text(&plain, yaml);
    assert_true(keyring_encrypt(&plain, p, &out, &error));
    put_text(name, buffer_text(&out));
    secret_free(p);
    buffer_free(&plain);
    buffer_free(&out);
}

static void test_encrypted(void **state)
{
    (void)state;
    struct keyring ring, unlock = KEYRING_INIT;
    struct error error;
    struct user user = {.answer = "asked"};
    encrypt_as("sealed", "version: 1\nkeys:\n  - secret: AAECAwQFBgcICQoLDA0ODw==\n", "asked");
    chmod("sealed", 0644);
    assert_false(load_with(&ring, "sealed", (struct keyring_load){0}, &error));
    assert_int_equal(error.code, ERROR_NO_KEY);
    assert_non_null(strstr(error.message, "--keyring-passphrase-file"));
    assert_true(
        load_with(&ring, "sealed", (struct keyring_load){.ask = ask, .context = &user}, &error));
    assert_int_equal(log_quiet.warnings, 0);
    assert_string_equal(user.asked, "Passphrase of sealed");
    keyring_free(&ring);
    assert_true(keyring_add_phrase(&unlock, "t", secret_copy("wrong", 5, &error), &error));
    assert_false(load_with(&ring, "sealed", (struct keyring_load){.unlock = &unlock}, &error));
    assert_int_equal(error.code, ERROR_NO_KEY);
    assert_true(keyring_add_phrase(&unlock, "t", secret_copy("asked", 5, &error), &error));
    assert_true(load_with(&ring, "sealed", (struct keyring_load){.unlock = &unlock}, &error));
    assert_int_equal(ring.key_count, 1);
    keyring_free(&ring);
    keyring_free(&unlock);
    /* As an include and as a source, each with a passphrase of its own. */
    put_text("p", "asked\n");
    ring = loaded("version: 1\n"
                  "includes:\n"
                  "  - {file: sealed, passphrase: {file: p}}\n",
                  0);
    assert_int_equal(ring.key_count, 1);
    assert_int_equal(ring.phrase_count, 0);
    keyring_free(&ring);
    ring = loaded("version: 1\n"
                  "sources:\n"
                  "  - {file: sealed, provider: K, id: i, passphrase: {file: p}}\n",
                  0);
    assert_string_equal(ring.keys[0].provider, "K");
    assert_string_equal(ring.keys[0].id, "i");
    keyring_free(&ring);
}

static void test_includes(void **state)
{
    (void)state;
    assert_int_equal(mkdir("sub", 0700), 0);
    put_text("a.key", HEX16);
    put_text("sub/b.key", "100102030405060708090a0b0c0d0e0f");
    put_text("sub/ring", "version: 1\nkeys:\n  - {id: b, file: b.key}\n");
    struct keyring ring = loaded("version: 1\n"
                                 "includes:\n"
                                 "  - sub/ring\n"
                                 "  - file: sub/ring\n"
                                 "keys:\n"
                                 "  - {id: a, file: a.key}\n"
                                 "sources:\n"
                                 "  - a.key\n",
                                 0);
    assert_int_equal(ring.key_count, 3);
    assert_string_equal(ring.keys[0].origin, "sub/b.key");
    keyring_free(&ring);
    refused("version: 1\nincludes:\n  - ring\n", "includes itself");
    refused("version: 1\nsources:\n  - ring\n", "includes itself");
    put_text("sub/back", "version: 1\nincludes:\n  - ../ring\n");
    refused("version: 1\nincludes:\n  - sub/back\n", "includes itself");
    for (int i = 0; i < 20; i++) {
        char name[20], yaml[100];
        snprintf(name, sizeof name, "deep%d", i);
        snprintf(yaml, sizeof yaml, "version: 1\nincludes:\n  - deep%d\n", i + 1);
        put_text(name, yaml);
    }
    refused("version: 1\nincludes:\n  - deep0\n", "too deep");
    /* Ten files that each include the next one ten times: 10^10 in all. */
    for (int i = 0; i < 12; i++) {
        char name[20], yaml[300] = "version: 1\nincludes:\n";
        snprintf(name, sizeof name, "wide%d", i);
        for (int k = 0; k < 10 && i < 11; k++)
            snprintf(yaml + strlen(yaml), sizeof yaml - strlen(yaml), "  - wide%d\n", i + 1);
        put_text(name, yaml);
    }
    refused("version: 1\nincludes:\n  - wide0\n", "too many");
}

/* Aliases: eight lists of ten of the one before. */
static void test_aliases(void **state)
{
    (void)state;
    char yaml[2000] = "version: 1\nproviders:\n  - &p0 {name: x, keys: &k [";
    for (int i = 0; i < 100; i++)
        strcat(yaml, i == 0 ? "&a {secret: AAECAwQFBgcICQoLDA0ODw==}" : ", *a");
    strcat(yaml, "]}\n");
    struct keyring ring = loaded(yaml, 0);
    assert_int_equal(ring.key_count, 1);
    keyring_free(&ring);
    static char many[200000];
    strcpy(many, yaml);
    for (int i = 0; i < 5000; i++)
        strcat(many + strlen(many), "  - *p0\n");
    refused(many, "too many entries");
}

static void test_passive(void **state)
{
    (void)state;
    struct keyring ring;
    struct error error;
    struct user user = {.answer = "x"};
    put_text("ring", "version: 1\n"
                     "passphrases:\n  - prompt: x\n  - fd: 77\n  - file: absent\n"
                     "includes:\n  - absent\n"
                     "keys:\n  - tpm: {public: absent, private: absent}\n"
                     "  - file: absent\n"
                     "  - secret: AAECAwQFBgcICQoLDA0ODw==\n");
    assert_true(load_with(&ring, "ring",
                          (struct keyring_load){.ask = ask, .context = &user, .passive = true},
                          &error));
    assert_int_equal(log_quiet.warnings, 0);
    assert_int_equal(ring.key_count, 1);
    assert_int_equal(ring.phrase_count, 0);
    assert_string_equal(user.asked, "");
    keyring_free(&ring);
}

/* A TPM that does not give the key costs that key only. */
static void test_tpm_failing(void **state)
{
    (void)state;
    struct keyring ring = loaded("version: 1\n"
                                 "keys:\n"
                                 "  - {id: x, tpm: {public: absent, private: absent}}\n"
                                 "  - secret: AAECAwQFBgcICQoLDA0ODw==\n"
                                 "includes:\n"
                                 "  - {file: absent, tpm: {public: absent, private: absent}}\n",
                                 2);
    assert_int_equal(ring.key_count, 1);
    keyring_free(&ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inline),      cmocka_unit_test(test_lookalikes),
        cmocka_unit_test(test_refused),     cmocka_unit_test(test_phrases),
        cmocka_unit_test(test_encrypted),   cmocka_unit_test(test_includes),
        cmocka_unit_test(test_aliases),     cmocka_unit_test(test_passive),
        cmocka_unit_test(test_tpm_failing),
    };
    return cmocka_run_group_tests(tests, scratch_set_up, scratch_tear_down);
}
