/* Thousands of predictions in one process: memory and open files do not grow. GWF_LONG_TESTS=1: ten
 * thousand, not one. */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coupling/engine.h"
#include "model/checkpoint.h"
#include "test.h"

static int few = 100, many = 1000;
/* What the allocator and the libraries below may take their time with. */
static const double noise = 1.0; /* MB */

typedef struct use {
    double memory; /* resident, MB */
    int files;     /* open */
} use;

static use used(void)
{
    use u = {0};
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%*d %ld", &pages) != 1) pages = -1;
    if (file) fclose(file);
    u.memory = (double)pages * (double)sysconf(_SC_PAGESIZE) / 1e6;
    DIR *folder = opendir("/proc/self/fd");
    while (folder && readdir(folder)) u.files++;
    if (folder) closedir(folder);
    CU_ASSERT_TRUE(pages > 0 && u.files > 4);
    return u;
}

static void compare(const char *what, int n, use before, use after, double limit)
{
    printf("\n  %s: after %d %.2f MB, %d open; after %d %.2f MB, %d open ", what, n, before.memory,
           before.files - 3, 10 * n, after.memory, after.files - 3); /* ".", ".." and the folder */
    CHECK_AT_MOST(after.memory - before.memory, limit);
    CU_ASSERT_EQUAL(after.files, before.files);
}

/* --- models on a small grid ------------------------------------------------------------------ */

static void make_model(const char *checkpoint, const char *vertical, const char *path)
{
    const gwf_model_choice choice = {"uvtheta", vertical, "era5-released", "zero", "rho_uw"};
    gwf_tensor_set set = {0};
    gwf_checkpoint_info info;
    gwf_model model = {0};
    gwf_error err = {0};
    CHECK_OK(gwf_checkpoint_read(test_data(checkpoint), &set, &info, NULL, &err), err);
    CHECK_OK(gwf_model_build(&set, &choice, "test", NULL, &model, &err), err);
    model.nlat = 16;
    model.nlon = 16;
    gwf_gaussian_latitudes(16, model.lat);
    for (int i = 0; i < 16; i++) model.lon[i] = 22.5 * i;
    CHECK_OK(gwf_model_write(&model, path, "test", true, &err), err);
    gwf_model_free(&model);
}

static gwf_engine *create(const char *path, const char *backend)
{
    gwf_engine *engine = NULL;
    gwf_options *options = gwf_options_create();
    gwf_options_set(options, "backend", backend);
    gwf_options_set(options, "threads", "1");
    CU_ASSERT_EQUAL(gwf_create(path, options, &engine), GWF_OK);
    gwf_options_free(&options);
    return engine;
}

/* --- predictions ----------------------------------------------------------------------------- */

/* Every tenth one fails. */
static void predict(gwf_engine *engine, int n)
{
    gwf_shape shape = {0};
    int wrong = 0;
    CU_ASSERT_EQUAL(gwf_get_shape(engine, &shape), GWF_OK);
    const size_t points = (size_t)(shape.lat * shape.lon);
    float *features = malloc(points * (size_t)shape.inputs * sizeof *features);
    float *flux = malloc(points * (size_t)shape.outputs * sizeof *flux);
    for (size_t i = 0; i < points * (size_t)shape.inputs; i++)
        features[i] = (float)sin(0.37 * (double)i);
    const float good = features[points + 3];
    for (int i = 0; i < n; i++) {
        features[points + 3] = i % 10 == 9 ? NAN : good;
        wrong += gwf_predict(engine, features, flux) != (i % 10 == 9 ? GWF_ERR_DATA : GWF_OK);
    }
    CU_ASSERT_EQUAL(wrong, 0);
    free(features);
    free(flux);
}

static void check_predictions(const char *checkpoint, const char *vertical, const char *backend)
{
    char what[64];
    const char *path = test_scratch("model.nc");
    make_model(checkpoint, vertical, path);
    gwf_engine *engine = create(path, backend);
    predict(engine, few);
    const use before = used();
    predict(engine, many - few);
    snprintf(what, sizeof what, "%s, %s", checkpoint + strlen("golden/"), backend);
    compare(what, few, before, used(), noise);
    gwf_free(&engine);
}

static void test_predictions(void)
{
    check_predictions("golden/ann_1x1.pt", "stratosphere_update", "ref");
    check_predictions("golden/ann_1x1.pt", "stratosphere_update", "auto");
    check_predictions("golden/unet.pt", "global", "auto");
    check_predictions("golden/unet.pt", "global", "ref");
}

/* --- engines --------------------------------------------------------------------------------- */

/* Good ones, and as many that cannot be created. */
static void come_and_go(int n)
{
    char path[1024];
    snprintf(path, sizeof path, "%s", test_scratch("model.nc"));
    for (int i = 0; i < n; i++) {
        gwf_engine *engine = create(path, "auto");
        gwf_free(&engine);
        CU_ASSERT_NOT_EQUAL(gwf_create(test_data("golden/unet.pt"), NULL, &engine), GWF_OK);
        gwf_free(&engine);
    }
}

static void test_engines(void)
{
    const int n = few / 10;
    make_model("golden/unet.pt", "global", test_scratch("model.nc"));
    come_and_go(n);
    const use before = used();
    come_and_go(9 * n);
    /* NetCDF-C 4.9.0 keeps 1.8 kB of every NetCDF-4 file that it opened until the process ends: a
     * loop of nc_open() and nc_close() grows as fast. */
    compare("engines", n, before, used(), noise + 0.003 * 9 * n);
}

int main(void)
{
    static const test_case cases[] = {
        {"predictions", test_predictions},
        {"engines", test_engines},
    };
    const char *text = getenv("GWF_LONG_TESTS");
    if (text && strcmp(text, "1") == 0) {
        few *= 10;
        many *= 10;
    }
    return test_run("leaks", cases, sizeof cases / sizeof *cases);
}
