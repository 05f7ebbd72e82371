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

/* Do all ranks of the node run on the same cores? */
static gwf_status same_cores(const gwf_comm *node, const cpu_set_t *mine, bool *same,
                             gwf_error *err)
{
    cpu_set_t first = *mine;
    GWF_TRY(gwf_comm_broadcast(node, &first, sizeof first, 0, err));
    double differ = !CPU_EQUAL(&first, mine);
    GWF_TRY(gwf_comm_max(node, &differ, 1, err));
    *same = differ == 0;
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
    const int ranks = gwf_comm_size(node), rank = gwf_comm_rank(node);
    cpu_set_t mine;
    bool same = true;
    if (!wanted) wanted = environment_threads();
    *threads = wanted;
    if (ranks == 1) return GWF_OK;
    if (sched_getaffinity(0, sizeof mine, &mine) != 0) CPU_ZERO(&mine);
    GWF_TRY(same_cores(node, &mine, &same, err));
    const int cores = CPU_COUNT(&mine);
    if (!same || !cores) { /* the launcher has divided them, or the system does not tell */
        if (!wanted) *threads = cores ? cores : 1;
        return GWF_OK;
    }
    const int share = cores / ranks;
    if (!wanted) *threads = share ? share : 1;
    if (*threads <= share) {
        const cpu_set_t part = part_of(&mine, rank * share, share);
        sched_setaffinity(0, sizeof part, &part); /* where it is not allowed, the system decides */
    } else if (rank == 0) {
        gwf_log_line(log,
                     "%d ranks with %d thread%s each share %d cores: they will wait for one "
                     "another",
                     ranks, *threads, *threads == 1 ? "" : "s", cores);
    }
    return GWF_OK;
}
