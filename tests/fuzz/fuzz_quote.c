/* Any bytes as a key, a quote and its signature: the first five say how long the first two are.
 * They are refused or judged, and nothing is valid by the key that nobody here can sign with. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tpm/quote.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* TPMT_PUBLIC of an ECC AK whose private half was thrown away. */
static const uint8_t own_key[] = {
    0x00, 0x23, 0x00, 0x0b, 0x00, 0x05, 0x00, 0x72, 0x00, 0x00, 0x00, 0x10, 0x00, 0x18, 0x00,
    0x0b, 0x00, 0x03, 0x00, 0x10, 0x00, 0x20, 0x08, 0x5b, 0x8a, 0xfb, 0xbb, 0x99, 0x37, 0x02,
    0xeb, 0x01, 0xa6, 0xe3, 0x95, 0x8a, 0x0c, 0x44, 0x46, 0x15, 0xc7, 0x6d, 0xbf, 0xa8, 0xc4,
    0x42, 0x18, 0x4f, 0x17, 0xfa, 0xb0, 0x89, 0x10, 0x4b, 0x00, 0x20, 0x63, 0x6a, 0xf7, 0xf1,
    0xb8, 0x06, 0x0a, 0x1f, 0x8d, 0x94, 0x2d, 0x7a, 0x79, 0x6f, 0x36, 0x67, 0xee, 0xc8, 0xf9,
    0x26, 0x3c, 0xd2, 0x55, 0x48, 0x05, 0x28, 0x39, 0xd7, 0x3d, 0x6e, 0x98, 0x37};

static void refused(const struct error *error)
{
    if (error->code == ERROR_NONE || error->message[0] == '\0')
        abort();
}

static void judge(const struct quote *quote, const struct quote_key *key, bool own)
{
    static const uint8_t zeros[64];
    struct error error = ERROR_INIT;
    struct quote_verdict verdict;
    struct pcr_set *values = calloc(1, sizeof *values);
    char text[64];
    if (values == NULL)
        abort();
    for (size_t i = 0; i < quote->selection.count; i++)
        for (unsigned pcr = 0; pcr < PCR_COUNT; pcr++) {
            const struct bank_algorithm *bank = bank_by_id(quote->selection.banks[i].algorithm);
            if (bank != NULL && (quote->selection.banks[i].pcrs >> pcr & 1) != 0)
                pcr_put(values, bank->id, pcr, zeros, bank->size);
        }
    struct quote_expect expect = {
        .nonce = "n", .nonce_length = 1, .values = values, .ek = key, .allow_sha1 = true};
    if (!quote_verify(quote, key, &expect, &verdict, &error))
        abort();
    if (verdict.count == 0 || verdict.count == QUOTE_CHECKS_MAX || (own && verdict.valid))
        abort();
    for (size_t i = 0; i < verdict.count; i++)
        if (verdict.checks[i].detail[0] == '\0')
            abort();
    quote_selection_text(&quote->selection, text, sizeof text);
    free(values);
}

static void try_quote(const struct quote_key *key, bool own, const uint8_t *msg, size_t msg_length,
                      const uint8_t *sig, size_t sig_length)
{
    struct error error = ERROR_INIT;
    struct quote quote;
    if (!quote_parse(&quote, "msg", msg, msg_length, "sig", sig, sig_length, key, &error)) {
        refused(&error);
        return;
    }
    judge(&quote, key, own);
    quote_free(&quote);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error = ERROR_INIT;
    struct quote_key key;
    if (size < 5)
        return 0;
    size_t left = size - 5, key_length = data[1] | (size_t)data[2] << 8,
           msg_length = data[3] | (size_t)data[4] << 8;
    key_length = key_length < left ? key_length : left;
    msg_length = msg_length < left - key_length ? msg_length : left - key_length;
    const uint8_t *bytes = data + 5, *msg = bytes + key_length, *sig = msg + msg_length;
    size_t sig_length = left - key_length - msg_length;
    bool own = (data[0] & 1) == 0;
    if (!quote_key_parse(&key, "own", own_key, sizeof own_key, &error))
        abort();
    if (!own) {
        quote_key_free(&key);
        if (!quote_key_parse(&key, "key", bytes, key_length, &error)) {
            refused(&error);
            return 0;
        }
    }
    try_quote(&key, own, msg, msg_length, sig, sig_length);
    quote_key_free(&key);
    return 0;
}
