/* The drag of a prediction against its definition, and models that get their scales for 8 bits. */
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coupling/standard_drag.h"
#include "coupling/engine.h"
#include "coupling/quantise.h"
#include "model/checkpoint.h"

enum { ROWS = 16, COLS = 16, POINTS = ROWS * COLS, MAPS = 2, INPUTS = 366, OUTPUTS = 244 };

static void build(gwf_model *model)
{
    static const gwf_model_choice usual = {"uvtheta", "global", "era5-released", "zero", "rho_uw"};
    gwf_error err = {0};
    gwf_tensor_set set = {0};
    gwf_checkpoint_info info;
    CHECK_OK(gwf_checkpoint_read(test_data("golden/unet.pt"), &set, &info, NULL, &err), err);
    CHECK_OK(gwf_model_build(&set, &usual, "", NULL, model, &err), err);
}

/* Smooth features, other ones on every map. */
static void fill(float *features[MAPS])
{
    for (int m = 0; m < MAPS; m++) {
        features[m] = malloc((size_t)INPUTS * POINTS * sizeof(float));
        for (int c = 0; c < INPUTS; c++)
            for (int i = 0; i < POINTS; i++)
                features[m][c * POINTS + i] = (float)(sin(0.05 * c + 0.4 * (i % COLS) + m) *
                                                      cos(0.3 * (i / COLS) + 0.02 * c));
    }
}

/* ---- drag ---- */

/* g dF/dp of one component in one column, as fields/tendency.h defines it. */
static void true_drag(const gwf_model *model, const float *prediction, int component, int point,
                      double tendency[GWF_LEVELS])
{
    double p[GWF_LEVELS], f[GWF_LEVELS], half[GWF_LEVELS + 1], flux[GWF_LEVELS + 1];
    for (int k = 0; k < GWF_LEVELS; k++) {
        const gwf_channel *c = &model->out.channels[component * GWF_LEVELS + k];
        const double x = prediction[(component * GWF_LEVELS + k) * POINTS + point];
        p[k] = model->levels[k].a + model->levels[k].b * 101325;
        f[k] = x * x * x * c->d + c->mu;
    }
    for (int k = 1; k < GWF_LEVELS; k++) {
        half[k] = (p[k - 1] + p[k]) / 2;
        flux[k] = (f[k - 1] + f[k]) / 2;
    }
    half[0] = fmax(0, 2 * p[0] - half[1]);
    half[GWF_LEVELS] = 2 * p[GWF_LEVELS - 1] - half[GWF_LEVELS - 1];
    flux[0] = 0;
    flux[GWF_LEVELS] = 2 * f[GWF_LEVELS - 1] - flux[GWF_LEVELS - 1];
    for (int k = 0; k < GWF_LEVELS; k++)
        tendency[k] = 9.80665 * (flux[k + 1] - flux[k]) / (half[k + 1] - half[k]);
}

static void test_drag(void)
{
    gwf_model model = {0};
    gwf_standard_drag *drag = NULL;
    gwf_error err = {0};
    float *prediction = malloc(OUTPUTS * POINTS * sizeof *prediction);
    float *got = malloc(OUTPUTS * POINTS * sizeof *got);
    build(&model);
    for (int i = 0; i < OUTPUTS * POINTS; i++) prediction[i] = (float)sin(0.013 * i);
    CHECK_OK(gwf_standard_drag_create(&model, POINTS, &drag, &err), err);
    gwf_standard_drag_of(drag, prediction, got);
    double difference = 0, norm = 0;
    for (int component = 0; component < 2; component++)
        for (int point = 0; point < POINTS; point++) {
            double truth[GWF_LEVELS];
            true_drag(&model, prediction, component, point, truth);
            for (int k = 0; k < GWF_LEVELS; k++) {
                const double off = got[(component * GWF_LEVELS + k) * POINTS + point] - truth[k];
                difference += off * off;
                norm += truth[k] * truth[k];
            }
        }
    CHECK_AT_MOST(sqrt(difference / norm), 1e-6);
    gwf_standard_drag_free(&drag);
    gwf_model_free(&model);
    free(prediction);
    free(got);
}

