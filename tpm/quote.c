/* quote - the signed message and its signature; see quote.h. */
#include "tpm/quote_private.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <tss2/tss2_mu.h>

#include "base/file.h"
#include "tpm/text.h"

static bool whole_attest(const uint8_t *data, size_t length, TPMS_ATTEST *attest)
{
    size_t offset = 0;
    memset(attest, 0, sizeof *attest);
    return Tss2_MU_TPMS_ATTEST_Unmarshal(data, length, &offset, attest) == TSS2_RC_SUCCESS &&
           offset == length;
}

static bool take_message(struct quote *quote, const uint8_t *data, size_t length,
                         struct error *error)
{
    /* The magic number is no size of what follows it, so this is unambiguous. */
    if (length > 2 && ((size_t)data[0] << 8 | data[1]) == length - 2) {
        data += 2;
        length -= 2;
    }
    if (!whole_attest(data, length, &quote->attest))
        return error_set(error, ERROR_DAMAGED,
                         "it is no TPMS_ATTEST as tpm2_quote -m writes it, or bytes follow it");
    quote->attest_bytes = malloc(length);
    if (quote->attest_bytes == NULL)
        return error_memory(error);
    memcpy(quote->attest_bytes, data, length);
    quote->attest_length = length;
    return true;
}

static void take_selection(struct quote *quote)
{
    const TPML_PCR_SELECTION *list = &quote->attest.attested.quote.pcrSelect;
    if (quote->attest.type != TPM2_ST_ATTEST_QUOTE)
        return;
    for (size_t i = 0; i < list->count && i < BANK_MAX; i++) {
        const TPMS_PCR_SELECTION *bank = &list->pcrSelections[i];
        quote->selection.banks[i].algorithm = bank->hash;
        for (size_t b = 0; b < bank->sizeofSelect && b < sizeof bank->pcrSelect; b++)
            quote->selection.banks[i].pcrs |= (uint32_t)bank->pcrSelect[b] << (8 * b);
        quote->selection.count++;
    }
}

/* What the key says, or what is usual. */
static void assume_scheme(struct quote *quote, const struct quote_key *key, bool is_rsa)
{
    TPMT_SIGNATURE *signature = &quote->signature;
    signature->sigAlg = is_rsa ? TPM2_ALG_RSASSA : TPM2_ALG_ECDSA;
    TPMI_ALG_HASH hash = TPM2_ALG_NULL;
    bool is_quote = quote->attest.type == TPM2_ST_ATTEST_QUOTE;
    switch (is_quote ? quote->attest.attested.quote.pcrDigest.size : 0) {
    case 20:
        hash = TPM2_ALG_SHA1;
        break;
    case 32:
        hash = TPM2_ALG_SHA256;
        break;
    case 48:
        hash = TPM2_ALG_SHA384;
        break;
    case 64:
        hash = TPM2_ALG_SHA512;
        break;
    default:
        break;
    }
    if (key->has_public && is_rsa &&
        key->public.parameters.rsaDetail.scheme.scheme != TPM2_ALG_NULL) {
        signature->sigAlg = key->public.parameters.rsaDetail.scheme.scheme;
        hash = key->public.parameters.rsaDetail.scheme.details.anySig.hashAlg;
    } else if (key->has_public && !is_rsa &&
               key->public.parameters.eccDetail.scheme.scheme != TPM2_ALG_NULL) {
        signature->sigAlg = key->public.parameters.eccDetail.scheme.scheme;
        hash = key->public.parameters.eccDetail.scheme.details.anySig.hashAlg;
    }
    signature->signature.any.hashAlg = hash;
}

static bool plain_rsa(struct quote *quote, const uint8_t *data, size_t length)
{
    TPM2B_PUBLIC_KEY_RSA *out = &quote->signature.signature.rsassa.sig;
    if (length > sizeof out->buffer)
        return false;
    out->size = (UINT16)length;
    memcpy(out->buffer, data, length);
    return true;
}

