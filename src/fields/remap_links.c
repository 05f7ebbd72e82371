/* Remapping by the weights of a file: links from source cells to destination cells. */
#include <math.h>
#include <stdlib.h>

#include "fields/remap_internal.h"
#include "fields/threads.h"

static const double to_radians = 3.14159265358979323846 / 180;
static const double same_place = 0.01;                            /* degrees */
static const double most_turn = 5 * 3.14159265358979323846 / 180; /* left to the components */

/* --- agreement with the data's grid --------------------------------------------------------- */

/* East and west of a pole are one place; near it longitudes stand closer. */
static bool same(double lat_a, double lon_a, double lat_b, double lon_b)
{
    const double east = remainder(lon_a - lon_b, 360) * cos(lat_b * to_radians);
    return fabs(lat_a - lat_b) <= same_place && fabs(east) <= same_place;
}

/* lat, lon: the n cell centres of the file. */
static gwf_status check_grid(const char *what, const gwf_grid *grid, size_t n, const double *lat,
                             const double *lon, gwf_error *err)
{
    GWF_TRY(gwf_grid_check(grid, what, err));
    const size_t cells = (size_t)grid->nlat * (size_t)grid->nlon, nlon = (size_t)grid->nlon;
    if (n != cells)
        return gwf_fail(err, GWF_ERR_MISMATCH, "%s: %d x %d = %zu cells, the weights have %zu",
                        what, grid->nlat, grid->nlon, cells, n);
    for (size_t i = 0; i < n; i++)
        if (!same(lat[i], lon[i], grid->lat[i / nlon], grid->lon[i % nlon]))
            return gwf_fail(
                err, GWF_ERR_MISMATCH,
                "%s: cell %zu is at latitude %g, longitude %g, in the weights at %g, %g", what, i,
                grid->lat[i / nlon], grid->lon[i % nlon], lat[i], lon[i]);
    return GWF_OK;
}

gwf_status gwf_remap_check_source(const gwf_weights *weights, const double *lat, const double *lon,
                                  gwf_error *err)
{
    for (size_t i = 0; i < weights->n_source; i++)
        if (!same(weights->source_lat[i], weights->source_lon[i], lat[i], lon[i]))
            return gwf_fail(
                err, GWF_ERR_MISMATCH,
                "source cell %zu is at latitude %g, longitude %g, in the weights at %g, "
                "%g",
                i, lat[i], lon[i], weights->source_lat[i], weights->source_lon[i]);
    return GWF_OK;
}

/* --- links sorted by destination ------------------------------------------------------------ */

static void sort_links(const gwf_weights *w, gwf_sparse *rows)
{
    size_t *start = rows->start;
    for (size_t k = 0; k < w->n_links; k++)
        if (w->weight[k] != 0) start[w->destination[k] + 1]++;
    for (int i = 0; i < rows->n; i++) start[i + 1] += start[i];
    for (size_t k = 0; k < w->n_links; k++) {
        if (w->weight[k] == 0) continue;
        const size_t at = start[w->destination[k]]++;
        rows->index[at] = w->source[k];
        rows->weight[at] = w->weight[k];
    }
    for (int i = rows->n; i > 0; i--) start[i] = start[i - 1];
    start[0] = 0;
}

static gwf_status check_sums(const gwf_sparse *rows, const gwf_weights *w, gwf_error *err)
{
    for (int i = 0; i < rows->n; i++) {
        double sum = 0;
        for (size_t k = rows->start[i]; k < rows->start[i + 1]; k++) sum += rows->weight[k];
        if (!(fabs(sum - 1) <= 0.01))
            return gwf_fail(err, GWF_ERR_DATA,
                            "weights: those of destination cell %d (latitude %g, longitude %g) "
                            "sum to %g, expected 1: masked, or not covered by the source",
                            i, w->destination_lat[i], w->destination_lon[i], sum);
    }
    return GWF_OK;
}

/* --- wind ----------------------------------------------------------------------------------- */

/* How much the course of a great circle turns from a source to a destination cell: Napier's
 * analogies for the triangle of the two and the pole. */
