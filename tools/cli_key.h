/*
 * cli_key - the commands of vmcrypt-key.
 */
#ifndef VMCRYPT_TOOLS_CLI_KEY_H
#define VMCRYPT_TOOLS_CLI_KEY_H

#include <stdio.h>

#include "tools/cli.h"

int cli_key_explain(struct cli *cli);
int cli_key_import(struct cli *cli);
int cli_key_list(struct cli *cli);
int cli_key_test(struct cli *cli);
int cli_key_seal(struct cli *cli);
int cli_key_unseal(struct cli *cli);
int cli_key_unwrap(struct cli *cli);
int cli_key_wrap(struct cli *cli);

/* A key for machines and, with the title of its source's form or NULL, for people; never its
 * value. */
json_t *cli_key_json(const struct keyring_key *key);
void cli_key_print(const struct keyring_key *key, const char *form);
void cli_key_print_to(FILE *to, const struct keyring_key *key, const char *form);

#endif
