/* Tests of vmdk/disk_key. */
#include "vmdk/disk_key.h"

#include "tests/vmdk/fixture.h"

#include "keywrap/nkp_id.h"

static const char HEAD[] = "# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\n"
                           "createType=\"vmfs\"\nRW 8 VMFS \"a-flat.vmdk\"\n";

/* The lockers of a real key locator of a Native Key Provider [govmomi crypto/keylocator_test.go];
 * the locked data are cut short. */
static const char REAL[] =
    "vmware:key/list/(pair/(fqid/<VMWARE-NULL>/local/"
    "ASEAAgEAIexBYS7MTFOGo6XyS0PZfQEIAAwAEAAgAAQAQUVTLTI1NgCmT8mZIAuAGqLaFVU3pBlaT7%2fzDJm3%2fy%"
    "2f05n9y9%2bxv1aVSfBY9e6rBrhvKIkB2G%2fsvF7L%2bLGpoojr136%2bghgEA,HMAC%2dSHA%2d256,"
    "kIc7z%2fJowrpzVUAand6fC4ixT5BY6KwNTbAPFQErmxFRkmhJNOTp1VyQFnkn5kLgvKpt7KJKlm%2fvLkO6YxkVe61E"
    "Mdtdsr2nL9DWMsDWov9syEh%2ftVED%2fzCct1fFpUaqSa29J%2fFk9%2bD22HiA0%2flumBPwt9M5aW0HB9T9lEMxNE"
    "VpSOBPmOW63DzLzAq1EC7%2f%2f%2f%2f%2f))";

static struct descriptor *parse(const char *text)
{
    struct error error = ERROR_INIT;
    struct descriptor *d = descriptor_parse(text, strlen(text), &error);
    assert_non_null(d);
    return d;
}

static struct keyring ring_with(const char *provider, const char *id, uint8_t byte)
{
    struct error error = ERROR_INIT;
    struct keyring ring = KEYRING_INIT;
    struct secret *key = secret_new(32, &error);
    memset(key->data, byte, key->length);
    assert_true(keyring_add(
        &ring, &(struct keyring_key){.provider = provider, .id = id, .origin = "test", .key = key},
        &error));
    return ring;
}

static void told_encrypted(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        bool encrypted;
    } CASES[] = {{"", false},
                 {"encryptionKeys=\"x\"\n", true},
                 {"ddb.iofilters = \"vmwarevmcrypt\"\n", true},
                 {"ddb.iofilters = \"spm,vmwarevmcrypt\"\n", true},
                 {"ddb.iofilters = \"VMW_vmwarevmcrypt_1.0.0\"\n", true},
                 {"ddb.iofilters = \"vmwarelwd\"\n", false}};
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        char text[512];
        snprintf(text, sizeof text, "%s%s", HEAD, CASES[i].line);
        struct descriptor *d = parse(text);
        assert_int_equal(descriptor_is_encrypted(d), CASES[i].encrypted);
        descriptor_free(d);
    }
}

static void no_safe(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct descriptor *d = parse(HEAD);
    assert_null(disk_key_safe(d, &error));
    assert_error(error, ERROR_DAMAGED, "not encrypted");
    assert_true(descriptor_set(d, "ddb.iofilters", "vmwarevmcrypt", &error));
    assert_null(disk_key_safe(d, &error));
    assert_error(error, ERROR_DAMAGED, "lacks encryptionKeys");
    assert_true(descriptor_set(d, "encryptionKeys", "vmware:key/list/(pair/(", &error));
    assert_null(disk_key_safe(d, &error));
    assert_error(error, ERROR_DAMAGED, "encryptionKeys: ");
    descriptor_free(d);
}

