#include "coupling/standard_drag.h"

#include <stdlib.h>

#include "fields/tendency.h"

struct gwf_standard_drag {
    const gwf_model *model;
    gwf_column_grid grid;  /* its pressures are the next two */
    double *p, *p_half;    /* (levels, points), (levels + 1, points), Pa */
    float *flux;           /* (points), of a level */
    double *column, *half; /* (levels, points), (levels + 1, points) */
    double *tendency;      /* (levels, points) */
};

static double *doubles(int levels, int points)
{
    return calloc((size_t)levels * (size_t)points, sizeof(double));
}

static void standard_pressures(gwf_standard_drag *d)
{
    const size_t points = (size_t)d->grid.columns;
    for (int k = 0; k < d->grid.levels; k++)
        for (size_t c = 0; c < points; c++)
            d->p[(size_t)k * points + c] = gwf_level_pressure(&d->model->levels[k], 101325);
    gwf_interfaces_midway(d->p, d->grid.levels, d->grid.columns, NULL, d->p_half);
}

gwf_status gwf_standard_drag_create(const gwf_model *model, int points, gwf_standard_drag **result,
                                    gwf_error *err)
{
    const int levels = model->n_levels;
    gwf_standard_drag *d = calloc(1, sizeof *d);
    *result = d;
    if (d) {
        d->model = model;
        d->p = doubles(levels, points);
        d->p_half = doubles(levels + 1, points);
        d->flux = calloc((size_t)points, sizeof *d->flux);
        d->column = doubles(levels, points);
        d->half = doubles(levels + 1, points);
        d->tendency = doubles(levels, points);
    }
    if (!d || !d->p || !d->p_half || !d->flux || !d->column || !d->half || !d->tendency) {
        gwf_standard_drag_free(result);
        return gwf_fail(err, GWF_ERR_MEMORY, "no memory for the drag of a map");
    }
    d->grid = (gwf_column_grid){levels,          points,          d->p, d->p_half, GWF_EDGE_ZERO,
                                GWF_EDGE_LINEAR, model->flux_kind};
    standard_pressures(d);
    const gwf_status status = gwf_column_grid_check(&d->grid, err);
    if (status != GWF_OK) gwf_standard_drag_free(result);
    return status;
}

void gwf_standard_drag_free(gwf_standard_drag **result)
{
    gwf_standard_drag *d = *result;
    if (!d) return;
    free(d->p);
    free(d->p_half);
    free(d->flux);
    free(d->column);
    free(d->half);
    free(d->tendency);
    free(d);
    *result = NULL;
}

void gwf_standard_drag_of(gwf_standard_drag *d, const float *prediction, float *tendency)
{
    const int levels = d->grid.levels;
    const size_t points = (size_t)d->grid.columns, part = (size_t)levels * points;
    for (int i = 0; i < 2 * levels; i++) {
        const gwf_channel *channel = &d->model->out.channels[i];
        double *to = d->column + (size_t)(i % levels) * points;
        gwf_denormalise(channel->transform, channel->mu, channel->d,
                        prediction + (size_t)i * points, d->flux, (long)points);
        for (size_t c = 0; c < points; c++) to[c] = d->flux[c];
        if (i % levels < levels - 1) continue; /* the last level of a component */
        gwf_interface_flux(&d->grid, d->column, d->half);
        gwf_tendency(&d->grid, d->half, d->tendency);
        for (size_t c = 0; c < part; c++) *tendency++ = (float)d->tendency[c];
    }
}
