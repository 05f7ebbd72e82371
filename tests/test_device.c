/* Engines on one backend, $GWF_TEST_BACKEND (cuda where that is not set; skipped where it does
 * not start): every precision it has (or $GWF_TEST_PRECISION) against ref's sums in double,
 * batches, repeated runs, features that overflow, errors. Lines "measured: NETWORK PRECISION ERROR
 * LIMIT" say how accurate it is. */
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "golden_model.h"
#include "gwflux.h"
#include "wide_model.h"

static const char *backend = "cuda";

static bool on_device(void)
{
    return strcmp(backend, "cuda") == 0;
}

/* Allowed relative L2 of the normalised prediction. */
static const struct precision {
    const char *word;
    double limit;
    bool device; /* a GPU has it */
} precisions[] = {
    {"fp32", 1e-5, true}, {"fp32-fast", 2e-4, false}, {"tf32", 2e-3, true},
    {"bf16", 1e-2, true}, {"fp16", 2e-3, true},
};
enum { PRECISIONS = sizeof precisions / sizeof *precisions };

static bool is_asked(const struct precision *p)
{
    const char *asked = getenv("GWF_TEST_PRECISION");
    return !asked || strcmp(asked, p->word) == 0;
}

/* ---- engines ---- */

static const char *cache_path(void)
{
    static char path[1024];
    if (!path[0]) snprintf(path, sizeof path, "%s", test_scratch("cache"));
    return path;
}

/* settings: pairs of NAME, VALUE, then NULL. Engines find what earlier ones have chosen. */
static gwf_status create(const char *model, const char *const *settings, gwf_engine **engine)
{
    gwf_options *options = gwf_options_create();
    CU_ASSERT_EQUAL(gwf_options_set(options, "cache", cache_path()), GWF_OK);
    for (; *settings; settings += 2)
        CU_ASSERT_EQUAL(gwf_options_set(options, settings[0], settings[1]), GWF_OK);
    const gwf_status status = gwf_create(model, options, engine);
    gwf_options_free(&options);
    return status;
}

static gwf_engine *must_create(const char *model, const char *const *settings)
{
    gwf_engine *engine = NULL;
    const gwf_status status = create(model, settings, &engine);
    if (status != GWF_OK) fprintf(stderr, "\n  %s: %s\n", backend, gwf_message(engine));
    CU_ASSERT_EQUAL_FATAL(status, GWF_OK);
    return engine;
}

/* With this precision and batch; nothing is measured. */
static gwf_engine *open_engine(const char *model, const char *precision, const char *batch)
{
    const char *const settings[] = {"backend", backend, "precision", precision, "batch",
                                    batch,     "tune",  "off",       NULL};
    return must_create(model, settings);
}

static size_t inputs_of(const gwf_engine *engine)
{
    gwf_shape n = {0};
    CU_ASSERT_EQUAL(gwf_get_shape(engine, &n), GWF_OK);
    return (size_t)n.inputs * (size_t)n.lat * (size_t)n.lon;
}

static size_t outputs_of(const gwf_engine *engine)
{
    gwf_shape n = {0};
    CU_ASSERT_EQUAL(gwf_get_shape(engine, &n), GWF_OK);
    return (size_t)n.outputs * (size_t)n.lat * (size_t)n.lon;
}

/* Values in -2..2, another map for every seed. */
static float *some_features(size_t n, unsigned seed)
{
    float *values = malloc(n * sizeof *values);
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525U + 1013904223U;
        values[i] = (float)(seed >> 8) / 4194304.0F - 2;
    }
    return values;
}

static float *predict(gwf_engine *engine, const float *features)
{
    float *prediction = calloc(outputs_of(engine), sizeof *prediction);
    const gwf_status status = gwf_predict_normalised(engine, features, prediction);
    if (status != GWF_OK) fprintf(stderr, "\n  %s: %s\n", backend, gwf_message(engine));
    CU_ASSERT_EQUAL(status, GWF_OK);
    return prediction;
}

/* ---- networks ---- */

