/* The reader of reanalysis files: whatever the order in the file, the same field comes out. Values
 * in the test files follow from their coordinates (atmosphere_file.h). */
#include "test.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "atmosphere_check.h"

/* --- orders --------------------------------------------------------------------------------- */

static void check_axes(const gwf_atmosphere_header *h)
{
    CU_ASSERT_EQUAL_FATAL(h->steps, NT);
    CU_ASSERT_EQUAL_FATAL(h->nlev, NZ);
    CU_ASSERT_EQUAL_FATAL(h->nlat, NY);
    CU_ASSERT_EQUAL_FATAL(h->nlon, NX);
    CU_ASSERT_EQUAL(h->level_kind, GWF_LEVELS_PRESSURE);
    for (int k = 0; k < NZ; k++) CU_ASSERT_EQUAL(h->a[k], pascals[k]);
    for (int k = 0; k < NZ; k++) CU_ASSERT_EQUAL(h->b[k], 0);
    for (int i = 0; i < NY; i++) CU_ASSERT_EQUAL(h->lat[i], south[i]);
    for (int i = 0; i < NX; i++) CU_ASSERT_EQUAL(h->lon[i], east[i]);
    for (int i = 0; i < NT; i++) CU_ASSERT_EQUAL(h->time[i], hours[i]);
    for (int i = 0; i < NT; i++) CU_ASSERT_EQUAL((double)h->seconds[i], unix_hours[i] * 3600);
}

static void test_as_it_comes(void)
{
    const air_file f = era5();
    const char *path = test_scratch("era5.nc");
    const int file = air_create(path, &f);
    air_add(file, &f, &AIR("u", "eastward_wind", "m s**-1", "tzyx"));
    air_add(file, &f, &AIR("v", "northward_wind", "m s**-1", "tzyx", .shift = 1));
    air_add(file, &f, &AIR("sp", "surface_air_pressure", "Pa", "tyx", .shift = 2));
    air_add(file, &f, &AIR("z", "geopotential", "m**2 s**-2", "yx", .shift = 3));
    air_must(nc_close(file));
    gwf_atmosphere *a = open_one(path);
    const gwf_atmosphere_header *h = gwf_atmosphere_header_of(a);
    check_axes(h);
    CU_ASSERT_TRUE(h->timed);
    CU_ASSERT_STRING_EQUAL(h->time_units, "hours since 1900-01-01 00:00:00.0");
    CU_ASSERT_STRING_EQUAL(h->time_calendar, "standard");
    CU_ASSERT_STRING_EQUAL(h->fields[GWF_U].units, "m s**-1");
    CU_ASSERT_STRING_EQUAL(h->fields[GWF_ZS].name, "z");
    CU_ASSERT_STRING_EQUAL(h->fields[GWF_SP].path, path);
    CU_ASSERT_EQUAL(h->fields[GWF_U].files, 1);
    CU_ASSERT_TRUE(h->fields[GWF_ZS].steady);
    CU_ASSERT_FALSE(h->fields[GWF_SP].steady);
    CU_ASSERT_FALSE(h->fields[GWF_T].found);
    CU_ASSERT_PTR_NULL(h->lat_bounds);
    CHECK_AT_MOST(worst(a, GWF_U, 0), 2e-4);
    CHECK_AT_MOST(worst(a, GWF_V, 1), 2e-4);
    CHECK_AT_MOST(worst(a, GWF_SP, 2), 2e-4);
    CHECK_AT_MOST(worst(a, GWF_ZS, 3), 2e-4);
    CU_ASSERT_STRING_EQUAL(gwf_atmosphere_path(a, GWF_U, 1), path);
    gwf_atmosphere_close(&a);
    gwf_atmosphere_close(&a);
}

/* All orders of time, level, latitude and longitude, with a dimension of length 1 among them, each
 * with rows and levels either way, and as they are handed out. */
static void test_every_order(void)
{
    static const char letters[] = "tzyx";
    for (int code = 0; code < 4 * 4 * 4 * 4; code++) {
        char order[6] = "";
        for (int i = 0, n = code; i < 4; i++, n /= 4) order[i] = letters[n % 4];
        if (!strchr(order, 't') || !strchr(order, 'z') || !strchr(order, 'y') ||
            !strchr(order, 'x'))
            continue;
        memmove(order + code % 5 + 1, order + code % 5, 4 - (size_t)(code % 5));
        order[code % 5] = '1';
        for (int kind = 0; kind < 3; kind++) {
            air_file f = era5();
            if (kind > 0) f.y.values = south;
            if (kind == 1) {
                f.z.values = hpa_up;
                f.z.meant = pascals_up;
                f.x.values = both;
            }
            const char *path = test_scratch("order.nc");
            air_make(path, &f, &AIR("u", "eastward_wind", "m s-1", order));
            gwf_atmosphere *a = open_one(path);
            check_axes(gwf_atmosphere_header_of(a));
            CHECK_AT_MOST(worst(a, GWF_U, 0), 2e-4);
            gwf_atmosphere_close(&a);
        }
    }
}