/* ---- quantising ---- */

static int in_int8(const gwf_quantised *q)
{
    int n = 0;
    for (int i = 0; i < q->n_layers; i++) n += q->layers[i].int8;
    return n;
}

static gwf_status quantise(gwf_model *model, const char *backend, float *const features[MAPS],
                           double limit, gwf_error *err)
{
    gwf_options *options = gwf_options_create();
    const gwf_sample sample = {"a sample", MAPS, ROWS, COLS, (const float *const *)features};
    options->backend = backend;
    options->threads = 2;
    const gwf_status status = gwf_quantise(model, options, &sample, limit, NULL, err);
    gwf_options_free(&options);
    return status;
}

/* The prediction of a map by the model file in a precision. */
static void predict(const char *path, const char *backend, const char *precision,
                    const float *features, float *prediction)
{
    gwf_options *options = gwf_options_create();
    gwf_engine *engine = calloc(1, sizeof *engine);
    const gwf_domain grid = {.nlat = ROWS, .nlon = COLS};
    gwf_options_set(options, "backend", backend);
    gwf_options_set(options, "precision", precision);
    gwf_options_set(options, "threads", "2");
    gwf_options_set(options, "tune", "off"); /* as gwf_quantise() has it */
    gwf_options_set(options, "cache", "off");
    CHECK_OK(gwf_engine_load(engine, path, NULL), engine->error);
    CHECK_OK(gwf_engine_plan(engine, options, &grid, NULL), engine->error);
    CHECK_OK(gwf_engine_run(engine, 1, &features, &prediction, &engine->error), engine->error);
    gwf_free(&engine);
    gwf_options_free(&options);
}

/* What was written down as measured is what a user of the file gets. */
static void check_errors(const gwf_model *model, const char *path, const char *backend,
                         float *const features[MAPS])
{
    double off[2] = {0}, norm[2] = {0};
    gwf_standard_drag *drag = NULL;
    gwf_error err = {0};
    float *values[4];
    for (int i = 0; i < 4; i++) values[i] = malloc(OUTPUTS * POINTS * sizeof *values[i]);
    CHECK_OK(gwf_standard_drag_create(model, POINTS, &drag, &err), err);
    for (int m = 0; m < MAPS; m++) {
        predict(path, backend, "fp32", features[m], values[0]);
        predict(path, backend, "int8", features[m], values[1]);
        gwf_standard_drag_of(drag, values[0], values[2]);
        gwf_standard_drag_of(drag, values[1], values[3]);
        for (int i = 0; i < OUTPUTS * POINTS; i++)
            for (int k = 0; k < 2; k++) {
                const double truth = values[2 * k][i], x = values[2 * k + 1][i];
                off[k] += (x - truth) * (x - truth);
                norm[k] += truth * truth;
            }
    }
    CHECK_AT_MOST(fabs(sqrt(off[0] / norm[0]) - model->int8.prediction_error), 1e-6);
    CHECK_AT_MOST(fabs(sqrt(off[1] / norm[1]) - model->int8.drag_error), 1e-6);
    gwf_standard_drag_free(&drag);
    for (int i = 0; i < 4; i++) free(values[i]);
}

static void check_backend(const char *backend, float *const features[MAPS])
{
    gwf_model model = {0};
    gwf_error err = {0};
    const char *path = test_scratch("int8.nc");
    build(&model);
    const gwf_status status = quantise(&model, backend, features, 1, &err);
    if (status == GWF_ERR_UNSUPPORTED || status == GWF_ERR_BACKEND) { /* not int8; not here */
        test_skip("%s", err.text);
        gwf_model_free(&model);
        return;
    }
    CHECK_OK(status, err);
    if (!model.int8.layers) {
        gwf_model_free(&model);
        return;
    }
    CU_ASSERT_EQUAL(in_int8(&model.int8), model.int8.n_layers); /* nothing is above 100 % */
    CHECK_AT_MOST(model.int8.drag_error, 0.2);
    CU_ASSERT_TRUE(model.int8.drag_error > 0);
    CU_ASSERT_STRING_EQUAL(model.int8.sample, "a sample");
    CU_ASSERT_EQUAL(model.int8.maps, MAPS);
    CHECK_OK(gwf_model_write(&model, path, "", true, &err), err);
    check_errors(&model, path, backend, features);
    gwf_model_free(&model);
}

