/*
 * Encrypted .vmx files: the real Workstation sample, and texts made here. That other programs
 * (dissect.hypervisor, RF3/VMwareVMX) read what is written was checked by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "vmx/config.h"

static struct secret *secret_text(const char *text)
{
    struct error error = ERROR_INIT;
    struct secret *secret = secret_copy(text, strlen(text), &error);
    assert_non_null(secret);
    return secret;
}

static struct keyring ring_with(const char *passphrase)
{
    struct keyring ring = KEYRING_INIT;
    struct error error = ERROR_INIT;
    assert_true(keyring_add_phrase(&ring, "the test", secret_text(passphrase), &error));
    return ring;
}

/* A ring with the one KEK Lab/kek-1. */
static struct keyring ring_with_kek(void)
{
    struct keyring ring = KEYRING_INIT;
    struct error error = ERROR_INIT;
    assert_true(
        keyring_add(&ring,
                    &(struct keyring_key){.provider = "Lab",
                                          .id = "kek-1",
                                          .origin = "the test",
                                          .key = secret_text("0123456789abcdef0123456789abcdef")},
                    &error));
    return ring;
}

static struct keysafe_locker phrase_locker(const struct secret *passphrase, const char *cipher)
{
    return (struct keysafe_locker){
        .passphrase = passphrase, .pass2key = "PBKDF2-HMAC-SHA-1", .cipher = cipher, .rounds = 10};
}

static void parse(struct vmx_config *config, const char *text)
{
    struct error error = ERROR_INIT;
    if (!vmx_config_parse(config, "test.vmx", text, strlen(text), &error))
        fail_msg("%s", error.message);
}

static void unlock(struct vmx_config *config, const struct keyring *ring)
{
    struct error error = ERROR_INIT;
    if (!vmx_config_unlock(config, ring, &error))
        fail_msg("%s", error.message);
}

static void text_of(const struct dict *dict, struct buffer *out)
{
    out->length = 0;
    assert_true(dict_write(dict, out));
}

/* What is in memory, read again from its text. */
static void read_again(struct vmx_config *config)
{
    struct buffer text = BUFFER_INIT;
    text_of(config->outer, &text);
    vmx_config_free(config);
    parse(config, buffer_text(&text));
    buffer_free(&text);
}

static void assert_plain(const struct vmx_config *config, const char *expected)
{
    struct error error = ERROR_INIT;
    struct buffer text = BUFFER_INIT;
    struct dict *plain = vmx_config_plain(config, &error);
    if (plain == NULL)
        fail_msg("%s", error.message);
    text_of(plain, &text);
    assert_string_equal(buffer_text(&text), expected);
    buffer_free(&text);
    dict_free(plain);
}

static void encrypt(struct vmx_config *config, const char *cipher, const char *passphrase,
                    enum seal_mac mac)
{
    struct error error = ERROR_INIT;
    struct secret *phrase = secret_text(passphrase);
    struct keysafe_locker locker = phrase_locker(phrase, cipher);
    if (!vmx_config_encrypt(config, cipher, &locker, mac, &error))
        fail_msg("%s", error.message);
    secret_free(phrase);
}

static bool load_sample(struct vmx_config *config)
{
    const char *samples = getenv("VMCRYPT_SAMPLES");
    char path[4096];
    snprintf(path, sizeof path, "%s/vmx/encrypted-password.vmx",
             samples == NULL ? "../shared/samples" : samples);
    if (!file_exists(path)) {
        print_message("# no samples at %s\n", path);
        return false;
    }
    struct error error = ERROR_INIT;
    assert_true(vmx_config_load(config, path, &error));
    return true;
}

