/* The input of a prediction: files one after the other, checked against the model and each other.
 */
#include "cli/series.h"

#include <stdio.h>
#include <unistd.h>

#include "feature_file.h"
#include "test.h"

enum { NLAT = 4, NLON = 6, MAP = NLAT * NLON };

/* --- fixtures ------------------------------------------------------------------------------- */

/* All of a model that a series looks at; no network. */
static gwf_model make_model(const char *features, const char *vertical, int coordinates)
{
    gwf_model model = {.recipe = "era5-released", .nlat = NLAT, .nlon = NLON};
    gwf_error err = {0};
    const gwf_recipe *recipe = gwf_recipe_find(model.recipe);
    CHECK_OK(gwf_channels_in(features, vertical, coordinates, recipe, &model.in, &err), err);
    model.network.divisor = 1;
    model.lat = malloc(NLAT * sizeof *model.lat);
    model.lon = malloc(NLON * sizeof *model.lon);
    for (size_t i = 0; i < NLAT; i++) model.lat[i] = feature_lat(NLAT, i);
    for (size_t i = 0; i < NLON; i++) model.lon[i] = feature_lon(NLON, i);
    return model;
}

static gwf_model usual_model(void)
{
    return make_model("uvtheta", "global", 0);
}

static const feature_file usual = {
    .steps = 2, .idim = 369, .odim = 244, .nlat = NLAT, .nlon = NLON};

/* A list of inputs, made as they are added. */
typedef struct inputs {
    char paths[4][1024];
    const char *list[4];
    int count;
} inputs;

static void add(inputs *in, const char *name, feature_file f)
{
    snprintf(in->paths[in->count], sizeof in->paths[0], "%s", test_scratch(name));
    in->list[in->count] = in->paths[in->count];
    feature_file_make(in->paths[in->count++], &f);
}

static char heard[4096];

static void hear(void *user, const char *line)
{
    (void)user;
    strncat(heard, line, sizeof heard - strlen(heard) - 2);
    strcat(heard, "\n");
}

static const gwf_log heard_log = {hear, NULL};

static gwf_status create(const inputs *in, const gwf_model *model, series *s, gwf_error *err)
{
    heard[0] = '\0';
    *err = (gwf_error){0};
    return series_create(in->list, in->count, model, &heard_log, s, err);
}

/* One file, accepted or not. */
static void accepted(const gwf_model *model, feature_file f, const char *words)
{
    inputs in = {0};
    series s;
    gwf_error err;
    add(&in, "one.nc", f);
    CHECK_OK(create(&in, model, &s, &err), err);
    if (!strstr(heard, words)) fprintf(stderr, "\n  told \"%s\", expected \"%s\"\n", heard, words);
    CU_ASSERT_PTR_NOT_NULL(strstr(heard, words));
    CU_ASSERT_TRUE(words[0] || !heard[0]);
    series_free(&s);
}

static void refused(const gwf_model *model, feature_file f, const char *words)
{
    inputs in = {0};
    series s;
    gwf_error err;
    add(&in, "one.nc", f);
    CHECK_FAILS(create(&in, model, &s, &err), GWF_ERR_MISMATCH, err, words);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "one.nc: "));
    series_free(&s);
}

/* Both halves of reading a step; outside may be NULL. */
static gwf_status read_step(series *s, size_t step, float *values, double *time, long *outside,
                            gwf_error *err)
{
    long unused[500];
    series_step to = {.features = values, .planes = gwf_planes_create(s->model->in.count)};
    gwf_status status = series_begin(s, step, &to, err);
    if (status == GWF_OK) status = series_end(s, step, &to, 2, outside ? outside : unused, err);
    CU_ASSERT_FALSE(gwf_planes_found(to.planes) && status == GWF_OK);
    gwf_planes_free(&to.planes);
    *time = to.time;
    return status;
}

/* The step is this one of the run of all values, its channels those of the list. */
static void check_step(series *s, size_t step, size_t value_step, const int *channels)
{
    const int count = s->model->in.count;
    float *values = malloc((size_t)count * MAP * sizeof *values);
    double time = 0;
    gwf_error err = {0};
    int wrong = 0;
    CHECK_OK(read_step(s, step, values, &time, NULL, &err), err);
    CU_ASSERT_EQUAL(time, feature_time(value_step));
    for (int c = 0; c < count; c++)
        for (size_t i = 0; i < MAP; i++)
            wrong += values[(size_t)c * MAP + i] !=
                     feature_at(value_step, (size_t)(channels ? channels[c] : c + 3), i);
    CU_ASSERT_EQUAL(wrong, 0);
    free(values);
}

