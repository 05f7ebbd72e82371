/* Which backends a test can run on here. */
#ifndef GWF_TESTS_BACKEND_START_H
#define GWF_TESTS_BACKEND_START_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "test.h"

/* Whether a backend starts with a precision; with $GWF_TEST_BACKEND no other one is asked. What
 * cuda misses on this machine is told, not a failure; a backend that lacks the precision has to
 * name it. */
static inline bool backend_starts(const gwf_backend *backend, gwf_precision precision)
{
    gwf_error err = {0};
    const gwf_backend *opened = NULL;
    gwf_context *context = NULL;
    const gwf_backend_config config = {.threads = 1, .batch = 1, .precision = precision};
    const char *only = getenv("GWF_TEST_BACKEND");
    if (only && strcmp(only, backend->name) != 0) return false;
    const gwf_status status = gwf_backend_start(backend, &config, &opened, &context, &err);
    if (status == GWF_OK) {
        opened->close(context);
        return true;
    }
    const bool lacks =
        status == GWF_ERR_UNSUPPORTED && strstr(err.text, gwf_precision_word(precision));
    if (!lacks && backend == &gwf_backend_cuda)
        test_skip("%s", err.text);
    else if (!lacks)
        CHECK_OK(status, err);
    return false;
}

#endif
