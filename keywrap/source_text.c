/* source_text - bare keys: hex or base64 text, or the bytes themselves; see source.h. */
#include "keywrap/source_text.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

#include "base/encode.h"

enum {
    TEXT_MAX = 4 * WRAP_MAX, /* characters of one key, wrapped and spelled out */
    LINES_MAX = 4096,        /* keys in a list */
    LISTED_BYTES = 32,       /* and their size */
};

static bool is_blank(char c)
{
    return isspace((unsigned char)c) != 0;
}

/* One character in UTF-8; half a surrogate pair becomes U+FFFD. */
static bool append_utf8(struct buffer *out, uint32_t c)
{
    char bytes[4];
    size_t length = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    if (c >= 0xd800 && c < 0xe000)
        return buffer_append(out, "\xef\xbf\xbd", 3);
    if (length == 1)
        return buffer_append_byte(out, (char)c);
    for (size_t i = length; --i > 0; c >>= 6)
        bytes[i] = (char)(0x80 | (c & 0x3f));
    bytes[0] = (char)(0xf00 >> length | c);
    return buffer_append(out, bytes, length);
}

/* UTF-16 behind its byte order mark. */
static bool convert_utf16(struct source_text *t, const uint8_t *data, size_t length)
{
    size_t low = data[0] == 0xff ? 0 : 1;
    uint32_t high = 0;
    bool ok = true;
    for (size_t i = 2; ok && i + 1 < length; i += 2) {
        uint32_t unit = data[i + low] | (uint32_t)data[i + 1 - low] << 8;
        bool second = high != 0 && unit >= 0xdc00 && unit < 0xe000;
        if (high != 0 && !second)
            ok = append_utf8(&t->converted, high);
        uint32_t c = second ? 0x10000 + ((high - 0xd800) << 10) + (unit - 0xdc00) : unit;
        high = unit >= 0xd800 && unit < 0xdc00 ? unit : 0;
        if (ok && high == 0)
            ok = append_utf8(&t->converted, c);
    }
    return ok;
}

bool source_text_open(struct source_text *text, const struct source *source, struct error *error)
{
    const struct buffer *file = source->file;
    const uint8_t *bytes = (const uint8_t *)buffer_text(file);
    *text = (struct source_text){.text = buffer_text(file), .length = file->length};
    /* A raw key may begin like a byte order mark; its length tells it from text in UTF-16. */
    bool marked =
        file->length >= 2 && file->length % 2 == 0 && !source_is_key_size(file->length) &&
        ((bytes[0] == 0xff && bytes[1] == 0xfe) || (bytes[0] == 0xfe && bytes[1] == 0xff));
    if (marked) {
        if (!convert_utf16(text, bytes, file->length))
            return error_memory(error);
        text->text = buffer_text(&text->converted);
        text->length = text->converted.length;
    } else if (file->length >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) {
        text->text += 3;
        text->length -= 3;
    }
    while (text->length > 0 && is_blank(text->text[text->length - 1]))
        text->length--;
    while (text->length > 0 && is_blank(*text->text)) {
        text->text++;
        text->length--;
    }
    return true;
}