static void real_sample_opens(void **state)
{
    (void)state;
    struct vmx_config config;
    struct error error = ERROR_INIT;
    if (!load_sample(&config))
        skip();
    assert_true(config.encrypted);
    assert_int_equal(config.sealed_length % 16, 20 % 16);
    assert_null(vmx_config_plain(&config, &error));
    assert_int_equal(error.code, ERROR_NO_KEY);
    struct keyring wrong = ring_with("passwort"), right = ring_with("password");
    assert_false(vmx_config_unlock(&config, &wrong, &error));
    assert_int_equal(error.code, ERROR_NO_KEY);
    assert_null(config.inner);
    assert_int_equal(config.opened.attempt_count, 1);
    unlock(&config, &right);
    assert_string_equal(vmx_config_get(&config, "virtualhw.version"), "18");
    assert_string_equal(vmx_config_get(&config, "cryptoState"), "encrypted");
    assert_string_equal(vmx_config_get(&config, "displayName"), "Encrypted VM");
    assert_null(vmx_config_get(&config, "nothing"));
    assert_string_equal(config.key.cipher, "AES-256");
    assert_int_equal(config.mac, SEAL_HMAC_SHA1);
    struct crypto_key data_key;
    const char *text = dict_get(config.inner, "dataFileKey");
    assert_true(crypto_key_parse(text, strlen(text), &data_key, &error));
    crypto_key_free(&data_key);
    struct dict *plain = vmx_config_plain(&config, &error);
    assert_non_null(plain);
    assert_string_equal(dict_get(plain, "nvme0:0.fileName"), "Virtual Disk.vmdk");
    assert_string_equal(dict_get(plain, "displayName"), "Encrypted VM");
    assert_null(dict_get(plain, "encryption.keySafe"));
    assert_null(dict_get(plain, "encryption.data"));
    dict_free(plain);
    keyring_free(&wrong);
    keyring_free(&right);
    vmx_config_free(&config);
}

static void real_sample_is_resealed_and_rekeyed(void **state)
{
    (void)state;
    struct vmx_config config;
    struct error error = ERROR_INIT;
    if (!load_sample(&config))
        skip();
    struct keyring ring = ring_with("password"), new_ring = ring_with("new one");
    unlock(&config, &ring);
    struct secret *old_key = secret_copy(config.key.key->data, config.key.key->length, &error);
    assert_true(dict_set(config.inner, "memsize", "4096", &error));
    assert_true(vmx_config_reseal(&config, &error));
    read_again(&config);
    unlock(&config, &ring);
    assert_string_equal(vmx_config_get(&config, "memsize"), "4096");
    assert_true(secret_equal(old_key, config.key.key));

    char *data = strdup(dict_get(config.outer, "encryption.data"));
    struct secret *passphrase = secret_text("new one");
    struct keysafe_locker locker = phrase_locker(passphrase, "AES-256");
    assert_true(vmx_config_rekey(&config, &locker, SEAL_HMAC_SHA1, &error));
    assert_string_equal(dict_get(config.outer, "encryption.data"), data);
    read_again(&config);
    assert_false(vmx_config_unlock(&config, &ring, &error));
    unlock(&config, &new_ring);
    assert_true(secret_equal(old_key, config.key.key));
    free(data);

    assert_true(vmx_config_new_key(&config, "XTS-AES-256", &error));
    assert_false(vmx_config_reseal(&config, &error));
    assert_true(vmx_config_rekey(&config, &locker, SEAL_HMAC_SHA256, &error));
    read_again(&config);
    unlock(&config, &new_ring);
    assert_string_equal(config.key.cipher, "XTS-AES-256");
    assert_int_equal(config.key.key->length, 64);
    assert_int_equal(config.mac, SEAL_HMAC_SHA256);
    assert_string_equal(vmx_config_get(&config, "memsize"), "4096");
    secret_free(old_key);
    secret_free(passphrase);
    keyring_free(&ring);
    keyring_free(&new_ring);
    vmx_config_free(&config);
}

static const char plain_text[] = "#!/usr/bin/vmware\r\n"
                                 ".encoding = \"windows-1252\"\r\n"
                                 "# the cellar machine\r\n"
                                 "displayName = \"Caf\xe9\"\r\n"
                                 "memsize = \"1024\"\r\n"
                                 "annotation = \"\x81|22\xe9\"\r\n"
                                 "memsize = \"2048\"\r\n"
                                 "encryptedVM.guid = \"{1}\"\r\n"
                                 "vmx.encryptionType = \"partial\"\r\n"
                                 "secret = \"yes\"\r\n";

