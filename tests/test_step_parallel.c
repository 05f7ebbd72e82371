/* Fields of many shapes in one file, written by 1, 2, 3 ranks and gone on with by them. */
#include <string.h>

#include "io/nc_internal.h"
#include "step_case.h"
#include "test_mpi.h"

/* Steps of which each rank writes some, or all of them on the rank that may. */
static bool mine(const gwf_step_file *file, size_t step)
{
    if (!gwf_step_file_writes(file)) return false;
    return !gwf_nc_has_parallel() || (int)(step % (size_t)test_ranks()) == test_rank();
}

static void check_whole(const char *path)
{
    int file;
    test_barrier();
    if (test_rank() > 0) return;
    CU_ASSERT_FALSE(there(part_of(path)));
    CU_ASSERT_EQUAL(nc_open(path, NC_NOWRITE, &file), NC_NOERR);
    for (int f = 0; f < FIELDS; f++)
        for (size_t s = 0; s < STEPS; s++) check_values(file, f, s);
    nc_close(file);
}

static void test_in_two_runs(void)
{
    gwf_error err = {0};
    gwf_step_file *file = NULL;
    unsigned char done[STEPS];
    bool complete = true;
    gwf_step_layout l = layout();
    const char *path = test_scratch_of_all("steps.nc");
    l.comm = test_comm();
    CHECK_OK(gwf_step_file_create(path, &l, &file, &err), err);
    for (size_t s = 1; file && s < 4; s++)
        if (mine(file, s)) CHECK_OK(write_step(file, s, -1, &err), err);
    CU_ASSERT_EQUAL(gwf_step_file_abandon(&file), 3);
    CHECK_OK(gwf_step_file_resume(path, &l, done, &complete, &file, &err), err);
    CU_ASSERT_EQUAL(memcmp(done, "\0\1\1\1\0", STEPS), 0);
    for (size_t s = 0; file && s < STEPS; s += 4)
        if (mine(file, s)) CHECK_OK(write_step(file, s, -1, &err), err);
    if (file) CHECK_OK(gwf_step_file_finish(&file, &err), err);
    check_whole(path);
}

/* One rank's declaration is wrong, or another's file is there: none goes on. */
static void test_all_fail(void)
{
    gwf_error err = {0};
    gwf_step_file *file = NULL;
    unsigned char done[STEPS];
    bool complete = true;
    gwf_step_layout l = layout();
    const char *path = test_scratch_of_all("fail.nc");
    l.comm = test_comm();
    if (test_rank() == test_ranks() - 1) l.n_fields = 0;
    CHECK_FAILS(gwf_step_file_create(path, &l, &file, &err), GWF_ERR_ARGUMENT, err,
                "layout is not complete");
    CU_ASSERT_PTR_NULL(file);
    l.n_fields = FIELDS - 1;
    CHECK_OK(gwf_step_file_create(path, &l, &file, &err), err);
    if (file) CU_ASSERT_EQUAL(gwf_step_file_abandon(&file), 0);
    CHECK_OK(gwf_step_file_create(path, &l, &file, &err), err);
    if (file && mine(file, 0)) CHECK_OK(write_step(file, 0, -1, &err), err);
    if (file) CU_ASSERT_EQUAL(gwf_step_file_abandon(&file), 1);
    l.n_fields = FIELDS;
    CHECK_FAILS(gwf_step_file_resume(path, &l, done, &complete, &file, &err), GWF_ERR_MISMATCH, err,
                "its variable mean is absent, here it is there");
    CU_ASSERT_PTR_NULL(file);
    CU_ASSERT_FALSE(complete);
}

int main(void)
{
    static const test_case cases[] = {
        {"in two runs", test_in_two_runs},
        {"all fail where one does", test_all_fail},
    };
    return test_run_ranks("step_parallel", cases, sizeof cases / sizeof *cases);
}
