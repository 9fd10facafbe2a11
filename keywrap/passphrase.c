/* passphrase - see passphrase.h. */
#include "keywrap/passphrase.h"

#include <errno.h>
#include <unistd.h>

#include "base/encoding.h"
#include "base/normalize.h"

static bool encode(const char *name, struct buffer *text, struct error *error)
{
    struct encoding *encoding = encoding_open(name, error);
    struct buffer bytes = BUFFER_INIT;
    if (encoding == NULL)
        return false;
    bool ok = encoding_is_known(encoding) ||
              error_set(error, ERROR_USAGE, "there is no code page '%.60s' here", name);
    ok = ok && encoding_encode(encoding, buffer_text(text), text->length, &bytes, error);
    encoding_forget(encoding, text->length);
    encoding_close(encoding);
    buffer_free(text);
    *text = bytes;
    return ok;
}

struct secret *passphrase_convert(struct secret *passphrase, const struct passphrase_form *form,
                                  struct error *error)
{
    enum normalize_form normalize = NORMALIZE_NONE;
    if (form->encoding == NULL && form->normalize == NULL)
        return passphrase;
    struct buffer text = BUFFER_INIT;
    struct secret *converted = NULL;
    bool ok =
        (form->normalize == NULL || normalize_form_parse(form->normalize, &normalize, error)) &&
        normalize_text(normalize, (const char *)passphrase->data, passphrase->length, &text,
                       error) &&
        (form->encoding == NULL || encode(form->encoding, &text, error));
    if (ok)
        converted = secret_copy(buffer_text(&text), text.length, error);
    else
        error_prefix(error, "passphrase");
    buffer_free(&text);
    secret_free(passphrase);
    return converted;
}

struct secret *passphrase_from(const struct buffer *bytes, struct error *error)
{
    size_t length = bytes->length;
    if (length > 0 && bytes->data[length - 1] == '\n')
        length--;
    if (length < bytes->length && length > 0 && bytes->data[length - 1] == '\r')
        length--;
    return secret_copy(buffer_text(bytes), length, error);
}

struct secret *passphrase_fd_read(int fd, struct error *error)
{
    enum { CHUNK = 4096 };
    struct buffer bytes = BUFFER_INIT;
    struct secret *passphrase = NULL;
    ssize_t n = 1;
    while (n > 0 && bytes.length <= PASSPHRASE_MAX) {
        char *end = buffer_reserve(&bytes, CHUNK);
        n = end == NULL ? -1 : read(fd, end, CHUNK);
        if (n > 0)
            bytes.length += (size_t)n;
        else if (n < 0 && end != NULL && errno == EINTR)
            n = 1;
    }
    if (bytes.failed)
        error_memory(error);
    else if (n < 0)
        error_system(error, "cannot read a passphrase from descriptor %d", fd);
    else if (bytes.length > PASSPHRASE_MAX)
        error_set(error, ERROR_DAMAGED, "more than %d bytes of a passphrase from descriptor %d",
                  PASSPHRASE_MAX, fd);
    else
        passphrase = passphrase_from(&bytes, error);
    buffer_free(&bytes);
    return passphrase;
}
