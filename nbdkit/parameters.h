/*
 * parameters - what follows "nbdkit vmcrypt": KEY=VALUE, with the names of the command line's long
 * options; '_' counts as '-' in a name.
 */
#ifndef VMCRYPT_NBDKIT_PARAMETERS_H
#define VMCRYPT_NBDKIT_PARAMETERS_H

#include <stddef.h>

#include "base/words.h"

struct parameter {
    const char *name;
    char *value;
};

struct parameters {
    size_t count;
    struct parameter *given;
};

/* For nbdkit --help. */
extern const char parameters_help[];

/* Add KEY=VALUE; paths that may be opened later become absolute, since nbdkit leaves its directory.
 * 0, or -1 after nbdkit_error. */
int parameters_add(struct parameters *p, const char *key, const char *value);
void parameters_free(struct parameters *p);

struct words parameters_words(const struct parameters *p);

#endif
