/*
 * keyring_yaml - what reading one keyring file is made of; private to keyring_*.c.
 */
#ifndef VMCRYPT_KEYWRAP_KEYRING_YAML_H
#define VMCRYPT_KEYWRAP_KEYRING_YAML_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "keywrap/keyring.h"
#include "keywrap/keyring_document.h"

/* Of a keyring with all that it includes. */
enum { KEYRING_MAX_ENTRIES = 200000, KEYRING_MAX_FILES = 20000, KEYRING_MAX_DEPTH = 16 };

/* A keyring file being read, and those that include it: a chain. */
struct keyring_file {
    const struct keyring_file *within;
    unsigned depth;
    bool known; /* which file it is */
    dev_t device;
    ino_t inode;
    size_t *entries, *files; /* so far, of the whole chain */
};

struct keyring_loader {
    struct keyring_document document;
    const char *path;
    struct keyring *ring;
    const struct keyring_load *load;
    struct keyring_load inner; /* for what this file names */
    struct keyring_file file;
    bool has_secret; /* a secret stands in the file itself */
    struct error *error;
};

/* One YAML document of it. */
bool keyring_yaml_read(struct keyring_loader *l, yaml_node_t *root);

bool keyring_yaml_wrong(struct keyring_loader *l, const yaml_node_t *node, const char *what);
/* After a failure: true, and it is forgotten, when this is a passive reading. */
bool keyring_yaml_forgive(struct keyring_loader *l);
/* The text of NODE, NULL when NODE is NULL. */
bool keyring_yaml_text(struct keyring_loader *l, const yaml_node_t *node, const char **text);
/* The same for a path, made relative to the keyring; malloc'd. */
bool keyring_yaml_path(struct keyring_loader *l, const yaml_node_t *node, char **path);
/* "DIR/NAME" for a NAME in the keyring at PATH, never "-". */
char *keyring_file_beside(const char *path, const char *name);

/* A passphrase as the mapping NODE says; *PHRASE is NULL when it cannot be had, which was warned
 * of. *LABEL is what messages call it. */
bool keyring_yaml_phrase(struct keyring_loader *l, yaml_node_t *node, struct secret **phrase,
                         const char **label);
/* What a TPM has sealed, as the mapping NODE says; *SECRET as *PHRASE. */
bool keyring_yaml_tpm(struct keyring_loader *l, yaml_node_t *node, struct secret **secret);

#endif
