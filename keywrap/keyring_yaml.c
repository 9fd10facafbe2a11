/*
 * keyring_yaml - the keyring file: which keys there are and in which files they lie.
 *
 *   version: 1
 *   providers:
 *     - name: KMS
 *       keys:
 *         - id: a4e7494f-da55-4917-9d90-560c5078866b
 *           file: kms-1.key          # relative to this file
 *           encoding: auto           # or the name of a form: raw, hex, jwk …
 *   passphrases:
 *     - file: vm.passphrase
 *       name: label for messages     # optional
 *
 * and more: docs/formats.md has all of it. An unknown name is an error.
 */
#include "keywrap/keyring_yaml.h"

#include <stdlib.h>
#include <string.h>

#include "keywrap/source.h"

bool keyring_yaml_wrong(struct keyring_loader *l, const yaml_node_t *node, const char *what)
{
    return keyring_document_wrong(&l->document, node, what, l->error);
}

bool keyring_yaml_forgive(struct keyring_loader *l)
{
    if (l->load->passive)
        error_clear(l->error);
    return l->load->passive;
}

bool keyring_yaml_text(struct keyring_loader *l, const yaml_node_t *node, const char **text)
{
    *text = keyring_document_scalar(node);
    return node == NULL || *text != NULL ||
           keyring_yaml_wrong(l, node, "expected a plain text here");
}

bool keyring_yaml_path(struct keyring_loader *l, const yaml_node_t *node, char **path)
{
    const char *name;
    *path = NULL;
    if (!keyring_yaml_text(l, node, &name) || name == NULL)
        return name == NULL && node == NULL;
    /* Here "-" is a file's name and not standard input. */
    *path = keyring_file_beside(l->path, name);
    return *path != NULL || error_memory(l->error);
}

static bool mapping(struct keyring_loader *l, yaml_node_t *node, struct keyring_setting *settings,
                    size_t count)
{
    return keyring_document_mapping(&l->document, node, settings, count, l->error);
}

/* Call READ for each member of the sequence NODE; an absent or empty one is fine. */
static bool sequence(struct keyring_loader *l, yaml_node_t *node, const void *context,
                     bool (*read)(struct keyring_loader *l, yaml_node_t *member,
                                  const void *context))
{
    if (node == NULL || (node->type == YAML_SCALAR_NODE && node->data.scalar.length == 0))
        return true;
    if (node->type != YAML_SEQUENCE_NODE)
        return keyring_yaml_wrong(l, node, "expected a list (`- …`) here");
    for (yaml_node_item_t *item = node->data.sequence.items.start;
         item < node->data.sequence.items.top; item++) {
        yaml_node_t *member = yaml_document_get_node(&l->document.document, *item);
        /* Aliases make short texts long ones. */
        if (++*l->file.entries > KEYRING_MAX_ENTRIES)
            return keyring_yaml_wrong(l, member, "too many entries");
        if (!read(l, member, context))
            return false;
    }
    return true;
}

/* "passphrase:" of an entry as a ring of its own to try; an absent one leaves RING empty. */
static bool read_own_phrase(struct keyring_loader *l, yaml_node_t *node, struct keyring *ring)
{
    struct secret *phrase = NULL;
    const char *label;
    *ring = KEYRING_INIT;
    if (node == NULL)
        return true;
    return keyring_yaml_phrase(l, node, &phrase, &label) &&
           (phrase == NULL || keyring_add_phrase(ring, label, phrase, l->error));
}

enum {
    KEY_ID,
    KEY_FILE,
    KEY_ENCODING,
    KEY_SECRET,
    KEY_TPM,
    KEY_NAME,
    KEY_IDENTIFIER,
    KEY_COMPONENT,
    KEY_KIND,
    KEY_PASSPHRASE,
    KEY_PROVIDER, /* last: not below a provider */
    KEY_SETTINGS
};

/* What a list says of its keys. */
struct key_list {
    const char *provider;
    bool below_provider;
    enum keyring_kind kind;
};

