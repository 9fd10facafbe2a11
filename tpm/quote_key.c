/* quote_key - keys of a TPM in every form that tools write them; see quote.h. */
#include "tpm/quote_private.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <tss2/tss2_mu.h>

#include "base/file.h"
#include "tpm/text.h"

static bool add_numbers(OSSL_PARAM_BLD *build, const BIGNUM *n, const BIGNUM *e)
{
    return n != NULL && e != NULL && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
           OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) == 1;
}

static EVP_PKEY *key_from(const char *type, OSSL_PARAM_BLD *build)
{
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    if (context == NULL || params == NULL || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        key = NULL;
    OSSL_PARAM_free(params);
    EVP_PKEY_CTX_free(context);
    return key;
}

static EVP_PKEY *rsa_key(const TPMT_PUBLIC *public, struct error *error)
{
    const TPM2B_PUBLIC_KEY_RSA *modulus = &public->unique.rsa;
    const TPMS_RSA_PARMS *parameters = &public->parameters.rsaDetail;
    if (modulus->size == 0 || modulus->size != parameters->keyBits / 8) {
        error_set(error, ERROR_DAMAGED, "its modulus has %u bytes, where it says %u bits",
                  modulus->size, parameters->keyBits);
        return NULL;
    }
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    BIGNUM *n = BN_bin2bn(modulus->buffer, modulus->size, NULL), *e = BN_new();
    EVP_PKEY *key = NULL;
    /* 0 stands for the usual exponent. */
    if (build != NULL && e != NULL &&
        BN_set_word(e, parameters->exponent == 0 ? 65537 : parameters->exponent) == 1 &&
        add_numbers(build, n, e))
        key = key_from("RSA", build);
    BN_free(n);
    BN_free(e);
    OSSL_PARAM_BLD_free(build);
    if (key == NULL)
        error_set(error, ERROR_DAMAGED, "its numbers are no RSA key");
    return key;
}

static EVP_PKEY *ecc_key(const TPMT_PUBLIC *public, struct error *error)
{
    static const struct {
        TPM2_ECC_CURVE id;
        const char *group;
        size_t bytes;
    } curves[] = {{TPM2_ECC_NIST_P256, "P-256", 32},
                  {TPM2_ECC_NIST_P384, "P-384", 48},
                  {TPM2_ECC_NIST_P521, "P-521", 66}};
    TPM2_ECC_CURVE id = public->parameters.eccDetail.curveID;
    size_t i = 0;
    while (i < sizeof curves / sizeof curves[0] && curves[i].id != id)
        i++;
    if (i == sizeof curves / sizeof curves[0]) {
        error_set(error, ERROR_FAILED, "its curve 0x%04x is not supported", id);
        return NULL;
    }
    const TPMS_ECC_POINT *point = &public->unique.ecc;
    size_t bytes = curves[i].bytes;
    if (point->x.size == 0 || point->x.size > bytes || point->y.size == 0 ||
        point->y.size > bytes) {
        error_set(error, ERROR_DAMAGED, "its point does not have the size of %s", curves[i].group);
        return NULL;
    }
    uint8_t encoded[1 + 2 * 66] = {0x04};
    memcpy(encoded + 1 + bytes - point->x.size, point->x.buffer, point->x.size);
    memcpy(encoded + 1 + 2 * bytes - point->y.size, point->y.buffer, point->y.size);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY *key = NULL;
    if (build != NULL &&
        OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, curves[i].group, 0) ==
            1 &&
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, encoded, 1 + 2 * bytes) ==
            1)
        key = key_from("EC", build);
    OSSL_PARAM_BLD_free(build);
    if (key == NULL)
        error_set(error, ERROR_DAMAGED, "its point is not on the curve %s", curves[i].group);
    return key;
}

/* The name is the hash of the public area, by the algorithm that it names. */
static bool take_public(struct quote_key *key, const uint8_t *bytes, size_t length,
                        struct error *error)
{
    uint16_t hash = key->public.nameAlg;
    const struct bank_algorithm *algorithm = bank_by_id(hash);
    if (key->public.type == TPM2_ALG_RSA)
        key->key = rsa_key(&key->public, error);
    else if (key->public.type == TPM2_ALG_ECC)
        key->key = ecc_key(&key->public, error);
    else
        error_set(error, ERROR_DAMAGED, "it is no RSA or ECC key (type 0x%04x)", key->public.type);
    if (key->key == NULL)
        return false;
    key->has_public = true;
    key->name[0] = (uint8_t)(hash >> 8);
    key->name[1] = (uint8_t)hash;
    if (algorithm != NULL && bank_hash(hash, bytes, length, NULL, 0, key->name + 2))
        key->name_length = 2 + algorithm->size;
    return true;
}

/* TPM2B_PUBLIC or TPMT_PUBLIC. *IS_ONE tells whether the bytes have that form at all. */
static bool parse_public(struct quote_key *key, const uint8_t *data, size_t length, bool *is_one,
                         struct error *error)
{
    size_t offset = 0;
    bool sized = length > 2 && ((size_t)data[0] << 8 | data[1]) == length - 2;
    const uint8_t *area = sized ? data + 2 : data;
    size_t area_length = sized ? length - 2 : length;
    *is_one = Tss2_MU_TPMT_PUBLIC_Unmarshal(area, area_length, &offset, &key->public) ==
                  TSS2_RC_SUCCESS &&
              offset == area_length;
    return *is_one && take_public(key, area, area_length, error);
}

/* What tpm2_nvread gives of an EK certificate may be filled up to the size of the index. */
static bool is_padding(const uint8_t *data, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (data[i] != data[0] || (data[0] != 0x00 && data[0] != 0xff))
            return false;
    return true;
}

