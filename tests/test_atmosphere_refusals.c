/* Files that the reader of reanalysis must refuse, each with one line that names file, variable and
 * what is wrong. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "atmosphere_check.h"

static void refuse_all(const char *const *paths, int n, const char *mapping, gwf_status status,
                       const char *words)
{
    gwf_atmosphere *a = NULL;
    gwf_error err = {0};
    const gwf_atmosphere_config config = {
        .paths = paths, .n_paths = n, .mapping = &mapping, .n_mapping = mapping != NULL};
    CHECK_FAILS(gwf_atmosphere_open(&config, &a, &err), status, err, words);
    CU_ASSERT_PTR_NULL(a);
    CU_ASSERT_PTR_NULL(strchr(err.text, '\n'));
    gwf_atmosphere_close(&a);
}

static void refuse(const char *path, gwf_status status, const char *words)
{
    refuse_all(&path, 1, NULL, status, words);
}

/* Two files with one variable each. */
static void refuse_pair(const air_file *f, const air_variable *u, const air_file *g,
                        const air_variable *v, gwf_status status, const char *words)
{
    const char *const paths[2] = {test_scratch("first.nc"), test_scratch("second.nc")};
    air_make(paths[0], f, u);
    air_make(paths[1], g, v);
    refuse_all(paths, 2, NULL, status, words);
}

static const air_variable u_wind = {
    .name = "u", .standard_name = "eastward_wind", .units = "m s-1", .order = "tzyx"};
static const air_variable v_wind = {
    .name = "v", .standard_name = "northward_wind", .units = "m s-1", .order = "tzyx"};

static void refuse_one(const air_file *f, const air_variable *v, gwf_status status,
                       const char *words)
{
    const char *path = test_scratch("one.nc");
    air_make(path, f, v);
    refuse(path, status, words);
}

/* --- files ---------------------------------------------------------------------------------- */

static void put_bytes(const char *path, const void *bytes, size_t n)
{
    FILE *file = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fwrite(bytes, 1, n, file);
    fclose(file);
}

static void test_files(void)
{
    const char *path = test_scratch("odd.nc");
    gwf_atmosphere *a = NULL;
    gwf_error err = {0};
    const gwf_atmosphere_config none = {.n_paths = 0};
    CHECK_FAILS(gwf_atmosphere_open(&none, &a, &err), GWF_ERR_ARGUMENT, err, "no files");
    refuse("/nowhere/u.nc", GWF_ERR_NOT_FOUND, "/nowhere/u.nc: cannot be opened");
    refuse("https://example.org/u.nc", GWF_ERR_NOT_FOUND, "is an address");
    refuse("", GWF_ERR_NOT_FOUND, "empty file name");
    refuse("/tmp", GWF_ERR_FORMAT, "is a directory");
    refuse("/dev/zero", GWF_ERR_FORMAT, "is not a regular file");
    put_bytes(path, "", 0);
    refuse(path, GWF_ERR_FORMAT, "is empty");
    put_bytes(path, "not NetCDF at all", 17);
    refuse(path, GWF_ERR_FORMAT, "is not a NetCDF file");
    const air_file f = era5();
    air_make(path, &f, &u_wind);
    struct stat info;
    stat(path, &info);
    CU_ASSERT_EQUAL(truncate(path, info.st_size / 2), 0);
    refuse(path, GWF_ERR_FORMAT, "damaged, or cut short");
}

static void test_being_written(void)
{
    const air_file f = era5();
    const char *path = test_scratch("writing.nc");
    const int file = air_create(path, &f);
    air_add(file, &f, &u_wind);
    air_must(nc_sync(file));
    refuse(path, GWF_ERR_FORMAT, "writing.nc: is being written by another program");
    air_must(nc_close(file));
    gwf_atmosphere *a = open_one(path);
    gwf_atmosphere_close(&a);
}

