/* attestation - see attestation.h. */
#include "tpm/attestation.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/encode.h"
#include "base/file.h"

enum { SIGNATURE_MAX = 256, CLOCK_SKEW = 300 /* seconds */, KEY_BYTES_MAX = 1 << 16 };

struct algorithm {
    const char *name;   /* "alg" */
    const char *group;  /* of the curve; NULL for Ed25519 */
    const char *digest; /* NULL: the scheme has its own */
    int half;           /* bytes of r and of s */
};

static const struct algorithm ALGORITHMS[] = {
    {"ES256", "prime256v1", "SHA256", 32},
    {"ES384", "secp384r1", "SHA384", 48},
    {"EdDSA", NULL, NULL, 32},
};

/* The one algorithm that goes with KEY: a document does not get to choose. */
static const struct algorithm *algorithm_of(EVP_PKEY *key, struct error *error)
{
    char group[40] = "";
    if (EVP_PKEY_is_a(key, "ED25519"))
        return &ALGORITHMS[2];
    if (EVP_PKEY_is_a(key, "EC") &&
        EVP_PKEY_get_utf8_string_param(key, "group", group, sizeof group, NULL) == 1)
        for (size_t i = 0; i < 2; i++)
            if (strcmp(group, ALGORITHMS[i].group) == 0)
                return &ALGORITHMS[i];
    error_set(error, ERROR_FAILED,
              "a document is signed with a P-256, P-384 or Ed25519 key; this is another");
    return NULL;
}

/* Base64 in the alphabet for URLs, without padding. */
static bool append_url(struct buffer *out, const void *data, size_t length)
{
    size_t start = out->length;
    if (!base64_encode(data, length, out))
        return false;
    for (size_t i = start; i < out->length; i++)
        out->data[i] = out->data[i] == '+' ? '-' : out->data[i] == '/' ? '_' : out->data[i];
    while (out->length > start && out->data[out->length - 1] == '=')
        out->data[--out->length] = '\0';
    return true;
}

static bool append_json(struct buffer *out, const json_t *value, struct error *error)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS);
    bool ok = text != NULL && append_url(out, text, strlen(text));
    free(text);
    return ok || error_memory(error);
}

/* DER to r || s, both of HALF bytes. */
static bool to_raw(const uint8_t *der, size_t length, int half, uint8_t *raw)
{
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &der, (long)length);
    bool ok = signature != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(signature), raw, half) == half &&
              BN_bn2binpad(ECDSA_SIG_get0_s(signature), raw + half, half) == half;
    ECDSA_SIG_free(signature);
    return ok;
}

static bool to_der(const uint8_t *raw, int half, uint8_t **der, size_t *length)
{
    ECDSA_SIG *signature = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw, half, NULL), *s = BN_bin2bn(raw + half, half, NULL);
    bool ok = signature != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(signature, r, s) == 1;
    if (!ok) {
        BN_free(r);
        BN_free(s);
    }
    int bytes = ok ? i2d_ECDSA_SIG(signature, der) : 0;
    *length = bytes > 0 ? (size_t)bytes : 0;
    ECDSA_SIG_free(signature);
    return bytes > 0;
}

static bool sign(EVP_PKEY *key, const struct algorithm *a, const void *data, size_t length,
                 uint8_t raw[SIGNATURE_MAX], struct error *error)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    uint8_t made[SIGNATURE_MAX];
    size_t made_length = sizeof made;
    bool ok = context != NULL &&
              EVP_DigestSignInit_ex(context, NULL, a->digest, NULL, NULL, key, NULL) == 1 &&
              EVP_DigestSign(context, made, &made_length, data, length) == 1;
    if (ok && a->digest != NULL)
        ok = to_raw(made, made_length, a->half, raw);
    else if (ok)
        memcpy(raw, made, 64);
    EVP_MD_CTX_free(context);
    return ok || error_set(error, ERROR_FAILED, "signing failed: is it a private key?");
}

