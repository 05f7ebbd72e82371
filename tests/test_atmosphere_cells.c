/* The reader of reanalysis on grids of any kind: cells in the file's own order, whatever the order
 * of the dimensions, with the coordinates that files of unstructured and curvilinear grids have.
 * Values follow from step, level and place (atmosphere_file.h). */
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "atmosphere_check.h"

enum { CELLS = 42 }; /* also 6 x 7 and 2 x 3 x 7 */

static double lat_of(size_t cell)
{
    return -85 + 170 * fmod(0.618 * (double)cell, 1);
}

static double lon_of(size_t cell)
{
    return -180 + 360 * fmod(0.414 * (double)cell, 1);
}

/* A file whose dimensions are called by the letters of `order`: t and z as ERA5 has them; c 42,
 * y 6, x 7, f 2, r 3, q 2, w 5, o 42, 1 a length of 1. All but t and z are those of the cells. */
typedef struct cells_case {
    const char *order, *name, *standard_name;
    bool bottom_up;
    const char *lat, *lon; /* names of the centres, NULL: none                      */
    const char *over;      /* their dimensions, NULL: those of the cells in `order` */
    const char *units;     /* "radian": the centres in radians */
    bool named;            /* in the attribute coordinates     */
    double spoilt;         /* added to the latitude of cell 5  */
} cells_case;

static size_t length_of(char letter)
{
    const char *const letters = "tzcyxfrqwo1";
    static const size_t lengths[] = {NT, NZ, CELLS, 6, 7, 2, 3, 2, 5, CELLS, 1};
    return lengths[strchr(letters, letter) - letters];
}

static int dimension(int file, char letter)
{
    int dim;
    const char name[] = {letter == 't' ? 'T' : letter, '\0'};
    if (nc_inq_dimid(file, name, &dim) != NC_NOERR)
        air_must(nc_def_dim(file, name, length_of(letter), &dim));
    return dim;
}

static void put_axis(int file, char letter, const char *units, const double *values)
{
    int id, dim = dimension(file, letter);
    const char name[] = {letter == 't' ? 'T' : letter, '\0'};
    if (nc_inq_varid(file, name, &id) == NC_NOERR) return;
    air_must(nc_def_var(file, name, NC_DOUBLE, 1, &dim, &id));
    air_text(file, id, "units", units);
    air_must(nc_put_var_double(file, id, values));
}

static bool is_across(char letter)
{
    return letter != 't' && letter != 'z';
}

static void put_field(int file, const cells_case *k)
{
    const int rank = (int)strlen(k->order);
    const double *const levels = k->bottom_up ? pascals_up : pascals;
    int dims[8], id;
    size_t n = 1, index[8] = {0};
    for (int i = 0; i < rank; i++) {
        dims[i] = dimension(file, k->order[i]);
        n *= length_of(k->order[i]);
    }
    air_must(nc_def_var(file, k->name, NC_FLOAT, rank, dims, &id));
    air_text(file, id, "standard_name", k->standard_name);
    air_text(file, id, "units", "m s-1");
    char names[64];
    snprintf(names, sizeof names, "%s %s", k->lon, k->lat);
    if (k->named) air_text(file, id, "coordinates", names);
    double *values = malloc(n * sizeof *values);
    for (size_t at = 0; at < n; at++) {
        double hour = 0, pascal = 0;
        size_t cell = 0;
        for (int i = 0; i < rank; i++) {
            if (k->order[i] == 't') hour = unix_hours[index[i]];
            if (k->order[i] == 'z') pascal = levels[index[i]];
            if (is_across(k->order[i])) cell = cell * length_of(k->order[i]) + index[i];
        }
        values[at] = air_value(hour, pascal, lat_of(cell), lon_of(cell));
        for (int i = rank - 1; i >= 0 && ++index[i] == length_of(k->order[i]); i--) index[i] = 0;
    }
    air_must(nc_put_var_double(file, id, values));
    free(values);
}

static void put_centres(int file, const cells_case *k)
{
    const bool radians = k->units && strcmp(k->units, "radian") == 0;
    for (int d = 0; d < 2 && k->lat; d++) {
        int dims[8], id, rank = 0;
        double values[CELLS];
        for (const char *c = k->over ? k->over : k->order; *c; c++)
            if (is_across(*c)) dims[rank++] = dimension(file, *c);
        for (size_t c = 0; c < CELLS; c++) {
            values[c] = d == 0 ? lat_of(c) + (c == 5) * k->spoilt : lon_of(c);
            if (radians) values[c] *= acos(-1) / 180;
        }
        air_must(nc_def_var(file, d == 0 ? k->lat : k->lon, NC_DOUBLE, rank, dims, &id));
        air_text(file, id, "units",
                 k->units ? k->units
                 : d == 0 ? "degrees_north"
                          : "degrees_east");
        air_must(nc_put_var_double(file, id, values));
    }
}

