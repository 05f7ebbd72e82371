#include "fields/tendency.h"

#include <math.h>
#include <stdbool.h>

#include "fields/vertical.h"

static size_t place(const gwf_column_grid *grid, int level, int column)
{
    return (size_t)level * (size_t)grid->columns + (size_t)column;
}

/* Interface k lies above level k; false as well for NaN. */
static bool in_order(const gwf_column_grid *grid, int k, int c)
{
    const double above = grid->p_half[place(grid, k, c)];
    const double below = grid->p_half[place(grid, k + 1, c)];
    const double p = grid->p[place(grid, k, c)];
    return above >= 0 && above < below && below < INFINITY && above <= p && p <= below &&
           (k == 0 || grid->p[place(grid, k - 1, c)] < p);
}

gwf_status gwf_column_grid_check(const gwf_column_grid *grid, gwf_error *err)
{
    if (grid->levels < 2 || grid->columns < 1)
        return gwf_fail(err, GWF_ERR_ARGUMENT,
                        "tendency: %d levels of %d columns, expected two levels or more",
                        grid->levels, grid->columns);
    for (int k = 0; k < grid->levels; k++)
        for (int c = 0; c < grid->columns; c++)
            if (!in_order(grid, k, c))
                return gwf_fail(err, GWF_ERR_DATA,
                                "tendency: level %d, column %d: pressure %g Pa between interfaces "
                                "at %g and %g Pa, expected rising from the top down",
                                k, c, grid->p[place(grid, k, c)], grid->p_half[place(grid, k, c)],
                                grid->p_half[place(grid, k + 1, c)]);
    return GWF_OK;
}

/* The flux at interface h of column c on the line through levels a and a + 1. */
static double on_line(const gwf_column_grid *grid, const double *flux, int a, int h, int c)
{
    const size_t i = place(grid, a, c), next = place(grid, a + 1, c);
    const double f = (grid->p_half[place(grid, h, c)] - grid->p[i]) / (grid->p[next] - grid->p[i]);
    return flux[i] + (flux[next] - flux[i]) * f;
}

/* What goes through the uppermost or lowest interface. */
static double at_edge(const gwf_column_grid *grid, const double *flux, gwf_edge edge, int h, int c)
{
    const int outer = h == 0 ? 0 : grid->levels - 1, pair = h == 0 ? 0 : grid->levels - 2;
    switch (edge) {
    case GWF_EDGE_ZERO:
        return 0;
    case GWF_EDGE_CONSTANT:
        return flux[place(grid, outer, c)];
    case GWF_EDGE_LINEAR:
        break;
    }
    return on_line(grid, flux, pair, h, c);
}

void gwf_interface_flux(const gwf_column_grid *grid, const double *flux, double *half)
{
    const int n = grid->levels;
    for (int h = 0; h <= n; h++)
        for (int c = 0; c < grid->columns; c++) {
            double *const value = &half[place(grid, h, c)];
            if (h == 0)
                *value = at_edge(grid, flux, grid->top, h, c);
            else if (h == n)
                *value = at_edge(grid, flux, grid->bottom, h, c);
            else
                *value = on_line(grid, flux, h - 1, h, c);
        }
}

void gwf_tendency(const gwf_column_grid *grid, const double *half, double *tendency)
{
    const double factor = grid->kind == GWF_RHO_UW ? GWF_GRAVITY : -1;
    for (int k = 0; k < grid->levels; k++)
        for (int c = 0; c < grid->columns; c++) {
            const size_t above = place(grid, k, c), below = place(grid, k + 1, c);
            const double dp = grid->p_half[below] - grid->p_half[above];
            tendency[above] = gwf_layer_tendency(factor / dp, half[above], half[below]);
        }
}

void gwf_interfaces_midway(const double *p, int levels, int columns, const double *surface_pressure,
                           double *p_half)
{
    const gwf_column_grid grid = {.levels = levels, .columns = columns};
    for (int c = 0; c < columns; c++) {
        const double first = p[place(&grid, 0, c)], last = p[place(&grid, levels - 1, c)];
        for (int k = 1; k < levels; k++)
            p_half[place(&grid, k, c)] = (p[place(&grid, k - 1, c)] + p[place(&grid, k, c)]) / 2;
        p_half[place(&grid, 0, c)] = fmax(0, 2 * first - p_half[place(&grid, 1, c)]);
        p_half[place(&grid, levels, c)] =
            surface_pressure ? surface_pressure[c] : 2 * last - p_half[place(&grid, levels - 1, c)];
    }
}
