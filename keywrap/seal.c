/* seal - see seal.h. */
#include "keywrap/seal.h"

#include <limits.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

enum { BLOCK = 16, MAC_MAX = 32 };

static const struct {
    const char *name;
    size_t bytes;
    const EVP_MD *(*digest)(void);
} macs[] = {
    [SEAL_HMAC_SHA1] = {"HMAC-SHA-1", 20, EVP_sha1},
    [SEAL_HMAC_SHA1_128] = {"HMAC-SHA-1-128", 16, EVP_sha1},
    [SEAL_HMAC_SHA256] = {"HMAC-SHA-256", 32, EVP_sha256},
};

bool seal_mac_parse(const char *name, enum seal_mac *mac, struct error *error)
{
    for (size_t i = 0; i < sizeof macs / sizeof macs[0]; i++) {
        if (strcmp(name, macs[i].name) == 0) {
            *mac = (enum seal_mac)i;
            return true;
        }
    }
    return error_set(error, ERROR_DAMAGED,
                     "MAC '%.40s' is none of HMAC-SHA-1, HMAC-SHA-1-128, "
                     "HMAC-SHA-256",
                     name);
}

const char *seal_mac_name(enum seal_mac mac)
{
    return macs[mac].name;
}

size_t seal_mac_bytes(enum seal_mac mac)
{
    return macs[mac].bytes;
}

/* "XTS-AES-256" is a label here, too: the cipher is CBC with the first 32 bytes. */
static const EVP_CIPHER *cbc_for(const struct secret *key)
{
    if (key->length == 16)
        return EVP_aes_128_cbc();
    if (key->length == 24)
        return EVP_aes_192_cbc();
    return key->length == 32 || key->length == 64 ? EVP_aes_256_cbc() : NULL;
}

bool seal_hmac(const struct secret *key, enum seal_mac mac, const void *data, size_t length,
               uint8_t out[32], struct error *error)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    bool ok =
        HMAC(macs[mac].digest(), key->data, (int)key->length, data, length, digest, NULL) != NULL;
    if (ok)
        memcpy(out, digest, macs[mac].bytes);
    secret_wipe(digest, sizeof digest);
    return ok || error_set(error, ERROR_FAILED, "HMAC failed");
}

/* No padding here: that is ours to check, without telling anybody how it went. */
bool seal_cbc(bool encrypt, const struct secret *key, const uint8_t iv[16], const uint8_t *in,
              size_t length, uint8_t *out, struct error *error)
{
    const EVP_CIPHER *cipher = cbc_for(key);
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    int written = 0;
    bool ok = cipher != NULL && context != NULL && length <= INT_MAX &&
              EVP_CipherInit_ex(context, cipher, NULL, key->data, iv, encrypt) == 1 &&
              EVP_CIPHER_CTX_set_padding(context, 0) == 1 &&
              EVP_CipherUpdate(context, out, &written, in, (int)length) == 1 &&
              (size_t)written == length;
    EVP_CIPHER_CTX_free(context);
    if (cipher == NULL)
        return error_set(error, ERROR_NO_KEY, "a key of %zu bytes fits no AES", key->length);
    return ok || error_set(error, ERROR_FAILED, "AES-CBC failed");
}

/* Length without PKCS#7 padding, from the last block only and without a branch on its bytes.
 * *valid is 1 or 0; for bad padding the length is that of no padding at all. */
static size_t unpadded_length(const uint8_t *plain, size_t length, unsigned *valid)
{
    unsigned pad = plain[length - 1];
    unsigned ok = (unsigned)((pad - 1U) < BLOCK);
    for (unsigned i = 1; i <= BLOCK; i++) {
        unsigned inside = (unsigned)(i <= pad);
        unsigned same = (unsigned)(plain[length - i] == pad);
        ok &= same | (inside ^ 1U);
    }
    *valid = ok;
    return length - (size_t)(pad * ok);
}

bool seal_open(const struct secret *key, enum seal_mac mac, const uint8_t *sealed, size_t length,
               struct buffer *out, struct error *error)
{
    size_t mac_bytes = macs[mac].bytes;
    if (length < BLOCK + BLOCK + mac_bytes || (length - mac_bytes) % BLOCK != 0)
        return error_set(error, ERROR_DAMAGED,
                         "%zu sealed bytes are not an IV, whole AES blocks and %s", length,
                         macs[mac].name);
    size_t body = length - BLOCK - mac_bytes;
    struct secret *plain = secret_new(body, error);
    if (plain == NULL)
        return false;
    bool ok = seal_cbc(false, key, sealed, sealed + BLOCK, body, plain->data, error);
    if (ok) {
        unsigned valid;
        uint8_t expected[MAC_MAX] = {0};
        size_t size = unpadded_length(plain->data, body, &valid);
        unsigned held = seal_hmac(key, mac, plain->data, size, expected, error) ? 1 : 0;
        held &= CRYPTO_memcmp(expected, sealed + BLOCK + body, mac_bytes) == 0 ? 1 : 0;
        secret_wipe(expected, sizeof expected);
        if ((held & valid) == 0)
            ok = error_set(error, ERROR_NO_KEY, "the key does not fit (%s does not hold)",
                           macs[mac].name);
        else if (!buffer_append(out, plain->data, size))
            ok = error_memory(error);
    }
    secret_free(plain);
    return ok;
}

bool seal_make(const struct secret *key, enum seal_mac mac, const void *plain, size_t length,
               struct buffer *out, struct error *error)
{
    size_t pad = BLOCK - length % BLOCK;
    size_t mac_bytes = macs[mac].bytes;
    uint8_t tag[MAC_MAX];
    struct secret *padded = secret_new(length + pad, error);
    if (padded == NULL)
        return false;
    if (length > 0)
        memcpy(padded->data, plain, length);
    memset(padded->data + length, (int)pad, pad);
    size_t total = BLOCK + length + pad + mac_bytes;
    uint8_t *sealed = (uint8_t *)buffer_reserve(out, total);
    bool ok = sealed != NULL || error_memory(error);
    if (ok && RAND_bytes(sealed, BLOCK) != 1)
        ok = error_set(error, ERROR_FAILED, "the random number generator failed");
    if (ok && seal_hmac(key, mac, plain, length, tag, error) &&
        seal_cbc(true, key, sealed, padded->data, length + pad, sealed + BLOCK, error)) {
        memcpy(sealed + total - mac_bytes, tag, mac_bytes);
        out->length += total;
        out->data[out->length] = '\0';
    } else {
        ok = false;
    }
    secret_free(padded);
    return ok;
}