static int create(const char *path, const cells_case *k)
{
    int file;
    air_must(nc_create(path, NC_NETCDF4 | NC_CLOBBER, &file));
    put_axis(file, 't', "hours since 1970-01-01", unix_hours);
    if (strchr(k->order, 'z')) put_axis(file, 'z', "Pa", k->bottom_up ? pascals_up : pascals);
    put_field(file, k);
    put_centres(file, k);
    return file;
}

static void make(const char *path, const cells_case *k)
{
    air_must(nc_close(create(path, k)));
}

static gwf_atmosphere_config config_of(const char *const *paths, int n)
{
    return (gwf_atmosphere_config){.paths = paths, .n_paths = n, .cells = CELLS};
}

static gwf_atmosphere *open_paths(const char *const *paths, int n)
{
    gwf_error err = {0};
    gwf_atmosphere *a = NULL;
    const gwf_atmosphere_config config = config_of(paths, n);
    CHECK_OK(gwf_atmosphere_open(&config, &a, &err), err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(a);
    return a;
}

static void refuse(const char *const *paths, int n, gwf_status status, const char *words)
{
    gwf_error err = {0};
    gwf_atmosphere *a = NULL;
    const gwf_atmosphere_config config = config_of(paths, n);
    CHECK_FAILS(gwf_atmosphere_open(&config, &a, &err), status, err, words);
    CU_ASSERT_PTR_NULL(a);
}

static void refuse_one(const char *path, gwf_status status, const char *words)
{
    refuse(&path, 1, status, words);
}

/* Largest difference from what step, level and cell ask for, `at_once` levels a read. */
static double off(gwf_atmosphere *a, gwf_quantity quantity, size_t at_once)
{
    const gwf_atmosphere_header *h = gwf_atmosphere_header_of(a);
    const bool upper = gwf_quantity_has_levels(quantity);
    const size_t nlev = upper ? h->nlev : 1;
    float values[NZ * CELLS];
    double most = 0;
    gwf_error err = {0};
    for (size_t step = 0; step < h->steps; step++)
        for (size_t first = 0; first < nlev; first += at_once) {
            const size_t count = nlev - first < at_once ? nlev - first : at_once;
            for (size_t i = 0; i < NZ * CELLS; i++) values[i] = NAN;
            CHECK_OK(gwf_atmosphere_read(a, quantity, step, first, count, values, &err), err);
            for (size_t i = 0; i < count * CELLS; i++) {
                const size_t c = i % CELLS;
                const double hour =
                    h->fields[quantity].steady ? 0 : (double)h->seconds[step] / 3600;
                const double truth =
                    air_value(hour, upper ? h->a[first + i / CELLS] : 0, lat_of(c), lon_of(c));
                const double d = fabs(values[i] - truth);
                if (!(d <= most)) most = d;
            }
        }
    return most;
}

static void check_header(gwf_atmosphere *a, size_t steps, bool centres)
{
    const gwf_atmosphere_header *h = gwf_atmosphere_header_of(a);
    CU_ASSERT_TRUE(h->unstructured);
    CU_ASSERT_EQUAL(h->cells, CELLS);
    CU_ASSERT_EQUAL(h->nlat, 1);
    CU_ASSERT_EQUAL(h->nlon, CELLS);
    CU_ASSERT_EQUAL(h->steps, steps);
    CU_ASSERT_PTR_NULL(h->lat);
    CU_ASSERT_PTR_NULL(h->lon);
    CU_ASSERT_EQUAL(h->cell_lat != NULL, centres);
    CU_ASSERT_EQUAL(h->cell_lon != NULL, centres);
    for (size_t c = 0; centres && c < CELLS; c++) {
        CHECK_AT_MOST(fabs(h->cell_lat[c] - lat_of(c)), 1e-9);
        CHECK_AT_MOST(fabs(h->cell_lon[c] - lon_of(c)), 1e-9);
    }
}

static void check_orders(const char *const *orders, size_t n)
{
    for (size_t i = 0; i < 2 * n; i++) {
        const char *path = test_scratch("cells.nc");
        const cells_case k = {.order = orders[i / 2],
                              .name = "u",
                              .bottom_up = i % 2,
                              .lat = i % 2 ? "lat" : NULL,
                              .lon = "lon"};
        make(path, &k);
        gwf_atmosphere *a = open_paths(&path, 1);
        check_header(a, strchr(k.order, 't') ? NT : 1, i % 2);
        CU_ASSERT_EQUAL(gwf_atmosphere_header_of(a)->nlev, NZ);
        CHECK_AT_MOST(off(a, GWF_U, NZ), 1e-3);
        CHECK_AT_MOST(off(a, GWF_U, 3), 1e-3);
        CHECK_AT_MOST(off(a, GWF_U, 1), 1e-3);
        gwf_atmosphere_close(&a);
    }
}

static void test_cells(void)
{
    static const char *const orders[] = {"tzc", "tcz", "ztc", "zct", "czt", "ctz", "t1z1c", "zc"};
    check_orders(orders, COUNT(orders));
}

/* Cells count as they lie in the file, whatever the dimensions are called. */
static void test_curvilinear(void)
{
    static const char *const orders[] = {"tzyx", "tyzx", "yxtz", "xtyz", "tzfrx", "ftrzx", "tz1yx"};
    check_orders(orders, COUNT(orders));
}

static void test_surface(void)
{
    const char *path = test_scratch("surface.nc");
    const cells_case u = {.order = "tzc", .name = "u"}, sp = {.order = "tc", .name = "sp"},
                     zs = {.order = "c", .name = "phis", .standard_name = "surface_geopotential"};
    int file = create(path, &u);
    put_field(file, &sp);
    put_field(file, &zs);
    air_must(nc_close(file));
    gwf_atmosphere *a = open_paths(&path, 1);
    CHECK_AT_MOST(off(a, GWF_U, NZ), 1e-3);
    CHECK_AT_MOST(off(a, GWF_SP, 1), 1e-3);
    CHECK_AT_MOST(off(a, GWF_ZS, 1), 1e-3);
    CU_ASSERT_FALSE(gwf_atmosphere_header_of(a)->fields[GWF_V].found);
    gwf_atmosphere_close(&a);
}

/* --- coordinates ---------------------------------------------------------------------------- */

static void test_centres(void)
{
    const char *path = test_scratch("centres.nc");
    const cells_case cases[] = {
        {.order = "tzc", .name = "u", .lat = "clat", .lon = "clon", .units = "radian"},
        {.order = "tzc", .name = "u", .lat = "y_place", .lon = "x_place", .named = true},
        {.order = "tzyx", .name = "u", .lat = "nav_lat", .lon = "nav_lon"},
        {.order = "tyzx", .name = "u", .lat = "y_place", .lon = "x_place", .named = true},
        /* no angle, not named, over other dimensions */
        {.order = "tzc", .name = "u", .lat = "lat", .lon = "lon", .units = "m"},
        {.order = "tzc", .name = "u", .lat = "y_place", .lon = "x_place"},
        {.order = "tzc", .name = "u", .lat = "lat", .lon = "lon", .over = "o"},
        {.order = "tzyx", .name = "u", .lat = "lat", .lon = "lon", .over = "xy"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        make(path, &cases[i]);
        gwf_atmosphere *a = open_paths(&path, 1);
        check_header(a, NT, i < 4);
        CHECK_AT_MOST(off(a, GWF_U, NZ), 1e-3);
        gwf_atmosphere_close(&a);
    }
    const cells_case beyond = {
        .order = "tzc", .name = "u", .lat = "lat", .lon = "lon", .spoilt = 200};
    make(path, &beyond);
    refuse_one(path, GWF_ERR_DATA, "centres.nc: variable lat: value 5 is ");
}

/* Latitudes times longitudes: neither rows nor columns are turned, and the axes give the centres,
 * whichever comes first. */
static void test_rectilinear(void)
{
    const char *path = test_scratch("rectilinear.nc");
    for (int i = 0; i < 2; i++) {
        air_file f = era5();
        f.x.values = both;
        air_make(path, &f, &AIR("u", "eastward_wind", "m s-1", i == 0 ? "tzyx" : "xtyz"));
        gwf_error err = {0};
        gwf_atmosphere *a = NULL;
        const gwf_atmosphere_config config = {.paths = &path, .n_paths = 1, .cells = NY * NX};
        CHECK_OK(gwf_atmosphere_open(&config, &a, &err), err);
        CU_ASSERT_PTR_NOT_NULL_FATAL(a);
        const gwf_atmosphere_header *h = gwf_atmosphere_header_of(a);
        float values[NY * NX];
        CHECK_OK(gwf_atmosphere_read(a, GWF_U, 1, 2, 1, values, &err), err);
        CU_ASSERT_PTR_NOT_NULL_FATAL(h->cell_lat);
        for (size_t c = 0; c < NY * NX; c++) {
            const double lat = north[i == 0 ? c / NX : c % NY];
            const double lon = both[i == 0 ? c % NX : c / NY];
            CU_ASSERT_EQUAL(h->cell_lat[c], lat);
            CU_ASSERT_EQUAL(h->cell_lon[c], lon);
            CHECK_AT_MOST(fabs(values[c] - air_value(unix_hours[1], pascals[2], lat, lon)), 1e-3);
        }
        gwf_atmosphere_close(&a);
    }
}

/* --- many files ----------------------------------------------------------------------------- */

static void test_files(void)
{
    const char *const paths[] = {test_scratch("cells_u.nc"), test_scratch("cells_v.nc")};
    const cells_case without = {.order = "tzc", .name = "u"},
                     with = {.order = "tcz", .name = "v", .lat = "lat", .lon = "lon"};
    make(paths[0], &without);
    make(paths[1], &with);
    for (int turn = 0; turn < 2; turn++) {
        const char *const now[] = {paths[turn], paths[1 - turn]};
        gwf_atmosphere *a = open_paths(now, 2);
        check_header(a, NT, true);
        CHECK_AT_MOST(off(a, GWF_U, NZ), 1e-3);
        CHECK_AT_MOST(off(a, GWF_V, NZ), 1e-3);
        gwf_atmosphere_close(&a);
    }
    const cells_case other = {
        .order = "tzc", .name = "u", .lat = "lat", .lon = "lon", .spoilt = 0.001};
    make(paths[0], &other);
    refuse(paths, 2, GWF_ERR_MISMATCH, "cells_v.nc: variable v: cell 5 is at latitude ");
}

/* --- what is refused ------------------------------------------------------------------------ */

static void test_numbers(void)
{
    const char *path = test_scratch("numbers.nc");
    const cells_case cases[] = {{.order = "tzyr", .name = "u"},
                                {.order = "tz1r", .name = "u"},
                                {.order = "tz11", .name = "u"},
                                {.order = "tzfqrw", .name = "u"},
                                {.order = "tzc", .name = "u"}};
    static const char *const words[] = {
        "numbers.nc: variable u: 18 cells (y x r), expected 42, those of the weights",
        "numbers.nc: variable u: 3 cells (r), expected 42",
        "no dimension of more than 1 besides time and levels",
        "more than three dimensions besides time and levels",
    };
    for (size_t i = 0; i < COUNT(words); i++) {
        make(path, &cases[i]);
        refuse_one(path, i < 2 ? GWF_ERR_MISMATCH : GWF_ERR_FORMAT, words[i]);
    }
    make(path, &cases[4]);
    gwf_error err = {0};
    gwf_atmosphere *a = NULL;
    gwf_atmosphere_config config = config_of(&path, 1);
    config.cells = 43;
    CHECK_FAILS(gwf_atmosphere_open(&config, &a, &err), GWF_ERR_MISMATCH, err,
                "variable u: 42 cells (c), expected 43");
    config.cells = 0;
    CHECK_FAILS(gwf_atmosphere_open(&config, &a, &err), GWF_ERR_FORMAT, err,
                "numbers.nc: variable u: dimension c has length 42");
}

static void test_along_grid(void)
{
    const char *path = test_scratch("along.nc"), *mapping = "u=u";
    const cells_case k = {.order = "tzyx", .name = "u", .standard_name = "x_wind"};
    make(path, &k);
    refuse_one(path, GWF_ERR_FORMAT, "variable u: its standard_name says wind along the axes");
    gwf_error err = {0};
    gwf_atmosphere *a = NULL;
    gwf_atmosphere_config config = config_of(&path, 1);
    config.mapping = &mapping;
    config.n_mapping = 1;
    CHECK_OK(gwf_atmosphere_open(&config, &a, &err), err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(a);
    CHECK_AT_MOST(off(a, GWF_U, NZ), 1e-3);
    gwf_atmosphere_close(&a);
}

int main(void)
{
    static const test_case tests[] = {
        {"cells in one dimension", test_cells},
        {"cells in several dimensions", test_curvilinear},
        {"surface fields", test_surface},
        {"centres of cells", test_centres},
        {"latitudes times longitudes as they lie", test_rectilinear},
        {"many files", test_files},
        {"other numbers of cells", test_numbers},
        {"wind along the grid's axes", test_along_grid},
    };
    return test_run("atmosphere_cells", tests, sizeof tests / sizeof *tests);
}
