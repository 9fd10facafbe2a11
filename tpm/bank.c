/*
 * bank - see bank.h.
 *
 * EVP allocates and wipes a state for each digest, which takes longer than to hash the two blocks
 * that extending a PCR takes. The old functions of OpenSSL do not; where they are, they are used
 * for SHA-1 and SHA-2. What is hashed is no secret.
 */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "tpm/bank.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/sha.h>

static const struct {
    struct bank_algorithm algorithm;
    const char *openssl;
} algorithms[] = {
    {{BANK_SHA1, "sha1", 20}, "SHA1"},
    {{BANK_SHA256, "sha256", 32}, "SHA2-256"},
    {{BANK_SHA384, "sha384", 48}, "SHA2-384"},
    {{BANK_SHA512, "sha512", 64}, "SHA2-512"},
    {{BANK_SM3_256, "sm3_256", 32}, "SM3"},
    {{BANK_SHA3_256, "sha3_256", 32}, "SHA3-256"},
    {{BANK_SHA3_384, "sha3_384", 48}, "SHA3-384"},
    {{BANK_SHA3_512, "sha3_512", 64}, "SHA3-512"},
};

enum { ALGORITHMS = sizeof algorithms / sizeof algorithms[0] };

static size_t index_of(uint16_t id)
{
    size_t i = 0;
    while (i < ALGORITHMS && algorithms[i].algorithm.id != id)
        i++;
    return i;
}

const struct bank_algorithm *bank_by_id(uint16_t id)
{
    size_t i = index_of(id);
    return i == ALGORITHMS ? NULL : &algorithms[i].algorithm;
}

const char *bank_openssl_name(uint16_t id)
{
    size_t i = index_of(id);
    return i == ALGORITHMS ? NULL : algorithms[i].openssl;
}

/* Letters and digits of both are the same, whatever the case. */
static bool same_name(const char *a, const char *b)
{
    for (;; a++, b++) {
        while (*a == '-' || *a == '_')
            a++;
        while (*b == '-' || *b == '_')
            b++;
        if (tolower((unsigned char)*a) != tolower((unsigned char)*b))
            return false;
        if (*a == '\0')
            return true;
    }
}

const struct bank_algorithm *bank_by_name(const char *name)
{
    for (size_t i = 0; i < ALGORITHMS; i++)
        if (same_name(name, algorithms[i].algorithm.name))
            return &algorithms[i].algorithm;
    if (same_name(name, "sm3"))
        return bank_by_id(BANK_SM3_256);
    if (name[0] == '0' && (name[1] == 'x' || name[1] == 'X') && isxdigit((unsigned char)name[2])) {
        char *end;
        unsigned long id = strtoul(name, &end, 16);
        if (*end == '\0' && id <= UINT16_MAX)
            return bank_by_id((uint16_t)id);
    }
    return NULL;
}

const char *bank_name(uint16_t id, char text[16])
{
    const struct bank_algorithm *algorithm = bank_by_id(id);
    if (algorithm != NULL)
        snprintf(text, 16, "%s", algorithm->name);
    else
        snprintf(text, 16, "0x%04x", id);
    return text;
}

#ifndef OPENSSL_NO_DEPRECATED_3_0
static void hash_sha1(const uint8_t *data, size_t length, uint8_t *out)
{
    SHA_CTX state;
    SHA1_Init(&state);
    SHA1_Update(&state, data, length);
    SHA1_Final(out, &state);
}

static void hash_sha256(const uint8_t *data, size_t length, uint8_t *out)
{
    SHA256_CTX state;
    SHA256_Init(&state);
    SHA256_Update(&state, data, length);
    SHA256_Final(out, &state);
}

static void hash_sha384(const uint8_t *data, size_t length, uint8_t *out)
{
    SHA512_CTX state;
    SHA384_Init(&state);
    SHA384_Update(&state, data, length);
    SHA384_Final(out, &state);
}

static void hash_sha512(const uint8_t *data, size_t length, uint8_t *out)
{
    SHA512_CTX state;
    SHA512_Init(&state);
    SHA512_Update(&state, data, length);
    SHA512_Final(out, &state);
}
#endif

/* NULL: by EVP only. */
static void (*direct_hash(uint16_t id))(const uint8_t *, size_t, uint8_t *)
{
#ifndef OPENSSL_NO_DEPRECATED_3_0
    switch (id) {
    case BANK_SHA1:
        return hash_sha1;
    case BANK_SHA256:
        return hash_sha256;
    case BANK_SHA384:
        return hash_sha384;
    case BANK_SHA512:
        return hash_sha512;
    default:
        break;
    }
#endif
    (void)id;
    return NULL;
}

struct bank_hasher {
    void (*direct)(const uint8_t *data, size_t length, uint8_t *out);
    EVP_MD *md; /* these two when DIRECT is NULL */
    EVP_MD_CTX *context;
    size_t size;
};

struct bank_hasher *bank_hasher_open(uint16_t id)
{
    size_t i = index_of(id);
    struct bank_hasher *hasher = i == ALGORITHMS ? NULL : calloc(1, sizeof *hasher);
    if (hasher == NULL)
        return NULL;
    hasher->size = algorithms[i].algorithm.size;
    hasher->direct = direct_hash(id);
    if (hasher->direct != NULL)
        return hasher;
    hasher->md = EVP_MD_fetch(NULL, algorithms[i].openssl, NULL);
    hasher->context = EVP_MD_CTX_new();
    if (hasher->md != NULL && hasher->context != NULL &&
        EVP_DigestInit_ex2(hasher->context, hasher->md, NULL) == 1)
        return hasher;
    bank_hasher_close(hasher);
    return NULL;
}

void bank_hasher_close(struct bank_hasher *hasher)
{
    if (hasher == NULL)
        return;
    EVP_MD_CTX_free(hasher->context);
    EVP_MD_free(hasher->md);
    free(hasher);
}

bool bank_extend(struct bank_hasher *hasher, uint8_t *value, const uint8_t *digest)
{
    uint8_t both[2 * BANK_DIGEST_MAX];
    memcpy(both, value, hasher->size);
    memcpy(both + hasher->size, digest, hasher->size);
    if (hasher->direct != NULL) {
        hasher->direct(both, 2 * hasher->size, value);
        return true;
    }
    /* Init without an algorithm starts the one of the context again. */
    return EVP_DigestInit_ex2(hasher->context, NULL, NULL) == 1 &&
           EVP_DigestUpdate(hasher->context, both, 2 * hasher->size) == 1 &&
           EVP_DigestFinal_ex(hasher->context, value, NULL) == 1;
}

bool bank_hash(uint16_t id, const void *a, size_t a_length, const void *b, size_t b_length,
               uint8_t *out)
{
    size_t i = index_of(id);
    EVP_MD *md = i == ALGORITHMS ? NULL : EVP_MD_fetch(NULL, algorithms[i].openssl, NULL);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = md != NULL && context != NULL && EVP_DigestInit_ex2(context, md, NULL) == 1 &&
              EVP_DigestUpdate(context, a, a_length) == 1 &&
              EVP_DigestUpdate(context, b, b_length) == 1 &&
              EVP_DigestFinal_ex(context, out, NULL) == 1;
    EVP_MD_CTX_free(context);
    EVP_MD_free(md);
    return ok;
}