bool attestation_sign(const json_t *claims, EVP_PKEY *key, struct buffer *out, struct error *error)
{
    const struct algorithm *a = algorithm_of(key, error);
    uint8_t raw[SIGNATURE_MAX];
    if (a == NULL)
        return false;
    json_t *header = json_pack("{s:s, s:s}", "alg", a->name, "typ", "JWT");
    bool ok = header != NULL || error_memory(error);
    size_t start = out->length;
    ok = ok && append_json(out, header, error);
    ok = ok && (buffer_append_byte(out, '.') || error_memory(error));
    ok = ok && append_json(out, claims, error);
    ok = ok && sign(key, a, out->data + start, out->length - start, raw, error);
    ok = ok && ((buffer_append_byte(out, '.') && append_url(out, raw, (size_t)a->half * 2)) ||
                error_memory(error));
    json_decref(header);
    return ok;
}

/* One part of a document; false for anything but the alphabet for URLs without padding. */
static bool decode_url(const char *text, size_t length, struct buffer *out)
{
    struct buffer plain = BUFFER_INIT;
    bool ok = length > 0 && memchr(text, '+', length) == NULL &&
              memchr(text, '/', length) == NULL && memchr(text, '=', length) == NULL;
    for (size_t i = 0; ok && i < length; i++)
        ok = buffer_append_byte(&plain, text[i] == '-' ? '+' : text[i] == '_' ? '/' : text[i]);
    char *room = ok ? buffer_reserve(out, base64_decoded_bound(length)) : NULL;
    size_t written = base64_decoded_bound(length);
    ok = room != NULL && base64_decode(plain.data, length, (uint8_t *)room, &written);
    if (ok) {
        out->length += written;
        out->data[out->length] = '\0';
    }
    buffer_free(&plain);
    return ok;
}

static json_t *decode_json(const char *text, size_t length)
{
    struct buffer bytes = BUFFER_INIT;
    json_t *value = NULL;
    if (decode_url(text, length, &bytes))
        value = json_loadb(bytes.data, bytes.length, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(value)) {
        json_decref(value);
        value = NULL;
    }
    buffer_free(&bytes);
    return value;
}

static bool signature_holds(EVP_PKEY *key, const struct algorithm *a, const char *text,
                            size_t signed_length, const struct buffer *raw)
{
    uint8_t *der = NULL;
    size_t length = raw->length;
    const uint8_t *signature = (const uint8_t *)raw->data;
    if (raw->length != (size_t)a->half * 2)
        return false;
    if (a->digest != NULL && !to_der(signature, a->half, &der, &length))
        return false;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = context != NULL &&
              EVP_DigestVerifyInit_ex(context, NULL, a->digest, NULL, NULL, key, NULL) == 1 &&
              EVP_DigestVerify(context, der != NULL ? der : signature, length,
                               (const uint8_t *)text, signed_length) == 1;
    EVP_MD_CTX_free(context);
    OPENSSL_free(der);
    return ok;
}

static bool refuse(struct error *error, const char *what)
{
    return error_set(error, ERROR_DAMAGED, "the attestation document %s", what);
}

static bool time_is_right(const json_t *claims, const struct attestation_need *need,
                          struct error *error)
{
    const json_t *issued = json_object_get(claims, "iat"), *ends = json_object_get(claims, "exp"),
                 *begins = json_object_get(claims, "nbf");
    if (!json_is_integer(issued) || !json_is_integer(ends) ||
        (begins != NULL && !json_is_integer(begins)))
        return refuse(error, "does not say when it was made and until when it is good");
    int64_t iat = json_integer_value(issued), exp = json_integer_value(ends);
    int64_t nbf = begins != NULL ? json_integer_value(begins) : iat;
    /* Compared without sums of what the document says, which could overflow. */
    if (exp <= need->now)
        return error_set(error, ERROR_DAMAGED,
                         "the attestation document has expired (exp %" PRId64 ", now %" PRId64 ")",
                         exp, need->now);
    if (iat > need->now + CLOCK_SKEW || nbf > need->now + CLOCK_SKEW)
        return refuse(error, "is from the future");
    if (need->max_age > 0 && iat < need->now - need->max_age)
        return error_set(error, ERROR_DAMAGED, "the attestation document is older than %ld seconds",
                         need->max_age);
    return true;
}

