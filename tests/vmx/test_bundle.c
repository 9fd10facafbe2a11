/* Secret settings on their own. No bundle of a real product can be opened (its KEK is not public),
 * so what is read here besides our own writing is the text that facts about bundles suggest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/encode.h"
#include "vmx/bundle.h"

static const char key_text[] =
    "type=key:cipher=AES-256:key=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8%3d";

static struct secret *secret_text(const char *text)
{
    struct error error = ERROR_INIT;
    struct secret *secret = secret_copy(text, strlen(text), &error);
    assert_non_null(secret);
    return secret;
}

static struct keyring kek_ring(const char *key)
{
    struct keyring ring = KEYRING_INIT;
    struct error error = ERROR_INIT;
    assert_true(keyring_add(&ring,
                            &(struct keyring_key){.provider = "KMS",
                                                  .id = "a4e7494f-da55-4917-9d90-560c5078866b",
                                                  .origin = "the test",
                                                  .key = secret_text(key)},
                            &error));
    return ring;
}

static const char right_key[] = "0123456789abcdef0123456789abcdef";

static void parse(struct vmx_config *config, const char *text)
{
    struct error error = ERROR_INIT;
    assert_true(vmx_config_parse(config, "test.vmx", text, strlen(text), &error));
}

/* An encrypted config, unlocked, whose inner text is TEXT. */
static void make_encrypted(struct vmx_config *config, const char *text, const struct keyring *ring)
{
    struct error error = ERROR_INIT;
    struct keysafe_locker locker = {.kek = &ring->keys[0]};
    parse(config, text);
    assert_true(vmx_config_encrypt(config, "AES-256", &locker, SEAL_HMAC_SHA256, &error));
}

static void open_bundle(struct vmx_bundle *bundle, const char *text, const struct keyring *ring)
{
    struct error error = ERROR_INIT;
    if (!vmx_bundle_open(bundle, text, strlen(text), ring, &error))
        fail_msg("%s", error.message);
}

/* TEXT locked in the way of a bundle. */
static void lock(const char *text, const struct keyring *ring, struct buffer *out)
{
    struct error error = ERROR_INIT;
    struct keysafe_locker locker = {.kek = &ring->keys[0]};
    struct locator *made = keysafe_make(&locker, SEAL_HMAC_SHA256, text, strlen(text), &error);
    assert_non_null(made);
    out->length = 0;
    assert_true(locator_write(made, out));
    locator_free(made);
}

/* The same as the vSphere API spells it: nothing escaped. */
static void spell_for_api(struct buffer *text)
{
    size_t length = text->length;
    assert_true(percent_decode(text->data, text->length, (uint8_t *)text->data, &length));
    text->data[length] = '\0';
    text->length = length;
}

static void export_and_import(void **state)
{
    (void)state;
    struct keyring ring = kek_ring(right_key), wrong = kek_ring("x123456789abcdef0123456789abcdef");
    struct vmx_config config, other;
    struct error error = ERROR_INIT;
    struct buffer text = BUFFER_INIT, setting = BUFFER_INIT;
    struct keysafe_locker locker = {.kek = &ring.keys[0]};
    buffer_printf(&setting,
                  "dataFileKey = \"%s\"\ncryptoState = \"encrypted\"\nmemsize = \"1024\"\n"
                  "encryption.required.vtpm = \"TRUE\"\n",
                  key_text);
    make_encrypted(&config, setting.data, &ring);
    assert_true(vmx_bundle_export(&config, &locker, SEAL_HMAC_SHA256, &text, &error));
    assert_memory_equal(text.data, "vmware:key/list/(pair/(fqid/", 28);
    assert_null(strstr(text.data, "dataFileKey"));
    make_encrypted(&other, "memsize = \"2048\"\n", &ring);
    struct vmx_bundle bundle;
    assert_false(vmx_bundle_open(&bundle, text.data, text.length, &wrong, &error));
    assert_int_equal(error.code, ERROR_NO_KEY);
    assert_int_equal(bundle.opened.attempt_count, 1);
    assert_string_equal(locator_text(bundle.opened.attempts[0].locker, LOCATOR_FQID_SERVER), "KMS");
    vmx_bundle_free(&bundle);
    for (int spelling = 0; spelling < 4; spelling++) {
        if (spelling == 1) {
            spell_for_api(&text);
            assert_null(strchr(text.data, '%'));
        }
        setting.length = 0;
        if (spelling < 2)
            buffer_printf(&setting, " %s \r\n", text.data);
        else if (spelling == 2)
            buffer_printf(&setting, "\"%s\"\n", text.data);
        else
            buffer_printf(&setting, "name = \"x\"\nencryption.bundle = \"%s\"\n", text.data);
        open_bundle(&bundle, setting.data, &ring);
        assert_string_equal(dict_get(bundle.settings, "dataFileKey"), key_text);
        assert_null(dict_get(bundle.settings, "memsize"));
        assert_true(vmx_bundle_apply(&other, bundle.settings, &error));
        vmx_bundle_free(&bundle);
    }
    assert_string_equal(vmx_config_get(&other, "dataFileKey"), key_text);
    assert_string_equal(vmx_config_get(&other, "cryptoState"), "encrypted");
    assert_string_equal(vmx_config_get(&other, "encryption.required.vtpm"), "TRUE");
    assert_string_equal(vmx_config_get(&other, "memsize"), "2048");
    assert_null(dict_get(other.outer, "dataFileKey"));
    vmx_config_free(&config);
    vmx_config_free(&other);
    buffer_free(&text);
    buffer_free(&setting);
    keyring_free(&ring);
    keyring_free(&wrong);
}