static const char *wide_path(void)
{
    static char path[1024];
    gwf_error err = {0};
    if (path[0]) return path;
    snprintf(path, sizeof path, "%s", test_scratch("wide.nc"));
    const char *asked = getenv("GWF_TEST_ROWS"); /* ref's plain loops take 0.4 s for 16 */
    const int rows = asked ? atoi(asked) : 16;
    CHECK_OK(wide_model_write(path, rows, 2 * rows, &err), err);
    return path;
}

static const char *small_path(void)
{
    static const gwf_model_choice choice = {"uvtheta", "global", "era5-released", "zero", "rho_uw"};
    static char path[1024];
    if (path[0]) return path;
    snprintf(path, sizeof path, "%s", test_scratch("small.nc"));
    golden_model("golden/unet.pt", &choice, path);
    return path;
}

/* ---- accuracy ---- */

static void check_precision(const char *name, const char *model, const struct precision *p,
                            const float *features, const float *truth)
{
    const char *const settings[] = {"backend", backend, "precision", p->word, "tune", "off", NULL};
    gwf_engine *engine = NULL;
    const gwf_status status = create(model, settings, &engine);
    if (status == GWF_ERR_UNSUPPORTED && !(on_device() && p->device)) {
        test_skip("%s: %s", name, gwf_message(engine));
    } else {
        if (status != GWF_OK) fprintf(stderr, "\n  %s\n", gwf_message(engine));
        CU_ASSERT_EQUAL_FATAL(status, GWF_OK);
        if (on_device()) CU_ASSERT_PTR_NOT_NULL(strstr(gwf_describe(engine), p->word));
        float *prediction = predict(engine, features);
        const double error = test_relative_l2(prediction, truth, outputs_of(engine));
        printf("\nmeasured: %s %s %.3g %.3g\n", name, p->word, error, p->limit);
        CHECK_AT_MOST(error, p->limit);
        free(prediction);
    }
    gwf_free(&engine);
}

/* Of the golden networks with their own input, of the wide one with noise. */
static void check_precisions(const char *name, const char *model, bool golden)
{
    static const char *const settings[] = {"backend", "ref", NULL};
    gwf_engine *ref = must_create(model, settings);
    gwf_shape n = {0};
    CU_ASSERT_EQUAL(gwf_get_shape(ref, &n), GWF_OK);
    float *features =
        golden ? golden_input(n.inputs, n.lat, n.lon) : some_features(inputs_of(ref), 1);
    float *truth = predict(ref, features);
    for (int i = 0; i < PRECISIONS; i++)
        if (is_asked(&precisions[i])) check_precision(name, model, &precisions[i], features, truth);
    free(features);
    free(truth);
    gwf_free(&ref);
}

static void test_wide(void)
{
    check_precisions("unet-64-1024", wide_path(), false);
}

