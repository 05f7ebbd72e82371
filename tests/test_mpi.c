#include "test_mpi.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef GWF_HAVE_MPI
#include <mpi.h>
#endif

enum { CASES = 64, PATHS = 8, PATH_SIZE = 1024 };

static gwf_comm *world;
static char folder[PATH_SIZE];
static double own_failures;

const gwf_comm *test_comm(void)
{
    return world;
}

int test_rank(void)
{
    return gwf_comm_rank(world);
}

int test_ranks(void)
{
    return gwf_comm_size(world);
}

#ifdef GWF_HAVE_MPI
/* Without a launcher MPI does not run, and nobody looks at the handle. */
int test_communicator(void)
{
    return test_ranks() > 1 ? MPI_Comm_c2f(MPI_COMM_WORLD) : 0;
}

int test_communicator_alone(void)
{
    return test_ranks() > 1 ? MPI_Comm_c2f(MPI_COMM_SELF) : 0;
}
#else
int test_communicator(void)
{
    return 0;
}

int test_communicator_alone(void)
{
    return 0;
}
#endif

bool test_everywhere(bool mine)
{
    double failures = mine ? 0 : 1;
    return gwf_comm_sum(world, &failures, 1, NULL) == GWF_OK && failures == 0;
}

void test_barrier(void)
{
    test_everywhere(true);
}

const char *test_scratch_of_all(const char *name)
{
    static char paths[PATHS][PATH_SIZE];
    static int next;
    char *path = paths[next++ % PATHS];
    snprintf(path, PATH_SIZE, "%.900s/%.100s", folder, name);
    return path;
}

/* The last case. */
static void all_ranks(void)
{
    double failures = own_failures = CU_get_number_of_failures();
    CU_ASSERT_EQUAL(gwf_comm_sum(world, &failures, 1, NULL), GWF_OK);
    if (failures > 0) printf("\n  %g failures on all ranks\n", failures);
    CU_ASSERT_EQUAL(failures, 0);
}

/* What a rank that failed has printed. */
static void show(const char *path)
{
    char line[512];
    fflush(stdout);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        fprintf(stderr, "rank %d: %s", test_rank(), line);
    if (file) fclose(file);
}

static int run(const char *suite, const test_case *cases, size_t count)
{
    test_case all[CASES + 1];
    char output[PATH_SIZE];
    if (count > CASES) return 1;
    snprintf(folder, sizeof folder, "%.900s", test_scratch("."));
    gwf_comm_broadcast(world, folder, sizeof folder, 0, NULL);
    snprintf(output, sizeof output, "%.900s", test_scratch("output"));
    if (test_rank() > 0 && !freopen(output, "w", stdout)) return 1;
    memcpy(all, cases, count * sizeof *cases);
    all[count] = (test_case){"all ranks", all_ranks};
    const int rc = test_run(suite, all, count + 1);
    if (own_failures > 0 && test_rank() > 0) show(output);
    return rc;
}

static gwf_status start(gwf_error *err)
{
    bool launched = false;
    GWF_TRY(gwf_mpi_launched(&launched, err));
    if (!launched) return gwf_comm_alone(&world, err);
    GWF_TRY(gwf_mpi_start(err));
    return gwf_comm_world(&world, err);
}

int test_run_ranks(const char *suite, const test_case *cases, size_t count)
{
    gwf_error err = {0};
    if (start(&err) != GWF_OK) {
        fprintf(stderr, "%s: %s\n", suite, err.text);
        return 1;
    }
    const int rc = run(suite, cases, count);
    const bool passed = test_everywhere(rc == 0);
    gwf_comm_free(&world);
    gwf_mpi_end();
    return passed ? 0 : 1;
}
