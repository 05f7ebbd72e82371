/* Applying links: copies row by row; sums by chunks of destinations, whose sources are brought
 * together first, `lanes` rows of each side by side: a cache line, or less where there are few
 * rows. Inner functions are compiled for each number of lanes. */
#include <string.h>

#include "fields/links_internal.h"
#include "fields/threads.h"

enum { LANES = GWF_LINKS_LANES, FEW_LANES = 4, CHUNK = GWF_LINKS_CHUNK };

#define FOR_EACH_WIDTH static inline __attribute__((always_inline))

static int fewer(int a, int b)
{
    return a < b ? a : b;
}

/* --- copies --------------------------------------------------------------------------------- */

static void copy_row(const gwf_links *l, gwf_rows rows, int k, float *to)
{
    const gwf_route_place *from = l->from;
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
FOR_EACH_WIDTH void gather_neighbours(const float *x, size_t stride, int count, float *to,
                                      const int lanes)
{
    float part[LANES][LANES];
    for (int r = 0; r < count; r++) memcpy(part[r], x + (size_t)r * stride, sizeof part[r]);
    for (int s = 0; s < LANES; s++)
        for (int r = 0; r < count; r++) to[s * lanes + r] = part[r][s];
}

/* n sources, at most `lanes` rows. */
FOR_EACH_WIDTH void gather(const gwf_route_place *places, int n, gwf_rows rows, float *to,
                           const int lanes)
{
    for (int j = 0; j < n;) {
        const gwf_route_place at = places[j];
        const float *x = rows.values + at.first + (size_t)rows.first * at.stride;
        if (at.run >= LANES) {
            gather_neighbours(x, at.stride, rows.count, to + j * lanes, lanes);
            j += LANES;
            continue;
        }
        for (int r = 0; r < rows.count; r++) to[j * lanes + r] = x[(size_t)r * at.stride];
        j++;
    }
}

/* --- sums ----------------------------------------------------------------------------------- */

/* Of one destination; x: its chunk's sources. Rows beyond those that are asked for hold anything.
 */
FOR_EACH_WIDTH void sum(const gwf_sparse *links, int i, const float *restrict x, float *restrict to,
                        const int lanes)
{
    double total[LANES];
    size_t k = links->start[i];
    for (int r = 0; r < lanes; r++)
        total[r] = links->weight[k] * (double)x[links->index[k] * lanes + r];
    while (++k < links->start[i + 1]) {
        const double weight = links->weight[k];
        const float *from = x + links->index[k] * lanes;
        for (int r = 0; r < lanes; r++) total[r] += weight * (double)from[r];
    }
    for (int r = 0; r < lanes; r++) to[r] = (float)total[r];
}

FOR_EACH_WIDTH void sum_turned(const gwf_links *l, int i, const float *const x[2],
                               float *const to[2], const int lanes)
{
    const gwf_sparse *links = &l->wind;
    double u_total[LANES] = {0}, v_total[LANES] = {0};
    for (size_t k = links->start[i]; k < links->start[i + 1]; k++) {
        const double along = links->weight[k], across = l->across[k];
        const float *u = x[0] + links->index[k] * lanes, *v = x[1] + links->index[k] * lanes;
        for (int r = 0; r < lanes; r++) {
            u_total[r] += along * (double)u[r] + across * (double)v[r];
            v_total[r] += along * (double)v[r] - across * (double)u[r];
        }
    }
    for (int r = 0; r < lanes; r++) to[0][r] = (float)u_total[r];
    for (int r = 0; r < lanes; r++) to[1][r] = (float)v_total[r];
}

/* --- chunks --------------------------------------------------------------------------------- */

/* n destinations side by side, from columns to rows. */
static void put(float part[LANES][LANES], int n, int rows, float *to, size_t stride)
{
    for (int r = 0; r < rows; r++)
        for (int s = 0; s < n; s++) to[(size_t)r * stride + (size_t)s] = part[s][r];
}

/* A piece of work: some rows of a chunk. components 1: scalars, 2: winds. */
typedef struct work {
    const gwf_links *links;
    int chunk, components;
    gwf_rows rows[2];
    float *to[2]; /* where the chunk's first destination goes */
    size_t stride;
} work;

FOR_EACH_WIDTH void sum_scalars(const work *w, const float *x, const int lanes)
{
    const gwf_links *l = w->links;
    const int first = w->chunk * CHUNK, count = fewer(CHUNK, l->n - first);
    float part[LANES][LANES];
    for (int i = 0; i < count; i += LANES) {
        const int n = fewer(LANES, count - i);
        for (int s = 0; s < n; s++) sum(&l->scalar, first + i + s, x, part[s], lanes);
        put(part, n, w->rows[0].count, w->to[0] + i, w->stride);
    }
}

FOR_EACH_WIDTH void sum_winds(const work *w, const float *const x[2], const int lanes)
{
    const gwf_links *l = w->links;
    const int first = w->chunk * CHUNK, count = fewer(CHUNK, l->n - first);
    float u[LANES][LANES], v[LANES][LANES];
    for (int i = 0; i < count; i += LANES) {
        const int n = fewer(LANES, count - i), d = first + i;
        for (int s = 0; s < n; s++) {
            if (l->turned[d + s]) {
                sum_turned(l, d + s, x, (float *const[2]){u[s], v[s]}, lanes);
                continue;
            }
            sum(&l->wind, d + s, x[0], u[s], lanes);
            sum(&l->wind, d + s, x[1], v[s], lanes);
        }
        put(u, n, w->rows[0].count, w->to[0] + i, w->stride);
        put(v, n, w->rows[0].count, w->to[1] + i, w->stride);
    }
}

FOR_EACH_WIDTH void do_work(const work *w, const int lanes)
{
    const gwf_links *l = w->links;
    const size_t start = l->start[w->chunk];
    const int n = (int)(l->start[w->chunk + 1] - start);
    float *const gathered = l->gathered + 2 * (size_t)gwf_thread_number() * l->gathered_each;
    float *const x[2] = {gathered, gathered + l->gathered_each};
    for (int c = 0; c < w->components; c++) gather(l->places + start, n, w->rows[c], x[c], lanes);
    if (w->components == 1)
        sum_scalars(w, x[0], lanes);
    else
        sum_winds(w, (const float *const[2]){x[0], x[1]}, lanes);
}

/* All rows of a chunk. */
static void do_chunk(work w)
{
    const gwf_rows all[2] = {w.rows[0], w.rows[1]};
    for (int k = 0; k < all[0].count; k += w.rows[0].count) {
        const int left = all[0].count - k;
        const int lanes = left > 2 * FEW_LANES ? LANES : left > 1 ? FEW_LANES : 1;
        for (int c = 0; c < w.components; c++)
            w.rows[c] = (gwf_rows){all[c].values, all[c].first + k, fewer(lanes, left)};
        if (lanes == LANES)
            do_work(&w, LANES);
        else if (lanes == FEW_LANES)
            do_work(&w, FEW_LANES);
        else
            do_work(&w, 1);
        for (int c = 0; c < w.components; c++) w.to[c] += (size_t)w.rows[0].count * w.stride;
    }
}

static void apply(const gwf_links *l, int components, const gwf_rows *rows, float *const *to,
                  size_t stride)
{
    const int chunks = (l->n + CHUNK - 1) / CHUNK, last = components - 1;
    for (int c = 0; c < components && l->copies; c++) copy(l, rows[c], to[c], stride);
    if (l->copies) return;
    GWF_PARALLEL(l->threads)
    for (int c = 0; c < chunks; c++)
        do_chunk((work){.links = l,
                        .chunk = c,
                        .components = components,
                        .rows = {rows[0], rows[last]},
                        .to = {to[0] + c * CHUNK, to[last] + c * CHUNK},
                        .stride = stride});
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
