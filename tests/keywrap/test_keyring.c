/* Keyrings, key files, and opening key safes with them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keywrap/keyring.h"
#include "keywrap/keysafe.h"
#include "keywrap/secret_file.h"
#include "keywrap/source.h"
#include "tests/scratch.h"

static void put(const char *name, const void *data, size_t length, mode_t mode)
{
    FILE *f = fopen(name, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, length, f), length);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(name, mode), 0);
}

static void put_text(const char *name, const char *text)
{
    put(name, text, strlen(text), 0600);
}

static struct log quiet(void)
{
    return (struct log){.program = "test", .level = -1};
}

/* Read NAME as a key; its first byte and length, or -1 when it is refused. */
static int read_key(const char *name, const char *encoding, size_t *length, size_t *warnings)
{
    struct log log = quiet();
    struct error error = ERROR_INIT;
    struct keyring ring = KEYRING_INIT;
    bool ok =
        source_read(name, &(struct source_options){.form = encoding}, &ring, NULL, &log, &error);
    *warnings = log.warnings;
    if (!ok) {
        assert_int_not_equal(error.code, ERROR_NONE);
        assert_int_equal(ring.key_count, 0);
        return -1;
    }
    assert_int_equal(ring.key_count, 1);
    int first = ring.keys[0].key->data[0];
    *length = ring.keys[0].key->length;
    keyring_free(&ring);
    return first;
}

static void test_key_files(void **state)
{
    (void)state;
    uint8_t raw[64];
    for (size_t i = 0; i < sizeof raw; i++)
        raw[i] = (uint8_t)(200 + i);
    size_t length, warnings;
    static const size_t sizes[] = {16, 24, 32, 64};
    for (size_t i = 0; i < 4; i++) {
        put("k", raw, sizes[i], 0600);
        assert_int_equal(read_key("k", "auto", &length, &warnings), 200);
        assert_int_equal(length, sizes[i]);
        assert_int_equal(warnings, 0);
    }
    put("k", raw, 31, 0600);
    assert_int_equal(read_key("k", "auto", &length, &warnings), -1);
    put_text("k", "c8c9cacbcccdcecfd0d1d2d3d4d5d6d7\n");
    assert_int_equal(read_key("k", "auto", &length, &warnings), 0xc8);
    assert_int_equal(length, 16);
    assert_int_equal(read_key("k", "base64", &length, &warnings), 0x73);
    assert_int_equal(length, 24);
    put_text("k", "  /wECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\r\n");
    assert_int_equal(read_key("k", "auto", &length, &warnings), 0xff);
    assert_int_equal(length, 32);
    assert_int_equal(read_key("k", "hex", &length, &warnings), -1);
    assert_int_equal(read_key("k", "octal", &length, &warnings), -1);
    assert_int_equal(read_key("absent", "auto", &length, &warnings), -1);
    put("k", raw, 32, 0640);
    assert_int_equal(read_key("k", "auto", &length, &warnings), 200);
    assert_int_equal(warnings, 1);
}

static void test_passphrase_files(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t length;
    } cases[] = {{"secret", 6}, {"secret\n", 6}, {"secret\r\n", 6}, {"secret\n\n", 7}, {"", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct log log = quiet();
        struct error error = ERROR_INIT;
        put_text("p", cases[i].text);
        struct secret *p = passphrase_file_read("p", &log, &error);
        assert_non_null(p);
        assert_int_equal(p->length, cases[i].length);
        secret_free(p);
    }
}

static bool load(const char *yaml, struct keyring *ring, struct error *error)
{
    struct log log = quiet();
    struct keyring_load load = {.log = &log};
    *ring = KEYRING_INIT;
    *error = ERROR_INIT;
    put_text("ring.yaml", yaml);
    return keyring_load(ring, "ring.yaml", &load, error);
}