static bool claim_is(const json_t *object, const char *name, const char *wanted, const char *what,
                     struct error *error)
{
    const char *found = json_string_value(json_object_get(object, name));
    return wanted == NULL || (found != NULL && strcmp(found, wanted) == 0) || refuse(error, what);
}

static bool claims_hold(const json_t *claims, const struct attestation_need *need,
                        struct error *error)
{
    const json_t *ours = json_object_get(claims, "vmcrypt");
    if (!time_is_right(claims, need, error))
        return false;
    if (!json_is_true(json_object_get(ours, "trusted")))
        return refuse(error, "does not say that the host is trusted");
    return claim_is(claims, "sub", need->host, "is for another host", error) &&
           claim_is(ours, "nonce", need->nonce, "is for another nonce", error) &&
           claim_is(json_object_get(ours, "policy"), "sha256", need->policy,
                    "was made by another policy", error);
}

static bool header_fits(const json_t *header, const struct algorithm *a, struct error *error)
{
    const char *alg = json_string_value(json_object_get(header, "alg"));
    if (alg == NULL || strcmp(alg, a->name) != 0)
        return error_set(error, ERROR_DAMAGED,
                         "the attestation document is not signed with %s, which the trusted key is "
                         "for",
                         a->name);
    return json_object_get(header, "crit") == NULL ||
           refuse(error, "has critical parts that this version does not know");
}

json_t *attestation_verify(const char *text, size_t length, EVP_PKEY *key,
                           const struct attestation_need *need, struct error *error)
{
    const struct algorithm *a = algorithm_of(key, error);
    struct buffer raw = BUFFER_INIT;
    while (length > 0 && strchr(" \t\r\n", text[length - 1]) != NULL)
        length--;
    const char *first = memchr(text, '.', length);
    const char *second =
        first == NULL ? NULL : memchr(first + 1, '.', length - (size_t)(first + 1 - text));
    if (a == NULL)
        return NULL;
    if (second == NULL || memchr(second + 1, '.', length - (size_t)(second + 1 - text)) != NULL) {
        refuse(error, "is no JWS in compact form");
        return NULL;
    }
    json_t *header = decode_json(text, (size_t)(first - text));
    json_t *claims = decode_json(first + 1, (size_t)(second - first - 1));
    bool ok = (header != NULL && claims != NULL &&
               decode_url(second + 1, length - (size_t)(second + 1 - text), &raw)) ||
              refuse(error, "is malformed");
    ok = ok && header_fits(header, a, error);
    ok = ok && (signature_holds(key, a, text, (size_t)(second - text), &raw) ||
                refuse(error, "is not signed by the trusted key, or was changed"));
    ok = ok && claims_hold(claims, need, error);
    json_decref(header);
    buffer_free(&raw);
    if (ok)
        return claims;
    json_decref(claims);
    return NULL;
}

static int no_passphrase(char *buffer, int size, int writing, void *user)
{
    (void)buffer;
    (void)size;
    (void)writing;
    (void)user;
    return -1;
}

EVP_PKEY *attestation_key_load(const char *path, bool private_key, struct error *error)
{
    struct buffer text = BUFFER_INIT;
    EVP_PKEY *key = NULL;
    if (!file_read_all(path, KEY_BYTES_MAX, &text, error)) {
        buffer_free(&text);
        return NULL;
    }
    BIO *bio = BIO_new_mem_buf(buffer_text(&text), (int)text.length);
    if (bio != NULL && private_key)
        key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    else if (bio != NULL)
        key = PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL);
    if (key == NULL && !private_key && bio != NULL && BIO_reset(bio) == 1) {
        X509 *certificate = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);
        key = certificate == NULL ? NULL : X509_get_pubkey(certificate);
        X509_free(certificate);
    }
    BIO_free(bio);
    buffer_free(&text);
    if (key == NULL) {
        error_set(error, ERROR_DAMAGED, "holds no %s key in PEM%s",
                  private_key ? "private" : "public",
                  private_key ? " that needs no passphrase" : " and no certificate");
        error_in_file(error, path);
    }
    return key;
}
