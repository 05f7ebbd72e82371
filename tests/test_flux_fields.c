/* What a flux file holds beside uw and vw on model levels, read by plain NetCDF calls. */
#include "io/flux_file.h"

#include <math.h>
#include <netcdf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/flux_reader.h"
#include "test.h"

enum { NLEV = 3, NPLEV = 4, NLAT = 8, NLON = 16, MAP = NLAT * NLON, OUT = 6 };
enum { CHANNELS = 3, STEPS = 2 };

static double lat[NLAT], lon[NLON];
static const int level_number[NLEV] = {16, 60, 137};
static const double a[NLEV] = {145.0, 6000.0, 0.0}, b[NLEV] = {0.0, 0.1, 0.9976};
static const double pressures[NPLEV] = {100, 1000, 10000, 85000};
static const char *const channels[CHANNELS] = {"lat", "u 16", "theta 137"};

static gwf_flux_layout layout(void)
{
    for (int i = 0; i < NLAT; i++) lat[i] = -78.75 + 22.5 * i;
    for (int i = 0; i < NLON; i++) lon[i] = 22.5 * i;
    return (gwf_flux_layout){.steps = STEPS,
                             .nlev = NLEV,
                             .nlat = NLAT,
                             .nlon = NLON,
                             .lat = lat,
                             .lon = lon,
                             .level_number = level_number,
                             .a = a,
                             .b = b,
                             .flux_kind = "rho_uw",
                             .time_units = "hours since 1979-01-01 00:00:00",
                             .time_calendar = "proleptic_gregorian"};
}

static gwf_flux_layout all_of_it(void)
{
    gwf_flux_layout l = layout();
    l.prediction_channels = OUT;
    l.tendencies = true;
    l.surface_pressure = true;
    l.channel_names = channels;
    l.n_channels = CHANNELS;
    return l;
}

/* Tells variable, step and place. */
static float value(int variable, size_t step, size_t i)
{
    return (float)(10000 * variable) + (float)(1000 * step) + (float)i;
}

enum { UW = 1, VW, PREDICTION, UTEND, VTEND, PS, OUTSIDE, VARIABLES };

/* Every value of a step, also those that a layout may not have. */
static gwf_flux_step step_of(size_t step)
{
    static float values[VARIABLES][OUT * MAP];
    for (int v = 1; v < VARIABLES; v++)
        for (size_t i = 0; i < OUT * MAP; i++) values[v][i] = value(v, step, i);
    return (gwf_flux_step){.time = 6.5 * (double)step,
                           .uw = values[UW],
                           .vw = values[VW],
                           .prediction = values[PREDICTION],
                           .utend = values[UTEND],
                           .vtend = values[VTEND],
                           .surface_pressure = values[PS],
                           .outside = values[OUTSIDE]};
}

