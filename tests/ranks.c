#include "ranks.h"

#include <stdio.h>
#include <stdlib.h>

gwf_comm *test_ranks;

bool test_everywhere(bool here)
{
    double failed = !here;
    return gwf_comm_max(test_ranks, &failed, 1, NULL) == GWF_OK && failed == 0;
}

int test_run_ranks(const char *suite, const test_case *cases, size_t count)
{
    gwf_error err = {0};
    bool launched = false;
    gwf_status status = gwf_mpi_launched(&launched, &err);
    if (status == GWF_OK && launched) status = gwf_mpi_start(&err);
    if (status == GWF_OK)
        status = launched ? gwf_comm_world(&test_ranks, &err) : gwf_comm_alone(&test_ranks, &err);
    if (status != GWF_OK) {
        fprintf(stderr, "%s: %s\n", suite, err.text);
        return 1;
    }
    const int rank = gwf_comm_rank(test_ranks);
    if (rank > 0 && !freopen("/dev/null", "w", stdout)) return 1;
    const bool passed = test_run(suite, cases, count) == 0;
    if (!passed && rank > 0) fprintf(stderr, "%s: rank %d: checks failed\n", suite, rank);
    const bool all = test_everywhere(passed);
    gwf_comm_free(&test_ranks);
    gwf_mpi_end();
    return all ? 0 : 1;
}
