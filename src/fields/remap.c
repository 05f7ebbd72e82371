#include "fields/remap.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fields/remap_internal.h"
#include "fields/threads.h"

/* --- making --------------------------------------------------------------------------------- */

static gwf_status fill(gwf_remap_kind kind, const gwf_grid *source, const gwf_grid *destination,
                       gwf_remap *r, gwf_error *err)
{
    GWF_TRY(gwf_grid_check(source, "source grid", err));
    GWF_TRY(gwf_grid_check(destination, "destination grid", err));
    r->source_nlon = source->nlon;
    r->nlat = destination->nlat;
    r->nlon = destination->nlon;
    r->n_source = (size_t)source->nlat * (size_t)source->nlon;
    r->n_destination = (size_t)r->nlat * (size_t)r->nlon;
    GWF_TRY(gwf_sparse_latitude(kind, source, destination, &r->lat, err));
    GWF_TRY(gwf_sparse_longitude(kind, source, destination, &r->lon, err));
    GWF_TRY(gwf_poles_create(source, &r->poles, err));
    r->rows = calloc(2 * (size_t)r->threads * (size_t)source->nlon, sizeof *r->rows);
    if (!r->rows) return gwf_fail(err, GWF_ERR_MEMORY, "out of memory for %d threads", r->threads);
    return GWF_OK;
}

gwf_status gwf_remap_create(gwf_remap_kind kind, const gwf_grid *source,
                            const gwf_grid *destination, int threads, gwf_remap **remap,
                            gwf_error *err)
{
    *remap = calloc(1, sizeof **remap);
    if (!*remap) return gwf_fail(err, GWF_ERR_MEMORY, "out of memory for a remapping");
    (*remap)->threads = gwf_threads(threads);
    const gwf_status status = fill(kind, source, destination, *remap, err);
    if (status != GWF_OK) gwf_remap_free(remap);
    return status;
}

void gwf_remap_free(gwf_remap **remap)
{
    gwf_remap *r = *remap;
    if (!r) return;
    gwf_sparse_free(&r->lat);
    gwf_sparse_free(&r->lon);
    gwf_poles_free(&r->poles);
    gwf_links_free(&r->links);
    free(r->rows);
    free(r);
    *remap = NULL;
}

size_t gwf_remap_source_size(const gwf_remap *remap)
{
    return remap->n_source;
}

size_t gwf_remap_destination_size(const gwf_remap *remap)
{
    return remap->n_destination;
}

/* --- applying ------------------------------------------------------------------------------- */

/* Latitudes first: whole rows of the source, read once and in order, are added into one row, which
 * then is narrowed along the longitudes. */

static void add_row(double *restrict sum, double weight, const float *restrict row, int n)
{
    for (int k = 0; k < n; k++) sum[k] += weight * (double)row[k];
}

/* Four neighbouring rows at once: the sum goes to memory and back once, not four times. */
static void add_four_rows(double *restrict sum, const double *weight, const float *restrict rows,
                          int n)
{
    const float *const a = rows, *const b = a + n, *const c = b + n, *const d = c + n;
    const double w[4] = {weight[0], weight[1], weight[2], weight[3]};
    for (int k = 0; k < n; k++)
        sum[k] += (w[0] * (double)a[k] + w[1] * (double)b[k]) +
                  (w[2] * (double)c[k] + w[3] * (double)d[k]);
}

/* How many links from k on go in one piece: four neighbouring rows, none of them at a pole (which
 * wind treats otherwise; scalar and component are to be the same sum), or one. */
static size_t links_at_once(const gwf_remap *r, size_t k, size_t end)
{
    const int *row = &r->lat.index[k];
    if (end - k < 4 || row[0] < r->poles.inner[0] || row[3] > r->poles.inner[1]) return 1;
    return row[1] == row[0] + 1 && row[2] == row[0] + 2 && row[3] == row[0] + 3 ? 4 : 1;
}

/* That many links; returns how many. */
static size_t add_rows(const gwf_remap *r, size_t k, size_t end, const float *source, double *sum)
{
    const size_t count = links_at_once(r, k, end);
    const int n = r->source_nlon;
    const float *rows = source + (size_t)r->lat.index[k] * (size_t)n;
    if (count == 4)
        add_four_rows(sum, &r->lat.weight[k], rows, n);
    else
        add_row(sum, r->lat.weight[k], rows, n);
    return count;
}

static double mean_of_row(const gwf_remap *r, const float *row)
{
    double mean = 0;
    for (int k = 0; k < r->source_nlon; k++) mean += r->poles.share[k] * (double)row[k];
    return mean;
}

static void across_longitudes(const gwf_sparse *lon, const double *row, float *destination)
{
    for (int j = 0; j < lon->n; j++) {
        double sum = 0;
        for (size_t k = lon->start[j]; k < lon->start[j + 1]; k++)
            sum += lon->weight[k] * row[lon->index[k]];
        destination[j] = (float)sum;
    }
}

/* A pole beyond the last row has the mean of that row. */
static void add_pole(const gwf_remap *r, const float *source, size_t k, double *sum)
{
    const int last = r->poles.row[r->lat.index[k] == GWF_NORTH_POLE];
    const double mean = mean_of_row(r, source + (size_t)last * (size_t)r->source_nlon);
    for (int j = 0; j < r->source_nlon; j++) sum[j] += r->lat.weight[k] * mean;
}

