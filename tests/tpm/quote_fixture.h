/* Quotes as a TPM would make them, and as none would: keys by OpenSSL, structures written out by
 * hand from TPM 2.0 part 2, so that what reads them is checked against something else. */
#ifndef VMCRYPT_TESTS_TPM_QUOTE_FIXTURE_H
#define VMCRYPT_TESTS_TPM_QUOTE_FIXTURE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "base/file.h"
#include "tpm/identity.h"
#include "tpm/quote.h"

enum { AK_ATTRIBUTES = 0x00050072, EK_ATTRIBUTES = 0x000300b2 };

struct bytes {
    uint8_t at[8192];
    size_t length;
};

static inline void put(struct bytes *b, const void *data, size_t length)
{
    assert_true(length <= sizeof b->at - b->length);
    if (length > 0)
        memcpy(b->at + b->length, data, length);
    b->length += length;
}

static inline void put_be(struct bytes *b, uint64_t value, size_t size)
{
    for (size_t i = size; i-- > 0;) {
        uint8_t byte = (uint8_t)(value >> (8 * i));
        put(b, &byte, 1);
    }
}

static inline void put_sized(struct bytes *b, const void *data, size_t length)
{
    put_be(b, length, 2);
    put(b, data, length);
}

/* TPMS_ATTEST, field by field. */
struct attest {
    uint32_t magic;
    uint16_t type;
    const void *signer;
    size_t signer_length;
    const char *nonce;
    uint8_t safe;
    size_t bank_count;
    struct {
        uint16_t algorithm;
        uint8_t size, bits[4];
    } banks[4];
    uint8_t digest[64];
    size_t digest_length;
};

static inline struct bytes attest_bytes(const struct attest *a)
{
    struct bytes b = {.length = 0};
    put_be(&b, a->magic, 4);
    put_be(&b, a->type, 2);
    put_sized(&b, a->signer, a->signer_length);
    put_sized(&b, a->nonce, strlen(a->nonce));
    put_be(&b, 1000, 8);
    put_be(&b, 3, 4);
    put_be(&b, 1, 4);
    put_be(&b, a->safe, 1);
    put_be(&b, 0x2016051100162800, 8);
    put_be(&b, a->bank_count, 4);
    for (size_t i = 0; i < a->bank_count; i++) {
        put_be(&b, a->banks[i].algorithm, 2);
        put_be(&b, a->banks[i].size, 1);
        put(&b, a->banks[i].bits, a->banks[i].size);
    }
    put_sized(&b, a->digest, a->digest_length);
    return b;
}

static inline EVP_PKEY *make_rsa(unsigned bits)
{
    EVP_PKEY *key = EVP_RSA_gen(bits);
    assert_non_null(key);
    return key;
}

static inline EVP_PKEY *make_ec(const char *curve)
{
    EVP_PKEY *key = EVP_EC_gen(curve);
    assert_non_null(key);
    return key;
}

static inline void put_number(struct bytes *b, const EVP_PKEY *key, const char *name, size_t size)
{
    BIGNUM *number = NULL;
    uint8_t raw[512];
    assert_int_equal(EVP_PKEY_get_bn_param(key, name, &number), 1);
    assert_true(BN_bn2binpad(number, raw, (int)size) == (int)size);
    put_sized(b, raw, size);
    BN_free(number);
}

/* TPMT_PUBLIC of KEY; SCHEME 0x10 (null) is without a hash. */
static inline struct bytes public_bytes(const EVP_PKEY *key, uint32_t attributes, uint16_t scheme,
                                        uint16_t hash)
{
    struct bytes b = {.length = 0};
    bool is_rsa = EVP_PKEY_is_a(key, "RSA");
    unsigned bits = (unsigned)EVP_PKEY_get_bits(key);
    put_be(&b, is_rsa ? 0x0001 : 0x0023, 2);
    put_be(&b, 0x000b, 2);
    put_be(&b, attributes, 4);
    put_sized(&b, NULL, 0);
    put_be(&b, 0x0010, 2);
    put_be(&b, scheme, 2);
    if (scheme != 0x0010)
        put_be(&b, hash, 2);
    if (is_rsa) {
        put_be(&b, bits, 2);
        put_be(&b, 0, 4);
        put_number(&b, key, OSSL_PKEY_PARAM_RSA_N, bits / 8);
    } else {
        put_be(&b, bits == 256 ? 3 : bits == 384 ? 4 : 5, 2);
        put_be(&b, 0x0010, 2);
        put_number(&b, key, OSSL_PKEY_PARAM_EC_PUB_X, (bits + 7) / 8);
        put_number(&b, key, OSSL_PKEY_PARAM_EC_PUB_Y, (bits + 7) / 8);
    }
    return b;
}

