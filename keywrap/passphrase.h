/*
 * passphrase - the bytes that a passphrase stands for.
 *
 * What a product derives a key from are bytes: the text in the code page of the host that the VM
 * was made on, with accents in the form in which its keyboard or file system gave them. Today that
 * is UTF-8 nearly everywhere, and a passphrase is taken as the bytes given; for VMs of old hosts
 * it can be converted.
 */
#ifndef VMCRYPT_KEYWRAP_PASSPHRASE_H
#define VMCRYPT_KEYWRAP_PASSPHRASE_H

#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/secret.h"

enum { PASSPHRASE_MAX = 64 << 10 };

/* How a passphrase in UTF-8 becomes bytes. Both NULL: as it is. */
struct passphrase_form {
    const char *encoding;  /* a code page that base/encoding knows */
    const char *normalize; /* none, nfc, nfd, nfkc, nfkd; done first */
};

/* Convert PASSPHRASE, which is taken over, also on failure. NULL with *error: ERROR_USAGE for an
 * unknown name, ERROR_FAILED for a text that is no UTF-8 or that the code page cannot hold. */
struct secret *passphrase_convert(struct secret *passphrase, const struct passphrase_form *form,
                                  struct error *error);

/* All bytes up to the end of an open descriptor, less one final line end. */
struct secret *passphrase_fd_read(int fd, struct error *error);

/* BYTES less one final line end, LF or CR LF. */
struct secret *passphrase_from(const struct buffer *bytes, struct error *error);

#endif