/* Row i of one level. */
static void remap_row(const gwf_remap *r, const float *source, int i, double *sum,
                      float *destination)
{
    const size_t end = r->lat.start[i + 1];
    memset(sum, 0, (size_t)r->source_nlon * sizeof *sum);
    for (size_t k = r->lat.start[i]; k < end;) {
        if (r->lat.index[k] >= 0)
            k += add_rows(r, k, end, source, sum);
        else
            add_pole(r, source, k++, sum);
    }
    across_longitudes(&r->lon, sum, destination);
}

static double *rows_of_thread(const gwf_remap *r)
{
    return r->rows + 2 * (size_t)gwf_thread_number() * (size_t)r->source_nlon;
}

void gwf_remap_apply(gwf_remap *remap, const float *source, float *destination, int levels)
{
    const gwf_remap *r = remap;
    if (r->links) {
        gwf_remap_links_apply(r, source, destination, levels);
        return;
    }
    const long rows = (long)levels * r->nlat;
    GWF_PARALLEL(r->threads)
    for (long at = 0; at < rows; at++) {
        const size_t level = (size_t)(at / r->nlat);
        remap_row(r, source + level * r->n_source, (int)(at % r->nlat), rows_of_thread(r),
                  destination + (size_t)at * (size_t)r->nlon);
    }
}

/* --- wind ----------------------------------------------------------------------------------- */

typedef struct wind_row {
    const float *u, *v;
} wind_row;

static wind_row wind_at(const gwf_remap *r, const float *const source[2], int row)
{
    const size_t first = (size_t)row * (size_t)r->source_nlon;
    return (wind_row){source[0] + first, source[1] + first};
}

/* The vector at a pole by the axes of longitude 0: x along its east, y along its north there. Over
 * the north pole the axes at longitude L are turned by +L, over the south pole by -L. */
typedef struct polar_vector {
    double x, y;
} polar_vector;

/* As the mean of what a row sees of it. */
static polar_vector vector_of_row(const gwf_remap *r, wind_row row, bool north)
{
    polar_vector p = {0, 0};
    for (int k = 0; k < r->source_nlon; k++) {
        const double c = r->poles.cosine[k], s = north ? r->poles.sine[k] : -r->poles.sine[k];
        const double u = row.u[k], v = row.v[k], share = r->poles.share[k];
        p.x += share * (u * c - v * s);
        p.y += share * (u * s + v * c);
    }
    return p;
}

static void add_polar_vector(const gwf_remap *r, polar_vector p, bool north, double weight,
                             double *const sum[2])
{
    for (int k = 0; k < r->source_nlon; k++) {
        const double c = r->poles.cosine[k], s = north ? r->poles.sine[k] : -r->poles.sine[k];
        sum[0][k] += weight * (p.x * c + p.y * s);
        sum[1][k] += weight * (p.y * c - p.x * s);
    }
}

/* One value at every longitude: zeros or the like, not a vector. */
static bool one_value(const float *row, int n)
{
    for (int k = 1; k < n; k++)
        if (!(row[k] == row[0])) return false;
    return true;
}

/* Does link k stand for the vector at a pole: beyond the last row, or in place of a row there that
 * holds none? Then *row is the row to take the vector from. */
static bool is_polar(const gwf_remap *r, const float *const source[2], size_t k, bool *north,
                     int *row)
{
    const gwf_poles *poles = &r->poles;
    const int index = r->lat.index[k];
    *north = index < 0 ? index == GWF_NORTH_POLE : index == poles->row[1];
    *row = index < 0 ? poles->row[*north] : poles->next[*north];
    if (index < 0) return true;
    if (index != poles->row[*north] || !poles->at_pole[*north]) return false;
    const wind_row wind = wind_at(r, source, index);
    return one_value(wind.u, r->source_nlon) && one_value(wind.v, r->source_nlon);
}

static void remap_wind_row(const gwf_remap *r, const float *const source[2], int i,
                           float *const destination[2])
{
    double *const rows = rows_of_thread(r);
    double *const sum[2] = {rows, rows + r->source_nlon};
    const size_t end = r->lat.start[i + 1];
    bool north;
    int row;
    memset(rows, 0, 2 * (size_t)r->source_nlon * sizeof *rows);
    for (size_t k = r->lat.start[i]; k < end;) {
        if (is_polar(r, source, k, &north, &row)) {
            const polar_vector p = vector_of_row(r, wind_at(r, source, row), north);
            add_polar_vector(r, p, north, r->lat.weight[k++], sum);
            continue;
        }
        add_rows(r, k, end, source[0], sum[0]);
        k += add_rows(r, k, end, source[1], sum[1]);
    }
    across_longitudes(&r->lon, sum[0], destination[0]);
    across_longitudes(&r->lon, sum[1], destination[1]);
}

void gwf_remap_apply_wind(gwf_remap *remap, const float *u, const float *v, float *u_out,
                          float *v_out, int levels)
{
    const gwf_remap *r = remap;
    if (r->links) {
        gwf_remap_links_apply_wind(r, (const float *const[2]){u, v},
                                   (float *const[2]){u_out, v_out}, levels);
        return;
    }
    const long rows = (long)levels * r->nlat;
    GWF_PARALLEL(r->threads)
    for (long at = 0; at < rows; at++) {
        const size_t from = (size_t)(at / r->nlat) * r->n_source;
        const size_t to = (size_t)at * (size_t)r->nlon;
        const float *const source[2] = {u + from, v + from};
        float *const destination[2] = {u_out + to, v_out + to};
        remap_wind_row(r, source, (int)(at % r->nlat), destination);
    }
}
