/*
 * server_name - names as a mount has them: the source that findmnt shows, and a mount's device
 * from /proc/self/mountinfo.
 */
#ifndef VMCRYPT_FUSE_SERVER_NAME_H
#define VMCRYPT_FUSE_SERVER_NAME_H

#include <stdbool.h>
#include <stddef.h>

enum { SERVER_NAME_MAX = 1024 };

/*
 * NAME as a mount's source: bytes that would end the option it is part of or upset a terminal
 * (comma, backslash, percent, controls, what is no UTF-8) become "%2c". Of a name that gets longer
 * than SERVER_NAME_MAX the end is kept, behind "...".
 */
void server_name_escape(const char *name, char out[SERVER_NAME_MAX + 1]);

/* "MAJOR:MINOR" of what was mounted last on MOUNTPOINT, an absolute path without links, by the text
 * of a mountinfo file (proc(5)); false when nothing is. */
bool server_name_device(const char *mountinfo, const char *mountpoint, char *out, size_t size);

#endif
