/*
 * log - what a tool says beside its result: warnings, and details when asked for.
 *
 * The tool makes one and hands it down; rooms below never write to a stream themselves. Nothing
 * secret is ever passed to it; text from files is made printable on the way out.
 */
#ifndef VMCRYPT_BASE_LOG_H
#define VMCRYPT_BASE_LOG_H

#include <stddef.h>

enum log_level { LOG_WARN = 0, LOG_INFO = 1, LOG_DEBUG = 2 };

struct log {
    const char *program; /* "vmcrypt-vmx" */
    int level;           /* -1: nothing, not even warnings (-q) */
    size_t warnings;     /* how many were said or suppressed */
};

void log_say(struct log *log, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
