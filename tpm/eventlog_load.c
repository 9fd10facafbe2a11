/* eventlog_load - event logs out of the files they are kept in; see eventlog.h. */
#include "tpm/eventlog.h"

#include <ctype.h>
#include <string.h>

#include <jansson.h>

#include "base/encode.h"
#include "base/file.h"
#include "tpm/text.h"

/* Text without white space; bytes that no text has make it fail. */
static bool squeeze(const char *data, size_t length, struct buffer *out)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)data[i];
        if (isspace(c))
            continue;
        if (!isalnum(c) && c != '+' && c != '/' && c != '=' && c != '-' && c != '_')
            return false;
        buffer_append_byte(out, c == '-' ? '+' : c == '_' ? '/' : (char)c);
    }
    return !out->failed && out->length > 0;
}

/* Base64 or hex of a log; *form stays NULL when TEXT is neither. */
static bool decode_text(const char *data, size_t length, struct buffer *bytes, const char **form,
                        struct error *error)
{
    struct buffer text = BUFFER_INIT;
    bool ok = true;
    *form = NULL;
    if (squeeze(data, length, &text)) {
        size_t written = text.length;
        uint8_t *out = (uint8_t *)buffer_reserve(bytes, written);
        if (out == NULL)
            ok = error_memory(error);
        else if (hex_decode(text.data, text.length, out, &written))
            *form = "hex";
        else if (written = text.length, base64_decode(text.data, text.length, out, &written))
            *form = "base64";
        if (*form != NULL)
            bytes->length += written;
    }
    if (text.failed)
        ok = error_memory(error);
    buffer_free(&text);
    return ok;
}

static const json_t *member(const json_t *object, const char *const *path)
{
    for (; *path != NULL && object != NULL; path++)
        object = json_object_get(object, *path);
    return object;
}

/* The log in a document of one of the tools that carry it in base64. */
static bool from_json(const json_t *document, struct buffer *bytes, struct error *error)
{
    static const char *const paths[][4] = {
        {"data"},          /* vCenter */
        {"value", "data"}, /* vCenter, /rest/ form */
        {"Log", "Raw"},    /* go-attestation */
        {"eventLog"},
        {"event_log"}, /* go-tpm-tools' Attestation */
        {"mb_measurement_list"},
        {"results", "mb_measurement_list"}, /* keylime's agent */
    };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        const json_t *text = member(document, paths[i]);
        const char *form;
        if (!json_is_string(text))
            continue;
        if (!decode_text(json_string_value(text), json_string_length(text), bytes, &form, error))
            return false;
        if (form != NULL)
            return true;
        return error_set(error, ERROR_DAMAGED, "\"%s\" in this JSON is no base64",
                         paths[i][1] != NULL ? paths[i][1] : paths[i][0]);
    }
    return error_set(error, ERROR_DAMAGED, "is JSON without an event log (\"data\" in vCenter's)");
}

/* Canonical event logs (TLV) begin with record number 0: type 0, length 8, big-endian. */
static bool is_canonical(const uint8_t *data, size_t length)
{
    static const uint8_t start[] = {0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0};
    return length > sizeof start + 5 && memcmp(data, start, sizeof start) == 0 &&
           data[sizeof start + 1] == 0 && data[sizeof start + 2] == 0 &&
           data[sizeof start + 3] == 0 && data[sizeof start + 4] <= 4 &&
           data[sizeof start + 4] != 0;
}

static bool unpack(const char *data, size_t length, struct buffer *bytes, const char **form,
                   struct error *error)
{
    if (tpm_text_is_json(data, length)) {
        json_t *document = tpm_text_json(data, length, error);
        bool ok = document != NULL && from_json(document, bytes, error);
        json_decref(document);
        *form = "JSON";
        return ok;
    }
    if (!decode_text(data, length, bytes, form, error))
        return false;
    if (*form != NULL)
        return true;
    *form = "raw";
    return buffer_append(bytes, data, length) || error_memory(error);
}

bool eventlog_unpack(const char *name, const void *data, size_t length, struct buffer *bytes,
                     const char **form, struct error *error)
{
    size_t start = bytes->length;
    if (length > EVENTLOG_BYTES_MAX)
        error_set(error, ERROR_DAMAGED, "larger than the %d bytes that make sense here",
                  EVENTLOG_BYTES_MAX);
    else if (unpack(data, length, bytes, form, error)) {
        if (!is_canonical((const uint8_t *)bytes->data + start, bytes->length - start))
            return true;
        error_set(error, ERROR_FAILED,
                  "is a TCG canonical event log (CEL); only TCG PC Client logs are read");
    }
    return error_in_file(error, name);
}

bool eventlog_load(const char *path, struct buffer *bytes, struct error *error)
{
    struct buffer file = BUFFER_INIT;
    const char *form;
    const char *name = strcmp(path, "-") == 0 ? "standard input" : path;
    bool ok = file_read_all(path, EVENTLOG_BYTES_MAX, &file, error) &&
              eventlog_unpack(name, file.data, file.length, bytes, &form, error);
    buffer_free(&file);
    return ok;
}
