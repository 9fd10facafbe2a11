/* quote_signature - RSASSA, RSAPSS and ECDSA over a quote; see quote.h. */
#include "tpm/quote.h"

#include <stdio.h>
#include <string.h>

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

/* OpenSSL spells the names of the TCG with a dash. */
static EVP_MD *fetch_hash(uint16_t id)
{
    const struct bank_algorithm *algorithm = bank_by_id(id);
    char name[32] = "";
    if (algorithm == NULL)
        return NULL;
    snprintf(name, sizeof name, "%s", id == BANK_SM3_256 ? "sm3" : algorithm->name);
    for (char *at = name; *at != '\0'; at++)
        if (*at == '_')
            *at = '-';
    return EVP_MD_fetch(NULL, name, NULL);
}

static bool verify(EVP_PKEY *key, const EVP_MD *md, bool pss, const struct quote *quote,
                   const uint8_t *signature, size_t length)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *parameters = NULL;
    bool ok = context != NULL && EVP_DigestVerifyInit(context, &parameters, md, NULL, key) == 1 &&
              (!pss || (EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) == 1 &&
                        EVP_PKEY_CTX_set_rsa_mgf1_md(parameters, md) == 1 &&
                        EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, RSA_PSS_SALTLEN_AUTO) == 1)) &&
              EVP_DigestVerify(context, signature, length, quote->attest_bytes,
                               quote->attest_length) == 1;
    EVP_MD_CTX_free(context);
    return ok;
}

static bool verify_rsa(EVP_PKEY *key, const EVP_MD *md, bool pss, const struct quote *quote)
{
    /* RSASSA and RSAPSS have one layout. */
    const TPM2B_PUBLIC_KEY_RSA *signature = &quote->signature.signature.rsassa.sig;
    return verify(key, md, pss, quote, signature->buffer, signature->size);
}

static bool verify_ecdsa(EVP_PKEY *key, const EVP_MD *md, const struct quote *quote)
{
    const TPMS_SIGNATURE_ECC *numbers = &quote->signature.signature.ecdsa;
    ECDSA_SIG *signature = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(numbers->signatureR.buffer, numbers->signatureR.size, NULL);
    BIGNUM *s = BN_bin2bn(numbers->signatureS.buffer, numbers->signatureS.size, NULL);
    size_t bytes = ((size_t)EVP_PKEY_get_bits(key) + 7) / 8;
    unsigned char *der = NULL;
    bool ok = signature != NULL && numbers->signatureR.size <= bytes &&
              numbers->signatureS.size <= bytes && ECDSA_SIG_set0(signature, r, s) == 1;
    if (!ok) {
        BN_free(r);
        BN_free(s);
    }
    int length = ok ? i2d_ECDSA_SIG(signature, &der) : 0;
    ok = length > 0 && verify(key, md, false, quote, der, (size_t)length);
    OPENSSL_free(der);
    ECDSA_SIG_free(signature);
    return ok;
}

bool quote_signature_verify(const struct quote *quote, const struct quote_key *key,
                            struct error *error)
{
    uint16_t scheme = quote->signature.sigAlg, hash = quote->signature.signature.any.hashAlg;
    bool is_rsa = scheme == TPM2_ALG_RSASSA || scheme == TPM2_ALG_RSAPSS;
    bool fits = is_rsa ? EVP_PKEY_is_a(key->key, "RSA") || EVP_PKEY_is_a(key->key, "RSA-PSS")
                       : scheme == TPM2_ALG_ECDSA && EVP_PKEY_is_a(key->key, "EC");
    if (!fits)
        return error_set(error, ERROR_DAMAGED,
                         "the signature's scheme 0x%04x is none of this key (%s)", scheme,
                         EVP_PKEY_get0_type_name(key->key));
    EVP_MD *md = fetch_hash(hash);
    if (md == NULL)
        return error_set(error, ERROR_DAMAGED, "the signature's hash 0x%04x is not known", hash);
    bool ok = is_rsa ? verify_rsa(key->key, md, scheme == TPM2_ALG_RSAPSS, quote)
                     : verify_ecdsa(key->key, md, quote);
    EVP_MD_free(md);
    ERR_clear_error();
    return ok || error_set(error, ERROR_DAMAGED,
                           "it is not this key's over this message: another key, or one of the "
                           "files was changed");
}