/* The key itself is at hand: in the keyring, or unsealed. Takes SECRET over; NULL: none to add. */
static bool add_secret(struct keyring_loader *l, const yaml_node_t *node,
                       const struct source_options *options, struct secret *secret)
{
    if (secret == NULL)
        return true;
    if (!source_is_key_size(secret->length)) {
        secret_free(secret);
        return keyring_yaml_wrong(l, node, "a key has 16, 24, 32 or 64 bytes");
    }
    struct keyring_key key = {
        .kind = options->kind,
        .provider = options->provider,
        .id = options->id,
        .origin = l->path,
        .name = options->name,
        .identifier = options->identifier,
        .component = options->component,
        .key = secret,
    };
    return keyring_add(l->ring, &key, l->error);
}

static bool add_file(struct keyring_loader *l, const yaml_node_t *file, yaml_node_t *passphrase,
                     const struct source_options *wanted)
{
    struct source_options options = *wanted;
    struct keyring own;
    struct keyring_load ask = l->inner;
    char *path = NULL;
    if (++*l->file.files > KEYRING_MAX_FILES)
        return keyring_yaml_wrong(l, file, "too many files");
    bool ok = read_own_phrase(l, passphrase, &own) && keyring_yaml_path(l, file, &path);
    options.passphrases = passphrase != NULL ? &own : l->ring;
    if (passphrase != NULL)
        ask.unlock = &own;
    options.ask = &ask;
    ok = ok && (source_read(path, &options, l->ring, NULL, l->load->log, l->error) ||
                keyring_yaml_forgive(l));
    free(path);
    keyring_free(&own);
    return ok || error_in_file(l->error, l->path);
}

static bool read_kind(struct keyring_loader *l, const yaml_node_t *node, enum keyring_kind *kind)
{
    const char *text;
    if (!keyring_yaml_text(l, node, &text))
        return false;
    if (text != NULL && strcmp(text, "kek") != 0 && strcmp(text, "kdk") != 0)
        return keyring_yaml_wrong(l, node, "kinds of keys are kek and kdk");
    if (text != NULL)
        *kind = strcmp(text, "kdk") == 0 ? KEYRING_KDK : KEYRING_KEK;
    return true;
}

static bool read_key(struct keyring_loader *l, yaml_node_t *node, const void *context)
{
    const struct key_list *list = context;
    struct keyring_setting s[KEY_SETTINGS] = {
        {"id", NULL},   {"file", NULL},       {"encoding", NULL},   {"secret", NULL},
        {"tpm", NULL},  {"name", NULL},       {"identifier", NULL}, {"component", NULL},
        {"kind", NULL}, {"passphrase", NULL}, {"provider", NULL}};
    struct source_options options = {.provider = list->provider, .kind = list->kind};
    const char *own_provider = NULL;
    if (!mapping(l, node, s, list->below_provider ? KEY_PROVIDER : KEY_SETTINGS) ||
        !keyring_yaml_text(l, s[KEY_ID].value, &options.id) ||
        !keyring_yaml_text(l, s[KEY_ENCODING].value, &options.form) ||
        !keyring_yaml_text(l, s[KEY_NAME].value, &options.name) ||
        !keyring_yaml_text(l, s[KEY_IDENTIFIER].value, &options.identifier) ||
        !keyring_yaml_text(l, s[KEY_COMPONENT].value, &options.component) ||
        !keyring_yaml_text(l, s[KEY_PROVIDER].value, &own_provider) ||
        !read_kind(l, s[KEY_KIND].value, &options.kind))
        return false;
    if (own_provider != NULL)
        options.provider = own_provider;
    const yaml_node_t *file = s[KEY_FILE].value, *secret = s[KEY_SECRET].value;
    yaml_node_t *tpm = s[KEY_TPM].value, *passphrase = s[KEY_PASSPHRASE].value;
    if ((file != NULL) + (secret != NULL) + (tpm != NULL) != 1)
        return keyring_yaml_wrong(l, node, "a key needs one of `file:`, `secret:` and `tpm:`");
    if (file == NULL && (options.form != NULL || passphrase != NULL))
        return keyring_yaml_wrong(l, node, "`encoding:` and `passphrase:` go with `file:`");
    if (file != NULL)
        return add_file(l, file, passphrase, &options);
    struct secret *bytes = NULL;
    if (tpm != NULL)
        return keyring_yaml_tpm(l, tpm, &bytes) && add_secret(l, node, &options, bytes);
    l->has_secret = true;
    bytes = keyring_document_secret(&l->document, secret, l->error);
    return bytes != NULL && add_secret(l, secret, &options, bytes);
}

