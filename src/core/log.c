#include "core/log.h"

#include <stdarg.h>
#include <stdio.h>

#include "core/error.h"

void gwf_log_line(const gwf_log *log, const char *format, ...)
{
    if (!log || !log->write) return;
    char line[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    gwf_plain_text(line);
    log->write(log->user, line);
}
