#include "fields/prepare_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "fields/vertical.h"

/* Columns of the part. */
typedef struct block_columns {
    size_t first;
    int n;
} block_columns;

static block_columns columns_of(const gwf_prepare *p, int block)
{
    const int first = block * GWF_BLOCK, left = p->columns - first;
    return (block_columns){(size_t)first, left < GWF_BLOCK ? left : GWF_BLOCK};
}

/* --- pressures ------------------------------------------------------------------------------ */

static gwf_status take_surface(const prepare_step *step, prepare_scratch *scratch, block_columns at,
                               gwf_error *err)
{
    const float *given = step->state->surface_pressure + at.first;
    for (int c = 0; c < at.n; c++) {
        const prepare_cell place = prepare_place(step->prepare, at.first + (size_t)c);
        if (!(given[c] >= GWF_SURFACE_LEAST && given[c] <= GWF_SURFACE_MOST))
            return gwf_fail(err, GWF_ERR_DATA,
                            "surface pressure at latitude %g, longitude %g is %g Pa, expected %g "
                            "to %g",
                            place.lat, place.lon, (double)given[c], GWF_SURFACE_LEAST,
                            GWF_SURFACE_MOST);
        scratch->surface_pressure[c] = given[c];
    }
    return GWF_OK;
}

/* Pressure of the source's level k, as the state counts. */
static void source_row(const prepare_step *step, const prepare_scratch *scratch, int k,
                       block_columns at, double *row)
{
    const gwf_state *state = step->state;
    if (state->a) {
        const gwf_level level = {k, state->a[k], state->b[k]};
        gwf_hybrid_pressure(&level, 1, scratch->surface_pressure, at.n, row);
        return;
    }
    const float *given = state->pressure + (size_t)k * (size_t)step->prepare->columns + at.first;
    for (int c = 0; c < at.n; c++) row[c] = given[c];
}

GWF_LANES static void fill_row(double *row, double value, int n)
{
    for (int c = 0; c < n; c++) row[c] = value;
}

/* ln of a row; flat: of its first, which the others equal. */
static void ln_row(const double *p, bool flat, double *row, int n)
{
    gwf_ln_row(p, row, flat ? 1 : n);
    if (flat) fill_row(row, row[0], n);
}

static gwf_status take_source(const prepare_step *step, prepare_scratch *scratch, block_columns at,
                              gwf_error *err)
{
    const int levels = step->prepare->levels;
    double rows[2][GWF_BLOCK];
    for (int k = 0; k < levels; k++) {
        double *p = rows[k % 2], *before = k ? rows[(k + 1) % 2] : NULL;
        source_row(step, scratch, k, at, p);
        const int c = gwf_pressure_fault(p, before, step->bottom_up ? -1 : 1, at.n);
        if (c < at.n) {
            const prepare_cell place = prepare_place(step->prepare, at.first + (size_t)c);
            char where[96];
            snprintf(where, sizeof where, "source level %d, latitude %g, longitude %g", k,
                     place.lat, place.lon);
            return gwf_pressure_refuse(where, p[c], before ? before[c] : NAN, err);
        }
        ln_row(p, step->state->a && step->state->b[k] == 0,
               gwf_row(scratch->bracket.from, step->bottom_up ? levels - 1 - k : k), at.n);
    }
    return GWF_OK;
}

gwf_status prepare_pressures(const prepare_step *step, prepare_scratch *scratch, int block,
                             gwf_error *err)
{
    const gwf_prepare *p = step->prepare;
    const block_columns at = columns_of(p, block);
    if (p->targets == 0) return GWF_OK;
    GWF_TRY(take_surface(step, scratch, at, err));
    GWF_TRY(take_source(step, scratch, at, err));
    for (int t = 0; t < p->targets; t++) {
        double row[GWF_BLOCK];
        gwf_hybrid_pressure(&p->target[t], 1, scratch->surface_pressure, at.n, row);
        ln_row(row, p->target[t].b == 0, gwf_row(scratch->bracket.to, t), at.n);
    }
    gwf_bracket_find(&scratch->bracket, at.n);
    return GWF_OK;
}

/* --- fields --------------------------------------------------------------------------------- */

/* Level 0 at the top. */
static gwf_block_field top_down(const prepare_step *step, const float *values, ptrdiff_t stride)
{
    if (!step->bottom_up) return (gwf_block_field){values, stride};
    return (gwf_block_field){values + (step->prepare->levels - 1) * stride, -stride};
}

/* What a variable is interpolated from: the state's or, where it has none, what was made. */
static gwf_block_field field_of(const prepare_step *step, const prepare_scratch *scratch,
                                channel_kind kind, size_t first)
{
    const gwf_state *state = step->state;
    const float *const given[KINDS] = {
        [U] = state->u, [V] = state->v, [THETA] = state->temperature, [OMEGA] = state->omega};
    if (given[kind]) return top_down(step, given[kind] + first, step->prepare->columns);
    return top_down(step, kind == THETA ? scratch->temperature : scratch->omega, GWF_BLOCK);
}