static bool take_certificate(struct quote_key *key, X509 *certificate, struct error *error)
{
    key->certificate = certificate;
    key->key = X509_get_pubkey(certificate);
    return key->key != NULL || error_set(error, ERROR_FAILED,
                                         "the key of this certificate is of no kind that is known");
}

static bool parse_der(struct quote_key *key, const uint8_t *data, size_t length, bool *is_one,
                      struct error *error)
{
    const unsigned char *at = data;
    X509 *certificate = d2i_X509(NULL, &at, (long)length);
    *is_one = true;
    if (certificate != NULL && is_padding(at, length - (size_t)(at - data)))
        return take_certificate(key, certificate, error);
    X509_free(certificate);
    at = data;
    key->key = d2i_PUBKEY(NULL, &at, (long)length);
    *is_one = key->key != NULL && at == data + length;
    return *is_one;
}

static bool parse_pem(struct quote_key *key, const char *data, size_t length, struct error *error)
{
    BIO *bio = BIO_new_mem_buf(data, (int)length);
    if (bio == NULL)
        return error_memory(error);
    X509 *certificate = NULL;
    if (memmem(data, length, "PRIVATE KEY-----", 16) != NULL)
        error_set(error, ERROR_USAGE,
                  "it holds a private key; give the public one, or a "
                  "certificate");
    else if ((certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL)
        take_certificate(key, certificate, error);
    else if (BIO_reset(bio) != 1 || (key->key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL)) == NULL)
        error_set(error, ERROR_DAMAGED, "its PEM holds no public key and no certificate");
    BIO_free(bio);
    return key->key != NULL;
}

static bool parse(struct quote_key *key, const uint8_t *data, size_t length, struct error *error)
{
    static const uint8_t context[] = {0xba, 0xdc, 0xc0, 0xde};
    bool is_one = false;
    if (length == 0 || length > QUOTE_FILE_MAX)
        return error_set(error, ERROR_DAMAGED, "it is %s", length == 0 ? "empty" : "too large");
    if (length >= sizeof context && memcmp(data, context, sizeof context) == 0)
        return error_set(error, ERROR_USAGE,
                         "it is a context of tpm2-tools, which only its TPM can read; export the "
                         "public part: tpm2_readpublic -c FILE -o PUBLIC");
    if (memmem(data, length, "-----BEGIN ", 11) != NULL)
        return parse_pem(key, (const char *)data, length, error);
    if (data[0] == 0x30 && parse_der(key, data, length, &is_one, error))
        return true;
    if (!is_one && parse_public(key, data, length, &is_one, error))
        return true;
    return !is_one ? error_set(error, ERROR_DAMAGED,
                               "it is no key in PEM, no TPM2B_PUBLIC, no TPMT_PUBLIC, no "
                               "certificate")
                   : false;
}

/* Keys in JSON. */
static bool parse_json(struct quote_key *key, const uint8_t *data, size_t length,
                       struct error *error)
{
    static const struct {
        const char *object, *member;
    } places[] = {
        {"ak", "public"}, {NULL, "publicarea"}, {NULL, "certificate"}, {NULL, "publickey"}};
    struct buffer bytes = BUFFER_INIT;
    bool ok = true, found = false;
    for (size_t i = 0; ok && !found && i < sizeof places / sizeof places[0]; i++) {
        buffer_free(&bytes);
        ok = buffer_append(&bytes, data, length)
                 ? quote_json_take(&bytes, places[i].object, places[i].member, &found, error)
                 : error_memory(error);
    }
    if (ok && !found)
        ok = error_set(error, ERROR_DAMAGED,
                       "it is JSON without a key (\"AK\", \"public_area\", \"certificate\")");
    ok = ok && parse(key, (const uint8_t *)buffer_text(&bytes), bytes.length, error);
    buffer_free(&bytes);
    return ok;
}

bool quote_key_parse(struct quote_key *key, const char *name, const void *data, size_t length,
                     struct error *error)
{
    memset(key, 0, sizeof *key);
    /* tss2-mu tells on standard error what it does not like, which is ours to tell. */
    setenv("TSS2_LOG", "all+none", 0);
    bool ok = length <= QUOTE_FILE_MAX && tpm_text_is_json(data, length)
                  ? parse_json(key, data, length, error)
                  : parse(key, data, length, error);
    ERR_clear_error();
    if (!ok) {
        quote_key_free(key);
        error_in_file(error, name);
    }
    return ok;
}

bool quote_key_load(struct quote_key *key, const char *path, struct error *error)
{
    struct buffer bytes = BUFFER_INIT;
    memset(key, 0, sizeof *key);
    bool ok = file_read_all(path, QUOTE_FILE_MAX, &bytes, error) &&
              quote_key_parse(key, path, buffer_text(&bytes), bytes.length, error);
    buffer_free(&bytes);
    return ok;
}

bool quote_key_add_certificate(struct quote_key *key, const char *path, struct error *error)
{
    struct quote_key other;
    if (!quote_key_load(&other, path, error))
        return false;
    bool ok = true;
    if (other.certificate == NULL)
        ok = error_set(error, ERROR_DAMAGED, "it is no certificate");
    else if (EVP_PKEY_eq(key->key, other.key) != 1)
        ok = error_set(error, ERROR_DAMAGED, "this certificate is of another key");
    if (ok) {
        X509_free(key->certificate);
        key->certificate = other.certificate;
        other.certificate = NULL;
    }
    ERR_clear_error();
    quote_key_free(&other);
    return ok || error_in_file(error, path);
}

void quote_key_free(struct quote_key *key)
{
    EVP_PKEY_free(key->key);
    X509_free(key->certificate);
    memset(key, 0, sizeof *key);
}