/* A file that tells of its own keys; `- FILE` is short for `- file: FILE`. */
static bool read_source(struct keyring_loader *l, yaml_node_t *node, const void *context)
{
    struct source_options options = {.form = NULL};
    return node->type == YAML_SCALAR_NODE ? add_file(l, node, NULL, &options)
                                          : read_key(l, node, context);
}

static bool read_provider(struct keyring_loader *l, yaml_node_t *node, const void *context)
{
    (void)context;
    struct keyring_setting s[] = {{"name", NULL}, {"keys", NULL}, {"kdks", NULL}};
    const char *name;
    if (!mapping(l, node, s, 3) || !keyring_yaml_text(l, s[0].value, &name))
        return false;
    if (name == NULL)
        return keyring_yaml_wrong(l, node, "a provider needs `name:`");
    const struct key_list keys = {name, true, KEYRING_KEK}, kdks = {name, true, KEYRING_KDK};
    return sequence(l, s[1].value, &keys, read_key) && sequence(l, s[2].value, &kdks, read_key);
}

static bool read_passphrase(struct keyring_loader *l, yaml_node_t *node, const void *context)
{
    (void)context;
    struct secret *phrase = NULL;
    const char *label;
    return keyring_yaml_phrase(l, node, &phrase, &label) &&
           (phrase == NULL || keyring_add_phrase(l->ring, label, phrase, l->error));
}

static bool read_include(struct keyring_loader *l, yaml_node_t *node, const void *context)
{
    (void)context;
    struct keyring_setting s[] = {{"file", node}, {"passphrase", NULL}, {"tpm", NULL}};
    if (node->type != YAML_SCALAR_NODE) {
        s[0].value = NULL;
        if (!mapping(l, node, s, 3))
            return false;
    }
    if (s[0].value == NULL || (s[1].value != NULL && s[2].value != NULL))
        return keyring_yaml_wrong(
            l, node, "an include needs `file:`, and has at most one of `passphrase:` and `tpm:`");
    if (++*l->file.files > KEYRING_MAX_FILES)
        return keyring_yaml_wrong(l, node, "too many files");
    struct keyring own = KEYRING_INIT;
    struct keyring_load load = l->inner;
    struct secret *key = NULL;
    char *path = NULL;
    bool ok = s[2].value == NULL ? read_own_phrase(l, s[1].value, &own)
                                 : keyring_yaml_tpm(l, s[2].value, &key);
    if (ok && key != NULL)
        ok = keyring_add_phrase(&own, "the TPM", key, l->error);
    /* What opens it cannot be had, which was said: the other keys may do. */
    bool left = ok && (s[1].value != NULL || s[2].value != NULL) && own.phrase_count == 0;
    if (own.phrase_count > 0)
        load.unlock = &own;
    ok =
        ok && (left || (keyring_yaml_path(l, s[0].value, &path) &&
                        (keyring_load(l->ring, path, &load, l->error) || keyring_yaml_forgive(l))));
    free(path);
    keyring_free(&own);
    return ok;
}

bool keyring_yaml_read(struct keyring_loader *l, yaml_node_t *root)
{
    enum { VERSION, PROVIDERS, KEYS, KDKS, SOURCES, PASSPHRASES, INCLUDES, SETTINGS };
    static const struct key_list keks = {.kind = KEYRING_KEK}, kdks = {.kind = KEYRING_KDK};
    struct keyring_setting s[SETTINGS] = {
        {"version", NULL}, {"providers", NULL},   {"keys", NULL},    {"kdks", NULL},
        {"sources", NULL}, {"passphrases", NULL}, {"includes", NULL}};
    if (!mapping(l, root, s, SETTINGS))
        return false;
    const char *version = keyring_document_scalar(s[VERSION].value);
    if (version == NULL || strcmp(version, "1") != 0)
        return keyring_yaml_wrong(l, root, "a keyring begins with `version: 1`");
    /* Passphrases first: they may open the files that follow. */
    return sequence(l, s[PASSPHRASES].value, NULL, read_passphrase) &&
           sequence(l, s[INCLUDES].value, NULL, read_include) &&
           sequence(l, s[PROVIDERS].value, NULL, read_provider) &&
           sequence(l, s[KEYS].value, &keks, read_key) &&
           sequence(l, s[KDKS].value, &kdks, read_key) &&
           sequence(l, s[SOURCES].value, &keks, read_source);
}
