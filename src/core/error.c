#include "core/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void gwf_plain_text(char *text)
{
    for (unsigned char *c = (unsigned char *)text; *c; c++)
        if (*c < ' ' || *c == 0x7f) *c = '?';
}

gwf_status gwf_fail(gwf_error *err, gwf_status status, const char *format, ...)
{
    if (!err) return status;
    err->status = status;
    err->agreed = 0;
    va_list args;
    va_start(args, format);
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    gwf_plain_text(err->text);
    return status;
}

void gwf_error_prefix(gwf_error *err, const char *format, ...)
{
    if (!err) return;
    char old[GWF_ERROR_TEXT];
    memcpy(old, err->text, sizeof old);
    va_list args;
    va_start(args, format);
    int used = vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    if (used < 0) used = 0;
    if ((size_t)used < sizeof err->text)
        snprintf(err->text + used, sizeof err->text - (size_t)used, ": %s", old);
    gwf_plain_text(err->text);
}

const char *gwf_status_name(gwf_status status)
{
    switch (status) {
#define GWF_STATUS_NAME(code, number, text)                                                        \
    case code:                                                                                     \
        return #code;
        GWF_STATUS_LIST(GWF_STATUS_NAME)
#undef GWF_STATUS_NAME
    }
    return "unknown status";
}

const char *gwf_status_text(gwf_status status)
{
    switch (status) {
#define GWF_STATUS_TEXT(code, number, text)                                                        \
    case code:                                                                                     \
        return text;
        GWF_STATUS_LIST(GWF_STATUS_TEXT)
#undef GWF_STATUS_TEXT
    }
    return "unknown status";
}
