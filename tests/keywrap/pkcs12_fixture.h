/*
 * pkcs12_fixture - PKCS#12 files as OpenSSL's own PKCS12_* writes them, for tests of our walker.
 */
#ifndef VMCRYPT_TESTS_KEYWRAP_PKCS12_FIXTURE_H
#define VMCRYPT_TESTS_KEYWRAP_PKCS12_FIXTURE_H

#include <string.h>

#include <openssl/evp.h>
#include <openssl/pkcs12.h>

#include "keywrap/pkcs12.h"
#include "tests/scratch.h"

static uint8_t kdk[32]; /* 0xc0, 0xc1, … */

static int set_up(void **state)
{
    for (size_t i = 0; i < sizeof kdk; i++)
        kdk[i] = (uint8_t)(0xc0 + i);
    return scratch_set_up(state);
}

/* A bag with a secret, as OpenSSL makes one. */
static STACK_OF(PKCS12_SAFEBAG) * secret_bags(const void *value, size_t length)
{
    STACK_OF(PKCS12_SAFEBAG) *bags = NULL;
    assert_non_null(PKCS12_add_secret(&bags, NID_pkcs7_data, value, (int)length));
    return bags;
}

struct form {
    int pbe; /* -1: not encrypted; a cipher: PBES2 */
    const EVP_MD *(*mac)(void);
    const char *pass;
    int rounds;
};

/* The file of these bags in one safe; takes them over. */
static struct buffer make_file(STACK_OF(PKCS12_SAFEBAG) * bags, const struct form *form)
{
    STACK_OF(PKCS7) *safes = NULL;
    struct buffer file = BUFFER_INIT;
    uint8_t *der = NULL;
    uint8_t salt[8] = "saltsalt";
    assert_int_equal(PKCS12_add_safe(&safes, bags, form->pbe, form->rounds, form->pass), 1);
    PKCS12 *p12 = PKCS12_add_safes(safes, 0);
    assert_non_null(p12);
    if (form->mac != NULL)
        assert_int_equal(PKCS12_set_mac(p12, form->pass, -1, salt, 8, form->rounds, form->mac()),
                         1);
    int length = i2d_PKCS12(p12, &der);
    assert_true(length > 0);
    assert_true(buffer_append(&file, der, (size_t)length));
    OPENSSL_free(der);
    PKCS12_free(p12);
    sk_PKCS7_pop_free(safes, PKCS7_free);
    sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
    return file;
}

static const struct form usual = {NID_aes_256_cbc, EVP_sha256, "correct horse", 1000};

static struct pkcs12 *read_file(const struct buffer *file, const char *pass)
{
    struct error error = ERROR_INIT;
    struct keyring ring = KEYRING_INIT;
    if (pass != NULL)
        keyring_add_phrase(&ring, "test", secret_copy(pass, strlen(pass), &error), &error);
    struct pkcs12 *p12 = pkcs12_read(buffer_text(file), file->length, &ring, &error);
    assert_true((p12 == NULL) == (error.code != ERROR_NONE));
    keyring_free(&ring);
    return p12;
}

static void assert_holds_kdk(const struct pkcs12 *p12)
{
    assert_non_null(p12);
    assert_int_equal(p12->key_count, 1);
    assert_int_equal(p12->keys[0].key->length, 32);
    assert_memory_equal(p12->keys[0].key->data, kdk, 32);
}

#endif
