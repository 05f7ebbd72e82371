/* Reading one level of one flux, from files made here in the layout of predict's output. */
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "io/flux_reader.h"
#include "io/nc.h"

enum { STEPS = 2, LEVELS = 3, NLAT = 4, NLON = 6, MAP = NLAT * NLON };
static const double pressures[LEVELS] = {1, 10, 200};

/* What a file of the tests differs in from a good one. */
typedef struct variant {
    const char *dims;       /* of uw, NULL: as predict writes them */
    const char *time_units; /* NULL: without */
    const char *time_name;  /* long_name, NULL: without */
    const char *units;      /* of uw, NULL: without */
    const char *lev_units;  /* NULL: without */
    double south;           /* first latitude */
    double top;             /* first pressure */
    float bad;              /* value of the last point of all */
} variant;

static const variant good = {
    .time_units = "hours since 2005-01-01", .units = "Pa", .south = -60, .top = 1, .bad = 0};

/* Tells step, level, row and column. */
static float value(size_t step, size_t level, size_t point)
{
    return (float)(1000 * step + 100 * level + point);
}

static gwf_status define(gwf_nc *nc, const variant *v, gwf_error *err)
{
    const char *dims = v->dims ? v->dims : "time lev lat lon";
    GWF_TRY(gwf_nc_define_dimension(nc, "time", STEPS, err));
    GWF_TRY(gwf_nc_define_dimension(nc, "lev", LEVELS, err));
    GWF_TRY(gwf_nc_define_dimension(nc, "lat", NLAT, err));
    GWF_TRY(gwf_nc_define_dimension(nc, "lon", NLON, err));
    GWF_TRY(gwf_nc_define_variable(nc, "time", GWF_NC_DOUBLE, "time", 0, err));
    GWF_TRY(gwf_nc_define_variable(nc, "lev", GWF_NC_DOUBLE, "lev", 0, err));
    GWF_TRY(gwf_nc_define_variable(nc, "lat", GWF_NC_DOUBLE, "lat", 0, err));
    GWF_TRY(gwf_nc_define_variable(nc, "lon", GWF_NC_DOUBLE, "lon", 0, err));
    GWF_TRY(gwf_nc_define_variable(nc, "uw", GWF_NC_FLOAT, dims, 1, err));
    if (v->units) GWF_TRY(gwf_nc_put_text(nc, "uw", "units", v->units, err));
    if (v->lev_units) GWF_TRY(gwf_nc_put_text(nc, "lev", "units", v->lev_units, err));
    if (v->time_units) GWF_TRY(gwf_nc_put_text(nc, "time", "units", v->time_units, err));
    if (v->time_name) GWF_TRY(gwf_nc_put_text(nc, "time", "long_name", v->time_name, err));
    return GWF_OK;
}

static gwf_status fill(gwf_nc *nc, const variant *v, gwf_error *err)
{
    const double time[STEPS] = {528, 529.5}, lev[LEVELS] = {v->top, pressures[1], pressures[2]};
    const double lat[NLAT] = {v->south, -20, 20, 60}, lon[NLON] = {0, 60, 120, 180, 240, 300};
    float values[STEPS * LEVELS * MAP];
    for (size_t i = 0; i < STEPS * LEVELS * MAP; i++)
        values[i] = value(i / (LEVELS * MAP), i / MAP % LEVELS, i % MAP);
    if (v->bad != 0) values[STEPS * LEVELS * MAP - 1] = v->bad;
    GWF_TRY(gwf_nc_put_double(nc, "time", time, err));
    GWF_TRY(gwf_nc_put_double(nc, "lev", lev, err));
    GWF_TRY(gwf_nc_put_double(nc, "lat", lat, err));
    GWF_TRY(gwf_nc_put_double(nc, "lon", lon, err));
    return gwf_nc_put_float(nc, "uw", values, err);
}

static const char *make(const char *name, const variant *v)
{
    const char *path = test_scratch(name);
    gwf_nc nc = {.id = -1};
    gwf_error err = {0};
    CHECK_OK(gwf_nc_create(path, &nc, &err), err);
    CHECK_OK(define(&nc, v, &err), err);
    CHECK_OK(fill(&nc, v, &err), err);
    CHECK_OK(gwf_nc_close(&nc, &err), err);
    return path;
}

static void reads_the_map(void)
{
    gwf_flux_map map;
    gwf_error err = {0};
    const char *path = make("good.nc", &good);
    CHECK_OK(gwf_flux_map_read(path, "uw", 200, 1, &map, &err), err);
    CU_ASSERT_STRING_EQUAL(map.variable, "uw");
    CU_ASSERT_STRING_EQUAL(map.units, "Pa");
    CU_ASSERT_STRING_EQUAL(map.time, "step 1, 529.5 hours since 2005-01-01");
    CU_ASSERT_EQUAL(map.pressure, 200);
    CU_ASSERT_EQUAL(map.step, 1);
    CU_ASSERT_EQUAL(map.steps, STEPS);
    CU_ASSERT_EQUAL_FATAL(map.nlat * map.nlon, MAP);
    CU_ASSERT_EQUAL(map.lat[0], -60);
    CU_ASSERT_EQUAL(map.lon[NLON - 1], 300);
    for (size_t i = 0; i < MAP; i++) CU_ASSERT_EQUAL(map.values[i], value(1, 2, i));
    gwf_flux_map_free(&map);
    CU_ASSERT_PTR_NULL(map.values);
}

