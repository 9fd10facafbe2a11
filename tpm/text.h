/*
 * text - JSON and XML as management tools write them, PowerShell among them: with a byte order
 * mark, in UTF-16.
 */
#ifndef VMCRYPT_TPM_TEXT_H
#define VMCRYPT_TPM_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/buffer.h"
#include "base/error.h"

/* The first character that counts, behind white space and a byte order mark. */
bool tpm_text_is_json(const char *data, size_t length);
bool tpm_text_is_xml(const char *data, size_t length);

/* One object or array, no name twice in an object. NULL with *error (ERROR_DAMAGED, naming the
 * line). */
json_t *tpm_text_json(const char *data, size_t length, struct error *error);

/* Append DATA as UTF-8 without a byte order mark. */
bool tpm_text_utf8(const char *data, size_t length, struct buffer *out, struct error *error);

/* The member of OBJECT called NAME (in lower case) whatever its spelling: pcrNumber, PcrNumber and
 * pcr_number are one, as each API's tools write it their own way. NULL: there is none, or OBJECT is
 * no object. Borrowed. */
const json_t *tpm_text_member(const json_t *object, const char *name);

/* The digest that VALUE gives as hex (with or without "0x"), base64 or a list of numbers from -128
 * to 255; false when it gives none. OUT has BANK_DIGEST_MAX bytes. Hex wins where a text may be
 * both. */
bool tpm_text_digest(const json_t *value, uint8_t *out, size_t *length);

#endif
