/* Keys added to keyrings, which otherwise stay as they are. */
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
#include "keywrap/keyring_write.h"
#include "tests/scratch.h"

static struct secret *filled(uint8_t byte)
{
    struct error error = ERROR_INIT;
    struct secret *s = secret_new(32, &error);
    assert_non_null(s);
    memset(s->data, byte, 32);
    return s;
}

static void add(struct keyring *ring, const struct keyring_key *like, uint8_t byte)
{
    struct error error = ERROR_INIT;
    struct keyring_key key = *like;
    key.key = filled(byte);
    assert_true(keyring_add(ring, &key, &error));
}

static struct keyring loaded(const struct buffer *yaml)
{
    struct log log = {.program = "test", .level = -1};
    struct keyring_load load = {.log = &log};
    struct keyring ring = KEYRING_INIT;
    struct error error = ERROR_INIT;
    if (!keyring_load_bytes(&ring, yaml, "ring", &load, &error))
        fail_msg("%s in: %s", error.message, buffer_text(yaml));
    return ring;
}

static struct buffer text_of(const char *text)
{
    struct buffer b = BUFFER_INIT;
    assert_true(buffer_append_text(&b, text));
    return b;
}

static void test_all_comes_back(void **state)
{
    (void)state;
    static const struct keyring_key keys[] = {
        {.id = "id",
         .provider = "KMS",
         .origin = "a \n\x1b"
                   "b"},
        {.provider = "only a provider"},
        {.id = "x, secret: AAAA", .provider = "\"{secret: BBBB}\\"},
        {.id = "\n\t\x01\x7f", .provider = "K\u00fc \U0001f511 \u2028 \ufeff \xc2\x85"},
        {.kind = KEYRING_KDK,
         .id = "21ec4161-2ecc-4c53-86a3-a5f24b43d97d",
         .name = "test01",
         .identifier = "uuid",
         .component = "Virtual Machine"},
        {.id = "# no: comment", .provider = "- &a *b !c %d @e `f"},
        {.id = "", .provider = ""},
    };
    enum { COUNT = sizeof keys / sizeof keys[0] };
    struct error error = ERROR_INIT;
    struct keyring ring = KEYRING_INIT;
    struct buffer yaml = BUFFER_INIT;
    for (size_t i = 0; i < COUNT; i++)
        add(&ring, &keys[i], (uint8_t)i);
    assert_true(keyring_add_phrase(&ring, "label: x", filled('p'), &error));
    assert_true(keyring_add_phrase(&ring, "none", secret_new(0, &error), &error));
    assert_true(keyring_write_add(&yaml, &ring, &error));
    struct keyring again = loaded(&yaml);
    assert_int_equal(again.key_count, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        const struct keyring_key *a = &ring.keys[i], *b = &again.keys[i];
        assert_int_equal(a->kind, b->kind);
        assert_true(secret_equal(a->key, b->key));
        const char *const texts[][2] = {{a->id, b->id},
                                        {a->provider, b->provider},
                                        {a->name, b->name},
                                        {a->identifier, b->identifier},
                                        {a->component, b->component}};
        for (size_t k = 0; k < sizeof texts / sizeof texts[0]; k++)
            if (texts[k][0] == NULL)
                assert_null(texts[k][1]);
            else
                assert_string_equal(texts[k][0], texts[k][1]);
    }
    assert_int_equal(again.phrase_count, 2);
    assert_string_equal(again.phrases[0].origin, "label: x");
    assert_int_equal(again.phrases[0].passphrase->length, 32);
    assert_int_equal(again.phrases[1].passphrase->length, 0);
    keyring_free(&ring);
    keyring_free(&again);
    buffer_free(&yaml);
    add(&ring, &(struct keyring_key){.id = "\xff"}, 1);
    assert_false(keyring_write_add(&yaml, &ring, &error));
    assert_int_equal(error.code, ERROR_FAILED);
    assert_int_equal(yaml.length, 0);
    keyring_free(&ring);
}

/* What stood there is a prefix of the result; how many documents that has. */
static void check_added(const char *before, size_t keys_before, bool continued)
{
    struct error error = ERROR_INIT;
    struct keyring ring = KEYRING_INIT;
    struct buffer yaml = text_of(before);
    add(&ring, &(struct keyring_key){.id = "one", .provider = "P"}, 1);
    add(&ring, &(struct keyring_key){.id = "two", .provider = "P"}, 2);
    if (!keyring_write_add(&yaml, &ring, &error))
        fail_msg("%s: %s", error.message, before);
    assert_int_equal(strncmp(buffer_text(&yaml), before, strlen(before)), 0);
    if ((strstr(buffer_text(&yaml) + strlen(before), "---") == NULL) != continued)
        fail_msg("%s", buffer_text(&yaml));
    struct keyring again = loaded(&yaml);
    assert_int_equal(again.key_count, keys_before + 2);
    assert_non_null(keyring_find(&again, &ring.keys[0], ring.keys[0].key));
    assert_non_null(keyring_find(&again, &ring.keys[1], ring.keys[1].key));
    keyring_free(&again);
    keyring_free(&ring);
    buffer_free(&yaml);
}

