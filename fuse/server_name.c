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

/* Three octal digits behind a backslash; -1 when they are none. */
static int escape_at(const char *text, size_t length)
{
    int code = 0;
    if (length < 4 || text[0] != '\\')
        return -1;
    for (size_t i = 1; i < 4; i++) {
        if (text[i] < '0' || text[i] > '7')
            return -1;
        code = 8 * code + (text[i] - '0');
    }
    return code;
}

/* Is the field at TEXT, with escapes for white space and backslashes, PATH? */
static bool field_is(const char *text, size_t length, const char *path)
{
    size_t at = 0;
    for (; at < length && *path != '\0'; path++) {
        int code = escape_at(text + at, length - at);
        if ((unsigned char)*path != (code < 0 ? (unsigned char)text[at] : code))
            return false;
        at += code < 0 ? 1 : 4;
    }
    return at == length && *path == '\0';
}

bool server_name_device(const char *mountinfo, const char *mountpoint, char *out, size_t size)
{
    enum { DEVICE = 2, ROOT, MOUNTPOINT, FIELDS };
    bool found = false;
    for (const char *line = mountinfo; *line != '\0';) {
        const char *field[FIELDS + 1] = {line};
        size_t end = strcspn(line, "\n"), count = 1;
        for (const char *p = line; p < line + end && count <= FIELDS; p++)
            if (*p == ' ')
                field[count++] = p + 1;
        if (count > FIELDS) {
            size_t device = (size_t)(field[ROOT] - field[DEVICE] - 1);
            size_t point = (size_t)(field[FIELDS] - field[MOUNTPOINT] - 1);
            if (field_is(field[MOUNTPOINT], point, mountpoint) && device < size) {
                memcpy(out, field[DEVICE], device);
                out[device] = '\0';
                found = true;
            }
        }
        line += end + (line[end] == '\n');
    }
    return found;
}
