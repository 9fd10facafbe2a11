/* quote_json - see quote_private.h. [go-attestation's AttestationParameters and Quote, vCenter's
 * .../hardware/tpm/{tpm}/endorsement-keys/{key}] */
#include "tpm/quote_private.h"

#include <string.h>

#include "base/encode.h"
#include "tpm/text.h"

static bool decode(const char *text, const char *member, struct buffer *out, struct error *error)
{
    size_t length = strlen(text), decoded = base64_decoded_bound(length);
    if (strstr(text, "-----BEGIN ") != NULL)
        return buffer_append(out, text, length) || error_memory(error);
    char *to = buffer_reserve(out, decoded);
    if (to == NULL)
        return error_memory(error);
    if (!base64_decode(text, length, (uint8_t *)to, &decoded))
        return error_set(error, ERROR_DAMAGED, "its \"%s\" is no base64", member);
    out->length += decoded;
    return true;
}

bool quote_json_take(struct buffer *bytes, const char *object, const char *member, bool *found,
                     struct error *error)
{
    struct buffer out = BUFFER_INIT;
    json_t *document = tpm_text_json(buffer_text(bytes), bytes->length, error);
    if (document == NULL)
        return false;
    const json_t *parent = object == NULL ? document : tpm_text_member(document, object);
    const char *text = json_string_value(parent == NULL ? NULL : tpm_text_member(parent, member));
    *found = text != NULL && text[0] != '\0';
    bool ok = !*found || decode(text, member, &out, error);
    if (ok && *found) {
        buffer_free(bytes);
        *bytes = out;
    } else {
        buffer_free(&out);
    }
    json_decref(document);
    return ok;
}
