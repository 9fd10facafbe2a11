/*
 * error - the one error type of the project.
 *
 * A caller owns a `struct error`, passes its address down, and looks at it when a function
 * returns false or NULL. Functions fill it once, at the place that knows most, and pass it up
 * unchanged. The code is also the exit status of the tools.
 */
#ifndef VMCRYPT_BASE_ERROR_H
#define VMCRYPT_BASE_ERROR_H

#include <stdbool.h>
#include <stdint.h>

enum error_code {
    ERROR_NONE = 0,
    ERROR_FAILED = 1,  /* the system said no, or the thing is not supported */
    ERROR_USAGE = 2,   /* the caller's words are off */
    ERROR_NO_KEY = 3,  /* no key in hand fits */
    ERROR_DAMAGED = 4, /* input is malformed, short, or a verification failed */
    ERROR_PARTIAL = 5, /* some of the work was done, some was not */
};

struct error {
    enum error_code code;
    char file[512];  /* path or name the message is about; "" when none */
    uint64_t offset; /* byte offset in it; UINT64_MAX when none */
    int cause;       /* the errno behind it; 0 when none */
    char message[768];
};

#define ERROR_INIT ((struct error){.code = ERROR_NONE, .offset = UINT64_MAX})

/*
 * Fill *error (code, message) and forget file and offset. Always returns false, so that
 * `return error_set(...)` reads well in a function that returns bool.
 */
bool error_set(struct error *error, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* As error_set with ERROR_FAILED, the text of the current errno appended: "MESSAGE: strerror". */
bool error_system(struct error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Name the file an already set error is about, unless one is named. Returns false. */
bool error_in_file(struct error *error, const char *file);

/* Name file and byte offset, unless a file is named already. Returns false. */
bool error_at(struct error *error, const char *file, uint64_t offset);

/* Put "PREFIX: " before the message of an already set error. Returns false. */
bool error_prefix(struct error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Out of memory, said the same way everywhere. Returns false. */
bool error_memory(struct error *error);

/* Empty it again, for a caller that tries something else next. */
void error_clear(struct error *error);

#endif
