/* xts_openssl - see xts_openssl.h. */
#include "vmdk/xts/xts_openssl.h"

EVP_CIPHER_CTX *xts_openssl_new(const struct secret *key, bool encrypt, struct error *error)
{
    const EVP_CIPHER *cipher = key->length == 64 ? EVP_aes_256_xts() : EVP_aes_128_xts();
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    if (context == NULL ||
        EVP_CipherInit_ex(context, cipher, NULL, key->data, NULL, encrypt) != 1) {
        /* A FIPS provider refuses equal halves for decrypting too. */
        error_set(error, ERROR_FAILED, "OpenSSL does not offer AES-XTS, or not with this key");
        EVP_CIPHER_CTX_free(context);
        return NULL;
    }
    return context;
}

bool xts_openssl_unit(EVP_CIPHER_CTX *context, struct xts_number number, uint8_t *dst,
                      const uint8_t *src, size_t bytes, struct error *error)
{
    uint8_t tweak[XTS_BLOCK];
    for (size_t i = 0; i < 8; i++) {
        tweak[i] = (uint8_t)(number.low >> (8 * i));
        tweak[8 + i] = (uint8_t)(number.high >> (8 * i));
    }
    int done = 0;
    /* No key, so the round keys stay; -1 keeps the direction. */
    bool ok = EVP_CipherInit_ex(context, NULL, NULL, NULL, tweak, -1) == 1 &&
              EVP_CipherUpdate(context, dst, &done, src, (int)bytes) == 1 && (size_t)done == bytes;
    return ok || error_set(error, ERROR_FAILED, "OpenSSL failed at AES-XTS");
}

bool xts_openssl_run(const EVP_CIPHER_CTX *context, size_t unit_bytes, struct xts_number first,
                     uint8_t *dst, const uint8_t *src, size_t bytes, struct error *error)
{
    /* A copy costs a memcpy of the round keys. */
    EVP_CIPHER_CTX *own = EVP_CIPHER_CTX_new();
    bool ok = own != NULL && EVP_CIPHER_CTX_copy(own, context) == 1;
    if (!ok)
        error_memory(error);
    for (size_t at = 0; ok && at < bytes; at += unit_bytes) {
        ok = xts_openssl_unit(own, first, dst + at, src + at, unit_bytes, error);
        first.low++;
        first.high += first.low == 0;
    }
    EVP_CIPHER_CTX_free(own);
    return ok;
}
