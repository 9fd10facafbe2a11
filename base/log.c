/* log - see log.h. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

void log_say(struct log *log, enum log_level level, const char *format, ...)
{
    if (level == LOG_WARN)
        log->warnings++;
    if ((int)level > log->level)
        return;
    char message[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    fprintf(stderr, "%s: %s%s\n", log->program, level == LOG_WARN ? "warning: " : "", message);
}