/* Any run of levels is that part of all of them. */
static void test_pieces(void)
{
    air_file f = era5();
    f.z.values = hpa_up;
    f.z.meant = pascals_up;
    const char *path = test_scratch("pieces.nc");
    air_make(path, &f, &AIR("t", "air_temperature", "K", "ztyx"));
    gwf_atmosphere *a = open_one(path);
    gwf_error err = {0};
    float all[NZ * NY * NX], part[NZ * NY * NX];
    CHECK_OK(gwf_atmosphere_read(a, GWF_T, 1, 0, NZ, all, &err), err);
    for (size_t first = 0; first < NZ; first++)
        for (size_t n = 1; first + n <= NZ; n++) {
            CHECK_OK(gwf_atmosphere_read(a, GWF_T, 1, first, n, part, &err), err);
            CU_ASSERT_EQUAL(memcmp(part, all + first * NY * NX, n * NY * NX * sizeof *all), 0);
        }
    CHECK_FAILS(gwf_atmosphere_read(a, GWF_T, 1, 3, 2, part, &err), GWF_ERR_ARGUMENT, err,
                "2 levels from level 3, there are 4");
    CHECK_FAILS(gwf_atmosphere_read(a, GWF_T, 1, 5, (size_t)-1, part, &err), GWF_ERR_ARGUMENT, err,
                "levels from level 5");
    CHECK_FAILS(gwf_atmosphere_read(a, GWF_T, 1, 0, 0, part, &err), GWF_ERR_ARGUMENT, err,
                "0 levels");
    CHECK_FAILS(gwf_atmosphere_read(a, GWF_T, NT, 0, 1, part, &err), GWF_ERR_ARGUMENT, err,
                "step 3, there are 3");
    CHECK_FAILS(gwf_atmosphere_read(a, GWF_U, 0, 0, 1, part, &err), GWF_ERR_FORMAT, err,
                "no eastward wind (u); found t(level, time, latitude, longitude) in");
    gwf_atmosphere_close(&a);
}

/* --- longitudes ----------------------------------------------------------------------------- */

static void check_longitudes(const double *lon, size_t n, const double *expected, size_t count)
{
    for (int from_south = 0; from_south < 2; from_south++) {
        air_file f = era5();
        f.x.values = lon;
        f.x.n = n;
        f.x.type = NC_DOUBLE;
        if (from_south) f.y.values = south;
        const char *path = test_scratch("lon.nc");
        air_make(path, &f, &AIR("u", "eastward_wind", "m s-1", "tzyx"));
        gwf_atmosphere *a = open_one(path);
        const gwf_atmosphere_header *h = gwf_atmosphere_header_of(a);
        CU_ASSERT_EQUAL_FATAL(h->nlon, count);
        for (size_t j = 0; j < count; j++) CHECK_AT_MOST(fabs(h->lon[j] - expected[j]), 1e-4);
        CHECK_AT_MOST(worst(a, GWF_U, 0), 2e-4);
        gwf_atmosphere_close(&a);
    }
}

static void test_longitudes(void)
{
    static const double wrapped[] = {0, 60, 120, 180, 240, 300, 360};
    static const double both_wrapped[] = {-180, -120, -60, 0, 60, 120, 180};
    static const double west[] = {300, 240, 180, 120, 60, 0};
    static const double west_from_0[] = {0, -60, -120, -180, -240, -300};
    static const double west_both[] = {120, 60, 0, -60, -120, -180};
    static const double west_wrapped[] = {180, 120, 60, 0, -60, -120, -180};
    static const double rotated[] = {120, 180, 240, 300, 360, 420};
    static const double jumps[] = {120, 180, 240, 300, 0, 60};
    static const double halves[] = {0, 60, 120, -180, -120, -60};
    static const double middles[] = {-150, -90, -30, 30, 90, 150};
    static const double middles_out[] = {30, 90, 150, 210, 270, 330};
    static const double noisy[] = {-1e-6, 60, 120, 180.00001, 240, 300};
    static const double region[] = {-20, -10, 0, 10, 20}, region_out[] = {340, 350, 360, 370, 380};
    static const double region_west[] = {20, 10, 0, -10, -20};
    static const double east_region[] = {30, 40, 50};
    static const double two[] = {-90, 90}, two_out[] = {90, 270}, one[] = {-60}, one_out[] = {300};
    check_longitudes(east, NX, east, NX);
    check_longitudes(both, NX, east, NX);
    check_longitudes(wrapped, COUNT(wrapped), east, NX);
    check_longitudes(both_wrapped, COUNT(both_wrapped), east, NX);
    check_longitudes(west, COUNT(west), east, NX);
    check_longitudes(west_from_0, COUNT(west_from_0), east, NX);
    check_longitudes(west_both, COUNT(west_both), east, NX);
    check_longitudes(west_wrapped, COUNT(west_wrapped), east, NX);
    check_longitudes(rotated, COUNT(rotated), east, NX);
    check_longitudes(jumps, COUNT(jumps), east, NX);
    check_longitudes(halves, COUNT(halves), east, NX);
    check_longitudes(middles, COUNT(middles), middles_out, NX);
    check_longitudes(region, COUNT(region), region_out, COUNT(region_out));
    check_longitudes(region_west, COUNT(region_west), region_out, COUNT(region_out));
    check_longitudes(east_region, COUNT(east_region), east_region, COUNT(east_region));
    check_longitudes(two, COUNT(two), two_out, COUNT(two_out));
    check_longitudes(one, COUNT(one), one_out, COUNT(one_out));
    air_file f = era5(); /* noise: the values belong to what was meant */
    f.x.values = noisy;
    f.x.type = NC_DOUBLE;
    const char *path = test_scratch("noisy.nc");
    air_make(path, &f, &AIR("u", "eastward_wind", "m s-1", "tzyx"));
    gwf_atmosphere *a = open_one(path);
    CU_ASSERT_EQUAL(gwf_atmosphere_header_of(a)->lon[0], 0);
    gwf_atmosphere_close(&a);
}

