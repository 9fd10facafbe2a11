/* geometry - see geometry.h: the text, and the numbers. */
#include "vmdk/geometry.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/file.h"

static const char *const CIPHERS[] = {"xts", "cbc-plain64", "cbc-plain", "cbc-essiv", "cbc-null"};
static const char *const TWEAKS[] = {"unit", "sector", "byte"};
static const char *const ORDERS[] = {"little", "big", "big64"};
static const char *const BASES[] = {"disk", "extent", "file"};
static const char *const KEYS[] = {"given", "swapped"};

/* A table of names and how many there are. */
#define CHOICES(table) (table), sizeof(table) / sizeof(table)[0]

enum { SECTOR = 512 };

size_t geometry_unit(const struct disk_geometry *g)
{
    return g->unit == 0 ? GEOMETRY_UNIT_MIN : g->unit;
}

bool geometry_equal(const struct disk_geometry *a, const struct disk_geometry *b)
{
    return geometry_unit(a) == geometry_unit(b) && a->cipher == b->cipher && a->tweak == b->tweak &&
           a->order == b->order && a->from == b->from && a->swapped == b->swapped &&
           a->header == b->header && a->start == b->start;
}

bool geometry_is_default(const struct disk_geometry *g)
{
    const struct disk_geometry plain = {.unit = 0};
    return geometry_equal(g, &plain);
}

static bool choose(const char *value, const char *const *names, size_t count, size_t *choice)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(value, names[i]) == 0) {
            *choice = i;
            return true;
        }
    }
    return false;
}

/* A multiple of 512; products and files end far below INT64_MAX. */
static bool parse_bytes(const char *text, uint64_t *bytes)
{
    char *end = NULL;
    errno = 0;
    if (text[0] < '0' || text[0] > '9')
        return false;
    *bytes = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0' && *bytes <= INT64_MAX && *bytes % SECTOR == 0;
}

static bool parse_word(const char *name, const char *value, struct disk_geometry *g)
{
    size_t choice = 0;
    uint64_t bytes = 0;
    bool ok = true;
    if (strcmp(name, "cipher") == 0) {
        ok = choose(value, CHOICES(CIPHERS), &choice);
        g->cipher = (enum geometry_cipher_kind)choice;
    } else if (strcmp(name, "tweak") == 0) {
        ok = choose(value, CHOICES(TWEAKS), &choice);
        g->tweak = (enum geometry_tweak)choice;
    } else if (strcmp(name, "order") == 0) {
        ok = choose(value, CHOICES(ORDERS), &choice);
        g->order = (enum geometry_order)choice;
    } else if (strcmp(name, "from") == 0) {
        ok = choose(value, CHOICES(BASES), &choice);
        g->from = (enum geometry_base)choice;
    } else if (strcmp(name, "key") == 0) {
        ok = choose(value, CHOICES(KEYS), &choice);
        g->swapped = choice == 1;
    } else if (strcmp(name, "unit") == 0) {
        ok = parse_bytes(value, &bytes) && bytes >= GEOMETRY_UNIT_MIN &&
             bytes <= GEOMETRY_UNIT_MAX && (bytes & (bytes - 1)) == 0;
        g->unit = (size_t)bytes;
    } else if (strcmp(name, "header") == 0) {
        ok = parse_bytes(value, &g->header);
    } else if (strcmp(name, "start") == 0) {
        bool minus = value[0] == '-';
        ok = parse_bytes(value + minus, &bytes);
        g->start = minus ? -(int64_t)bytes : (int64_t)bytes;
    } else {
        ok = false;
    }
    return ok;
}

/* What is true of all words together. */
static bool check(const struct disk_geometry *g, struct error *error)
{
    size_t unit = geometry_unit(g);
    if (g->start < 0 && g->start % (int64_t)unit != 0)
        return error_set(error, ERROR_USAGE,
                         "a geometry that starts before 0 does so by whole units of %zu bytes",
                         unit);
    if (g->tweak == GEOMETRY_UNITS && g->start % (int64_t)unit != 0)
        return error_set(error, ERROR_USAGE,
                         "a geometry that counts units starts at a multiple of %zu bytes", unit);
    return true;
}

