/* Whole networks against PyTorch in float64, layer by layer, on every built backend. */
#include "test.h"

#include <math.h>
#include <netcdf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend_start.h"
#include "engine/plan.h"
#include "golden_model.h"

#ifdef __SANITIZE_ADDRESS__
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

/* The whole of a NetCDF variable of three dimensions; NULL when it is not there. Some files hold
 * only every so many-th channel. */
static float *read_map(const char *path, const char *name, size_t shape[3], int *every)
{
    int file, variable, dims[NC_MAX_VAR_DIMS];
    float *values = NULL;
    *every = 1;
    if (nc_open(path, NC_NOWRITE, &file) != NC_NOERR) return NULL;
    if (nc_inq_varid(file, name, &variable) == NC_NOERR &&
        nc_inq_vardimid(file, variable, dims) == NC_NOERR) {
        for (int i = 0; i < 3; i++) nc_inq_dimlen(file, dims[i], &shape[i]);
        values = malloc(shape[0] * shape[1] * shape[2] * sizeof *values);
        if (nc_get_var_float(file, variable, values) != NC_NOERR) {
            free(values);
            values = NULL;
        }
        nc_get_att_int(file, variable, "every", every);
    }
    nc_close(file);
    return values;
}

/* ---- taps ---- */

typedef struct tap_check {
    const char *expected; /* file */
    const char *backend;
    double tolerance;
    int compared;
} tap_check;

/* The name in the expected files of a layer's result: "conv1.conv.3" -> conv1, "up5.up.1" -> up5,
 * "attn5.Psi.0" -> attn5, "conv1x1" and "output" -> prediction; NULL: not among them. */
static const char *tap_name(const char *layer, char name[64])
{
    static const char *const ends[] = {".conv.3", ".up.1", ".Psi.0"};
    if (strcmp(layer, "conv1x1") == 0 || strcmp(layer, "output") == 0) return "prediction";
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        const char *end = strstr(layer, ends[i]);
        if (!end || end[strlen(ends[i])]) continue;
        snprintf(name, 64, "%.*s", (int)(end - layer), layer);
        return name;
    }
    return NULL;
}

static void check_tap(void *user, const char *layer, int channels, int rows, int cols,
                      const float *values)
{
    tap_check *check = user;
    char buffer[64];
    const char *name = tap_name(layer, buffer);
    size_t shape[3] = {0};
    int every = 1;
    float *truth = name ? read_map(check->expected, name, shape, &every) : NULL;
    if (!truth) return;
    const size_t plane = (size_t)rows * (size_t)cols;
    const bool fits = shape[0] == ((size_t)channels + (size_t)every - 1) / (size_t)every &&
                      shape[1] == (size_t)rows && shape[2] == (size_t)cols;
    CU_ASSERT_TRUE(fits);
    if (fits) {
        float *kept = malloc(shape[0] * plane * sizeof *kept);
        for (size_t k = 0; k < shape[0]; k++)
            memcpy(kept + k * plane, values + k * (size_t)every * plane, plane * sizeof *kept);
        const double error = test_relative_l2(kept, truth, shape[0] * plane);
        if (!(error <= check->tolerance))
            fprintf(stderr, "\n  %s, backend %s, %s: relative error %g, at most %g\n",
                    check->expected, check->backend, name, error, check->tolerance);
        CU_ASSERT_TRUE(error <= check->tolerance);
        check->compared++;
        free(kept);
    }
    free(truth);
}

/* ---- a network on a backend ---- */

typedef struct trial {
    const gwf_backend *backend; /* or the guard ... */
    const gwf_backend *watched; /* ... around this one */
    gwf_precision precision;
    int runs; /* ... the first with all taps, if it is not bf16: that answers for predictions */
    int batch, slot; /* maps at once, and which of them has the input; the others are zero */
} trial;

enum { MAX_BATCH = 4 };

