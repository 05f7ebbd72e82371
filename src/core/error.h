/* Errors: a status with the text that goes with it.
 *
 * Every function that can fail returns a gwf_status and takes a gwf_error * last. The first
 * failure writes its text; callers add where it happened with gwf_error_prefix() and return. */
#ifndef GWF_CORE_ERROR_H
#define GWF_CORE_ERROR_H

#include "gwflux.h"

enum { GWF_ERROR_TEXT = 1024 };

typedef struct gwf_error {
    gwf_status status;
    int agreed; /* 1: all ranks have it, with the number of the one it comes from */
    char text[GWF_ERROR_TEXT];
} gwf_error;

/* Set status and text; returns status, so that a failure is one line. err may be NULL. */
gwf_status gwf_fail(gwf_error *err, gwf_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Put "prefix: " before the text that is already there. */
void gwf_error_prefix(gwf_error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Control characters become '?': names that come from files must not reach a terminal as they are.
 */
void gwf_plain_text(char *text);

/* Leave the function when a call fails. Only where nothing must be freed on the way. */
#define GWF_TRY(call)                                                                              \
    do {                                                                                           \
        const gwf_status gwf_try_status_ = (call);                                                 \
        if (gwf_try_status_ != GWF_OK) return gwf_try_status_;                                     \
    } while (0)

/* Go to the label `done`, which frees everything and returns `status`. */
#define GWF_TRY_DONE(call)                                                                         \
    do {                                                                                           \
        status = (call);                                                                           \
        if (status != GWF_OK) goto done;                                                           \
    } while (0)

#endif
