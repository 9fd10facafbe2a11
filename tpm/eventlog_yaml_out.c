/* eventlog_yaml_out - scalars and collections by libyaml's emitter. */
#include "tpm/eventlog_yaml_private.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "tpm/event_private.h"

static void emit(struct yaml_out *out, yaml_event_t *event, int made)
{
    if (made != 1)
        out->failed = true;
    else if (out->failed)
        yaml_event_delete(event);
    else
        out->failed = yaml_emitter_emit(&out->emitter, event) != 1;
}

void out_map(struct yaml_out *out)
{
    yaml_event_t event;
    emit(out, &event,
         yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE));
}

void out_map_end(struct yaml_out *out)
{
    yaml_event_t event;
    emit(out, &event, yaml_mapping_end_event_initialize(&event));
}

void out_list(struct yaml_out *out)
{
    yaml_event_t event;
    emit(out, &event,
         yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_SEQUENCE_STYLE));
}

void out_list_end(struct yaml_out *out)
{
    yaml_event_t event;
    emit(out, &event, yaml_sequence_end_event_initialize(&event));
}

static void scalar(struct yaml_out *out, const char *text, size_t length, yaml_scalar_style_t style)
{
    yaml_event_t event;
    if (length > INT_MAX) {
        out->failed = true;
        return;
    }
    emit(out, &event,
         yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text, (int)length, 1,
                                      1, style));
}

void out_key(struct yaml_out *out, const char *key)
{
    scalar(out, key, strlen(key), YAML_PLAIN_SCALAR_STYLE);
}

static void plain(struct yaml_out *out, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

static void plain(struct yaml_out *out, const char *format, va_list arguments)
{
    char text[200];
    vsnprintf(text, sizeof text, format, arguments);
    scalar(out, text, strlen(text), YAML_PLAIN_SCALAR_STYLE);
}

void out_plain(struct yaml_out *out, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    plain(out, format, arguments);
    va_end(arguments);
}

void out_pair(struct yaml_out *out, const char *key, const char *format, ...)
{
    va_list arguments;
    out_key(out, key);
    va_start(arguments, format);
    plain(out, format, arguments);
    va_end(arguments);
}

void out_text(struct yaml_out *out, const void *bytes, size_t length)
{
    const uint8_t *at = bytes;
    char *text = malloc(2 * length + 1);
    size_t used = 0;
    for (size_t i = 0, size; text != NULL && i < length; i += size) {
        size = utf8_character((const char *)at + i, length - i);
        if (size > 0) {
            memcpy(text + used, at + i, size);
            used += size;
        } else {
            text[used++] = (char)(0xc0 | at[i] >> 6);
            text[used++] = (char)(0x80 | (at[i] & 0x3f));
            size = 1;
        }
    }
    out->failed = out->failed || text == NULL;
    scalar(out, text == NULL ? "" : text, used, YAML_DOUBLE_QUOTED_SCALAR_STYLE);
    free(text);
}

void out_hex(struct yaml_out *out, const uint8_t *bytes, size_t length)
{
    json_t *text = value_hex(bytes, length);
    out->failed = out->failed || text == NULL;
    scalar(out, text == NULL ? "" : json_string_value(text), json_string_length(text),
           YAML_DOUBLE_QUOTED_SCALAR_STYLE);
    json_decref(text);
}

void out_guid(struct yaml_out *out, const uint8_t *guid)
{
    char text[37];
    guid_text(guid, text);
    out_text(out, text, 36);
}

void out_utf16(struct yaml_out *out, const uint8_t *bytes, size_t length)
{
    size_t end = 0;
    while (length - end >= 2 && (bytes[end] != 0 || bytes[end + 1] != 0))
        end += 2;
    json_t *text = value_utf16(bytes, end);
    if (text == NULL)
        out->failed = true;
    else
        out_text(out, json_string_value(text), json_string_length(text));
    json_decref(text);
}
