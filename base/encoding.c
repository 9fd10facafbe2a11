/* encoding - see encoding.h. */
#include "base/encoding.h"

#include <ctype.h>
#include <errno.h>
#include <iconv.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

/*
 * Names without case, '-' and '_', and what iconv calls the code page. Names of the East Asian
 * standards mean the Windows code page around them, which is what a Windows host writes under
 * that name and which holds 0x5c and 0x7e as ASCII.
 */
static const struct {
    const char *name, *iconv;
} known[] = {
    {"windows1250", "CP1250"},
    {"windows1251", "CP1251"},
    {"windows1252", "CP1252"},
    {"windows1253", "CP1253"},
    {"windows1254", "CP1254"},
    {"windows1255", "CP1255"},
    {"windows1256", "CP1256"},
    {"windows1257", "CP1257"},
    {"windows1258", "CP1258"},
    {"windows874", "CP874"},
    {"tis620", "CP874"},
    {"iso885911", "CP874"},
    {"iso88591", "ISO-8859-1"},
    {"latin1", "ISO-8859-1"},
    {"iso88592", "ISO-8859-2"},
    {"iso88593", "ISO-8859-3"},
    {"iso88594", "ISO-8859-4"},
    {"iso88595", "ISO-8859-5"},
    {"iso88596", "ISO-8859-6"},
    {"iso88597", "ISO-8859-7"},
    {"iso88598", "ISO-8859-8"},
    {"iso88599", "ISO-8859-9"},
    {"iso885910", "ISO-8859-10"},
    {"iso885913", "ISO-8859-13"},
    {"iso885914", "ISO-8859-14"},
    {"iso885915", "ISO-8859-15"},
    {"iso885916", "ISO-8859-16"},
    {"koi8r", "KOI8-R"},
    {"koi8u", "KOI8-U"},
    {"macintosh", "MACINTOSH"},
    {"ibm437", "IBM437"},
    {"ibm850", "IBM850"},
    {"ibm852", "IBM852"},
    {"ibm866", "IBM866"},
    {"shiftjis", "CP932"},
    {"sjis", "CP932"},
    {"mskanji", "CP932"},
    {"windows31j", "CP932"},
    {"windows932", "CP932"},
    {"cp932", "CP932"},
    {"eucjp", "EUC-JP"},
    {"gbk", "CP936"},
    {"gb2312", "CP936"},
    {"windows936", "CP936"},
    {"cp936", "CP936"},
    {"gb18030", "GB18030"},
    {"big5", "CP950"},
    {"windows950", "CP950"},
    {"cp950", "CP950"},
    {"big5hkscs", "BIG5-HKSCS"},
    {"euckr", "UHC"},
    {"ksc56011987", "UHC"},
    {"windows949", "UHC"},
    {"cp949", "UHC"},
    {"euctw", "EUC-TW"},
    {"cp1250", "CP1250"},
    {"cp1251", "CP1251"},
    {"cp1252", "CP1252"},
    {"cp1253", "CP1253"},
    {"cp1254", "CP1254"},
    {"cp1255", "CP1255"},
    {"cp1256", "CP1256"},
    {"cp1257", "CP1257"},
    {"cp1258", "CP1258"},
};

enum { NAME_MAX_BYTES = 64 };

enum kind { KIND_UTF8, KIND_TABLE, KIND_UNKNOWN };

struct encoding {
    char *name;
    enum kind kind;
    const char *iconv_name; /* KIND_TABLE */
    iconv_t to_utf8, from_utf8;
};

static void fold_name(const char *name, char folded[NAME_MAX_BYTES])
{
    size_t length = 0;
    for (; *name != '\0' && length < NAME_MAX_BYTES - 1; name++)
        if (*name != '-' && *name != '_')
            folded[length++] = (char)tolower((unsigned char)*name);
    folded[length] = '\0';
}

static const char *iconv_name_of(const char *folded)
{
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(known[i].name, folded) == 0)
            return known[i].iconv;
    return NULL;
}