/* Temperature from potential temperature, omega from w, at the source's levels. */
static void make_fields(const prepare_step *step, prepare_scratch *scratch, block_columns at)
{
    const gwf_state *state = step->state;
    const bool omega = step->prepare->needs.omega && !state->omega;
    const bool temperature = (step->prepare->needs.temperature || omega) && !state->temperature;
    for (int k = 0; k < step->prepare->levels && (temperature || omega); k++) {
        const size_t row = (size_t)k * (size_t)step->prepare->columns + at.first;
        const size_t own = (size_t)k * GWF_BLOCK, n = (size_t)at.n;
        const int from_top = step->bottom_up ? step->prepare->levels - 1 - k : k;
        float *const made = scratch->temperature + own;
        double p[GWF_BLOCK];
        if (temperature)
            gwf_temperature(state->theta + row, gwf_row(scratch->bracket.from, from_top), made, n);
        if (!omega) continue;
        source_row(step, scratch, k, at, p);
        gwf_omega(state->w + row, temperature ? made : state->temperature + row, p,
                  scratch->omega + own, n);
    }
}

/* --- channels ------------------------------------------------------------------------------- */

/* One on the model's levels: where its values are from and how they are normalised. */
typedef struct level_channel {
    const float *high, *low; /* levels about the target */
    const double *way, *factor;
    double mu, scale;
} level_channel;

/* x~ of a row; how many are outside the trained range. */
GWF_LANES static int linear_row(const level_channel *channel, float *restrict x, int n)
{
    const level_channel l = *channel;
    int outside = 0;
    for (int c = 0; c < n; c++) {
        const double value = gwf_between(l.high[c], l.low[c], l.way[c]) * l.factor[c];
        const float normalised = (float)((value - l.mu) * l.scale);
        x[c] = normalised;
        outside += !(fabsf(normalised) <= GWF_TRAINED_RANGE);
    }
    return outside;
}

GWF_LANES static int root_row(const level_channel *channel, float *restrict x, int n)
{
    const level_channel l = *channel;
    int outside = 0;
    for (int c = 0; c < n; c++) {
        const double value = gwf_between(l.high[c], l.low[c], l.way[c]) * l.factor[c];
        const float normalised = (float)gwf_cube_root((value - l.mu) * l.scale);
        x[c] = normalised;
        outside += !(fabsf(normalised) <= GWF_TRAINED_RANGE);
    }
    return outside;
}

/* Of a target; flat as ln_row(). */
static void theta_factor(const gwf_prepare *p, prepare_scratch *scratch, int t, int n)
{
    const bool flat = p->target[t].b == 0;
    double *row = scratch->theta_factor;
    gwf_theta_factor(gwf_row(scratch->bracket.to, t), row, flat ? 1 : n);
    if (flat) fill_row(row, row[0], n);
}

static int make_level(const prepare_step *step, prepare_scratch *scratch,
                      const step_channel *channel, block_columns at, float *x)
{
    const gwf_bracket *bracket = &scratch->bracket;
    const int t = channel->target;
    gwf_block_pair pair;
    gwf_bracket_pair(bracket, t, field_of(step, scratch, channel->kind, at.first), &pair);
    if (channel->kind == THETA) theta_factor(step->prepare, scratch, t, at.n);
    const level_channel level = {pair.high,
                                 pair.low,
                                 gwf_row(bracket->way, t),
                                 channel->kind == THETA ? scratch->theta_factor : scratch->one,
                                 channel->mu,
                                 1 / channel->d};
    return channel->transform == GWF_CUBE_ROOT ? root_row(&level, x, at.n)
                                               : linear_row(&level, x, at.n);
}

GWF_LANES static int count_outside(const float *restrict x, int n)
{
    int count = 0;
    for (int c = 0; c < n; c++) count += !(fabsf(x[c]) <= GWF_TRAINED_RANGE);
    return count;
}

/* Latitude, longitude, surface geopotential. */
static int make_surface(const prepare_step *step, const step_channel *channel, block_columns at,
                        float *x)
{
    for (int c = 0; c < at.n; c++) {
        const prepare_cell cell = prepare_place(step->prepare, at.first + (size_t)c);
        x[c] = channel->kind == ZS    ? step->state->zs[at.first + (size_t)c]
               : channel->kind == LAT ? (float)cell.lat
                                      : (float)cell.lon;
    }
    gwf_normalise(channel->transform, channel->mu, channel->d, x, x, at.n);
    return count_outside(x, at.n);
}

static void make_channel(const prepare_step *step, prepare_scratch *scratch, int i,
                         block_columns at)
{
    const gwf_prepare *p = step->prepare;
    const step_channel *channel = &p->channels[i];
    float *x = step->features + (size_t)i * (size_t)p->columns + at.first;
    const int outside = channel->target < 0 ? make_surface(step, channel, at, x)
                                            : make_level(step, scratch, channel, at, x);
    scratch->outside[i] += outside;
    for (int c = 0; c < at.n && outside && scratch->missing[i] < 0; c++)
        if (!isfinite(x[c])) scratch->missing[i] = (long)at.first + c;
}

void prepare_features(const prepare_step *step, prepare_scratch *scratch, int block)
{
    const block_columns at = columns_of(step->prepare, block);
    make_fields(step, scratch, at);
    for (int i = 0; i < step->prepare->count; i++) make_channel(step, scratch, i, at);
}
