/* Feature files written and read again, also by the series that predict reads. */
#include "io/prepared_file.h"

#include <math.h>
#include <netcdf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/series.h"
#include "feature_file.h"
#include "model/channels.h"
#include "test.h"

enum { STEPS = 3, LEVELS = 122, IDIM = 3 + 4 * LEVELS, NLAT = 4, NLON = 6, MAP = NLAT * NLON };
enum { VALUES = IDIM * MAP };

static double lat[NLAT], lon[NLON];
static char name_text[IDIM][16], long_name[1024];
static const char *names[IDIM];
static const gwf_attribute globals[] = {{"gwflux_version", "0.1.0"}, {"gwflux_job", "a.nc"}};
static const double times[STEPS] = {0, 6, 12.5};

static gwf_prepared_layout layout(void)
{
    static const char *const variables[] = {"u", "v", "theta", "w"};
    static const char *const first[] = {"lat", "lon", "zs"};
    for (size_t i = 0; i < NLAT; i++) lat[i] = feature_lat(NLAT, i);
    for (size_t i = 0; i < NLON; i++) lon[i] = feature_lon(NLON, i);
    for (int c = 0; c < IDIM; c++) {
        names[c] = name_text[c];
        if (c < 3)
            snprintf(name_text[c], sizeof name_text[c], "%s", first[c]);
        else
            snprintf(name_text[c], sizeof name_text[c], "%s %d", variables[(c - 3) / LEVELS],
                     16 + (c - 3) % LEVELS);
    }
    gwf_recipe_words(gwf_recipe_find("era5-released"), long_name, sizeof long_name);
    return (gwf_prepared_layout){.steps = STEPS,
                                 .idim = IDIM,
                                 .nlat = NLAT,
                                 .nlon = NLON,
                                 .lat = lat,
                                 .lon = lon,
                                 .channel_names = names,
                                 .recipe = "era5-released",
                                 .long_name = long_name,
                                 .surface_pressure = true,
                                 .time_units = "hours since 2015-05-01 00:00:00",
                                 .time_calendar = "standard",
                                 .times = times,
                                 .globals = globals,
                                 .n_globals = 2};
}

