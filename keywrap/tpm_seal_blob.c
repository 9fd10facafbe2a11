/* tpm_seal_blob - texts and blobs of sealed objects; see tpm_seal_private.h. */
#include "keywrap/tpm_seal_private.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <tss2/tss2_mu.h>

/* PCRs of a PC: 24, in 3 bytes of a bank's bitmap. */
enum { PCR_COUNT = 24, PCR_BYTES = 3 };

static const struct {
    const char *name;
    TPMI_ALG_HASH hash;
} banks[] = {
    {"sha1", TPM2_ALG_SHA1},         {"sha256", TPM2_ALG_SHA256},
    {"sha384", TPM2_ALG_SHA384},     {"sha512", TPM2_ALG_SHA512},
    {"sm3_256", TPM2_ALG_SM3_256},   {"sha3_256", TPM2_ALG_SHA3_256},
    {"sha3_384", TPM2_ALG_SHA3_384}, {"sha3_512", TPM2_ALG_SHA3_512},
};

static bool parse_bank(const char *name, size_t length, TPMI_ALG_HASH *hash)
{
    for (size_t i = 0; i < sizeof banks / sizeof banks[0]; i++)
        if (strlen(banks[i].name) == length && memcmp(banks[i].name, name, length) == 0) {
            *hash = banks[i].hash;
            return true;
        }
    return false;
}

/* "0,2,4,7" or "all", up to END. */
static bool parse_numbers(const char *at, const char *end, BYTE *bits)
{
    if (end - at == 3 && memcmp(at, "all", 3) == 0) {
        memset(bits, 0xff, PCR_BYTES);
        return true;
    }
    for (;; at++) {
        const char *first = at;
        unsigned number = 0;
        while (at < end && *at >= '0' && *at <= '9' && at - first < 2)
            number = number * 10 + (unsigned)(*at++ - '0');
        if (at == first || number >= PCR_COUNT)
            return false;
        bits[number / 8] |= (BYTE)(1u << number % 8);
        if (at == end)
            return true;
        if (*at != ',')
            return false;
    }
}

static bool add_bank(const char *at, const char *end, TPML_PCR_SELECTION *pcrs)
{
    const char *colon = memchr(at, ':', (size_t)(end - at));
    TPMI_ALG_HASH hash;
    if (colon == NULL || !parse_bank(at, (size_t)(colon - at), &hash))
        return false;
    /* A bank named twice would be two entries of the policy: nobody means that. Banks are also
     * fewer than entries, so there is room. */
    for (size_t i = 0; i < pcrs->count; i++)
        if (pcrs->pcrSelections[i].hash == hash)
            return false;
    TPMS_PCR_SELECTION *bank = &pcrs->pcrSelections[pcrs->count++];
    bank->hash = hash;
    bank->sizeofSelect = PCR_BYTES;
    return parse_numbers(colon + 1, end, bank->pcrSelect);
}

bool tpm_seal_pcrs_parse(const char *text, TPML_PCR_SELECTION *pcrs, struct error *error)
{
    *pcrs = (TPML_PCR_SELECTION){.count = 0};
    for (const char *at = text;; at++) {
        const char *end = at + strcspn(at, "+");
        if (!add_bank(at, end, pcrs))
            return error_set(error, ERROR_USAGE,
                             "PCRs are written as in sha256:0,2,4,7 or sha1:all+sha256:0 (banks "
                             "once, PCRs 0 to %d), not '%.200s'",
                             PCR_COUNT - 1, text);
        at = end;
        if (*at == '\0')
            return true;
    }
}

bool tpm_seal_parent_parse(const char *text, uint32_t *parent, struct error *error)
{
    unsigned long handle = 0;
    if (strncmp(text, "0x", 2) == 0 && strspn(text + 2, "0123456789abcdefABCDEF") == 8 &&
        text[2 + 8] == '\0')
        handle = strtoul(text, NULL, 16);
    if (handle >> 24 != TPM2_HT_PERSISTENT)
        return error_set(error, ERROR_USAGE,
                         "a parent key is a persistent handle of the TPM, 0x81000000 to "
                         "0x81ffffff, not '%.100s'",
                         text);
    *parent = (uint32_t)handle;
    return true;
}

