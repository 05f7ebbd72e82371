/* How the ranks of a node share its cores: two cores, as every machine that tests has them. */
#include "parallel/cores.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test_mpi.h"

static cpu_set_t all; /* what this rank may use in truth */
static int two[2];    /* the first two of these cores */
static int lines;     /* that went to the log */
static char line[256];

static void take_line(void *user, const char *text)
{
    (void)user;
    lines++;
    snprintf(line, sizeof line, "%s", text);
}

/* False where there is only one core. */
static bool find_two(void)
{
    int n = 0;
    sched_getaffinity(0, sizeof all, &all);
    for (int cpu = 0; cpu < CPU_SETSIZE && n < 2; cpu++)
        if (CPU_ISSET((size_t)cpu, &all)) two[n++] = cpu;
    if (n < 2 && test_rank() == 0) test_skip("two cores: there is one");
    return test_everywhere(n == 2);
}

/* This rank may run on the given of the two cores. */
static void allow(bool first, bool second)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (first) CPU_SET((size_t)two[0], &set);
    if (second) CPU_SET((size_t)two[1], &set);
    CU_ASSERT_EQUAL(sched_setaffinity(0, sizeof set, &set), 0);
}

/* Which of the two this rank may run on now: bit 0, bit 1; -1: others too. */
static int allowed(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    sched_getaffinity(0, sizeof set, &set);
    const int first = CPU_ISSET((size_t)two[0], &set) ? 1 : 0,
              second = CPU_ISSET((size_t)two[1], &set) ? 2 : 0;
    return CPU_COUNT(&set) == (first != 0) + (second != 0) ? first + second : -1;
}

static int share(int wanted)
{
    const gwf_log log = {.write = take_line};
    gwf_error err = {0};
    int threads = -1;
    lines = 0;
    CHECK_OK(gwf_cores_share(test_comm(), wanted, &threads, &log, &err), err);
    return threads;
}

/* All ranks on the same two cores, nothing said. */
static void test_divide(void)
{
    if (!find_two()) return;
    allow(true, true);
    const int threads = share(0), ranks = test_ranks();
    if (ranks == 1) {
        CU_ASSERT_EQUAL(threads, 0); /* the backend decides */
        CU_ASSERT_EQUAL(allowed(), 3);
    } else if (ranks == 2) {
        CU_ASSERT_EQUAL(threads, 1);
        CU_ASSERT_EQUAL(allowed(), test_rank() == 0 ? 1 : 2);
    } else {
        CU_ASSERT_EQUAL(threads, 1);
        CU_ASSERT_EQUAL(allowed(), 3);
    }
    CU_ASSERT_EQUAL(lines, ranks > 2 && test_rank() == 0);
    if (lines) CU_ASSERT_PTR_NOT_NULL(strstr(line, "with 1 thread each share 2 cores"));
    sched_setaffinity(0, sizeof all, &all);
}

/* More threads than cores are what was asked for, and nobody is bound. */
static void test_too_many(void)
{
    if (!find_two()) return;
    allow(true, true);
    CU_ASSERT_EQUAL(share(2), 2);
    CU_ASSERT_EQUAL(allowed(), 3);
    CU_ASSERT_EQUAL(lines, test_ranks() > 1 && test_rank() == 0);
    sched_setaffinity(0, sizeof all, &all);
}

/* One thread each is few enough for two ranks: bound. */
static void test_one_each(void)
{
    if (!find_two()) return;
    allow(true, true);
    CU_ASSERT_EQUAL(share(1), 1);
    CU_ASSERT_EQUAL(allowed(), test_ranks() != 2 ? 3 : test_rank() == 0 ? 1 : 2);
    sched_setaffinity(0, sizeof all, &all);
}

static void test_environment(void)
{
    if (!find_two()) return;
    allow(true, true);
    setenv("OMP_NUM_THREADS", "2", 1);
    CU_ASSERT_EQUAL(share(0), 2);
    CU_ASSERT_EQUAL(share(1), 1); /* an option goes first */
    sched_setaffinity(0, sizeof all, &all);
    allow(true, true);
    setenv("OMP_NUM_THREADS", "many", 1); /* says nothing */
    CU_ASSERT_EQUAL(share(0), test_ranks() == 1 ? 0 : 1);
    unsetenv("OMP_NUM_THREADS");
    sched_setaffinity(0, sizeof all, &all);
}

/* A launcher has bound them: even ranks to the first core, odd ones to the second. */
static void test_bound_before(void)
{
    if (!find_two() || test_ranks() == 1) return;
    const bool even = test_rank() % 2 == 0;
    allow(even, !even);
    CU_ASSERT_EQUAL(share(0), 1);
    CU_ASSERT_EQUAL(allowed(), even ? 1 : 2);
    CU_ASSERT_EQUAL(share(3), 3);
    CU_ASSERT_EQUAL(allowed(), even ? 1 : 2);
    sched_setaffinity(0, sizeof all, &all);
    /* Rank 0 has one core, the others may use both: one alone does, two divide them, more than two
     * get in each other's way. */
    const int others = test_ranks() - 1, rank = test_rank();
    allow(true, rank > 0);
    CU_ASSERT_EQUAL(share(0), rank > 0 && others == 1 ? 2 : 1);
    CU_ASSERT_EQUAL(allowed(), rank == 0 ? 1 : others == 2 ? rank : 3);
    sched_setaffinity(0, sizeof all, &all);
}

/* taskset: one core for all. */
static void test_one_core(void)
{
    if (!find_two() || test_ranks() == 1) return;
    allow(true, false);
    CU_ASSERT_EQUAL(share(0), 1);
    CU_ASSERT_EQUAL(allowed(), 1);
    CU_ASSERT_EQUAL(lines, test_rank() == 0);
    sched_setaffinity(0, sizeof all, &all);
}

int main(void)
{
    static const test_case cases[] = {
        {"two cores are divided", test_divide},       {"more threads than cores", test_too_many},
        {"a thread for each", test_one_each},         {"OMP_NUM_THREADS", test_environment},
        {"bound by the launcher", test_bound_before}, {"one core for all", test_one_core},
    };
    unsetenv("OMP_NUM_THREADS");
    return test_run_ranks("cores", cases, sizeof cases / sizeof *cases);
}