/* Each of what a file is known by: its length, its time, its identity. */
typedef enum change { LONGER, TOUCHED, REPLACED, CHANGES } change;

static void do_change(const char *path, change what)
{
    struct stat info;
    CU_ASSERT_EQUAL(stat(path, &info), 0);
    struct timespec times[2] = {info.st_atim, info.st_mtim};
    if (what == LONGER) CU_ASSERT_EQUAL(truncate(path, info.st_size + 1), 0);
    if (what == REPLACED) {
        const air_file f = era5();
        const char *other = test_scratch("other.nc");
        air_make(other, &f, &u_wind);
        CU_ASSERT_EQUAL(truncate(other, info.st_size), 0);
        CU_ASSERT_EQUAL(rename(other, path), 0);
    }
    if (what == TOUCHED) times[1].tv_nsec = (times[1].tv_nsec + 1000) % 1000000000;
    CU_ASSERT_EQUAL(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void test_changed_meanwhile(void)
{
    const air_file f = era5();
    const char *path = test_scratch("changed.nc");
    float values[NZ * NY * NX];
    gwf_error err = {0};
    for (int i = 0; i < 2 * CHANGES; i++) {
        air_make(path, &f, &u_wind);
        gwf_atmosphere *a = open_one(path);
        if (i % 2) CHECK_OK(gwf_atmosphere_read(a, GWF_U, 0, 0, NZ, values, &err), err);
        do_change(path, (change)(i / 2));
        CHECK_FAILS(gwf_atmosphere_read(a, GWF_U, 1, 0, NZ, values, &err), GWF_ERR_DATA, err,
                    "changed.nc: changed since it was opened");
        gwf_atmosphere_close(&a);
    }
    air_make(path, &f, &u_wind);
    gwf_atmosphere *a = open_one(path);
    remove(path);
    CHECK_FAILS(gwf_atmosphere_read(a, GWF_U, 1, 0, NZ, values, &err), GWF_ERR_NOT_FOUND, err,
                "changed.nc: cannot be opened");
    gwf_atmosphere_close(&a);
}

/* --- variables ------------------------------------------------------------------------------ */

static void test_nothing_there(void)
{
    const air_file f = era5();
    refuse_one(&f, &AIR("rh", "relative_humidity", "%", "tzyx"), GWF_ERR_FORMAT,
               "found rh(time, level, latitude, longitude) in");
    const char *path = test_scratch("missing.nc");
    air_make(path, &f, &AIR("u10", "eastward_wind", "m s-1", "tyx"));
    refuse(path, GWF_ERR_FORMAT, "variable u10: has no levels");
    int file = air_create(path, &f);
    air_define(file, &f, &AIR("u", "eastward_wind", "m s-1", "tzyx", .type = NC_CHAR));
    air_must(nc_close(file));
    refuse(path, GWF_ERR_FORMAT, "found no variables");
    file = air_create(path, &f);
    air_add(file, &f, &v_wind);
    air_add(file, &f, &AIR("u10", "eastward_wind", "m s-1", "tyx"));
    air_must(nc_close(file));
    gwf_atmosphere *a = open_one(path);
    gwf_error err = {0};
    CHECK_FAILS(gwf_atmosphere_require(a, GWF_U, &err), GWF_ERR_FORMAT, err,
                "no eastward wind that can be read");
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "missing.nc: variable u10: has no levels"));
    CHECK_FAILS(gwf_atmosphere_require(a, GWF_T, &err), GWF_ERR_FORMAT, err,
                "missing.nc: no air temperature (t); found v(time, level, latitude, longitude) in");
    CHECK_FAILS(gwf_atmosphere_require(a, GWF_QUANTITIES, &err), GWF_ERR_ARGUMENT, err,
                "no quantity");
    CHECK_OK(gwf_atmosphere_require(a, GWF_V, &err), err);
    gwf_atmosphere_close(&a);
}