/* One run of the plan; the output of the map with the input. */
static void run_plan(gwf_plan *plan, const gwf_network *network, const trial *t, const float *input,
                     size_t points, float *output)
{
    gwf_error err = {0};
    const float *inputs[MAX_BATCH];
    float *outputs[MAX_BATCH];
    float *zero = calloc(points * (size_t)network->inputs, sizeof *zero);
    float *other = malloc(points * (size_t)network->outputs * sizeof *other);
    for (int i = 0; i < t->batch; i++) {
        inputs[i] = i == t->slot ? input : zero;
        outputs[i] = i == t->slot ? output : other;
    }
    CHECK_OK(gwf_plan_run(plan, t->slot + 1, inputs, outputs, &err), err);
    free(zero);
    free(other);
}

/* Run the network on one backend and compare all taps. */
static void run_network(const gwf_network *network, const trial *t, const float *input, int nlat,
                        int nlon, tap_check *check)
{
    gwf_error err = {0};
    gwf_context *context = NULL;
    gwf_plan *plan = NULL;
    const gwf_backend *backend = NULL;
    const gwf_backend_config config = {.threads = 2,
                                       .batch = t->batch,
                                       .precision = t->precision,
                                       .chain = gwf_network_is_chain(network),
                                       .wrapped = t->watched};
    float *output = malloc((size_t)network->outputs * (size_t)(nlat * nlon) * sizeof *output);
    CHECK_OK(gwf_backend_start(t->backend, &config, &backend, &context, &err), err);
    const gwf_site site = {backend, context, nlat, nlon, NULL, NULL};
    CHECK_OK(gwf_plan_create(network, &site, &plan, &err), err);
    if (plan) {
        for (int again = 0; again < t->runs; again++) { /* the second map finds a used arena */
            gwf_tap *tap = again || t->slot || t->precision == GWF_BF16 ? NULL : check_tap;
            CHECK_OK(gwf_plan_set_tap(plan, tap, check, &err), err);
            run_plan(plan, network, t, input, (size_t)(nlat * nlon), output);
            check_tap(check, "output", network->outputs, nlat, nlon, output);
        }
        CU_ASSERT_TRUE(gwf_plan_arena_bytes(plan) <= gwf_plan_unshared_bytes(plan) + 64 * 64);
    }
    gwf_plan_free(&plan);
    backend->close(context);
    free(output);
}

typedef struct network_case {
    const char *checkpoint, *expected;
    gwf_padding padding;
    int nlat, nlon, first; /* first: of the shared map's channels */
    int taps;              /* compared in the first of the two runs, besides the prediction */
    double narrow; /* so many times the error of a network whose maps have hundreds of channels,
                    * over which roundings average; 0: as such a one */
} network_case;

/* Precisions with errors of their own, where the backend has them: alone, in a batch, and often
 * enough that steps are recorded and repeated. */
static void run_rounded(const gwf_network *network, const gwf_backend *backend, const float *input,
                        const network_case *c, tap_check *check)
{
    const double narrow = c->narrow > 0 && backend == &gwf_backend_cuda ? c->narrow : 1;
    static const gwf_precision rounded[] = {GWF_TF32, GWF_BF16, GWF_FP16};
    for (size_t i = 0; i < sizeof rounded / sizeof *rounded; i++) {
        if (!backend_starts(backend, rounded[i])) continue;
        const int runs = backend == &gwf_backend_cuda ? 5 : 2;
        const trial alone = {backend, NULL, rounded[i], runs, 1, 0};
        const trial batched = {backend, NULL, rounded[i], runs, 3, 1};
        check->tolerance = narrow * gwf_precision_error(rounded[i]);
        run_network(network, &alone, input, c->nlat, c->nlon, check);
        run_network(network, &batched, input, c->nlat, c->nlon, check);
    }
}

