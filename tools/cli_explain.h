/*
 * cli_explain - what a key locator says, as JSON and as text; never a key itself.
 */
#ifndef VMCRYPT_TOOLS_CLI_EXPLAIN_H
#define VMCRYPT_TOOLS_CLI_EXPLAIN_H

#include <stdio.h>

#include <jansson.h>

#include "keywrap/keysafe.h"
#include "keywrap/locator.h"

/* A JSON string of text from a file, made printable where it is no UTF-8. */
json_t *cli_json_text(const char *text);

/* One object: "type" and what that type holds; "members" of a list, "locker" of a pair. */
json_t *cli_locator_json(const struct locator *locator);

/* The same for people, each line behind INDENT spaces. OBJECT is from cli_locator_json. */
void cli_locator_print(FILE *to, const json_t *object, int indent);

/* An array: for each pair that was tried, what came of it. */
json_t *cli_attempts_json(const struct keysafe_result *result);

#endif
