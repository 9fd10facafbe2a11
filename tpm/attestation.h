/*
 * attestation - a verdict as a signed document: a JWS in compact form, whose payload are the claims
 * of a JWT [source: RFC 7515, 7518, 7519, 8037], so that any JOSE library can check it.
 */
#ifndef VMCRYPT_TPM_ATTESTATION_H
#define VMCRYPT_TPM_ATTESTATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>
#include <openssl/evp.h>

#include "base/buffer.h"
#include "base/error.h"

enum { ATTESTATION_BYTES_MAX = 1 << 20 };

/* Sign CLAIMS with KEY: ES256 for P-256, ES384 for P-384, EdDSA for Ed25519; others are refused. */
bool attestation_sign(const json_t *claims, EVP_PKEY *key, struct buffer *out, struct error *error);

/* What a document must be besides genuine. */
struct attestation_need {
    int64_t now;        /* seconds since 1970 */
    long max_age;       /* seconds since "iat", 0: what the document says is enough */
    const char *nonce;  /* hex that must be its nonce; NULL: any */
    const char *policy; /* SHA-256 in hex of the policy it must be by; NULL: any */
    const char *host;   /* its "sub"; NULL: any */
};

/*
 * The claims of the document in LENGTH bytes at TEXT, when KEY signed it, with the algorithm that
 * belongs to that key, it is valid at NEED->now, its verdict is "trusted", and the rest of NEED
 * holds; else NULL with *error, ERROR_DAMAGED.
 */
json_t *attestation_verify(const char *text, size_t length, EVP_PKEY *key,
                           const struct attestation_need *need, struct error *error);

/* A public key (or that of a certificate), or with PRIVATE_KEY the private one, from PEM. An
 * encrypted one is refused. */
EVP_PKEY *attestation_key_load(const char *path, bool private_key, struct error *error);

#endif
