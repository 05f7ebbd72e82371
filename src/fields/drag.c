#include "fields/drag.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "fields/bracket.h"
#include "fields/tendency.h"
#include "fields/threads.h"
#include "fields/vertical.h"

enum { LEVELS_MOST = 10000, TOP_LAYERS = 3 /* that a remainder is spread over */ };

/* Eastward, northward. */
enum { U, V, WINDS };

/* One thread's: a block of columns. Rows of GWF_BLOCK. */
typedef struct scratch {
    gwf_bracket bracket; /* from the network's levels to the interfaces and, last, the host's top,
                          * limits or not; coordinate p */
    double *p;           /* (levels + 1) rows: pressure of the interfaces */
    double *flux[WINDS]; /* (levels + 1) rows: through the interfaces, Pa */
    bool weighted;       /* else the weights are 1 */
    double weight[GWF_BLOCK], highest[GWF_BLOCK], lowest[GWF_BLOCK];
    double largest[GWF_BLOCK]; /* squared tendency */
    gwf_drag_counters counters;
    int fault; /* first interface out of order */
} scratch;

struct gwf_drag {
    gwf_level network[GWF_LEVELS];
    int n_network, levels, threads;
    double to_pascal; /* times a flux of the network's kind */
    gwf_drag_options options;
    scratch *scratch; /* (threads) */
};

/* Columns first .. first + n - 1 of a run. */
typedef struct block {
    const gwf_drag_columns *columns;
    size_t first;
    int n;
} block;

/* --- results -------------------------------------------------------------------------------- */

/* To memory that is read much later, if at all: past the caches, where the processor can. */
static void give_row(const double *row, int n, double *to)
{
    int c = 0;
#ifdef __SSE2__
    if ((uintptr_t)to % sizeof(__m128d) == 0)
        for (; c + 2 <= n; c += 2) _mm_stream_pd(to + c, _mm_loadu_pd(row + c));
#endif
    memcpy(to + c, row + c, (size_t)(n - c) * sizeof *to);
}

/* --- making --------------------------------------------------------------------------------- */

static gwf_status check_config(const gwf_drag_config *config, gwf_error *err)
{
    const gwf_drag_options *o = &config->options;
    if (config->levels < 1 || config->levels > LEVELS_MOST)
        return gwf_fail(err, GWF_ERR_ARGUMENT, "drag: %d levels of the host, expected 1 to %d",
                        config->levels, LEVELS_MOST);
    if (config->n_network < 2 || config->n_network > GWF_LEVELS)
        return gwf_fail(err, GWF_ERR_ARGUMENT, "drag: %d levels of the network, expected 2 to %d",
                        config->n_network, GWF_LEVELS);
    if (!(o->highest >= 0 && o->lowest >= 0 && o->cap >= 0 && o->boundary_layer >= 0 &&
          o->boundary_layer <= 1 && isfinite(o->highest + o->lowest + o->cap)))
        return gwf_fail(err, GWF_ERR_ARGUMENT,
                        "drag: highest %g, lowest %g, cap %g, boundary-layer %g, expected 0 or "
                        "above, the last at most 1",
                        o->highest, o->lowest, o->cap, o->boundary_layer);
    if (o->lowest > 0 && o->lowest <= o->highest)
        return gwf_fail(err, GWF_ERR_ARGUMENT,
                        "drag: highest %g Pa, lowest %g Pa leave no tendency between them",
                        o->highest, o->lowest);
    return GWF_OK;
}

static gwf_status make_scratch(const gwf_drag *d, scratch *s, gwf_error *err)
{
    const size_t values = ((size_t)d->levels + 1) * GWF_BLOCK;
    s->p = calloc(values, sizeof *s->p);
    for (int i = 0; i < WINDS; i++) s->flux[i] = calloc(values, sizeof *s->flux[i]);
    if (!s->p || !s->flux[U] || !s->flux[V])
        return gwf_fail(err, GWF_ERR_MEMORY, "out of memory for the drag on %d levels", d->levels);
    return gwf_bracket_create(d->n_network, d->levels + 2, false, &s->bracket, err);
}

