/*
 * dict - the settings text of a VM, `name = "value"` lines, kept without loss.
 *
 * Every line keeps its bytes: comments, order, spacing, line ends, duplicates. Only a line that
 * is set anew is written anew, and of that only the value, so an untouched text comes back byte
 * for byte. Names compare without regard to ASCII case. dict_line.h has the grammar.
 *
 * Values are handed out in UTF-8: the bytes of the file in the code page that `.encoding` names
 * (base/encoding.h), `|XX` (two hex digits) undone where the product writes it for bytes it cannot
 * put between quotes ('"' is |22, '|' is |7C, line feed |0A; dict_escape.h). A byte that has no
 * meaning in the code page is shown as |XX too, and stays what it was when the value is set to
 * what was shown. [real samples; source: open-vm-tools lib/dict]
 */
#ifndef VMCRYPT_VMX_DICT_H
#define VMCRYPT_VMX_DICT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"

enum { DICT_MAX_BYTES = 64 << 20, DICT_MAX_LINES = 1 << 20 };

/* Reading a dictionary moves a cursor in it: one thread at a time, also for reading. */
struct dict;

/* Parse LENGTH bytes. ENCODING is the code page when the text names none itself (the inner text
 * of an encrypted .vmx), NULL for UTF-8. Lines that are neither setting, comment nor blank are
 * kept and counted, not refused. NULL with *error set on a bound broken or short memory. */
struct dict *dict_parse(const char *text, size_t length, const char *encoding, struct error *error);

/* An empty one, for building. */
struct dict *dict_new(const char *encoding, struct error *error);

/* The whole text as it stands. */
bool dict_write(const struct dict *dict, struct buffer *out);

/* Leave the byte order mark out, if the text has one, for a text that is to be part of another. */
void dict_drop_mark(struct dict *dict);

void dict_free(struct dict *dict);

/* Code page of the text, as named ("UTF-8" when none is). */
const char *dict_encoding(const struct dict *dict);

/* Value in UTF-8, NUL-terminated, valid until the dictionary changes; NULL when NAME is not
 * there. Of duplicates the last one counts, as the products read them. */
const char *dict_get(const struct dict *dict, const char *name);

/* The same, as a truth value: TRUE/true/yes/1. ABSENT when it is not there. */
bool dict_get_bool(const struct dict *dict, const char *name, bool absent);

/* Set NAME (all duplicates but the last are left alone; the last one is the one that counts) or
 * append it behind the last setting. False (ERROR_FAILED) when VALUE has no form in the code
 * page or is not UTF-8, or when it would rename the code page of a text that is not all ASCII;
 * ERROR_USAGE when a new NAME is none. */
bool dict_set(struct dict *dict, const char *name, const char *value, struct error *error);

/* Remove every line that sets NAME; returns how many. */
size_t dict_unset(struct dict *dict, const char *name);

/* Settings in order, I = 0 …; false past the last. Duplicates are seen each. */
bool dict_at(const struct dict *dict, size_t i, const char **name, const char **value);

/* Copy setting I of FROM behind the last one of TO: the very bytes when both have the same code
 * page, with the line end of TO when that has lines. */
bool dict_append_from(struct dict *to, const struct dict *from, size_t i, struct error *error);

/* Lines that are no setting, comment or blank. */
size_t dict_odd_lines(const struct dict *dict);

#endif