static void test_mapping(void)
{
    const air_file f = era5();
    const char *path = test_scratch("mapping.nc");
    air_make(path, &f, &u_wind);
    refuse_all(&path, 1, "wind=u", GWF_ERR_ARGUMENT,
               "'wind=u': expected QUANTITY=NAME with one of the quantities u, v, t, theta, omega, "
               "w, sp, lnsp, zs");
    refuse_all(&path, 1, "u", GWF_ERR_ARGUMENT, "expected QUANTITY=NAME");
    refuse_all(&path, 1, "u=", GWF_ERR_ARGUMENT, "a name is missing");
    refuse_all(&path, 1, "u=U", GWF_ERR_FORMAT, "found u(");
    gwf_atmosphere *a = NULL;
    gwf_error err = {0};
    const char *const twice[2] = {"u=a", "u=b"};
    const gwf_atmosphere_config config = {
        .paths = &path, .n_paths = 1, .mapping = twice, .n_mapping = 2};
    CHECK_FAILS(gwf_atmosphere_open(&config, &a, &err), GWF_ERR_ARGUMENT, err,
                "'u=a' and 'u=b': one name only");
}

static void test_two_candidates(void)
{
    const air_file f = era5();
    const char *path = test_scratch("two.nc");
    const int file = air_create(path, &f);
    air_add(file, &f, &AIR("first", "eastward_wind", "m s-1", "tzyx"));
    air_add(file, &f, &AIR("second", "eastward_wind", "m s-1", "tzyx"));
    air_must(nc_close(file));
    refuse(path, GWF_ERR_FORMAT,
           "variables first and second may both be the eastward wind: choose one with u=NAME");
}

/* --- grids ---------------------------------------------------------------------------------- */

static void test_axes(void)
{
    static const double zigzag[NY] = {-80, 0, -40, 40, 80}, beyond[NY] = {-120, -60, 0, 60, 120};
    static const double nothing[NY] = {-80, -40, NAN, 40, 80},
                        endless[NY] = {-80, INFINITY, 0, 1, 2};
    static const double twice[NX] = {0, 60, 60, 180, 240, 300};
    static const double turns[NX] = {0, 100, 200, 300, 400, 500};
    static const double forth[NX] = {0, 60, 120, 90, 240, 300};
    air_file f = era5();
    f.y.type = NC_DOUBLE;
    f.y.values = zigzag;
    refuse_one(&f, &u_wind, GWF_ERR_DATA,
               "variable u: latitudes must go one way, latitude 2 is -40");
    f.y.values = beyond;
    refuse_one(&f, &u_wind, GWF_ERR_DATA, "latitude 0 is -120, expected -90 to 90");
    f.y.values = nothing;
    refuse_one(&f, &u_wind, GWF_ERR_DATA, "variable latitude: value 2 is missing or not finite");
    f.y.values = endless;
    refuse_one(&f, &u_wind, GWF_ERR_DATA, "variable latitude: value 1 is missing or not finite");
    f.y.values = (const double[NY]){-80, -40, 0, 40, 88};
    const char *path = test_scratch("fill.nc");
    const int file = air_create(path, &f);
    const double fill = 88;
    int id;
    air_add(file, &f, &u_wind);
    air_must(nc_inq_varid(file, "latitude", &id));
    air_must(nc_put_att_double(file, id, "missing_value", NC_DOUBLE, 1, &fill));
    air_must(nc_close(file));
    refuse(path, GWF_ERR_DATA, "variable latitude: value 4 is missing or not finite");
    f = era5();
    f.y.units = "radian";
    refuse_one(&f, &u_wind, GWF_ERR_FORMAT, "variable latitude: units 'radian', expected degrees");
    f = era5();
    f.x.values = twice;
    refuse_one(&f, &u_wind, GWF_ERR_DATA, "longitudes must go one way");
    f.x.values = turns;
    refuse_one(&f, &u_wind, GWF_ERR_DATA, "longitudes must go one way");
    f.x.values = forth;
    refuse_one(&f, &u_wind, GWF_ERR_DATA, "longitude 3 is 90, the one before it 120");
    f = era5();
    f.x.name = "rlon";
    f.x.standard_name = "grid_longitude";
    refuse_one(&f, &u_wind, GWF_ERR_FORMAT, "dimension rlon is of a rotated or projected grid");
}

