/*
 * file - reading evidence without touching it, and writing results that are whole or absent.
 */
#ifndef VMCRYPT_BASE_FILE_H
#define VMCRYPT_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "base/error.h"

/* Open for reading only, close-on-exec, without changing the access time where that is allowed.
 * Returns a descriptor, or -1 with *error set. */
int file_open_read(const char *path, struct error *error);

/* Read exactly LENGTH bytes at OFFSET. A shorter file is ERROR_DAMAGED and names the place where
 * the data ended; an I/O error is ERROR_FAILED. PATH is for the message. */
bool file_read_at(int fd, const char *path, void *data, size_t length, uint64_t offset,
                  struct error *error);

/* Write all of LENGTH bytes at OFFSET. */
bool file_write_at(int fd, const char *path, const void *data, size_t length, uint64_t offset,
                   struct error *error);

/* Append a whole file to OUT. PATH "-" is standard input. A file of more than LIMIT bytes is
 * refused (ERROR_DAMAGED) without being read whole. */
bool file_read_all(const char *path, size_t limit, struct buffer *out, struct error *error);

/* True when PATH names something; a dangling link counts. */
bool file_exists(const char *path);

/* Malloc'd "DIR/NAME", where DIR is the directory part of PATH ("." when it has none). An
 * absolute NAME comes back as it is. NULL when memory is short. */
char *file_beside(const char *path, const char *name);

/* Points into PATH behind its last slash. */
const char *file_name(const char *path);

/*
 * A file that appears whole or not at all: written under the name "PATH.partial", fsynced and
 * renamed by file_publish; removed by file_abandon. When PATH exists its owner and mode are
 * kept. An existing ".partial" of an earlier, interrupted run is replaced.
 */
struct file_output {
    int fd;        /* -1 when not open */
    char *path;    /* final name */
    char *partial; /* name while unfinished */
};

/* MODE applies to a new file. With REPLACE false an existing PATH is refused. */
bool file_create(struct file_output *out, const char *path, mode_t mode, bool replace,
                 struct error *error);
/* fsync, rename to the final name, fsync the directory. On failure the partial file is removed. */
bool file_publish(struct file_output *out, struct error *error);
/* Remove the partial file. Harmless after file_publish and on an unopened one. */
void file_abandon(struct file_output *out);

/* Open the unfinished file of an earlier run, to go on with it. */
bool file_reopen(struct file_output *out, const char *path, struct error *error);
/* Close the unfinished file and leave it, to be gone on with. */
void file_leave(struct file_output *out);

/* file_create to file_publish in one call for a text that is at hand. PATH "-" is standard output.
 */
bool file_replace(const char *path, const void *data, size_t length, mode_t mode, bool replace,
                  struct error *error);

/* Keep a copy of PATH as BACKUP (same bytes, owner and mode), whole or not at all. */
bool file_backup(const char *path, const char *backup, struct error *error);

#endif