static void test_backends(void)
{
    float *features[MAPS];
    fill(features);
    for (const gwf_backend *const *b = gwf_backends(); *b; b++) check_backend((*b)->name, features);
    for (int m = 0; m < MAPS; m++) free(features[m]);
}

/* A limit sends back those layers that lose most for their work, and no more than it must. */
static void test_limits(void)
{
    float *features[MAPS];
    gwf_model all = {0}, some = {0}, none = {0};
    gwf_error err = {0};
    fill(features);
    build(&all);
    build(&some);
    build(&none);
    CHECK_OK(quantise(&all, "ref", features, 1, &err), err);
    const double limit = 0.7 * all.int8.drag_error;
    CHECK_OK(quantise(&some, "ref", features, limit, &err), err);
    CHECK_AT_MOST(some.int8.drag_error, limit);
    CU_ASSERT_TRUE(some.int8.drag_error > 0);
    CU_ASSERT_TRUE(in_int8(&some.int8) > 0 && in_int8(&some.int8) < some.int8.n_layers);
    CU_ASSERT_EQUAL(some.int8.limit, limit);
    CHECK_OK(quantise(&none, "ref", features, 1e-12, &err), err);
    CU_ASSERT_EQUAL(in_int8(&none.int8), 0);
    CU_ASSERT_EQUAL(none.int8.drag_error, 0);
    gwf_model_free(&all);
    gwf_model_free(&some);
    gwf_model_free(&none);
    for (int m = 0; m < MAPS; m++) free(features[m]);
}

/* A sample on which nothing can be measured. */
static void test_no_drag(void)
{
    float *features[MAPS];
    gwf_model model = {0};
    gwf_error err = {0};
    fill(features);
    build(&model);
    for (size_t i = 0; i < model.set.count; i++)
        if (strncmp(model.set.items[i].name, "conv1x1", 7) == 0)
            memset(model.set.items[i].data, 0, model.set.items[i].size * sizeof(float));
    for (int i = 0; i < model.out.count; i++) model.out.channels[i].mu = 0;
    CHECK_FAILS(quantise(&model, "ref", features, 0.05, &err), GWF_ERR_DATA, err,
                "a sample: the drag of these maps is zero");
    CU_ASSERT_PTR_NULL(model.int8.layers);
    gwf_model_free(&model);
    for (int m = 0; m < MAPS; m++) free(features[m]);
}

static void test_model_without(void)
{
    gwf_model model = {0};
    gwf_error err = {0};
    gwf_engine *engine = NULL;
    gwf_options *options = gwf_options_create();
    const char *path = test_scratch("plain.nc");
    build(&model);
    CHECK_OK(gwf_model_write(&model, path, "", true, &err), err);
    gwf_options_set(options, "precision", "int8");
    CHECK_FAILS(gwf_create(path, options, &engine), GWF_ERR_UNSUPPORTED, engine->error,
                "plain.nc: holds no scales for precision int8; gwflux quantise -m");
    gwf_free(&engine);
    gwf_options_free(&options);
    gwf_model_free(&model);
}

int main(void)
{
    static const test_case tests[] = {
        {"the drag of a prediction", test_drag},
        {"errors that are written down are what one gets", test_backends},
        {"limits", test_limits},
        {"a sample without drag", test_no_drag},
        {"a model without scales", test_model_without},
    };
    return test_run("quantise", tests, sizeof tests / sizeof *tests);
}