static void test_yaml(void **state)
{
    (void)state;
    struct keyring ring;
    struct error error;
    put_text("a.key", "000102030405060708090a0b0c0d0e0f");
    put_text("p.txt", "secret\n");
    if (!load("version: 1\n"
              "providers:\n"
              "  - name: KMS\n"
              "    keys:\n"
              "      - {id: a4e7494f-da55-4917-9d90-560c5078866b, file: a.key}\n"
              "      - id: \"17\"\n"
              "        file: a.key\n"
              "        encoding: hex\n"
              "  - name: empty\n"
              "passphrases:\n"
              "  - file: p.txt\n"
              "    name: lab\n",
              &ring, &error))
        fail_msg("%s", error.message);
    assert_int_equal(ring.key_count, 2);
    assert_int_equal(ring.phrase_count, 1);
    assert_string_equal(ring.phrases[0].origin, "lab");
    struct keyring_search search = {.provider = "KMS",
                                    .id = "A4E7494F-DA55-4917-9D90-560C5078866B"};
    const struct keyring_key *key = keyring_next(&ring, &search);
    assert_non_null(key);
    assert_int_equal(key->key->length, 16);
    assert_null(keyring_next(&ring, &search));
    search = (struct keyring_search){.provider = "KMS", .id = "18"};
    assert_null(keyring_next(&ring, &search));
    keyring_free(&ring);
}

static void test_yaml_refused(void **state)
{
    (void)state;
    put_text("a.key", "000102030405060708090a0b0c0d0e0f");
    static const char *const bad[] = {
        "",
        "version: 2\n",
        "providers: []\n",
        "- 1\n",
        "version: 1\nprovider: []\n",
        "version: 1\nversion: 1\n",
        "version: 1\nproviders: 3\n",
        "version: 1\nproviders:\n  - keys: []\n",
        "version: 1\nproviders:\n  - name: x\n    keys:\n      - id: y\n",
        "version: 1\nproviders:\n  - name: x\n    keys:\n      - {id: y, file: absent}\n",
        "version: 1\nproviders:\n  - name: x\n    keys:\n      - {id: y, file: a.key, key: 00}\n",
        "version: 1\nproviders:\n  - name: x\n    keys:\n      - {id: [1], file: a.key}\n",
        "version: 1\npassphrases:\n  - {name: x}\n",
        "version: 1\nproviders: &a [*a]\n",
        "version: 1\n\tproviders: [\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct keyring ring;
        struct error error;
        if (load(bad[i], &ring, &error))
            fail_msg("accepted: %s", bad[i]);
        assert_true(error.file[0] != '\0');
        assert_true(error.message[0] != '\0');
        keyring_free(&ring);
    }
}

static struct secret *filled(uint8_t byte, size_t length)
{
    struct error error = ERROR_INIT;
    struct secret *s = secret_new(length, &error);
    assert_non_null(s);
    memset(s->data, byte, length);
    return s;
}

static void add(struct keyring *ring, const char *provider, const char *id, uint8_t byte)
{
    struct error error = ERROR_INIT;
    struct keyring_key key = {
        .provider = provider, .id = id, .origin = "test", .key = filled(byte, 32)};
    assert_true(keyring_add(ring, &key, &error));
}

static void test_find_order(void **state)
{
    (void)state;
    struct keyring ring = KEYRING_INIT;
    add(&ring, NULL, NULL, 1);
    add(&ring, "other", "k", 2);
    add(&ring, NULL, "k", 3);
    add(&ring, "KMS", "k", 4);
    add(&ring, "KMS", "l", 5);
    add(&ring, "other", NULL, 6);
    add(&ring, "KMS", "k", 4);
    assert_int_equal(ring.key_count, 6);
    static const uint8_t order[] = {4, 3, 2, 1};
    struct keyring_search search = {.provider = "KMS", .id = "k"};
    for (size_t i = 0; i < sizeof order; i++)
        assert_int_equal(keyring_next(&ring, &search)->key->data[0], order[i]);
    assert_null(keyring_next(&ring, &search));
    search = (struct keyring_search){.kind = KEYRING_KDK, .provider = "KMS", .id = "k"};
    assert_null(keyring_next(&ring, &search));
    keyring_free(&ring);
}

static struct locator *make(const struct keysafe_locker *locker, const char *text)
{
    struct error error = ERROR_INIT;
    struct locator *safe = keysafe_make(locker, SEAL_HMAC_SHA256, text, strlen(text), &error);
    if (safe == NULL)
        fail_msg("%s", error.message);
    return safe;
}

