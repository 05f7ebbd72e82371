/* A rectilinear grid of the globe or of a part of it, as it comes from a file or a model. */
#ifndef GWF_FIELDS_GRID_H
#define GWF_FIELDS_GRID_H

#include <stdbool.h>

#include "core/error.h"

typedef struct gwf_grid {
    int nlat, nlon;
    const double *lat; /* nlat, degrees north; rising or falling; borrowed, as all below */
    const double *lon; /* nlon, degrees east, rising (modulo 360), any origin, one round at most */
    /* Edges of the cells, or NULL: midway between the points, the outermost ones as far outside as
     * inside; a row that so comes within 0.4 spacings of a pole, or beyond it, ends at the pole. */
    const double *lat_edges; /* nlat + 1, in the order of lat */
    const double *lon_edges; /* nlon + 1, rising, around lon */
    /* Edges at the running sums of the Gaussian weights in sine of latitude (lat_edges NULL): the
     * area of a row is its weight. */
    bool gaussian;
} gwf_grid;

/* What a grid must be, as above; `what` ("source grid") begins the message. DATA names the place.
 */
gwf_status gwf_grid_check(const gwf_grid *grid, const char *what, gwf_error *err);

/* The latitudes are those of a Gaussian grid, within 1e-3 degrees (files hold floats). */
bool gwf_grid_is_gaussian(int nlat, const double *lat);

/* Sine of the latitude at the edges of the rows (nlat + 1 values, in the order of lat). MEMORY. */
gwf_status gwf_grid_sine_edges(const gwf_grid *grid, double *sine, gwf_error *err);

/* Longitude of the edges (nlon + 1 values, rising; the last is at most the first + 360). */
void gwf_grid_lon_edges(const gwf_grid *grid, double *edges);

/* Two places in degrees are one: within 0.01 degrees of latitude, and as far in longitude as that
 * is (east and west of a pole are one place). */
bool gwf_same_place(double lat_a, double lon_a, double lat_b, double lon_b);

/* The grid goes round the globe: its longitude cells cover 360 degrees. */
bool gwf_grid_is_global_in_lon(const gwf_grid *grid);

#endif