/* Grids that are not of latitudes and longitudes: said when the variable is asked for. */
static void test_other_grids(void)
{
    air_file f = era5();
    const char *path = test_scratch("cells.nc");
    const int file = air_create(path, &f);
    int dims[3], id;
    air_add(file, &f, &v_wind);
    air_must(nc_inq_dimid(file, "time", &dims[0]));
    air_must(nc_inq_dimid(file, "level", &dims[1]));
    air_must(nc_def_dim(file, "ncells", 50, &dims[2]));
    air_must(nc_def_var(file, "u", NC_FLOAT, 3, dims, &id));
    air_text(file, id, "standard_name", "eastward_wind");
    air_must(nc_def_dim(file, "expver", 2, &dims[1]));
    air_must(nc_inq_dimid(file, "latitude", &dims[2]));
    air_must(nc_def_var(file, "sp", NC_FLOAT, 3, dims, &id));
    air_must(nc_close(file));
    gwf_atmosphere *a = open_one(path);
    gwf_error err = {0};
    CHECK_FAILS(gwf_atmosphere_require(a, GWF_U, &err), GWF_ERR_FORMAT, err,
                "cells.nc: variable u: dimension ncells has length 50, expected time, levels");
    CHECK_FAILS(gwf_atmosphere_require(a, GWF_SP, &err), GWF_ERR_FORMAT, err,
                "variable sp: dimension expver has length 2");
    gwf_atmosphere_close(&a);
    f.x.name = "rlon";
    f.x.standard_name = "grid_longitude";
    const int other = air_create(path, &f);
    air_add(other, &f, &u_wind);
    air_must(nc_close(other));
    refuse(path, GWF_ERR_FORMAT, "variable u: dimension rlon is of a rotated");
}

static void test_grids_that_differ(void)
{
    static const double other[NY] = {-80, -41, 0, 40, 80};
    const air_file f = era5();
    air_file g = era5();
    g.y.n = 4;
    refuse_pair(&f, &u_wind, &g, &v_wind, GWF_ERR_MISMATCH,
                "second.nc: variable v: 4 latitudes, but ");
    g = era5();
    g.y.values = other;
    refuse_pair(&f, &u_wind, &g, &v_wind, GWF_ERR_MISMATCH, "latitude 1 is -41, but -40 in ");
    g = era5();
    g.x.values = (const double[NX]){30, 90, 150, 210, 270, 330};
    refuse_pair(&f, &u_wind, &g, &u_wind, GWF_ERR_MISMATCH, "longitude 0 is 30, but 0 in ");
    g = era5();
    g.z.n = 3;
    refuse_pair(&f, &u_wind, &g, &v_wind, GWF_ERR_MISMATCH, "3 levels, but ");
    g = era5();
    g.z.values = (const double[NZ]){10, 100, 700, 850};
    refuse_pair(&f, &u_wind, &g, &v_wind, GWF_ERR_MISMATCH,
                "level 2 from the top is at 70000 Pa, but 50000 Pa in ");
    g = era5();
    g.z = (air_axis){"level", "", NZ, (const double[NZ]){20, 60, 96, 137}, NULL, 0, NULL};
    refuse_pair(&f, &u_wind, &g, &v_wind, GWF_ERR_MISMATCH, "hybrid levels, but ");
}

/* --- times ---------------------------------------------------------------------------------- */

