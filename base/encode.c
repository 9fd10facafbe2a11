/* encode - see encode.h. */
#include "base/encode.h"

size_t base64_decoded_bound(size_t length)
{
    return length / 4 * 3 + 3;
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+')
        return 62;
    return c == '/' ? 63 : -1;
}

bool base64_decode(const char *text, size_t length, uint8_t *out, size_t *out_length)
{
    size_t digits = length;
    while (digits > 0 && length - digits < 2 && text[digits - 1] == '=')
        digits--;
    if (digits % 4 == 1 || (digits != length && length % 4 != 0))
        return false;
    size_t bytes = digits / 4 * 3 + (digits % 4 == 0 ? 0 : digits % 4 - 1);
    if (bytes > *out_length)
        return false;
    uint32_t bits = 0;
    unsigned held = 0;
    size_t written = 0;
    for (size_t i = 0; i < digits; i++) {
        int value = base64_value(text[i]);
        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
        held += 6;
        if (held >= 8) {
            held -= 8;
            out[written++] = (uint8_t)(bits >> held);
            bits &= (1U << held) - 1;
        }
    }
    *out_length = written;
    return bits == 0;
}

bool base64_encode(const void *data, size_t length, struct buffer *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *bytes = data;
    for (size_t i = 0; i < length; i += 3) {
        size_t have = length - i < 3 ? length - i : 3;
        uint32_t group = (uint32_t)bytes[i] << 16;
        if (have > 1)
            group |= (uint32_t)bytes[i + 1] << 8;
        if (have > 2)
            group |= bytes[i + 2];
        char text[4] = {digits[group >> 18], digits[group >> 12 & 63],
                        have > 1 ? digits[group >> 6 & 63] : '=',
                        have > 2 ? digits[group & 63] : '='};
        buffer_append(out, text, sizeof text);
    }
    return !out->failed;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool hex_decode(const char *text, size_t length, uint8_t *out, size_t *out_length)
{
    if (length % 2 != 0 || length / 2 > *out_length)
        return false;
    for (size_t i = 0; i < length; i += 2) {
        int high = hex_value(text[i]), low = hex_value(text[i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i / 2] = (uint8_t)(high << 4 | low);
    }
    *out_length = length / 2;
    return true;
}

bool hex_encode(const void *data, size_t length, struct buffer *out)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *bytes = data;
    for (size_t i = 0; i < length; i++) {
        buffer_append_byte(out, digits[bytes[i] >> 4]);
        buffer_append_byte(out, digits[bytes[i] & 15]);
    }
    return !out->failed;
}

bool percent_decode(const char *text, size_t length, uint8_t *out, size_t *out_length)
{
    size_t written = 0;
    for (size_t i = 0; i < length; i++) {
        uint8_t byte = (uint8_t)text[i];
        if (text[i] == '%') {
            if (length - i < 3)
                return false;
            int high = hex_value(text[i + 1]), low = hex_value(text[i + 2]);
            if (high < 0 || low < 0)
                return false;
            byte = (uint8_t)(high << 4 | low);
            i += 2;
        }
        if (written >= *out_length)
            return false;
        out[written++] = byte;
    }
    *out_length = written;
    return true;
}

bool percent_encode(const void *data, size_t length, struct buffer *out)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < length; i++) {
        uint8_t c = bytes[i];
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
            buffer_append_byte(out, (char)c);
        else
            buffer_printf(out, "%%%02x", c);
    }
    return !out->failed;
}

const char *hex_text(const void *data, size_t length, char *text)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < length; i++) {
        text[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
        text[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
    }
    text[2 * length] = '\0';
    return text;
}
