/* server_name - see server_name.h. */
#include "fuse/server_name.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

/* Bytes at TEXT that stand for themselves; 0 when the first has to be escaped. */
static size_t plain(const char *text, size_t length)
{
    unsigned char c = (unsigned char)text[0];
    if (c < 0x20 || c == 0x7f || strchr(",\\%", c) != NULL)
        return 0;
    return utf8_character(text, length);
}

static size_t escaped_length(const char *text, size_t length)
{
    size_t n = plain(text, length);
    return n == 0 ? 3 : n;
}

void server_name_escape(const char *name, char out[SERVER_NAME_MAX + 1])
{
    size_t length = strlen(name), total = 0, used = 0;
    for (size_t at = 0, n; at < length; at += n == 0 ? 1 : n) {
        n = plain(name + at, length - at);
        total += n == 0 ? 3 : n;
    }
    size_t at = 0;
    if (total > SERVER_NAME_MAX) {
        while (total > SERVER_NAME_MAX - 3) {
            size_t n = plain(name + at, length - at);
            total -= escaped_length(name + at, length - at);
            at += n == 0 ? 1 : n;
        }
        memcpy(out, "...", 3);
        used = 3;
    }
    while (at < length) {
        size_t n = plain(name + at, length - at);
        if (n == 0) {
            snprintf(out + used, 4, "%%%02x", (unsigned char)name[at]);
            used += 3;
            at++;
        } else {
            memcpy(out + used, name + at, n);
            used += n;
            at += n;
        }
    }
    out[used] = '\0';
}
