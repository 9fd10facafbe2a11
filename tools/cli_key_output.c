/* cli_key_output - see cli_key_output.h. */
#include "tools/cli_key_output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/file.h"
#include "keywrap/cryptodict.h"
#include "keywrap/locator.h"

const char *cli_key_cipher(size_t bytes)
{
    static const char *const ciphers[] = {"AES-128", "AES-192", "AES-256", "XTS-AES-256"};
    for (size_t i = 0; i < sizeof ciphers / sizeof ciphers[0]; i++)
        if (cipher_key_bytes(ciphers[i]) == bytes)
            return ciphers[i];
    return NULL;
}

static bool put_raw(const struct cli_key_output *output, const void *data, size_t length,
                    struct buffer *out)
{
    (void)output;
    return buffer_append(out, data, length);
}

static bool put_hex(const struct cli_key_output *output, const void *data, size_t length,
                    struct buffer *out)
{
    (void)output;
    return hex_encode(data, length, out);
}

static bool put_base64(const struct cli_key_output *output, const void *data, size_t length,
                       struct buffer *out)
{
    (void)output;
    return base64_encode(data, length, out);
}

/* RFC 4648 section 5, without padding. */
static bool put_base64url(const struct cli_key_output *output, const void *data, size_t length,
                          struct buffer *out)
{
    size_t before = out->length;
    if (!put_base64(output, data, length, out))
        return false;
    while (out->length > before && out->data[out->length - 1] == '=')
        out->data[--out->length] = '\0';
    for (size_t i = before; i < out->length; i++) {
        if (out->data[i] == '+')
            out->data[i] = '-';
        else if (out->data[i] == '/')
            out->data[i] = '_';
    }
    return true;
}

static bool put_jwk(const struct cli_key_output *output, const void *data, size_t length,
                    struct buffer *out)
{
    buffer_append_text(out, "{\"kty\":\"oct\",\"k\":\"");
    put_base64url(output, data, length, out);
    buffer_append_text(out, "\"");
    if (output->id != NULL) {
        json_t *id = json_string(output->id);
        char *text = id == NULL ? NULL : json_dumps(id, JSON_ENCODE_ANY);
        json_decref(id);
        if (text == NULL)
            return false;
        buffer_append_text(out, ",\"kid\":");
        buffer_append_text(out, text);
        free(text);
    }
    return buffer_append_text(out, "}");
}

/* A rawkey around a crypto dictionary, as products write them. */
static bool put_locator(const struct cli_key_output *output, const void *data, size_t length,
                        struct buffer *out)
{
    struct error error = ERROR_INIT;
    struct buffer text = BUFFER_INIT;
    struct crypto_key key = {.key = secret_copy(data, length, &error)};
    struct locator *locator = locator_new(LOCATOR_RAWKEY, &error);
    (void)output;
    snprintf(key.cipher, sizeof key.cipher, "%s", cli_key_cipher(length));
    bool ok = key.key != NULL && locator != NULL && crypto_key_write(&key, &text) &&
              (locator->key = secret_copy(text.data, text.length, &error)) != NULL &&
              locator_write(locator, out);
    locator_free(locator);
    crypto_key_free(&key);
    buffer_free(&text);
    return ok;
}

static const struct form {
    const char *name;
    bool (*put)(const struct cli_key_output *output, const void *data, size_t length,
                struct buffer *out);
    bool text, bare; /* fit for a terminal; fit for bytes that are no key */
} forms[] = {
    {"raw", put_raw, false, true},      {"hex", put_hex, true, true},
    {"base64", put_base64, true, true}, {"base64url", put_base64url, true, true},
    {"jwk", put_jwk, true, false},      {"locator", put_locator, true, false},
};

static const struct form *find_form(const struct cli_key_output *output)
{
    const char *name = output->form == NULL ? forms[0].name : output->form;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
        if (strcmp(forms[i].name, name) == 0)
            return &forms[i];
    return NULL;
}

bool cli_key_output_check(const struct cli_key_output *output, struct error *error)
{
    const struct form *form = find_form(output);
    bool terminal = strcmp(output->path, "-") == 0 && isatty(STDOUT_FILENO) == 1;
    if (form == NULL)
        return error_set(error, ERROR_USAGE,
                         "--form takes raw, hex, base64, base64url, jwk or locator, not '%.64s'",
                         output->form);
    if (!output->secret && !form->bare)
        return error_set(error, ERROR_USAGE,
                         "a wrapped key is written raw, in hex, base64 or base64url");
    if (terminal && !form->text)
        return error_set(error, ERROR_USAGE, "raw bytes are not written to a terminal; see --form");
    return !terminal || !output->secret || output->reveal ||
           error_set(error, ERROR_USAGE, "a key is shown on a terminal only with --reveal");
}

bool cli_key_output_text(const struct cli_key_output *output, const struct buffer *text,
                         struct error *error)
{
    return file_replace(output->path, buffer_text(text), text->length, 0600, output->force, error);
}

bool cli_key_output_write(const struct cli_key_output *output, const void *data, size_t length,
                          struct error *error)
{
    const struct form *form = find_form(output);
    struct buffer out = BUFFER_INIT;
    bool ok = (form->put(output, data, length, &out) &&
               (!form->text || buffer_append_byte(&out, '\n'))) ||
              error_memory(error);
    ok = ok && cli_key_output_text(output, &out, error);
    buffer_free(&out);
    return ok;
}