static const char *make_bounds(const double *lat_bounds, const double *lon_bounds)
{
    air_file f = era5();
    f.x.values = both;
    const char *path = test_scratch("bounds.nc");
    const int file = air_create(path, &f);
    air_add(file, &f, &AIR("u", "eastward_wind", "m s-1", "tzyx"));
    int dims[2], id, axis;
    air_must(nc_def_dim(file, "bnds", 2, &dims[1]));
    for (int i = 0; i < 2; i++) {
        air_must(nc_inq_dimid(file, i ? "longitude" : "latitude", &dims[0]));
        air_must(nc_def_var(file, i ? "lon_bnds" : "lat_bnds", NC_DOUBLE, 2, dims, &id));
        air_must(nc_put_var_double(file, id, i ? lon_bounds : lat_bounds));
        air_must(nc_inq_varid(file, i ? "longitude" : "latitude", &axis));
        air_text(file, axis, "bounds", i ? "lon_bnds" : "lat_bnds");
    }
    air_must(nc_close(file));
    return path;
}

static void count_line(void *user, const char *line)
{
    *(int *)user += strstr(line, "bounds of its grid") != NULL;
}

static void test_bounds(void)
{
    static const double lat_bounds[NY][2] = {{95, 60}, {60, 20}, {20, -20}, {-20, -60}, {-60, -95}};
    double lon_bounds[NX][2] = {{-210, -150}, {-150, -90}, {-90, -30},
                                {-30, 30},    {30, 90},    {90, 150}};
    gwf_atmosphere *a = open_one(make_bounds(lat_bounds[0], lon_bounds[0]));
    const gwf_atmosphere_header *h = gwf_atmosphere_header_of(a);
    CU_ASSERT_PTR_NOT_NULL_FATAL(h->lat_bounds);
    CU_ASSERT_PTR_NOT_NULL_FATAL(h->lon_bounds);
    for (size_t i = 0; i < NY; i++) { /* none is beyond a pole */
        CU_ASSERT_EQUAL(h->lat_bounds[2 * i], i == 0 ? -90 : -100 + 40 * (double)i);
        CU_ASSERT_EQUAL(h->lat_bounds[2 * i + 1], i == NY - 1 ? 90 : -60 + 40 * (double)i);
    }
    for (size_t j = 0; j < NX; j++) {
        CU_ASSERT_EQUAL(h->lon_bounds[2 * j], -30 + 60 * (double)j);
        CU_ASSERT_EQUAL(h->lon_bounds[2 * j + 1], 30 + 60 * (double)j);
    }
    gwf_atmosphere_close(&a);
    lon_bounds[2][0] = lon_bounds[2][1] = 10; /* not around -60: none are used, and that is said */
    const char *path = make_bounds(lat_bounds[0], lon_bounds[0]);
    int said = 0;
    gwf_error err = {0};
    const gwf_log log = {count_line, &said};
    const gwf_atmosphere_config config = {.paths = &path, .n_paths = 1, .log = &log};
    CHECK_OK(gwf_atmosphere_open(&config, &a, &err), err);
    CU_ASSERT_PTR_NULL(gwf_atmosphere_header_of(a)->lat_bounds);
    CU_ASSERT_PTR_NULL(gwf_atmosphere_header_of(a)->lon_bounds);
    CU_ASSERT_EQUAL(said, 1);
    gwf_atmosphere_close(&a);
}

/* --- values --------------------------------------------------------------------------------- */

static void test_packed(void)
{
    const air_file f = era5();
    const char *path = test_scratch("packed.nc");
    const int file = air_create(path, &f);
    const short fill = -32767, missing = 32767;
    const int id = air_define(file, &f,
                              &AIR("u", "eastward_wind", "m s-1", "tzyx", .type = NC_SHORT,
                                   .scale = 0.05, .offset = 600));
    air_must(nc_put_att_short(file, id, "_FillValue", NC_SHORT, 1, &fill));
    air_must(nc_put_att_short(file, id, "missing_value", NC_SHORT, 1, &missing));
    short stored[NT * NZ * NY * NX];
    for (int i = 0; i < NT * NZ * NY * NX; i++) stored[i] = (short)(i * 17 - 3000);
    stored[0] = fill;    /* time 0, 10 hPa, 80 N, 0 E   */
    stored[7] = missing; /* time 0, 10 hPa, 40 N, 60 E */
    air_must(nc_put_var_short(file, id, stored));
    air_must(nc_close(file));
    gwf_atmosphere *a = open_one(path);
    gwf_error err = {0};
    float values[NZ * NY * NX];
    CHECK_OK(gwf_atmosphere_read(a, GWF_U, 0, 0, NZ, values, &err), err);
    int wrong = 0;
    for (int k = 0; k < NZ; k++)
        for (int i = 0; i < NY; i++)
            for (int j = 0; j < NX; j++) {
                const int at = (k * NY + NY - 1 - i) * NX + j;
                const float x = values[(k * NY + i) * NX + j];
                if (at == 0 || at == 7)
                    wrong += !isnan(x);
                else
                    wrong += !(fabs(x - (stored[at] * 0.05 + 600)) <= 1e-4);
            }
    CU_ASSERT_EQUAL(wrong, 0);
    gwf_atmosphere_close(&a);
}