static void bare_key(void **state)
{
    (void)state;
    struct keyring ring = kek_ring(right_key);
    struct buffer text = BUFFER_INIT;
    struct vmx_bundle bundle;
    lock(key_text, &ring, &text);
    open_bundle(&bundle, text.data, &ring);
    assert_string_equal(dict_get(bundle.settings, "dataFileKey"), key_text);
    vmx_bundle_free(&bundle);
    buffer_free(&text);
    keyring_free(&ring);
}

static void odd_bundles_are_refused(void **state)
{
    (void)state;
    static const char *const inside[] = {"", "neither", "type=key:cipher=AES-256:key=AAAA"};
    struct keyring ring = kek_ring(right_key);
    struct buffer text = BUFFER_INIT;
    struct vmx_bundle bundle;
    struct error error = ERROR_INIT;
    for (size_t i = 0; i < sizeof inside / sizeof inside[0]; i++) {
        lock(inside[i], &ring, &text);
        assert_false(vmx_bundle_open(&bundle, text.data, text.length, &ring, &error));
        assert_int_equal(error.code, ERROR_DAMAGED);
        vmx_bundle_free(&bundle);
    }
    static const char *const outside[] = {
        "", "\"", "vmware:key/", "vmware:key/list/()", "a = \"b\"", "encryption.bundle = \"x\""};
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
        assert_false(vmx_bundle_open(&bundle, outside[i], strlen(outside[i]), &ring, &error));
        assert_int_equal(error.code, ERROR_DAMAGED);
        vmx_bundle_free(&bundle);
    }
    buffer_free(&text);
    keyring_free(&ring);
}

static void where_secrets_do_not_go(void **state)
{
    (void)state;
    struct keyring ring = kek_ring(right_key);
    struct keysafe_locker locker = {.kek = &ring.keys[0]};
    struct vmx_config config;
    struct error error = ERROR_INIT;
    struct buffer text = BUFFER_INIT;
    struct dict *settings = dict_parse("dataFileKey = \"x\"\n", 18, NULL, &error);
    parse(&config, "a = \"b\"\n");
    assert_false(vmx_bundle_apply(&config, settings, &error));
    assert_int_equal(error.code, ERROR_USAGE);
    assert_false(vmx_bundle_export(&config, &locker, SEAL_HMAC_SHA256, &text, &error));
    assert_int_equal(error.code, ERROR_FAILED);
    vmx_config_free(&config);
    make_encrypted(&config, "a = \"b\"\n", &ring);
    assert_true(vmx_bundle_apply(&config, settings, &error));
    dict_free(settings);
    static const char bad[] = "good = \"1\"\nEncryption.KeySafe = \"x\"\n";
    settings = dict_parse(bad, sizeof bad - 1, NULL, &error);
    assert_false(vmx_bundle_apply(&config, settings, &error));
    assert_int_equal(error.code, ERROR_DAMAGED);
    assert_null(vmx_config_get(&config, "good"));
    dict_free(settings);
    vmx_config_free(&config);
    buffer_free(&text);
    keyring_free(&ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(export_and_import),
        cmocka_unit_test(bare_key),
        cmocka_unit_test(odd_bundles_are_refused),
        cmocka_unit_test(where_secrets_do_not_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
