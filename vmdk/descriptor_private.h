/*
 * descriptor_private - insides shared by descriptor*.c only.
 *
 * A descriptor is a run of lines. Each line keeps the very bytes it was read from until it is
 * set anew; settings and extents are views of the lines.
 */
#ifndef VMCRYPT_VMDK_DESCRIPTOR_PRIVATE_H
#define VMCRYPT_VMDK_DESCRIPTOR_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "vmdk/descriptor.h"

/* Lines beyond the extents: the largest seen have dozens. Bounds memory, not files. */
enum { DESCRIPTOR_MAX_LINES = 2 * DESCRIPTOR_MAX_EXTENTS };

enum line_kind { LINE_OTHER, LINE_SETTING, LINE_EXTENT };

struct span {
    const char *at;
    size_t length;
};

struct descriptor_line {
    enum line_kind kind;
    struct span bytes; /* the line with its line end; inside the text read, or owned */
    char *owned;       /* NULL when BYTES lie in the text read */
    struct span name;  /* settings: the name as spelled */
    struct span token; /* settings: the value as spelled, with its quotes */
    char *value;       /* settings: the value in UTF-8, without quotes */
};

struct descriptor {
    struct buffer text;   /* as read */
    struct span tail;     /* NULs behind the last line */
    const char *line_end; /* "\n" or "\r\n", for new lines */
    char encoding[40];    /* code page as named; "" when none is */
    size_t line_count, line_capacity;
    struct descriptor_line *lines;
    size_t extent_count, extent_capacity;
    struct descriptor_extent *extents;
    bool embedded; /* it was inside of its extent */
    bool made_up;  /* for an extent that has none */
};

/* descriptor.c */

/* Part of S between blanks. */
struct span span_trim(struct span s);
bool span_is(struct span s, const char *text); /* ASCII case is ignored */
/* The line that marks a descriptor, which stands before all settings and extents; the number of
 * lines when there is none. */
size_t mark_line(const struct descriptor *d);
/* Set kind, name and token of a line from its bytes. */
void line_classify(struct descriptor_line *line);
void line_free(struct descriptor_line *line);
/* A value as spelled, without quotes, in UTF-8. NULL when memory is short. */
char *token_value(const struct descriptor *d, struct span token);
/* Put an empty line before line AT and return it; NULL when memory is short. */
struct descriptor_line *line_insert(struct descriptor *d, size_t at);

/* descriptor_extent.c */

/* Parse an extent line; the message names what is wrong with it, not the line number. */
bool extent_parse(const char *encoding, struct span line, struct descriptor_extent *extent,
                  struct error *error);
/* Append the line without its end. */
bool extent_format(const char *encoding, const struct descriptor_extent *extent, struct buffer *out,
                   struct error *error);
void extent_free(struct descriptor_extent *extent);

/* descriptor_charset.c */

/* Bytes in the code page ENCODING as new UTF-8 text. What cannot be converted (no such code
 * page, bytes that it does not have) comes back as it is. NULL when memory is short. */
char *charset_to_utf8(const char *encoding, const char *bytes, size_t length);
/* The reverse; NULL with *error set when ENCODING has no form for TEXT. */
char *charset_from_utf8(const char *encoding, const char *text, struct error *error);

#endif
