/*
 * xts_openssl - AES-XTS of single data units through OpenSSL's EVP: the portable path, and units
 * of any length (with ciphertext stealing).
 */
#ifndef VMCRYPT_VMDK_XTS_OPENSSL_H
#define VMCRYPT_VMDK_XTS_OPENSSL_H

#include <openssl/evp.h>

#include "base/secret.h"
#include "vmdk/xts/xts_kernel.h"

/* A context that holds the expanded KEY (32 or 64 bytes); NULL with *error set when OpenSSL
 * refuses. */
EVP_CIPHER_CTX *xts_openssl_new(const struct secret *key, bool encrypt, struct error *error);

/* Transform one unit of BYTES. CONTEXT keeps its keys. */
bool xts_openssl_unit(EVP_CIPHER_CTX *context, struct xts_number number, uint8_t *dst,
                      const uint8_t *src, size_t bytes, struct error *error);

/* As xts_run. CONTEXT is not changed, so that threads can share it. */
bool xts_openssl_run(const EVP_CIPHER_CTX *context, size_t unit_bytes, struct xts_number first,
                     uint8_t *dst, const uint8_t *src, size_t bytes, struct error *error);

#endif
