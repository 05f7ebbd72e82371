#include "backend/tune.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/cache.h"

/* The way of this name, or -1: also when another version had other ways. */
static int find_way(const gwf_contest *contest, const char *name, size_t size)
{
    for (int i = 0; i < contest->ways; i++) {
        const char *known = contest->name(contest->user, i);
        if (strlen(known) == size && memcmp(known, name, size) == 0) return i;
    }
    return -1;
}

static int remembered(const gwf_backend_config *config, const gwf_contest *contest)
{
    void *bytes = NULL;
    size_t size = 0;
    if (!gwf_cache_read(config->cache, contest->key, config->log, &bytes, &size)) return -1;
    const int way = find_way(contest, bytes, size);
    free(bytes);
    return way;
}

int gwf_fastest_way(const gwf_backend_config *config, const gwf_contest *contest)
{
    if (!config->tune || contest->ways < 2) return 0;
    int best = remembered(config, contest);
    if (best >= 0) return best;
    double least = HUGE_VAL;
    for (int i = 0; i < contest->ways; i++) {
        double seconds = HUGE_VAL;
        if (contest->time(contest->user, i, &seconds, NULL) != GWF_OK || !(seconds < least))
            continue;
        least = seconds;
        best = i;
    }
    if (best < 0) return 0;
    const char *name = contest->name(contest->user, best);
    gwf_cache_write(config->cache, contest->key, name, strlen(name), config->log);
    return best;
}
