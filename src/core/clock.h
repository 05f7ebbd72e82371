/* Seconds on a clock that never jumps; only differences mean something. */
#ifndef GWF_CORE_CLOCK_H
#define GWF_CORE_CLOCK_H

#include <time.h>

static inline double gwf_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#endif
