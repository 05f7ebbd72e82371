/* Choosing by measuring: the fastest of several ways to do the same, remembered for later runs. */
#ifndef GWF_BACKEND_TUNE_H
#define GWF_BACKEND_TUNE_H

#include "backend/backend.h"

/* Ways are known by their names: those are what the cache keeps. All borrowed. */
typedef struct gwf_contest {
    const char *key; /* all that the answer depends on, one line */
    int ways;        /* the first one is taken where nothing is measured */
    const char *(*name)(void *user, int way);
    /* A way that fails is not taken. */
    gwf_status (*time)(void *user, int way, double *seconds, gwf_error *err);
    void *user;
} gwf_contest;

/* The way to take: 0 where config->tune is off or none of them could be timed; else what the cache
 * says, else the fastest, which the cache then keeps. */
int gwf_fastest_way(const gwf_backend_config *config, const gwf_contest *contest);

#endif
