/* buffer - see buffer.h. */
#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/secret.h"

enum { BUFFER_FIRST = 4096 };

char *buffer_reserve(struct buffer *b, size_t extra)
{
    size_t needed;
    if (b->failed || __builtin_add_overflow(b->length, extra, &needed) ||
        __builtin_add_overflow(needed, 1, &needed)) {
        b->failed = true;
        return NULL;
    }
    if (needed > b->capacity) {
        size_t capacity = b->capacity == 0 ? BUFFER_FIRST : b->capacity;
        while (capacity < needed && capacity <= SIZE_MAX / 2)
            capacity *= 2;
        char *data = secret_pages_alloc(capacity);
        if (data == NULL || capacity < needed) {
            secret_pages_free(data, capacity);
            b->failed = true;
            return NULL;
        }
        if (b->length > 0)
            memcpy(data, b->data, b->length);
        secret_pages_free(b->data, b->capacity);
        b->data = data;
        b->capacity = capacity;
    }
    return b->data + b->length;
}

bool buffer_append(struct buffer *b, const void *data, size_t length)
{
    char *end = buffer_reserve(b, length);
    if (end == NULL)
        return false;
    if (length > 0)
        memcpy(end, data, length);
    b->length += length;
    b->data[b->length] = '\0';
    return true;
}

bool buffer_append_text(struct buffer *b, const char *text)
{
    return buffer_append(b, text, strlen(text));
}

bool buffer_append_byte(struct buffer *b, char byte)
{
    return buffer_append(b, &byte, 1);
}

bool buffer_printf(struct buffer *b, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *end = length < 0 ? NULL : buffer_reserve(b, (size_t)length);
    if (end != NULL) {
        vsnprintf(end, (size_t)length + 1, format, again);
        b->length += (size_t)length;
    } else {
        b->failed = true;
    }
    va_end(again);
    return end != NULL;
}

const char *buffer_text(const struct buffer *b)
{
    return b->data == NULL ? "" : b->data;
}

void buffer_free(struct buffer *b)
{
    secret_pages_free(b->data, b->capacity);
    *b = BUFFER_INIT;
}