/* Latitudes as packed numbers. */
static void test_packed_coordinates(void)
{
    air_file f = era5();
    f.y.name = "none";
    f.y.values = NULL;
    f.y.meant = south;
    const char *path = test_scratch("coordinates.nc");
    const int file = air_create(path, &f);
    const double scale = 0.5, offset = 10;
    const short stored[NY] = {-180, -100, -20, 60, 140}; /* -80 .. 80 */
    int dim, id;
    f.y.values = south;
    air_must(nc_inq_dimid(file, "none", &dim));
    air_must(nc_def_var(file, "none", NC_SHORT, 1, &dim, &id));
    air_text(file, id, "standard_name", "latitude");
    air_must(nc_put_att_double(file, id, "scale_factor", NC_DOUBLE, 1, &scale));
    air_must(nc_put_att_double(file, id, "add_offset", NC_DOUBLE, 1, &offset));
    air_must(nc_put_var_short(file, id, stored));
    air_add(file, &f, &AIR("u", "eastward_wind", "m s-1", "tzyx"));
    air_must(nc_close(file));
    gwf_atmosphere *a = open_one(path);
    check_axes(gwf_atmosphere_header_of(a));
    CHECK_AT_MOST(worst(a, GWF_U, 0), 2e-4);
    gwf_atmosphere_close(&a);
}

/* --- names ---------------------------------------------------------------------------------- */

typedef struct naming {
    gwf_quantity quantity;
    const char *name, *standard_name, *units;
} naming;

static void check_name(const naming *n)
{
    const air_file f = era5();
    const char *path = test_scratch("name.nc");
    const bool upper = gwf_quantity_has_levels(n->quantity);
    air_make(path, &f, &AIR(n->name, n->standard_name, n->units, upper ? "tzyx" : "tyx"));
    gwf_atmosphere *a = open_one(path);
    for (int q = 0; q < GWF_QUANTITIES; q++) {
        const bool found = gwf_atmosphere_header_of(a)->fields[q].found;
        if (found != (q == (int)n->quantity))
            fprintf(stderr, "\n  %s (%s): %s\n", n->name, n->units,
                    gwf_quantity_text((gwf_quantity)q));
        CU_ASSERT_EQUAL(found, q == (int)n->quantity);
    }
    gwf_atmosphere_close(&a);
}

static void test_names(void)
{
    static const naming names[] = {
        {GWF_U, "u", NULL, "m s**-1"},
        {GWF_U, "ua", "eastward_wind", "m s-1"},
        {GWF_U, "x1", "eastward_wind", "m s-1"},
        {GWF_U, "var131", NULL, NULL},
        {GWF_U, "param131.128.0", NULL, NULL},
        {GWF_U, "u_component_of_wind", NULL, "m s**-1"},
        {GWF_V, "v", NULL, "m s**-1"},
        {GWF_V, "var132", NULL, NULL},
        {GWF_T, "t", NULL, "K"},
        {GWF_T, "u", "air_temperature", "K"}, /* the standard name says what it is */
        {GWF_T, "var130", NULL, NULL},
        {GWF_THETA, "pt", "air_potential_temperature", "K"},
        {GWF_OMEGA, "w", "lagrangian_tendency_of_air_pressure", "Pa s**-1"},
        {GWF_OMEGA, "w", NULL, "Pa s**-1"},
        {GWF_OMEGA, "var135", NULL, NULL},
        {GWF_OMEGA, "wap", NULL, "Pa s-1"},
        {GWF_OMEGA, "vertical_velocity", NULL, "Pa s**-1"},
        {GWF_W, "w", NULL, "m s-1"},
        {GWF_W, "w", "upward_air_velocity", "m s-1"},
        {GWF_SP, "sp", "surface_air_pressure", "Pa"},
        {GWF_SP, "ps", NULL, "Pa"},
        {GWF_SP, "var134", NULL, NULL},
        {GWF_SP, "surface_pressure", NULL, "Pa"},
        {GWF_LNSP, "lnsp", NULL, "~"},
        {GWF_LNSP, "var152", NULL, NULL},
        {GWF_ZS, "z", "geopotential", "m**2 s**-2"},
        {GWF_ZS, "orog", "surface_altitude", "m"},
        {GWF_ZS, "zsurf", NULL, "m"},
        {GWF_ZS, "var129", NULL, NULL},
    };
    for (size_t i = 0; i < COUNT(names); i++) check_name(&names[i]);
}

/* Parameter ids in attributes: cfgrib's, and cdo's with its table. */
static void test_ids(void)
{
    const air_file f = era5();
    const char *path = test_scratch("ids.nc");
    const int file = air_create(path, &f);
    const int ids[3] = {131, 132, 130}, table = 128, other = 254;
    int id = air_add(file, &f, &AIR("a", NULL, NULL, "tzyx"));
    air_must(nc_put_att_int(file, id, "GRIB_paramId", NC_INT, 1, &ids[0]));
    id = air_add(file, &f, &AIR("b", NULL, NULL, "tzyx", .shift = 1));
    air_must(nc_put_att_int(file, id, "code", NC_INT, 1, &ids[1]));
    air_must(nc_put_att_int(file, id, "table", NC_INT, 1, &table));
    id = air_add(file, &f, &AIR("c", NULL, NULL, "tzyx"));
    air_must(nc_put_att_int(file, id, "code", NC_INT, 1, &ids[2]));
    air_must(nc_put_att_int(file, id, "table", NC_INT, 1, &other));
    air_must(nc_close(file));
    gwf_atmosphere *a = open_one(path);
    const gwf_atmosphere_header *h = gwf_atmosphere_header_of(a);
    CU_ASSERT_STRING_EQUAL(h->fields[GWF_U].name, "a");
    CU_ASSERT_STRING_EQUAL(h->fields[GWF_V].name, "b");
    CU_ASSERT_FALSE(h->fields[GWF_T].found);
    CHECK_AT_MOST(worst(a, GWF_V, 1), 2e-4);
    gwf_atmosphere_close(&a);
}