/* Widths of 4, 12 and 366 channels are nobody's block. */
static void test_small(void)
{
    static const struct {
        const char *name, *checkpoint;
        gwf_model_choice choice;
    } cases[] = {
        {"unet-zero", "golden/unet.pt", {"uvtheta", "global", "era5-released", "zero", "rho_uw"}},
        {"unet-periodic",
         "golden/unet.pt",
         {"uvtheta", "global", "era5-released", "periodic_lon", "rho_uw"}},
        {"unet-3d", "golden/unet_3d.pt", {"uvtheta", "global", "era5-released", "zero", "rho_uw"}},
        {"ann-1x1",
         "golden/ann_1x1.pt",
         {"uvtheta", "stratosphere_update", "era5-released", "zero", "rho_uw"}},
        {"ann-3x3",
         "golden/ann_3x3.pt",
         {"uvtheta", "stratosphere_only", "era5-released", "zero", "rho_uw"}},
        {"ann-5x5",
         "golden/ann_5x5.pt",
         {"uvtheta", "stratosphere_only", "era5-released", "zero", "rho_uw"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *path = test_scratch(cases[i].name);
        golden_model(cases[i].checkpoint, &cases[i].choice, path);
        check_precisions(cases[i].name, path, true);
    }
}

/* ---- batches ---- */

/* Maps that do not fill the last batch: each as if it were alone. */
static void test_batches(void)
{
    enum { MAPS = 7 };
    gwf_engine *one = open_engine(small_path(), "auto", "1");
    gwf_engine *many = open_engine(small_path(), "auto", "3");
    const size_t in = inputs_of(one), out = outputs_of(one);
    float *features = some_features(MAPS * in, 3);
    float *fluxes = calloc(MAPS * out, sizeof *fluxes), *flux = calloc(out, sizeof *flux);
    CU_ASSERT_EQUAL(gwf_predict_batch(many, MAPS, features, fluxes), GWF_OK);
    for (size_t i = 0; i < MAPS; i++) {
        CU_ASSERT_EQUAL(gwf_predict(one, features + i * in, flux), GWF_OK);
        CHECK_AT_MOST(test_relative_l2(fluxes + i * out, flux, out), 3e-2);
    }
    CU_ASSERT_TRUE(memcmp(fluxes, fluxes + out, out * sizeof *fluxes) != 0);
    float *nothing = features + 4 * in + 17;
    *nothing = NAN;
    CU_ASSERT_EQUAL(gwf_predict_batch(many, MAPS, features, fluxes), GWF_ERR_DATA);
    free(features);
    free(fluxes);
    free(flux);
    gwf_free(&one);
    gwf_free(&many);
}

/* ---- the same bits ---- */

static void check_same(gwf_engine *a, gwf_engine *b, const char *what)
{
    float *features = some_features(inputs_of(a), 5);
    float *first = predict(a, features), *second = predict(b, features);
    const bool same = memcmp(first, second, outputs_of(a) * sizeof *first) == 0;
    if (!same)
        fprintf(stderr, "\n  %s: relative difference %g\n", what,
                test_relative_l2(second, first, outputs_of(a)));
    CU_ASSERT_TRUE(same);
    free(features);
    free(first);
    free(second);
}

static void check_pair(const char *model, const char *const *settings, const char *what)
{
    gwf_engine *a = must_create(model, settings), *b = must_create(model, settings);
    check_same(a, a, what);
    check_same(a, b, "another engine");
    gwf_free(&a);
    gwf_free(&b);
}

/* A run repeats the last one, on another engine too: without measuring, and with it where the
 * second engine finds what the first one measured. */
static void test_repeats(void)
{
    const char *const fixed[] = {"backend", backend, "tune", "off", NULL};
    const char *const tuned[] = {"backend", backend, NULL};
    check_pair(wide_path(), fixed, "not tuned");
    check_pair(small_path(), tuned, "tuned");
}

/* Two engines that take turns do not touch one another's maps. */
static void test_two_engines(void)
{
    gwf_engine *a = open_engine(small_path(), "auto", "1"),
               *b = open_engine(small_path(), "auto", "2");
    float *features = some_features(inputs_of(a), 6), *other = some_features(inputs_of(a), 7);
    float *before = predict(a, features), *between = predict(b, other),
          *after = predict(a, features);
    CU_ASSERT_EQUAL(memcmp(before, after, outputs_of(a) * sizeof *before), 0);
    free(features);
    free(other);
    free(before);
    free(between);
    free(after);
    gwf_free(&a);
    gwf_free(&b);
}

/* ---- what goes wrong ---- */

/* Features of no weather at all are refused where they overflow, and leave nothing behind. */
static void check_overflow(const char *precision, float factor, const char *words)
{
    const char *const settings[] = {"backend", backend, "precision", precision,
                                    "tune",    "off",   NULL};
    gwf_engine *engine = NULL;
    if (create(small_path(), settings, &engine) == GWF_OK) {
        const size_t n = inputs_of(engine);
        float *features = some_features(n, 8), *before = predict(engine, features);
        float *flux = calloc(outputs_of(engine), sizeof *flux);
        for (size_t i = 0; i < n; i++) features[i] *= factor;
        CU_ASSERT_EQUAL(gwf_predict(engine, features, flux), GWF_ERR_DATA);
        if (!strstr(gwf_message(engine), words))
            fprintf(stderr, "\n  %s: \"%s\", expected \"%s\"\n", precision, gwf_message(engine),
                    words);
        CU_ASSERT_PTR_NOT_NULL(strstr(gwf_message(engine), words));
        for (size_t i = 0; i < n; i++) features[i] /= factor;
        float *after = predict(engine, features);
        CHECK_AT_MOST(test_relative_l2(after, before, outputs_of(engine)), 1e-2);
        free(features);
        free(before);
        free(flux);
        free(after);
    } else {
        CU_ASSERT_FALSE(on_device() && strcmp(precision, "fp32-fast") != 0);
        test_skip("overflow: %s", gwf_message(engine));
    }
    gwf_free(&engine);
}

static void test_overflow(void)
{
    for (int i = 0; i < PRECISIONS; i++) {
        const char *precision = precisions[i].word;
        if (!is_asked(&precisions[i])) continue;
        const bool narrow = strcmp(precision, "fp16") == 0;
        check_overflow(precision, narrow ? 0x1p16F : 0x1p84F, narrow ? "fp16" : "finite");
        /* the first layer's sums are infinite, the second's NaN */
        if (precisions[i].device) check_overflow(precision, 0x1p126F, narrow ? "fp16" : "finite");
    }
}

static void test_bad_values_are_named(void)
{
    gwf_engine *engine = open_engine(small_path(), "auto", "1");
    const size_t out = outputs_of(engine);
    float *features = some_features(inputs_of(engine), 9), *flux = calloc(out, sizeof *flux);
    features[245 * 16 * 32 + 3 * 32 + 5] = INFINITY;
    CU_ASSERT_EQUAL(gwf_predict(engine, features, flux), GWF_ERR_DATA);
    CU_ASSERT_PTR_NOT_NULL(strstr(gwf_message(engine), "channel 245"));
    CU_ASSERT_EQUAL(flux[0], 0.0F);
    free(features);
    free(flux);
    gwf_free(&engine);
}

static void test_precision_refused(void)
{
    const char *const settings[] = {"backend", backend, "precision", "int8", NULL};
    gwf_engine *engine = NULL;
    if (!on_device()) return;
    CU_ASSERT_EQUAL(create(small_path(), settings, &engine), GWF_ERR_UNSUPPORTED);
    CU_ASSERT_PTR_NOT_NULL(strstr(gwf_message(engine), "bf16"));
    gwf_free(&engine);
}

/* 64 maps whose first level alone has half a terabyte: no device holds that. */
static void test_too_large(void)
{
    char path[1024];
    gwf_error err = {0};
    gwf_engine *engine = NULL;
    const char *const settings[] = {"backend", backend, "batch", "64", "tune", "off", NULL};
    if (!on_device()) return;
    snprintf(path, sizeof path, "%s", test_scratch("large.nc"));
    CHECK_OK(wide_model_write(path, 4096, 8192, &err), err);
    const gwf_status status = create(path, settings, &engine);
    printf("\ntoo large: %s\n", gwf_message(engine));
    CU_ASSERT_TRUE(status == GWF_ERR_MEMORY || status == GWF_ERR_UNSUPPORTED);
    gwf_free(&engine);
    gwf_engine *small = open_engine(small_path(), "auto", "1"); /* the device lives on */
    check_same(small, small, "after too much was asked");
    gwf_free(&small);
}

static const test_case tests[] = {
    {"the full-width U-Net in every precision", test_wide},
    {"small networks in every precision", test_small},
    {"batches", test_batches},
    {"runs repeat bit for bit", test_repeats},
    {"two engines side by side", test_two_engines},
    {"features that overflow", test_overflow},
    {"values that are not finite are named", test_bad_values_are_named},
    {"a precision that is not there", test_precision_refused},
    {"more than a device holds", test_too_large},
};

int main(void)
{
    const char *chosen = getenv("GWF_TEST_BACKEND");
    if (chosen) backend = chosen;
    const gwf_backend_config config = {.batch = 1};
    const gwf_backend *found = NULL;
    gwf_context *context = NULL;
    gwf_error err = {0};
    if (gwf_backend_open(backend, &config, &found, &context, &err) != GWF_OK) {
        test_skip("%s", err.text);
        return chosen ? 1 : 77;
    }
    found->close(context);
    return test_run("device", tests, sizeof tests / sizeof *tests);
}
