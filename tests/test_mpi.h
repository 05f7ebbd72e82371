/* Test programs that run as several ranks (mpirun), or alone without a launcher and then without
 * MPI: every rank runs every case. Rank 0 prints CUnit's lines; what another rank printed is seen
 * when it failed. A last case adds up the failures of all ranks, so that the closing lines and the
 * exit status hold for all of them.
 *
 * A check that fails on one rank must not keep it from what the others wait for: no *_FATAL where
 * collective calls follow. */
#ifndef GWF_TESTS_TEST_MPI_H
#define GWF_TESTS_TEST_MPI_H

#include "parallel/comm.h"
#include "test.h"

/* In main, in place of test_run(): starts and ends MPI where a launcher did. */
int test_run_ranks(const char *suite, const test_case *cases, size_t count);

/* All ranks, inside a case. */
const gwf_comm *test_comm(void);
int test_rank(void);
int test_ranks(void);

/* All ranks, and this one alone, as a host model would hand them over (MPI_Comm_c2f). */
int test_communicator(void);
int test_communicator_alone(void);

/* Collective: wait for all; true when it is on every rank. */
void test_barrier(void);
bool test_everywhere(bool mine);

/* As test_scratch(), in one folder of rank 0's for all ranks (on one node). */
const char *test_scratch_of_all(const char *name);

#endif