/* OpenSSL's plain signature. */
static inline struct bytes sign_plain(EVP_PKEY *key, const char *md, bool pss,
                                      const struct bytes *message)
{
    struct bytes b = {.length = 0};
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *parameters = NULL;
    size_t length = sizeof b.at;
    assert_int_equal(EVP_DigestSignInit_ex(context, &parameters, md, NULL, NULL, key, NULL), 1);
    if (pss)
        assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING), 1);
    assert_int_equal(EVP_DigestSign(context, b.at, &length, message->at, message->length), 1);
    b.length = length;
    EVP_MD_CTX_free(context);
    return b;
}

/* TPMT_SIGNATURE over MESSAGE. */
static inline struct bytes sign(EVP_PKEY *key, uint16_t scheme, uint16_t hash, const char *md,
                                const struct bytes *message)
{
    struct bytes b = {.length = 0}, plain = sign_plain(key, md, scheme == 0x0016, message);
    put_be(&b, scheme, 2);
    put_be(&b, hash, 2);
    if (scheme != 0x0018) {
        put_sized(&b, plain.at, plain.length);
        return b;
    }
    const unsigned char *at = plain.at;
    ECDSA_SIG *numbers = d2i_ECDSA_SIG(NULL, &at, (long)plain.length);
    size_t size = ((size_t)EVP_PKEY_get_bits(key) + 7) / 8;
    uint8_t raw[66];
    BN_bn2binpad(ECDSA_SIG_get0_r(numbers), raw, (int)size);
    put_sized(&b, raw, size);
    BN_bn2binpad(ECDSA_SIG_get0_s(numbers), raw, (int)size);
    put_sized(&b, raw, size);
    ECDSA_SIG_free(numbers);
    return b;
}

static inline const char *sample(const char *name, char path[600])
{
    const char *top = getenv("VMCRYPT_SAMPLES");
    snprintf(path, 600, "%s/eventlogs/%s", top == NULL ? "../shared/samples" : top, name);
    return path;
}

static inline bool has_samples(void)
{
    char path[600];
    return file_exists(sample("esxi-synthetic/swtpm/ak-rsa.tpm2b", path));
}

static inline void need_samples(void)
{
    if (!has_samples()) {
        print_message("no samples here\n");
        skip();
    }
}

static inline struct bytes read_bytes(const char *name)
{
    struct bytes b = {.length = 0};
    struct buffer file = BUFFER_INIT;
    struct error error = ERROR_INIT;
    char path[600];
    if (!file_read_all(sample(name, path), sizeof b.at, &file, &error))
        fail_msg("%s: %s", path, error.message);
    put(&b, buffer_text(&file), file.length);
    buffer_free(&file);
    return b;
}

static inline void load_key(struct quote_key *key, const char *name)
{
    struct error error = ERROR_INIT;
    char path[600];
    if (!quote_key_load(key, sample(name, path), &error))
        fail_msg("%s: %s", path, error.message);
}

static inline enum quote_outcome outcome(const struct quote_verdict *verdict, const char *name)
{
    const struct quote_check *check = quote_find(verdict, name);
    if (check == NULL)
        fail_msg("no check '%s'", name);
    return check == NULL ? QUOTE_FAIL : check->outcome;
}

/* False when it is no quote at all. */
static inline bool judge_quote(const struct bytes *msg, const struct bytes *sig,
                               const struct quote_key *ak, const struct quote_expect *expect,
                               struct quote_verdict *verdict)
{
    struct error error = ERROR_INIT;
    struct quote quote;
    memset(verdict, 0, sizeof *verdict);
    if (!quote_parse(&quote, "msg", msg->at, msg->length, "sig", sig->at, sig->length, ak,
                     &error)) {
        assert_int_equal(error.code, ERROR_DAMAGED);
        return false;
    }
    assert_true(quote_verify(&quote, ak, expect, verdict, &error));
    quote_free(&quote);
    return true;
}

#endif
