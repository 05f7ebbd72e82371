#include "fields/links.h"

#include <stdlib.h>
#include <string.h>

#include "fields/links_internal.h"

enum { ROWS = 16 }; /* of a sum, at once */

/* --- making --------------------------------------------------------------------------------- */

gwf_status gwf_links_create(int n, size_t room, gwf_links **links, gwf_error *err)
{
    gwf_links *l = calloc(1, sizeof *l);
    *links = l;
    if (!l) return gwf_fail(err, GWF_ERR_MEMORY, "out of memory for remapping");
    l->n = n;
    gwf_status status = gwf_sparse_create(n, room, &l->scalar, err);
    if (status == GWF_OK) status = gwf_sparse_create(n, room, &l->wind, err);
    l->across = calloc(room + 1, sizeof *l->across);
    l->scalar_run = calloc((size_t)n + 1, sizeof *l->scalar_run);
    l->wind_run = calloc((size_t)n + 1, sizeof *l->wind_run);
    if (status == GWF_OK && (!l->across || !l->scalar_run || !l->wind_run))
        status = gwf_fail(err, GWF_ERR_MEMORY, "out of memory for %zu remapping weights", room);
    if (status != GWF_OK) gwf_links_free(links);
    return status;
}

void gwf_links_free(gwf_links **links)
{
    gwf_links *l = *links;
    if (!l) return;
    gwf_sparse_free(&l->scalar);
    gwf_sparse_free(&l->wind);
    free(l->across);
    free(l->wanted);
    free(l->places);
    free(l->scalar_run);
    free(l->wind_run);
    free(l);
    *links = NULL;
}

void gwf_links_begin(gwf_links *links, int i)
{
    links->scalar.start[i + 1] = links->scalar.start[i];
    links->wind.start[i + 1] = links->wind.start[i];
}

void gwf_links_add_scalar(gwf_links *links, int i, int source, double weight)
{
    gwf_sparse_add(&links->scalar, i, source, weight);
}

void gwf_links_add_wind(gwf_links *links, int i, int source, double along, double across)
{
    gwf_sparse_add(&links->wind, i, source, along);
    links->across[links->wind.start[i + 1] - 1] = across;
}

static void mark(const gwf_sparse *rows, int *marks)
{
    for (size_t k = 0; k < rows->start[rows->n]; k++) marks[rows->index[k]] = 1;
}

static void replace(gwf_sparse *rows, const int *number)
{
    for (size_t k = 0; k < rows->start[rows->n]; k++) rows->index[k] = number[rows->index[k]];
}

gwf_status gwf_links_finish(gwf_links *links, int n_source, gwf_error *err)
{
    int *number = calloc((size_t)n_source + 1, sizeof *number), count = 0;
    if (!number) return gwf_fail(err, GWF_ERR_MEMORY, "out of memory for %d sources", n_source);
    mark(&links->scalar, number);
    mark(&links->wind, number);
    for (int id = 0; id < n_source; id++) count += number[id];
    links->wanted = calloc((size_t)count + 1, sizeof *links->wanted);
    for (int id = 0; links->wanted && id < n_source; id++) {
        if (!number[id]) continue;
        number[id] = links->n_wanted;
        links->wanted[links->n_wanted++] = id;
    }
    if (links->wanted) {
        replace(&links->scalar, number);
        replace(&links->wind, number);
    }
    free(number);
    if (links->wanted) return GWF_OK;
    return gwf_fail(err, GWF_ERR_MEMORY, "out of memory for %d sources", count);
}

gwf_status gwf_links_copies(gwf_cells cells, gwf_links **links, gwf_error *err)
{
    int n_source = 0;
    GWF_TRY(gwf_links_create(cells.n, (size_t)cells.n, links, err));
    for (int i = 0; i < cells.n; i++) {
        gwf_links_begin(*links, i);
        gwf_links_add_scalar(*links, i, cells.id[i], 1);
        gwf_links_add_wind(*links, i, cells.id[i], 1, 0);
        if (cells.id[i] >= n_source) n_source = cells.id[i] + 1;
    }
    const gwf_status status = gwf_links_finish(*links, n_source, err);
    if (status != GWF_OK) gwf_links_free(links);
    return status;
}

const int *gwf_links_wanted(const gwf_links *links, int *n)
{
    *n = links->n_wanted;
    return links->wanted;
}

/* --- places --------------------------------------------------------------------------------- */

/* Where a destination is copied from; NULL: it is a sum. */
static const gwf_route_place *copied(const gwf_links *l, const gwf_sparse *rows, int i)
{
    const size_t k = rows->start[i];
    if (rows->start[i + 1] != k + 1 || rows->weight[k] != 1) return NULL;
    if (rows == &l->wind && l->across[k] != 0) return NULL;
    return &l->places[rows->index[k]];
}