static void test_added_to(void **state)
{
    (void)state;
    static const char secret[] = "secret: AAECAwQFBgcICQoLDA0ODw==";
    static const struct {
        const char *before; /* %s: a secret */
        size_t keys;
        bool continued;
    } cases[] = {
        {"version: 1\n", 0, false},
        {"version: 1", 0, false},
        {"# mine\nversion: 1\nkeys:\n  - %s\n", 1, true},
        {"version: 1\nkeys:\n  - %s # no line end", 1, true},
        {"version: 1\nkeys:\n- %s\n\n# the end\n", 1, true},
        {"version: 1\nkeys:\n        - id: x\n          %s\n", 1, true},
        {"version: 1\nkeys: [{%s}]\n", 1, false},
        {"{version: 1, keys: [{%s}]}\n", 1, false},
        {"version: 1\nkeys: []\n", 0, false},
        {"version: 1\nkeys:\n", 0, false},
        {"version: 1\nkeys:\n  - %s\npassphrases: []\n", 1, false},
        {"version: 1\nkeys:\n  - %s\n...\n", 1, false},
        {"version: 1\nkeys:\n  - %s\n    id: a text\n", 1, true},
        {"version: 1\nkeys:\n  - %s\n    id: >\n      a text\n      of lines\n", 1, true},
        {"version: 1\n---\nversion: 1\nkeys:\n  - %s\n", 1, true},
        {"version: 1\nkeys:\n  - &a {%s}\n  - *a\n", 1, true},
        {"version: 1\r\nkeys:\r\n  - %s\r\n", 1, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char before[200];
        const char *at = strstr(cases[i].before, "%s");
        if (at == NULL)
            snprintf(before, sizeof before, "%s", cases[i].before);
        else
            snprintf(before, sizeof before, "%.*s%s%s", (int)(at - cases[i].before),
                     cases[i].before, secret, at + 2);
        check_added(before, cases[i].keys, cases[i].continued);
    }
}

static void test_replace(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct secret *value = filled('Z');
    struct buffer yaml = text_of("version: 1 # secret: AAECAwQFBgcICQoLDA0ODw==\n"
                                 "keys:\n"
                                 "  - {id: a, secret: \"AAECAwQFBgcICQoLDA0ODw==\"} # mine\n"
                                 "  - {id: b, secret: AQECAwQFBgcICQoLDA0ODw}\n"
                                 "  - id: c\n"
                                 "    secret: AgECAwQFBgcICQoLDA0ODw  # from elsewhere\n"
                                 "    name: x\n"
                                 "  - {id: d, secret: AQECAwQFBgcICQoLDA0ODw==}\n");
    struct keyring ring = loaded(&yaml);
    assert_true(keyring_write_replace(&yaml, &ring.keys[0], value, "ring", &error));
    assert_false(keyring_write_replace(&yaml, &ring.keys[0], value, "ring", &error));
    assert_non_null(strstr(error.message, "does not stand in it"));
    assert_true(keyring_write_replace(&yaml, &ring.keys[2], value, "ring", &error));
    assert_false(keyring_write_replace(&yaml, &ring.keys[1], value, "ring", &error));
    assert_non_null(strstr(error.message, "several times"));
    assert_string_equal(error.file, "ring");
    assert_string_equal(
        buffer_text(&yaml),
        "version: 1 # secret: AAECAwQFBgcICQoLDA0ODw==\n"
        "keys:\n"
        "  - {id: a, secret: \"WlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlo=\"} # mine\n"
        "  - {id: b, secret: AQECAwQFBgcICQoLDA0ODw}\n"
        "  - id: c\n"
        "    secret: WlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlo=\n"
        "    name: x\n"
        "  - {id: d, secret: AQECAwQFBgcICQoLDA0ODw==}\n");
    keyring_free(&ring);
    secret_free(value);
    buffer_free(&yaml);
}

static void test_file(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct buffer text = text_of("version: 1\n");
    struct stat st;
    assert_int_equal(symlink("real", "link"), 0);
    FILE *f = fopen("real", "w");
    assert_non_null(f);
    fclose(f);
    chmod("real", 0664);
    assert_true(keyring_write_file("link", &text, &error));
    assert_int_equal(lstat("link", &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(stat("real", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(st.st_size, 11);
    assert_false(keyring_write_file("absent/ring", &text, &error));
    assert_int_equal(error.code, ERROR_FAILED);
    buffer_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_comes_back),
        cmocka_unit_test(test_added_to),
        cmocka_unit_test(test_replace),
        cmocka_unit_test(test_file),
    };
    return cmocka_run_group_tests(tests, scratch_set_up, scratch_tear_down);
}