static void test_safe_kek(void **state)
{
    (void)state;
    struct keyring ring = KEYRING_INIT, none = KEYRING_INIT, wrong = KEYRING_INIT;
    add(&ring, "My KMS", "id/1", 9);
    add(&wrong, "My KMS", "id/1", 8);
    struct locator *safe = make(&(struct keysafe_locker){.kek = &ring.keys[0]}, "the plaintext");
    struct keysafe_result result;
    struct error error = ERROR_INIT;
    assert_true(keysafe_open(safe, &ring, &result, &error));
    assert_string_equal(buffer_text(&result.plain), "the plaintext");
    assert_int_equal(result.mac, SEAL_HMAC_SHA256);
    assert_true(result.attempts[result.opened].opened);
    keysafe_result_free(&result);
    assert_false(keysafe_open(safe, &none, &result, &error));
    assert_int_equal(error.code, ERROR_NO_KEY);
    assert_string_equal(error.message,
                        "no key opens it: needs KEK id/1 from provider \"My KMS\", which the "
                        "keyring does not hold; add it with --key 'My KMS/id/1=FILE'");
    keysafe_result_free(&result);
    assert_false(keysafe_open(safe, &wrong, &result, &error));
    assert_int_equal(error.code, ERROR_NO_KEY);
    assert_string_equal(error.message, "no key opens it: the key from test does not fit: "
                                       "HMAC-SHA-256 does not hold");
    assert_int_equal(result.plain.length, 0);
    keysafe_result_free(&result);
    locator_free(safe);
    keyring_free(&ring);
    keyring_free(&wrong);
}

/* Two pairs, the second fits: the first one's reason is kept. */
static void test_safe_several(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct keyring ring = KEYRING_INIT, other = KEYRING_INIT;
    struct secret *passphrase = filled('p', 8);
    add(&other, "gone", "lost", 1);
    assert_true(keyring_add_phrase(&ring, "wrong one", filled('q', 8), &error));
    assert_true(keyring_add_phrase(&ring, "right one", filled('p', 8), &error));
    struct locator *safe = make(&(struct keysafe_locker){.kek = &other.keys[0]}, "x");
    struct locator *second = make(&(struct keysafe_locker){.passphrase = passphrase,
                                                           .pass2key = "PBKDF2-HMAC-SHA-256",
                                                           .cipher = "XTS-AES-256",
                                                           .rounds = 1000},
                                  "x");
    assert_true(locator_add_child(safe, second, &error));
    struct keysafe_result result;
    if (!keysafe_open(safe, &ring, &result, &error))
        fail_msg("%s", error.message);
    assert_int_equal(result.attempt_count, 2);
    assert_int_equal(result.opened, 1);
    assert_true(result.attempts[0].missing);
    assert_non_null(strstr(result.attempts[0].reason, "needs KEK lost"));
    assert_string_equal(result.attempts[1].reason, "opened with the passphrase from right one");
    keysafe_result_free(&result);
    locator_free(safe);
    secret_free(passphrase);
    keyring_free(&ring);
    keyring_free(&other);
}

static void test_safe_rawkey_and_others(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct keyring none = KEYRING_INIT;
    struct keysafe_result result;
    static const char role[] = "vmware:key/list/(pair/(role/x/server,HMAC-SHA-1,AAAA))";
    struct locator *l = locator_parse(role, strlen(role), &error);
    assert_non_null(l);
    assert_false(keysafe_open(l, &none, &result, &error));
    assert_non_null(strstr(error.message, "'role' locator"));
    keysafe_result_free(&result);
    locator_free(l);
    l = locator_parse("vmware:key/list/()", 18, &error);
    assert_false(keysafe_open(l, &none, &result, &error));
    assert_int_equal(error.code, ERROR_DAMAGED);
    keysafe_result_free(&result);
    locator_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_key_files),    cmocka_unit_test(test_passphrase_files),
        cmocka_unit_test(test_yaml),         cmocka_unit_test(test_yaml_refused),
        cmocka_unit_test(test_find_order),   cmocka_unit_test(test_safe_kek),
        cmocka_unit_test(test_safe_several), cmocka_unit_test(test_safe_rawkey_and_others),
    };
    return cmocka_run_group_tests(tests, scratch_set_up, scratch_tear_down);
}