static gwf_status fill(gwf_drag *d, const gwf_drag_config *config, gwf_error *err)
{
    memcpy(d->network, config->network_levels, (size_t)config->n_network * sizeof *d->network);
    d->n_network = config->n_network;
    d->levels = config->levels;
    d->to_pascal = config->flux_kind == GWF_RHO_UW ? 1 : -1 / GWF_GRAVITY;
    d->options = config->options;
    d->threads = gwf_threads(config->threads);
    d->scratch = calloc((size_t)d->threads, sizeof *d->scratch);
    if (!d->scratch)
        return gwf_fail(err, GWF_ERR_MEMORY, "out of memory for %d threads", d->threads);
    for (int i = 0; i < d->threads; i++) GWF_TRY(make_scratch(d, &d->scratch[i], err));
    return GWF_OK;
}

gwf_status gwf_drag_create(const gwf_drag_config *config, gwf_drag **drag, gwf_error *err)
{
    *drag = NULL;
    GWF_TRY(check_config(config, err));
    *drag = calloc(1, sizeof **drag);
    if (!*drag) return gwf_fail(err, GWF_ERR_MEMORY, "out of memory for the drag");
    const gwf_status status = fill(*drag, config, err);
    if (status != GWF_OK) gwf_drag_free(drag);
    return status;
}

void gwf_drag_free(gwf_drag **drag)
{
    gwf_drag *d = *drag;
    if (!d) return;
    for (int i = 0; i < d->threads && d->scratch; i++) {
        gwf_bracket_free(&d->scratch[i].bracket);
        free(d->scratch[i].p);
        for (int wind = 0; wind < WINDS; wind++) free(d->scratch[i].flux[wind]);
    }
    free(d->scratch);
    free(d);
    *drag = NULL;
}

/* --- pressures ------------------------------------------------------------------------------ */

/* The first column of interface k that is out of order, n: none. */
static int find_fault(const gwf_drag *d, const gwf_drag_columns *columns, int k)
{
    const int n = columns->n;
    const double *p = columns->p_half + (size_t)k * (size_t)n;
    int c = k > 0 ? gwf_pressure_fault(p, p - n, 1, n) : 0;
    if (k == 0)
        while (c < n && p[c] >= 0) c++;
    for (int i = 0; i < c && k == d->levels; i++)
        if (!(p[i] >= GWF_SURFACE_LEAST && p[i] <= GWF_SURFACE_MOST)) c = i;
    return c;
}

bool gwf_drag_check(const gwf_drag *drag, const gwf_drag_columns *columns, int *interface,
                    int *column)
{
    const gwf_drag *d = drag;
    *interface = d->levels + 1;
    for (int i = 0; i < d->threads; i++) d->scratch[i].fault = d->levels + 1;
    GWF_PARALLEL(d->threads)
    for (int k = 0; k <= d->levels; k++) {
        int *fault = &d->scratch[gwf_thread_number()].fault;
        if (k < *fault && find_fault(d, columns, k) < columns->n) *fault = k;
    }
    for (int i = 0; i < d->threads; i++)
        if (d->scratch[i].fault < *interface) *interface = d->scratch[i].fault;
    if (*interface > d->levels) return true;
    *column = find_fault(d, columns, *interface);
    return false;
}

GWF_LANES static void clamp_row(const double *restrict x, const double *restrict least,
                                const double *restrict most, double *restrict clamped, int n)
{
    for (int c = 0; c < n; c++) {
        const double y = x[c] < least[c] ? least[c] : x[c];
        clamped[c] = y > most[c] ? most[c] : y;
    }
}

/* Where tendencies begin and end, Pa. */
static void find_limits(const gwf_drag *d, scratch *s, int n)
{
    const gwf_drag_options *o = &d->options;
    const double *surface = gwf_row(s->p, d->levels);
    for (int c = 0; c < n; c++) {
        const double top = o->boundary_layer < 1 ? o->boundary_layer * surface[c] : INFINITY;
        s->highest[c] = o->highest;
        s->lowest[c] = o->lowest > 0 && o->lowest < top ? o->lowest : top;
    }
}