struct encoding *encoding_open(const char *name, struct error *error)
{
    struct encoding *encoding = calloc(1, sizeof *encoding);
    if (encoding == NULL || (encoding->name = strdup(name)) == NULL) {
        free(encoding);
        error_memory(error);
        return NULL;
    }
    char folded[NAME_MAX_BYTES];
    fold_name(name, folded);
    encoding->kind = KIND_UNKNOWN;
    encoding->iconv_name = iconv_name_of(folded);
    if (strcmp(folded, "utf8") == 0) {
        encoding->kind = KIND_UTF8;
    } else if (encoding->iconv_name != NULL) {
        /* A system without the converter leaves the code page unknown: still readable. */
        encoding->to_utf8 = iconv_open("UTF-8", encoding->iconv_name);
        encoding->from_utf8 = iconv_open(encoding->iconv_name, "UTF-8");
        if (encoding->to_utf8 != (iconv_t)-1 && encoding->from_utf8 != (iconv_t)-1) {
            encoding->kind = KIND_TABLE;
        } else {
            if (encoding->to_utf8 != (iconv_t)-1)
                iconv_close(encoding->to_utf8);
            if (encoding->from_utf8 != (iconv_t)-1)
                iconv_close(encoding->from_utf8);
        }
    }
    return encoding;
}

void encoding_close(struct encoding *encoding)
{
    if (encoding == NULL)
        return;
    if (encoding->kind == KIND_TABLE) {
        iconv_close(encoding->to_utf8);
        iconv_close(encoding->from_utf8);
    }
    free(encoding->name);
    free(encoding);
}

bool encoding_is_known(const struct encoding *encoding)
{
    return encoding->kind != KIND_UNKNOWN;
}

const char *encoding_name(const struct encoding *encoding)
{
    return encoding->name;
}

bool encoding_same(const struct encoding *a, const struct encoding *b)
{
    if (a->kind != b->kind)
        return false;
    if (a->kind == KIND_TABLE)
        return strcmp(a->iconv_name, b->iconv_name) == 0;
    return a->kind == KIND_UTF8 || strcasecmp(a->name, b->name) == 0;
}

static bool is_ascii(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] >= 0x80)
            return false;
    return true;
}

static void append_hex(uint8_t byte, const char *bar, struct buffer *out)
{
    static const char digits[] = "0123456789ABCDEF";
    const char hex[2] = {digits[byte >> 4], digits[byte & 15]};
    buffer_append_text(out, bar);
    buffer_append(out, hex, sizeof hex);
}

static bool decode_utf8(const char *bytes, size_t length, const char *bar, struct buffer *out)
{
    size_t good = 0; /* bytes before I that are still to be copied */
    for (size_t i = 0; i < length;) {
        size_t size = utf8_character(bytes + i, length - i);
        if (size > 0) {
            good += size;
            i += size;
            continue;
        }
        if (bar == NULL)
            return false;
        buffer_append(out, bytes + i - good, good);
        append_hex((uint8_t)bytes[i++], bar, out);
        good = 0;
    }
    return buffer_append(out, bytes + length - good, good);
}

/* What a conversion stopped at. */
enum stop { STOP_DONE, STOP_INPUT, STOP_MEMORY };

/*
 * Convert until the input is used up or cannot be. Every round either takes input or enlarges the
 * room for output, which is bounded by the input: a converter that does neither is stopped.
 */
static enum stop convert(iconv_t converter, const char **in, size_t *left, struct buffer *out)
{
    enum { ROOM = 64, STEP = 64 << 10, MOST_PER_BYTE = 8 };
    size_t budget = *left * MOST_PER_BYTE + ROOM;
    bool flushing = *left == 0;
    for (;;) {
        size_t room = (*left < STEP ? *left : STEP) * 3 + ROOM;
        char *end = buffer_reserve(out, room);
        if (end == NULL)
            return STOP_MEMORY;
        char *start = end, *input = (char *)*in;
        size_t before = *left;
        size_t result = flushing ? iconv(converter, NULL, NULL, &end, &room)
                                 : iconv(converter, &input, left, &end, &room);
        int reason = errno;
        size_t written = (size_t)(end - start);
        *in = input;
        out->length += written;
        out->data[out->length] = '\0';
        if (result != (size_t)-1) {
            /* Some code pages hold the last character back until they are told of the end. */
            if (flushing)
                return STOP_DONE;
            flushing = true;
            continue;
        }
        if (reason != E2BIG || written > budget || (before == *left && written == 0))
            return STOP_INPUT;
        budget -= written;
    }
}

