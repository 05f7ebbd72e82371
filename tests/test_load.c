/* Model files read by the ranks of a node: one reads the weights for all that see the same file. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coupling/engine.h"
#include "golden_model.h"
#include "test_mpi.h"

static const gwf_model_choice choice = {"uvtheta", "global", "era5-released", "zero", "rho_uw"};

static bool same_weights(const gwf_tensor_set *a, const gwf_tensor_set *b)
{
    bool same = a->count == b->count && a->count > 0;
    for (size_t i = 0; same && i < a->count; i++)
        same = a->items[i].size == b->items[i].size &&
               memcmp(a->items[i].data, b->items[i].data, a->items[i].size * sizeof(float)) == 0;
    return same;
}

static bool is_zero(const gwf_tensor_set *set)
{
    bool zero = true;
    for (size_t i = 0; i < set->count; i++)
        for (size_t k = 0; k < set->items[i].size; k++) zero &= set->items[i].data[k] == 0;
    return zero;
}

/* A model, written by rank 0; `odd` is one of its weights. */
static const char *model_file(const char *name, float odd)
{
    const char *path = test_scratch_of_all(name);
    gwf_error err = {0};
    gwf_checkpoint_info info;
    gwf_tensor_set set = {0};
    gwf_model model = {0};
    if (test_rank() == 0) {
        CHECK_OK(gwf_checkpoint_read(test_data("golden/unet.pt"), &set, &info, NULL, &err), err);
        set.items[0].data[1] = odd;
        CHECK_OK(gwf_model_build(&set, &choice, "test", NULL, &model, &err), err);
        CHECK_OK(gwf_model_write(&model, path, "test", true, &err), err);
        gwf_model_free(&model);
    }
    test_barrier();
    return path;
}

/* All load `path` on one node; those that `want` end with the weights that it has. */
static void check_load(const char *path, bool reads, bool wants)
{
    gwf_engine *engine = calloc(1, sizeof *engine), *alone = calloc(1, sizeof *alone);
    CHECK_OK(gwf_engine_load(alone, path, NULL), alone->error);
    CHECK_OK(gwf_engine_load_node(engine, test_comm(), path, NULL), engine->error);
    CU_ASSERT_EQUAL(engine->lacks_weights, !reads);
    CU_ASSERT_EQUAL(is_zero(&engine->model.set), !reads);
    CU_ASSERT_STRING_EQUAL(engine->model.checksum, alone->model.checksum);
    CU_ASSERT_EQUAL(engine->model.network.n_layers, alone->model.network.n_layers);
    CHECK_OK(gwf_engine_spread_weights(engine, test_comm(), wants), engine->error);
    CU_ASSERT_EQUAL(same_weights(&engine->model.set, &alone->model.set), wants);
    if (!wants) CU_ASSERT_EQUAL(engine->model.set.count, 0);
    gwf_free(&engine);
    gwf_free(&alone);
}

static void test_one_reads(void)
{
    const char *path = model_file("one.nc", 0.5f);
    const int rank = test_rank(), last = test_ranks() - 1;
    check_load(path, rank == 0, true);
    check_load(path, rank == 0, rank == last); /* only a rank that has not read them */
    check_load(path, rank == 0, rank == 0);
    check_load(path, rank == 0, false);
}

/* The last rank sees another file under that name. */
static void test_another_file(void)
{
    const char *path = model_file("mine.nc", 0.5f), *other = model_file("other.nc", 0.25f);
    const bool last = test_rank() == test_ranks() - 1;
    check_load(last ? other : path, last || test_rank() == 0, true);
}

static void check_refused(const char *path, gwf_status status, const char *words)
{
    char who[128];
    gwf_engine *engine = calloc(1, sizeof *engine);
    snprintf(who, sizeof who, "%s%s", test_ranks() > 1 ? "rank 0: " : "", path);
    const gwf_status found = gwf_engine_load_node(engine, test_comm(), path, NULL);
    CHECK_FAILS(found, status, engine->error, words);
    CU_ASSERT_TRUE(strncmp(engine->error.text, who, strlen(who)) == 0);
    gwf_free(&engine);
}

/* What only the reader of the weights can find, all are told. */
static void test_refused(void)
{
    check_refused("none.nc", GWF_ERR_NOT_FOUND, "none.nc");
    check_refused(model_file("nan.nc", NAN), GWF_ERR_MODEL, "[1] is not finite");
}

/* Zeros are no network. */
static void test_not_spread(void)
{
    gwf_engine *engine = calloc(1, sizeof *engine);
    const gwf_domain grid = {.nlat = 16, .nlon = 32};
    CHECK_OK(gwf_engine_load_node(engine, test_comm(), model_file("plan.nc", 1), NULL),
             engine->error);
    if (test_rank() > 0)
        CHECK_FAILS(gwf_engine_plan(engine, NULL, &grid, NULL), GWF_ERR_INTERNAL, engine->error,
                    "weights");
    gwf_free(&engine);
}

int main(void)
{
    static const test_case cases[] = {
        {"one reads", test_one_reads},
        {"another file", test_another_file},
        {"refused", test_refused},
        {"not spread", test_not_spread},
    };
    return test_run_ranks("load", cases, sizeof cases / sizeof *cases);
}
