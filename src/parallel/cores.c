#include "parallel/cores.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "parallel/comm_internal.h"

static int environment_threads(void)
{
    const char *text = getenv("OMP_NUM_THREADS");
    const long n = text ? strtol(text, NULL, 10) : 0;
    return n > 0 && n < 1024 ? (int)n : 0;
}

int gwf_cores_here(void)
{
    cpu_set_t mine;
    const int wanted = environment_threads();
    if (wanted) return wanted;
    return sched_getaffinity(0, sizeof mine, &mine) == 0 ? CPU_COUNT(&mine) : 1;
}

/* How many ranks of the node may run on just the same cores, and how many of them come before. */
static gwf_status count_peers(const gwf_comm *node, const cpu_set_t *mine, int *peers, int *before,
                              gwf_error *err)
{
    *peers = *before = 0;
    for (int r = 0; r < gwf_comm_size(node); r++) {
        cpu_set_t theirs = *mine;
        GWF_TRY(gwf_comm_broadcast(node, &theirs, sizeof theirs, r, err));
        if (!CPU_EQUAL(&theirs, mine)) continue;
        ++*peers;
        *before += r < gwf_comm_rank(node);
    }
    return GWF_OK;
}

/* Core number first .. first + n - 1 of those in the set. */
static cpu_set_t part_of(const cpu_set_t *all, int first, int n)
{
    cpu_set_t part;
    int count = 0;
    CPU_ZERO(&part);
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, all)) continue;
        if (count >= first && count < first + n) CPU_SET(cpu, &part);
        count++;
    }
    return part;
}

gwf_status gwf_cores_share(const gwf_comm *node, int wanted, int *threads, const gwf_log *log,
                           gwf_error *err)
{
    int peers = 1, before = 0;
    cpu_set_t mine;
    if (!wanted) wanted = environment_threads();
    *threads = wanted;
    if (gwf_comm_size(node) == 1) return GWF_OK;
    if (sched_getaffinity(0, sizeof mine, &mine) != 0) CPU_ZERO(&mine);
    GWF_TRY(count_peers(node, &mine, &peers, &before, err));
    const int cores = CPU_COUNT(&mine), share = cores / peers;
    if (!wanted) *threads = share ? share : 1;
    if (!cores || (peers == 1 && *threads <= cores))
        return GWF_OK; /* the launcher has divided them */
    if (*threads <= share) {
        const cpu_set_t part = part_of(&mine, before * share, share);
        sched_setaffinity(0, sizeof part, &part); /* where it is not allowed, the system decides */
    } else if (before == 0) {
        gwf_log_line(log,
                     "%d rank%s with %d thread%s each share %d core%s: they will wait for one "
                     "another",
                     peers, peers == 1 ? "" : "s", *threads, *threads == 1 ? "" : "s", cores,
                     cores == 1 ? "" : "s");
    }
    return GWF_OK;
}

gwf_status gwf_cores_guest(const gwf_comm *node, int wanted, int *threads, gwf_error *err)
{
    int peers = 1, before = 0;
    cpu_set_t mine;
    CPU_ZERO(&mine);
    *threads = wanted ? wanted : environment_threads();
    if (sched_getaffinity(0, sizeof mine, &mine) != 0) CPU_SET(0, &mine);
    GWF_TRY(count_peers(node, &mine, &peers, &before, err));
    if (*threads < 1) *threads = CPU_COUNT(&mine) / peers;
    if (*threads < 1) *threads = 1;
    return GWF_OK;
}
