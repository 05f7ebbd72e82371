/* Tendencies against analytic profiles, and the budget of a column. */
#include "test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fields/tendency.h"
#include "fields/vertical.h"
#include "grid_case.h"

enum { COLUMNS = 3 };

typedef struct column_case {
    gwf_column_grid grid;
    double *p, *p_half, *flux, *half, *tendency;
} column_case;

static double *make(int levels)
{
    double *values = malloc((size_t)levels * COLUMNS * sizeof *values);
    if (!values) abort();
    for (int i = 0; i < levels * COLUMNS; i++) values[i] = NAN;
    return values;
}

/* Levels midway between interfaces that are evenly spaced from 0 to 1000 hPa. */
static column_case even(int levels)
{
    column_case a = {.p = make(levels),
                     .p_half = make(levels + 1),
                     .flux = make(levels),
                     .half = make(levels + 1),
                     .tendency = make(levels)};
    for (int c = 0; c < COLUMNS; c++) {
        for (int k = 0; k <= levels; k++) a.p_half[k * COLUMNS + c] = 100000.0 * k / levels;
        for (int k = 0; k < levels; k++) a.p[k * COLUMNS + c] = 100000.0 * (k + 0.5) / levels;
    }
    a.grid = (gwf_column_grid){levels,        COLUMNS,         a.p,       a.p_half,
                               GWF_EDGE_ZERO, GWF_EDGE_LINEAR, GWF_RHO_UW};
    return a;
}

static void free_case(column_case *a)
{
    free(a->p);
    free(a->p_half);
    free(a->flux);
    free(a->half);
    free(a->tendency);
}

static void run(column_case *a)
{
    gwf_error err = {0};
    CHECK_OK(gwf_column_grid_check(&a->grid, &err), err);
    gwf_interface_flux(&a->grid, a->flux, a->half);
    gwf_tendency(&a->grid, a->half, a->tendency);
}

/* A westward flux that grows downward, -2 mPa at 1000 hPa and none at the top: it decays upward, so
 * the wind is slowed everywhere alike, by g times 2 mPa / 1000 hPa. */
static void known_divergence(void)
{
    column_case a = even(40);
    for (int i = 0; i < 40 * COLUMNS; i++) a.flux[i] = -2e-3 * a.p[i] / 100000;
    run(&a);
    const double truth = -9.80665 * 2e-3 / 100000;
    for (int i = 0; i < 40 * COLUMNS; i++)
        CHECK_AT_MOST(fabs(a.tendency[i] - truth), 1e-6 * fabs(truth));
    /* the same as u'omega' = -g rho u'w' */
    for (int i = 0; i < 40 * COLUMNS; i++) a.flux[i] *= -9.80665;
    a.grid.kind = GWF_U_OMEGA;
    run(&a);
    for (int i = 0; i < 40 * COLUMNS; i++)
        CHECK_AT_MOST(fabs(a.tendency[i] - truth), 1e-6 * fabs(truth));
    free_case(&a);
}

/* A flux that ends in a layer around 400 hPa: F = F0 (1 + tanh((p - 400 hPa) / 50 hPa)) / 2. */
static void smooth_profile(void)
{
    enum { LEVELS = 20000 }; /* second order in their thickness, first order at the edges */
    column_case a = even(LEVELS);
    const double f0 = 5e-3, centre = 40000, width = 5000, peak = 9.80665 * f0 / 2 / width;
    for (int i = 0; i < LEVELS * COLUMNS; i++)
        a.flux[i] = f0 / 2 * (1 + tanh((a.p[i] - centre) / width));
    a.grid.top = GWF_EDGE_LINEAR;
    run(&a);
    for (int i = 0; i < LEVELS * COLUMNS; i++) {
        const double c = cosh((a.p[i] - centre) / width);
        CHECK_AT_MOST(fabs(a.tendency[i] - peak / (c * c)), 1e-6 * peak);
    }
    free_case(&a);
}

/* On the model's levels, with random fluxes and every choice of edges: what a column gains is what
 * goes in below less what goes out above. */
