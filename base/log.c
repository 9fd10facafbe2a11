/* log - see log.h. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/printable.h"

void log_say(struct log *log, enum log_level level, const char *format, ...)
{
    if (level == LOG_WARN)
        log->warnings++;
    if ((int)level > log->level)
        return;
    char message[1024], shown[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    /* Names from files are in it. */
    printable_copy(message, shown, sizeof shown);
    fprintf(stderr, "%s: %s%s\n", log->program, level == LOG_WARN ? "warning: " : "", shown);
}
