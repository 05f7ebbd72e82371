/* One copy of the weights for the ranks of a node: it is there once, and no result changes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "backend_start.h"
#include "coupling/engine.h"
#include "engine/shared_weights.h"
#include "golden_model.h"
#include "test_mpi.h"

enum { NLAT = 16, NLON = 32 };

/* A network with its plan on this rank. */
typedef struct bench {
    gwf_tensor_set set;
    gwf_network network;
    const gwf_backend *backend;
    gwf_context *context;
    gwf_plan *plan;
    gwf_shared_weights weights;
    gwf_quantised int8;
    float *input, *output;
    size_t values; /* of output */
} bench;

/* All convolutions in 8 bits, with scales that fit values up to 3. */
static void quantise(bench *b)
{
    gwf_error err = {0};
    CHECK_OK(gwf_quantised_create(&b->network, &b->int8, &err), err);
    for (int i = 0; i < b->int8.n_layers; i++) {
        gwf_quantised_layer *layer = &b->int8.layers[i];
        layer->int8 = true;
        for (int c = 0; c < layer->channels; c++) layer->scale[c] = 3.0f / 127;
    }
}

static void read_network(bench *b, const char *checkpoint)
{
    gwf_error err = {0};
    gwf_checkpoint_info info;
    CHECK_OK(gwf_checkpoint_read(test_data(checkpoint), &b->set, &info, NULL, &err), err);
    CHECK_OK(
        gwf_network_build(&b->set, (gwf_edges){GWF_PADDING_ZERO, 0, 0}, NULL, &b->network, &err),
        err);
}

static void plan_network(bench *b, const gwf_backend *backend, gwf_precision precision)
{
    gwf_error err = {0};
    const gwf_backend_config config = {.threads = 1,
                                       .batch = 1,
                                       .precision = precision,
                                       .chain = gwf_network_is_chain(&b->network)};
    if (precision == GWF_INT8) quantise(b);
    CHECK_OK(gwf_backend_start(backend, &config, &b->backend, &b->context, &err), err);
    const gwf_site site = {.backend = b->backend,
                           .context = b->context,
                           .nlat = NLAT,
                           .nlon = NLON,
                           .int8 = precision == GWF_INT8 ? &b->int8 : NULL};
    CHECK_OK(gwf_plan_create(&b->network, &site, &b->plan, &err), err);
    b->values = (size_t)b->network.outputs * NLAT * NLON;
    b->input = golden_input(b->network.inputs, NLAT, NLON);
    b->output = calloc(b->values, sizeof *b->output);
}

static void free_bench(bench *b)
{
    gwf_plan_free(&b->plan);
    gwf_shared_weights_free(&b->weights);
    if (b->context) b->backend->close(b->context);
    gwf_quantised_free(&b->int8);
    gwf_network_free(&b->network);
    gwf_tensor_set_free(&b->set);
    free(b->input);
    free(b->output);
}

static void run_map(bench *b)
{
    gwf_error err = {0};
    const float *const in[] = {b->input};
    float *const out[] = {b->output};
    memset(b->output, 0xff, b->values * sizeof *b->output);
    CHECK_OK(gwf_plan_run(b->plan, 1, in, out, &err), err);
}

/* Before and after: the same bits. */
static void check_sharing(bench *b, const gwf_log *log)
{
    gwf_error err = {0};
    const size_t bytes = b->values * sizeof *b->output;
    float *before = malloc(bytes);
    run_map(b);
    memcpy(before, b->output, bytes);
    CHECK_OK(gwf_weights_share_node(b->plan, test_comm(), log, &b->weights, &err), err);
    for (int i = 0; i < 2; i++) {
        run_map(b);
        CU_ASSERT_EQUAL(memcmp(before, b->output, bytes), 0);
    }
    CU_ASSERT_EQUAL(b->weights.ranks, test_ranks());
    CU_ASSERT_TRUE(b->weights.bytes > 0 && b->weights.shared <= b->weights.bytes);
    free(before);
}

/* --- where the weights are ------------------------------------------------------------------- */

typedef struct places {
    const gwf_shared_memory *memory;
    size_t inside, outside; /* bytes */
    unsigned sum;
} places;

/* Looks at every value, so that all pages are there. */
static void *look(void *user, void *weights, size_t bytes)
{
    places *p = user;
    const char *at = weights, *start = p->memory->memory;
    const bool inside = start && at >= start && at + bytes <= start + p->memory->bytes;
    for (size_t i = 0; i < bytes; i++) p->sum += (unsigned char)at[i];
    *(inside ? &p->inside : &p->outside) += bytes;
    return weights;
}

