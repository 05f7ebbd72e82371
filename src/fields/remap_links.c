/* Remapping by the weights of a file: links from source cells to destination cells. */
#include <stdlib.h>

#include "fields/remap_internal.h"
#include "fields/threads.h"

/* --- agreement with the data's grid --------------------------------------------------------- */

gwf_status gwf_remap_check_grid(const char *what, const gwf_grid *grid, size_t n, const double *lat,
                                const double *lon, gwf_error *err)
{
    GWF_TRY(gwf_grid_check(grid, what, err));
    const size_t cells = (size_t)grid->nlat * (size_t)grid->nlon, nlon = (size_t)grid->nlon;
    if (n != cells)
        return gwf_fail(err, GWF_ERR_MISMATCH, "%s: %d x %d = %zu cells, the weights have %zu",
                        what, grid->nlat, grid->nlon, cells, n);
    for (size_t i = 0; i < n; i++)
        if (!gwf_same_place(lat[i], lon[i], grid->lat[i / nlon], grid->lon[i % nlon]))
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
        if (!gwf_same_place(weights->source_lat[i], weights->source_lon[i], lat[i], lon[i]))
            return gwf_fail(
                err, GWF_ERR_MISMATCH,
                "source cell %zu is at latitude %g, longitude %g, in the weights at %g, "
                "%g",
                i, lat[i], lon[i], weights->source_lat[i], weights->source_lon[i]);
    return GWF_OK;
}

/* --- making and applying -------------------------------------------------------------------- */

/* Sources lie side by side, levels one after the other. */
static gwf_status bind(gwf_links *links, size_t n_source, int threads, gwf_error *err)
{
    int n;
    const int *wanted = gwf_links_wanted(links, &n);
    gwf_route_place *places = calloc((size_t)n + 1, sizeof *places);
    if (!places) return gwf_fail(err, GWF_ERR_MEMORY, "out of memory for %d sources", n);
    for (int i = 0; i < n; i++) places[i] = (gwf_route_place){(size_t)wanted[i], n_source, 1};
    const gwf_status status = gwf_links_bind(links, places, threads, err);
    free(places);
    return status;
}

static gwf_status link_all(const gwf_weights *w, gwf_links **links, gwf_error *err)
{
    const int n = (int)w->n_destination;
    int *cells = calloc(w->n_destination, sizeof *cells);
    if (!cells) return gwf_fail(err, GWF_ERR_MEMORY, "out of memory for %d cells", n);
    for (int i = 0; i < n; i++) cells[i] = i;
    const gwf_status status = gwf_links_weights(w, (gwf_cells){n, cells}, links, err);
    free(cells);
    return status;
}

static gwf_status fill(const gwf_weights *w, const gwf_grid *source, const gwf_grid *destination,
                       gwf_remap *r, gwf_error *err)
{
    if (source)
        GWF_TRY(gwf_remap_check_grid("source grid", source, w->n_source, w->source_lat,
                                     w->source_lon, err));
    GWF_TRY(gwf_remap_check_grid("destination grid", destination, w->n_destination,
                                 w->destination_lat, w->destination_lon, err));
    r->n_source = w->n_source;
    r->n_destination = w->n_destination;
    GWF_TRY(link_all(w, &r->links, err));
    return bind(r->links, w->n_source, r->threads, err);
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
    gwf_links_apply(r->links, (gwf_rows){source, 0, levels}, destination, r->n_destination);
}

void gwf_remap_links_apply_wind(const gwf_remap *r, const float *const source[2],
                                float *const destination[2], int levels)
{
    const gwf_rows rows[2] = {{source[0], 0, levels}, {source[1], 0, levels}};
    gwf_links_apply_wind(r->links, rows, destination, r->n_destination);
}
