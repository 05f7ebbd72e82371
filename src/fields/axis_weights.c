/* Weights along one axis: overlaps of cells (conservative), neighbours (bilinear). */
#include <math.h>
#include <stdlib.h>

#include "fields/axis_weights.h"

/* Of a destination cell: what may stay uncovered by rounding, and overlaps that are nothing but
 * rounding. */
static const double uncovered = 1e-6, sliver = 1e-9;

gwf_status gwf_sparse_create(int n, size_t links, gwf_sparse *rows, gwf_error *err)
{
    *rows = (gwf_sparse){.n = n,
                         .start = calloc((size_t)n + 1, sizeof *rows->start),
                         .index = calloc(links ? links : 1, sizeof *rows->index),
                         .weight = calloc(links ? links : 1, sizeof *rows->weight)};
    if (rows->start && rows->index && rows->weight) return GWF_OK;
    return gwf_fail(err, GWF_ERR_MEMORY, "out of memory for %zu remapping weights", links);
}

void gwf_sparse_free(gwf_sparse *rows)
{
    free(rows->start);
    free(rows->index);
    free(rows->weight);
    *rows = (gwf_sparse){0};
}

void gwf_sparse_add(gwf_sparse *rows, int row, int index, double weight)
{
    const size_t k = rows->start[row + 1]++;
    rows->index[k] = index;
    rows->weight[k] = weight;
}

/* The sum becomes 1. */
static void scale(gwf_sparse *rows, int row)
{
    double sum = 0;
    for (size_t k = rows->start[row]; k < rows->start[row + 1]; k++) sum += rows->weight[k];
    for (size_t k = rows->start[row]; k < rows->start[row + 1]; k++) rows->weight[k] /= sum;
}

/* --- overlaps ------------------------------------------------------------------------------- */

typedef struct span {
    double low, high;
} span;

/* Cell i between edges that rise or fall. */
static span cell(const double *edges, int i)
{
    const double a = edges[i], b = edges[i + 1];
    return a < b ? (span){a, b} : (span){b, a};
}

/* Append the n cells, moved by `shift`, that lie within `target`; the length that they cover. */
static double add_overlaps(gwf_sparse *rows, int row, span target, const double *edges, int n,
                           double shift)
{
    double covered = 0;
    const double least = sliver * (target.high - target.low);
    for (int k = 0; k < n; k++) {
        const span s = cell(edges, k);
        const double low = fmax(target.low, s.low + shift);
        const double length = fmin(target.high, s.high + shift) - low;
        if (!(length > least)) continue;
        gwf_sparse_add(rows, row, k, length);
        covered += length;
    }
    return covered;
}

static bool covers(double covered, span target)
{
    const double length = target.high - target.low;
    return covered >= (1 - uncovered) * length;
}

static gwf_status overlap_latitudes(const gwf_grid *source, const gwf_grid *destination,
                                    const double *from, const double *to, gwf_sparse *rows,
                                    gwf_error *err)
{
    /* neighbouring cells share an edge, so there are at most as many overlaps as cells of both */
    GWF_TRY(gwf_sparse_create(destination->nlat, (size_t)source->nlat + (size_t)destination->nlat,
                              rows, err));
    for (int i = 0; i < destination->nlat; i++) {
        rows->start[i + 1] = rows->start[i];
        const span target = cell(to, i);
        if (!covers(add_overlaps(rows, i, target, from, source->nlat, 0), target))
            return gwf_fail(err, GWF_ERR_DATA,
                            "the source's latitudes %g to %g do not cover the cell at latitude %g",
                            source->lat[0], source->lat[source->nlat - 1], destination->lat[i]);
        scale(rows, i);
    }
    return GWF_OK;
}

static gwf_status overlap_longitudes(const gwf_grid *source, const gwf_grid *destination,
                                     const double *from, const double *to, gwf_sparse *rows,
                                     gwf_error *err)
{
    const int n = source->nlon;
    GWF_TRY(gwf_sparse_create(destination->nlon, 2 * ((size_t)n + (size_t)destination->nlon) + 2,
                              rows, err));
    for (int j = 0; j < destination->nlon; j++) {
        rows->start[j + 1] = rows->start[j];
        const span target = cell(to, j);
        const double first = floor((target.low - from[n]) / 360) + 1;
        const double last = ceil((target.high - from[0]) / 360);
        double covered = 0;
        for (double round = first; round < last; round++)
            covered += add_overlaps(rows, j, target, from, n, 360 * round);
        if (!covers(covered, target))
            return gwf_fail(err, GWF_ERR_DATA,
                            "the source's longitudes %g to %g do not cover the cell at longitude "
                            "%g",
                            source->lon[0], source->lon[n - 1], destination->lon[j]);
        scale(rows, j);
    }
    return GWF_OK;
}

/* --- neighbours ----------------------------------------------------------------------------- */

static void add_pair(gwf_sparse *rows, int row, int low, int high, double fraction)
{
    if (fraction < 1) gwf_sparse_add(rows, row, low, 1 - fraction);
    if (fraction > 0) gwf_sparse_add(rows, row, high, fraction);
}