/* What has no levels, or levels it should not have, is not what its name says. */
static void test_choices(void)
{
    air_file f = era5();
    const char *path = test_scratch("choices.nc");
    const int file = air_create(path, &f);
    air_add(file, &f, &AIR("u10", "eastward_wind", "m s-1", "tyx"));
    air_add(file, &f, &AIR("u", "eastward_wind", "m s-1", "tzyx"));
    air_add(file, &f, &AIR("z", "geopotential", "m2 s-2", "tzyx"));
    air_add(file, &f, &AIR("phis", NULL, "m2 s-2", "yx", .shift = 5));
    air_add(file, &f, &AIR("zsurf", NULL, "m", "yx", .shift = 6));
    air_add(file, &f, &AIR("anomaly", "eastward_wind", "m s-1", "tzyx", .shift = 7));
    air_must(nc_close(file));
    gwf_atmosphere *a = open_one(path);
    CU_ASSERT_STRING_EQUAL(gwf_atmosphere_header_of(a)->fields[GWF_U].name, "u");
    CHECK_AT_MOST(worst(a, GWF_ZS, 5), 2e-4);
    gwf_atmosphere_close(&a);
    f.z.n = 1; /* geopotential at one pressure is not that of the surface */
    air_make(path, &f, &AIR("z", "geopotential", "m2 s-2", "tzyx"));
    const int more = air_create(test_scratch("near.nc"), &f);
    air_add(more, &f, &AIR("z", "geopotential", "m2 s-2", "tzyx"));
    f.z = (air_axis){"height", "m", 1, (const double[]){2}, (const double[]){0}, 0, NULL};
    int dim, id;
    air_must(nc_def_dim(more, "height", 1, &dim));
    air_must(nc_def_var(more, "height", NC_DOUBLE, 1, &dim, &id));
    air_text(more, id, "units", "m");
    air_text(more, id, "axis", "Z");
    air_add(more, &f, &AIR("tas", "air_temperature", "K", "tzyx"));
    air_add(more, &f, &AIR("ps", "surface_air_pressure", "Pa", "tzyx"));
    air_must(nc_close(more));
    a = open_one(test_scratch("near.nc"));
    CU_ASSERT_FALSE(gwf_atmosphere_header_of(a)->fields[GWF_ZS].found);
    CU_ASSERT_FALSE(gwf_atmosphere_header_of(a)->fields[GWF_T].found);
    CHECK_AT_MOST(worst(a, GWF_SP, 0), 2e-4);
    gwf_atmosphere_close(&a);
}

static void test_mapped(void)
{
    const air_file f = era5();
    const char *path = test_scratch("mapped.nc");
    const int file = air_create(path, &f);
    air_add(file, &f, &AIR("u", "eastward_wind", "m s-1", "tzyx"));
    air_add(file, &f, &AIR("zsurf", NULL, "m", "yx", .shift = 6));
    air_add(file, &f, &AIR("anomaly", "eastward_wind", "m s-1", "tzyx", .shift = 7));
    air_must(nc_close(file));
    gwf_error err = {0};
    const char *const mapping[] = {"u=anomaly", "zs=zsurf", "v=u"};
    gwf_atmosphere *a = open_with(&path, 1, mapping, 3, &err);
    CHECK_AT_MOST(worst(a, GWF_U, 7), 2e-4);
    CHECK_AT_MOST(worst(a, GWF_V, 0), 2e-4);
    CHECK_AT_MOST(worst(a, GWF_ZS, 6), 2e-4);
    gwf_atmosphere_close(&a);
}

/* --- times and files ------------------------------------------------------------------------ */

