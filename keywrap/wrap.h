/*
 * wrap - keys under keys as other systems do it: RFC 3394, RFC 5649, AES-GCM, RSA-OAEP and
 * RSA-AES key wrap (PKCS#11 CKM_RSA_AES_KEY_WRAP), all of them OpenSSL's.
 *
 * Layouts: RFC 3394 and 5649 as they stand; AES-GCM is IV (12) | ciphertext | tag (16) [source:
 * Cosmian KMS]; RSA-OAEP the modulus-sized block, no label; RSA-AES that block, holding an AES
 * key, and the RFC 5649 wrapping under it. The hash of MGF1 is that of OAEP but for
 * WRAP_RSA_OAEP_SHA256_MGF1, which is what Java makes of "OAEPWithSHA-256AndMGF1Padding".
 */
#ifndef VMCRYPT_KEYWRAP_WRAP_H
#define VMCRYPT_KEYWRAP_WRAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/secret.h"

enum wrap_method {
    WRAP_RFC3394,
    WRAP_RFC5649,
    WRAP_AES_GCM,
    WRAP_RSA_OAEP_SHA1,
    WRAP_RSA_OAEP_SHA256,
    WRAP_RSA_OAEP_SHA256_MGF1,
    WRAP_RSA_AES_SHA1,
    WRAP_RSA_AES_SHA256,
    WRAP_METHODS,
};

enum { WRAP_MAX = 64 << 10 }; /* bytes that are wrapped or unwrapped at most */

/* "rfc3394" …; false with ERROR_USAGE, naming all, for an unknown one. */
bool wrap_method_parse(const char *name, enum wrap_method *method, struct error *error);
const char *wrap_method_name(enum wrap_method method);

/* What wraps or unwraps: an AES key, or an RSA key in PEM; one of the two is set. */
struct wrap_key {
    struct secret *aes;
    struct evp_pkey_st *rsa;        /* an OpenSSL EVP_PKEY */
    const enum wrap_method *method; /* wrap_open_any tries this one only; NULL: all that fit */
};

/* Read an RSA key in PEM: PRIVATE_KEY, or else a public one (a private key or a certificate will
 * do for it). PASSPHRASE (or NULL) is for an encrypted one. ERROR_NO_KEY: it is missing or wrong.
 */
bool wrap_key_read_pem(const char *path, bool private_key, const struct secret *passphrase,
                       struct wrap_key *key, struct error *error);
void wrap_key_free(struct wrap_key *key);

/* Wrap LENGTH bytes and append the result to OUT. ERROR_USAGE: what METHOD cannot wrap. */
bool wrap_make(enum wrap_method method, const struct wrap_key *key, const void *plain,
               size_t length, struct buffer *out, struct error *error);

/* Unwrap; NULL with ERROR_NO_KEY when the key does not fit (an integrity check failed), with
 * ERROR_DAMAGED when the bytes can be no such wrapping, with ERROR_USAGE for the wrong kind of
 * key. */
struct secret *wrap_open(enum wrap_method method, const struct wrap_key *key, const void *wrapped,
                         size_t length, struct error *error);

/* Try each method that KEY and LENGTH allow; *METHOD is the one whose integrity check held. */
struct secret *wrap_open_any(const struct wrap_key *key, const void *wrapped, size_t length,
                             enum wrap_method *method, struct error *error);

#endif