/* Files hold floats: a point this close (degrees) to a source's is the source's. */
static double fraction_between(double x, double a, double b)
{
    const double near = 1e-5;
    if (fabs(x - a) <= near) return 0;
    if (fabs(x - b) <= near) return 1;
    return (x - a) / (b - a);
}

/* Between the last row and the pole, where the source comes close enough. */
static bool add_polar(const gwf_grid *source, double lat, gwf_sparse *rows, int i)
{
    const int last = source->nlat - 1;
    const int row = (lat > 0) == (source->lat[last] > source->lat[0]) ? last : 0;
    const double edge = source->lat[row], spacing = fabs(edge - source->lat[row ? row - 1 : 1]);
    const double pole = copysign(90, lat);
    if (lat * edge <= 0 || fabs(edge) < 90 - 1.1 * spacing) return false;
    add_pair(rows, i, row, lat > 0 ? GWF_NORTH_POLE : GWF_SOUTH_POLE,
             fraction_between(lat, edge, pole));
    return true;
}

static gwf_status between_latitudes(const gwf_grid *source, const gwf_grid *destination,
                                    gwf_sparse *rows, gwf_error *err)
{
    const double *from = source->lat;
    GWF_TRY(gwf_sparse_create(destination->nlat, 2 * (size_t)destination->nlat, rows, err));
    for (int i = 0; i < destination->nlat; i++) {
        const double lat = destination->lat[i];
        rows->start[i + 1] = rows->start[i];
        int k = 0;
        while (k + 1 < source->nlat && (lat - from[k]) * (lat - from[k + 1]) > 0) k++;
        if (k + 1 < source->nlat)
            add_pair(rows, i, k, k + 1, fraction_between(lat, from[k], from[k + 1]));
        else if (!gwf_grid_is_global_in_lon(source) || !add_polar(source, lat, rows, i))
            return gwf_fail(err, GWF_ERR_DATA,
                            "the source's latitudes %g to %g do not reach latitude %g", from[0],
                            from[source->nlat - 1], lat);
    }
    return GWF_OK;
}

static gwf_status between_longitudes(const gwf_grid *source, const gwf_grid *destination,
                                     gwf_sparse *rows, gwf_error *err)
{
    const int n = source->nlon, pairs = gwf_grid_is_global_in_lon(source) ? n : n - 1;
    GWF_TRY(gwf_sparse_create(destination->nlon, 2 * (size_t)destination->nlon, rows, err));
    for (int j = 0; j < destination->nlon; j++) {
        const double lon = destination->lon[j];
        rows->start[j + 1] = rows->start[j];
        for (int k = 0; k < pairs && rows->start[j + 1] == rows->start[j]; k++) {
            const double a = source->lon[k], d = source->lon[(k + 1) % n] - a;
            const double width = d - 360 * floor(d / 360);
            const double x = remainder(lon - a - width / 2, 360) + width / 2;
            if (x >= -1e-5 && x <= width + 1e-5)
                add_pair(rows, j, k, (k + 1) % n, fraction_between(x, 0, width));
        }
        if (rows->start[j + 1] == rows->start[j])
            return gwf_fail(err, GWF_ERR_DATA,
                            "the source's longitudes %g to %g do not reach longitude %g",
                            source->lon[0], source->lon[n - 1], lon);
    }
    return GWF_OK;
}

/* --- one or the other ----------------------------------------------------------------------- */

/* Two arrays of edges. */
static gwf_status make_edges(int source, int destination, double *edges[2], gwf_error *err)
{
    edges[0] = calloc((size_t)source + 1, sizeof *edges[0]);
    edges[1] = calloc((size_t)destination + 1, sizeof *edges[1]);
    if (edges[0] && edges[1]) return GWF_OK;
    return gwf_fail(err, GWF_ERR_MEMORY, "out of memory for the edges of a grid");
}

gwf_status gwf_sparse_latitude(gwf_remap_kind kind, const gwf_grid *source,
                               const gwf_grid *destination, gwf_sparse *rows, gwf_error *err)
{
    if (kind == GWF_REMAP_BILINEAR) return between_latitudes(source, destination, rows, err);
    double *edges[2] = {NULL, NULL};
    gwf_status status = make_edges(source->nlat, destination->nlat, edges, err);
    if (status == GWF_OK) status = gwf_grid_sine_edges(source, edges[0], err);
    if (status == GWF_OK) status = gwf_grid_sine_edges(destination, edges[1], err);
    if (status == GWF_OK)
        status = overlap_latitudes(source, destination, edges[0], edges[1], rows, err);
    free(edges[0]);
    free(edges[1]);
    return status;
}

gwf_status gwf_sparse_longitude(gwf_remap_kind kind, const gwf_grid *source,
                                const gwf_grid *destination, gwf_sparse *rows, gwf_error *err)
{
    if (kind == GWF_REMAP_BILINEAR) return between_longitudes(source, destination, rows, err);
    double *edges[2] = {NULL, NULL};
    gwf_status status = make_edges(source->nlon, destination->nlon, edges, err);
    if (status == GWF_OK) {
        gwf_grid_lon_edges(source, edges[0]);
        gwf_grid_lon_edges(destination, edges[1]);
        status = overlap_longitudes(source, destination, edges[0], edges[1], rows, err);
    }
    free(edges[0]);
    free(edges[1]);
    return status;
}
