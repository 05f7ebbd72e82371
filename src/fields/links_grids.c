/* Links between two grids of latitudes times longitudes: weights along the axes, multiplied. */
#include "fields/links_internal.h"

typedef struct axes {
    int source_nlon, nlon; /* nlon of the destination */
    gwf_sparse lat, lon;   /* owned, as is the next */
    gwf_poles poles;
} axes;

/* Destination i: its row and column. */
typedef struct target {
    gwf_links *links;
    int i, row, column;
} target;

/* Does a wind take the vector at a pole by this link of latitude? Then from *row. */
static bool is_polar(const axes *a, size_t k, bool *north, int *row)
{
    const gwf_poles *p = &a->poles;
    const int index = a->lat.index[k];
    *north = index < 0 ? index == GWF_NORTH_POLE : index == p->row[1];
    *row = index < 0 ? p->row[*north] : p->next[*north];
    return index < 0 || (p->at_pole[*north] && index == p->row[*north]);
}

/* At least as many links as each kind has. */
static size_t count_links(const axes *a, gwf_cells cells)
{
    size_t count = 0;
    bool north;
    int row;
    for (int i = 0; i < cells.n; i++) {
        const int lat = cells.id[i] / a->nlon, lon = cells.id[i] % a->nlon;
        const size_t across = a->lon.start[lon + 1] - a->lon.start[lon];
        for (size_t k = a->lat.start[lat]; k < a->lat.start[lat + 1]; k++)
            count += across + (is_polar(a, k, &north, &row) ? (size_t)a->source_nlon : 0);
    }
    return count;
}

/* --- scalars -------------------------------------------------------------------------------- */

static void add_mean_of_row(const axes *a, target t, int row, double weight)
{
    for (int k = 0; k < a->source_nlon; k++)
        gwf_links_add_scalar(t.links, t.i, row * a->source_nlon + k, weight * a->poles.share[k]);
}

static void add_scalar(const axes *a, target t)
{
    const gwf_sparse *lat = &a->lat, *lon = &a->lon;
    for (size_t k = lat->start[t.row]; k < lat->start[t.row + 1]; k++) {
        const int row = lat->index[k];
        if (row < 0) {
            add_mean_of_row(a, t, a->poles.row[row == GWF_NORTH_POLE], lat->weight[k]);
            continue;
        }
        for (size_t m = lon->start[t.column]; m < lon->start[t.column + 1]; m++)
            gwf_links_add_scalar(t.links, t.i, row * a->source_nlon + lon->index[m],
                                 lat->weight[k] * lon->weight[m]);
    }
}

/* --- winds ---------------------------------------------------------------------------------- */

/* The vector at a pole is the mean of what a row sees of it, each longitude by its own axes; the
 * destination sees it by the axes of the source's longitudes around. The axes at longitude L are
 * turned by L over the north pole, by -L over the south pole. */
static void add_polar_vector(const axes *a, target t, int row, bool north, double weight)
{
    const gwf_poles *p = &a->poles;
    const double sign = north ? 1 : -1;
    double cosine = 0, sine = 0;
    for (size_t m = a->lon.start[t.column]; m < a->lon.start[t.column + 1]; m++) {
        cosine += a->lon.weight[m] * p->cosine[a->lon.index[m]];
        sine += sign * a->lon.weight[m] * p->sine[a->lon.index[m]];
    }
    for (int k = 0; k < a->source_nlon; k++) {
        const double c = p->cosine[k], s = sign * p->sine[k], w = weight * p->share[k];
        gwf_links_add_wind(t.links, t.i, row * a->source_nlon + k, w * (c * cosine + s * sine),
                           w * (c * sine - s * cosine));
    }
}

static void add_wind(const axes *a, target t)
{
    const gwf_sparse *lat = &a->lat, *lon = &a->lon;
    for (size_t k = lat->start[t.row]; k < lat->start[t.row + 1]; k++) {
        bool north;
        int row;
        if (is_polar(a, k, &north, &row)) {
            add_polar_vector(a, t, row, north, lat->weight[k]);
            continue;
        }
        for (size_t m = lon->start[t.column]; m < lon->start[t.column + 1]; m++)
            gwf_links_add_wind(t.links, t.i, lat->index[k] * a->source_nlon + lon->index[m],
                               lat->weight[k] * lon->weight[m], 0);
    }
}

/* --- making --------------------------------------------------------------------------------- */

static gwf_status make_axes(gwf_remap_kind kind, const gwf_grid *source,
                            const gwf_grid *destination, axes *a, gwf_error *err)
{
    GWF_TRY(gwf_grid_check(source, "source grid", err));
    GWF_TRY(gwf_grid_check(destination, "destination grid", err));
    a->source_nlon = source->nlon;
    a->nlon = destination->nlon;
    GWF_TRY(gwf_sparse_latitude(kind, source, destination, &a->lat, err));
    GWF_TRY(gwf_sparse_longitude(kind, source, destination, &a->lon, err));
    return gwf_poles_create(source, &a->poles, err);
}

static void free_axes(axes *a)
{
    gwf_sparse_free(&a->lat);
    gwf_sparse_free(&a->lon);
    gwf_poles_free(&a->poles);
}

static void add_all(const axes *a, gwf_cells cells, gwf_links *links)
{
    for (int i = 0; i < cells.n; i++) {
        const target t = {links, i, cells.id[i] / a->nlon, cells.id[i] % a->nlon};
        gwf_links_begin(links, i);
        add_scalar(a, t);
        add_wind(a, t);
    }
}

gwf_status gwf_links_grids(gwf_remap_kind kind, const gwf_grid *source, const gwf_grid *destination,
                           gwf_cells cells, gwf_links **links, gwf_error *err)
{
    axes a = {0};
    *links = NULL;
    gwf_status status = make_axes(kind, source, destination, &a, err);
    if (status == GWF_OK) status = gwf_links_create(cells.n, count_links(&a, cells), links, err);
    if (status == GWF_OK) {
        add_all(&a, cells, *links);
        status = gwf_links_finish(*links, source->nlat * source->nlon, err);
    }
    free_axes(&a);
    if (status != GWF_OK) gwf_links_free(links);
    return status;
}