/* --- tests ---------------------------------------------------------------------------------- */

static const char stated_recipe[] = "era5-released";

static feature_file with_recipe(feature_file f)
{
    f.recipe = stated_recipe;
    return f;
}

static void test_families(void)
{
    feature_file f = with_recipe(usual);
    gwf_model model = usual_model();
    accepted(&model, f, "");
    f.idim = 491;
    accepted(&model, f, "");
    f.odim = 0;
    accepted(&model, f, "");
    f.idim = 303;
    f.odim = 120;
    refused(&model, f, "no channel u at level 76");
    f.idim = 369;
    refused(&model, f, "features has 369 channels (output 120), expected one of u_v_theta_w (491)");
    f.idim = 100;
    f.odim = 0;
    refused(&model, f, "features has 100 channels (output 0)");
    gwf_model_free(&model);
}

/* Channels of another family stand elsewhere. */
static void test_channels(void)
{
    gwf_model model = make_model("uvtheta", "stratosphere_only", 1);
    feature_file f = with_recipe(usual);
    int channels[183];
    inputs in = {0};
    series s;
    gwf_error err;
    f.idim = 303;
    f.odim = 120;
    add(&in, "strat.nc", f);
    f.first = 2;
    f.idim = 491;
    f.odim = 0;
    add(&in, "all.nc", f);
    CU_ASSERT_EQUAL_FATAL(model.in.count, 183);
    CHECK_OK(create(&in, &model, &s, &err), err);
    for (int c = 0; c < 183; c++) channels[c] = c;
    check_step(&s, 1, 1, channels);
    for (int c = 3; c < 183; c++) channels[c] = 3 + (c - 3) / 60 * 122 + (c - 3) % 60;
    check_step(&s, 2, 2, channels);
    series_free(&s);
    gwf_model_free(&model);
}

static void test_steps_of_files(void)
{
    gwf_model model = usual_model();
    inputs in = {0};
    series s;
    gwf_error err;
    const size_t lengths[] = {2, 1, 3}, order[] = {0, 5, 2, 1, 3, 4, 2, 0};
    feature_file f = usual;
    for (int i = 0; i < 3; i++) {
        const char *names[] = {"b.nc", "a.nc", "c.nc"}; /* as given, whatever the names */
        f.steps = lengths[i];
        add(&in, names[i], f);
        f.first += f.steps;
    }
    CHECK_OK(create(&in, &model, &s, &err), err);
    CU_ASSERT_EQUAL(s.steps, 6);
    CU_ASSERT_EQUAL(s.n_files, 3);
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        check_step(&s, order[i], order[i], NULL);
    for (size_t step = 0; step < 6; step++) {
        gwf_windset *file = NULL;
        CHECK_OK(series_file_of(&s, step, &file, &err), err);
        CU_ASSERT_STRING_EQUAL(gwf_windset_path(file), in.paths[step < 2 ? 0 : step < 3 ? 1 : 2]);
    }
    series_free(&s);
    gwf_model_free(&model);
}

/* A time that goes back is told, and nothing else comes of it. */
static void test_order(void)
{
    gwf_model model = usual_model();
    feature_file f = with_recipe(usual);
    inputs in = {0}, back = {0};
    series s;
    gwf_error err;
    add(&in, "one.nc", f);
    f.first = 2;
    add(&in, "two.nc", f);
    CHECK_OK(create(&in, &model, &s, &err), err);
    CU_ASSERT_STRING_EQUAL(heard, "");
    series_free(&s);
    back.list[back.count++] = in.list[1];
    back.list[back.count++] = in.list[0];
    CHECK_OK(create(&back, &model, &s, &err), err);
    CU_ASSERT_PTR_NOT_NULL(strstr(heard, "one.nc: begins at time 100, "));
    CU_ASSERT_PTR_NOT_NULL(strstr(heard, "two.nc ends at 103"));
    check_step(&s, 0, 2, NULL);
    check_step(&s, 2, 0, NULL);
    series_free(&s);
    gwf_model_free(&model);
}

static void test_a_step_too_many(void)
{
    gwf_model model = usual_model();
    inputs in = {0};
    series s;
    gwf_error err;
    double time = 0;
    float *values = malloc(366 * MAP * sizeof *values);
    add(&in, "one.nc", usual);
    CHECK_OK(create(&in, &model, &s, &err), err);
    CHECK_FAILS(read_step(&s, 2, values, &time, NULL, &err), GWF_ERR_ARGUMENT, err,
                "one.nc: step 2");
    free(values);
    series_free(&s);
    gwf_model_free(&model);
}