/* Between 1 and 10 hPa the middle is 3.16, between 10 and 200 it is 44.7. */
static void takes_the_nearest_level(void)
{
    static const struct {
        double asked, given;
    } cases[] = {{0.01, 1}, {3.1, 1}, {3.2, 10}, {44, 10}, {45, 200}, {1000, 200}};
    const char *path = make("levels.nc", &good);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        gwf_flux_map map;
        gwf_error err = {0};
        CHECK_OK(gwf_flux_map_read(path, "uw", cases[i].asked, 0, &map, &err), err);
        CU_ASSERT_EQUAL(map.pressure, cases[i].given);
        gwf_flux_map_free(&map);
    }
}

static void check_time(const variant *v, const char *words)
{
    gwf_flux_map map;
    gwf_error err = {0};
    CHECK_OK(gwf_flux_map_read(make("time.nc", v), "uw", 10, 0, &map, &err), err);
    CU_ASSERT_STRING_EQUAL(map.time, words);
    gwf_flux_map_free(&map);
}

static void says_the_time(void)
{
    variant v = good;
    v.time_units = NULL;
    check_time(&v, "step 0, time 528");
    v.time_name = "hour of year";
    check_time(&v, "step 0, hour of year 528");
}

static void check_refused(const variant *v, gwf_status status, const char *words)
{
    gwf_flux_map map;
    gwf_error err = {0};
    CHECK_FAILS(gwf_flux_map_read(make("bad.nc", v), "uw", 200, 1, &map, &err), status, err, words);
    CU_ASSERT_PTR_NULL(map.values);
}

static void refuses_other_files(void)
{
    variant v = good;
    v.dims = "time lev lon lat";
    check_refused(&v, GWF_ERR_FORMAT, "expected an output of gwflux predict");
    v = good;
    v.units = NULL;
    check_refused(&v, GWF_ERR_FORMAT, "variable uw: has no units");
    v = good;
    v.south = -200;
    check_refused(&v, GWF_ERR_FORMAT, "variable lat: expected degrees");
    v = good;
    v.south = 0;
    check_refused(&v, GWF_ERR_FORMAT, "variable lat: expected degrees");
    v = good;
    v.lev_units = "Pa";
    check_refused(&v, GWF_ERR_FORMAT, "variable lev: units Pa, expected hPa");
    v = good;
    v.top = -1;
    check_refused(&v, GWF_ERR_FORMAT, "variable lev: expected pressures");
    v = good;
    v.top = NAN;
    check_refused(&v, GWF_ERR_FORMAT, "variable lev: expected pressures");
}

static void refuses_bad_values(void)
{
    variant v = good;
    v.bad = NAN;
    check_refused(&v, GWF_ERR_DATA, "step 1, 200 hPa, lat 60.00, lon 300.00");
    v.bad = 9.96921e36f; /* NetCDF's fill value */
    check_refused(&v, GWF_ERR_DATA, "missing or not finite");
}

static void refuses_other_questions(void)
{
    gwf_flux_map map;
    gwf_error err = {0};
    const char *path = make("asked.nc", &good);
    CHECK_FAILS(gwf_flux_map_read(path, "vw", 10, 0, &map, &err), GWF_ERR_FORMAT, err,
                "there is no flux named vw (time, lev or plev, lat, lon); it has uw");
    CHECK_FAILS(gwf_flux_map_read(path, "lev", 10, 0, &map, &err), GWF_ERR_FORMAT, err,
                "there is no flux named lev");
    CHECK_FAILS(gwf_flux_map_read(path, "uw", 10, 2, &map, &err), GWF_ERR_ARGUMENT, err,
                "there is no step 2; it has 2 steps");
    CHECK_FAILS(gwf_flux_map_read(path, "uw", 0, 0, &map, &err), GWF_ERR_ARGUMENT, err, "0 hPa");
    CHECK_FAILS(gwf_flux_map_read(path, "uw", NAN, 0, &map, &err), GWF_ERR_ARGUMENT, err, "hPa");
    CHECK_FAILS(gwf_flux_map_read(test_scratch("none.nc"), "uw", 10, 0, &map, &err),
                GWF_ERR_NOT_FOUND, err, "none.nc");
}

int main(void)
{
    static const test_case cases[] = {
        {"reads the map that was asked for", reads_the_map},
        {"takes the nearest level in log p", takes_the_nearest_level},
        {"says the time in words", says_the_time},
        {"refuses files that predict did not write", refuses_other_files},
        {"refuses missing values, and says where", refuses_bad_values},
        {"refuses variables, steps, levels that are not there", refuses_other_questions},
    };
    return test_run("flux_reader", cases, sizeof cases / sizeof *cases);
}
