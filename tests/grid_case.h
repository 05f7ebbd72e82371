/* Grids for the tests of fields/. */
#ifndef GWF_TESTS_GRID_CASE_H
#define GWF_TESTS_GRID_CASE_H

#include <math.h>
#include <stdlib.h>

#include "fields/grid.h"
#include "model/model.h"

static const double case_pi = 3.14159265358979323846;

/* Latitudes from `first` by `step` and longitudes likewise; case_free() frees. */
static inline gwf_grid case_regular(int nlat, double lat, double dlat, int nlon, double lon,
                                    double dlon)
{
    double *lats = malloc((size_t)nlat * sizeof *lats), *lons = malloc((size_t)nlon * sizeof *lons);
    if (!lats || !lons) abort();
    for (int i = 0; i < nlat; i++) lats[i] = lat + dlat * i;
    for (int i = 0; i < nlon; i++) lons[i] = lon + dlon * i;
    return (gwf_grid){.nlat = nlat, .nlon = nlon, .lat = lats, .lon = lons};
}

/* Gaussian, south to north, from longitude 0. */
static inline gwf_grid case_gaussian(int nlat, int nlon)
{
    double *lats = malloc((size_t)nlat * sizeof *lats), *lons = malloc((size_t)nlon * sizeof *lons);
    if (!lats || !lons) abort();
    gwf_gaussian_latitudes(nlat, lats);
    for (int i = 0; i < nlon; i++) lons[i] = 360.0 * i / nlon;
    return (gwf_grid){.nlat = nlat, .nlon = nlon, .lat = lats, .lon = lons, .gaussian = true};
}

static inline void case_free(gwf_grid *grid)
{
    free((double *)grid->lat);
    free((double *)grid->lon);
}

/* -1 .. 1, the same on every machine. */
static inline double case_random(unsigned long long *state)
{
    *state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (double)(*state >> 33) / (double)(1ULL << 30) - 1;
}

/* Solid rotation about an axis (unit vector): the wind, speed 1 on its equator. Smooth on the
 * sphere, so a vortex about a pole when the axis is the Earth's, and a flow straight over the pole
 * when it lies in the equator. */
static inline void case_rotation(const double axis[3], double lat, double lon, double *u, double *v)
{
    const double p = lat * case_pi / 180, l = lon * case_pi / 180;
    const double r[3] = {cos(p) * cos(l), cos(p) * sin(l), sin(p)};
    const double w[3] = {axis[1] * r[2] - axis[2] * r[1], axis[2] * r[0] - axis[0] * r[2],
                         axis[0] * r[1] - axis[1] * r[0]};
    *u = -w[0] * sin(l) + w[1] * cos(l);
    *v = -w[0] * sin(p) * cos(l) - w[1] * sin(p) * sin(l) + w[2] * cos(p);
}

#endif
