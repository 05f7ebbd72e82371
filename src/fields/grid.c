#include "fields/grid.h"

#include <math.h>
#include <stdlib.h>

#include "model/model.h"

enum { AXIS_MOST = 1 << 16 };
static const double to_radians = 3.14159265358979323846 / 180;
static const double slack = 1e-6; /* degrees: axes come as floats */

/* Degrees from longitude i to the next one eastward. */
static double step(const gwf_grid *grid, int i)
{
    const double d = grid->lon[i + 1] - grid->lon[i];
    return d - 360 * floor(d / 360);
}

static gwf_status check_lat(const gwf_grid *grid, const char *what, gwf_error *err)
{
    const double *lat = grid->lat;
    const bool rising = lat[1] > lat[0];
    for (int i = 0; i < grid->nlat; i++) {
        if (!(fabs(lat[i]) <= 90 + slack))
            return gwf_fail(err, GWF_ERR_DATA, "%s: latitude %d is %g, expected -90 to 90", what, i,
                            lat[i]);
        if (i > 0 && !(rising ? lat[i] > lat[i - 1] : lat[i] < lat[i - 1]))
            return gwf_fail(err, GWF_ERR_DATA,
                            "%s: latitudes %d and %d are %g and %g, expected all rising or all "
                            "falling",
                            what, i - 1, i, lat[i - 1], lat[i]);
    }
    return GWF_OK;
}

static gwf_status check_lon(const gwf_grid *grid, const char *what, gwf_error *err)
{
    const double *lon = grid->lon;
    double round = 0;
    for (int i = 0; i < grid->nlon; i++) {
        if (!(fabs(lon[i]) <= 720))
            return gwf_fail(err, GWF_ERR_DATA, "%s: longitude %d is %g, expected degrees east",
                            what, i, lon[i]);
        if (i == 0) continue;
        round += step(grid, i - 1);
        if (!(step(grid, i - 1) > 0 && round < 360 - slack))
            return gwf_fail(err, GWF_ERR_DATA,
                            "%s: longitudes %d and %d are %g and %g, expected rising, once round "
                            "the globe at most",
                            what, i - 1, i, lon[i - 1], lon[i]);
    }
    return GWF_OK;
}

static gwf_status check_lat_edges(const gwf_grid *grid, const char *what, gwf_error *err)
{
    const double *edges = grid->lat_edges;
    if (!edges) return GWF_OK;
    const double sign = grid->lat[1] > grid->lat[0] ? 1 : -1;
    for (int i = 0; i < grid->nlat; i++) {
        const double a = sign * edges[i], b = sign * edges[i + 1], x = sign * grid->lat[i];
        if (!(a < b && a <= x + slack && x <= b + slack && fabs(a) <= 90 + slack &&
              fabs(b) <= 90 + slack))
            return gwf_fail(err, GWF_ERR_DATA,
                            "%s: the row at latitude %g has the bounds %g and %g", what,
                            grid->lat[i], edges[i], edges[i + 1]);
    }
    return GWF_OK;
}

static gwf_status check_lon_edges(const gwf_grid *grid, const char *what, gwf_error *err)
{
    const double *edges = grid->lon_edges;
    for (int i = 0; edges && i < grid->nlon; i++) {
        const double place = remainder(grid->lon[i] - 0.5 * (edges[i] + edges[i + 1]), 360);
        const double half = 0.5 * (edges[i + 1] - edges[i]);
        if (!(half > 0 && fabs(edges[i]) <= 1080 && fabs(place) <= half + slack &&
              edges[i + 1] - edges[0] <= 360 + slack))
            return gwf_fail(err, GWF_ERR_DATA,
                            "%s: the cell at longitude %g has the bounds %g and %g", what,
                            grid->lon[i], edges[i], edges[i + 1]);
    }
    return GWF_OK;
}

gwf_status gwf_grid_check(const gwf_grid *grid, const char *what, gwf_error *err)
{
    if (grid->nlat < 2 || grid->nlon < 2 || grid->nlat > AXIS_MOST || grid->nlon > AXIS_MOST)
        return gwf_fail(err, GWF_ERR_DATA,
                        "%s: %d latitudes, %d longitudes, expected 2 to %d of each", what,
                        grid->nlat, grid->nlon, AXIS_MOST);
    GWF_TRY(check_lat(grid, what, err));
    GWF_TRY(check_lon(grid, what, err));
    GWF_TRY(check_lat_edges(grid, what, err));
    GWF_TRY(check_lon_edges(grid, what, err));
    if (!grid->gaussian || grid->lat_edges || gwf_grid_is_gaussian(grid->nlat, grid->lat))
        return GWF_OK;
    return gwf_fail(err, GWF_ERR_DATA, "%s: its %d latitudes are not Gaussian", what, grid->nlat);
}

