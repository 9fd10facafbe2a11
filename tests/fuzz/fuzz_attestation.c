/* A document of any bytes; or, behind an 's', any header and claims (with a NUL between them) that
 * the trusted key signed. What is accepted says that it is trusted, and has not expired. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "tpm/attestation.h"

enum { NOW = 1800000000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static EVP_PKEY *own_key(void)
{
    static const uint8_t seed[32] = "a key that fuzzing may well know";
    return EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, sizeof seed);
}

static void append_url(struct buffer *out, const void *data, size_t length)
{
    size_t start = out->length;
    if (!base64_encode(data, length, out))
        abort();
    while (out->length > start && out->data[out->length - 1] == '=')
        out->length--;
    for (size_t i = start; i < out->length; i++)
        out->data[i] = out->data[i] == '+' ? '-' : out->data[i] == '/' ? '_' : out->data[i];
}

static void append_signed(struct buffer *out, EVP_PKEY *key, const uint8_t *data, size_t size)
{
    const uint8_t *nul = memchr(data, '\0', size);
    size_t header = nul == NULL ? size : (size_t)(nul - data);
    uint8_t signature[64];
    size_t length = sizeof signature;
    append_url(out, data, header);
    buffer_append_byte(out, '.');
    if (nul != NULL)
        append_url(out, nul + 1, size - header - 1);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (EVP_DigestSignInit(context, NULL, NULL, NULL, key) != 1 ||
        EVP_DigestSign(context, signature, &length, (const uint8_t *)out->data, out->length) != 1)
        abort();
    EVP_MD_CTX_free(context);
    buffer_append_byte(out, '.');
    append_url(out, signature, length);
}

static void verify(const char *text, size_t length, EVP_PKEY *key)
{
    static const struct attestation_need needs[] = {
        {.now = NOW},
        {.now = NOW, .max_age = 60, .nonce = "c0ffee", .policy = "aa", .host = "esx01"},
    };
    for (size_t i = 0; i < sizeof needs / sizeof needs[0]; i++) {
        struct error error = ERROR_INIT;
        json_t *claims = attestation_verify(text, length, key, &needs[i], &error);
        if (claims == NULL ? error.code != ERROR_DAMAGED || error.message[0] == '\0'
                           : json_integer_value(json_object_get(claims, "exp")) <= NOW)
            abort();
        json_decref(claims);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    EVP_PKEY *key = own_key();
    struct buffer text = BUFFER_INIT;
    if (key == NULL)
        abort();
    if (size > 0 && data[0] == 's')
        append_signed(&text, key, data + 1, size - 1);
    else if (size > 0)
        buffer_append(&text, data, size);
    verify(buffer_text(&text), text.length, key);
    buffer_free(&text);
    EVP_PKEY_free(key);
    return 0;
}
