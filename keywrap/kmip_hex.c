/* kmip_hex - bytes out of the hex that people keep them in; see kmip.h.
 *
 * Line by line, without being told which tool wrote it:
 *  - "00000010: 4200 7b01 …  B.{." and the like (xxd, hexdump -C, Wireshark), told by an offset
 *    that follows on the line before; it also says where that line's bytes ended, because the
 *    text column may look like hex;
 *  - lines of nothing but hex, with blanks, punctuation, "0x" or "\x" between;
 *  - else runs of at least 16 digits (PyKMIP's log writes b'42007b…'): shorter ones are times,
 *    numbers and words.
 */
#include <ctype.h>
#include <string.h>

#include "base/encode.h"
#include "keywrap/kmip.h"

enum { RUN_SHORTEST = 16 };

struct line {
    const char *text;
    size_t length;
};

/* A dump being read. Wireshark indents one direction of a stream and counts both by themselves. */
struct dump {
    bool is_open;
    uint64_t line_at, next_at; /* where the last line began and seemed to end */
};

struct hex {
    struct buffer *out;
    struct dump dumps[2];    /* at the margin, indented */
    const struct dump *last; /* whose line was the last to be appended; NULL: no dump's */
    bool was_plain;
};

static size_t digits_at(const struct line *line, size_t at)
{
    size_t n = 0;
    while (at + n < line->length && isxdigit((unsigned char)line->text[at + n]))
        n++;
    return n;
}

static size_t blanks_at(const struct line *line, size_t at)
{
    size_t n = 0;
    while (at + n < line->length && (line->text[at + n] == ' ' || line->text[at + n] == '\t'))
        n++;
    return n;
}

static void append(struct buffer *out, const char *digits, size_t count)
{
    size_t bytes = count / 2;
    char *to = buffer_reserve(out, bytes);
    if (to == NULL || !hex_decode(digits, count, (uint8_t *)to, &bytes))
        return;
    out->length += bytes;
    out->data[out->length] = '\0';
}

/* The bytes behind the offset of a dump's line; ends at the text column. Returns how many. */
static size_t append_dumped(struct hex *hex, const struct line *line, size_t at)
{
    size_t before = hex->out->length;
    for (;;) {
        size_t blanks = blanks_at(line, at), count = hex->out->length - before;
        size_t digits = digits_at(line, at + blanks);
        /* Some leave a wider gap in the middle. */
        bool wide = blanks > 1 && count != 0 && !(blanks == 2 && count == 8);
        if (wide || blanks == 0 || digits == 0 || digits % 2 != 0 || hex->out->failed)
            return count;
        at += blanks + digits;
        if (at < line->length && line->text[at] != ' ' && line->text[at] != '\t')
            return count;
        append(hex->out, line->text + at - digits, digits);
    }
}

static bool parse_offset(const struct line *line, size_t at, size_t digits, uint64_t *offset)
{
    *offset = 0;
    if (digits < 4 || digits > 16)
        return false;
    for (size_t i = 0; i < digits; i++) {
        char c = line->text[at + i];
        *offset = *offset << 4 | (uint64_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return true;
}

static bool read_dump_line(struct hex *hex, const struct line *line)
{
    size_t indent = blanks_at(line, 0), digits = digits_at(line, indent), at = indent + digits;
    struct dump *dump = &hex->dumps[indent > 0];
    uint64_t offset;
    if (!parse_offset(line, indent, digits, &offset))
        return false;
    if (at < line->length && line->text[at] == ':')
        at++;
    bool follows = dump->is_open && offset > dump->line_at && offset <= dump->next_at;
    if (blanks_at(line, at) == 0 || (!follows && (offset != 0 || hex->was_plain)))
        return false;
    /* Bytes of the line before that were text after all. */
    if (follows && hex->last == dump)
        hex->out->length -= (size_t)(dump->next_at - offset);
    size_t count = append_dumped(hex, line, at);
    *dump = (struct dump){true, offset, offset + count};
    hex->last = dump;
    return true;
}

static bool is_between(char c)
{
    return c != '\0' && strchr(" \t\r,:;-'\"[]{}()", c) != NULL;
}

/* "0x" and "\x" before a byte. */
static bool is_mark(const struct line *line, size_t at)
{
    return at + 1 < line->length && (line->text[at] == '0' || line->text[at] == '\\') &&
           (line->text[at + 1] == 'x' || line->text[at + 1] == 'X');
}

static bool is_plain(const struct line *line)
{
    size_t bytes = 0;
    for (size_t i = 0; i < line->length;) {
        size_t digits = is_mark(line, i) ? 0 : digits_at(line, i);
        if (digits % 2 != 0 || (digits == 0 && !is_mark(line, i) && !is_between(line->text[i])))
            return false;
        bytes += digits / 2;
        i += digits > 0 ? digits : is_mark(line, i) ? 2 : 1;
    }
    return bytes > 0;
}

/* Append all runs of at least SHORTEST digits. */
static void append_runs(struct hex *hex, const struct line *line, size_t shortest)
{
    for (size_t i = 0; i < line->length;) {
        size_t digits = is_mark(line, i) ? 0 : digits_at(line, i);
        if (digits >= shortest && digits % 2 == 0)
            append(hex->out, line->text + i, digits);
        i += digits > 0 ? digits : is_mark(line, i) ? 2 : 1;
    }
}

static void read_line(struct hex *hex, const struct line *line)
{
    if (read_dump_line(hex, line))
        return;
    hex->last = NULL;
    hex->was_plain = is_plain(line);
    append_runs(hex, line, hex->was_plain ? 2 : RUN_SHORTEST);
}

void kmip_hex_decode(const char *text, size_t length, struct buffer *out)
{
    struct hex hex = {.out = out};
    for (size_t at = 0; at < length && !out->failed;) {
        const char *end = memchr(text + at, '\n', length - at);
        size_t n = end == NULL ? length - at : (size_t)(end - (text + at));
        struct line line = {text + at, n > 0 && text[at + n - 1] == '\r' ? n - 1 : n};
        read_line(&hex, &line);
        at += n + 1;
    }
}