static void check_network(const network_case *c, const char *checkpoint, const char *expected,
                          const float *input)
{
    gwf_error err = {0};
    gwf_tensor_set set = {0};
    gwf_network network = {0};
    gwf_checkpoint_info info;
    CHECK_OK(gwf_checkpoint_read(checkpoint, &set, &info, NULL, &err), err);
    CHECK_OK(gwf_network_build(&set, (gwf_edges){c->padding, 0, 0}, NULL, &network, &err), err);
    for (const gwf_backend *const *b = gwf_backends(); network.layers && *b; b++) {
        if (!backend_starts(*b, GWF_FP32)) continue;
        const bool is_ref = *b == &gwf_backend_ref;
        const bool slow = is_ref && c->nlat > 16; /* once is enough, and not under a sanitizer */
        tap_check check = {expected, (*b)->name, is_ref ? 2e-6 : 1e-5, 0};
        if (slow && SANITIZED) {
            test_skip("%s on ref: too slow under a sanitizer", checkpoint);
            continue;
        }
        const trial plain = {*b, NULL, GWF_FP32, slow ? 1 : 2, 1, 0};
        run_network(&network, &plain, input, c->nlat, c->nlon, &check);
        CU_ASSERT_EQUAL(check.compared, c->taps + 1 + plain.runs);
        if (slow) continue;
        const trial guarded = {&gwf_backend_guard, *b, GWF_FP32, 2, 1, 0};
        const trial batched = {&gwf_backend_guard, *b, GWF_FP32, 2, 3, 1};
        const trial fast = {*b, NULL, GWF_FP32_FAST, 1, 1, 0};
        run_network(&network, &guarded, input, c->nlat, c->nlon, &check);
        if (c->nlat <= 16) run_network(&network, &batched, input, c->nlat, c->nlon, &check);
        if (!is_ref) check.tolerance = gwf_precision_error(GWF_FP32_FAST);
        if (backend_starts(*b, GWF_FP32_FAST))
            run_network(&network, &fast, input, c->nlat, c->nlon, &check);
        run_rounded(&network, *b, input, c, &check);
    }
    gwf_network_free(&network);
    gwf_tensor_set_free(&set);
}

static void check_golden(const network_case *c)
{
    char checkpoint[1024], expected[1024];
    gwf_error err = {0};
    gwf_tensor_set set = {0};
    gwf_network network = {0};
    gwf_checkpoint_info info;
    snprintf(checkpoint, sizeof checkpoint, "%s", test_data(c->checkpoint));
    snprintf(expected, sizeof expected, "%s", test_data(c->expected));
    CHECK_OK(gwf_checkpoint_read(checkpoint, &set, &info, NULL, &err), err);
    CHECK_OK(gwf_network_build(&set, (gwf_edges){c->padding, 0, 0}, NULL, &network, &err), err);
    float *input = golden_input(network.inputs, c->nlat, c->nlon);
    gwf_network_free(&network);
    gwf_tensor_set_free(&set);
    check_network(c, checkpoint, expected, input);
    free(input);
}

