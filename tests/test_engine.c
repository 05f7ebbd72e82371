/* The public API: life of an engine, its messages, its answers. */
#include "test.h"

#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coupling/engine.h"
#include "golden_model.h"

static const gwf_model_choice choice = {"uvtheta", "global", "era5-released", "zero", "rho_uw"};

static gwf_engine *make_engine(const char *backend, const char *batch)
{
    gwf_engine *engine = NULL;
    gwf_options *options = gwf_options_create();
    const char *path = test_scratch("model.nc");
    golden_model("golden/unet.pt", &choice, path);
    CU_ASSERT_EQUAL(gwf_options_set(options, "backend", backend), GWF_OK);
    CU_ASSERT_EQUAL(gwf_options_set(options, "batch", batch), GWF_OK);
    CU_ASSERT_EQUAL(gwf_create(path, options, &engine), GWF_OK);
    gwf_options_free(&options);
    return engine;
}

static float *some_features(const gwf_shape *n)
{
    const size_t count = (size_t)(n->inputs * n->lat * n->lon);
    float *features = malloc(count * sizeof *features);
    for (size_t i = 0; i < count; i++) features[i] = (float)sin(0.37 * (double)i);
    return features;
}

static void test_shape(void)
{
    gwf_engine *engine = make_engine("ref", "0");
    gwf_shape n = {0};
    CU_ASSERT_EQUAL(gwf_get_shape(engine, &n), GWF_OK);
    CU_ASSERT_TRUE(n.inputs == 366 && n.outputs == 244 && n.levels == 122 && n.lat == 16 &&
                   n.lon == 32);
    CU_ASSERT_PTR_NOT_NULL(strstr(gwf_describe(engine), "attention_unet"));
    CU_ASSERT_PTR_NOT_NULL(strstr(gwf_describe(engine), "backend ref"));
    gwf_free(&engine);
    CU_ASSERT_PTR_NULL(engine);
    gwf_free(&engine);
    gwf_free(NULL);
}

/* An engine on ref with a map of features and room for its fluxes, zero so far. */
typedef struct map {
    gwf_engine *engine;
    gwf_shape n;
    size_t plane;
    float *features, *flux;
} map;

static map make_map(void)
{
    map m = {.engine = make_engine("ref", "0")};
    gwf_get_shape(m.engine, &m.n);
    m.plane = (size_t)(m.n.lat * m.n.lon);
    m.features = some_features(&m.n);
    m.flux = calloc(m.plane * (size_t)m.n.outputs, sizeof *m.flux);
    return m;
}

static void free_map(map *m)
{
    free(m->features);
    free(m->flux);
    gwf_free(&m->engine);
}

/* F = x~^3 d + mu with the recipe's constants, written out here. */
static void test_fluxes_are_physical(void)
{
    gwf_engine *engine = make_engine("ref", "0");
    gwf_shape n = {0};
    gwf_get_shape(engine, &n);
    const size_t plane = (size_t)(n.lat * n.lon), count = plane * (size_t)n.outputs;
    float *features = some_features(&n);
    float *x = malloc(count * sizeof *x), *flux = malloc(count * sizeof *flux);
    CU_ASSERT_EQUAL(gwf_predict_normalised(engine, features, x), GWF_OK);
    CU_ASSERT_EQUAL(gwf_predict(engine, features, flux), GWF_OK);
    size_t bad = 0;
    for (size_t i = 0; i < count; i++) {
        const bool uw = i < count / 2;
        const double d = uw ? 0.0050768547492663395 : 0.003792741148955207;
        const double mu = uw ? -0.0005112474139891424 : -0.0002982954242187403;
        const double truth = (double)x[i] * x[i] * x[i] * d + mu;
        const double error = fabs(flux[i] - truth) / fabs(truth);
        if (!(error <= 1e-6)) bad++;
    }
    CU_ASSERT_EQUAL(bad, 0);
    free(features);
    free(x);
    free(flux);
    gwf_free(&engine);
}

static void test_two_engines_agree(void)
{
    gwf_engine *ref = make_engine("ref", "0"), *other = make_engine("auto", "0");
    gwf_shape n = {0};
    gwf_get_shape(ref, &n);
    const size_t count = (size_t)(n.lat * n.lon * n.outputs);
    float *features = some_features(&n);
    float *a = malloc(count * sizeof *a), *b = malloc(count * sizeof *b);
    CU_ASSERT_EQUAL(gwf_predict_normalised(ref, features, a), GWF_OK);
    CU_ASSERT_EQUAL(gwf_predict_normalised(other, features, b), GWF_OK);
    CHECK_AT_MOST(test_relative_l2(b, a, count), 1e-5);
    memset(a, 0, count * sizeof *a);
    CU_ASSERT_EQUAL(gwf_predict_normalised(other, features, a), GWF_OK);
    CU_ASSERT_EQUAL(memcmp(a, b, count * sizeof *a), 0); /* a second run repeats the first */
    free(features);
    free(a);
    free(b);
    gwf_free(&ref);
    gwf_free(&other);
}

static void test_bad_values_are_named(void)
{
    map m = make_map();
    const float bad[] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; i < 3; i++) {
        float *place = &m.features[m.plane * 245 + 3 * 32 + 5], old = *place;
        *place = bad[i];
        CU_ASSERT_EQUAL(gwf_predict(m.engine, m.features, m.flux), GWF_ERR_DATA);
        CU_ASSERT_PTR_NOT_NULL(strstr(gwf_message(m.engine),
                                      "feature theta (channel 245, level 17) at row 3, column 5"));
        CU_ASSERT_EQUAL(m.flux[0], 0.0f);
        *place = old;
    }
    CU_ASSERT_EQUAL(gwf_predict(m.engine, NULL, m.flux), GWF_ERR_ARGUMENT);
    CU_ASSERT_EQUAL(gwf_predict(m.engine, m.features, m.flux), GWF_OK);
    free_map(&m);
}

