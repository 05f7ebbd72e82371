/* Memory that ranks have together. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "parallel/shared_memory.h"
#include "test_mpi.h"

static const size_t sizes[] = {1, 4096, 4097, (2 << 20) - 1, (5 << 20) + 17};

static char value_of(int rank, size_t at)
{
    return (char)(rank * 31 + (int)(at % 113));
}

/* Every rank writes its share, all read everything. */
static void check_size(size_t bytes)
{
    gwf_error err = {0};
    gwf_shared_memory shared;
    const size_t ranks = (size_t)test_ranks();
    size_t wrong = 0;
    CHECK_OK(gwf_shared_memory_create(test_comm(), bytes, &shared, &err), err);
    if (!test_everywhere(shared.memory != NULL)) return;
    CU_ASSERT_TRUE(shared.bytes >= bytes);
    for (size_t i = 0; i < shared.bytes; i++) wrong += shared.memory[i] != 0;
    test_barrier();
    for (size_t i = (size_t)test_rank(); i < bytes; i += ranks)
        shared.memory[i] = value_of(test_rank(), i);
    CHECK_OK(gwf_shared_memory_seal(test_comm(), &shared, &err), err);
    for (size_t i = 0; i < bytes; i++) wrong += shared.memory[i] != value_of((int)(i % ranks), i);
    CU_ASSERT_EQUAL(wrong, 0);
    gwf_shared_memory_free(&shared);
    CU_ASSERT_PTR_NULL(shared.memory);
    gwf_shared_memory_free(&shared);
}

static void test_together(void)
{
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) check_size(sizes[i]);
}

/* One rank leaves early; the others still have theirs. */
static void test_freed_alone(void)
{
    gwf_error err = {0};
    gwf_shared_memory shared;
    const int last = test_ranks() - 1;
    CHECK_OK(gwf_shared_memory_create(test_comm(), 4096, &shared, &err), err);
    if (!test_everywhere(shared.memory != NULL)) return;
    if (test_rank() == last) shared.memory[5] = 7;
    CHECK_OK(gwf_shared_memory_seal(test_comm(), &shared, &err), err);
    if (test_rank() == last && last > 0) gwf_shared_memory_free(&shared);
    test_barrier();
    if (shared.memory) CU_ASSERT_EQUAL(shared.memory[5], 7);
    gwf_shared_memory_free(&shared);
}

/* Writing after seal() ends a process: here a child that is there for it. */
static void test_sealed(void)
{
    gwf_error err = {0};
    gwf_shared_memory shared;
    int how = 0;
    CHECK_OK(gwf_shared_memory_create(test_comm(), 3 << 20, &shared, &err), err);
    if (!test_everywhere(shared.memory != NULL)) return;
    CHECK_OK(gwf_shared_memory_seal(test_comm(), &shared, &err), err);
    const pid_t child = fork();
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL);
        *(volatile char *)&shared.memory[1 << 20] = 1;
        _exit(0);
    }
    CU_ASSERT_EQUAL(waitpid(child, &how, 0), child);
    CU_ASSERT_TRUE(WIFSIGNALED(how) && WTERMSIG(how) == SIGSEGV);
    gwf_shared_memory_free(&shared);
}

static void check_refused(const char *words)
{
    gwf_error err = {0};
    gwf_shared_memory shared = {.bytes = 99};
    CHECK_FAILS(gwf_shared_memory_create(test_comm(), 64 << 20, &shared, &err), GWF_ERR_MEMORY, err,
                words);
    CU_ASSERT_PTR_NULL(shared.memory);
    CU_ASSERT_EQUAL(shared.bytes, 0);
}

/* With a limit of the process below what is needed, on one rank; all are told. */
static void refuse(int limit, rlim_t most, int on_rank, const char *words)
{
    struct rlimit before, low;
    getrlimit((__rlimit_resource_t)limit, &before);
    low = before;
    low.rlim_cur = most;
    if (test_rank() == on_rank) setrlimit((__rlimit_resource_t)limit, &low);
    check_refused(words);
    setrlimit((__rlimit_resource_t)limit, &before);
}

static void test_no_room(void)
{
    char who[64] = "";
    const int last = test_ranks() - 1;
    if (last > 0) snprintf(who, sizeof who, "rank %d: shared memory", last);
    refuse(RLIMIT_FSIZE, 1 << 20, 0, "limit on the size of files");
    refuse(RLIMIT_NOFILE, 0, 0, "cannot be created");
    if (last > 0) refuse(RLIMIT_NOFILE, 0, last, who);
    check_size(4097); /* nothing is left over */
}

/* More than there is: refused before it is used. */
static void test_too_much(void)
{
    gwf_error err = {0};
    gwf_shared_memory shared;
    CHECK_FAILS(gwf_shared_memory_create(test_comm(), (size_t)1 << 45, &shared, &err),
                GWF_ERR_MEMORY, err, "no room for 35184372088832 bytes");
    CU_ASSERT_PTR_NULL(shared.memory);
}

int main(void)
{
    static const test_case cases[] = {
        {"together", test_together}, {"freed alone", test_freed_alone}, {"sealed", test_sealed},
        {"no room", test_no_room},   {"too much", test_too_much},
    };
    return test_run_ranks("shared_memory", cases, sizeof cases / sizeof *cases);
}