static void encrypting(void **state)
{
    (void)state;
    static const struct {
        const char *cipher;
        enum seal_mac mac;
    } kinds[] = {{"AES-256", SEAL_HMAC_SHA1},
                 {"XTS-AES-256", SEAL_HMAC_SHA1},
                 {"XTS-AES-256", SEAL_HMAC_SHA256},
                 {"AES-128", SEAL_HMAC_SHA1_128}};
    struct keyring ring = ring_with("pass"), wrong = ring_with("word");
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct vmx_config config;
        struct error error = ERROR_INIT;
        struct buffer text = BUFFER_INIT;
        parse(&config, plain_text);
        assert_false(config.encrypted);
        assert_plain(&config, plain_text);
        encrypt(&config, kinds[i].cipher, "pass", kinds[i].mac);
        text_of(config.outer, &text);
        static const char head[] = ".encoding = \"windows-1252\"\r\n"
                                   "displayName = \"Caf\xe9\"\r\n"
                                   "encryptedVM.guid = \"{1}\"\r\n"
                                   "vmx.encryptionType = \"partial\"\r\n"
                                   "encryption.keySafe = \"vmware:key/list/(pair/(phrase/";
        assert_memory_equal(buffer_text(&text), head, sizeof head - 1);
        assert_null(strstr(buffer_text(&text), "memsize"));
        assert_null(strstr(buffer_text(&text), "cellar"));
        read_again(&config);
        assert_string_equal(vmx_config_get(&config, "displayName"), "Caf\xc3\xa9");
        assert_null(vmx_config_get(&config, "memsize"));
        assert_false(vmx_config_unlock(&config, &wrong, &error));
        assert_int_equal(error.code, ERROR_NO_KEY);
        unlock(&config, &ring);
        assert_string_equal(vmx_config_get(&config, "memsize"), "2048");
        assert_string_equal(vmx_config_get(&config, "annotation"), "|81\"\xc3\xa9");
        assert_plain(&config, ".encoding = \"windows-1252\"\r\n"
                              "displayName = \"Caf\xe9\"\r\n"
                              "encryptedVM.guid = \"{1}\"\r\n"
                              "vmx.encryptionType = \"partial\"\r\n"
                              "#!/usr/bin/vmware\r\n"
                              "# the cellar machine\r\n"
                              "memsize = \"1024\"\r\n"
                              "annotation = \"\x81|22\xe9\"\r\n"
                              "memsize = \"2048\"\r\n"
                              "secret = \"yes\"\r\n");
        struct secret *passphrase = secret_text("pass");
        struct keysafe_locker locker = phrase_locker(passphrase, "AES-256");
        assert_false(vmx_config_encrypt(&config, "AES-256", &locker, SEAL_HMAC_SHA1, &error));
        secret_free(passphrase);
        buffer_free(&text);
        vmx_config_free(&config);
    }
    keyring_free(&ring);
    keyring_free(&wrong);
}

static void kek_and_passphrase_take_turns(void **state)
{
    (void)state;
    struct vmx_config config;
    struct error error = ERROR_INIT;
    struct keyring phrase = ring_with("pass"), kek = ring_with_kek();
    parse(&config, plain_text);
    encrypt(&config, "AES-256", "pass", SEAL_HMAC_SHA1);
    struct keysafe_locker locker = {.kek = &kek.keys[0]};
    read_again(&config);
    assert_false(vmx_config_rekey(&config, &locker, SEAL_HMAC_SHA256, &error));
    assert_int_equal(error.code, ERROR_NO_KEY);
    unlock(&config, &phrase);
    assert_true(vmx_config_rekey(&config, &locker, SEAL_HMAC_SHA256, &error));
    read_again(&config);
    assert_int_equal(config.safe->children[0]->children[0]->type, LOCATOR_FQID);
    assert_false(vmx_config_unlock(&config, &phrase, &error));
    assert_int_equal(error.code, ERROR_NO_KEY);
    assert_non_null(strstr(error.message, "kek-1"));
    unlock(&config, &kek);
    assert_string_equal(vmx_config_get(&config, "secret"), "yes");
    keyring_free(&phrase);
    keyring_free(&kek);
    vmx_config_free(&config);
}

/* The inner text is in its own code page when it names one, else in that of the outer text. */
static void code_pages_of_both_parts(void **state)
{
    (void)state;
    struct vmx_config config;
    struct error error = ERROR_INIT;
    struct keyring ring = ring_with("pass");
    parse(&config, plain_text);
    encrypt(&config, "AES-256", "pass", SEAL_HMAC_SHA1);
    dict_free(config.inner);
    static const char inner[] =
        ".encoding = \"UTF-8\"\nsmile = \"\xf0\x9f\x98\x80\"\nsecret = \"no\"\n";
    config.inner = dict_parse(inner, sizeof inner - 1, NULL, &error);
    assert_true(vmx_config_reseal(&config, &error));
    read_again(&config);
    unlock(&config, &ring);
    assert_string_equal(vmx_config_get(&config, "smile"), "\xf0\x9f\x98\x80");
    assert_plain(&config, ".encoding = \"UTF-8\"\n"
                          "displayName = \"Caf\xc3\xa9\"\n"
                          "encryptedVM.guid = \"{1}\"\n"
                          "vmx.encryptionType = \"partial\"\n"
                          "smile = \"\xf0\x9f\x98\x80\"\n"
                          "secret = \"no\"\n");
    keyring_free(&ring);
    vmx_config_free(&config);
}

