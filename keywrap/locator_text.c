/* locator_text - reading and writing the text form of key locators; see locator.h. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/encode.h"
#include "keywrap/locator.h"

static const char URL_PREFIX[] = "vmware:key/";

const char *locator_find(const char *text, size_t *length)
{
    const char *start = strcasestr(text, URL_PREFIX);
    if (start != NULL)
        *length = strcspn(start, "\"' \t\r\n");
    return start;
}
static const char NULL_ELEMENT[] = "<VMWARE-NULL>";
static const char EMPTY_ELEMENT[] = "<VMWARE-EMPTYSTRING>";

/* What the fields behind a type name are; one letter each: t text, n text or null, e the empty
 * element, p port number, b TRUE or FALSE, r role name, d base64. */
static const char *const field_kinds[] = {
    [LOCATOR_NULL] = "e",      [LOCATOR_RAWKEY] = "",    [LOCATOR_PHRASE] = "tt",
    [LOCATOR_LDAP] = "nnnpbt", [LOCATOR_SCRIPT] = "ntt", [LOCATOR_ROLE] = "nr",
    [LOCATOR_FQID] = "nnt",    [LOCATOR_LIST] = "",      [LOCATOR_PAIR] = "td",
};

struct cursor {
    const char *start; /* of the whole text, to name offsets */
    const char *at, *end;
    unsigned depth;
    struct error *error;
};

static bool malformed(const struct cursor *c, const char *what)
{
    return error_set(c->error, ERROR_DAMAGED, "key locator, at character %zu: %s",
                     (size_t)(c->at - c->start), what);
}

/* The characters up to DELIMITER (0: up to the end), which is skipped. At least one. */
static bool take_until(struct cursor *c, char delimiter, const char **text, size_t *length)
{
    size_t left = (size_t)(c->end - c->at);
    const char *stop = delimiter == 0 || left == 0 ? NULL : memchr(c->at, delimiter, left);
    *text = c->at;
    *length = stop == NULL ? left : (size_t)(stop - c->at);
    if (*length == 0)
        return malformed(c, "a field is missing or empty");
    c->at = stop == NULL ? c->end : stop + 1;
    /* A delimiter with nothing behind it promises a member that is not there. */
    if (stop != NULL && c->at == c->end)
        return malformed(c, "text ends behind a delimiter");
    return true;
}

/* Undo %xx into OUT (NUL behind it), which holds LENGTH + 1 bytes. */
static bool unescape(struct cursor *c, const char *text, size_t length, char *out,
                     size_t *out_length)
{
    *out_length = length;
    if (!percent_decode(text, length, (uint8_t *)out, out_length))
        return malformed(c, "a % without two hex digits");
    out[*out_length] = '\0';
    return true;
}

static bool text_is(const char *text, size_t length, const char *what)
{
    return length == strlen(what) && memcmp(text, what, length) == 0;
}

static bool is_role(const char *name)
{
    return strcasecmp(name, "obfuscation") == 0 || strcasecmp(name, "adminIdent") == 0 ||
           strcasecmp(name, "adminRecovery") == 0 || strcasecmp(name, "server") == 0;
}