void source_text_close(struct source_text *text)
{
    buffer_free(&text->converted);
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Whole bytes of hex up to the first other character; how many digits that were. */
static size_t take_digits(const char *text, size_t length, uint8_t *out, size_t *written)
{
    size_t i = 0;
    for (; i + 1 < length && digit(text[i]) >= 0 && digit(text[i + 1]) >= 0; i += 2)
        out[(*written)++] = (uint8_t)(digit(text[i]) << 4 | digit(text[i + 1]));
    return i;
}

/* Bytes in groups of any size, separated. */
static bool read_groups(const char *text, size_t length, uint8_t *out, size_t *written)
{
    bool dashes = false, pairs = true;
    size_t i = 0;
    *written = 0;
    while (i < length) {
        if (is_blank(text[i]) || text[i] == ':' || text[i] == ',' || text[i] == '-') {
            dashes = dashes || text[i] == '-';
            i++;
            continue;
        }
        if (length - i > 2 && text[i] == '0' && (text[i + 1] | 0x20) == 'x')
            i += 2;
        size_t taken = take_digits(text + i, length - i, out, written);
        if (taken == 0 || (i + taken < length && digit(text[i + taken]) >= 0))
            return false;
        pairs = pairs && taken == 2;
        i += taken;
    }
    /* Dashes between longer groups make a UUID, which is a name and no key. */
    return *written > 0 && (!dashes || pairs);
}

struct dump {
    const char *at, *end;
    uint8_t *out;
    size_t written;
};

static size_t skip_spaces(struct dump *d)
{
    size_t skipped = 0;
    for (; d->at < d->end && *d->at == ' '; d->at++)
        skipped++;
    return skipped;
}

/* The offset that begins a line is where we are; *COLON tells whether one follows it. */
static bool take_offset(struct dump *d, bool *colon)
{
    size_t value = 0, digits = 0;
    for (; d->at < d->end && digit(*d->at) >= 0 && digits < 16; d->at++, digits++)
        value = value << 4 | (size_t)digit(*d->at);
    *colon = d->at < d->end && *d->at == ':';
    d->at += *colon ? 1 : 0;
    return digits >= 4 && value == d->written;
}

/* One line: offset, bytes (16 but on the last line), and perhaps the same as characters behind a
 * gap. Groups of several bytes are in file order only in xxd's output, whose mark is a colon. */
static bool take_dump_line(struct dump *d, const char *stop)
{
    bool colon;
    const char *end = d->end;
    d->end = stop;
    size_t before = d->written, gap = 0;
    bool ok = take_offset(d, &colon);
    while (ok && d->at < stop) {
        gap = skip_spaces(d);
        size_t have = d->written - before;
        if (d->at == stop || have == 16 || gap > 2 || *d->at == '|')
            break;
        size_t taken = take_digits(d->at, (size_t)(stop - d->at), d->out, &d->written);
        d->at += taken;
        ok = gap > 0 && (taken == 2 || (colon && taken == 4)) && d->written - before <= 16 &&
             (d->at == stop || *d->at == ' ');
    }
    ok = ok && (d->at == stop || gap > 1);
    d->at = stop;
    d->end = end;
    return ok;
}

static bool read_dump(const char *text, size_t length, uint8_t *out, size_t *written)
{
    struct dump d = {.at = text, .end = text + length, .out = out};
    bool ok = true;
    while (ok && d.at < d.end) {
        const char *newline = memchr(d.at, '\n', (size_t)(d.end - d.at));
        const char *stop = newline == NULL ? d.end : newline;
        const char *next = newline == NULL ? d.end : newline + 1;
        if (stop > d.at && stop[-1] == '\r')
            stop--;
        /* Behind a short line only the final offset may come. */
        size_t before = d.written;
        ok = take_dump_line(&d, stop) && (before % 16 == 0 || d.written == before);
        d.at = next;
    }
    *written = d.written;
    return ok && d.written > 0;
}

/* Read TEXT with READ into a secret of just that size. */
static struct secret *read_bytes(bool (*read)(const char *text, size_t length, uint8_t *out,
                                              size_t *written),
                                 const char *text, size_t length, struct error *error)
{
    if (length == 0 || length > TEXT_MAX)
        return NULL;
    /* No form needs more bytes than it has characters. */
    struct secret *room = secret_new(length, error);
    if (room == NULL)
        return NULL;
    struct secret *bytes = NULL;
    size_t size = length;
    if (read(text, length, room->data, &size))
        bytes = secret_copy(room->data, size, error);
    secret_free(room);
    return bytes;
}

struct secret *source_hex_bytes(const char *text, size_t length, struct error *error)
{
    /* The offsets of a dump would pass for groups of bytes. */
    struct secret *bytes = read_bytes(read_dump, text, length, error);
    return bytes != NULL ? bytes : read_bytes(read_groups, text, length, error);
}

/* OUT holds as many bytes as there are characters, and takes the digits first. */
static bool read_base64(const char *text, size_t length, uint8_t *out, size_t *written)
{
    size_t digits = 0;
    for (size_t i = 0; i < length; i++) {
        if (is_blank(text[i]))
            continue;
        char c = text[i] == '-' ? '+' : text[i];
        out[digits++] = (uint8_t)(c == '_' ? '/' : c);
    }
    /* Decoding in place: what is written never passes what is read. */
    return base64_decode((char *)out, digits, out, written) && *written > 0;
}

struct secret *source_base64_bytes(const char *text, size_t length, struct error *error)
{
    return read_bytes(read_base64, text, length, error);
}

typedef struct secret *decoder(const char *text, size_t length, struct error *error);

static enum source_verdict add_or_refuse(struct source *source, struct secret *bytes,
                                         struct error *error)
{
    struct keyring_key about = {.kind = KEYRING_KEK};
    return source_add_bytes(source, &about, bytes, error) ? SOURCE_READ : SOURCE_REFUSED;
}

static const char *line_end(const char *at, const char *end)
{
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    return newline == NULL ? end : newline;
}

/* Whether each of several lines is an AES-256 key of its own, and not the part of one. */
static bool is_list(const struct source_text *text, decoder *decode)
{
    const char *end = text->text + text->length;
    size_t lines = 0;
    for (const char *at = text->text, *stop; at < end; at = stop + 1) {
        struct error ignored = ERROR_INIT;
        stop = line_end(at, end);
        struct secret *bytes = decode(at, (size_t)(stop - at), &ignored);
        bool key = bytes != NULL && bytes->length == LISTED_BYTES;
        secret_free(bytes);
        if (!key || ++lines > LINES_MAX)
            return false;
    }
    return lines > 1;
}

static enum source_verdict add_list(struct source *source, const struct source_text *text,
                                    decoder *decode, struct error *error)
{
    const char *end = text->text + text->length;
    for (const char *at = text->text, *stop; at < end; at = stop + 1) {
        stop = line_end(at, end);
        struct secret *bytes = decode(at, (size_t)(stop - at), error);
        if (bytes == NULL || add_or_refuse(source, bytes, error) != SOURCE_READ)
            return SOURCE_REFUSED;
    }
    return SOURCE_READ;
}

static enum source_verdict add_text(struct source *source, const struct source_text *text,
                                    decoder *decode, struct error *error)
{
    struct error why = ERROR_INIT;
    bool wrapped = source->options->unwrap != NULL;
    if (!wrapped && is_list(text, decode))
        return add_list(source, text, decode, error);
    struct secret *bytes = decode(text->text, text->length, &why);
    if (bytes == NULL && why.code != ERROR_NONE) {
        *error = why;
        return SOURCE_REFUSED;
    }
    if (bytes != NULL && (wrapped || source_is_key_size(bytes->length)))
        return add_or_refuse(source, bytes, error);
    secret_free(bytes);
    return SOURCE_NOT_THIS;
}

static enum source_verdict read_text(struct source *source, decoder *decode, struct error *error)
{
    struct source_text text;
    if (!source_text_open(&text, source, error))
        return SOURCE_REFUSED;
    enum source_verdict verdict = add_text(source, &text, decode, error);
    source_text_close(&text);
    return verdict;
}

/* Digits of a text that has nothing else but separators; else 0. */
static size_t count_digits(const struct buffer *file)
{
    size_t digits = 0;
    for (size_t i = 0; i < file->length; i++) {
        if (digit(file->data[i]) >= 0)
            digits++;
        else if (!is_blank(file->data[i]) && file->data[i] != ':')
            return 0;
    }
    return digits;
}

/* What reads as hex is hex, else what reads as base64 is that, else come the raw bytes: a random
 * key looks like text of the right length with a chance of less than 2^-40. */
enum source_verdict source_hex(struct source *source, struct error *error)
{
    enum source_verdict verdict = read_text(source, source_hex_bytes, error);
    size_t digits = verdict == SOURCE_NOT_THIS ? count_digits(source->file) : 0;
    /* Such text is neither base64 nor a raw key of the sizes that keys have. */
    if (digits < 2 * 16 + 1 || source_is_key_size(source->file->length))
        return verdict;
    error_set(error, ERROR_DAMAGED,
              "is hex of %zu digits; keys of VMs have 32, 48, 64 or 128 (cut short?)", digits);
    return SOURCE_REFUSED;
}

enum source_verdict source_base64(struct source *source, struct error *error)
{
    return read_text(source, source_base64_bytes, error);
}

/* Of a random key all bytes are such with a chance of 2^-22 for 16 of them, 2^-45 for 32. */
static bool is_printable(const struct buffer *file)
{
    for (size_t i = 0; i < file->length; i++) {
        char c = file->data[i];
        if ((c < ' ' || c > '~') && !is_blank(c))
            return false;
    }
    return true;
}

enum source_verdict source_raw(struct source *source, struct error *error)
{
    const struct buffer *file = source->file;
    const char *form = source->options->form;
    bool wrapped = source->options->unwrap != NULL && file->length <= WRAP_MAX;
    if (file->length == 0 || (!wrapped && !source_is_key_size(file->length)))
        return SOURCE_NOT_THIS;
    if ((form == NULL || strcmp(form, "raw") != 0) && is_printable(file)) {
        error_set(error, ERROR_DAMAGED,
                  "is text of %zu characters, but no key in hex or base64 (a wrong character, or "
                  "cut short?); said to be raw, it is taken as it is",
                  file->length);
        return SOURCE_REFUSED;
    }
    struct secret *bytes = secret_copy(buffer_text(file), file->length, error);
    return bytes == NULL ? SOURCE_REFUSED : add_or_refuse(source, bytes, error);
}