/* u in three files, given out of order and counted in other units and types; v in one. */
static void test_joined_files(void)
{
    static const double days[2] = {12440, 12440.5}, second[1] = {1106460000}, minutes[1] = {0};
    static const double meant_days[2] = {298560, 298572}, meant_second[1] = {307350},
                        meant_minutes[1] = {307356};
    static const double v_hours[4] = {298560, 298572, 307350, 307356};
    const char *const paths[4] = {test_scratch("j1.nc"), test_scratch("j2.nc"),
                                  test_scratch("j3.nc"), test_scratch("j4.nc")};
    const air_variable u = AIR("u", "eastward_wind", "m s-1", "tzyx");
    air_file f = era5();
    f.t = (air_axis){"time", "minutes since 2005-01-23 12:00", 1, minutes, meant_minutes, NC_SHORT,
                     NULL};
    air_make(paths[0], &f, &u);
    f.t = (air_axis){"time", "days since 1970-1-1", 2, days, meant_days, NC_DOUBLE, NULL};
    f.calendar = "proleptic_gregorian";
    f.y.values = south; /* and turned round */
    f.z.values = hpa_up;
    f.z.meant = pascals_up;
    air_make(paths[1], &f, &u);
    f.t = (air_axis){"valid_time", "seconds since 1970-01-01", 1, second, meant_second, NC_INT64,
                     NULL};
    f.x.values = both;
    air_make(paths[2], &f, &u);
    f = era5();
    f.t = (air_axis){"time", "hours since 1970-01-01", 4, v_hours, v_hours, NC_FLOAT, NULL};
    air_make(paths[3], &f, &AIR("v", "northward_wind", "m s-1", "zyxt"));
    gwf_error err = {0};
    gwf_atmosphere *a = open_with(paths, 4, NULL, 0, &err);
    const gwf_atmosphere_header *h = gwf_atmosphere_header_of(a);
    CU_ASSERT_EQUAL_FATAL(h->steps, 4);
    for (int i = 0; i < 4; i++) CU_ASSERT_EQUAL((double)h->seconds[i], v_hours[i] * 3600);
    for (int i = 0; i < 4; i++)
        CU_ASSERT_EQUAL(h->time[i], (v_hours[i] - 307356) * 60); /* as the first file counts */
    CU_ASSERT_STRING_EQUAL(h->time_units, "minutes since 2005-01-23 12:00");
    CU_ASSERT_EQUAL(h->fields[GWF_U].files, 3);
    CU_ASSERT_STRING_EQUAL(gwf_atmosphere_path(a, GWF_U, 1), paths[1]);
    CU_ASSERT_STRING_EQUAL(gwf_atmosphere_path(a, GWF_U, 3), paths[0]);
    CHECK_AT_MOST(worst(a, GWF_U, 0), 2e-4);
    CHECK_AT_MOST(worst(a, GWF_V, 0), 2e-4);
    gwf_atmosphere_close(&a);
}

/* As cdo and ERA5 write single steps: a time that is no dimension. */
static void test_scalar_time(void)
{
    for (int kind = 0; kind < 3; kind++) {
        air_file f = era5();
        f.t.n = 0;
        const char *const name = kind == 1 ? "valid_time" : "time";
        const char *path = test_scratch("scalar.nc");
        const int file = air_create(path, &f);
        const double hour = 920952, reference = 920946;
        int id;
        air_add_at(file, &f,
                   &AIR("u", "eastward_wind", "m s-1", "zyx",
                        .coordinates = kind == 2 ? NULL : "number time valid_time"),
                   307344);
        air_must(nc_def_var(file, name, NC_DOUBLE, 0, NULL, &id));
        air_text(file, id, "units", "hours since 1900-01-01");
        air_must(nc_put_var_double(file, id, &hour));
        if (kind == 1) { /* cfgrib: time is that of the analysis */
            air_must(nc_def_var(file, "time", NC_DOUBLE, 0, NULL, &id));
            air_text(file, id, "units", "hours since 1900-01-01");
            air_must(nc_put_var_double(file, id, &reference));
        }
        air_must(nc_close(file));
        gwf_atmosphere *a = open_one(path);
        CU_ASSERT_EQUAL(gwf_atmosphere_header_of(a)->steps, 1);
        CU_ASSERT_TRUE(gwf_atmosphere_header_of(a)->timed);
        CU_ASSERT_EQUAL(gwf_atmosphere_header_of(a)->time[0], 920952);
        CHECK_AT_MOST(worst(a, GWF_U, 0), 2e-4);
        gwf_atmosphere_close(&a);
    }
}

/* As cfgrib writes forecasts: time is that of the analysis, valid_time that of the values. */
static void test_forecasts(void)
{
    static const double reference[1] = {920946}, steps[NT] = {6, 12, 18};
    for (int kind = 0; kind < 2; kind++) {
        air_file f = era5();
        const char *path = test_scratch("forecast.nc");
        int dim, id;
        if (kind == 0)
            f.t = (air_axis){"step", "hours", NT, steps, unix_hours, 0, "forecast_period"};
        else
            f.t = (air_axis){"time", "hours since 1950-01-01", NT, steps, unix_hours,
                             0,      "forecast_reference_time"};
        const int file = air_create(path, &f);
        if (kind == 0) { /* with one analysis as a dimension of its own */
            f.z = (air_axis){"time", "hours since 1900-01-01", 1, reference, NULL,
                             0,      "forecast_reference_time"};
            air_put_axis(file, &f.z, NULL);
        }
        air_must(nc_inq_dimid(file, f.t.name, &dim));
        air_must(nc_def_var(file, "valid_time", NC_DOUBLE, 1, &dim, &id));
        air_text(file, id, "units", "hours since 1900-01-01");
        air_must(nc_put_var_double(file, id, hours));
        f.z.meant = pascals;
        air_add(file, &f,
                &AIR("sp", "surface_air_pressure", "Pa", kind ? "tyx" : "ztyx",
                     .shift = kind ? 0 : -1));
        air_must(nc_close(file));
        gwf_atmosphere *a = open_one(path);
        CU_ASSERT_EQUAL_FATAL(gwf_atmosphere_header_of(a)->steps, NT);
        CU_ASSERT_EQUAL(gwf_atmosphere_header_of(a)->time[2], 920964);
        CHECK_AT_MOST(worst(a, GWF_SP, 0), 2e-4);
        gwf_atmosphere_close(&a);
    }
}

