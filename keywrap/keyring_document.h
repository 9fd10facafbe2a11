/*
 * keyring_document - the YAML of a keyring, read without its secrets passing through the parser.
 *
 * libyaml copies what it reads about the heap and wipes none of it. So it is given a copy of the
 * text in which the value of each `secret:` is replaced by its number ("s7"), and the value itself
 * is taken from the text, which lies in memory that is wiped.
 */
#ifndef VMCRYPT_KEYWRAP_KEYRING_DOCUMENT_H
#define VMCRYPT_KEYWRAP_KEYRING_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>

#include <yaml.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/secret.h"

/* Where in the text a secret's base64 stands. */
struct keyring_slice {
    size_t start, length;
};

struct keyring_document {
    const char *path;          /* for messages */
    const struct buffer *text; /* as the file has it; lives longer */
    struct buffer masked;
    size_t secret_count, secret_room;
    struct keyring_slice *secrets;
    bool parsing, loaded; /* which of the two that follow are there */
    yaml_parser_t parser;
    yaml_document_t document;
};

/* Keyrings are one or more YAML documents. Close it also after a failure. */
bool keyring_document_open(struct keyring_document *d, const struct buffer *text, const char *path,
                           struct error *error);
/* Go on to the next document; *ROOT is its root, NULL when there are no more. */
bool keyring_document_next(struct keyring_document *d, yaml_node_t **root, struct error *error);
void keyring_document_close(struct keyring_document *d);

/* Fill *error: the file, the line of NODE, and WHAT. Returns false. */
bool keyring_document_wrong(const struct keyring_document *d, const yaml_node_t *node,
                            const char *what, struct error *error);

/* The text of a scalar; NULL when NODE is none or holds a NUL. */
const char *keyring_document_scalar(const yaml_node_t *node);

struct keyring_setting {
    const char *name;
    yaml_node_t *value; /* filled; NULL when it is not there */
};

/* Fill SETTINGS (COUNT of them) from a mapping; a name that is none of them is an error: a typing
 * mistake must not silently drop a key. */
bool keyring_document_mapping(struct keyring_document *d, yaml_node_t *node,
                              struct keyring_setting *settings, size_t count, struct error *error);

/* Where the base64 of a `secret:` stands; false when NODE is no such value. */
bool keyring_document_slice(const struct keyring_document *d, const yaml_node_t *node,
                            struct keyring_slice *slice);
/* Its bytes; NULL with *error. */
struct secret *keyring_document_secret(const struct keyring_document *d, const yaml_node_t *node,
                                       struct error *error);

#endif