/* The pressures that the fluxes are taken at: within the limits, and where the network has levels.
 */
static void bracket_block(const gwf_drag *d, scratch *s, const block *b)
{
    gwf_bracket *bracket = &s->bracket;
    const int last = d->n_network - 1;
    const double *first = gwf_row(bracket->from, 0), *low = gwf_row(bracket->from, last);
    double bottom[GWF_BLOCK], least[GWF_BLOCK], most[GWF_BLOCK];
    for (int k = 0; k <= d->levels; k++)
        memcpy(gwf_row(s->p, k), b->columns->p_half + (size_t)k * (size_t)b->columns->n + b->first,
               (size_t)b->n * sizeof *s->p);
    for (int k = 0; k <= last; k++)
        gwf_hybrid_pressure(&d->network[k], 1, gwf_row(s->p, d->levels), b->n,
                            gwf_row(bracket->from, k));
    find_limits(d, s, b->n);
    for (int c = 0; c < b->n; c++) bottom[c] = low[c] + (low[c] - low[c - GWF_BLOCK]) / 2;
    clamp_row(s->highest, first, bottom, least, b->n);
    clamp_row(s->lowest, first, bottom, most, b->n);
    for (int k = 0; k <= d->levels; k++)
        clamp_row(gwf_row(s->p, k), least, most, gwf_row(bracket->to, k), b->n);
    clamp_row(gwf_row(s->p, 0), first, bottom, gwf_row(bracket->to, d->levels + 1), b->n);
    gwf_bracket_find(bracket, b->n);
}

/* --- the profile ---------------------------------------------------------------------------- */

GWF_LANES static void scale_row(const double *restrict weight, double *restrict x, int n)
{
    for (int c = 0; c < n; c++) x[c] *= weight[c];
}

static void find_weights(const gwf_drag *d, scratch *s, const block *b)
{
    const float *mask = b->columns->mask;
    s->weighted = mask || d->to_pascal != 1;
    for (int c = 0; c < b->n; c++)
        s->weight[c] = d->to_pascal * (mask ? (double)mask[b->first + (size_t)c] : 1);
}

static void take_flux(const scratch *s, int t, const float *flux, const block *b, double *row)
{
    const gwf_block_field field = {flux + b->first, b->columns->n};
    gwf_bracket_apply(&s->bracket, t, field, row);
    if (s->weighted) scale_row(s->weight, row, b->n);
}

/* What leaves at the host's top is taken off, less and less down to `depth`; p within the limits.
 * How many columns are above the depth. */
GWF_LANES static int take_off(const double *restrict p, const double *restrict top,
                              const double *restrict depth, const double *restrict remainder,
                              double *restrict flux, int n)
{
    int above = 0;
    for (int c = 0; c < n; c++) {
        const double share = (depth[c] - p[c]) / (depth[c] - top[c]);
        flux[c] -= share > 0 ? remainder[c] * share : 0;
        above += share > 0;
    }
    return above;
}

static void deposit(const gwf_drag *d, scratch *s, const float *flux, const block *b, double *rows)
{
    const int third = d->levels < TOP_LAYERS ? d->levels : TOP_LAYERS;
    const double *top = gwf_row(s->p, 0), *first = gwf_row(s->bracket.from, 0);
    double depth[GWF_BLOCK], remainder[GWF_BLOCK], p[GWF_BLOCK];
    for (int c = 0; c < b->n; c++)
        depth[c] = top[c] < first[c] ? first[c] : gwf_row(s->p, third)[c];
    take_flux(s, d->levels + 1, flux, b, remainder);
    for (int k = 0; k <= d->levels; k++) {
        clamp_row(gwf_row(s->p, k), s->highest, s->lowest, p, b->n);
        if (take_off(p, top, depth, remainder, gwf_row(rows, k), b->n) == 0) break;
    }
}

/* Of a layer's divergence the part that the taper takes away goes up with the flux. below, shift:
 * of the interface below, flux before the taper and what it is changed by; flux: of the one above.
 */
