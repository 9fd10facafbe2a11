/* source_file - keys and passphrases from plain files; see keyring.h. */
#include <ctype.h>
#include <string.h>
#include <sys/stat.h>

#include "base/encode.h"
#include "base/file.h"
#include "keywrap/keyring.h"

enum { FILE_LIMIT = 64 << 10 };

static void warn_if_open_to_others(const char *path, struct log *log)
{
    struct stat st;
    if (strcmp(path, "-") != 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
        (st.st_mode & 077) != 0)
        log_say(log, LOG_WARN, "%s: others may read or change this secret (mode %04o); chmod 600",
                path, (unsigned)st.st_mode & 07777);
}

static bool is_key_size(size_t bytes)
{
    return bytes == 16 || bytes == 24 || bytes == 32 || bytes == 64;
}

typedef bool decoder(const char *text, size_t length, uint8_t *out, size_t *out_length);

static struct secret *decode_text(decoder *decode, const char *text, size_t length,
                                  struct error *error)
{
    /* Neither form needs more bytes than it has characters. */
    struct secret *bytes = secret_new(length, error);
    if (bytes == NULL)
        return NULL;
    struct secret *key = NULL;
    size_t size = length;
    if (decode(text, length, bytes->data, &size) && is_key_size(size))
        key = secret_copy(bytes->data, size, error);
    secret_free(bytes);
    return key;
}

static struct secret *decode_key(const struct buffer *file, const char *encoding,
                                 struct error *error)
{
    const char *text = buffer_text(file);
    size_t length = file->length;
    while (length > 0 && isspace((unsigned char)text[length - 1]))
        length--;
    while (length > 0 && isspace((unsigned char)*text)) {
        text++;
        length--;
    }
    bool any = strcmp(encoding, "auto") == 0;
    struct secret *key = NULL;
    if (any || strcmp(encoding, "hex") == 0)
        key = decode_text(hex_decode, text, length, error);
    if (key == NULL && error->code == ERROR_NONE && (any || strcmp(encoding, "base64") == 0))
        key = decode_text(base64_decode, text, length, error);
    if (key == NULL && error->code == ERROR_NONE && (any || strcmp(encoding, "raw") == 0) &&
        is_key_size(file->length))
        key = secret_copy(buffer_text(file), file->length, error);
    if (key == NULL && error->code == ERROR_NONE)
        error_set(error, ERROR_DAMAGED,
                  "not a key: %zu bytes that are not 16, 24, 32 or 64 bytes as %s", file->length,
                  any ? "raw bytes, hex or base64" : encoding);
    return key;
}

struct secret *key_file_read(const char *path, const char *encoding, struct log *log,
                             struct error *error)
{
    if (strcmp(encoding, "auto") != 0 && strcmp(encoding, "raw") != 0 &&
        strcmp(encoding, "hex") != 0 && strcmp(encoding, "base64") != 0) {
        error_set(error, ERROR_USAGE, "encoding '%s' is none of auto, raw, hex, base64", encoding);
        return NULL;
    }
    struct buffer file = BUFFER_INIT;
    struct secret *key = NULL;
    error_clear(error);
    if (file_read_all(path, FILE_LIMIT, &file, error)) {
        key = decode_key(&file, encoding, error);
        if (key == NULL)
            error_in_file(error, path);
        else
            warn_if_open_to_others(path, log);
    }
    buffer_free(&file);
    return key;
}

struct secret *passphrase_file_read(const char *path, struct log *log, struct error *error)
{
    struct buffer file = BUFFER_INIT;
    struct secret *passphrase = NULL;
    if (file_read_all(path, FILE_LIMIT, &file, error)) {
        size_t length = file.length;
        if (length > 0 && file.data[length - 1] == '\n')
            length--;
        if (length < file.length && length > 0 && file.data[length - 1] == '\r')
            length--;
        passphrase = secret_copy(buffer_text(&file), length, error);
        warn_if_open_to_others(path, log);
    }
    buffer_free(&file);
    return passphrase;
}
