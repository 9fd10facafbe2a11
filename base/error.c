/* error - see error.h. */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void fill(struct error *error, enum error_code code, const char *format, va_list args)
{
    *error = ERROR_INIT;
    error->code = code;
    vsnprintf(error->message, sizeof error->message, format, args);
}

bool error_set(struct error *error, enum error_code code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fill(error, code, format, args);
    va_end(args);
    return false;
}

bool error_system(struct error *error, const char *format, ...)
{
    int saved = errno;
    va_list args;
    va_start(args, format);
    fill(error, ERROR_FAILED, format, args);
    va_end(args);
    error->cause = saved;
    size_t used = strlen(error->message);
    snprintf(error->message + used, sizeof error->message - used, ": %s", strerror(saved));
    return false;
}

bool error_at(struct error *error, const char *file, uint64_t offset)
{
    if (error->file[0] == '\0') {
        snprintf(error->file, sizeof error->file, "%s", file);
        error->offset = offset;
    }
    return false;
}

bool error_in_file(struct error *error, const char *file)
{
    return error_at(error, file, UINT64_MAX);
}

bool error_prefix(struct error *error, const char *format, ...)
{
    char prefix[256];
    va_list args;
    va_start(args, format);
    vsnprintf(prefix, sizeof prefix, format, args);
    va_end(args);
    char message[sizeof error->message];
    memcpy(message, error->message, sizeof message);
    snprintf(error->message, sizeof error->message, "%.255s: %.500s", prefix, message);
    return false;
}

bool error_memory(struct error *error)
{
    return error_set(error, ERROR_FAILED, "out of memory");
}

void error_clear(struct error *error)
{
    *error = ERROR_INIT;
}
