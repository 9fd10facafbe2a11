/*
 * keyring_yaml - the keyring file: which keys there are and in which files they lie.
 *
 *   version: 1
 *   providers:
 *     - name: KMS
 *       keys:
 *         - id: a4e7494f-da55-4917-9d90-560c5078866b
 *           file: kms-1.key          # relative to this file
 *           encoding: auto           # or raw, hex, base64
 *   passphrases:
 *     - file: vm.passphrase
 *       name: label for messages     # optional
 *
 * Key bytes themselves do not belong here, so that a keyring can be kept with other documents.
 * An unknown name is an error: a typing mistake must not silently drop a key.
 */
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "base/file.h"
#include "keywrap/keyring.h"

enum { FILE_LIMIT = 16 << 20 };

struct loader {
    yaml_document_t document;
    const char *path;
    struct keyring *ring;
    struct log *log;
    struct error *error;
};

static bool wrong(struct loader *l, const yaml_node_t *node, const char *what)
{
    error_set(l->error, ERROR_DAMAGED, "line %zu: %s", node->start_mark.line + 1, what);
    return error_in_file(l->error, l->path);
}

/* One scalar; NULL when NODE is none or holds a NUL. */
static const char *scalar(const yaml_node_t *node)
{
    if (node == NULL || node->type != YAML_SCALAR_NODE ||
        memchr(node->data.scalar.value, '\0', node->data.scalar.length) != NULL)
        return NULL;
    return (const char *)node->data.scalar.value;
}

struct setting {
    const char *name;
    yaml_node_t *value; /* filled; NULL when it is not there */
};

/* Fill SETTINGS (COUNT of them) from a mapping; a name that is none of them is an error. */
static bool read_mapping(struct loader *l, yaml_node_t *node, struct setting *settings,
                         size_t count)
{
    if (node->type != YAML_MAPPING_NODE)
        return wrong(l, node, "expected `name: value` settings here");
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        yaml_node_t *key = yaml_document_get_node(&l->document, pair->key);
        const char *name = scalar(key);
        size_t i = 0;
        while (i < count && (name == NULL || strcmp(settings[i].name, name) != 0))
            i++;
        if (i == count)
            return wrong(l, key, "a setting that keyrings do not have");
        if (settings[i].value != NULL)
            return wrong(l, key, "a setting that is given twice");
        settings[i].value = yaml_document_get_node(&l->document, pair->value);
    }
    return true;
}

/* Call READ for each member of the sequence NODE; an absent or empty one is fine. */
static bool read_sequence(struct loader *l, yaml_node_t *node, void *context,
                          bool (*read)(struct loader *l, yaml_node_t *member, void *context))
{
    if (node == NULL || (node->type == YAML_SCALAR_NODE && node->data.scalar.length == 0))
        return true;
    if (node->type != YAML_SEQUENCE_NODE)
        return wrong(l, node, "expected a list (`- …`) here");
    for (yaml_node_item_t *item = node->data.sequence.items.start;
         item < node->data.sequence.items.top; item++)
        if (!read(l, yaml_document_get_node(&l->document, *item), context))
            return false;
    return true;
}

static bool read_key(struct loader *l, yaml_node_t *node, void *provider)
{
    struct setting s[] = {{"id", NULL}, {"file", NULL}, {"encoding", NULL}};
    if (!read_mapping(l, node, s, 3))
        return false;
    const char *file = scalar(s[1].value);
    const char *encoding = s[2].value == NULL ? "auto" : scalar(s[2].value);
    if (file == NULL || encoding == NULL || (s[0].value != NULL && scalar(s[0].value) == NULL))
        return wrong(l, node, "a key needs `file:`; id, file and encoding are plain texts");
    char *path = file_beside(l->path, file);
    if (path == NULL)
        return error_memory(l->error);
    struct secret *key = key_file_read(path, encoding, l->log, l->error);
    bool ok =
        key != NULL && keyring_add_key(l->ring, provider, scalar(s[0].value), path, key, l->error);
    free(path);
    return ok;
}

static bool read_provider(struct loader *l, yaml_node_t *node, void *context)
{
    (void)context;
    struct setting s[] = {{"name", NULL}, {"keys", NULL}};
    if (!read_mapping(l, node, s, 2))
        return false;
    const char *name = scalar(s[0].value);
    if (name == NULL)
        return wrong(l, node, "a provider needs `name:`");
    return read_sequence(l, s[1].value, (void *)name, read_key);
}

static bool read_passphrase(struct loader *l, yaml_node_t *node, void *context)
{
    (void)context;
    struct setting s[] = {{"file", NULL}, {"name", NULL}};
    if (!read_mapping(l, node, s, 2))
        return false;
    const char *file = scalar(s[0].value);
    if (file == NULL || (s[1].value != NULL && scalar(s[1].value) == NULL))
        return wrong(l, node, "a passphrase needs `file:`");
    char *path = file_beside(l->path, file);
    if (path == NULL)
        return error_memory(l->error);
    struct secret *passphrase = passphrase_file_read(path, l->log, l->error);
    const char *label = s[1].value == NULL ? path : scalar(s[1].value);
    bool ok = passphrase != NULL && keyring_add_phrase(l->ring, label, passphrase, l->error);
    free(path);
    return ok;
}

static bool read_root(struct loader *l)
{
    yaml_node_t *root = yaml_document_get_root_node(&l->document);
    struct setting s[] = {{"version", NULL}, {"providers", NULL}, {"passphrases", NULL}};
    if (root == NULL) {
        error_set(l->error, ERROR_DAMAGED, "an empty keyring");
        return error_in_file(l->error, l->path);
    }
    if (!read_mapping(l, root, s, 3))
        return false;
    const char *version = scalar(s[0].value);
    if (version == NULL || strcmp(version, "1") != 0)
        return wrong(l, root, "a keyring begins with `version: 1`");
    return read_sequence(l, s[1].value, NULL, read_provider) &&
           read_sequence(l, s[2].value, NULL, read_passphrase);
}

bool keyring_load(struct keyring *ring, const char *path, struct log *log, struct error *error)
{
    struct loader l = {.path = path, .ring = ring, .log = log, .error = error};
    struct buffer text = BUFFER_INIT;
    yaml_parser_t parser;
    if (!file_read_all(path, FILE_LIMIT, &text, error)) {
        buffer_free(&text);
        return false;
    }
    bool ok = yaml_parser_initialize(&parser) == 1 || error_memory(error);
    if (ok) {
        yaml_parser_set_input_string(&parser, (const unsigned char *)buffer_text(&text),
                                     text.length);
        if (yaml_parser_load(&parser, &l.document) == 1) {
            ok = read_root(&l);
            yaml_document_delete(&l.document);
        } else {
            ok = error_set(error, ERROR_DAMAGED, "line %zu: not YAML: %s",
                           parser.problem_mark.line + 1,
                           parser.problem == NULL ? "unknown problem" : parser.problem);
            error_in_file(error, path);
        }
        yaml_parser_delete(&parser);
    }
    buffer_free(&text);
    return ok;
}
