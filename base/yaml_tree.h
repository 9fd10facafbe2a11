/*
 * yaml_tree - a YAML document as a tree of JSON values, for files without secrets (policies,
 * base images): libyaml parses, jansson holds.
 *
 * Every scalar is a string, whatever it looks like: digests such as 1e10 are not numbers. A JSON
 * document is YAML too, and comes out alike.
 */
#ifndef VMCRYPT_BASE_YAML_TREE_H
#define VMCRYPT_BASE_YAML_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/buffer.h"
#include "base/error.h"

enum {
    YAML_TREE_BYTES_MAX = 64 << 20,
    YAML_TREE_NODES_MAX = 2000000, /* aliases counted as often as they are used */
    YAML_TREE_DEPTH_MAX = 32,
};

/* The one document in LENGTH bytes at TEXT; NULL with *error (NAME and the line) when there is
 * none or more than one, for a name that stands twice in a mapping, and beyond the bounds. */
json_t *yaml_tree_read(const char *name, const void *text, size_t length, struct error *error);

/* VALUE as a YAML document in block style; strings of several lines as literals. */
bool yaml_tree_write(const json_t *value, struct buffer *out, struct error *error);

#endif