/* Orography from files of other times, twice; it does not say how time counts. */
static void test_steady(void)
{
    static const double then[1] = {0};
    const char *const paths[3] = {test_scratch("s1.nc"), test_scratch("s2.nc"),
                                  test_scratch("s3.nc")};
    air_file f = era5();
    f.t = (air_axis){"time", "fortnights since the flood", 1, then, then, 0, NULL};
    air_make(paths[0], &f, &AIR("z", "geopotential", "m2 s-2", "tyx"));
    f.t.units = "days since 1980-01-01";
    air_make(paths[1], &f, &AIR("z", "geopotential", "m2 s-2", "tyx", .shift = 100));
    f = era5();
    air_make(paths[2], &f, &AIR("u", "eastward_wind", "m s-1", "tzyx"));
    gwf_error err = {0};
    gwf_atmosphere *a = open_with(paths, 3, NULL, 0, &err);
    const gwf_atmosphere_header *h = gwf_atmosphere_header_of(a);
    CU_ASSERT_STRING_EQUAL(h->time_units, "hours since 1900-01-01 00:00:00.0");
    CU_ASSERT_EQUAL(h->steps, NT);
    CU_ASSERT_EQUAL(h->fields[GWF_ZS].files, 1);
    CHECK_AT_MOST(worst(a, GWF_ZS, 0), 2e-4);
    CHECK_AT_MOST(worst(a, GWF_U, 0), 2e-4);
    gwf_atmosphere_close(&a);
}

/* Without any time there is one step. */
static void test_no_time(void)
{
    air_file f = era5();
    f.t.n = 0;
    const char *path = test_scratch("untimed.nc");
    air_make(path, &f, &AIR("orog", "surface_altitude", "m", "yx"));
    gwf_atmosphere *a = open_one(path);
    const gwf_atmosphere_header *h = gwf_atmosphere_header_of(a);
    CU_ASSERT_EQUAL(h->steps, 1);
    CU_ASSERT_FALSE(h->timed);
    CU_ASSERT_EQUAL(h->level_kind, GWF_LEVELS_NONE);
    CHECK_AT_MOST(worst(a, GWF_ZS, 0), 2e-4);
    gwf_atmosphere_close(&a);
}

/* What is not asked for does no harm. */
static void test_wanted(void)
{
    air_file f = era5();
    const char *const paths[2] = {test_scratch("w1.nc"), test_scratch("w2.nc")};
    air_make(paths[0], &f, &AIR("u", "eastward_wind", "m s-1", "tzyx"));
    f.t.n = 2;
    f.y.n = 4;
    air_make(paths[1], &f, &AIR("w", NULL, "Pa s-1", "tzyx"));
    gwf_atmosphere_config config = {
        .paths = paths, .n_paths = 2, .quantities = GWF_QUANTITY_BIT(GWF_U)};
    gwf_atmosphere *a = NULL;
    gwf_error err = {0};
    CHECK_OK(gwf_atmosphere_open(&config, &a, &err), err);
    CHECK_AT_MOST(worst(a, GWF_U, 0), 2e-4);
    CU_ASSERT_FALSE(gwf_atmosphere_header_of(a)->fields[GWF_OMEGA].found);
    gwf_atmosphere_close(&a);
    config.quantities |= GWF_QUANTITY_BIT(GWF_OMEGA);
    CHECK_FAILS(gwf_atmosphere_open(&config, &a, &err), GWF_ERR_MISMATCH, err, "4 latitudes");
    CU_ASSERT_PTR_NULL(a);
}

static int open_files(void)
{
    int n = 0;
    DIR *folder = opendir("/proc/self/fd");
    while (folder && readdir(folder)) n++;
    if (folder) closedir(folder);
    return n;
}

/* Forty files a quantity: one of each is open at a time, none that is not being read. */
static void test_few_open(void)
{
    enum { FILES = 40 };
    static char names[2 * FILES][512];
    const char *paths[2 * FILES];
    for (int i = 0; i < 2 * FILES; i++) {
        const double hour = i / 2, meant = hour;
        air_file f = era5();
        f.t = (air_axis){"time", "hours since 1970-01-01", 1, &hour, &meant, NC_INT, NULL};
        char name[32];
        snprintf(name, sizeof name, "few%d.nc", i);
        snprintf(names[i], sizeof names[i], "%s", test_scratch(name));
        paths[i] = names[i];
        air_make(
            paths[i], &f,
            &AIR(i % 2 ? "v" : "u", i % 2 ? "northward_wind" : "eastward_wind", "m s-1", "tzyx"));
    }
    const int before = open_files();
    gwf_error err = {0};
    gwf_atmosphere *a = open_with(paths, 2 * FILES, NULL, 0, &err);
    CU_ASSERT_EQUAL(open_files(), before);
    CU_ASSERT_EQUAL(gwf_atmosphere_header_of(a)->steps, FILES);
    CHECK_AT_MOST(worst(a, GWF_U, 0), 2e-4);
    CHECK_AT_MOST(worst(a, GWF_V, 0), 2e-4);
    CU_ASSERT_EQUAL(open_files(), before + 2 * 2); /* NetCDF-C's and one for plain reading */
    gwf_atmosphere_close(&a);
    CU_ASSERT_EQUAL(open_files(), before);
}

/* --- the real thing ------------------------------------------------------------------------- */

/* ECMWF reanalysis, 1.5 degrees, 37 levels, packed. Values by
 *   netCDF4.Dataset(file).variables[name][level, latitude, longitude]
 * (netcdf4-python 1.6.2), indices as in the file: north to south. */
