/*
 * xts_subjects_peers - other libraries, each as its documentation says it is fastest: keys
 * expanded once, a call with a new tweak for each unit. None takes a run of units.
 */
#include "tests/bench/xts_subjects.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#ifdef HAVE_LIBGCRYPT
#include <gcrypt.h>
#endif
#ifdef HAVE_NETTLE
#include <nettle/version.h>
#include <nettle/xts.h>
#endif
#ifdef HAVE_LIBISAL_CRYPTO
#include <isa-l_crypto/aes_keyexp.h>
#include <isa-l_crypto/aes_xts.h>
#endif

static void tweak_of(uint8_t tweak[16], uint64_t unit)
{
    memset(tweak, 0, 16);
    memcpy(tweak, &unit, sizeof unit);
}

static bool openssl_transform(void *state, bool encrypt, size_t unit_bytes, uint8_t *data,
                              size_t bytes)
{
    EVP_CIPHER_CTX *context = ((EVP_CIPHER_CTX **)state)[encrypt];
    uint8_t tweak[16];
    int done;
    for (size_t at = 0; at < bytes; at += unit_bytes) {
        tweak_of(tweak, at / unit_bytes);
        if (EVP_CipherInit_ex(context, NULL, NULL, NULL, tweak, -1) != 1 ||
            EVP_CipherUpdate(context, data + at, &done, data + at, (int)unit_bytes) != 1)
            return false;
    }
    return true;
}

static bool openssl_subject(struct subject *s, const uint8_t *key)
{
    EVP_CIPHER_CTX **contexts = calloc(2, sizeof *contexts);
    for (int encrypt = 0; encrypt < 2; encrypt++) {
        contexts[encrypt] = EVP_CIPHER_CTX_new();
        if (EVP_CipherInit_ex(contexts[encrypt], EVP_aes_256_xts(), NULL, key, NULL, encrypt) != 1)
            return false;
    }
    *s = (struct subject){.state = contexts, .transform = openssl_transform};
    snprintf(s->name, sizeof s->name, "OpenSSL %s", OpenSSL_version(OPENSSL_VERSION_STRING));
    return true;
}

#ifdef HAVE_LIBGCRYPT
static bool gcrypt_transform(void *state, bool encrypt, size_t unit_bytes, uint8_t *data,
                             size_t bytes)
{
    gcry_cipher_hd_t cipher = state;
    uint8_t tweak[16];
    for (size_t at = 0; at < bytes; at += unit_bytes) {
        tweak_of(tweak, at / unit_bytes);
        if (gcry_cipher_setiv(cipher, tweak, sizeof tweak) != 0 ||
            (encrypt ? gcry_cipher_encrypt : gcry_cipher_decrypt)(cipher, data + at, unit_bytes,
                                                                  NULL, 0) != 0)
            return false;
    }
    return true;
}

static bool gcrypt_subject(struct subject *s, const uint8_t *key)
{
    gcry_cipher_hd_t cipher;
    gcry_check_version(NULL);
    gcry_control(GCRYCTL_DISABLE_SECMEM, 0);
    gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
    if (gcry_cipher_open(&cipher, GCRY_CIPHER_AES256, GCRY_CIPHER_MODE_XTS, 0) != 0 ||
        gcry_cipher_setkey(cipher, key, KEY_BYTES) != 0)
        return false;
    *s = (struct subject){.state = cipher, .transform = gcrypt_transform};
    snprintf(s->name, sizeof s->name, "libgcrypt %s", gcry_check_version(NULL));
    return true;
}
#endif

#ifdef HAVE_NETTLE
struct nettle_state {
    struct xts_aes256_key encrypt, decrypt;
};

static bool nettle_transform(void *state, bool encrypt, size_t unit_bytes, uint8_t *data,
                             size_t bytes)
{
    struct nettle_state *n = state;
    uint8_t tweak[16];
    for (size_t at = 0; at < bytes; at += unit_bytes) {
        tweak_of(tweak, at / unit_bytes);
        if (encrypt)
            xts_aes256_encrypt_message(&n->encrypt, tweak, unit_bytes, data + at, data + at);
        else
            xts_aes256_decrypt_message(&n->decrypt, tweak, unit_bytes, data + at, data + at);
    }
    return true;
}

static bool nettle_subject(struct subject *s, const uint8_t *key)
{
    struct nettle_state *n = calloc(1, sizeof *n);
    xts_aes256_set_encrypt_key(&n->encrypt, key);
    xts_aes256_set_decrypt_key(&n->decrypt, key);
    *s = (struct subject){.state = n, .transform = nettle_transform};
    snprintf(s->name, sizeof s->name, "nettle %d.%d", NETTLE_VERSION_MAJOR, NETTLE_VERSION_MINOR);
    return true;
}
#endif

#ifdef HAVE_LIBISAL_CRYPTO
struct isal_state {
    uint8_t encrypt[15 * 16], decrypt[15 * 16], tweak[15 * 16], unused[15 * 16];
};

static bool isal_transform(void *state, bool encrypt, size_t unit_bytes, uint8_t *data,
                           size_t bytes)
{
    const struct isal_state *i = state;
    uint8_t tweak[16];
    for (size_t at = 0; at < bytes; at += unit_bytes) {
        tweak_of(tweak, at / unit_bytes);
        int failed = encrypt ? isal_aes_xts_enc_256_expanded_key(i->tweak, i->encrypt, tweak,
                                                                 unit_bytes, data + at, data + at)
                             : isal_aes_xts_dec_256_expanded_key(i->tweak, i->decrypt, tweak,
                                                                 unit_bytes, data + at, data + at);
        if (failed)
            return false;
    }
    return true;
}

static bool isal_subject(struct subject *s, const uint8_t *key)
{
    struct isal_state *i = aligned_alloc(64, (sizeof *i + 63) / 64 * 64);
    if (isal_aes_keyexp_256(key, i->encrypt, i->decrypt) != 0 ||
        isal_aes_keyexp_256(key + 32, i->tweak, i->unused) != 0) {
        free(i);
        return false;
    }
    *s = (struct subject){.state = i, .transform = isal_transform};
    snprintf(s->name, sizeof s->name, "ISA-L crypto");
    return true;
}
#endif

size_t subjects_peers(struct subject *out, const uint8_t *key)
{
    size_t count = 0;
    count += openssl_subject(&out[count], key);
#ifdef HAVE_LIBGCRYPT
    count += gcrypt_subject(&out[count], key);
#endif
#ifdef HAVE_NETTLE
    count += nettle_subject(&out[count], key);
#endif
#ifdef HAVE_LIBISAL_CRYPTO
    count += isal_subject(&out[count], key);
#endif
    return count;
}

const char *const *subjects_absent(void)
{
    static const char *const ABSENT[] = {
#ifndef HAVE_LIBGCRYPT
        "libgcrypt",
#endif
#ifndef HAVE_NETTLE
        "nettle",
#endif
#ifndef HAVE_LIBISAL_CRYPTO
        "ISA-L crypto",
#endif
        NULL};
    return ABSENT;
}
