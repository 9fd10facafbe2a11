/* keyring_document - see keyring_document.h. */
#include "keywrap/keyring_document.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"

static const char NAME[] = "secret";

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_quote(char c)
{
    return c == '"' || c == '\'';
}

static bool is_base64(char c)
{
    return isalnum((unsigned char)c) || c == '+' || c == '/' || c == '=';
}

/* The name of a setting may begin at AT: first in its line, in an item or in braces. */
static bool begins_setting(const char *text, size_t at)
{
    if (at > 0 && is_quote(text[at - 1]))
        at--;
    size_t before = at;
    while (before > 0 && is_blank(text[before - 1]))
        before--;
    if (before == 0)
        return true;
    char c = text[before - 1];
    return c == '\n' || c == '\r' || c == '{' || c == ',' ||
           (before < at && (c == '-' || c == '?'));
}

/* Length of `secret: ` in front of a value, quotes and blanks included; 0 when it is not that. */
static size_t prefix_length(const char *text, size_t length)
{
    size_t at = sizeof NAME - 1;
    if (at < length && is_quote(text[at]))
        at++;
    while (at < length && is_blank(text[at]))
        at++;
    if (at == length || text[at] != ':')
        return 0;
    at++;
    while (at < length && is_blank(text[at]))
        at++;
    if (at < length && is_quote(text[at]))
        at++;
    return at;
}

static bool add_slice(struct keyring_document *d, size_t start, size_t length)
{
    if (d->secret_count == d->secret_room) {
        size_t room = d->secret_room == 0 ? 16 : 2 * d->secret_room;
        struct keyring_slice *grown = realloc(d->secrets, room * sizeof *grown);
        if (grown == NULL)
            return false;
        d->secrets = grown;
        d->secret_room = room;
    }
    d->secrets[d->secret_count] = (struct keyring_slice){start, length};
    return buffer_printf(&d->masked, "s%zu", d->secret_count++);
}

static bool mask(struct keyring_document *d)
{
    const char *text = buffer_text(d->text), *end = text + d->text->length, *found;
    const char *done = text, *from = text;
    bool ok = true;
    while (ok && (found = memmem(from, (size_t)(end - from), NAME, sizeof NAME - 1)) != NULL) {
        size_t prefix = begins_setting(text, (size_t)(found - text))
                            ? prefix_length(found, (size_t)(end - found))
                            : 0;
        const char *value = found + prefix, *stop = value;
        while (prefix > 0 && stop < end && is_base64(*stop))
            stop++;
        from = found + sizeof NAME - 1;
        if (stop == value)
            continue;
        ok = buffer_append(&d->masked, done, (size_t)(value - done)) &&
             add_slice(d, (size_t)(value - text), (size_t)(stop - value));
        from = done = stop;
    }
    return ok && buffer_append(&d->masked, done, (size_t)(end - done));
}

bool keyring_document_open(struct keyring_document *d, const struct buffer *text, const char *path,
                           struct error *error)
{
    *d = (struct keyring_document){.path = path, .text = text};
    if (!mask(d) || yaml_parser_initialize(&d->parser) != 1)
        return error_memory(error);
    d->parsing = true;
    yaml_parser_set_input_string(&d->parser, (const unsigned char *)buffer_text(&d->masked),
                                 d->masked.length);
    return true;
}

bool keyring_document_next(struct keyring_document *d, yaml_node_t **root, struct error *error)
{
    if (d->loaded)
        yaml_document_delete(&d->document);
    d->loaded = yaml_parser_load(&d->parser, &d->document) == 1;
    if (d->loaded) {
        *root = yaml_document_get_root_node(&d->document);
        return true;
    }
    error_set(error, ERROR_DAMAGED, "line %zu: not YAML: %s", d->parser.problem_mark.line + 1,
              d->parser.problem == NULL ? "unknown problem" : d->parser.problem);
    return error_in_file(error, d->path);
}

void keyring_document_close(struct keyring_document *d)
{
    if (d->loaded)
        yaml_document_delete(&d->document);
    if (d->parsing)
        yaml_parser_delete(&d->parser);
    buffer_free(&d->masked);
    free(d->secrets);
    *d = (struct keyring_document){.path = NULL};
}

bool keyring_document_wrong(const struct keyring_document *d, const yaml_node_t *node,
                            const char *what, struct error *error)
{
    error_set(error, ERROR_DAMAGED, "line %zu: %s", node->start_mark.line + 1, what);
    return error_in_file(error, d->path);
}

const char *keyring_document_scalar(const yaml_node_t *node)
{
    if (node == NULL || node->type != YAML_SCALAR_NODE ||
        memchr(node->data.scalar.value, '\0', node->data.scalar.length) != NULL)
        return NULL;
    return (const char *)node->data.scalar.value;
}

bool keyring_document_mapping(struct keyring_document *d, yaml_node_t *node,
                              struct keyring_setting *settings, size_t count, struct error *error)
{
    if (node->type != YAML_MAPPING_NODE)
        return keyring_document_wrong(d, node, "expected `name: value` settings here", error);
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        yaml_node_t *key = yaml_document_get_node(&d->document, pair->key);
        const char *name = keyring_document_scalar(key);
        size_t i = 0;
        while (i < count && (name == NULL || strcmp(settings[i].name, name) != 0))
            i++;
        if (i == count)
            return keyring_document_wrong(d, key, "a setting that keyrings do not have here",
                                          error);
        if (settings[i].value != NULL)
            return keyring_document_wrong(d, key, "a setting that is given twice", error);
        settings[i].value = yaml_document_get_node(&d->document, pair->value);
    }
    return true;
}

bool keyring_document_slice(const struct keyring_document *d, const yaml_node_t *node,
                            struct keyring_slice *slice)
{
    const char *number = keyring_document_scalar(node);
    if (number == NULL || number[0] != 's' || number[1] < '0' || number[1] > '9')
        return false;
    char *end;
    unsigned long long i = strtoull(number + 1, &end, 10);
    if (*end != '\0' || i >= d->secret_count)
        return false;
    *slice = d->secrets[i];
    return true;
}

struct secret *keyring_document_secret(const struct keyring_document *d, const yaml_node_t *node,
                                       struct error *error)
{
    struct keyring_slice slice;
    const char *text = keyring_document_scalar(node);
    if (text != NULL && text[0] == '\0')
        return secret_new(0, error);
    if (!keyring_document_slice(d, node, &slice)) {
        keyring_document_wrong(d, node, "a `secret:` is base64 in the same line", error);
        return NULL;
    }
    size_t length = base64_decoded_bound(slice.length);
    struct secret *bytes = secret_new(length, error), *secret = NULL;
    if (bytes == NULL)
        return NULL;
    if (base64_decode(buffer_text(d->text) + slice.start, slice.length, bytes->data, &length))
        secret = secret_copy(bytes->data, length, error);
    else
        keyring_document_wrong(d, node, "this `secret:` is not base64", error);
    secret_free(bytes);
    return secret;
}