static void check_places(bench *b)
{
    gwf_error err = {0};
    places p = {.memory = &b->weights.segment};
    CHECK_OK(gwf_plan_weights(b->plan, look, &p, &err), err);
    CU_ASSERT_EQUAL(p.inside, b->weights.shared);
    CU_ASSERT_EQUAL(p.inside + p.outside, b->weights.bytes);
}

/* "Name:  N kB" of the mapping that begins at `start`; -1: not found. */
static double mapped(const char *start, const char *name)
{
    char line[512], begin[32];
    double found = -1;
    bool here = false;
    FILE *file = fopen("/proc/self/smaps", "r");
    snprintf(begin, sizeof begin, "%lx-", (unsigned long)start);
    while (file && found < 0 && fgets(line, sizeof line, file)) {
        if (strncmp(line, begin, strlen(begin)) == 0) here = true;
        if (here && strncmp(line, name, strlen(name)) == 0)
            found = 1024 * strtod(line + strlen(name), NULL);
    }
    if (file) fclose(file);
    return found;
}

/* Every rank has all pages of it, and together they have them once. */
static void check_once(bench *b)
{
    const gwf_shared_memory *memory = &b->weights.segment;
    const double ranks = test_ranks();
    test_barrier();
    double resident = mapped(memory->memory, "Rss:"), share = mapped(memory->memory, "Pss:");
    test_barrier();
    CU_ASSERT_EQUAL(gwf_comm_sum(test_comm(), &resident, 1, NULL), GWF_OK);
    CU_ASSERT_EQUAL(gwf_comm_sum(test_comm(), &share, 1, NULL), GWF_OK);
    CHECK_AT_MOST(fabs(resident - ranks * (double)memory->bytes), 0);
    CHECK_AT_MOST(fabs(share - (double)memory->bytes), 1024 * ranks); /* each is rounded down */
}

static void check_shared(const char *checkpoint, const gwf_backend *backend,
                         gwf_precision precision)
{
    bench b = {0};
    if (!backend_starts(backend, precision)) return;
    read_network(&b, checkpoint);
    plan_network(&b, backend, precision);
    check_sharing(&b, NULL);
    check_places(&b);
    CU_ASSERT_EQUAL(b.weights.shared, test_ranks() > 1 ? b.weights.bytes : 0);
    if (test_ranks() > 1) check_once(&b);
    free_bench(&b);
}

static void check_precisions(const gwf_backend *backend)
{
    static const gwf_precision precisions[] = {GWF_FP32, GWF_FP32_FAST, GWF_BF16, GWF_INT8};
    static const char *const checkpoints[] = {"golden/unet.pt", "golden/ann_3x3.pt"};
    for (size_t i = 0; i < sizeof precisions / sizeof *precisions; i++)
        for (int k = 0; k < 2; k++) check_shared(checkpoints[k], backend, precisions[i]);
}

static void test_shared_once(void)
{
    check_precisions(&gwf_backend_ref);
#ifdef GWF_HAVE_ONEDNN
    check_precisions(&gwf_backend_cpu);
#endif
}

/* --- ranks that differ ----------------------------------------------------------------------- */

/* The last rank's first convolution is another one. */
static void test_other_weights(void)
{
    bench b = {0};
    const int last = test_ranks() - 1;
    read_network(&b, "golden/unet.pt");
    const gwf_tensor *first = b.network.layers[0].terms[0].weight;
    if (last > 0 && test_rank() == last) first->data[3] += 0.25f;
    plan_network(&b, &gwf_backend_ref, GWF_FP32);
    check_sharing(&b, NULL);
    check_places(&b);
    const size_t own = last == 0                          ? b.weights.bytes
                       : last == 1 || test_rank() == last ? first->size * sizeof(float)
                                                          : 0;
    CU_ASSERT_EQUAL(b.weights.bytes - b.weights.shared, own);
    free_bench(&b);
}

/* Ranks 1, 3, ... pack for another algorithm: with four ranks each way is there twice. */
static void test_other_algorithm(void)
{
#ifdef GWF_HAVE_ONEDNN
    bench b = {0};
    const int ranks = test_ranks();
    if (!backend_starts(&gwf_backend_cpu, GWF_FP32_FAST)) return;
    read_network(&b, "golden/unet.pt");
    plan_network(&b, &gwf_backend_cpu, test_rank() % 2 ? GWF_FP32_FAST : GWF_FP32);
    check_sharing(&b, NULL);
    check_places(&b);
    if (ranks == 4) CU_ASSERT_EQUAL(b.weights.shared, b.weights.bytes);
    if (ranks == 2) CU_ASSERT_TRUE(b.weights.shared < b.weights.bytes);
    free_bench(&b);
#endif
}

