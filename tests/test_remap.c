/* Remapping: invariants (area means, constants, origin and direction of the axes), analytic fields
 * and winds. */
#include "test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fields/remap.h"
#include "grid_case.h"

static size_t cells(const gwf_grid *grid)
{
    return (size_t)grid->nlat * (size_t)grid->nlon;
}

static float *make_floats(size_t n)
{
    float *values = malloc(n * sizeof *values);
    if (!values) abort();
    for (size_t i = 0; i < n; i++) values[i] = NAN;
    return values;
}

static gwf_remap *make(gwf_remap_kind kind, const gwf_grid *from, const gwf_grid *to, int threads)
{
    gwf_error err = {0};
    gwf_remap *remap = NULL;
    CHECK_OK(gwf_remap_create(kind, from, to, threads, &remap, &err), err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(remap);
    CU_ASSERT_EQUAL(gwf_remap_source_size(remap), cells(from));
    CU_ASSERT_EQUAL(gwf_remap_destination_size(remap), cells(to));
    return remap;
}

/* Mean over the globe; the areas are those of cells between bounds that this test knows: midway
 * and at the poles, or the Gaussian weights. */
static double area_mean(const gwf_grid *grid, const float *x)
{
    double sum = 0, area = 0, *weight = malloc((size_t)grid->nlat * sizeof *weight);
    if (grid->gaussian) gwf_gaussian_weights(grid->nlat, weight);
    for (int i = 0; i < grid->nlat; i++) {
        const double step = fabs(grid->lat[1] - grid->lat[0]) / 2;
        const double low = fmax(-90, grid->lat[i] - step), high = fmin(90, grid->lat[i] + step);
        if (!grid->gaussian) weight[i] = sin(high * case_pi / 180) - sin(low * case_pi / 180);
        for (int j = 0; j < grid->nlon; j++) sum += weight[i] * (double)x[i * grid->nlon + j];
        area += weight[i] * grid->nlon;
    }
    free(weight);
    return sum / area;
}

static void check_conserves(gwf_grid from, gwf_grid to)
{
    unsigned long long seed = 7;
    const size_t n = cells(&from), m = cells(&to);
    float *x = make_floats(2 * n), *y = make_floats(2 * m);
    for (size_t i = 0; i < n; i++) x[i] = (float)case_random(&seed) + 3;
    for (size_t i = n; i < 2 * n; i++) x[i] = 273.15f;
    gwf_remap *remap = make(GWF_REMAP_CONSERVATIVE, &from, &to, 2);
    gwf_remap_apply(remap, x, y, 2);
    const double truth = area_mean(&from, x);
    CHECK_AT_MOST(fabs(area_mean(&to, y) - truth), 1e-7 * fabs(truth));
    for (size_t i = m; i < 2 * m; i++) CU_ASSERT_EQUAL(y[i], 273.15f);
    gwf_remap_free(&remap);
    case_free(&from);
    case_free(&to);
    free(x);
    free(y);
}

static void conserves(void)
{
    check_conserves(case_regular(121, 90, -1.5, 240, 0, 1.5), case_gaussian(64, 128));
    check_conserves(case_regular(72, -88.75, 2.5, 144, -180, 2.5), case_gaussian(64, 128));
    check_conserves(case_regular(31, -90, 6, 61, 100, 360.0 / 61), case_gaussian(64, 128));
    check_conserves(case_gaussian(64, 128), case_regular(121, 90, -1.5, 240, -180, 1.5));
    check_conserves(case_gaussian(64, 128), case_gaussian(32, 64));
}

/* Cells that are unions of source cells have the mean of a function exactly, when the source has:
 * here sin(lat)^2 cos(3 lon) between bounds. */
static double exact_mean(double south, double north, double west, double east)
{
    const double r = case_pi / 180, s = sin(south * r), n = sin(north * r);
    return (n * n * n - s * s * s) / 3 / (n - s) * (sin(3 * east * r) - sin(3 * west * r)) / 3 /
           ((east - west) * r);
}

static void nested_cells(void)
{
    static const double lat_edges[] = {-90, -70, -40, -5, 10, 33, 60, 90};
    static const double lon_edges[] = {5, 50, 75, 130, 180, 222, 300, 340, 365};
    static const double lat[] = {-80, -50, -20, 0, 20, 50, 80};
    static const double lon[] = {20, 60, 100, 150, 200, 250, 320, 350};
    static const double to_lat[] = {-75, -10, 40}, to_lat_edges[] = {-90, -40, 10, 90};
    static const double to_lon[] = {-20, 60, 150}, to_lon_edges[] = {-60, 50, 130, 300};
    const gwf_grid from = {7, 8, lat, lon, lat_edges, lon_edges, false};
    const gwf_grid to = {3, 3, to_lat, to_lon, to_lat_edges, to_lon_edges, false};
    gwf_remap *remap = make(GWF_REMAP_CONSERVATIVE, &from, &to, 1);
    float x[56], y[9];
    for (int i = 0; i < 7; i++)
        for (int j = 0; j < 8; j++)
            x[i * 8 + j] =
                (float)exact_mean(lat_edges[i], lat_edges[i + 1], lon_edges[j], lon_edges[j + 1]);
    gwf_remap_apply(remap, x, y, 1);
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            CHECK_AT_MOST(fabs(y[i * 3 + j] - exact_mean(to_lat_edges[i], to_lat_edges[i + 1],
                                                         to_lon_edges[j], to_lon_edges[j + 1])),
                          1e-7);
    gwf_remap_free(&remap);
}

/* The same field with other origins and directions of the axes. */
static void origin_and_direction(void)
{
    enum { NLAT = 37, NLON = 72, TO = 32 * 64 };
    const gwf_remap_kind kinds[] = {GWF_REMAP_CONSERVATIVE, GWF_REMAP_BILINEAR};
    gwf_grid a = case_regular(NLAT, -90, 5, NLON, 0, 5),
             b = case_regular(NLAT, 90, -5, NLON, 170, 5);
    gwf_grid to = case_gaussian(32, 64);
    for (int j = 38; j < NLON; j++) ((double *)b.lon)[j] -= 360; /* 170 .. 355, -0, .. 165 */
    float x[NLAT * NLON], y[NLAT * NLON], p[TO], q[TO];
    unsigned long long seed = 3;
    for (int i = 0; i < NLAT; i++)
        for (int j = 0; j < NLON; j++) {
            x[i * NLON + j] = (float)case_random(&seed);
            y[(NLAT - 1 - i) * NLON + (j + NLON - 34) % NLON] = x[i * NLON + j];
        }
    for (int k = 0; k < 2; k++) {
        gwf_remap *one = make(kinds[k], &a, &to, 1), *other = make(kinds[k], &b, &to, 3);
        gwf_remap_apply(one, x, p, 1);
        gwf_remap_apply(other, y, q, 1);
        for (int i = 0; i < TO; i++) CHECK_AT_MOST(fabs((double)p[i] - (double)q[i]), 2e-7);
        gwf_remap_free(&one);
        gwf_remap_free(&other);
    }
    case_free(&a);
    case_free(&b);
    case_free(&to);
}

/* A missing source cell makes exactly those destinations missing that it overlaps. */
static void missing_values(void)
{
    gwf_grid from = case_regular(18, 85, -10, 36, 5, 10),
             to = case_regular(12, -82.5, 15, 24, 7.5, 15);
    float x[18 * 36], y[12 * 24];
    for (int i = 0; i < 18 * 36; i++) x[i] = 1;
    x[8 * 36 + 10] = NAN; /* 0..10 N, 100..110 E */
    gwf_remap *remap = make(GWF_REMAP_CONSERVATIVE, &from, &to, 1);
    gwf_remap_apply(remap, x, y, 1);
    for (int i = 0; i < 12; i++)
        for (int j = 0; j < 24; j++) {
            const bool hit = i == 6 && (j == 6 || j == 7); /* 0..15 N, 90..105 and 105..120 E */
            CU_ASSERT_EQUAL(isnan(y[i * 24 + j]) != 0, hit);
            if (!hit) CU_ASSERT_EQUAL(y[i * 24 + j], 1);
        }
    gwf_remap_free(&remap);
    case_free(&from);
    case_free(&to);
}

static void refuse(gwf_remap_kind kind, gwf_grid from, const gwf_grid *to, const char *words)
{
    gwf_error err = {0};
    gwf_remap *remap = NULL;
    CHECK_FAILS(gwf_remap_create(kind, &from, to, 1, &remap, &err), GWF_ERR_DATA, err, words);
    CU_ASSERT_PTR_NULL(remap);
    case_free(&from);
}

static void parts_of_the_globe(void)
{
    gwf_grid to = case_gaussian(64, 128);
    const gwf_remap_kind area = GWF_REMAP_CONSERVATIVE, line = GWF_REMAP_BILINEAR;
    refuse(area, case_regular(81, 80, -1, 360, 0, 1), &to,
           "latitudes 80 to 0 do not cover the cell at latitude -87.86");
    refuse(area, case_regular(120, 90, -1.5, 240, 0, 1.5), &to,
           "do not cover the cell at latitude -87.86");
    refuse(area, case_regular(121, 90, -1.5, 200, 0, 1.5), &to,
           "longitudes 0 to 298.5 do not cover the cell at longitude 0");
    refuse(line, case_regular(81, 80, -1, 360, 0, 1), &to,
           "latitudes 80 to 0 do not reach latitude -87.86");
    refuse(line, case_regular(121, 90, -1.5, 200, 0, 1.5), &to,
           "longitudes 0 to 298.5 do not reach longitude 300.9");
    refuse(area, case_regular(121, 95, -1.5, 200, 0, 1.5), &to, "source grid: latitude 0 is 95");
    gwf_grid part = case_regular(11, 40, 2, 11, 350, 2), within = case_regular(4, 45, 2, 4, -5, 2);
    float x[121], y[16];
    for (int i = 0; i < 121; i++) x[i] = 2.5f;
    for (int k = 0; k < 2; k++) {
        gwf_remap *remap = make(k ? line : area, &part, &within, 1);
        gwf_remap_apply(remap, x, y, 1);
        for (int i = 0; i < 16; i++) CU_ASSERT_EQUAL(y[i], 2.5f);
        gwf_remap_free(&remap);
    }
    case_free(&part);
    case_free(&within);
    case_free(&to);
}

/* Linear in latitude, and in longitude between the points around. */
static void bilinear(void)
{
    gwf_grid from = case_gaussian(64, 128), to = case_regular(121, 90, -1.5, 240, -180, 1.5);
    float *x = make_floats(cells(&from)), *y = make_floats(cells(&to));
    for (int i = 0; i < 64; i++)
        for (int j = 0; j < 128; j++)
            x[i * 128 + j] = (float)(from.lat[i] + 2 * fabs(remainder(from.lon[j], 360)));
    gwf_remap *remap = make(GWF_REMAP_BILINEAR, &from, &to, 2);
    gwf_remap_apply(remap, x, y, 1);
    const double last = from.lat[63], mean = last + 2 * 90;
    for (int i = 0; i < 121; i++)
        for (int j = 0; j < 240; j++) {
            const double lon = 2 * fabs(to.lon[j]), lat = fabs(to.lat[i]),
                         sign = copysign(1, to.lat[i]);
            double truth = to.lat[i] + lon;
            if (lat > last) { /* on to the pole, which has the mean of the last row */
                const double f = (lat - last) / (90 - last), pole = sign > 0 ? mean : 180 - last;
                truth = (1 - f) * (sign * last + lon) + f * pole;
            }
            CHECK_AT_MOST(fabs(y[i * 240 + j] - truth), 4e-5);
        }
    gwf_remap_free(&remap);
    gwf_grid again = case_gaussian(64, 128);
    remap = make(GWF_REMAP_BILINEAR, &from, &again, 1);
    gwf_remap_apply(remap, x, y, 1);
    CU_ASSERT_EQUAL(memcmp(x, y, cells(&from) * sizeof *x), 0);
    gwf_remap_free(&remap);
    case_free(&from);
    case_free(&again);
    case_free(&to);
    free(x);
    free(y);
}

/* --- wind ----------------------------------------------------------------------------------- */

static void rotation_on(const gwf_grid *grid, const double axis[3], float *u, float *v)
{
    for (int i = 0; i < grid->nlat; i++)
        for (int j = 0; j < grid->nlon; j++) {
            double a, b;
            case_rotation(axis, grid->lat[i], grid->lon[j], &a, &b);
            u[i * grid->nlon + j] = (float)a;
            v[i * grid->nlon + j] = (float)b;
        }
}

typedef struct wind {
    float *u, *v;
} wind;

static wind make_wind(const gwf_grid *grid, const double axis[3])
{
    const wind w = {make_floats(cells(grid)), make_floats(cells(grid))};
    rotation_on(grid, axis, w.u, w.v);
    return w;
}

static void free_wind(wind w)
{
    free(w.u);
    free(w.v);
}

/* Largest length of the difference between two winds. */
static double difference(wind a, wind b, size_t n)
{
    double most = 0;
    for (size_t i = 0; i < n; i++) {
        const double d = hypot((double)a.u[i] - (double)b.u[i], (double)a.v[i] - (double)b.v[i]);
        if (!(d <= most)) most = d;
    }
    return most;
}

/* Of a rotation remapped from one grid to another, over all axes between pole and equator. */
static double wind_error(gwf_remap_kind kind, const gwf_grid *from, const gwf_grid *to, bool spoilt)
{
    double most = 0;
    gwf_remap *remap = make(kind, from, to, 2);
    for (int tilt = 0; tilt <= 90; tilt += 15) {
        const double a = tilt * case_pi / 180, axis[3] = {sin(a) * 0.8, sin(a) * 0.6, cos(a)};
        const wind x = make_wind(from, axis), truth = make_wind(to, axis), y = make_wind(to, axis);
        for (int j = 0; spoilt && j < from->nlon; j++) {
            const size_t last = cells(from) - (size_t)from->nlon + (size_t)j;
            x.u[j] = x.v[j] = 0;
            x.u[last] = 5;
            x.v[last] = -0.5f;
        }
        gwf_remap_apply_wind(remap, x.u, x.v, y.u, y.v, 1);
        const double d = difference(y, truth, cells(to));
        if (!(d <= most)) most = d;
        free_wind(x);
        free_wind(y);
        free_wind(truth);
    }
    gwf_remap_free(&remap);
    return most;
}

/* A vortex over the pole, beside it, and flow straight across it (speed 1). What is left are the
 * differences between a cell's mean and its centre. */
static void wind_over_the_poles(void)
{
    const gwf_remap_kind area = GWF_REMAP_CONSERVATIVE, line = GWF_REMAP_BILINEAR;
    const gwf_grid fine = case_regular(721, 90, -0.25, 1440, 0, 0.25);
    const gwf_grid poles = case_regular(121, 90, -1.5, 240, 0, 1.5);
    const gwf_grid no_poles = case_regular(120, -89.25, 1.5, 240, 0, 1.5);
    const gwf_grid turned = case_regular(121, 90, -1.5, 240, -180, 1.5);
    const gwf_grid t42 = case_gaussian(64, 128);
    CHECK_AT_MOST(wind_error(area, &fine, &t42, false), 3e-3);
    CHECK_AT_MOST(wind_error(area, &poles, &t42, false), 3e-3);
    CHECK_AT_MOST(wind_error(line, &poles, &t42, false), 3e-4);
    CHECK_AT_MOST(wind_error(line, &t42, &turned, false), 1e-3);
    CHECK_AT_MOST(wind_error(line, &no_poles, &turned, false), 3e-4);
    /* rows at the poles that hold no vector do no harm */
    CHECK_AT_MOST(wind_error(area, &poles, &t42, true), 3e-3);
    CHECK_AT_MOST(wind_error(line, &poles, &turned, true), 3e-4);
    const gwf_grid grids[] = {fine, poles, no_poles, turned, t42};
    for (int i = 0; i < 5; i++) case_free(&(gwf_grid){.lat = grids[i].lat, .lon = grids[i].lon});
}

/* Where the poles are as they should be, wind is remapped by components, bit by bit. */
static void components_elsewhere(void)
{
    gwf_grid from = case_regular(121, 90, -1.5, 240, 0, 1.5), to = case_gaussian(64, 128);
    const wind x = make_wind(&from, (double[]){0.6, 0, 0.8}),
               y = make_wind(&to, (double[]){1, 0, 0});
    const wind z = make_wind(&to, (double[]){1, 0, 0});
    gwf_remap *remap = make(GWF_REMAP_CONSERVATIVE, &from, &to, 2);
    gwf_remap_apply_wind(remap, x.u, x.v, y.u, y.v, 1);
    gwf_remap_apply(remap, x.u, z.u, 1);
    gwf_remap_apply(remap, x.v, z.v, 1);
    CU_ASSERT_EQUAL(memcmp(y.u, z.u, cells(&to) * sizeof *y.u), 0);
    CU_ASSERT_EQUAL(memcmp(y.v, z.v, cells(&to) * sizeof *y.v), 0);
    gwf_remap_free(&remap);
    free_wind(x);
    free_wind(y);
    free_wind(z);
    case_free(&from);
    case_free(&to);
}

int main(void)
{
    static const test_case tests[] = {
        {"area means and constants", conserves},
        {"cells within cells", nested_cells},
        {"origin and direction of the axes", origin_and_direction},
        {"missing values", missing_values},
        {"parts of the globe", parts_of_the_globe},
        {"bilinear", bilinear},
        {"wind over the poles", wind_over_the_poles},
        {"wind by components elsewhere", components_elsewhere},
    };
    return test_run("remap", tests, sizeof tests / sizeof *tests);
}
