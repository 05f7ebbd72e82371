/* Choosing by measuring: the fastest of several ways to do the same, remembered for later runs. */
#ifndef GWF_BACKEND_TUNE_H
#define GWF_BACKEND_TUNE_H

#include "backend/backend.h"

/* Ways are known by their names: those are what the cache keeps. All borrowed. */
typedef struct gwf_contest {
    const char *key; /* all that the answer depends on but for the processor, one line */
    int ways;        /* the first one is taken where nothing is measured */
    const char *(*name)(void *user, int way);
    /* A way that fails is not taken. */
    gwf_status (*time)(void *user, int way, double *seconds, gwf_error *err);
    void *user;
} gwf_contest;

/* The way to take. With config->tune on and a cache: what the cache says, else the fastest, which
 * it then keeps; else, or where none of them could be timed, 0. What would not be remembered is not
 * measured: runs, and the ranks of one, shall agree to the last bit. */
int gwf_fastest_way(const gwf_backend_config *config, const gwf_contest *contest);

/* What the cache knows the contest by. */
void gwf_contest_key(const gwf_contest *contest, char *key, size_t size);

/* Seconds of something that is run often. Others may disturb a run, nothing makes one faster than
 * it is: there are enough runs when the two fastest agree, or after
 * three when they have taken a tenth of a second or half as long again as `least` (HUGE_VAL: there
 * is nothing to beat). */
typedef struct gwf_stopwatch {
    gwf_status (*once)(void *user, double *seconds, gwf_error *err);
    void *user;
    double least;
} gwf_stopwatch;

gwf_status gwf_fastest_run(const gwf_stopwatch *watch, double *seconds, gwf_error *err);

#endif