static void test_grids(void)
{
    gwf_model model = usual_model();
    feature_file f = with_recipe(usual);
    f.lon_shift = 30;
    refused(&model, f, "lon 30..330 are not the model's grid (lat -67.5..67.5, lon 0..300)");
    f.lon_shift = 0.01; /* float32 of a fraction is not exact */
    accepted(&model, f, "");
    f.lon_shift = 0;
    f.nlon = 8;
    accepted(&model, f, "grid of 4 x 8, the network was trained on 4 x 6");
    f.no_coordinates = true;
    refused(&model, f, "no lat and lon, and its grid of 4 x 8 is not the model's 4 x 6");
    f.nlon = NLON;
    accepted(&model, f, "");
    model.network.divisor = 4;
    refused(&model, f, "grid of 4 latitudes and 6 longitudes, the network needs multiples of 4");
    gwf_model_free(&model);
}

static void test_coordinates_missing(void)
{
    gwf_model model = usual_model();
    feature_file f = usual;
    inputs in = {0};
    series s;
    gwf_error err;
    f.no_coordinates = true;
    add(&in, "bare.nc", f);
    CHECK_OK(create(&in, &model, &s, &err), err);
    for (size_t i = 0; i < NLAT; i++) CU_ASSERT_EQUAL(s.lat[i], feature_lat(NLAT, i));
    for (size_t i = 0; i < NLON; i++) CU_ASSERT_EQUAL(s.lon[i], feature_lon(NLON, i));
    series_free(&s);
    gwf_model_free(&model);
}

static void differ(const gwf_model *model, feature_file a, feature_file b, const char *words)
{
    inputs in = {0};
    series s;
    gwf_error err;
    add(&in, "first.nc", a);
    add(&in, "second.nc", b);
    CHECK_FAILS(create(&in, model, &s, &err), GWF_ERR_MISMATCH, err, words);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "second.nc: "));
    series_free(&s);
}

static void test_grids_that_differ(void)
{
    gwf_model model = usual_model();
    feature_file small = usual, shifted = usual;
    small.nlat = 2;
    shifted.nlat = 2;
    shifted.lon_shift = 30;
    differ(&model, usual, small, "its grid (2 x 6) is not that of ");
    differ(&model, small, usual, "its grid (4 x 6) is not that of ");
    differ(&model, small, shifted, "its grid (2 x 6) is not that of ");
    gwf_model_free(&model);
}

static void test_recipes(void)
{
    gwf_model model = usual_model();
    feature_file f = usual;
    accepted(&model, f, "does not say how it was normalised, taken as era5-released");
    f.long_name = "u: (u-6.395471175756457)/66.5";
    accepted(&model, f, "");
    f.long_name = "u: (u-6.396170418818774)/15.419851393222734";
    refused(&model, f, "features are normalised by recipe wxcbench, the model expects era5-rel");
    f.recipe = "era5-released"; /* stated outright: counts more than numbers in a text */
    accepted(&model, f, "");
    f.recipe = "cam-l93";
    refused(&model, f, "features are normalised by recipe cam-l93, the model expects era5-rel");
    f.recipe = "my own";
    refused(&model, f, "features are normalised by recipe my own, the model expects era5-rel");
    gwf_model_free(&model);
}

static void check_named(float bad, const char *words)
{
    gwf_model model = usual_model();
    feature_file f = usual;
    inputs in = {0};
    series s;
    gwf_error err;
    double time = 0;
    float *values = malloc(366 * MAP * sizeof *values);
    f.first = 7;
    add(&in, "good.nc", usual);
    f.bad = bad;
    const size_t at[4] = {1, 3 + 122 + 5, 3, 2}; /* v, sixth level */
    memcpy(f.bad_at, at, sizeof at);
    add(&in, "bad.nc", f);
    CHECK_OK(create(&in, &model, &s, &err), err);
    CHECK_OK(read_step(&s, 2, values, &time, NULL, &err), err);
    CHECK_FAILS(read_step(&s, 3, values, &time, NULL, &err), GWF_ERR_DATA, err, words);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, in.paths[1]));
    CHECK_OK(read_step(&s, 1, values, &time, NULL, &err), err);
    series_free(&s);
    free(values);
    gwf_model_free(&model);
}

