#include "cli/memory.h"

#include <stdio.h>

#include "cli/machine.h"

/* This process's share: each page divided by the number of those that have it. */
static double share_of_pages(void)
{
    char line[256];
    double kilobytes = 0;
    FILE *file = fopen("/proc/self/smaps_rollup", "re");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "Pss: %lf kB", &kilobytes) == 1) break;
    if (file) fclose(file);
    return 1024 * kilobytes;
}

gwf_status memory_measure(const world *w, memory_use *use, gwf_error *err)
{
    double sums[] = {share_of_pages(), machine_peak_memory()};
    double nodes = gwf_comm_rank(w->node) == 0;
    GWF_TRY(gwf_comm_sum(w->node, sums, 2, err));
    double most[] = {sums[0], sums[1], gwf_comm_size(w->node)};
    GWF_TRY(gwf_comm_max(w->all, most, 3, err));
    GWF_TRY(gwf_comm_sum(w->all, &nodes, 1, err));
    *use =
        (memory_use){.nodes = (int)nodes, .ranks = (int)most[2], .now = most[0], .peaks = most[1]};
    return GWF_OK;
}
