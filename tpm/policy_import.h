/*
 * policy_import - a policy from what vSphere Trust Authority exports: PowerCLI's helper JSON, the
 * zip of Export-Tpm2CACertificate, the JSON of endorsement keys and of attestation settings.
 * [vendor documentation and VMware/PowerCLI-Example-Scripts; no export of a real cluster was seen]
 */
#ifndef VMCRYPT_TPM_POLICY_IMPORT_H
#define VMCRYPT_TPM_POLICY_IMPORT_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/log.h"

struct policy_import {
    json_t *policy;                          /* for yaml_tree_write; see policy.h */
    size_t cas, keys, settings, base_images; /* how many were found */
};

bool policy_import_start(struct policy_import *import, const char *name, struct error *error);
/* Add what the file at PATH has; ERROR_DAMAGED when that is nothing. What cannot be taken over is
 * told in LOG: base images are only named in such exports. */
bool policy_import_file(struct policy_import *import, const char *path, struct log *log,
                        struct error *error);
/* The same of bytes at hand, PATH for messages. */
bool policy_import_parse(struct policy_import *import, const char *path, const struct buffer *bytes,
                         struct log *log, struct error *error);
void policy_import_free(struct policy_import *import);

#endif