/* Finite features of no weather at all: the answer overflows and is refused. */
static void test_infinite_fluxes_are_refused(void)
{
    map m = make_map();
    for (size_t i = 0; i < m.plane * (size_t)m.n.inputs; i++) m.features[i] *= 1e25f;
    CU_ASSERT_EQUAL(gwf_predict(m.engine, m.features, m.flux), GWF_ERR_DATA);
    CU_ASSERT_PTR_NOT_NULL(strstr(gwf_message(m.engine), "expected a finite value"));
    free_map(&m);
}

/* Five maps in batches of two are the five maps one by one. */
static void test_batches(void)
{
    enum { MAPS = 5 };
    gwf_engine *one = make_engine("ref", "0"), *two = make_engine("ref", "2");
    gwf_shape n = {0};
    gwf_get_shape(two, &n);
    const size_t plane = (size_t)(n.lat * n.lon);
    const size_t in = plane * (size_t)n.inputs, out = plane * (size_t)n.outputs;
    float *features = malloc(MAPS * in * sizeof *features);
    float *flux = calloc(MAPS * out, sizeof *flux), *single = malloc(out * sizeof *single);
    for (size_t i = 0; i < MAPS * in; i++) features[i] = (float)sin(0.37 * (double)i);
    CU_ASSERT_EQUAL(gwf_predict_batch(two, MAPS, features, flux), GWF_OK);
    for (size_t i = 0; i < MAPS; i++) {
        CU_ASSERT_EQUAL(gwf_predict(one, features + i * in, single), GWF_OK);
        CU_ASSERT_EQUAL(memcmp(single, flux + i * out, out * sizeof *flux), 0);
    }
    features[3 * in + 1] = NAN;
    memset(flux, 0, out * sizeof *flux);
    CU_ASSERT_EQUAL(gwf_predict_batch(two, MAPS, features, flux), GWF_ERR_DATA);
    CU_ASSERT_PTR_NOT_NULL(strstr(gwf_message(two), "map 4 of 5: feature"));
    CU_ASSERT_EQUAL(flux[0], 0.0f);
    CU_ASSERT_EQUAL(gwf_predict_batch(two, 0, features, flux), GWF_ERR_ARGUMENT);
    CU_ASSERT_EQUAL(gwf_predict_batch(NULL, 1, features, flux), GWF_ERR_ARGUMENT);
    free(features);
    free(flux);
    free(single);
    gwf_free(&one);
    gwf_free(&two);
}

static void *create_and_free(void *path)
{
    intptr_t failures = 0;
    for (int i = 0; i < 10; i++) {
        gwf_engine *engine = NULL;
        failures += gwf_create(path, NULL, &engine) != GWF_OK;
        gwf_free(&engine);
    }
    return (void *)failures;
}

static void test_created_by_threads(void)
{
    char path[1024];
    pthread_t threads[4];
    snprintf(path, sizeof path, "%s", test_scratch("threads.nc"));
    golden_model("golden/unet.pt", &choice, path);
    for (int i = 0; i < 4; i++)
        CU_ASSERT_EQUAL(pthread_create(&threads[i], NULL, create_and_free, path), 0);
    for (int i = 0; i < 4; i++) {
        void *failures = NULL;
        pthread_join(threads[i], &failures);
        CU_ASSERT_PTR_NULL(failures);
    }
}

static void test_failures_keep_a_message(void)
{
    gwf_engine *engine = NULL;
    gwf_shape n;
    float value = 0;
    CU_ASSERT_EQUAL(gwf_create(test_scratch("none.nc"), NULL, &engine), GWF_ERR_NOT_FOUND);
    CU_ASSERT_PTR_NOT_NULL(strstr(gwf_message(engine), "none.nc"));
    CU_ASSERT_EQUAL(gwf_predict(engine, &value, &value), GWF_ERR_ARGUMENT);
    CU_ASSERT_EQUAL(gwf_get_shape(engine, &n), GWF_ERR_ARGUMENT);
    gwf_free(&engine);
    CU_ASSERT_EQUAL(gwf_create(NULL, NULL, &engine), GWF_ERR_ARGUMENT);
    gwf_free(&engine);
    CU_ASSERT_EQUAL(gwf_predict(NULL, &value, &value), GWF_ERR_ARGUMENT);
    CU_ASSERT_EQUAL(gwf_create("x.nc", NULL, NULL), GWF_ERR_ARGUMENT);
    CU_ASSERT_STRING_EQUAL(gwf_describe(NULL), "");
    CU_ASSERT_STRING_EQUAL(gwf_version(), GWF_VERSION);
}

int main(void)
{
    static const test_case tests[] = {
        {"an engine knows its shape and is freed", test_shape},
        {"fluxes are physical", test_fluxes_are_physical},
        {"two engines side by side agree and repeat", test_two_engines_agree},
        {"values that are not finite are named", test_bad_values_are_named},
        {"fluxes that overflow are refused", test_infinite_fluxes_are_refused},
        {"maps in batches", test_batches},
        {"engines created by several threads", test_created_by_threads},
        {"failures keep a message", test_failures_keep_a_message},
    };
    return test_run("engine", tests, sizeof tests / sizeof *tests);
}
