/*
 * descriptor_charset - code pages that `encoding=` names, to and from UTF-8.
 *
 * Products write IANA names of the host's code page [libvmdk]. Only known stateless supersets of
 * ASCII reach iconv: a hostile file does not choose which converter runs, and line syntax can be
 * found in the bytes before conversion.
 */
#include "vmdk/descriptor_private.h"

#include <ctype.h>
#include <errno.h>
#include <iconv.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct charset {
    const char *name;
    const char *iconv;
};

/* Windows writes Shift_JIS and GBK for its own supersets of them, in which 5C is a backslash. */
static const struct charset CHARSETS[] = {
    {"Shift_JIS", "CP932"},  {"windows-31j", "CP932"}, {"windows-932", "CP932"},
    {"GB2312", "GBK"},       {"GBK", "GBK"},           {"windows-936", "GBK"},
    {"GB18030", "GB18030"},  {"Big5", "CP950"},        {"windows-950", "CP950"},
    {"EUC-KR", "CP949"},     {"windows-949", "CP949"}, {"ks_c_5601-1987", "CP949"},
    {"EUC-JP", "EUC-JP"},    {"EUC-TW", "EUC-TW"},     {"KOI8-R", "KOI8-R"},
    {"KOI8-U", "KOI8-U"},    {"TIS-620", "TIS-620"},   {"windows-874", "CP874"},
    {"ISO-8859-1", "CP1252"}};

/* Families whose members differ by a number only. */
static const struct charset FAMILIES[] = {
    {"windows-125", "CP125"}, {"ISO-8859-", "ISO-8859-"}, {"ISO_8859-", "ISO-8859-"}};

/* Name for iconv in OUT (of SIZE bytes); false when the code page is not one of ours. */
static bool find_charset(const char *name, char *out, size_t size)
{
    for (size_t i = 0; i < sizeof CHARSETS / sizeof CHARSETS[0]; i++) {
        if (strcasecmp(name, CHARSETS[i].name) == 0) {
            memcpy(out, CHARSETS[i].iconv, strlen(CHARSETS[i].iconv) + 1);
            return true;
        }
    }
    for (size_t i = 0; i < sizeof FAMILIES / sizeof FAMILIES[0]; i++) {
        size_t prefix = strlen(FAMILIES[i].name), kept = strlen(FAMILIES[i].iconv);
        if (strncasecmp(name, FAMILIES[i].name, prefix) != 0)
            continue;
        const char *number = name + prefix;
        size_t digits = strspn(number, "0123456789");
        if (digits == 0 || digits > 2 || number[digits] != '\0' || kept + digits + 1 > size)
            return false;
        memcpy(out, FAMILIES[i].iconv, kept);
        memcpy(out + kept, number, digits + 1);
        return true;
    }
    return false;
}

static bool is_ascii(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)bytes[i] >= 0x80)
            return false;
    }
    return true;
}

static char *copy(const char *bytes, size_t length)
{
    char *text = malloc(length + 1);
    if (text != NULL) {
        memcpy(text, bytes, length);
        text[length] = '\0';
    }
    return text;
}

/* NULL when the bytes have no form in TO (errno EILSEQ, EINVAL) or memory is short (ENOMEM). */
static char *convert(const char *to, const char *from, const char *bytes, size_t length)
{
    iconv_t converter = iconv_open(to, from);
    if (converter == (iconv_t)-1)
        return NULL;
    /* No code page above needs more than four bytes for one. */
    size_t left = 4 * length + 1;
    char *text = malloc(left);
    char *in = (char *)(uintptr_t)bytes, *out = text;
    bool ok = text != NULL;
    if (ok) {
        ok = iconv(converter, &in, &length, &out, &left) != (size_t)-1;
        int saved = errno;
        if (ok) {
            *out = '\0';
        } else {
            free(text);
            text = NULL;
        }
        errno = saved;
    }
    int saved = errno;
    iconv_close(converter);
    errno = saved;
    return text;
}

char *charset_to_utf8(const char *encoding, const char *bytes, size_t length)
{
    char name[40];
    if (is_ascii(bytes, length) || !find_charset(encoding, name, sizeof name))
        return copy(bytes, length);
    char *text = convert("UTF-8", name, bytes, length);
    return text != NULL ? text : copy(bytes, length);
}

char *charset_from_utf8(const char *encoding, const char *text, struct error *error)
{
    char name[40];
    size_t length = strlen(text);
    char *bytes;
    if (is_ascii(text, length) || encoding[0] == '\0' || strcasecmp(encoding, "UTF-8") == 0) {
        bytes = copy(text, length);
    } else if (!find_charset(encoding, name, sizeof name)) {
        error_set(error, ERROR_FAILED,
                  "the descriptor's code page \"%s\" is not known; only ASCII names can be written",
                  encoding);
        return NULL;
    } else {
        bytes = convert(name, "UTF-8", text, length);
        if (bytes == NULL && errno != ENOMEM) {
            error_set(error, ERROR_FAILED, "\"%s\" has no form in the descriptor's code page %s",
                      text, encoding);
            return NULL;
        }
    }
    if (bytes == NULL)
        error_memory(error);
    return bytes;
}
