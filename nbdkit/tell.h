/* tell - errors and warnings in nbdkit's own way; and its declarations, of the API's version 2. */
#ifndef VMCRYPT_NBDKIT_TELL_H
#define VMCRYPT_NBDKIT_TELL_H

#include <stdatomic.h>
#include <stdint.h>

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include "base/error.h"

/* "FILE: message (at byte N)" through nbdkit_error. Returns -1, as nbdkit's callbacks do. */
int tell_error(const struct error *error);

/* So that a client that reads a damaged disk does not fill the log: at most one line a second. */
struct tell_limit {
    _Atomic uint64_t second; /* of the last line */
    _Atomic uint64_t kept_back;
};
int tell_error_limited(struct tell_limit *limit, const struct error *error);

#endif