static void find_runs(const gwf_links *l, const gwf_sparse *rows, int *run)
{
    const gwf_route_place *next = NULL;
    for (int i = l->n - 1; i >= 0; i--) {
        const gwf_route_place *place = copied(l, rows, i);
        const bool joined =
            place && next && next->first == place->first + 1 && next->stride == place->stride;
        run[i] = !place ? 0 : joined ? run[i + 1] + 1 : 1;
        next = place;
    }
}

gwf_status gwf_links_bind(gwf_links *links, const gwf_route_place *places, gwf_error *err)
{
    const size_t n = (size_t)links->n_wanted;
    free(links->places);
    links->places = calloc(n + 1, sizeof *links->places);
    if (!links->places) return gwf_fail(err, GWF_ERR_MEMORY, "out of memory for %zu sources", n);
    memcpy(links->places, places, n * sizeof *places);
    find_runs(links, &links->scalar, links->scalar_run);
    find_runs(links, &links->wind, links->wind_run);
    return GWF_OK;
}

/* --- applying ------------------------------------------------------------------------------- */

/* Destinations that lie side by side: row after row, from where the first one's source lies. */
static void copy(gwf_route_place from, gwf_rows rows, size_t n, float *to, size_t stride)
{
    const float *x = rows.values + from.first + (size_t)rows.first * from.stride;
    for (int k = 0; k < rows.count; k++, x += from.stride, to += stride)
        memcpy(to, x, n * sizeof *to);
}

/* One destination, at most ROWS rows. */
static void sum(const gwf_links *l, int i, gwf_rows rows, float *to, size_t stride)
{
    const gwf_sparse *links = &l->scalar;
    double total[ROWS] = {0};
    for (size_t k = links->start[i]; k < links->start[i + 1]; k++) {
        const gwf_route_place at = l->places[links->index[k]];
        const float *x = rows.values + at.first + (size_t)rows.first * at.stride;
        const double weight = links->weight[k];
        for (int r = 0; r < rows.count; r++, x += at.stride) total[r] += weight * (double)*x;
    }
    for (int r = 0; r < rows.count; r++) to[(size_t)r * stride] = (float)total[r];
}

static void sum_wind(const gwf_links *l, int i, const gwf_rows rows[2], float *const to[2],
                     size_t stride)
{
    const gwf_sparse *links = &l->wind;
    double u_total[ROWS] = {0}, v_total[ROWS] = {0};
    for (size_t k = links->start[i]; k < links->start[i + 1]; k++) {
        const gwf_route_place at = l->places[links->index[k]];
        const float *u = rows[0].values + at.first + (size_t)rows[0].first * at.stride;
        const float *v = rows[1].values + at.first + (size_t)rows[1].first * at.stride;
        const double along = links->weight[k], across = l->across[k];
        for (int r = 0; r < rows[0].count; r++, u += at.stride, v += at.stride) {
            u_total[r] += along * (double)*u + across * (double)*v;
            v_total[r] += along * (double)*v - across * (double)*u;
        }
    }
    for (int r = 0; r < rows[0].count; r++) {
        to[0][(size_t)r * stride] = (float)u_total[r];
        to[1][(size_t)r * stride] = (float)v_total[r];
    }
}

static int fewer(int a, int b)
{
    return a < b ? a : b;
}

static gwf_rows piece(gwf_rows rows, int first)
{
    return (gwf_rows){rows.values, rows.first + first, fewer(ROWS, rows.count - first)};
}

void gwf_links_apply(const gwf_links *links, gwf_rows rows, gwf_range range, float *to,
                     size_t stride)
{
    for (int i = 0; i < range.count;) {
        const int d = range.first + i, run = fewer(links->scalar_run[d], range.count - i);
        if (run > 0) {
            copy(*copied(links, &links->scalar, d), rows, (size_t)run, to + i, stride);
            i += run;
            continue;
        }
        for (int k = 0; k < rows.count; k += ROWS)
            sum(links, d, piece(rows, k), to + (size_t)k * stride + i, stride);
        i++;
    }
}

void gwf_links_apply_wind(const gwf_links *links, const gwf_rows rows[2], gwf_range range,
                          float *const to[2], size_t stride)
{
    for (int i = 0; i < range.count;) {
        const int d = range.first + i, run = fewer(links->wind_run[d], range.count - i);
        for (int c = 0; c < 2 && run > 0; c++)
            copy(*copied(links, &links->wind, d), rows[c], (size_t)run, to[c] + i, stride);
        for (int k = 0; k < rows[0].count && run == 0; k += ROWS) {
            const gwf_rows part[2] = {piece(rows[0], k), piece(rows[1], k)};
            const size_t at = (size_t)k * stride + (size_t)i;
            sum_wind(links, d, part, (float *const[2]){to[0] + at, to[1] + at}, stride);
        }
        i += run > 0 ? run : 1;
    }
}