static bool decode_table(iconv_t converter, const char *bytes, size_t length, const char *bar,
                         struct buffer *out)
{
    const char *in = bytes;
    size_t left = length;
    iconv(converter, NULL, NULL, NULL, NULL);
    for (;;) {
        enum stop stop = convert(converter, &in, &left, out);
        if (stop == STOP_MEMORY)
            return false;
        if (stop == STOP_DONE || left == 0)
            return !out->failed;
        if (bar == NULL)
            return false;
        size_t none = 0;
        const char *end = in;
        if (convert(converter, &end, &none, out) == STOP_MEMORY)
            return false;
        append_hex((uint8_t)*in, bar, out);
        in++;
        left--;
        iconv(converter, NULL, NULL, NULL, NULL);
    }
}

bool encoding_decode(const struct encoding *encoding, const char *bytes, size_t length,
                     const char *bar, struct buffer *out)
{
    if (is_ascii(bytes, length))
        return buffer_append(out, bytes, length);
    if (encoding->kind != KIND_TABLE)
        return decode_utf8(bytes, length, bar, out);
    return decode_table(encoding->to_utf8, bytes, length, bar, out);
}

static bool same_again(const struct encoding *encoding, const char *text, size_t length,
                       const char *bytes, size_t byte_count)
{
    struct buffer again = BUFFER_INIT;
    bool same = decode_table(encoding->to_utf8, bytes, byte_count, "|", &again) &&
                again.length == length && memcmp(buffer_text(&again), text, length) == 0;
    buffer_free(&again);
    return same;
}

bool encoding_encode(const struct encoding *encoding, const char *text, size_t length,
                     struct buffer *out, struct error *error)
{
    if (!utf8_valid(text, length))
        return error_set(error, ERROR_FAILED, "the text is not UTF-8");
    if (is_ascii(text, length) || encoding->kind == KIND_UTF8)
        return buffer_append(out, text, length) || error_memory(error);
    if (encoding->kind == KIND_UNKNOWN)
        return error_set(error, ERROR_FAILED, "only ASCII can be written in code page '%.60s'",
                         encoding->name);
    size_t start = out->length, left = length;
    const char *in = text;
    iconv(encoding->from_utf8, NULL, NULL, NULL, NULL);
    enum stop stop = convert(encoding->from_utf8, &in, &left, out);
    if (stop == STOP_MEMORY)
        return error_memory(error);
    if (stop == STOP_DONE &&
        same_again(encoding, text, length, buffer_text(out) + start, out->length - start))
        return true;
    return error_set(error, ERROR_FAILED,
                     "the text has characters that code page '%.60s' cannot hold", encoding->name);
}

void encoding_forget(const struct encoding *encoding, size_t length)
{
    struct buffer filler = BUFFER_INIT, out = BUFFER_INIT;
    if (encoding->kind != KIND_TABLE)
        return;
    /* glibc converts through a buffer of its own: another text of that length replaces it. */
    while (filler.length < length && buffer_append_byte(&filler, 'x'))
        continue;
    const iconv_t both[] = {encoding->from_utf8, encoding->to_utf8};
    for (size_t i = 0; i < 2; i++) {
        const char *in = buffer_text(&filler);
        size_t left = filler.length;
        iconv(both[i], NULL, NULL, NULL, NULL);
        convert(both[i], &in, &left, &out);
    }
    buffer_free(&filler);
    buffer_free(&out);
}