bool tpm_seal_tcti_check(const char *tcti, struct error *error)
{
    static const char *const known[] = {"device", "swtpm", "mssim", "tabrmd"};
    size_t length = strcspn(tcti, ":");
    size_t i = 0;
    while (i < sizeof known / sizeof known[0] &&
           (strlen(known[i]) != length || memcmp(known[i], tcti, length) != 0))
        i++;
    if (i == sizeof known / sizeof known[0])
        return error_set(error, ERROR_USAGE,
                         "a TPM is reached through device:PATH, swtpm:…, mssim:… or tabrmd, not "
                         "'%.200s'",
                         tcti);
    struct stat st;
    if (i == 0 && tcti[length] == ':' && stat(tcti + length + 1, &st) == 0 && !S_ISCHR(st.st_mode))
        return error_set(error, ERROR_USAGE, "%.200s is no device of a TPM", tcti + length + 1);
    return true;
}

static bool is_sealed_object(const TPMT_PUBLIC *public)
{
    return public->type == TPM2_ALG_KEYEDHASH &&
           public->parameters.keyedHashDetail.scheme.scheme == TPM2_ALG_NULL &&
           (public->objectAttributes &
            (TPMA_OBJECT_SIGN_ENCRYPT | TPMA_OBJECT_DECRYPT | TPMA_OBJECT_RESTRICTED)) == 0;
}

/* A TPM2B begins with the size of the rest, big endian; tss2 itself lets wrong ones pass. */
static bool is_whole(const struct buffer *blob)
{
    const uint8_t *bytes = (const uint8_t *)buffer_text(blob);
    return blob->length > 2 && (size_t)(bytes[0] << 8 | bytes[1]) == blob->length - 2;
}

static bool parse_public(const struct buffer *blob, TPM2B_PUBLIC *public)
{
    size_t offset = 0;
    return is_whole(blob) &&
           Tss2_MU_TPM2B_PUBLIC_Unmarshal((const uint8_t *)blob->data, blob->length, &offset,
                                          public) == TSS2_RC_SUCCESS &&
           offset == blob->length;
}

static bool parse_private(const struct buffer *blob, TPM2B_PRIVATE *private)
{
    size_t offset = 0;
    return is_whole(blob) &&
           Tss2_MU_TPM2B_PRIVATE_Unmarshal((const uint8_t *)blob->data, blob->length, &offset,
                                           private) == TSS2_RC_SUCCESS;
}

bool tpm_seal_object_parse(const struct buffer *public_blob, const struct buffer *private_blob,
                           struct tpm_seal_object *object, struct error *error)
{
    *object = (struct tpm_seal_object){.public = {.size = 0}};
    if (!parse_public(public_blob, &object->public))
        return error_set(error, ERROR_DAMAGED,
                         "the public part is no TPM2B_PUBLIC as tpm2_create -u writes it");
    if (!is_sealed_object(&object->public.publicArea))
        return error_set(error, ERROR_DAMAGED,
                         "the public part is that of a key, not of sealed data");
    if (!parse_private(private_blob, &object->private))
        return error_set(error, ERROR_DAMAGED,
                         "the private part is no TPM2B_PRIVATE as tpm2_create -r writes it");
    return true;
}

bool tpm_seal_object_write(const struct tpm_seal_object *object, struct buffer *public_blob,
                           struct buffer *private_blob, struct error *error)
{
    uint8_t public[sizeof object->public], private[sizeof object->private];
    size_t public_length = 0, private_length = 0;
    if (Tss2_MU_TPM2B_PUBLIC_Marshal(&object->public, public, sizeof public, &public_length) !=
            TSS2_RC_SUCCESS ||
        Tss2_MU_TPM2B_PRIVATE_Marshal(&object->private, private, sizeof private, &private_length) !=
            TSS2_RC_SUCCESS)
        return error_set(error, ERROR_FAILED, "the TPM's sealed object cannot be written");
    return (buffer_append(public_blob, public, public_length) &&
            buffer_append(private_blob, private, private_length)) ||
           error_memory(error);
}
