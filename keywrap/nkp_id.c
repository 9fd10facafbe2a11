/* nkp_id - see nkp_id.h. */
#include "keywrap/nkp_id.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/encode.h"
#include "base/reader.h"

enum { RECORD_BYTES = 105, HEADER_BYTES = 33, UUID_BYTES = 16, LENGTHS = 5 };

void nkp_uuid_text(const uint8_t bytes[16], char out[37])
{
    char *at = out;
    for (int i = 0; i < UUID_BYTES; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *at++ = '-';
        at += sprintf(at, "%02x", bytes[i]);
    }
}

/* The layout of the one version seen:
 * u8 version, u16 header length, u8 kind, u16 1, UUID, u8, five u16 lengths, the five fields. */
bool nkp_id_decode(const char *id, struct nkp_id *out)
{
    uint8_t record[RECORD_BYTES + 3];
    size_t length = sizeof record;
    if (strlen(id) > 4 * sizeof record || !base64_decode(id, strlen(id), record, &length) ||
        length != RECORD_BYTES)
        return false;
    struct reader r = reader_over(record, length);
    memset(out, 0, sizeof *out);
    out->version = reader_u8(&r);
    uint16_t header = reader_u16(&r);
    out->kind = reader_u8(&r);
    uint16_t one = reader_u16(&r);
    memcpy(out->header, record, HEADER_BYTES);
    memcpy(out->uuid, reader_bytes(&r, UUID_BYTES), UUID_BYTES);
    nkp_uuid_text(out->uuid, out->kdk_uuid);
    reader_u8(&r);
    static const uint16_t expected[LENGTHS] = {8, sizeof out->nonce, sizeof out->salt,
                                               sizeof out->wrapped, sizeof out->rounds};
    bool same = out->version == 1 && header == HEADER_BYTES && one == 1;
    for (int i = 0; i < LENGTHS; i++)
        same &= reader_u16(&r) == expected[i];
    if (!same)
        return false;
    memcpy(out->cipher, reader_bytes(&r, expected[0]), expected[0]);
    memcpy(out->nonce, reader_bytes(&r, sizeof out->nonce), sizeof out->nonce);
    memcpy(out->salt, reader_bytes(&r, sizeof out->salt), sizeof out->salt);
    memcpy(out->wrapped, reader_bytes(&r, sizeof out->wrapped), sizeof out->wrapped);
    out->rounds = reader_u32(&r);
    return !r.failed;
}

bool nkp_is_uuid(const char *text)
{
    if (strlen(text) != 36)
        return false;
    for (int i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
            return false;
    }
    return true;
}

const char *provider_type_guess(const char *key_id)
{
    struct nkp_id nkp;
    if (nkp_id_decode(key_id, &nkp))
        return "native";
    if (nkp_is_uuid(key_id))
        return "standard (KMIP, UUID)";
    if (key_id[0] != '\0' && strspn(key_id, "0123456789") == strlen(key_id))
        return "standard (KMIP, integer)";
    if (key_id[0] == '\0' || strlen(key_id) > 64)
        return "trusted or wrapped (layout not published)";
    return "unknown";
}
