/*
 * wrap_private - what the parts of wrap share: wrap.c chooses, wrap_aes.c and wrap_rsa.c do.
 *
 * All of them open into a new secret, NULL with *error as in wrap.h, and make by appending to a
 * buffer. Lengths were checked against WRAP_MAX, keys for being of the right kind.
 */
#ifndef VMCRYPT_KEYWRAP_WRAP_PRIVATE_H
#define VMCRYPT_KEYWRAP_WRAP_PRIVATE_H

#include "keywrap/wrap.h"

struct wrap_bytes {
    const uint8_t *data;
    size_t length;
};

/* "the key does not fit" the same way everywhere, whatever the reason. */
bool wrap_no_fit(enum wrap_method method, struct error *error);

/* PADDED: RFC 5649, else RFC 3394. */
struct secret *wrap_kw_open(bool padded, const struct secret *key, struct wrap_bytes wrapped,
                            struct error *error);
bool wrap_kw_make(bool padded, const struct secret *key, struct wrap_bytes plain,
                  struct buffer *out, struct error *error);

struct secret *wrap_gcm_open(const struct secret *key, struct wrap_bytes wrapped,
                             struct error *error);
bool wrap_gcm_make(const struct secret *key, struct wrap_bytes plain, struct buffer *out,
                   struct error *error);

/* Hashes by OpenSSL's names: of OAEP and of its MGF1. */
struct wrap_oaep {
    const char *hash, *mgf1;
};

/* Bytes of an RSA key's blocks. */
size_t wrap_rsa_block(const struct wrap_key *key);

struct secret *wrap_oaep_open(enum wrap_method method, const struct wrap_oaep *oaep,
                              const struct wrap_key *key, struct wrap_bytes wrapped,
                              struct error *error);
bool wrap_oaep_make(const struct wrap_oaep *oaep, const struct wrap_key *key,
                    struct wrap_bytes plain, struct buffer *out, struct error *error);

#endif
