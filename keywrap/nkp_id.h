/*
 * nkp_id - what the key id of a Native Key Provider tells.
 *
 * The id is base64 of a small binary record that names the key derivation key (KDK) by UUID
 * [decoded from one real sample; the lengths add up exactly; field meanings beyond the UUID and
 * the cipher name are inferred].
 */
#ifndef VMCRYPT_KEYWRAP_NKP_ID_H
#define VMCRYPT_KEYWRAP_NKP_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nkp_id {
    char kdk_uuid[37]; /* 8-4-4-4-12, lower case */
    uint8_t uuid[16];  /* the same, as it stands */
    uint8_t header[33];
    uint8_t version;
    uint8_t kind;
    char cipher[32];     /* "AES-256" */
    uint8_t nonce[12];   /* inferred: nonce or context */
    uint8_t salt[16];    /* inferred: GCM tag or salt */
    uint8_t wrapped[32]; /* inferred: wrapped key or check value */
    uint32_t rounds;     /* inferred: PBKDF2 rounds */
};

/* True when ID (text, as in an fqid) is such a record, with *out filled. */
bool nkp_id_decode(const char *id, struct nkp_id *out);

/* 16 bytes as 8-4-4-4-12 in lower case. */
void nkp_uuid_text(const uint8_t bytes[16], char out[37]);
/* True when TEXT is a UUID, in either case of hex. */
bool nkp_is_uuid(const char *text);

/* Which kind of provider issued KEY_ID, as far as its shape tells: "native", "standard (KMIP,
 * UUID)", "standard (KMIP, integer)", "trusted or wrapped (layout not published)", "unknown". */
const char *provider_type_guess(const char *key_id);

#endif