static void lock_and_unlock(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    static const enum seal_mac MACS[] = {SEAL_HMAC_SHA1, SEAL_HMAC_SHA1_128, SEAL_HMAC_SHA256};
    struct keyring ring = ring_with("KMS one", "id/1", 0x11);
    struct keyring wrong = ring_with("KMS one", "id/1", 0x22);
    struct keyring foreign = ring_with("KMS one", "id/2", 0x11);
    struct keysafe_locker locker = {.kek = &ring.keys[0]};
    for (size_t i = 0; i < 3; i++) {
        struct descriptor *d = parse(HEAD);
        struct crypto_key dek, got;
        struct keysafe_result result;
        assert_true(crypto_key_generate("XTS-AES-256", &dek, &error));
        assert_true(disk_key_lock(d, &dek, &locker, MACS[i], &error));
        assert_true(descriptor_is_encrypted(d));
        assert_int_equal(strlen(descriptor_get(d, "keyID")), 8);
        assert_string_equal(descriptor_get(d, "ddb.iofilters"), "vmwarevmcrypt");
        struct locator *safe = disk_key_safe(d, &error);
        assert_non_null(safe);
        if (!disk_key_unlock(safe, &ring, &got, &result, &error))
            fail_msg("%s", error.message);
        assert_true(secret_equal(got.key, dek.key));
        assert_string_equal(got.cipher, "XTS-AES-256");
        assert_int_equal(result.mac, MACS[i]);
        crypto_key_free(&got);
        keysafe_result_free(&result);
        assert_false(disk_key_unlock(safe, &wrong, &got, &result, &error));
        assert_int_equal(error.code, ERROR_NO_KEY);
        assert_int_equal(result.attempt_count, 1);
        keysafe_result_free(&result);
        assert_false(disk_key_unlock(safe, &foreign, &got, &result, &error));
        assert_error(error, ERROR_NO_KEY, "needs KEK id/1 from provider \"KMS one\"");
        keysafe_result_free(&result);
        locator_free(safe);
        assert_true(disk_key_strip(d, &error));
        assert_false(descriptor_is_encrypted(d));
        struct buffer out = BUFFER_INIT;
        assert_true(descriptor_write(d, &out));
        assert_string_equal(buffer_text(&out), HEAD);
        buffer_free(&out);
        crypto_key_free(&dek);
        descriptor_free(d);
    }
    keyring_free(&ring);
    keyring_free(&wrong);
    keyring_free(&foreign);
}

static void other_cipher_refused(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct keyring ring = ring_with("KMS", "1", 7);
    struct keysafe_locker locker = {.kek = &ring.keys[0]};
    struct descriptor *d = parse(HEAD);
    struct crypto_key dek, got;
    struct keysafe_result result;
    assert_true(crypto_key_generate("AES-256", &dek, &error));
    assert_true(disk_key_lock(d, &dek, &locker, SEAL_HMAC_SHA256, &error));
    struct locator *safe = disk_key_safe(d, &error);
    assert_false(disk_key_unlock(safe, &ring, &got, &result, &error));
    assert_error(error, ERROR_FAILED, "AES-256");
    assert_null(got.key);
    keysafe_result_free(&result);
    locator_free(safe);
    crypto_key_free(&dek);
    descriptor_free(d);
    keyring_free(&ring);
}

static void other_filters_kept(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct keyring ring = ring_with("KMS", "1", 7);
    struct keysafe_locker locker = {.kek = &ring.keys[0]};
    struct descriptor *d = parse(HEAD);
    struct crypto_key dek;
    assert_true(descriptor_set(d, "ddb.iofilters", "spm, lwd", &error));
    assert_true(descriptor_set(d, "ddb.sidecars", "a.vmfd;", &error));
    assert_true(crypto_key_generate("XTS-AES-256", &dek, &error));
    assert_true(disk_key_lock(d, &dek, &locker, SEAL_HMAC_SHA256, &error));
    assert_string_equal(descriptor_get(d, "ddb.iofilters"), "spm, lwd,vmwarevmcrypt");
    assert_true(disk_key_strip(d, &error));
    assert_string_equal(descriptor_get(d, "ddb.iofilters"), "spm,lwd");
    assert_string_equal(descriptor_get(d, "ddb.sidecars"), "a.vmfd;");
    /* Ours behind a prefix longer than any real name. */
    char text[300];
    snprintf(text, sizeof text, "%0200dvmwarevmcrypt", 0);
    assert_true(descriptor_set(d, "ddb.iofilters", text, &error));
    assert_true(disk_key_strip(d, &error));
    assert_false(descriptor_is_encrypted(d));
    crypto_key_free(&dek);
    descriptor_free(d);
    keyring_free(&ring);
}

/* The real locator as a descriptor would carry it: it names the provider and is left as it is. */
static void real_locator(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct keyring ring = ring_with("KMS", "1", 7);
    struct descriptor *d = parse(HEAD);
    assert_true(descriptor_set(d, "encryptionKeys", REAL, &error));
    assert_string_equal(descriptor_get(d, "encryptionKeys"), REAL);
    struct locator *safe = disk_key_safe(d, &error);
    assert_non_null(safe);
    const struct locator *fqid = safe->children[0]->children[0];
    struct nkp_id id;
    assert_true(nkp_id_decode(locator_text(fqid, LOCATOR_FQID_KEY), &id));
    assert_string_equal(id.kdk_uuid, "21ec4161-2ecc-4c53-86a3-a5f24b43d97d");
    struct crypto_key dek;
    struct keysafe_result result;
    assert_false(disk_key_unlock(safe, &ring, &dek, &result, &error));
    assert_error(error, ERROR_NO_KEY, "\"local\"");
    keysafe_result_free(&result);
    locator_free(safe);
    descriptor_free(d);
    keyring_free(&ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(told_encrypted),     cmocka_unit_test(no_safe),
        cmocka_unit_test(lock_and_unlock),    cmocka_unit_test(other_cipher_refused),
        cmocka_unit_test(other_filters_kept), cmocka_unit_test(real_locator),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