/* One value of step 3 is x, all others lie between -1 and 1. */
static void check_outside(float x, long expected)
{
    gwf_model model = usual_model();
    feature_file f = usual;
    inputs in = {0};
    series s;
    gwf_error err;
    double time = 0;
    float *values = malloc(366 * MAP * sizeof *values);
    const size_t at[4] = {1, 3 + 122 + 5, 3, 2};
    long outside[366];
    f.bad = x;
    memcpy(f.bad_at, at, sizeof at);
    add(&in, "one.nc", usual);
    add(&in, "two.nc", f);
    CHECK_OK(create(&in, &model, &s, &err), err);
    for (size_t step = 2; step < 4; step++) {
        CHECK_OK(read_step(&s, step, values, &time, outside, &err), err);
        for (int i = 0; i < 366; i++)
            CU_ASSERT_EQUAL(outside[i], step == 3 && i == 122 + 5 ? expected : 0);
    }
    series_free(&s);
    free(values);
    gwf_model_free(&model);
}

static void test_values_outside_are_counted(void)
{
    check_outside(4.5f, 1);
    check_outside(-4.5f, 1);
    check_outside(4, 0);
}

static void test_bad_values_are_named(void)
{
    check_named(NAN, "bad.nc: features: v at time 108, level 21, lat 67.50, lon 120.00 is nan");
    check_named(INFINITY, "v at time 108, level 21, lat 67.50, lon 120.00 is inf");
    check_named(-INFINITY, "v at time 108, level 21, lat 67.50, lon 120.00 is -inf");
}

/* What a network does not take may be anything. */
static void test_other_channels_may_be_bad(void)
{
    gwf_model model = usual_model();
    feature_file f = usual;
    inputs in = {0};
    series s;
    gwf_error err;
    f.idim = 491;
    f.bad = NAN;
    const size_t at[4] = {0, 480, 1, 1}; /* w */
    memcpy(f.bad_at, at, sizeof at);
    add(&in, "one.nc", f);
    CHECK_OK(create(&in, &model, &s, &err), err);
    check_step(&s, 0, 0, NULL);
    series_free(&s);
    gwf_model_free(&model);
}

static void test_files_that_cannot_be_opened(void)
{
    gwf_model model = usual_model();
    inputs in = {0};
    series s;
    gwf_error err;
    add(&in, "one.nc", usual);
    add(&in, "gone.nc", usual);
    CHECK_OK(create(&in, &model, &s, &err), err);
    unlink(in.paths[1]);
    check_step(&s, 0, 0, NULL);
    gwf_windset *file = NULL;
    CHECK_FAILS(series_file_of(&s, 2, &file, &err), GWF_ERR_NOT_FOUND, err, "gone.nc");
    check_step(&s, 1, 1, NULL); /* and the series goes on */
    series_free(&s);
    CHECK_FAILS(create(&in, &model, &s, &err), GWF_ERR_NOT_FOUND, err, "gone.nc");
    series_free(&s);
    gwf_model_free(&model);
}

/* Someone writes another file in its place while a run is under way. */
static void test_files_that_are_replaced(void)
{
    gwf_model model = usual_model();
    const feature_file others[] = {
        {.steps = 2, .idim = 369, .odim = 244, .nlat = 2 * NLAT, .nlon = NLON},
        {.steps = 2, .idim = 369, .odim = 244, .nlat = NLAT, .nlon = 2 * NLON},
        {.steps = 2, .idim = 100, .nlat = NLAT, .nlon = NLON},
        {.steps = 1, .idim = 369, .odim = 244, .nlat = NLAT, .nlon = NLON},
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        inputs in = {0};
        series s;
        gwf_error err;
        double time = 0;
        float *values = malloc(366 * MAP * sizeof *values);
        add(&in, "one.nc", usual);
        add(&in, "two.nc", usual);
        CHECK_OK(create(&in, &model, &s, &err), err);
        feature_file_make(in.paths[1], &others[i]);
        const gwf_status status = read_step(&s, 3, values, &time, NULL, &err);
        CU_ASSERT_NOT_EQUAL(status, GWF_OK);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "two.nc: "));
        free(values);
        series_free(&s);
    }
    gwf_model_free(&model);
}

int main(void)
{
    static const test_case tests[] = {
        {"families", test_families},
        {"channels of two families", test_channels},
        {"steps of files in the order given", test_steps_of_files},
        {"files that go back in time", test_order},
        {"a step too many", test_a_step_too_many},
        {"grids", test_grids},
        {"coordinates missing", test_coordinates_missing},
        {"grids that differ", test_grids_that_differ},
        {"recipes stated, unstated, others", test_recipes},
        {"values beyond the trained range are counted", test_values_outside_are_counted},
        {"values that are not finite are named", test_bad_values_are_named},
        {"channels that are not taken may be bad", test_other_channels_may_be_bad},
        {"files that cannot be opened", test_files_that_cannot_be_opened},
        {"files that are replaced", test_files_that_are_replaced},
    };
    return test_run("series", tests, sizeof tests / sizeof *tests);
}
