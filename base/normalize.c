/* normalize - see normalize.h. */
#include "base/normalize.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <uninorm.h>

#include "base/secret.h"
#include "base/utf8.h"

enum {
    TEXT_LIMIT = 1 << 20,
    /* U+FDFA, 3 bytes, becomes 33 in NFKC and NFKD; no character grows more. */
    GROWTH = 11,
    ROOM = 64,
};

bool normalize_form_parse(const char *name, enum normalize_form *form, struct error *error)
{
    static const char *const names[] = {"none", "nfc", "nfd", "nfkc", "nfkd"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcasecmp(name, names[i]) == 0) {
            *form = (enum normalize_form)i;
            return true;
        }
    return error_set(error, ERROR_USAGE,
                     "'%.60s' is no Unicode normalization; there are none, nfc, nfd, nfkc, nfkd",
                     name);
}

static uninorm_t library_form(enum normalize_form form)
{
    switch (form) {
    case NORMALIZE_NFC:
        return UNINORM_NFC;
    case NORMALIZE_NFD:
        return UNINORM_NFD;
    case NORMALIZE_NFKC:
        return UNINORM_NFKC;
    default:
        return UNINORM_NFKD;
    }
}

bool normalize_text(enum normalize_form form, const char *text, size_t length, struct buffer *out,
                    struct error *error)
{
    if (length > TEXT_LIMIT || !utf8_valid(text, length))
        return error_set(error, ERROR_FAILED, "the text is not UTF-8");
    if (form == NORMALIZE_NONE)
        return buffer_append(out, text, length) || error_memory(error);
    /* With room for any result the library needs no memory of its own, which nobody would wipe. */
    size_t room = length * GROWTH + ROOM;
    uint8_t *start = (uint8_t *)buffer_reserve(out, room);
    if (start == NULL)
        return error_memory(error);
    uint8_t *result = u8_normalize(library_form(form), (const uint8_t *)text, length, start, &room);
    if (result == NULL)
        return error_memory(error);
    bool ok = true;
    if (result == start) {
        out->length += room;
        out->data[out->length] = '\0';
    } else {
        ok = buffer_append(out, result, room) || error_memory(error);
        secret_wipe(result, room);
        free(result);
    }
    return ok;
}