bool gwf_grid_is_gaussian(int nlat, const double *lat)
{
    double *gaussian = malloc((size_t)nlat * sizeof *gaussian);
    if (!gaussian) return false;
    gwf_gaussian_latitudes(nlat, gaussian);
    bool same = true;
    const bool rising = lat[nlat - 1] > lat[0];
    for (int i = 0; i < nlat; i++)
        if (!(fabs(lat[i] - gaussian[rising ? i : nlat - 1 - i]) <= 1e-3)) same = false;
    free(gaussian);
    return same;
}

/* The outer edge of the row at `lat` whose inner neighbour is at `next`, degrees. */
static double outer_edge(double lat, double next)
{
    const double spacing = fabs(lat - next), edge = lat + (lat - next) / 2;
    return fabs(edge) >= 90 - 0.4 * spacing ? copysign(90, lat - next) : edge;
}

static double sine(double degrees)
{
    return fabs(degrees) >= 90 ? copysign(1, degrees) : sin(degrees * to_radians);
}

static gwf_status gaussian_edges(const gwf_grid *grid, double *edges, gwf_error *err)
{
    const int n = grid->nlat;
    double *weights = malloc((size_t)n * sizeof *weights);
    if (!weights) return gwf_fail(err, GWF_ERR_MEMORY, "out of memory for %d latitudes", n);
    gwf_gaussian_weights(n, weights);
    /* From both ends, so that the two hemispheres are alike and the outer edges are the poles. */
    const double south = grid->lat[1] > grid->lat[0] ? -1 : 1;
    edges[0] = south;
    edges[n] = -south;
    for (int i = 0; i < n / 2; i++) {
        edges[i + 1] = edges[i] - south * weights[i];
        edges[n - i - 1] = -edges[i + 1];
    }
    if (n % 2 == 0) edges[n / 2] = 0;
    free(weights);
    return GWF_OK;
}

gwf_status gwf_grid_sine_edges(const gwf_grid *grid, double *edges, gwf_error *err)
{
    const int n = grid->nlat;
    const double *lat = grid->lat;
    if (!grid->lat_edges && grid->gaussian) return gaussian_edges(grid, edges, err);
    for (int i = 0; i <= n; i++) {
        double degrees;
        if (grid->lat_edges)
            degrees = grid->lat_edges[i];
        else if (i == 0)
            degrees = outer_edge(lat[0], lat[1]);
        else if (i == n)
            degrees = outer_edge(lat[n - 1], lat[n - 2]);
        else
            degrees = (lat[i - 1] + lat[i]) / 2;
        edges[i] = sine(degrees);
    }
    return GWF_OK;
}

/* Degrees from the first longitude to the last one, and the widest step between two. */
static double extent(const gwf_grid *grid, double *widest)
{
    double total = 0;
    *widest = 0;
    for (int i = 0; i + 1 < grid->nlon; i++) {
        total += step(grid, i);
        *widest = fmax(*widest, step(grid, i));
    }
    return total;
}

bool gwf_grid_is_global_in_lon(const gwf_grid *grid)
{
    double widest;
    if (grid->lon_edges) return grid->lon_edges[grid->nlon] - grid->lon_edges[0] >= 360 - slack;
    return 360 - extent(grid, &widest) <= 1.1 * widest;
}

void gwf_grid_lon_edges(const gwf_grid *grid, double *edges)
{
    const int n = grid->nlon;
    double widest, at = grid->lon[0];
    const double seam = 360 - extent(grid, &widest);
    const bool global = gwf_grid_is_global_in_lon(grid);
    for (int i = 0; i <= n && grid->lon_edges; i++) edges[i] = grid->lon_edges[i];
    if (grid->lon_edges) return;
    edges[0] = at - (global ? seam : step(grid, 0)) / 2;
    for (int i = 1; i < n; i++) {
        edges[i] = at + step(grid, i - 1) / 2;
        at += step(grid, i - 1);
    }
    edges[n] = global ? edges[0] + 360 : at + step(grid, n - 2) / 2;
}

bool gwf_same_place(double lat_a, double lon_a, double lat_b, double lon_b)
{
    const double same = 0.01, east = remainder(lon_a - lon_b, 360) * cos(lat_b * to_radians);
    return fabs(lat_a - lat_b) <= same && fabs(east) <= same;
}
