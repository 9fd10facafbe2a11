/* secret_file - files that hold passphrases, and care for files that hold secrets. */
#ifndef VMCRYPT_KEYWRAP_SECRET_FILE_H
#define VMCRYPT_KEYWRAP_SECRET_FILE_H

#include "base/error.h"
#include "base/log.h"
#include "base/secret.h"

/* Warn when others may read or change the file. */
void secret_file_check(const char *path, struct log *log);

/* A passphrase file ("-": standard input): all its bytes, less one final line end. NULL with
 * *error when it cannot be read. */
struct secret *passphrase_file_read(const char *path, struct log *log, struct error *error);

#endif
