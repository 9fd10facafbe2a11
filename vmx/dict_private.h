/*
 * dict_private - how a dictionary is kept: for dict.c (reading) and dict_change.c only.
 */
#ifndef VMCRYPT_VMX_DICT_PRIVATE_H
#define VMCRYPT_VMX_DICT_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmx/dict.h"
#include "vmx/dict_arena.h"
#include "base/encoding.h"
#include "vmx/dict_index.h"
#include "vmx/dict_line.h"

#define DICT_ENCODING_SETTING ".encoding"

/* Lines are linked by their place in dict->lines, which never changes; DICT_NO_LINE ends a list.
 * Removed lines stay there unlinked. */
struct dict_line {
    const char *text; /* with its end */
    const char *name; /* UTF-8; NULL when it is no setting */
    const char *value;
    struct dict_line_parts parts;
    uint32_t length, end_length;
    uint32_t before, after;                 /* all lines */
    uint32_t setting_before, setting_after; /* lines that set something */
    uint32_t same_before;                   /* an earlier line that sets the same name */
};

/* Where the last dict_at stood, so that a walk through the settings takes linear time. */
struct dict_cursor {
    size_t i;
    uint32_t line;
};

struct dict {
    struct dict_arena arena;
    struct dict_index index;
    struct encoding *encoding;
    struct dict_line *lines;
    size_t line_count, line_room;
    uint32_t first, last, first_setting, last_setting;
    struct dict_cursor *cursor;
    struct buffer text, scratch; /* for use again and again: such memory is dear to get */
    size_t odd_lines;
    bool has_mark;  /* the text starts with a byte order mark */
    bool non_ascii; /* some line has, or had, a byte above 0x7f */
};

/* A new line behind AFTER (DICT_NO_LINE: as the first); its texts must outlive the dictionary. */
bool dict_insert_line(struct dict *dict, uint32_t after, struct dict_line line,
                      struct error *error);

/* Enter line I, a setting with its name and value, as the last one. */
bool dict_enter_setting(struct dict *dict, uint32_t i, struct error *error);

/* Decode the name and value of LINE into the arena. */
bool dict_decode_line(struct dict *dict, struct dict_line *line, struct error *error);

/* The line that counts for NAME, and the line of setting I: DICT_NO_LINE when there is none. */
uint32_t dict_find_line(const struct dict *dict, const char *name);
uint32_t dict_setting_line(const struct dict *dict, size_t i);

/* Some byte of TEXT is above 0x7f. */
bool dict_has_non_ascii(const char *text, size_t length);

#endif