static gwf_flux_file *created(const char *path, const gwf_flux_layout *l)
{
    gwf_error err = {0};
    gwf_flux_file *file = NULL;
    CHECK_OK(gwf_flux_file_create(path, l, &file, &err), err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    return file;
}

/* The finished file, opened by NetCDF-C. */
static int written(const char *path, const gwf_flux_layout *l)
{
    gwf_error err = {0};
    int id = -1;
    gwf_flux_file *file = created(path, l);
    for (size_t s = 0; s < STEPS; s++) {
        const gwf_flux_step step = step_of(s);
        CHECK_OK(gwf_flux_file_write(file, s, &step, &err), err);
    }
    CHECK_OK(gwf_flux_file_finish(&file, &err), err);
    CU_ASSERT_EQUAL_FATAL(nc_open(path, NC_NOWRITE, &id), NC_NOERR);
    return id;
}

static void check_text(int file, const char *variable, const char *name, const char *expected)
{
    char text[512] = "";
    size_t length = 0;
    int id = NC_GLOBAL;
    CU_ASSERT_EQUAL(nc_inq_varid(file, variable, &id), NC_NOERR);
    if (nc_inq_attlen(file, id, name, &length) == NC_NOERR && length < sizeof text)
        nc_get_att_text(file, id, name, text);
    if (strcmp(text, expected) != 0)
        fprintf(stderr, "\n  %s:%s = \"%s\", expected \"%s\"\n", variable, name, text, expected);
    CU_ASSERT_STRING_EQUAL(text, expected);
}

/* Dimensions (as "time lev lat lon") and all values of both steps. */
static void check_field(int file, int variable, const char *name, const char *dims)
{
    static float found[OUT * MAP];
    char names[256] = "", one[NC_MAX_NAME + 1];
    size_t count[8], n = 1, wrong = 0;
    int id = -1, rank = 0, ids[8];
    CU_ASSERT_EQUAL_FATAL(nc_inq_varid(file, name, &id), NC_NOERR);
    nc_inq_var(file, id, NULL, NULL, &rank, ids, NULL);
    for (int i = 0; i < rank; i++) {
        nc_inq_dim(file, ids[i], one, &count[i]);
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", i ? " " : "", one);
        if (i) n *= count[i];
    }
    CU_ASSERT_STRING_EQUAL(names, dims);
    count[0] = 1;
    for (size_t s = 0; s < STEPS; s++) {
        const size_t start[8] = {s};
        CU_ASSERT_EQUAL(nc_get_vara_float(file, id, start, count, found), NC_NOERR);
        for (size_t i = 0; i < n; i++) wrong += !(found[i] == value(variable, s, i));
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

static bool has(int file, const char *name)
{
    int id;
    return nc_inq_varid(file, name, &id) == NC_NOERR;
}

/* --- fields ----------------------------------------------------------------------------------- */

static void test_all_fields(void)
{
    const gwf_flux_layout l = all_of_it();
    const int file = written(test_scratch("all.nc"), &l);
    check_field(file, UW, "uw", "time lev lat lon");
    check_field(file, VW, "vw", "time lev lat lon");
    check_field(file, PREDICTION, "prediction", "time odim lat lon");
    check_field(file, UTEND, "utend", "time lev lat lon");
    check_field(file, VTEND, "vtend", "time lev lat lon");
    check_field(file, PS, "ps", "time lat lon");
    check_field(file, OUTSIDE, "outside_training_range", "time channel");
    check_text(file, "utend", "units", "m s-2");
    check_text(file, "utend", "standard_name",
               "tendency_of_eastward_wind_due_to_gravity_wave_drag");
    check_text(file, "vtend", "standard_name",
               "tendency_of_northward_wind_due_to_gravity_wave_drag");
    check_text(file, "ps", "standard_name", "surface_air_pressure");
    check_text(file, "ps", "units", "Pa");
    check_text(file, "uw", "units", "Pa");
    nc_close(file);
}

static void test_channel_names(void)
{
    const gwf_flux_layout l = all_of_it();
    const int file = written(test_scratch("channels.nc"), &l);
    char names[CHANNELS][9];
    int id, dims[2];
    size_t length[2] = {0};
    nc_type type = NC_NAT;
    CU_ASSERT_EQUAL_FATAL(nc_inq_varid(file, "channel_name", &id), NC_NOERR);
    nc_inq_var(file, id, NULL, &type, NULL, dims, NULL);
    for (int i = 0; i < 2; i++) nc_inq_dimlen(file, dims[i], &length[i]);
    CU_ASSERT_EQUAL(type, NC_CHAR);
    CU_ASSERT_TRUE_FATAL(length[0] == CHANNELS && length[1] == 9);
    CU_ASSERT_EQUAL(nc_get_var_text(file, id, &names[0][0]), NC_NOERR);
    CU_ASSERT_EQUAL(memcmp(names, "lat\0\0\0\0\0\0u 16\0\0\0\0\0theta 137", sizeof names), 0);
    check_text(file, "outside_training_range", "coordinates", "channel_name");
    check_text(file, "outside_training_range", "units", "1");
    nc_close(file);
}

/* What a layout does not ask for is not there, whatever a step has. */
static void test_nothing_more(void)
{
    const gwf_flux_layout l = layout();
    const int file = written(test_scratch("few.nc"), &l);
    int variables = 0, dimensions = 0;
    nc_inq(file, &dimensions, &variables, NULL, NULL);
    CU_ASSERT_EQUAL(dimensions, 4);
    CU_ASSERT_EQUAL(variables, 9); /* lat lon lev level_number hyam hybm time uw vw */
    CU_ASSERT_FALSE(has(file, "ps"));
    nc_close(file);
}

static void test_missing_fields(void)
{
    gwf_error err = {0};
    const gwf_flux_layout l = all_of_it();
    gwf_flux_file *file = created(test_scratch("missing.nc"), &l);
    gwf_flux_step s = step_of(0);
    s.vtend = NULL;
    CHECK_FAILS(gwf_flux_file_write(file, 0, &s, &err), GWF_ERR_ARGUMENT, err, "has no vtend");
    s = step_of(0), s.surface_pressure = NULL;
    CHECK_FAILS(gwf_flux_file_write(file, 0, &s, &err), GWF_ERR_ARGUMENT, err, "has no ps");
    s = step_of(0), s.outside = NULL;
    CHECK_FAILS(gwf_flux_file_write(file, 0, &s, &err), GWF_ERR_ARGUMENT, err,
                "has no outside_training_range");
    s = step_of(0), s.uw = NULL;
    CHECK_FAILS(gwf_flux_file_write(file, 0, &s, &err), GWF_ERR_ARGUMENT, err, "has no uw");
    CU_ASSERT_EQUAL(gwf_flux_file_abandon(&file), 0);
}

static void test_calendar(void)
{
    const gwf_flux_layout l = layout();
    const int file = written(test_scratch("time.nc"), &l);
    int id;
    double times[STEPS] = {0};
    nc_type type = NC_NAT;
    nc_inq_varid(file, "time", &id);
    nc_inq_vartype(file, id, &type);
    CU_ASSERT_EQUAL(type, NC_DOUBLE);
    CU_ASSERT_EQUAL(nc_get_var_double(file, id, times), NC_NOERR);
    CU_ASSERT_EQUAL(times[1], 6.5);
    check_text(file, "time", "standard_name", "time");
    check_text(file, "time", "units", "hours since 1979-01-01 00:00:00");
    check_text(file, "time", "calendar", "proleptic_gregorian");
    check_text(file, "time", "axis", "T");
    nc_close(file);
}

/* --- pressure levels -------------------------------------------------------------------------- */

static gwf_flux_layout on_pressures(void)
{
    gwf_flux_layout l = layout();
    l.level_number = NULL;
    l.a = l.b = NULL;
    l.tendencies = true;
    l.pressure_levels = pressures;
    l.n_pressure_levels = NPLEV;
    return l;
}

static void test_pressure_levels(void)
{
    const gwf_flux_layout l = on_pressures();
    const int file = written(test_scratch("plev.nc"), &l);
    double found[NPLEV] = {0};
    float fill = 0;
    int id;
    check_field(file, UW, "uw", "time plev lat lon");
    check_field(file, VW, "vw", "time plev lat lon");
    check_field(file, UTEND, "utend", "time plev lat lon");
    check_field(file, VTEND, "vtend", "time plev lat lon");
    CU_ASSERT_EQUAL_FATAL(nc_inq_varid(file, "plev", &id), NC_NOERR);
    CU_ASSERT_EQUAL(nc_get_var_double(file, id, found), NC_NOERR);
    CU_ASSERT_EQUAL(memcmp(found, pressures, sizeof found), 0);
    check_text(file, "plev", "standard_name", "air_pressure");
    check_text(file, "plev", "units", "Pa");
    check_text(file, "plev", "positive", "down");
    check_text(file, "plev", "axis", "Z");
    CU_ASSERT_FALSE(has(file, "lev") || has(file, "hyam") || has(file, "level_number"));
    nc_inq_varid(file, "utend", &id);
    CU_ASSERT_EQUAL(nc_get_att_float(file, id, "_FillValue", &fill), NC_NOERR);
    CU_ASSERT_EQUAL(fill, GWF_STEP_MISSING);
    nc_close(file);
}

/* The reader of gwflux plot: 1, 10, 100 and 850 hPa; between the first two the middle is 3.16. */
static void test_read_back(void)
{
    static const struct {
        double asked, given;
        size_t level;
    } cases[] = {{0.1, 1, 0}, {3.1, 1, 0}, {3.2, 10, 1}, {90, 100, 2}, {1000, 850, 3}};
    const gwf_flux_layout l = on_pressures();
    const char *path = test_scratch("read.nc");
    nc_close(written(path, &l));
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        gwf_flux_map map = {0};
        gwf_error err = {0};
        size_t wrong = 0;
        CHECK_OK(gwf_flux_map_read(path, "vtend", cases[c].asked, 1, &map, &err), err);
        CU_ASSERT_EQUAL(map.pressure, cases[c].given);
        CU_ASSERT_STRING_EQUAL(map.units, "m s-2");
        CU_ASSERT_STRING_EQUAL(map.time, "step 1, 6.5 hours since 1979-01-01 00:00:00");
        CU_ASSERT_PTR_NOT_NULL_FATAL(map.values);
        for (size_t i = 0; i < MAP; i++)
            wrong += !(map.values[i] == value(VTEND, 1, cases[c].level * MAP + i));
        CU_ASSERT_EQUAL(wrong, 0);
        gwf_flux_map_free(&map);
    }
}

static void check_refused(const gwf_flux_layout *l, const char *words)
{
    gwf_error err = {0};
    gwf_flux_file *file = NULL;
    CHECK_FAILS(gwf_flux_file_create(test_scratch("refused.nc"), l, &file, &err), GWF_ERR_ARGUMENT,
                err, words);
    CU_ASSERT_PTR_NULL(file);
}

static void test_refused(void)
{
    static const double wrong[][2] = {{0, 100},   {-1, 100},  {100, 100},     {200, 100},
                                      {NAN, 100}, {100, NAN}, {100, INFINITY}};
    gwf_flux_layout l = on_pressures();
    l.n_pressure_levels = 2;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        l.pressure_levels = wrong[i];
        check_refused(&l, "refused.nc: pressure levels: expected more than 0 Pa, growing downward");
    }
    l.n_pressure_levels = 0;
    check_refused(&l, "pressure levels");
    l = layout(), l.a = NULL;
    check_refused(&l, "its layout is not complete");
    l = layout(), l.nlev = 0;
    check_refused(&l, "its layout is not complete");
    l = all_of_it(), l.channel_names = NULL;
    check_refused(&l, "its layout is not complete");
    l = all_of_it(), l.time_units = NULL;
    check_refused(&l, "has a calendar of time");
}

/* --- going on --------------------------------------------------------------------------------- */

static void check_other(const char *path, const gwf_flux_layout *l, const char *words)
{
    gwf_error err = {0};
    gwf_flux_file *file = NULL;
    unsigned char done[STEPS];
    bool complete = true;
    CHECK_FAILS(gwf_flux_file_resume(path, l, done, &complete, &file, &err), GWF_ERR_MISMATCH, err,
                words);
    CU_ASSERT_PTR_NULL(file);
    CU_ASSERT_FALSE(complete);
}

/* A file with other fields, levels or channels is another job's. */
static void test_other_fields(void)
{
    static const char *const other_names[CHANNELS] = {"lat", "u 17", "theta 137"};
    static const double other_pressures[NPLEV] = {100, 1000, 10000, 85001};
    gwf_error err = {0};
    gwf_flux_layout l = all_of_it();
    const char *path = test_scratch("other.nc");
    gwf_flux_step s = step_of(1);
    gwf_flux_file *file = created(path, &l);
    CHECK_OK(gwf_flux_file_write(file, 1, &s, &err), err);
    CU_ASSERT_EQUAL(gwf_flux_file_abandon(&file), 1);
    l.tendencies = false;
    check_other(path, &l, "its variable utend is there, here it is absent");
    l = all_of_it(), l.n_channels = 0;
    check_other(path, &l, "its variable channel_name is there, here it is absent");
    l = all_of_it(), l.channel_names = other_names;
    check_other(path, &l, "its channel_name[1] is \"u 16\", here it is \"u 17\"");
    l = all_of_it(), l.pressure_levels = pressures, l.n_pressure_levels = NPLEV;
    check_other(path, &l, "its dimension plev is 0, here it is 4");
    l = all_of_it(), l.time_calendar = "noleap";
    check_other(path, &l, "its calendar of time is \"proleptic_gregorian\"");
    l = all_of_it(), l.surface_pressure = false;
    check_other(path, &l, "its variable ps is there, here it is absent");
    const char *plev = test_scratch("other_plev.nc");
    l = on_pressures();
    file = created(plev, &l);
    CHECK_OK(gwf_flux_file_write(file, 1, &s, &err), err);
    CU_ASSERT_EQUAL(gwf_flux_file_abandon(&file), 1);
    l.pressure_levels = other_pressures;
    check_other(plev, &l, "its plev[3] is 85000, here it is 85001");
    l = on_pressures(), l.surface_pressure = true;
    check_other(plev, &l, "its variable ps is absent, here it is there");
}

int main(void)
{
    static const test_case cases[] = {
        {"all fields", test_all_fields},     {"channel names", test_channel_names},
        {"nothing more", test_nothing_more}, {"fields that are missing", test_missing_fields},
        {"calendar", test_calendar},         {"pressure levels", test_pressure_levels},
        {"read back", test_read_back},       {"refused", test_refused},
        {"other fields", test_other_fields},
    };
    return test_run("flux_fields", cases, sizeof cases / sizeof *cases);
}
