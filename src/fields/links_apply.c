/* Applying links: copies row by row; sums by chunks of destinations, whose sources are brought
 * together first, a cache line of LANES rows each. */
#include <string.h>

#include "fields/links_internal.h"
#include "fields/threads.h"

enum { LANES = GWF_LINKS_LANES, CHUNK = GWF_LINKS_CHUNK };

static int fewer(int a, int b)
{
    return a < b ? a : b;
}

/* --- copies --------------------------------------------------------------------------------- */

static void copy_row(const gwf_links *l, gwf_rows rows, int k, float *to)
{
    const gwf_place *from = l->from;
    for (int i = 0; i < l->n; i += from[i].run)
        memcpy(to + i, rows.values + from[i].first + (size_t)(rows.first + k) * from[i].stride,
               (size_t)from[i].run * sizeof *to);
}

static void copy(const gwf_links *l, gwf_rows rows, float *to, size_t stride)
{
    GWF_PARALLEL(l->threads)
    for (int k = 0; k < rows.count; k++) copy_row(l, rows, k, to + (size_t)k * stride);
}

/* --- bringing sources together -------------------------------------------------------------- */

/* LANES neighbours at once: rows are read as they lie in memory. */
static void gather_neighbours(const float *x, size_t stride, int count, float *to)
{
    float part[LANES][LANES];
    for (int r = 0; r < count; r++) memcpy(part[r], x + (size_t)r * stride, sizeof part[r]);
    for (int s = 0; s < LANES; s++)
        for (int r = 0; r < count; r++) to[s * LANES + r] = part[r][s];
}

/* n sources, at most LANES rows. */
static void gather(const gwf_place *places, int n, gwf_rows rows, float *to)
{
    for (int j = 0; j < n;) {
        const gwf_place at = places[j];
        const float *x = rows.values + at.first + (size_t)rows.first * at.stride;
        if (at.run >= LANES) {
            gather_neighbours(x, at.stride, rows.count, to + (size_t)j * LANES);
            j += LANES;
            continue;
        }
        for (int r = 0; r < rows.count; r++) to[j * LANES + r] = x[(size_t)r * at.stride];
        j++;
    }
}

/* --- sums ----------------------------------------------------------------------------------- */

/* Of one destination; x: its chunk's sources. Rows beyond those that are asked for hold anything.
 */
static void sum(const gwf_sparse *links, int i, const float *restrict x, float *restrict to)
{
    double total[LANES];
    size_t k = links->start[i];
    for (int r = 0; r < LANES; r++)
        total[r] = links->weight[k] * (double)x[links->index[k] * LANES + r];
    while (++k < links->start[i + 1]) {
        const double weight = links->weight[k];
        const float *from = x + links->index[k] * LANES;
        for (int r = 0; r < LANES; r++) total[r] += weight * (double)from[r];
    }
    for (int r = 0; r < LANES; r++) to[r] = (float)total[r];
}

static void sum_turned(const gwf_links *l, int i, const float *const x[2], float *const to[2])
{
    const gwf_sparse *links = &l->wind;
    double u_total[LANES] = {0}, v_total[LANES] = {0};
    for (size_t k = links->start[i]; k < links->start[i + 1]; k++) {
        const double along = links->weight[k], across = l->across[k];
        const float *u = x[0] + links->index[k] * LANES, *v = x[1] + links->index[k] * LANES;
        for (int r = 0; r < LANES; r++) {
            u_total[r] += along * (double)u[r] + across * (double)v[r];
            v_total[r] += along * (double)v[r] - across * (double)u[r];
        }
    }
    for (int r = 0; r < LANES; r++) to[0][r] = (float)u_total[r];
    for (int r = 0; r < LANES; r++) to[1][r] = (float)v_total[r];
}

/* --- chunks --------------------------------------------------------------------------------- */

/* n destinations side by side, from columns to rows. */
static void put(float part[LANES][LANES], int n, int rows, float *to, size_t stride)
{
    for (int r = 0; r < rows; r++)
        for (int s = 0; s < n; s++) to[(size_t)r * stride + (size_t)s] = part[s][r];
}

/* A piece of work: a chunk, LANES rows of it. */
typedef struct work {
    const gwf_links *links;
    int first, count;  /* destinations */
    const float *x[2]; /* sources, gathered */
    float *to[2];      /* where destination `first` goes */
    size_t stride;
    int rows;
} work;

static void sum_scalars(const work *w)
{
    float part[LANES][LANES];
    for (int i = 0; i < w->count; i += LANES) {
        const int n = fewer(LANES, w->count - i);
        for (int s = 0; s < n; s++) sum(&w->links->scalar, w->first + i + s, w->x[0], part[s]);
        put(part, n, w->rows, w->to[0] + i, w->stride);
    }
}

static void sum_winds(const work *w)
{
    const gwf_links *l = w->links;
    float u[LANES][LANES], v[LANES][LANES];
    for (int i = 0; i < w->count; i += LANES) {
        const int n = fewer(LANES, w->count - i), d = w->first + i;
        for (int s = 0; s < n; s++) {
            if (l->turned[d + s]) {
                sum_turned(l, d + s, w->x, (float *const[2]){u[s], v[s]});
                continue;
            }
            sum(&l->wind, d + s, w->x[0], u[s]);
            sum(&l->wind, d + s, w->x[1], v[s]);
        }
        put(u, n, w->rows, w->to[0] + i, w->stride);
        put(v, n, w->rows, w->to[1] + i, w->stride);
    }
}

/* All rows of a chunk; components 1: scalars, 2: winds. */
static void do_chunk(const gwf_links *l, int chunk, int components, const gwf_rows *rows,
                     float *const *to, size_t stride)
{
    const int first = chunk * CHUNK, n = (int)(l->start[chunk + 1] - l->start[chunk]);
    float *const gathered = l->gathered + 2 * (size_t)gwf_thread_number() * l->gathered_each;
    float *const x[2] = {gathered, gathered + l->gathered_each};
    work w = {l, first, fewer(CHUNK, l->n - first), {x[0], x[1]}, {NULL, NULL}, stride, 0};
    for (int k = 0; k < rows[0].count; k += LANES) {
        w.rows = fewer(LANES, rows[0].count - k);
        for (int c = 0; c < components; c++) {
            const gwf_rows part = {rows[c].values, rows[c].first + k, w.rows};
            gather(l->places + l->start[chunk], n, part, x[c]);
            w.to[c] = to[c] + (size_t)k * stride + first;
        }
        if (components == 1)
            sum_scalars(&w);
        else
            sum_winds(&w);
    }
}

static void apply(const gwf_links *l, int components, const gwf_rows *rows, float *const *to,
                  size_t stride)
{
    const int chunks = (l->n + CHUNK - 1) / CHUNK;
    for (int c = 0; c < components && l->copies; c++) copy(l, rows[c], to[c], stride);
    if (l->copies) return;
    GWF_PARALLEL(l->threads)
    for (int c = 0; c < chunks; c++) do_chunk(l, c, components, rows, to, stride);
}

void gwf_links_apply(gwf_links *links, gwf_rows rows, float *to, size_t stride)
{
    apply(links, 1, &rows, &to, stride);
}

void gwf_links_apply_wind(gwf_links *links, const gwf_rows rows[2], float *const to[2],
                          size_t stride)
{
    apply(links, 2, rows, to, stride);
}
