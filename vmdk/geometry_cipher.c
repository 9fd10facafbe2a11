/* geometry_cipher - see geometry.h: decrypting as a geometry says. */
#include "vmdk/geometry.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "vmdk/xts/xts.h"

enum { CBC_KEY = 32, BLOCK = 16 };

struct geometry_cipher {
    struct disk_geometry geometry;
    size_t unit;
    struct xts *xts;      /* of XTS */
    EVP_CIPHER_CTX *cbc;  /* of all the others */
    EVP_CIPHER_CTX *salt; /* of ESSIV: makes vectors of numbers */
};

/* The halves of KEY the other way round, or as they are. */
static struct secret *order_halves(const struct secret *key, bool swapped, struct error *error)
{
    struct secret *copy = secret_copy(key->data, key->length, error);
    size_t half = key->length / 2;
    if (copy != NULL && swapped) {
        memcpy(copy->data, key->data + half, half);
        memcpy(copy->data + half, key->data, half);
    }
    return copy;
}

static EVP_CIPHER_CTX *context(const EVP_CIPHER *cipher, const uint8_t *key, bool encrypt)
{
    EVP_CIPHER_CTX *made = EVP_CIPHER_CTX_new();
    if (made == NULL || EVP_CipherInit_ex(made, cipher, NULL, key, NULL, encrypt) != 1 ||
        EVP_CIPHER_CTX_set_padding(made, 0) != 1) {
        EVP_CIPHER_CTX_free(made);
        return NULL;
    }
    return made;
}

static bool open_cbc(struct geometry_cipher *c, const uint8_t *key, struct error *error)
{
    uint8_t hash[32];
    bool ok = true;
    c->cbc = context(EVP_aes_256_cbc(), key, false);
    if (c->geometry.cipher == GEOMETRY_CBC_ESSIV) {
        ok = EVP_Digest(key, CBC_KEY, hash, NULL, EVP_sha256(), NULL) == 1;
        c->salt = ok ? context(EVP_aes_256_ecb(), hash, true) : NULL;
        ok = c->salt != NULL;
        secret_wipe(hash, sizeof hash);
    }
    return (ok && c->cbc != NULL) ||
           error_set(error, ERROR_FAILED, "OpenSSL does not offer AES-256-CBC");
}

struct geometry_cipher *geometry_cipher_new(const struct disk_geometry *g, const struct secret *key,
                                            struct error *error)
{
    if (key->length != 32 && key->length != 64) {
        error_set(error, ERROR_FAILED, "a disk key has 32 or 64 bytes, not %zu", key->length);
        return NULL;
    }
    struct geometry_cipher *c = calloc(1, sizeof *c);
    if (c == NULL) {
        error_memory(error);
        return NULL;
    }
    c->geometry = *g;
    c->unit = geometry_unit(g);
    bool xts = g->cipher == GEOMETRY_XTS;
    /* CBC takes 32 bytes, which are all that a key of 32 has. */
    struct secret *ordered = order_halves(key, g->swapped && (xts || key->length == 64), error);
    bool ok = ordered != NULL;
    if (ok && xts) {
        c->xts = xts_new(ordered, c->unit, error);
        ok = c->xts != NULL;
    } else if (ok) {
        ok = open_cbc(c, ordered->data, error);
    }
    secret_free(ordered);
    if (!ok) {
        geometry_cipher_free(c);
        c = NULL;
    }
    return c;
}

void geometry_cipher_free(struct geometry_cipher *c)
{
    if (c == NULL)
        return;
    xts_free(c->xts);
    EVP_CIPHER_CTX_free(c->cbc);
    EVP_CIPHER_CTX_free(c->salt);
    free(c);
}

const struct disk_geometry *geometry_cipher_of(const struct geometry_cipher *c)
{
    return &c->geometry;
}

static bool decrypt_xts(const struct geometry_cipher *c, uint64_t position, uint8_t *data,
                        size_t length, struct error *error)
{
    const struct disk_geometry *g = &c->geometry;
    uint8_t number[GEOMETRY_NUMBER_BYTES];
    bool run = g->tweak == GEOMETRY_UNITS && g->order == GEOMETRY_LITTLE && g->start >= 0;
    if (run)
        return xts_decrypt(c->xts, (position + (uint64_t)g->start) / c->unit, data, data, length,
                           error);
    for (size_t at = 0; at < length; at += c->unit) {
        if (geometry_number(g, position + at, number) &&
            !xts_decrypt_tweak(c->xts, number, data + at, data + at, error))
            return false;
    }
    return true;
}

static bool decrypt_cbc_unit(const struct geometry_cipher *c, EVP_CIPHER_CTX *cbc,
                             EVP_CIPHER_CTX *salt, uint8_t number[BLOCK], uint8_t *data)
{
    int done = 0;
    if (salt != NULL && EVP_CipherUpdate(salt, number, &done, number, BLOCK) != 1)
        return false;
    return EVP_CipherInit_ex(cbc, NULL, NULL, NULL, number, -1) == 1 &&
           EVP_CipherUpdate(cbc, data, &done, data, (int)c->unit) == 1 && (size_t)done == c->unit;
}

static bool decrypt_cbc(const struct geometry_cipher *c, uint64_t position, uint8_t *data,
                        size_t length, struct error *error)
{
    uint8_t number[BLOCK];
    /* Copies, since a context holds the vector. */
    EVP_CIPHER_CTX *cbc = EVP_CIPHER_CTX_new(),
                   *salt = c->salt == NULL ? NULL : EVP_CIPHER_CTX_new();
    bool ok = cbc != NULL && EVP_CIPHER_CTX_copy(cbc, c->cbc) == 1 &&
              (c->salt == NULL || (salt != NULL && EVP_CIPHER_CTX_copy(salt, c->salt) == 1));
    for (size_t at = 0; ok && at < length; at += c->unit) {
        if (geometry_number(&c->geometry, position + at, number))
            ok = decrypt_cbc_unit(c, cbc, salt, number, data + at);
    }
    EVP_CIPHER_CTX_free(cbc);
    EVP_CIPHER_CTX_free(salt);
    return ok || error_set(error, ERROR_FAILED, "OpenSSL failed at AES-CBC");
}

bool geometry_decrypt(const struct geometry_cipher *c, uint64_t position, uint8_t *data,
                      size_t length, struct error *error)
{
    if (length % c->unit != 0)
        return error_set(error, ERROR_FAILED, "%zu bytes are no whole data units of %zu", length,
                         c->unit);
    return c->xts != NULL ? decrypt_xts(c, position, data, length, error)
                          : decrypt_cbc(c, position, data, length, error);
}
