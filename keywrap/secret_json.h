/*
 * secret_json - JSON that may hold keys: what jansson copies of it is wiped when it is freed.
 */
#ifndef VMCRYPT_KEYWRAP_SECRET_JSON_H
#define VMCRYPT_KEYWRAP_SECRET_JSON_H

#include <stddef.h>

#include <jansson.h>

#include "base/error.h"

enum { SECRET_JSON_MAX = 8 << 20 };

/* Parse LENGTH bytes of UTF-8: one object or array, no name twice in an object. NULL with
 * *error (ERROR_DAMAGED, naming line and column, nothing of the text). Free with json_decref. */
json_t *secret_json_read(const char *text, size_t length, struct error *error);

/* The member of OBJECT called NAME (in lower case) whatever its spelling: keyId, KeyId, key-id and
 * key_id are one name, as each API's tools write it their own way. NULL: there is none, or OBJECT
 * is no object. Borrowed. */
const json_t *secret_json_member(const json_t *object, const char *name);

/* The same when it is a string, else NULL. */
const char *secret_json_text(const json_t *object, const char *name);

#endif