/* --- without shared memory ------------------------------------------------------------------- */

static void keep_line(void *user, const char *line)
{
    snprintf(user, 256, "%s", line);
}

static void test_refused(void)
{
    bench b = {0};
    char line[256] = "";
    const gwf_log log = {keep_line, line};
    struct rlimit before, none;
    read_network(&b, "golden/unet.pt");
    plan_network(&b, &gwf_backend_ref, GWF_FP32);
    getrlimit(RLIMIT_NOFILE, &before);
    none = before;
    none.rlim_cur = 0;
    if (test_rank() == test_ranks() - 1) setrlimit(RLIMIT_NOFILE, &none);
    check_sharing(&b, &log);
    setrlimit(RLIMIT_NOFILE, &before);
    check_places(&b);
    CU_ASSERT_EQUAL(b.weights.shared, 0);
    CU_ASSERT_EQUAL(strstr(line, "keeps its own weights") != NULL, test_ranks() > 1);
    free_bench(&b);
}

/* --- engines --------------------------------------------------------------------------------- */

static gwf_engine *make_engine(void)
{
    gwf_error err = {0};
    gwf_checkpoint_info info;
    gwf_engine *engine = calloc(1, sizeof *engine);
    gwf_model *model = &engine->model;
    CHECK_OK(gwf_checkpoint_read(test_data("golden/unet.pt"), &model->set, &info, NULL, &err), err);
    CHECK_OK(gwf_network_build(&model->set, (gwf_edges){GWF_PADDING_ZERO, 0, 0}, NULL,
                               &model->network, &err),
             err);
    return engine;
}

/* A map in tiles, one above the other, by ranks that share the weights or do not. */
static void predict_tiles(const gwf_comm *node, const float *features, float *prediction)
{
    gwf_engine *engine = make_engine();
    const gwf_domain grid = {.nlat = 16 * test_ranks(),
                             .nlon = NLON,
                             .comm = test_comm(),
                             .tiling = {test_ranks(), 1},
                             .node = node};
    CHECK_OK(gwf_engine_plan(engine, NULL, &grid, NULL), engine->error);
    CU_ASSERT_EQUAL(engine->weights.shared > 0, node != NULL && test_ranks() > 1);
    if (test_rank() == 0) {
        CHECK_OK(gwf_engine_run(engine, 1, &features, &prediction, &engine->error), engine->error);
        CHECK_OK(gwf_engine_dismiss(engine, &engine->error), engine->error);
    } else {
        CHECK_OK(gwf_engine_serve(engine, NULL, &engine->error), engine->error);
    }
    gwf_free(&engine);
}

static void test_tiles(void)
{
    gwf_engine *engine = make_engine();
    const int nlat = 16 * test_ranks();
    const size_t points = (size_t)nlat * NLON;
    const size_t n = (size_t)engine->model.network.outputs * points * sizeof(float);
    float *features = golden_input(engine->model.network.inputs, nlat, NLON);
    float *alone = calloc(1, n), *together = calloc(1, n);
    gwf_free(&engine);
    predict_tiles(NULL, features, alone);
    predict_tiles(test_comm(), features, together);
    CU_ASSERT_EQUAL(memcmp(alone, together, n), 0);
    free(features);
    free(alone);
    free(together);
}

/* One rank's grid does not fit: all are told, though each has its own map. */
static void test_failure(void)
{
    gwf_engine *engine = make_engine();
    const bool last = test_rank() == test_ranks() - 1;
    const gwf_domain grid = {.nlat = last ? 17 : NLAT, .nlon = NLON, .node = test_comm()};
    CHECK_FAILS(gwf_engine_plan(engine, NULL, &grid, NULL), GWF_ERR_MISMATCH, engine->error,
                "17 latitudes");
    CU_ASSERT_EQUAL(engine->weights.shared, 0);
    gwf_free(&engine);
}

int main(void)
{
    static const test_case cases[] = {
        {"shared once", test_shared_once},
        {"other weights", test_other_weights},
        {"other algorithm", test_other_algorithm},
        {"refused", test_refused},
        {"tiles", test_tiles},
        {"failure", test_failure},
    };
    return test_run_ranks("shared_weights", cases, sizeof cases / sizeof *cases);
}