static void test_reanalysis(void)
{
    static const struct {
        gwf_quantity quantity;
        size_t level, row, column; /* of the file */
        double value;
    } points[] = {
        {GWF_U, 0, 0, 0, 5.166571},       {GWF_U, 5, 20, 239, 90.326221},
        {GWF_U, 17, 60, 120, -1.553741},  {GWF_U, 36, 119, 1, -2.655941},
        {GWF_U, 30, 77, 200, -4.894893},  {GWF_V, 0, 0, 0, 12.408717},
        {GWF_V, 5, 20, 239, -43.743688},  {GWF_V, 17, 60, 120, -1.625994},
        {GWF_V, 36, 119, 1, -0.171673},   {GWF_V, 30, 77, 200, 0.336831},
        {GWF_T, 0, 0, 0, 250.309563},     {GWF_T, 5, 20, 239, 224.875557},
        {GWF_T, 17, 60, 120, 242.933403}, {GWF_T, 36, 119, 1, 265.130083},
        {GWF_T, 30, 77, 200, 295.316715},
    };
    const char *const found[3] = {test_shared("data/ecmwf_2005-01-23_u.nc"),
                                  test_shared("data/ecmwf_2005-01-23_v.nc"),
                                  test_shared("data/ecmwf_2005-01-23_t.nc")};
    if (!found[0] || !found[1] || !found[2]) {
        test_skip("the reanalysis of 2005-01-23 is not there");
        return;
    }
    gwf_error err = {0};
    gwf_atmosphere *a = open_with(found, 3, NULL, 0, &err);
    const gwf_atmosphere_header *h = gwf_atmosphere_header_of(a);
    CU_ASSERT_EQUAL_FATAL(h->nlev, 37);
    CU_ASSERT_EQUAL_FATAL(h->nlat, 121);
    CU_ASSERT_EQUAL_FATAL(h->nlon, 240);
    CU_ASSERT_EQUAL(h->steps, 1);
    CU_ASSERT_EQUAL(h->seconds[0], 1106438400); /* date -u -d 2005-01-23 +%s */
    CU_ASSERT_EQUAL(h->a[0], 100);
    CU_ASSERT_EQUAL(h->a[36], 100000);
    CU_ASSERT_EQUAL(h->lat[0], -90);
    CU_ASSERT_EQUAL(h->lon[239], 358.5);
    CU_ASSERT_STRING_EQUAL(h->fields[GWF_T].units, "K");
    float *map = malloc(121 * 240 * sizeof *map);
    for (size_t i = 0; i < COUNT(points); i++) {
        CHECK_OK(gwf_atmosphere_read(a, points[i].quantity, 0, points[i].level, 1, map, &err), err);
        const float x = map[(120 - points[i].row) * 240 + points[i].column];
        CHECK_AT_MOST(fabs(x - points[i].value), 1e-4);
    }
    free(map);
    gwf_atmosphere_close(&a);
}

/* Orography on the T42 grid; no time, no units anywhere. Values as above. */
static void test_orography(void)
{
    const char *path = test_shared("data/orography_t42.nc");
    if (!path) {
        test_skip("the orography is not there");
        return;
    }
    gwf_atmosphere *a = open_one(path);
    const gwf_atmosphere_header *h = gwf_atmosphere_header_of(a);
    CU_ASSERT_EQUAL_FATAL(h->nlat, 64);
    CU_ASSERT_EQUAL_FATAL(h->nlon, 128);
    CU_ASSERT_STRING_EQUAL(h->fields[GWF_ZS].name, "zsurf");
    float *map = malloc(64 * 128 * sizeof *map);
    gwf_error err = {0};
    CHECK_OK(gwf_atmosphere_read(a, GWF_ZS, 0, 0, 1, map, &err), err);
    CHECK_AT_MOST(fabs(map[40 * 128 + 30] - 506.050812), 1e-3);
    CHECK_AT_MOST(fabs(map[43 * 128 + 32] - 4532.069824), 1e-3);
    CHECK_AT_MOST(fabs(map[0 * 128 + 0] - 2622.919678), 1e-3);
    CHECK_AT_MOST(fabs(map[20 * 128 + 100] - 67.269493), 1e-3);
    CHECK_AT_MOST(fabs(map[1 * 128 + 64] - 1575.901001), 1e-3);
    free(map);
    gwf_atmosphere_close(&a);
}

int main(void)
{
    static const test_case tests[] = {
        {"a file as it comes", test_as_it_comes},
        {"every order of dimensions", test_every_order},
        {"any run of levels", test_pieces},
        {"longitudes in any rotation", test_longitudes},
        {"bounds", test_bounds},
        {"packed and missing values", test_packed},
        {"names", test_names},
        {"parameter ids", test_ids},
        {"which of several", test_choices},
        {"which by mapping", test_mapped},
        {"packed coordinates", test_packed_coordinates},
        {"files that follow one another", test_joined_files},
        {"a time that is no dimension", test_scalar_time},
        {"forecasts", test_forecasts},
        {"no time at all", test_no_time},
        {"orography of another time", test_steady},
        {"what is not asked for", test_wanted},
        {"few files are open", test_few_open},
        {"a reanalysis of ECMWF", test_reanalysis},
        {"an orography", test_orography},
    };
    return test_run("atmosphere", tests, sizeof tests / sizeof *tests);
}