static void inner_settings_win(void **state)
{
    (void)state;
    struct vmx_config config;
    struct error error = ERROR_INIT;
    struct keyring ring = ring_with("pass");
    parse(&config, "a = \"inside\"\n");
    encrypt(&config, "AES-256", "pass", SEAL_HMAC_SHA1);
    assert_true(dict_set(config.outer, "A", "outside", &error));
    assert_true(dict_set(config.outer, "b", "outside", &error));
    read_again(&config);
    assert_string_equal(vmx_config_get(&config, "a"), "outside");
    unlock(&config, &ring);
    assert_string_equal(vmx_config_get(&config, "a"), "inside");
    assert_string_equal(vmx_config_get(&config, "b"), "outside");
    assert_plain(&config, "b = \"outside\"\na = \"inside\"\n");
    keyring_free(&ring);
    vmx_config_free(&config);
}

static void refuse(const char *text, enum error_code code)
{
    struct vmx_config config;
    struct error error = ERROR_INIT;
    assert_false(vmx_config_parse(&config, "test.vmx", text, strlen(text), &error));
    assert_int_equal(error.code, code);
    assert_string_equal(error.file, "test.vmx");
    vmx_config_free(&config);
}

static void half_encrypted_and_malformed(void **state)
{
    (void)state;
    refuse("encryption.data = \"AAAA\"\n", ERROR_DAMAGED);
    refuse("encryption.keySafe = \"vmware:key/list/()\"\n", ERROR_DAMAGED);
    refuse("encryption.keySafe = \"nonsense\"\nencryption.data = \"AAAA\"\n", ERROR_DAMAGED);
    refuse("encryption.keySafe = \"vmware:key/list/()\"\nencryption.data = \"A A\"\n",
           ERROR_DAMAGED);
    struct vmx_config config;
    struct error error = ERROR_INIT;
    struct keyring ring = ring_with("pass");
    assert_false(vmx_config_load(&config, "/nowhere/x.vmx", &error));
    assert_int_equal(error.code, ERROR_FAILED);
    parse(&config, "a = \"b\"\n");
    assert_false(vmx_config_unlock(&config, &ring, &error));
    assert_int_equal(error.code, ERROR_USAGE);
    assert_false(vmx_config_reseal(&config, &error));
    vmx_config_free(&config);
    keyring_free(&ring);
}

/* One changed bit in the sealed text: the key is right, the text is damaged. */
static void damaged_data_are_told_from_a_wrong_key(void **state)
{
    (void)state;
    struct vmx_config config;
    struct error error = ERROR_INIT;
    struct keyring ring = ring_with("pass");
    parse(&config, plain_text);
    encrypt(&config, "AES-256", "pass", SEAL_HMAC_SHA1);
    char *data = strdup(dict_get(config.outer, "encryption.data"));
    data[40] = data[40] == 'A' ? 'B' : 'A';
    assert_true(dict_set(config.outer, "encryption.data", data, &error));
    free(data);
    read_again(&config);
    assert_false(vmx_config_unlock(&config, &ring, &error));
    assert_int_equal(error.code, ERROR_DAMAGED);
    assert_null(config.inner);
    assert_null(config.key.key);
    assert_true(dict_set(config.outer, "encryption.data", "AAAA", &error));
    read_again(&config);
    assert_false(vmx_config_unlock(&config, &ring, &error));
    assert_int_equal(error.code, ERROR_DAMAGED);
    keyring_free(&ring);
    vmx_config_free(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_sample_opens),
        cmocka_unit_test(real_sample_is_resealed_and_rekeyed),
        cmocka_unit_test(encrypting),
        cmocka_unit_test(kek_and_passphrase_take_turns),
        cmocka_unit_test(code_pages_of_both_parts),
        cmocka_unit_test(inner_settings_win),
        cmocka_unit_test(half_encrypted_and_malformed),
        cmocka_unit_test(damaged_data_are_told_from_a_wrong_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