static void check_budget(gwf_edge top, gwf_edge bottom, gwf_flux_kind kind)
{
    unsigned long long seed = 11;
    const double ps[COLUMNS] = {101325, 85000, 52000};
    column_case a = even(GWF_LEVELS);
    gwf_hybrid_pressure(gwf_level_at(0), GWF_LEVELS, ps, COLUMNS, a.p);
    gwf_interfaces_midway(a.p, GWF_LEVELS, COLUMNS, ps, a.p_half);
    for (int i = 0; i < GWF_LEVELS * COLUMNS; i++) a.flux[i] = 1e-3 * case_random(&seed);
    a.grid.top = top;
    a.grid.bottom = bottom;
    a.grid.kind = kind;
    run(&a);
    for (int c = 0; c < COLUMNS; c++) {
        double gained = 0, size = 0;
        for (int k = 0; k < GWF_LEVELS; k++) {
            const double dp = a.p_half[(k + 1) * COLUMNS + c] - a.p_half[k * COLUMNS + c];
            const double factor = kind == GWF_RHO_UW ? 9.80665 : -1;
            gained += dp / factor * a.tendency[k * COLUMNS + c];
            size = fmax(size, fabs(dp / factor * a.tendency[k * COLUMNS + c]));
        }
        const double in = a.half[GWF_LEVELS * COLUMNS + c], out = a.half[c];
        CHECK_AT_MOST(fabs(gained - (in - out)), 1e-12 * size);
        if (top == GWF_EDGE_ZERO) CU_ASSERT_EQUAL(out, 0);
        if (top == GWF_EDGE_CONSTANT) CU_ASSERT_EQUAL(out, a.flux[c]);
        if (bottom == GWF_EDGE_ZERO) CU_ASSERT_EQUAL(in, 0);
        if (bottom == GWF_EDGE_CONSTANT)
            CU_ASSERT_EQUAL(in, a.flux[(GWF_LEVELS - 1) * COLUMNS + c]);
    }
    free_case(&a);
}

static void budget(void)
{
    for (int top = GWF_EDGE_ZERO; top <= GWF_EDGE_LINEAR; top++)
        for (int bottom = GWF_EDGE_ZERO; bottom <= GWF_EDGE_LINEAR; bottom++) {
            check_budget((gwf_edge)top, (gwf_edge)bottom, GWF_RHO_UW);
            check_budget((gwf_edge)top, (gwf_edge)bottom, GWF_U_OMEGA);
        }
}

static void interfaces_midway(void)
{
    const double p[6] = {100, 500, 200, 3000, 400, 7000}, ps[2] = {600, 9000};
    double half[8];
    gwf_interfaces_midway(p, 3, 2, ps, half);
    const double truth[8] = {50, 0, 150, 1750, 300, 5000, 600, 9000};
    for (int i = 0; i < 8; i++) CHECK_AT_MOST(fabs(half[i] - truth[i]), 1e-10);
    gwf_interfaces_midway(p, 3, 2, NULL, half);
    CHECK_AT_MOST(fabs(half[6] - 500), 1e-10);
    CHECK_AT_MOST(fabs(half[7] - 9000), 1e-10);
}

static void refuse(int which, int at, double value, const char *words)
{
    gwf_error err = {0};
    column_case a = even(4);
    (which ? a.p_half : a.p)[at] = value;
    CHECK_FAILS(gwf_column_grid_check(&a.grid, &err), GWF_ERR_DATA, err, words);
    free_case(&a);
}

static void refusals(void)
{
    gwf_error err = {0};
    refuse(0, 4, 60000,
           "level 1, column 1: pressure 60000 Pa between interfaces at 25000 and 50000");
    refuse(0, 4, NAN, "level 1, column 1: pressure nan");
    refuse(1, 14, 70000, "level 3, column 2");
    refuse(1, 0, -1, "level 0, column 0");
    refuse(1, 13, INFINITY, "level 3, column 1");
    const gwf_column_grid one = {.levels = 1, .columns = 1};
    CHECK_FAILS(gwf_column_grid_check(&one, &err), GWF_ERR_ARGUMENT, err, "1 levels");
}

int main(void)
{
    static const test_case tests[] = {
        {"a known divergence", known_divergence},
        {"a smooth profile", smooth_profile},
        {"the budget of a column", budget},
        {"interfaces midway", interfaces_midway},
        {"what is refused", refusals},
    };
    return test_run("tendency", tests, sizeof tests / sizeof *tests);
}
