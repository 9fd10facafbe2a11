/* source_kmip_json - keys in KMIP objects and messages as JSON; see source.h.
 *
 * {"tag": "SymmetricKey", "type": "Structure", "value": [ … ]}, hex for byte strings, names or
 * "0x…" for tags and enumerations; a structure may lack its type [KMIP Additional Message
 * Encodings 1.0, §4; source: Cosmian KMS, whose `ckms … export` writes one object and whose REST
 * interface answers with one payload]. A file may hold several, in a row or in an array.
 *
 * The text is read in place and turned into the binary encoding: a JSON library would leave the
 * key in memory of its own.
 */
#include <ctype.h>
#include <string.h>

#include "base/utf8.h"
#include "keywrap/kmip.h"
#include "keywrap/ttlv.h"

enum { DEPTH_MAX = 24 };

struct json {
    const char *text;
    size_t length, at;
    bool failed; /* what is at AT is no JSON */
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '+' || c == '-' || c == '.';
}

static void skip_blanks(struct json *j)
{
    while (j->at < j->length && is_blank(j->text[j->at]))
        j->at++;
}

/* The next character that is no blank, '\0' at the end. */
static char peek(struct json *j)
{
    skip_blanks(j);
    return j->failed || j->at == j->length ? '\0' : j->text[j->at];
}

static bool accept(struct json *j, char c)
{
    if (peek(j) != c)
        return false;
    j->at++;
    return true;
}

static void expect(struct json *j, char c)
{
    if (!accept(j, c))
        j->failed = true;
}

/* What is between the quotes, escapes as they stand. */
static struct kmip_text read_string(struct json *j)
{
    expect(j, '"');
    size_t begin = j->at;
    while (!j->failed && j->at < j->length && j->text[j->at] != '"')
        j->at += j->text[j->at] == '\\' ? 2 : 1;
    if (j->failed || j->at >= j->length) {
        j->failed = true;
        return (struct kmip_text){0};
    }
    return (struct kmip_text){j->text + begin, j->at++ - begin};
}

/* An array or object with what is in it; brackets are only counted here. */
static void read_brackets(struct json *j)
{
    size_t open = 0;
    do {
        char c = peek(j);
        if (c == '"') {
            read_string(j);
        } else if (c == '\0') {
            j->failed = true;
        } else {
            open += c == '{' || c == '[' ? 1 : 0;
            open -= c == '}' || c == ']' ? 1 : 0;
            j->at++;
        }
    } while (!j->failed && open > 0);
}

/* A number, true, false or null. */
static void read_word(struct json *j)
{
    size_t begin = j->at;
    while (j->at < j->length && is_word(j->text[j->at]))
        j->at++;
    j->failed = j->failed || j->at == begin;
}

/* Any value, as it stands. */
static struct kmip_text read_span(struct json *j)
{
    char c = peek(j);
    size_t begin = j->at;
    if (c == '"')
        read_string(j);
    else if (c == '{' || c == '[')
        read_brackets(j);
    else
        read_word(j);
    return (struct kmip_text){j->text + begin, j->at - begin};
}

/* The members of an item, as they stand; DATA is NULL for one that is not there. */
struct members {
    struct kmip_text tag, type, value;
};

static bool is_key(struct kmip_text key, const char *name)
{
    return key.length == strlen(name) && memcmp(key.data, name, key.length) == 0;
}

