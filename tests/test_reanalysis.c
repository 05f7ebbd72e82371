/* Features from reanalysis files: a real snapshot against a feature file that an independent
 * program made of it, and what is refused. */
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/reanalysis.h"
#include "io/windset.h"

enum { NLAT = 64, NLON = 128, PLANE = NLAT * NLON };

static double axis_lat[NLAT], axis_lon[NLON];

/* As much of a model as making features needs. */
static gwf_model make_model(const char *features, bool coordinates)
{
    gwf_error err = {0};
    gwf_model model = {.nlat = NLAT, .nlon = NLON, .lat = axis_lat, .lon = axis_lon};
    gwf_gaussian_latitudes(NLAT, axis_lat);
    for (int j = 0; j < NLON; j++) axis_lon[j] = 360.0 * j / NLON;
    CHECK_OK(gwf_channels_in(features, "global", coordinates, gwf_recipe_find("era5-released"),
                             &model.in, &err),
             err);
    return model;
}

static const char *snapshot[3];

static bool find_snapshot(void)
{
    snapshot[0] = test_shared("data/ecmwf_2005-01-23_u.nc");
    snapshot[1] = test_shared("data/ecmwf_2005-01-23_v.nc");
    snapshot[2] = test_shared("data/ecmwf_2005-01-23_t.nc");
    if (snapshot[0] && snapshot[1] && snapshot[2] && test_shared("data/orography_t42.nc"))
        return true;
    test_skip("the reanalysis snapshot is not here");
    return false;
}

static float *read_truth(const gwf_model *model, int first)
{
    gwf_error err = {0};
    gwf_windset *file = NULL;
    int index[512];
    float *truth = malloc(sizeof(float) * PLANE * (size_t)model->in.count);
    CHECK_OK(gwf_windset_open(test_shared("data/windset_uvtheta_2005-01-23.nc"), &file, &err), err);
    for (int i = 0; i < model->in.count; i++) index[i] = first + i;
    CHECK_OK(gwf_windset_read(file, 0, index, model->in.count, truth, &err), err);
    gwf_windset_close(&file);
    return truth;
}

static double largest_difference(const float *a, const float *b, size_t n)
{
    double most = 0;
    for (size_t i = 0; i < n; i++) {
        const double d = fabs((double)a[i] - (double)b[i]);
        if (!(d <= most)) most = d;
    }
    return most;
}

/* All 369 channels within 2e-5; the U-Net's 366 are the same without the first three. */
static void check_snapshot(bool coordinates, int threads)
{
    gwf_error err = {0};
    reanalysis *r = NULL;
    gwf_model model = make_model("uvtheta", coordinates);
    const size_t n = PLANE * (size_t)model.in.count;
    float *truth = read_truth(&model, coordinates ? 0 : 3),
          *features = malloc(n * sizeof *features);
    float *ps = malloc(PLANE * sizeof *ps);
    const reanalysis_choice choice = {.inputs = {snapshot, 3},
                                      .orography = test_shared("data/orography_t42.nc"),
                                      .threads = threads};
    CHECK_OK(reanalysis_open(&choice, &model, NULL, &r, &err), err);
    if (r) {
        CU_ASSERT_EQUAL(reanalysis_header(r)->steps, 1);
        for (int again = 0; again < 2; again++) {
            memset(features, 0xff, n * sizeof *features);
            CHECK_OK(reanalysis_read(r, 0, features, ps, &err), err);
            CHECK_AT_MOST(largest_difference(features, truth, n), 2e-5);
        }
    }
    reanalysis_close(&r);
    gwf_channel_table_free(&model.in);
    free(truth);
    free(features);
    free(ps);
}

static void test_snapshot(void)
{
    if (!find_snapshot()) return;
    check_snapshot(false, 1);
    check_snapshot(true, 2);
}

static void refuse(const reanalysis_choice *choice, const char *features, bool coordinates,
                   gwf_status status, const char *words)
{
    gwf_error err = {0};
    reanalysis *r = NULL;
    gwf_model model = make_model(features, coordinates);
    CHECK_FAILS(reanalysis_open(choice, &model, NULL, &r, &err), status, err, words);
    CU_ASSERT_PTR_NULL(r);
    gwf_channel_table_free(&model.in);
}

static void test_refused(void)
{
    if (!find_snapshot()) return;
    const char *orography = test_shared("data/orography_t42.nc");
    const reanalysis_choice bare = {.inputs = {snapshot, 3}, .threads = 1};
    reanalysis_choice c = bare;
    refuse(&c, "uvtheta", false, GWF_ERR_MISMATCH, "surface pressure: neither sp nor lnsp");
    refuse(&c, "uvtheta", true, GWF_ERR_MISMATCH, "--orography");
    c.orography = orography;
    c.inputs.count = 2;
    refuse(&c, "uvtheta", false, GWF_ERR_FORMAT, "air temperature");
    c.inputs.count = 3;
    refuse(&c, "uvthetaw", false, GWF_ERR_FORMAT, "vertical velocity");
    c.orography = test_shared("data/ecmwf_2005-01-23_u.nc");
    refuse(&c, "uvtheta", false, GWF_ERR_FORMAT, "no variable that is looked for");
    c = bare;
    c.inputs.items = &orography;
    c.inputs.count = 1;
    refuse(&c, "uvtheta", false, GWF_ERR_FORMAT, "eastward wind");
}

int main(void)
{
    static const test_case tests[] = {
        {"an ECMWF snapshot becomes the published features", test_snapshot},
        {"what cannot be made into features", test_refused},
    };
    return test_run("reanalysis", tests, sizeof tests / sizeof *tests);
}
