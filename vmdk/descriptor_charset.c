/*
 * descriptor_charset - file names in a descriptor, from the code page that `encoding=` names to
 * UTF-8 and back.
 */
#include <stdlib.h>
#include <string.h>

#include "base/encoding.h"
#include "vmdk/descriptor_private.h"

static struct encoding *open_encoding(const char *name, struct error *error)
{
    return encoding_open(name[0] == '\0' ? "UTF-8" : name, error);
}

static char *take(struct buffer *text, bool ok)
{
    char *copy = ok ? strdup(buffer_text(text)) : NULL;
    buffer_free(text);
    return copy;
}

/* Characters that every code page has at the same place; "\\" and "~" are others in Japanese ones.
 */
static bool is_common(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (bytes[i] < ' ' || bytes[i] >= '~' || bytes[i] == '\\')
            return false;
    return true;
}

char *charset_to_utf8(const char *encoding, const char *bytes, size_t length)
{
    if (is_common(bytes, length))
        return strndup(bytes, length);
    struct error error = ERROR_INIT;
    struct buffer text = BUFFER_INIT;
    struct encoding *from = open_encoding(encoding, &error);
    /* Bytes that the code page does not know may still be the file's name: they are kept. */
    char *utf8 = take(&text, from != NULL && encoding_decode(from, bytes, length, NULL, &text));
    encoding_close(from);
    return utf8 != NULL ? utf8 : strndup(bytes, length);
}

char *charset_from_utf8(const char *encoding, const char *text, struct error *error)
{
    struct buffer bytes = BUFFER_INIT;
    struct encoding *to = open_encoding(encoding, error);
    bool ok = to != NULL && encoding_encode(to, text, strlen(text), &bytes, error);
    char *encoded = take(&bytes, ok);
    encoding_close(to);
    if (ok && encoded == NULL)
        error_memory(error);
    return encoded;
}
