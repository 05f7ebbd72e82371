/* Where a rectilinear grid meets the poles. */
#include <math.h>
#include <stdlib.h>

#include "fields/axis_weights.h"

static void find_rows(const gwf_grid *grid, gwf_poles *poles)
{
    const bool rising = grid->lat[1] > grid->lat[0];
    const int last = grid->nlat - 1;
    for (int north = 0; north < 2; north++) {
        const bool end = (north == 1) == rising;
        poles->row[north] = end ? last : 0;
        poles->next[north] = end ? last - 1 : 1;
        poles->at_pole[north] = fabs(grid->lat[poles->row[north]]) > 90 - 1e-3;
        poles->inner[end] = poles->row[north] + (poles->at_pole[north] ? (end ? -1 : 1) : 0);
    }
}

gwf_status gwf_poles_create(const gwf_grid *grid, gwf_poles *poles, gwf_error *err)
{
    const double to_radians = acos(-1) / 180;
    const size_t n = (size_t)grid->nlon;
    double *edges = calloc(n + 1, sizeof *edges);
    *poles = (gwf_poles){.share = calloc(n, sizeof(double)),
                         .cosine = calloc(n, sizeof(double)),
                         .sine = calloc(n, sizeof(double))};
    if (!edges || !poles->share || !poles->cosine || !poles->sine) {
        free(edges);
        return gwf_fail(err, GWF_ERR_MEMORY, "out of memory for %zu longitudes", n);
    }
    gwf_grid_lon_edges(grid, edges);
    for (size_t k = 0; k < n; k++) {
        poles->share[k] = (edges[k + 1] - edges[k]) / (edges[n] - edges[0]);
        poles->cosine[k] = cos(grid->lon[k] * to_radians);
        poles->sine[k] = sin(grid->lon[k] * to_radians);
    }
    free(edges);
    find_rows(grid, poles);
    /* a part of the globe's round tells nothing of the pole */
    if (!gwf_grid_is_global_in_lon(grid)) poles->at_pole[0] = poles->at_pole[1] = false;
    return GWF_OK;
}

void gwf_poles_free(gwf_poles *poles)
{
    free(poles->share);
    free(poles->cosine);
    free(poles->sine);
    *poles = (gwf_poles){0};
}