static void test_golden_unets(void)
{
    static const network_case cases[] = {
        {"golden/unet.pt", "golden/unet_zero.nc", GWF_PADDING_ZERO, 16, 32, 0, 17, 0},
        {"golden/unet.pt", "golden/unet_periodic.nc", GWF_PADDING_PERIODIC_LON, 16, 32, 0, 4, 0},
        {"golden/unet_3d.pt", "golden/unet_3d.nc", GWF_PADDING_ZERO, 16, 32, 0, 5, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check_golden(&cases[i]);
}

static void test_golden_anns(void)
{
    static const network_case cases[] = {
        {"golden/ann_1x1.pt", "golden/ann_1x1.nc", GWF_PADDING_ZERO, 16, 32, 0, 0, 0},
        {"golden/ann_3x3.pt", "golden/ann_3x3.nc", GWF_PADDING_ZERO, 16, 32, 0, 0, 0},
        {"golden/ann_5x5.pt", "golden/ann_5x5.nc", GWF_PADDING_ZERO, 16, 32, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check_golden(&cases[i]);
}

/* The real map of ../shared: features (1, 369, 64, 128). */
static float *shared_input(int first)
{
    const char *path = test_shared("data/windset_uvtheta_2005-01-23.nc");
    const size_t start[] = {0, (size_t)first, 0, 0}, count[] = {1, 369 - (size_t)first, 64, 128};
    int file, variable;
    if (!path || nc_open(path, NC_NOWRITE, &file) != NC_NOERR) return NULL;
    float *values = malloc(count[1] * count[2] * count[3] * sizeof *values);
    CU_ASSERT_EQUAL(nc_inq_varid(file, "features", &variable), NC_NOERR);
    CU_ASSERT_EQUAL(nc_get_vara_float(file, variable, start, count, values), NC_NOERR);
    nc_close(file);
    return values;
}

static void test_shared_fixtures(void)
{
    static const network_case cases[] = {
        {"fixtures/unet_w8_uvtheta_epoch3.pt", "fixtures/unet_w8_uvtheta_expected.nc",
         GWF_PADDING_ZERO, 64, 128, 3, 17, 3},
        {"fixtures/ann_1x1_uvtheta_epoch2.pt", "fixtures/ann_1x1_uvtheta_expected.nc",
         GWF_PADDING_ZERO, 64, 128, 0, 0, 0},
        {"fixtures/ann_3x3_uvtheta_epoch2.pt", "fixtures/ann_3x3_uvtheta_expected.nc",
         GWF_PADDING_ZERO, 64, 128, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *checkpoint = test_shared(cases[i].checkpoint);
        const char *expected = test_shared(cases[i].expected);
        if (getenv("GWF_TEST_EMULATED")) {
            test_skip("%s: too much for an emulated GPU", cases[i].checkpoint);
            continue;
        }
        float *input = checkpoint && expected ? shared_input(cases[i].first) : NULL;
        if (input)
            check_network(&cases[i], checkpoint, expected, input);
        else
            test_skip("%s is not there", cases[i].checkpoint);
        free(input);
    }
}

/* An upconv of the cpu and cuda backends needs 4 of its 9 multiply-adds, everything else all of
 * them; maps are at least the float32 or bf16 values that they hold. */
static void check_counts(const gwf_network *network, const gwf_backend *backend)
{
    gwf_error err = {0};
    gwf_context *context = NULL;
    gwf_plan *plan = NULL;
    const gwf_backend_config config = {.threads = 1, .batch = 2, .precision = GWF_FP32};
    CHECK_OK(gwf_backend_start(backend, &config, &backend, &context, &err), err);
    const gwf_site site = {backend, context, 16, 32, NULL, NULL};
    CHECK_OK(gwf_plan_create(network, &site, &plan, &err), err);
    int count = 0, up = 0;
    const gwf_step_time *times = plan ? gwf_plan_times(plan, &count) : NULL;
    for (int i = 0; i < count; i++) {
        const bool phases = strstr(times[i].name, ".up.1") && strcmp(backend->name, "ref") != 0;
        up += strstr(times[i].name, ".up.1") != NULL;
        CHECK_AT_MOST(fabs(times[i].executed - (phases ? 4.0 / 9 : 1) * times[i].macs),
                      1e-9 * times[i].macs);
        CHECK_AT_MOST(2.0 * times[i].channels * times[i].rows * times[i].cols, times[i].bytes);
    }
    CU_ASSERT_EQUAL(up, 4);
    gwf_plan_free(&plan);
    backend->close(context);
}

/* How the cpu backend does the convolutions of a network, "" where it is not there. */
static void find_algorithm(const char *checkpoint, gwf_precision precision, const char *layer,
                           char algorithm[64])
{
    gwf_error err = {0};
    gwf_tensor_set set = {0};
    gwf_network network = {0};
    gwf_checkpoint_info info;
    gwf_context *context = NULL;
    gwf_plan *plan = NULL;
    const gwf_backend *backend = NULL;
    algorithm[0] = '\0';
    CHECK_OK(gwf_checkpoint_read(test_data(checkpoint), &set, &info, NULL, &err), err);
    CHECK_OK(gwf_network_build(&set, (gwf_edges){GWF_PADDING_ZERO, 0, 0}, NULL, &network, &err),
             err);
    const gwf_backend_config config = {
        .threads = 1, .batch = 1, .precision = precision, .chain = gwf_network_is_chain(&network)};
    if (gwf_backend_open("cpu", &config, &backend, &context, &err) == GWF_OK) {
        int count = 0;
        const gwf_site site = {backend, context, 16, 32, NULL, NULL};
        CHECK_OK(gwf_plan_create(&network, &site, &plan, &err), err);
        const gwf_step_time *times = plan ? gwf_plan_times(plan, &count) : NULL;
        for (int i = 0; i < count; i++)
            if (strcmp(times[i].name, layer) == 0)
                snprintf(algorithm, 64, "%s", times[i].algorithm);
        gwf_plan_free(&plan);
        backend->close(context);
    }
    gwf_network_free(&network);
    gwf_tensor_set_free(&set);
}

static void test_chains(void)
{
    char algorithm[64];
    find_algorithm("golden/ann_3x3.pt", GWF_FP32, "layer2", algorithm);
    if (!algorithm[0]) {
        test_skip("backend cpu is not built");
        return;
    }
    CU_ASSERT_STRING_EQUAL(algorithm, "channels last");
    find_algorithm("golden/ann_3x3.pt", GWF_FP32, "conv1", algorithm);
    CU_ASSERT_STRING_EQUAL(algorithm, "channels last");
    find_algorithm("golden/ann_3x3.pt", GWF_FP32_FAST, "layer2", algorithm);
    CU_ASSERT_STRING_EQUAL(algorithm, "channels last");
    find_algorithm("golden/unet.pt", GWF_FP32, "conv1.conv.3", algorithm);
    CU_ASSERT_STRING_EQUAL(algorithm, "direct");
}

static void test_counts(void)
{
    gwf_error err = {0};
    gwf_tensor_set set = {0};
    gwf_network network = {0};
    gwf_checkpoint_info info;
    CHECK_OK(gwf_checkpoint_read(test_data("golden/unet.pt"), &set, &info, NULL, &err), err);
    CHECK_OK(gwf_network_build(&set, (gwf_edges){GWF_PADDING_ZERO, 0, 0}, NULL, &network, &err),
             err);
    for (const gwf_backend *const *b = gwf_backends(); *b; b++)
        if (backend_starts(*b, GWF_FP32)) check_counts(&network, *b);
    gwf_network_free(&network);
    gwf_tensor_set_free(&set);
}

static void test_grid_refused(void)
{
    gwf_error err = {0};
    gwf_tensor_set set = {0};
    gwf_network network = {0};
    gwf_checkpoint_info info;
    gwf_plan *plan = NULL;
    CHECK_OK(gwf_checkpoint_read(test_data("golden/unet.pt"), &set, &info, NULL, &err), err);
    CHECK_OK(gwf_network_build(&set, (gwf_edges){GWF_PADDING_ZERO, 0, 0}, NULL, &network, &err),
             err);
    const gwf_site odd = {&gwf_backend_ref, NULL, 72, 144, NULL, NULL};
    const gwf_site empty = {&gwf_backend_ref, NULL, 0, 16, NULL, NULL};
    CHECK_FAILS(gwf_plan_create(&network, &odd, &plan, &err), GWF_ERR_MISMATCH, err,
                "72 latitudes and 144 longitudes");
    CHECK_FAILS(gwf_plan_create(&network, &empty, &plan, &err), GWF_ERR_MISMATCH, err,
                "expected 1 to");
    CU_ASSERT_PTR_NULL(plan);
    gwf_network_free(&network);
    gwf_tensor_set_free(&set);
}

int main(void)
{
    static const test_case tests[] = {
        {"golden U-Nets: zero, periodic, 3-D gates", test_golden_unets},
        {"golden ANNs: 1x1, 3x3, 5x5", test_golden_anns},
        {"shared fixtures on a real map", test_shared_fixtures},
        {"chains have channels last", test_chains},
        {"what is counted: multiply-adds, bytes", test_counts},
        {"grids that do not divide are refused", test_grid_refused},
    };
    return test_run("plan", tests, sizeof tests / sizeof *tests);
}
