/*
 * bank - the hash algorithms that PCR banks use, by their TCG numbers.
 * [source: TCG Algorithm Registry; TCG PC Client Platform Firmware Profile]
 */
#ifndef VMCRYPT_TPM_BANK_H
#define VMCRYPT_TPM_BANK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    BANK_SHA1 = 0x0004,
    BANK_SHA256 = 0x000b,
    BANK_SHA384 = 0x000c,
    BANK_SHA512 = 0x000d,
    BANK_SM3_256 = 0x0012,
    BANK_SHA3_256 = 0x0027,
    BANK_SHA3_384 = 0x0028,
    BANK_SHA3_512 = 0x0029,
};

enum { BANK_DIGEST_MAX = 64 /* bytes */, BANK_MAX = 16 /* banks of one log */ };

struct bank_algorithm {
    uint16_t id;
    const char *name; /* as tpm2-tools spells it: "sha256", "sm3_256" */
    size_t size;      /* of a digest, bytes */
};

/* NULL for one that we do not know. */
const struct bank_algorithm *bank_by_id(uint16_t id);
/* Any case, with "-" or "_" or neither: "SHA-256", "SHA256", "SM3_256", "0xb". */
const struct bank_algorithm *bank_by_name(const char *name);
/* "sha256", or "0x1234" for an unknown one; TEXT has 16 bytes. */
const char *bank_name(uint16_t id, char text[16]);

/* What OpenSSL calls it, for EVP_MD_fetch; NULL for one that we do not know. */
const char *bank_openssl_name(uint16_t id);

/* OUT = H(A || B), BANK_DIGEST_MAX bytes at most; false for an algorithm that we do not know or
 * that OpenSSL lacks. OUT may be A. */
bool bank_hash(uint16_t id, const void *a, size_t a_length, const void *b, size_t b_length,
               uint8_t *out);

/* The same many times over in one algorithm, without looking it up each time. */
struct bank_hasher;

/* NULL for an algorithm that we do not know or that OpenSSL lacks, or when memory is short. */
struct bank_hasher *bank_hasher_open(uint16_t id);
void bank_hasher_close(struct bank_hasher *hasher);

/* VALUE = H(VALUE || DIGEST), both of the algorithm's size; what a TPM does to a PCR. */
bool bank_extend(struct bank_hasher *hasher, uint8_t *value, const uint8_t *digest);

#endif