static bool number(const BIGNUM *value, TPM2B_ECC_PARAMETER *out)
{
    int length = BN_num_bytes(value);
    if (BN_is_negative(value) || (size_t)length > sizeof out->buffer)
        return false;
    out->size = (UINT16)BN_bn2bin(value, out->buffer);
    return true;
}

static bool plain_ecdsa(struct quote *quote, const uint8_t *data, size_t length)
{
    const unsigned char *at = data;
    ECDSA_SIG *parsed = d2i_ECDSA_SIG(NULL, &at, (long)length);
    TPMS_SIGNATURE_ECC *out = &quote->signature.signature.ecdsa;
    unsigned char *again = NULL;
    /* One encoding only: another one of the same numbers is a changed file. */
    bool ok = parsed != NULL && at == data + length &&
              i2d_ECDSA_SIG(parsed, &again) == (int)length && memcmp(again, data, length) == 0 &&
              number(ECDSA_SIG_get0_r(parsed), &out->signatureR) &&
              number(ECDSA_SIG_get0_s(parsed), &out->signatureS);
    OPENSSL_free(again);
    ECDSA_SIG_free(parsed);
    return ok;
}

static bool take_plain(struct quote *quote, const uint8_t *data, size_t length,
                       const struct quote_key *key)
{
    bool is_ecc = EVP_PKEY_is_a(key->key, "EC");
    memset(&quote->signature, 0, sizeof quote->signature);
    quote->is_plain = true;
    if (is_ecc ? !plain_ecdsa(quote, data, length)
               : length != (size_t)EVP_PKEY_get_size(key->key) || !plain_rsa(quote, data, length))
        return false;
    assume_scheme(quote, key, !is_ecc);
    return true;
}

static bool take_signature(struct quote *quote, const uint8_t *data, size_t length,
                           const struct quote_key *key, struct error *error)
{
    size_t offset = 0;
    if (Tss2_MU_TPMT_SIGNATURE_Unmarshal(data, length, &offset, &quote->signature) ==
            TSS2_RC_SUCCESS &&
        offset == length)
        return true;
    return take_plain(quote, data, length, key) ||
           error_set(error, ERROR_DAMAGED,
                     "it is no TPMT_SIGNATURE as tpm2_quote -s writes it, and no plain signature "
                     "of this key's size; or bytes follow it");
}

bool quote_parse(struct quote *quote, const char *msg_name, const void *msg, size_t msg_length,
                 const char *sig_name, const void *sig, size_t sig_length,
                 const struct quote_key *key, struct error *error)
{
    memset(quote, 0, sizeof *quote);
    if (!take_message(quote, msg, msg_length, error)) {
        quote_free(quote);
        return error_in_file(error, msg_name);
    }
    take_selection(quote);
    if (!take_signature(quote, sig, sig_length, key, error)) {
        quote_free(quote);
        return error_in_file(error, sig_name);
    }
    return true;
}

/* A file, or the named part of the quote in go-attestation's JSON. */
static bool read_part(const char *path, const char *member, struct buffer *out, struct error *error)
{
    bool found = true;
    if (!file_read_all(path, QUOTE_FILE_MAX, out, error))
        return false;
    if (!tpm_text_is_json(buffer_text(out), out->length))
        return true;
    bool ok = quote_json_take(out, "quote", member, &found, error);
    if (ok && !found)
        ok = error_set(error, ERROR_DAMAGED, "it is JSON without a \"Quote\"");
    return ok || error_in_file(error, path);
}

bool quote_load(struct quote *quote, const char *msg, const char *sig, const struct quote_key *key,
                struct error *error)
{
    struct buffer message = BUFFER_INIT, signature = BUFFER_INIT;
    memset(quote, 0, sizeof *quote);
    bool ok = read_part(msg, "quote", &message, error) &&
              read_part(sig, "signature", &signature, error) &&
              quote_parse(quote, msg, buffer_text(&message), message.length, sig,
                          buffer_text(&signature), signature.length, key, error);
    buffer_free(&message);
    buffer_free(&signature);
    return ok;
}

void quote_free(struct quote *quote)
{
    free(quote->attest_bytes);
    memset(quote, 0, sizeof *quote);
}