static double turn(const gwf_weights *w, int source, int destination)
{
    const double a = w->source_lat[source] * to_radians;
    const double b = w->destination_lat[destination] * to_radians;
    const double east =
        remainder(w->destination_lon[destination] - w->source_lon[source], 360) * to_radians;
    return 2 * atan2(sin(east / 2) * sin((a + b) / 2), cos(east / 2) * cos((a - b) / 2));
}

static gwf_status make_turns(const gwf_weights *w, gwf_remap *r, gwf_error *err)
{
    const gwf_sparse *rows = &r->links;
    const size_t n = rows->start[rows->n];
    r->turn_cos = calloc(n ? n : 1, sizeof *r->turn_cos);
    r->turn_sin = calloc(n ? n : 1, sizeof *r->turn_sin);
    if (!r->turn_cos || !r->turn_sin)
        return gwf_fail(err, GWF_ERR_MEMORY, "out of memory for %zu remapping weights", n);
    for (int i = 0; i < rows->n; i++) {
        double most = 0;
        for (size_t k = rows->start[i]; k < rows->start[i + 1]; k++)
            most = fmax(most, fabs(turn(w, rows->index[k], i)));
        for (size_t k = rows->start[i]; k < rows->start[i + 1]; k++) {
            const double angle = most > most_turn ? turn(w, rows->index[k], i) : 0;
            r->turn_cos[k] = rows->weight[k] * cos(angle);
            r->turn_sin[k] = rows->weight[k] * sin(angle);
        }
    }
    return GWF_OK;
}

/* --- making and applying -------------------------------------------------------------------- */

static gwf_status fill(const gwf_weights *w, const gwf_grid *source, const gwf_grid *destination,
                       gwf_remap *r, gwf_error *err)
{
    if (source)
        GWF_TRY(check_grid("source grid", source, w->n_source, w->source_lat, w->source_lon, err));
    GWF_TRY(check_grid("destination grid", destination, w->n_destination, w->destination_lat,
                       w->destination_lon, err));
    r->n_source = w->n_source;
    r->n_destination = w->n_destination;
    GWF_TRY(gwf_sparse_create((int)w->n_destination, w->n_links, &r->links, err));
    sort_links(w, &r->links);
    GWF_TRY(check_sums(&r->links, w, err));
    return make_turns(w, r, err);
}

gwf_status gwf_remap_create_weights(const gwf_weights *weights, const gwf_grid *source,
                                    const gwf_grid *destination, int threads, gwf_remap **remap,
                                    gwf_error *err)
{
    *remap = calloc(1, sizeof **remap);
    if (!*remap) return gwf_fail(err, GWF_ERR_MEMORY, "out of memory for a remapping");
    (*remap)->threads = gwf_threads(threads);
    const gwf_status status = fill(weights, source, destination, *remap, err);
    if (status != GWF_OK) gwf_remap_free(remap);
    return status;
}

void gwf_remap_links_apply(const gwf_remap *r, const float *source, float *destination, int levels)
{
    const gwf_sparse *rows = &r->links;
    const long n = rows->n, all = n * levels;
    GWF_PARALLEL(r->threads)
    for (long at = 0; at < all; at++) {
        const float *level = source + (size_t)(at / n) * r->n_source;
        double sum = 0;
        for (size_t k = rows->start[at % n]; k < rows->start[at % n + 1]; k++)
            sum += rows->weight[k] * (double)level[rows->index[k]];
        destination[at] = (float)sum;
    }
}

void gwf_remap_links_apply_wind(const gwf_remap *r, const float *const source[2],
                                float *const destination[2], int levels)
{
    const gwf_sparse *rows = &r->links;
    const long n = rows->n, all = n * levels;
    GWF_PARALLEL(r->threads)
    for (long at = 0; at < all; at++) {
        const size_t level = (size_t)(at / n) * r->n_source;
        double u_sum = 0, v_sum = 0;
        for (size_t k = rows->start[at % n]; k < rows->start[at % n + 1]; k++) {
            const size_t from = level + (size_t)rows->index[k];
            const double u = source[0][from], v = source[1][from];
            u_sum += r->turn_cos[k] * u + r->turn_sin[k] * v;
            v_sum += r->turn_cos[k] * v - r->turn_sin[k] * u;
        }
        destination[0][at] = (float)u_sum;
        destination[1][at] = (float)v_sum;
    }
}
