/*
 * notes - what was seen of a disk that its user ought to know, though it could be read: a spare
 * table used, an unclean shutdown, a delta that is missing. Thread-safe; bounded.
 */
#ifndef VMCRYPT_VMDK_NOTES_H
#define VMCRYPT_VMDK_NOTES_H

#include <stddef.h>

enum { NOTES_MAX = 256 };

struct notes;

struct notes *notes_new(void); /* NULL when memory is short */
void notes_free(struct notes *notes);

/* Note about FILE; the same text is kept once. What is too much is counted. */
void notes_add(struct notes *notes, const char *file, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

size_t notes_count(struct notes *notes);
/* Note I as "FILE: text"; valid as long as NOTES. */
const char *notes_at(struct notes *notes, size_t i);
/* How many there were beyond NOTES_MAX. */
size_t notes_lost(struct notes *notes);

#endif
