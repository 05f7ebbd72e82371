/* Communicators: agreement, broadcast, groups, orders, sums; alone and over ranks. */
#include "parallel/comm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test_mpi.h"

/* --- the launcher's signs (local) ------------------------------------------------------------ */

static const char *const signs[] = {
    "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "PMIX_RANK",    "PMI_RANK", "PMI_SIZE",
    "SLURM_STEP_ID",        "SLURM_STEP_NUM_TASKS", "SLURM_PROCID",
};
enum { SIGNS = sizeof signs / sizeof *signs };

/* Takes the launcher's variables away; `kept` gets copies for put_back(). */
static void hide(char *kept[SIGNS])
{
    for (int i = 0; i < SIGNS; i++) {
        const char *text = getenv(signs[i]);
        kept[i] = text ? strdup(text) : NULL;
        unsetenv(signs[i]);
    }
}

static void put_back(char *kept[SIGNS])
{
    for (int i = 0; i < SIGNS; i++) {
        unsetenv(signs[i]);
        if (kept[i]) setenv(signs[i], kept[i], 1);
        free(kept[i]);
    }
}

#ifdef GWF_HAVE_MPI
static void test_launched(void)
{
    static const char *const launchers[] = {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK"};
    gwf_error err = {0};
    bool launched = true;
    char *kept[SIGNS];
    hide(kept);
    CHECK_OK(gwf_mpi_launched(&launched, &err), err);
    CU_ASSERT_FALSE(launched);
    for (size_t i = 0; i < sizeof launchers / sizeof *launchers; i++) {
        setenv(launchers[i], "1", 1);
        CHECK_OK(gwf_mpi_launched(&launched, &err), err);
        CU_ASSERT_TRUE(launched);
        unsetenv(launchers[i]);
    }
    setenv("SLURM_STEP_ID", "0", 1);
    setenv("SLURM_STEP_NUM_TASKS", "1", 1);
    CHECK_OK(gwf_mpi_launched(&launched, &err), err);
    CU_ASSERT_FALSE(launched);
    setenv("SLURM_STEP_NUM_TASKS", "4", 1);
    CHECK_FAILS(gwf_mpi_launched(&launched, &err), GWF_ERR_UNSUPPORTED, err,
                "srun started 4 tasks without telling them of each other");
    setenv("PMIX_RANK", "3", 1); /* now it has told them */
    CHECK_OK(gwf_mpi_launched(&launched, &err), err);
    CU_ASSERT_TRUE(launched);
    put_back(kept);
}
#else
static void test_launched(void)
{
    gwf_error err = {0};
    bool launched = true;
    char *kept[SIGNS];
    hide(kept);
    setenv("OMPI_COMM_WORLD_SIZE", "1", 1);
    CHECK_OK(gwf_mpi_launched(&launched, &err), err);
    CU_ASSERT_FALSE(launched);
    setenv("OMPI_COMM_WORLD_SIZE", "2", 1);
    CHECK_FAILS(gwf_mpi_launched(&launched, &err), GWF_ERR_UNSUPPORTED, err, "built without MPI");
    put_back(kept);
}
#endif

static void test_expected_rank(void)
{
    char *kept[SIGNS];
    hide(kept);
    CU_ASSERT_EQUAL(gwf_mpi_expected_rank(), 0);
    setenv("SLURM_PROCID", "5", 1);
    CU_ASSERT_EQUAL(gwf_mpi_expected_rank(), 5);
    setenv("PMIX_RANK", "6", 1);
    CU_ASSERT_EQUAL(gwf_mpi_expected_rank(), 6);
    setenv("OMPI_COMM_WORLD_RANK", "7", 1);
    CU_ASSERT_EQUAL(gwf_mpi_expected_rank(), 7);
    put_back(kept);
    CU_ASSERT_EQUAL(gwf_mpi_expected_rank(), test_rank());
}

/* --- alone (local) --------------------------------------------------------------------------- */

static void test_alone(void)
{
    gwf_error err = {0};
    gwf_comm *alone = NULL, *part = NULL;
    double values[2] = {3, -4};
    int order = 7;
    CHECK_OK(gwf_comm_alone(&alone, &err), err);
    CU_ASSERT_EQUAL(gwf_comm_rank(alone), 0);
    CU_ASSERT_EQUAL(gwf_comm_size(alone), 1);
    CHECK_OK(gwf_agree(alone, GWF_OK, &err), err);
    gwf_fail(&err, GWF_ERR_DATA, "in.nc: bad");
    CU_ASSERT_EQUAL(gwf_agree(alone, GWF_ERR_DATA, &err), GWF_ERR_DATA);
    CU_ASSERT_STRING_EQUAL(err.text, "in.nc: bad"); /* no rank to name */
    CHECK_OK(gwf_comm_broadcast(alone, values, sizeof values, 0, &err), err);
    CHECK_OK(gwf_comm_order(alone, &order, &err), err);
    CHECK_OK(gwf_comm_max(alone, values, 2, &err), err);
    CHECK_OK(gwf_comm_sum(alone, values, 2, &err), err);
    CU_ASSERT_TRUE(values[0] == 3 && values[1] == -4 && order == 7);
    CHECK_OK(gwf_comm_split(alone, -1, 0, &part, &err), err);
    CU_ASSERT_PTR_NULL(part);
    CHECK_OK(gwf_comm_split(alone, 3, 9, &part, &err), err);
    CU_ASSERT_TRUE(part && gwf_comm_size(part) == 1);
    gwf_comm_free(&part);
    CU_ASSERT_PTR_NULL(part);
    CHECK_OK(gwf_comm_split_node(alone, &part, &err), err);
    CU_ASSERT_TRUE(part && gwf_comm_size(part) == 1);
    gwf_comm_free(&part);
    gwf_comm_free(&part);
    gwf_comm_free(NULL);
    gwf_comm_free(&alone);
}

/* --- agreement ------------------------------------------------------------------------------- */

/* The ranks of the bits in `failing` fail, each with its own status and text. */
static gwf_status agree(unsigned failing, gwf_error *err)
{
    static const gwf_status statuses[] = {GWF_ERR_DATA, GWF_ERR_IO, GWF_ERR_STOPPED};
    const int rank = test_rank();
    *err = (gwf_error){0};
    if (!(failing >> rank & 1)) return gwf_agree(test_comm(), GWF_OK, err);
    gwf_fail(err, statuses[rank % 3], "file %d: is bad", rank);
    return gwf_agree(test_comm(), statuses[rank % 3], err);
}

static void test_agree(void)
{
    static const gwf_status statuses[] = {GWF_ERR_DATA, GWF_ERR_IO, GWF_ERR_STOPPED};
    gwf_error err;
    const int ranks = test_ranks();
    CHECK_OK(agree(0, &err), err);
    CU_ASSERT_STRING_EQUAL(err.text, "");
    for (unsigned failing = 1; failing < 1u << ranks; failing++) {
        int lowest = 0;
        char text[64];
        while (!(failing >> lowest & 1)) lowest++;
        snprintf(text, sizeof text, "rank %d: file %d: is bad", lowest, lowest);
        CU_ASSERT_EQUAL(agree(failing, &err), statuses[lowest % 3]);
        CU_ASSERT_EQUAL(err.status, statuses[lowest % 3]);
        CU_ASSERT_STRING_EQUAL(err.text, ranks > 1 ? text : text + strlen("rank 0: "));
    }
}

static void test_agree_without_text(void)
{
    gwf_error err = {0};
    const int last = test_ranks() - 1;
    const gwf_status mine = test_rank() == last ? GWF_ERR_MEMORY : GWF_OK;
    CU_ASSERT_EQUAL(gwf_agree(test_comm(), mine, NULL), GWF_ERR_MEMORY);
    CU_ASSERT_EQUAL(gwf_agree(test_comm(), mine, &err), GWF_ERR_MEMORY);
    if (last > 0) CU_ASSERT_PTR_NOT_NULL(strstr(err.text, gwf_status_text(GWF_ERR_MEMORY)));
}

/* One that was agreed on in a group, then by all: the rank is named once, as all count it. */
static void test_agree_twice(void)
{
    gwf_error err = {0};
    gwf_comm *upper = NULL;
    gwf_status status = GWF_OK;
    const int ranks = test_ranks(), half = ranks / 2;
    char text[64];
    if (ranks == 1) return;
    CHECK_OK(gwf_comm_split(test_comm(), test_rank() >= half ? 0 : -1, test_rank(), &upper, &err),
             err);
    if (test_rank() == ranks - 1) status = gwf_fail(&err, GWF_ERR_IO, "the disk is gone");
    if (upper) status = gwf_agree(upper, status, &err);
    status = gwf_agree(test_comm(), status, &err);
    status = gwf_agree(test_comm(), status, &err);
    CU_ASSERT_EQUAL(status, GWF_ERR_IO);
    if (gwf_comm_size(test_comm()) - half > 1)
        snprintf(text, sizeof text, "rank %d: the disk is gone", ranks - 1);
    else /* a group of one names nobody; then all do */
        snprintf(text, sizeof text, "rank %d: the disk is gone", ranks - 1);
    CU_ASSERT_STRING_EQUAL(err.text, text);
    gwf_comm_free(&upper);
}

/* --- values ---------------------------------------------------------------------------------- */

static void test_broadcast(void)
{
    static const size_t sizes[] = {0, 1, 17, 5000000};
    gwf_error err = {0};
    for (int root = 0; root < test_ranks(); root++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            size_t wrong = 0;
            unsigned char *data = malloc(sizes[i] + 1);
            for (size_t k = 0; k <= sizes[i]; k++)
                data[k] = test_rank() == root ? (unsigned char)(k % 251 + (size_t)root) : 255;
            data[sizes[i]] = 254; /* behind the end */
            CHECK_OK(gwf_comm_broadcast(test_comm(), data, sizes[i], root, &err), err);
            for (size_t k = 0; k < sizes[i]; k++)
                wrong += data[k] != (unsigned char)(k % 251 + (size_t)root);
            CU_ASSERT_EQUAL(wrong + (data[sizes[i]] != 254), 0);
            free(data);
        }
}

static void test_order(void)
{
    gwf_error err = {0};
    for (int i = 0; i < 50; i++) {
        int order = test_rank() == 0 ? 3 * i + 1 : -1;
        CHECK_OK(gwf_comm_order(test_comm(), &order, &err), err);
        CU_ASSERT_EQUAL(order, 3 * i + 1);
    }
}

static void test_max_and_sum(void)
{
    gwf_error err = {0};
    const double r = test_rank(), n = test_ranks();
    double most[3] = {r, -r, 7}, sum[3] = {1, r, 0.5};
    CHECK_OK(gwf_comm_max(test_comm(), most, 3, &err), err);
    CU_ASSERT_TRUE(most[0] == n - 1 && most[1] == 0 && most[2] == 7);
    CHECK_OK(gwf_comm_sum(test_comm(), sum, 3, &err), err);
    CU_ASSERT_TRUE(sum[0] == n && sum[1] == n * (n - 1) / 2 && sum[2] == n / 2);
}

/* --- groups ---------------------------------------------------------------------------------- */

/* Even and odd ranks, each in reverse order. */
static void test_split(void)
{
    gwf_error err = {0};
    gwf_comm *part = NULL;
    const int rank = test_rank(), ranks = test_ranks(), colour = rank % 2;
    const int members = (ranks + 1 - colour) / 2;
    CHECK_OK(gwf_comm_split(test_comm(), colour, -rank, &part, &err), err);
    CU_ASSERT_EQUAL(gwf_comm_size(part), members);
    CU_ASSERT_EQUAL(gwf_comm_rank(part), members - 1 - rank / 2);
    double sum = rank, expected = 0;
    for (int r = colour; r < ranks; r += 2) expected += r;
    CHECK_OK(gwf_comm_sum(part, &sum, 1, &err), err);
    CU_ASSERT_EQUAL(sum, expected);
    gwf_comm_free(&part);
}

/* Only the last rank is in. */
static void test_split_none(void)
{
    gwf_error err = {0};
    gwf_comm *part = NULL;
    const bool last = test_rank() == test_ranks() - 1;
    CHECK_OK(gwf_comm_split(test_comm(), last ? 0 : -1, 0, &part, &err), err);
    CU_ASSERT_EQUAL(part != NULL, last);
    if (part) CU_ASSERT_EQUAL(gwf_comm_size(part), 1);
    gwf_comm_free(&part);
}

/* Tests run on one node. */
static void test_split_node(void)
{
    gwf_error err = {0};
    gwf_comm *node = NULL;
    CHECK_OK(gwf_comm_split_node(test_comm(), &node, &err), err);
    CU_ASSERT_EQUAL(gwf_comm_size(node), test_ranks());
    CU_ASSERT_EQUAL(gwf_comm_rank(node), test_rank());
    gwf_comm_free(&node);
}

int main(void)
{
    static const test_case cases[] = {
        {"what launchers tell", test_launched},
        {"the rank that is expected", test_expected_rank},
        {"alone", test_alone},
        {"agree: the lowest that fails", test_agree},
        {"agree: a failure without words", test_agree_without_text},
        {"agree twice: named once", test_agree_twice},
        {"broadcast", test_broadcast},
        {"orders", test_order},
        {"largest and sum", test_max_and_sum},
        {"groups", test_split},
        {"in no group", test_split_none},
        {"the ranks of a node", test_split_node},
    };
    return test_run_ranks("comm", cases, sizeof cases / sizeof *cases);
}
