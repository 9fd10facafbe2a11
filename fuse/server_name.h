/*
 * server_name - the name that a mount has: the source that findmnt shows.
 */
#ifndef VMCRYPT_FUSE_SERVER_NAME_H
#define VMCRYPT_FUSE_SERVER_NAME_H

enum { SERVER_NAME_MAX = 1024 };

/*
 * NAME as a mount's source: bytes that would end the option it is part of or upset a terminal
 * (comma, backslash, percent, controls, what is no UTF-8) become "%2c". Of a name that gets longer
 * than SERVER_NAME_MAX the end is kept, behind "...".
 */
void server_name_escape(const char *name, char out[SERVER_NAME_MAX + 1]);

#endif