GWF_LANES static void fade_layer(const double *restrict p, const double *restrict per_top,
                                 double *restrict below, double *restrict shift,
                                 double *restrict flux, int n)
{
    const double *restrict p_below = p + GWF_BLOCK;
    for (int c = 0; c < n; c++) {
        const double less = 2 - (p[c] + p_below[c]) / 2 * per_top[c];
        const double away = less < 0 ? 0 : less > 1 ? 1 : less;
        shift[c] += away * (below[c] - flux[c]);
        below[c] = flux[c];
        flux[c] += shift[c];
    }
}

/* From the ground up, so that the flux there stays. */
static void taper(const gwf_drag *d, scratch *s, const block *b, double *rows)
{
    const double *first = gwf_row(s->bracket.from, 0);
    double per_top[GWF_BLOCK], below[GWF_BLOCK], shift[GWF_BLOCK] = {0};
    for (int c = 0; c < b->n; c++) per_top[c] = 1 / (s->p[c] > first[c] ? s->p[c] : first[c]);
    memcpy(below, gwf_row(rows, d->levels), sizeof below);
    for (int k = d->levels - 1; k >= 0; k--)
        fade_layer(gwf_row(s->p, k), per_top, below, shift, gwf_row(rows, k), b->n);
}

static void find_profile(const gwf_drag *d, scratch *s, const float *flux, const block *b,
                         double *rows)
{
    for (int k = 0; k <= d->levels; k++) take_flux(s, k, flux, b, gwf_row(rows, k));
    if (d->options.top == GWF_TOP_DEPOSIT)
        deposit(d, s, flux, b, rows);
    else
        taper(d, s, b, rows);
}

/* --- the layers ----------------------------------------------------------------------------- */

GWF_LANES static void divide_by_thickness(const double *restrict p, double *restrict per_pascal,
                                          int n)
{
    const double *restrict p_below = p + GWF_BLOCK;
    for (int c = 0; c < n; c++) per_pascal[c] = GWF_GRAVITY / (p_below[c] - p[c]);
}

GWF_LANES static void find_tendency(const double *restrict per_pascal, const double *restrict flux,
                                    double *restrict tendency, int n)
{
    const double *restrict flux_below = flux + GWF_BLOCK;
    for (int c = 0; c < n; c++)
        tendency[c] = gwf_layer_tendency(per_pascal[c], flux[c], flux_below[c]);
}

/* Squares are compared; how many columns have more than the limit. */
GWF_LANES static int count_over(const double *restrict du, const double *restrict dv, double limit,
                                double *restrict largest, int n)
{
    int over = 0;
    for (int c = 0; c < n; c++) {
        const double square = du[c] * du[c] + dv[c] * dv[c];
        largest[c] = square > largest[c] ? square : largest[c];
        over += square > limit;
    }
    return over;
}

/* What is left of a tendency under the cap: 1 where all of it. */
GWF_LANES static void find_shares(const double *restrict du, const double *restrict dv, double cap,
                                  double *restrict share, int n)
{
    for (int c = 0; c < n; c++) {
        const double square = du[c] * du[c] + dv[c] * dv[c], part = cap / sqrt(square);
        share[c] = square > cap * cap ? part : 1;
    }
}

/* Less leaves the flux in this layer; the one below has the rest. */
GWF_LANES static void shorten(const double *restrict p, const double *restrict share,
                              double *restrict flux, double *restrict tendency, int n)
{
    const double *restrict p_below = p + GWF_BLOCK;
    double *flux_below = flux + GWF_BLOCK;
    for (int c = 0; c < n; c++) {
        const double mass = (p_below[c] - p[c]) / GWF_GRAVITY;
        const double less = tendency[c] * share[c], handed = flux[c] + mass * less;
        tendency[c] = less;
        flux_below[c] = share[c] < 1 ? handed : flux_below[c];
    }
}

