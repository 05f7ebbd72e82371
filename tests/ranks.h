/* Test programs that several ranks run together: each rank runs every case, rank 0 talks. */
#ifndef GWF_TESTS_RANKS_H
#define GWF_TESTS_RANKS_H

#include "parallel/comm.h"
#include "test.h"

/* All ranks; for the cases to use. */
extern gwf_comm *test_ranks;

/* Like test_run, with MPI around it: rank 0's exit status is 0 only when the cases passed on every
 * rank. Other ranks' reports go to stderr when they fail. */
int test_run_ranks(const char *suite, const test_case *cases, size_t count);

/* Collective: does it hold on all ranks? For decisions that all must take alike. */
bool test_everywhere(bool here);

#endif