static struct members read_members(struct json *j)
{
    struct members m = {0};
    expect(j, '{');
    while (!j->failed && peek(j) != '}') {
        struct kmip_text key = read_string(j);
        expect(j, ':');
        if (is_key(key, "tag") && peek(j) == '"')
            m.tag = read_string(j);
        else if (is_key(key, "type") && peek(j) == '"')
            m.type = read_string(j);
        else if (is_key(key, "value") && m.value.data == NULL)
            m.value = read_span(j);
        else
            read_span(j);
        if (!accept(j, ','))
            break;
    }
    expect(j, '}');
    return m;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* \uXXXX at TEXT; -1 when it is none. */
static int32_t unit_at(struct kmip_text text, size_t at)
{
    int32_t unit = 0;
    if (text.length - at < 6 || text.data[at] != '\\' || text.data[at + 1] != 'u')
        return -1;
    for (size_t i = 2; i < 6; i++) {
        int digit = hex_digit(text.data[at + i]);
        if (digit < 0)
            return -1;
        unit = unit << 4 | digit;
    }
    return unit;
}

static void append_character(struct buffer *out, int32_t c)
{
    const char bytes[4] = {(char)(0xf0 | c >> 18), (char)(0x80 | (c >> 12 & 63)),
                           (char)(0x80 | (c >> 6 & 63)), (char)(0x80 | (c & 63))};
    if (c < 0x80)
        buffer_append_byte(out, (char)c);
    else if (c < 0x800) {
        buffer_append_byte(out, (char)(0xc0 | c >> 6));
        buffer_append(out, bytes + 3, 1);
    } else if (c < 0x10000) {
        buffer_append_byte(out, (char)(0xe0 | c >> 12));
        buffer_append(out, bytes + 2, 2);
    } else
        buffer_append(out, bytes, 4);
}

/* A string without its escapes. False when one of them is none. */
static bool unescape(struct kmip_text text, struct buffer *out)
{
    static const char names[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    for (size_t i = 0; i < text.length; i++) {
        const char *name;
        int32_t unit, low;
        if (text.data[i] != '\\') {
            buffer_append_byte(out, text.data[i]);
        } else if ((unit = unit_at(text, i)) >= 0) {
            i += 5;
            if (unit >= 0xd800 && unit < 0xdc00 && (low = unit_at(text, i + 1)) >= 0xdc00 &&
                low < 0xe000) {
                unit = 0x10000 + (unit - 0xd800) * 0x400 + (low - 0xdc00);
                i += 6;
            } else if (unit >= 0xd800 && unit < 0xe000) {
                return false;
            }
            append_character(out, unit);
        } else if (++i < text.length && (name = strchr(names, text.data[i])) != NULL &&
                   *name != '\0') {
            buffer_append_byte(out, meant[name - names]);
        } else {
            return false;
        }
    }
    return true;
}

/* Where damage is, for the message. */
static bool damaged(const struct json *j, const char *whole, const char *path, struct error *error)
{
    error_set(error, ERROR_DAMAGED, "KMIP JSON that is cut off or damaged");
    return error_at(error, path, (uint64_t)(j->text - whole) + j->at);
}

struct place {
    const char *whole, *path;
};

static bool put_scalar(const struct place *place, const struct members *m, uint32_t tag,
                       struct buffer *out, struct error *error)
{
    struct json value = {.text = m->value.data, .length = m->value.length};
    struct buffer text = BUFFER_INIT;
    bool ok = true;
    if (peek(&value) == '"') {
        struct kmip_text string = read_string(&value);
        if (memchr(string.data, '\\', string.length) == NULL) {
            ok = kmip_put(out, tag, m->type, string, error);
        } else if (unescape(string, &text) && utf8_valid(buffer_text(&text), text.length)) {
            struct kmip_text plain = {buffer_text(&text), text.length};
            ok = kmip_put(out, tag, m->type, plain, error);
        } else {
            ok = damaged(&value, place->whole, place->path, error);
        }
        if (text.failed)
            ok = error_memory(error);
    } else {
        ok = kmip_put(out, tag, m->type, m->value, error);
    }
    if (!ok && error->code == ERROR_DAMAGED)
        error_at(error, place->path, (uint64_t)(m->value.data - place->whole));
    buffer_free(&text);
    return ok;
}

static bool put_item(const struct place *place, struct json *j, unsigned depth, struct buffer *out,
                     struct error *error)
{
    struct members m = read_members(j);
    if (j->failed || m.tag.data == NULL || m.value.data == NULL)
        return damaged(j, place->whole, place->path, error);
    if (depth == DEPTH_MAX) {
        error_set(error, ERROR_DAMAGED, "KMIP JSON nested more than %d deep", DEPTH_MAX);
        return error_at(error, place->path, (uint64_t)(m.value.data - place->whole));
    }
    uint32_t tag = kmip_tag_parse(m.tag.data, m.tag.length);
    if (tag == 0)
        return true;
    if (m.type.data != NULL && !is_key(m.type, "Structure"))
        return put_scalar(place, &m, tag, out, error);
    struct json inside = {.text = m.value.data, .length = m.value.length};
    size_t begun = ttlv_begin(out, tag);
    bool ok = accept(&inside, '[') || damaged(&inside, place->whole, place->path, error);
    while (ok && peek(&inside) == '{') {
        ok = put_item(place, &inside, depth + 1, out, error);
        if (!accept(&inside, ','))
            break;
    }
    if (ok && !accept(&inside, ']'))
        ok = damaged(&inside, place->whole, place->path, error);
    ttlv_end(out, begun);
    return ok && (!out->failed || error_memory(error));
}

/* The first object has a tag that is KMIP's. Its end may be missing. */
static bool is_kmip(struct json j)
{
    while (accept(&j, '['))
        continue;
    expect(&j, '{');
    while (!j.failed && peek(&j) == '"') {
        struct kmip_text key = read_string(&j);
        expect(&j, ':');
        if (is_key(key, "tag") && peek(&j) == '"') {
            struct kmip_text tag = read_string(&j);
            return !j.failed && kmip_tag_parse(tag.data, tag.length) != 0;
        }
        read_span(&j);
        if (!accept(&j, ','))
            break;
    }
    return false;
}

enum source_verdict source_kmip_json(struct source *source, struct error *error)
{
    const char *text = buffer_text(source->file);
    struct json j = {.text = text, .length = source->file->length};
    struct place place = {text, source->path};
    struct buffer ttlv = BUFFER_INIT;
    struct kmip kmip = KMIP_INIT;
    if (!is_kmip(j))
        return SOURCE_NOT_THIS;
    bool ok = true, in_array = accept(&j, '[');
    while (ok && peek(&j) != '\0' && peek(&j) != ']') {
        ok = put_item(&place, &j, 0, &ttlv, error);
        accept(&j, ',');
    }
    if (ok && in_array && !accept(&j, ']'))
        ok = damaged(&j, text, source->path, error);
    if (ok && peek(&j) != '\0')
        ok = damaged(&j, text, source->path, error);
    enum source_verdict verdict = SOURCE_REFUSED;
    if (ok && kmip_scan(&kmip, buffer_text(&ttlv), ttlv.length, error))
        verdict = kmip_deliver(&kmip, source, "object", error);
    kmip_free(&kmip);
    buffer_free(&ttlv);
    return verdict;
}
