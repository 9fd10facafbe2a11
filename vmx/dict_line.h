/*
 * dict_line - the grammar of one line:
 *
 *   <ws> <name> <ws> = <ws> " <quoted value> " <ws> <comment>
 *   <ws> <name> <ws> = <ws> <value> <ws> <comment>
 *   <ws> <comment>
 *
 * A name holds no white space, '=' or '#'; a comment starts with '#'. A line ends in LF, CRLF or
 * CR, and a NUL ends its text early [source: open-vm-tools lib/dict/dictll.c, lib/misc/vmstdio.c].
 * All of these bytes are below 0x30, so no second byte of a multi-byte character is taken for
 * one. Two things are read here that the product refuses: quotes inside of quotes (the closing
 * one is the first that only white space or a comment follows) and bare values with white space.
 */
#ifndef VMCRYPT_VMX_DICT_LINE_H
#define VMCRYPT_VMX_DICT_LINE_H

#include <stddef.h>
#include <stdint.h>

enum dict_line_kind { DICT_LINE_BLANK, DICT_LINE_COMMENT, DICT_LINE_SETTING, DICT_LINE_ODD };

/* Offsets from the start of the line. */
struct dict_line_parts {
    enum dict_line_kind kind;
    uint32_t name, name_length;
    uint32_t token, token_length; /* value as it is spelled, with its quotes */
    uint32_t value, value_length; /* without them */
};

/* Bytes of the first line of TEXT including its end, of which *end_length are the line end. */
size_t dict_line_split(const char *text, size_t length, size_t *end_length);

/* LENGTH bytes without the line end, fewer than 4 GiB. */
struct dict_line_parts dict_line_parse(const char *line, size_t length);

#endif