static void test_times(void)
{
    air_file f = era5();
    f.t.units = "";
    refuse_one(&f, &u_wind, GWF_ERR_FORMAT, "variable time: time units ''");
    f.t.units = "months since 1900-01-01";
    refuse_one(&f, &u_wind, GWF_ERR_FORMAT, "variable time: time units 'months since");
    f = era5();
    f.calendar = "lunar";
    refuse_one(&f, &u_wind, GWF_ERR_FORMAT, "calendar 'lunar' is not one of CF's");
    f = era5();
    f.t.type = NC_DOUBLE;
    f.t.values = (const double[NT]){0, 12, 6};
    refuse_one(&f, &u_wind, GWF_ERR_DATA, "times must increase, time 2 is 6 after 12");
    f.t.values = (const double[NT]){0, 6, 6};
    refuse_one(&f, &u_wind, GWF_ERR_DATA, "times must increase");
    f.t.values = (const double[NT]){0, NAN, 6};
    refuse_one(&f, &u_wind, GWF_ERR_DATA, "variable time: value 1 is missing or not finite");
    f.t.values = (const double[NT]){0, 6, 1e20};
    refuse_one(&f, &u_wind, GWF_ERR_DATA, "time 2 is 1e+20, beyond all years");
    f.t.values = NULL;
    f.t.meant = hours;
    refuse_one(&f, &u_wind, GWF_ERR_FORMAT, "its dimension time has no values");
}

static void test_times_that_differ(void)
{
    const air_file f = era5();
    air_file g = era5();
    g.t.n = 2;
    refuse_pair(&f, &u_wind, &g, &v_wind, GWF_ERR_MISMATCH, "2 times, but ");
    refuse_pair(&g, &u_wind, &f, &v_wind, GWF_ERR_MISMATCH,
                "the first that differs, step 2: 2005-01-23 12:00:00, but no more");
    g = era5();
    g.t.values = (const double[NT]){920952, 920959, 920964};
    refuse_pair(&f, &u_wind, &g, &v_wind, GWF_ERR_MISMATCH,
                "step 1: 2005-01-23 07:00:00, but 2005-01-23 06:00:00");
    refuse_pair(&f, &u_wind, &f, &u_wind, GWF_ERR_MISMATCH,
                "its first time 2005-01-23 00:00:00 is not later than the last one of ");
    g = era5();
    g.calendar = "360_day";
    refuse_pair(&f, &u_wind, &g, &v_wind, GWF_ERR_MISMATCH,
                "second.nc: variable v: calendar 360_day, but ");
    g.calendar = "noleap";
    refuse_pair(&f, &u_wind, &g, &u_wind, GWF_ERR_MISMATCH, "calendar noleap, but ");
    g = era5();
    g.t.n = 0;
    const air_variable timeless = AIR("v", "northward_wind", "m s-1", "zyx");
    refuse_pair(&f, &u_wind, &g, &timeless, GWF_ERR_MISMATCH,
                "second.nc: variable v: has no time, but ");
    const air_variable again = AIR("u", "eastward_wind", "m s-1", "zyx");
    refuse_pair(&f, &u_wind, &g, &again, GWF_ERR_MISMATCH, "one of them has no time");
    g = era5();
    g.t.values = (const double[NT]){920970, 920976, 920982};
    const air_variable knots = AIR("u", "eastward_wind", "knots", "tzyx");
    refuse_pair(&f, &u_wind, &g, &knots, GWF_ERR_MISMATCH, "units 'knots', but 'm s-1' in ");
}

int main(void)
{
    static const test_case tests[] = {
        {"files that are none", test_files},
        {"a file that is being written", test_being_written},
        {"a file that changes meanwhile", test_changed_meanwhile},
        {"variables that are not there", test_nothing_there},
        {"mappings", test_mapping},
        {"two candidates", test_two_candidates},
        {"axes", test_axes},
        {"other grids", test_other_grids},
        {"grids and levels that differ", test_grids_that_differ},
        {"times", test_times},
        {"times that differ", test_times_that_differ},
    };
    return test_run("atmosphere_refusals", tests, sizeof tests / sizeof *tests);
}
