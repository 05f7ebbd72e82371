/* Grids: what is refused, and the edges of cells. */
#include "test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "grid_case.h"

/* Gauss's rule with n points integrates polynomials up to degree 2n - 1. */
static void gaussian_weights(void)
{
    enum { N = 64, ODD = 5 };
    double lat[N], weight[N];
    gwf_gaussian_latitudes(N, lat);
    gwf_gaussian_weights(N, weight);
    for (int power = 0; power <= 2 * N - 2; power += 2) {
        double sum = 0;
        for (int i = 0; i < N; i++) sum += weight[i] * pow(sin(lat[i] * case_pi / 180), power);
        CHECK_AT_MOST(fabs(sum - 2.0 / (power + 1)), 2e-14);
    }
    gwf_gaussian_weights(ODD, weight);
    CHECK_AT_MOST(fabs(weight[2] - 128.0 / 225), 1e-15);
    CHECK_AT_MOST(fabs(weight[0] - (322 - 13 * sqrt(70)) / 900), 1e-15);
}

static void gaussian_edges(void)
{
    enum { N = 64 };
    gwf_grid grid = case_gaussian(N, 128);
    gwf_error err = {0};
    double edges[N + 1], weight[N], sum = -1;
    gwf_gaussian_weights(N, weight);
    CHECK_OK(gwf_grid_check(&grid, "grid", &err), err);
    CHECK_OK(gwf_grid_sine_edges(&grid, edges, &err), err);
    CU_ASSERT_EQUAL(edges[0], -1);
    CU_ASSERT_EQUAL(edges[N / 2], 0);
    CU_ASSERT_EQUAL(edges[N], 1);
    for (int i = 0; i < N; i++) {
        sum += weight[i];
        CHECK_AT_MOST(fabs(edges[i + 1] - sum), 1e-13);
        const double at = sin(grid.lat[i] * case_pi / 180);
        CU_ASSERT_TRUE(edges[i] < at && at < edges[i + 1]);
    }
    CU_ASSERT_TRUE(gwf_grid_is_gaussian(N, grid.lat));
    ((double *)grid.lat)[5] += 0.01;
    CU_ASSERT_FALSE(gwf_grid_is_gaussian(N, grid.lat));
    CHECK_FAILS(gwf_grid_check(&grid, "grid", &err), GWF_ERR_DATA, err, "are not Gaussian");
    case_free(&grid);
}

static void check_sines(const gwf_grid *grid, const double *degrees)
{
    gwf_error err = {0};
    double edges[16];
    CHECK_OK(gwf_grid_check(grid, "grid", &err), err);
    CHECK_OK(gwf_grid_sine_edges(grid, edges, &err), err);
    for (int i = 0; i <= grid->nlat; i++)
        CHECK_AT_MOST(fabs(edges[i] - sin(degrees[i] * case_pi / 180)), 1e-15);
}

static void edges_of_rows(void)
{
    gwf_grid poles = case_regular(5, 90, -45, 4, 0, 90);
    check_sines(&poles, (double[]){90, 67.5, 22.5, -22.5, -67.5, -90});
    gwf_grid between = case_regular(4, -67.5, 45, 4, 0, 90);
    check_sines(&between, (double[]){-90, -45, 0, 45, 90});
    gwf_grid part = case_regular(3, 40, 10, 4, 0, 90);
    check_sines(&part, (double[]){35, 45, 55, 65});
    const double bounds[] = {-90, -50, 0, 50, 90};
    between.lat_edges = bounds;
    check_sines(&between, bounds);
    case_free(&poles);
    case_free(&between);
    case_free(&part);
}

static void check_lon(gwf_grid *grid, bool global, const double *edges)
{
    gwf_error err = {0};
    double found[8];
    CHECK_OK(gwf_grid_check(grid, "grid", &err), err);
    CU_ASSERT_EQUAL(gwf_grid_is_global_in_lon(grid), global);
    gwf_grid_lon_edges(grid, found);
    for (int i = 0; i <= grid->nlon; i++) CHECK_AT_MOST(fabs(found[i] - edges[i]), 1e-12);
    case_free(grid);
}

static void edges_of_columns(void)
{
    gwf_grid grid = case_regular(2, -45, 90, 4, 0, 90);
    check_lon(&grid, true, (double[]){-45, 45, 135, 225, 315});
    grid = case_regular(2, -45, 90, 4, -180, 90);
    check_lon(&grid, true, (double[]){-225, -135, -45, 45, 135});
    grid = case_regular(2, -45, 90, 3, 350, 10);
    ((double *)grid.lon)[1] = 0;
    ((double *)grid.lon)[2] = 10;
    check_lon(&grid, false, (double[]){345, 355, 365, 375});
}

static void refuse(double lat[3], double lon[3], const char *words)
{
    gwf_error err = {0};
    const gwf_grid grid = {.nlat = 3, .nlon = 3, .lat = lat, .lon = lon};
    CHECK_FAILS(gwf_grid_check(&grid, "source grid", &err), GWF_ERR_DATA, err, words);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "source grid: "));
}

static void refusals(void)
{
    double lat[] = {-10, 0, 10}, lon[] = {0, 120, 240}, up_down[] = {0, 10, 5}, same[] = {0, 0, 5};
    refuse(up_down, lon, "latitudes 1 and 2 are 10 and 5");
    refuse(same, lon, "latitudes 0 and 1 are 0 and 0");
    refuse((double[]){80, 90, 100}, lon, "latitude 2 is 100");
    refuse((double[]){0, NAN, 10}, lon, "latitude 1 is nan");
    refuse(lat, (double[]){240, 120, 0}, "longitudes 1 and 2 are 120 and 0");
    refuse(lat, (double[]){0, 180, 360}, "longitudes 1 and 2 are 180 and 360");
    refuse(lat, (double[]){0, 0, 10}, "longitudes 0 and 1 are 0 and 0");
    refuse(lat, (double[]){0, 120, INFINITY}, "longitude 2 is inf");
    gwf_error err = {0};
    gwf_grid grid = {.nlat = 1, .nlon = 3, .lat = lat, .lon = lon};
    CHECK_FAILS(gwf_grid_check(&grid, "grid", &err), GWF_ERR_DATA, err, "1 latitudes");
    grid.nlat = 3;
    grid.lat_edges = (double[]){-15, -5, 5, 4};
    CHECK_FAILS(gwf_grid_check(&grid, "grid", &err), GWF_ERR_DATA, err,
                "latitude 10 has the bounds");
    grid.lat_edges = NULL;
    grid.lon_edges = (double[]){-60, 60, 180, 310};
    CHECK_FAILS(gwf_grid_check(&grid, "grid", &err), GWF_ERR_DATA, err,
                "longitude 240 has the bounds 180 and 310");
    grid.lon_edges = (double[]){300, 420, 540, 660};
    CHECK_OK(gwf_grid_check(&grid, "grid", &err), err);
}

int main(void)
{
    static const test_case tests[] = {
        {"Gaussian weights", gaussian_weights}, {"Gaussian edges", gaussian_edges},
        {"edges of rows", edges_of_rows},       {"edges of columns", edges_of_columns},
        {"what is refused", refusals},
    };
    return test_run("grid", tests, sizeof tests / sizeof *tests);
}