/* Finite float32 of all kinds: every bit counts, also those of the smallest. */
static float any_float(size_t step, size_t i)
{
    uint32_t bits = (uint32_t)(step * VALUES + i) * 2654435761u;
    float x;
    bits ^= bits >> 15;
    if ((bits & 0x7f800000u) == 0x7f800000u) bits &= ~0x40000000u;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static float pressure(size_t step, size_t i)
{
    return 50000.0f + 1000.7f * (float)i + 0.3f * (float)step;
}

static gwf_status write_step(gwf_step_file *file, size_t step, bool with_pressure, gwf_error *err)
{
    static float features[VALUES], ps[MAP];
    for (size_t i = 0; i < VALUES; i++) features[i] = any_float(step, i);
    for (size_t i = 0; i < MAP; i++) ps[i] = pressure(step, i);
    return gwf_prepared_file_write(file, step, times[step], features, with_pressure ? ps : NULL,
                                   err);
}

static const char *written(const char *name, const gwf_prepared_layout *l)
{
    gwf_error err = {0};
    gwf_step_file *file = NULL;
    const char *path = test_scratch(name);
    CHECK_OK(gwf_prepared_file_create(path, l, &file, &err), err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    for (size_t s = STEPS; s-- > 0;) CHECK_OK(write_step(file, s, l->surface_pressure, &err), err);
    CHECK_OK(gwf_step_file_finish(&file, &err), err);
    return path;
}

static gwf_windset *opened(const char *path)
{
    gwf_error err = {0};
    gwf_windset *file = NULL;
    CHECK_OK(gwf_windset_open(path, &file, &err), err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    return file;
}

/* --- by plain NetCDF calls -------------------------------------------------------------------- */

static void check_text(int file, const char *variable, const char *name, const char *expected)
{
    static char text[4096];
    size_t length = 0;
    int id = NC_GLOBAL;
    memset(text, 0, sizeof text);
    if (variable) CU_ASSERT_EQUAL(nc_inq_varid(file, variable, &id), NC_NOERR);
    if (nc_inq_attlen(file, id, name, &length) == NC_NOERR && length < sizeof text)
        nc_get_att_text(file, id, name, text);
    CU_ASSERT_STRING_EQUAL(text, expected);
}

static void check_dims(int file, const char *variable, const char *expected)
{
    int id = -1, rank = 0, dims[8];
    char text[256] = "", one[NC_MAX_NAME + 1];
    CU_ASSERT_EQUAL_FATAL(nc_inq_varid(file, variable, &id), NC_NOERR);
    nc_inq_var(file, id, NULL, NULL, &rank, dims, NULL);
    for (int i = 0; i < rank; i++) {
        size_t length = 0;
        nc_inq_dim(file, dims[i], one, &length);
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s=%zu", i ? " " : "", one,
                 length);
    }
    CU_ASSERT_STRING_EQUAL(text, expected);
}

static void test_contents(void)
{
    const gwf_prepared_layout l = layout();
    const char *path = written("contents.nc", &l);
    int file, id;
    double found[NLON] = {0};
    static char text[IDIM][9];
    CU_ASSERT_EQUAL_FATAL(nc_open(path, NC_NOWRITE, &file), NC_NOERR);
    check_dims(file, "features", "time=3 idim=491 lat=4 lon=6");
    check_dims(file, "ps", "time=3 lat=4 lon=6");
    check_dims(file, "channel", "idim=491 name_length=9");
    nc_inq_varid(file, "lat", &id);
    CU_ASSERT_EQUAL(nc_get_var_double(file, id, found), NC_NOERR);
    for (size_t i = 0; i < NLAT; i++) CU_ASSERT_EQUAL(found[i], lat[i]);
    nc_inq_varid(file, "lon", &id);
    CU_ASSERT_EQUAL(nc_get_var_double(file, id, found), NC_NOERR);
    for (size_t i = 0; i < NLON; i++) CU_ASSERT_EQUAL(found[i], lon[i]);
    nc_inq_varid(file, "channel", &id);
    CU_ASSERT_EQUAL(nc_get_var_text(file, id, &text[0][0]), NC_NOERR);
    CU_ASSERT_EQUAL(memcmp(text[0], "lat\0\0\0\0\0\0", 9), 0);
    CU_ASSERT_EQUAL(memcmp(text[3 + 2 * LEVELS + 121], "theta 137", 9), 0);
    check_text(file, "lat", "units", "degrees_north");
    check_text(file, "lon", "units", "degrees_east");
    check_text(file, "features", "long_name", long_name);
    check_text(file, "ps", "units", "Pa");
    check_text(file, "time", "calendar", "standard");
    check_text(file, NULL, "gwflux_recipe", "era5-released");
    check_text(file, NULL, "gwflux_job", "a.nc");
    nc_close(file);
}

/* --- by our own readers ----------------------------------------------------------------------- */

static void check_bits(gwf_windset *file, size_t step)
{
    static float found[VALUES];
    static int all[IDIM];
    gwf_error err = {0};
    size_t wrong = 0;
    for (int c = 0; c < IDIM; c++) all[c] = c;
    CHECK_OK(gwf_windset_read(file, step, all, IDIM, found, &err), err);
    for (size_t i = 0; i < VALUES; i++) {
        const float expected = any_float(step, i);
        wrong += memcmp(&found[i], &expected, sizeof expected) != 0;
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

static void test_read_again(void)
{
    const gwf_prepared_layout l = layout();
    gwf_windset *file = opened(written("again.nc", &l));
    const gwf_windset_header *h = gwf_windset_header_of(file);
    gwf_error err = {0};
    CU_ASSERT_TRUE(h->steps == STEPS && h->idim == IDIM && h->odim == 0);
    CU_ASSERT_TRUE_FATAL(h->nlat == NLAT && h->nlon == NLON && h->coordinates);
    for (size_t i = 0; i < NLAT; i++) CHECK_AT_MOST(fabs(h->lat[i] - lat[i]), 1e-13);
    for (size_t i = 0; i < NLON; i++) CHECK_AT_MOST(fabs(h->lon[i] - lon[i]), 1e-13);
    CU_ASSERT_STRING_EQUAL(h->recipe, "era5-released");
    CU_ASSERT_PTR_EQUAL(gwf_recipe_in_text(h->text), gwf_recipe_find("era5-released"));
    CU_ASSERT_STRING_EQUAL(h->time,
                           "real, units 'hours since 2015-05-01 00:00:00', calendar 'standard'");
    CU_ASSERT_STRING_EQUAL(h->advice, "");
    for (size_t s = 0; s < STEPS; s++) {
        double time = 0;
        check_bits(file, s);
        CHECK_OK(gwf_windset_time(file, s, &time, &err), err);
        CU_ASSERT_EQUAL(time, times[s]);
    }
    gwf_windset_close(&file);
}

/* A model whose channels stand in another order than the file's, without lat, lon, zs. */
static void test_predict_reads_it(void)
{
    static float found[4 * LEVELS * MAP];
    const gwf_prepared_layout l = layout();
    const char *const list[] = {written("series.nc", &l)};
    gwf_model model = {
        .recipe = "era5-released", .nlat = NLAT, .nlon = NLON, .lat = lat, .lon = lon};
    gwf_error err = {0};
    series s;
    size_t wrong = 0;
    long outside[3 * LEVELS];
    series_step to = {.features = found, .planes = gwf_planes_create(3 * LEVELS)};
    model.network.divisor = 1;
    CHECK_OK(
        gwf_channels_in("uvtheta", "global", 0, gwf_recipe_find(model.recipe), &model.in, &err),
        err);
    CU_ASSERT_TRUE_FATAL(model.in.count == 3 * LEVELS);
    CHECK_OK(series_create(list, 1, &model, NULL, &s, &err), err);
    CU_ASSERT_EQUAL_FATAL(s.steps, STEPS);
    CHECK_OK(series_begin(&s, 2, &to, &err), err);
    series_end(&s, 2, &to, 1, outside, &err); /* the bits are any: NaN too */
    gwf_planes_free(&to.planes);
    CU_ASSERT_EQUAL(to.time, times[2]);
    for (size_t i = 0; i < 3 * LEVELS * MAP; i++) {
        const float expected = any_float(2, 3 * MAP + i);
        wrong += memcmp(&found[i], &expected, sizeof expected) != 0;
    }
    CU_ASSERT_EQUAL(wrong, 0);
    series_free(&s);
    gwf_channel_table_free(&model.in);
}

/* --- surface pressure --------------------------------------------------------------------------
 */

static void test_pressure(void)
{
    float ps[MAP];
    gwf_error err = {0};
    gwf_prepared_layout l = layout();
    gwf_windset *file = opened(written("pressure.nc", &l));
    CU_ASSERT_TRUE(gwf_windset_header_of(file)->surface_pressure);
    for (size_t s = 0; s < STEPS; s++) {
        CHECK_OK(gwf_windset_pressure(file, s, ps, &err), err);
        for (size_t i = 0; i < MAP; i++) CU_ASSERT_EQUAL(ps[i], pressure(s, i));
        check_bits(file, s);
    }
    CHECK_FAILS(gwf_windset_pressure(file, STEPS, ps, &err), GWF_ERR_ARGUMENT, err, "step 3");
    gwf_windset_close(&file);
    l.surface_pressure = false;
    file = opened(written("none.nc", &l));
    CU_ASSERT_FALSE(gwf_windset_header_of(file)->surface_pressure);
    CHECK_FAILS(gwf_windset_pressure(file, 0, ps, &err), GWF_ERR_ARGUMENT, err,
                "none.nc: has no surface pressure (ps in Pa)");
    gwf_windset_close(&file);
}

/* In other units, or of another shape, it is not taken for one. */
static void test_other_pressure(void)
{
    const gwf_prepared_layout l = layout();
    const char *path = written("units.nc", &l), *other = test_scratch("shape.nc");
    int file, id, dims[3], feature_dims[4];
    CU_ASSERT_EQUAL_FATAL(nc_open(path, NC_WRITE, &file), NC_NOERR);
    nc_inq_varid(file, "ps", &id);
    nc_put_att_text(file, id, "units", 3, "hPa");
    nc_close(file);
    gwf_windset *windset = opened(path);
    CU_ASSERT_FALSE(gwf_windset_header_of(windset)->surface_pressure);
    gwf_windset_close(&windset);
    for (int turned = 0; turned < 2; turned++) {
        const feature_file f = {.steps = 2, .idim = 3, .nlat = NLAT, .nlon = NLON};
        feature_file_make(other, &f);
        CU_ASSERT_EQUAL_FATAL(nc_open(other, NC_WRITE, &file), NC_NOERR);
        nc_inq_varid(file, "features", &id);
        nc_inq_vardimid(file, id, feature_dims);
        dims[0] = feature_dims[0], dims[1] = feature_dims[2 + turned];
        dims[2] = feature_dims[3 - turned];
        CU_ASSERT_EQUAL(nc_redef(file), NC_NOERR);
        CU_ASSERT_EQUAL(nc_def_var(file, "ps", NC_FLOAT, 3, dims, &id), NC_NOERR);
        nc_put_att_text(file, id, "units", 2, "Pa");
        CU_ASSERT_EQUAL(nc_close(file), NC_NOERR);
        windset = opened(other);
        CU_ASSERT_EQUAL(gwf_windset_header_of(windset)->surface_pressure, !turned);
        gwf_windset_close(&windset);
    }
}

static void check_bad_pressure(float value, const char *words)
{
    float ps[MAP];
    gwf_error err = {0};
    const gwf_prepared_layout l = layout();
    const char *path = written("bad.nc", &l);
    const size_t at[3] = {1, 2, 3};
    int file, id;
    CU_ASSERT_EQUAL_FATAL(nc_open(path, NC_WRITE, &file), NC_NOERR);
    nc_inq_varid(file, "ps", &id);
    CU_ASSERT_EQUAL(nc_put_var1_float(file, id, at, &value), NC_NOERR);
    CU_ASSERT_EQUAL(nc_close(file), NC_NOERR);
    gwf_windset *windset = opened(path);
    CHECK_OK(gwf_windset_pressure(windset, 0, ps, &err), err);
    CHECK_FAILS(gwf_windset_pressure(windset, 1, ps, &err), GWF_ERR_DATA, err, words);
    gwf_windset_close(&windset);
    unlink(path);
}

static void test_bad_pressure(void)
{
    check_bad_pressure(NAN, "bad.nc: variable ps: step 1, row 2, column 3: nan Pa, expected 20000");
    check_bad_pressure(1013.25f, "1013.25 Pa, expected 20000 to 120000");
    check_bad_pressure(INFINITY, "step 1, row 2, column 3");
    check_bad_pressure(NC_FILL_FLOAT, "step 1, row 2, column 3");
}

/* --- going on, refusing ------------------------------------------------------------------------
 */

static void check_other(const char *path, const gwf_prepared_layout *l, const char *words)
{
    gwf_error err = {0};
    gwf_step_file *file = NULL;
    unsigned char done[STEPS];
    bool complete = true;
    CHECK_FAILS(gwf_prepared_file_resume(path, l, done, &complete, &file, &err), GWF_ERR_MISMATCH,
                err, words);
    CU_ASSERT_PTR_NULL(file);
    CU_ASSERT_FALSE(complete);
}

static void test_resume(void)
{
    gwf_error err = {0};
    gwf_prepared_layout l = layout();
    gwf_step_file *file = NULL;
    unsigned char done[STEPS];
    bool complete = true;
    const char *path = test_scratch("resume.nc");
    CHECK_OK(gwf_prepared_file_create(path, &l, &file, &err), err);
    CHECK_FAILS(write_step(file, 1, false, &err), GWF_ERR_ARGUMENT, err, "has no ps");
    CHECK_OK(write_step(file, 1, true, &err), err);
    CU_ASSERT_EQUAL(gwf_step_file_abandon(&file), 1);
    l.recipe = "wxcbench";
    check_other(path, &l, "its gwflux_recipe is \"era5-released\", here it is \"wxcbench\"");
    l = layout(), l.surface_pressure = false;
    check_other(path, &l, "its variable ps is there, here it is absent");
    l = layout(), names[4] = "v 17";
    check_other(path, &l, "its channel[4] is \"u 17\", here it is \"v 17\"");
    l = layout(), l.idim = IDIM - 1;
    check_other(path, &l, "its dimension idim is 491, here it is 490");
    l = layout(), lat[0] += 1;
    check_other(path, &l, "its lat[0] is -67.5, here it is -66.5");
    l = layout(), l.time_units = "days since 2015-05-01";
    check_other(path, &l, "its units of time");
    l = layout();
    CHECK_OK(gwf_prepared_file_resume(path, &l, done, &complete, &file, &err), err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_TRUE(!done[0] && done[1] && !done[2] && !complete);
    CHECK_OK(write_step(file, 0, true, &err), err);
    CHECK_OK(write_step(file, 2, true, &err), err);
    CHECK_OK(gwf_step_file_finish(&file, &err), err);
    gwf_windset *windset = opened(path);
    for (size_t s = 0; s < STEPS; s++) check_bits(windset, s);
    gwf_windset_close(&windset);
}

static void test_refused(void)
{
    for (int i = 0; i < 6; i++) {
        gwf_error err = {0};
        gwf_step_file *file = NULL;
        gwf_prepared_layout l = layout();
        if (i == 0) l.recipe = NULL;
        if (i == 1) l.long_name = NULL;
        if (i == 2) l.lat = NULL;
        if (i == 3) l.nlon = 0;
        if (i == 4) l.idim = 0;
        if (i == 5) names[100] = NULL;
        CHECK_FAILS(gwf_prepared_file_create(test_scratch("refused.nc"), &l, &file, &err),
                    GWF_ERR_ARGUMENT, err, "refused.nc: its layout is not complete");
        CU_ASSERT_PTR_NULL(file);
    }
}

int main(void)
{
    static const test_case cases[] = {
        {"contents", test_contents},
        {"read again, bit by bit", test_read_again},
        {"predict reads it", test_predict_reads_it},
        {"surface pressure", test_pressure},
        {"another surface pressure", test_other_pressure},
        {"a bad surface pressure", test_bad_pressure},
        {"going on", test_resume},
        {"refused", test_refused},
    };
    return test_run("prepared_file", cases, sizeof cases / sizeof *cases);
}