static bool is_port(const char *text)
{
    char *end;
    unsigned long long port = strtoull(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && port <= UINT32_MAX;
}

static bool check_kind(struct cursor *c, char kind, const struct locator_field *field)
{
    const char *text = field->value;
    if (text == NULL)
        return kind == 'n' || malformed(c, "a null element where a value must be");
    if (kind == 'e' && field->length > 0)
        return malformed(c, "a null locator holds something");
    if (kind == 'p' && !is_port(text))
        return malformed(c, "port is no number");
    if (kind == 'b' && strcasecmp(text, "TRUE") != 0 && strcasecmp(text, "FALSE") != 0)
        return malformed(c, "use of SSL is neither TRUE nor FALSE");
    if (kind == 'r' && !is_role(text))
        return malformed(c, "unknown role");
    if (kind == 'd') {
        size_t bound = base64_decoded_bound(field->length);
        uint8_t *scratch = malloc(bound);
        if (scratch == NULL)
            return error_memory(c->error);
        bool ok = base64_decode(text, field->length, scratch, &bound);
        free(scratch);
        return ok || malformed(c, "locked data are not base64");
    }
    return true;
}

static bool read_field(struct cursor *c, char kind, char delimiter, bool last,
                       struct locator *locator)
{
    const char *text;
    size_t length;
    /* The last field may hold '/' in the API spelling, but "//" is an empty field. */
    if (last && c->at < c->end && *c->at == '/')
        return malformed(c, "an empty field");
    if (!take_until(c, delimiter, &text, &length))
        return false;
    struct locator_field *field = &locator->fields[locator->field_count++];
    field->raw = malloc(length);
    field->value = malloc(length + 1);
    if (field->raw == NULL || field->value == NULL)
        return error_memory(c->error);
    memcpy(field->raw, text, length);
    field->raw_length = length;
    if (!unescape(c, text, length, field->value, &field->length))
        return false;
    if (text_is(field->value, field->length, NULL_ELEMENT)) {
        free(field->value);
        field->value = NULL;
        field->length = 0;
    } else if (text_is(field->value, field->length, EMPTY_ELEMENT)) {
        field->value[0] = '\0';
        field->length = 0;
    }
    return check_kind(c, kind, field);
}

/* Fields of an indirect locator, or those of a pair behind its locker. */
static bool read_fields(struct cursor *c, char between, char behind, struct locator *locator)
{
    const char *kinds = field_kinds[locator->type];
    for (size_t i = 0; kinds[i] != '\0'; i++) {
        bool last = kinds[i + 1] == '\0';
        if (!read_field(c, kinds[i], last ? behind : between, last, locator))
            return false;
    }
    return true;
}

static bool read_rawkey(struct cursor *c, char behind, struct locator *locator)
{
    const char *text;
    size_t length;
    if (!take_until(c, behind, &text, &length))
        return false;
    locator->key_raw = secret_copy(text, length, c->error);
    locator->key = locator->key_raw == NULL ? NULL : secret_new(length, c->error);
    return locator->key != NULL &&
           unescape(c, text, length, (char *)locator->key->data, &locator->key->length);
}

static struct locator *read_locator(struct cursor *c, bool inside);

/* "(…)" into an inner cursor; then the ',' that parts members, when INSIDE a compound. */
static bool read_parentheses(struct cursor *c, bool inside, struct cursor *content)
{
    if (c->at == c->end || *c->at != '(')
        return malformed(c, "'(' is missing");
    size_t level = 0;
    const char *close = c->at;
    for (; close < c->end; close++) {
        if (*close == '(')
            level++;
        else if (*close == ')' && --level == 0)
            break;
    }
    if (close == c->end)
        return malformed(c, "'(' is not closed");
    *content = *c;
    content->at = c->at + 1;
    content->end = close;
    c->at = close + 1;
    if (c->at == c->end)
        return true;
    if (!inside || *c->at != ',')
        return malformed(c, "characters behind ')'");
    c->at++;
    return c->at < c->end || malformed(c, "text ends behind ','");
}

static bool read_compound(struct cursor *c, bool inside, struct locator *locator)
{
    struct cursor content;
    if (!read_parentheses(c, inside, &content))
        return false;
    if (++content.depth > LOCATOR_MAX_DEPTH)
        return malformed(c, "lists and pairs are nested too deep");
    bool list = locator->type == LOCATOR_LIST;
    while (list ? content.at < content.end : locator->child_count == 0) {
        if (locator->child_count == LOCATOR_MAX_CHILDREN)
            return malformed(&content, "too many members in a list");
        struct locator *child = read_locator(&content, true);
        if (child == NULL || !locator_add_child(locator, child, c->error))
            return false;
    }
    return list || read_fields(&content, ',', 0, locator);
}

static bool read_type(struct cursor *c, struct locator *locator)
{
    const char *text;
    size_t length;
    if (!take_until(c, '/', &text, &length))
        return false;
    locator->type_name = strndup(text, length);
    if (locator->type_name == NULL)
        return error_memory(c->error);
    for (int type = LOCATOR_NULL; type <= LOCATOR_PAIR; type++) {
        if (strcasecmp(locator->type_name, locator_type_name(type)) == 0) {
            locator->type = type;
            return true;
        }
    }
    return malformed(c, "unknown type of key locator");
}

/* One locator; INSIDE a list or pair its end is ',' or the end of the parentheses. */
static struct locator *read_locator(struct cursor *c, bool inside)
{
    struct locator *locator = locator_new(LOCATOR_NULL, c->error);
    if (locator == NULL)
        return NULL;
    char behind = inside ? ',' : 0;
    bool ok = read_type(c, locator);
    if (ok) {
        switch (locator->type) {
        case LOCATOR_RAWKEY:
            ok = read_rawkey(c, behind, locator);
            break;
        case LOCATOR_LIST:
        case LOCATOR_PAIR:
            ok = read_compound(c, inside, locator);
            break;
        default:
            ok = read_fields(c, '/', behind, locator);
            break;
        }
    }
    if (ok)
        return locator;
    locator_free(locator);
    return NULL;
}

struct locator *locator_parse(const char *text, size_t length, struct error *error)
{
    struct cursor c = {.start = text, .at = text, .end = text + length, .error = error};
    size_t prefix = sizeof URL_PREFIX - 1;
    if (length > LOCATOR_MAX_BYTES) {
        error_set(error, ERROR_DAMAGED, "key locator of %zu bytes is too long", length);
        return NULL;
    }
    if (length <= prefix || strncasecmp(text, URL_PREFIX, prefix) != 0) {
        error_set(error, ERROR_DAMAGED, "not a key locator: it does not begin with \"%s\"",
                  URL_PREFIX);
        return NULL;
    }
    if (memchr(text, '\0', length) != NULL) {
        error_set(error, ERROR_DAMAGED, "not a key locator: it holds NUL bytes");
        return NULL;
    }
    c.at += prefix;
    struct locator *locator = read_locator(&c, false);
    if (locator != NULL && (locator->prefix = strndup(text, prefix)) == NULL) {
        error_memory(error);
        locator_free(locator);
        return NULL;
    }
    return locator;
}

static bool write_field(const struct locator_field *field, struct buffer *out)
{
    if (field->raw != NULL)
        return buffer_append(out, field->raw, field->raw_length);
    if (field->value == NULL)
        return buffer_append_text(out, NULL_ELEMENT);
    if (field->length == 0)
        return buffer_append_text(out, EMPTY_ELEMENT);
    return percent_encode(field->value, field->length, out);
}

static bool write_node(const struct locator *locator, struct buffer *out)
{
    bool compound = locator->type == LOCATOR_LIST || locator->type == LOCATOR_PAIR;
    buffer_append_text(out, locator->type_name != NULL ? locator->type_name
                                                       : locator_type_name(locator->type));
    buffer_append_text(out, compound ? "/(" : "/");
    for (size_t i = 0; i < locator->child_count; i++) {
        if (i > 0)
            buffer_append_byte(out, ',');
        write_node(locator->children[i], out);
    }
    for (size_t i = 0; i < locator->field_count; i++) {
        if (i + locator->child_count > 0)
            buffer_append_byte(out, compound ? ',' : '/');
        write_field(&locator->fields[i], out);
    }
    if (locator->key_raw != NULL)
        buffer_append(out, locator->key_raw->data, locator->key_raw->length);
    else if (locator->key != NULL)
        percent_encode(locator->key->data, locator->key->length, out);
    else if (locator->type == LOCATOR_NULL && locator->field_count == 0)
        /* The one place where products escape this element. */
        percent_encode(EMPTY_ELEMENT, sizeof EMPTY_ELEMENT - 1, out);
    if (compound)
        buffer_append_byte(out, ')');
    return !out->failed;
}

bool locator_write(const struct locator *locator, struct buffer *out)
{
    buffer_append_text(out, locator->prefix != NULL ? locator->prefix : URL_PREFIX);
    return write_node(locator, out);
}