bool geometry_parse(const char *text, struct disk_geometry *g, struct error *error)
{
    char word[64];
    *g = (struct disk_geometry){.unit = GEOMETRY_UNIT_MIN};
    for (const char *at = text;; at++) {
        size_t length = strcspn(at, ",");
        bool ok = length < sizeof word;
        if (ok) {
            memcpy(word, at, length);
            word[length] = '\0';
            char *value = strchr(word, '=');
            ok = value != NULL;
            if (ok) {
                *value = '\0';
                ok = parse_word(word, value + 1, g);
            }
        }
        if (!ok)
            return error_set(error, ERROR_USAGE,
                             "\"%.*s\" is no word of a geometry; one is like "
                             "unit=4096,tweak=sector,from=file",
                             (int)(length < 64 ? length : 64), at);
        at += length;
        if (*at == '\0')
            return check(g, error);
    }
}

void geometry_print(const struct disk_geometry *g, char out[GEOMETRY_TEXT])
{
    struct buffer text = BUFFER_INIT;
    buffer_printf(&text, "unit=%zu,tweak=%s", geometry_unit(g), TWEAKS[g->tweak]);
    if (g->cipher != GEOMETRY_XTS)
        buffer_printf(&text, ",cipher=%s", CIPHERS[g->cipher]);
    if (g->order != GEOMETRY_LITTLE)
        buffer_printf(&text, ",order=%s", ORDERS[g->order]);
    buffer_printf(&text, ",from=%s", BASES[g->from]);
    if (g->header != 0)
        buffer_printf(&text, ",header=%" PRIu64, g->header);
    if (g->start != 0)
        buffer_printf(&text, ",start=%" PRId64, g->start);
    if (g->swapped)
        buffer_append_text(&text, ",key=swapped");
    snprintf(out, GEOMETRY_TEXT, "%s", buffer_text(&text));
    buffer_free(&text);
}

/* The one line of TEXT that is no comment; it is cut out in place. */
static const char *find_line(char *text)
{
    char *found = NULL, *rest = NULL;
    for (char *line = strtok_r(text, "\r\n", &rest); line != NULL;
         line = strtok_r(NULL, "\r\n", &rest)) {
        line += strspn(line, " \t");
        if (*line == '#' || *line == '\0')
            continue;
        if (found != NULL)
            return NULL;
        found = line;
        found[strcspn(found, " \t#")] = '\0';
    }
    return found;
}

bool geometry_load(const char *text_or_file, struct disk_geometry *g, struct error *error)
{
    if (strchr(text_or_file, '=') != NULL && !file_exists(text_or_file))
        return geometry_parse(text_or_file, g, error);
    struct buffer text = BUFFER_INIT;
    bool ok = file_read_all(text_or_file, GEOMETRY_FILE_MAX, &text, error) &&
              (buffer_append_byte(&text, '\0') || error_memory(error));
    if (ok) {
        const char *line = find_line(text.data);
        ok = line != NULL
                 ? geometry_parse(line, g, error)
                 : error_set(error, ERROR_USAGE, "a file with a geometry holds one line with it");
    }
    buffer_free(&text);
    return ok || error_in_file(error, text_or_file);
}

bool geometry_number(const struct disk_geometry *g, uint64_t position,
                     uint8_t number[GEOMETRY_NUMBER_BYTES])
{
    /* The sum may pass 2^63, but not 2^64. */
    uint64_t before = g->start < 0 ? (uint64_t)-g->start : 0;
    if (position < before)
        return false;
    uint64_t n = g->start < 0 ? position - before : position + (uint64_t)g->start;
    n /= g->tweak == GEOMETRY_UNITS     ? geometry_unit(g)
         : g->tweak == GEOMETRY_SECTORS ? (uint64_t)SECTOR
                                        : 1;
    memset(number, 0, GEOMETRY_NUMBER_BYTES);
    if (g->cipher == GEOMETRY_CBC_NULL)
        return true;
    if (g->cipher == GEOMETRY_CBC_PLAIN)
        n = (uint32_t)n;
    for (size_t i = 0; i < 8; i++) {
        size_t at = g->order == GEOMETRY_LITTLE ? i : g->order == GEOMETRY_BIG ? 15 - i : 7 - i;
        number[at] = (uint8_t)(n >> (8 * i));
    }
    return true;
}