static int find_layer(const gwf_drag *d, scratch *s, int k, double tendency[WINDS][GWF_BLOCK],
                      int n)
{
    const double cap = d->options.cap, limit = cap > 0 ? cap * cap : INFINITY;
    const double *p = gwf_row(s->p, k);
    double per_pascal[GWF_BLOCK], share[GWF_BLOCK];
    divide_by_thickness(p, per_pascal, n);
    for (int i = 0; i < WINDS; i++)
        find_tendency(per_pascal, gwf_row(s->flux[i], k), tendency[i], n);
    const int over = count_over(tendency[U], tendency[V], limit, s->largest, n);
    if (over == 0 || k == d->levels - 1) return over;
    find_shares(tendency[U], tendency[V], cap, share, n);
    for (int i = 0; i < WINDS; i++) shorten(p, share, gwf_row(s->flux[i], k), tendency[i], n);
    return over;
}

/* From the top down: tendencies out, and the fluxes as the cap leaves them. */
static void find_tendencies(const gwf_drag *d, scratch *s, const block *b)
{
    for (int c = 0; c < b->n; c++) s->largest[c] = 0;
    for (int k = 0; k < d->levels; k++) {
        const size_t at = (size_t)k * (size_t)b->columns->n + b->first;
        double tendency[WINDS][GWF_BLOCK];
        const int over = find_layer(d, s, k, tendency, b->n);
        give_row(tendency[U], b->n, b->columns->du + at);
        give_row(tendency[V], b->n, b->columns->dv + at);
        *(k < d->levels - 1 ? &s->counters.capped : &s->counters.over) += over;
    }
    for (int c = 0; c < b->n; c++)
        if (s->largest[c] > s->counters.largest) s->counters.largest = s->largest[c];
}

/* --- a run ---------------------------------------------------------------------------------- */

static void give_fluxes(const gwf_drag *d, const scratch *s, const block *b)
{
    double *const out[WINDS] = {b->columns->half_u, b->columns->half_v};
    for (int i = 0; i < WINDS; i++)
        for (int k = 0; k <= d->levels && out[i]; k++)
            give_row(gwf_row(s->flux[i], k), b->n,
                     out[i] + (size_t)k * (size_t)b->columns->n + b->first);
}

static void run_block(const gwf_drag *d, const gwf_drag_columns *columns, int number)
{
    scratch *s = &d->scratch[gwf_thread_number()];
    const int first = number * GWF_BLOCK, left = columns->n - first;
    const block b = {columns, (size_t)first, left < GWF_BLOCK ? left : GWF_BLOCK};
    bracket_block(d, s, &b);
    find_weights(d, s, &b);
    find_profile(d, s, columns->flux_u, &b, s->flux[U]);
    find_profile(d, s, columns->flux_v, &b, s->flux[V]);
    find_tendencies(d, s, &b);
    give_fluxes(d, s, &b);
}

void gwf_drag_run(gwf_drag *drag, const gwf_drag_columns *columns, gwf_drag_counters *counters)
{
    const gwf_drag *d = drag;
    const int blocks = columns->n / GWF_BLOCK + (columns->n % GWF_BLOCK > 0);
    for (int i = 0; i < d->threads; i++) d->scratch[i].counters = (gwf_drag_counters){0};
    GWF_PARALLEL(d->threads)
    for (int number = 0; number < blocks; number++) run_block(d, columns, number);
    *counters = (gwf_drag_counters){0};
    for (int i = 0; i < d->threads; i++) {
        const gwf_drag_counters *of_thread = &d->scratch[i].counters;
        counters->capped += of_thread->capped;
        counters->over += of_thread->over;
        counters->largest = fmax(counters->largest, of_thread->largest);
    }
    counters->largest = sqrt(counters->largest);
}

GWF_LANES void gwf_drag_heating(size_t n, const double *u, const double *v, const double *du,
                                const double *dv, double step, double *dt)
{
    for (size_t i = 0; i < n; i++) {
        const double lost_u = (u[i] + du[i] * step / 2) * du[i];
        const double lost_v = (v[i] + dv[i] * step / 2) * dv[i];
        dt[i] = -(lost_u + lost_v) / GWF_CP_DRY;
    }
}
