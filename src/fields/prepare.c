#include "fields/prepare.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fields/threads.h"
#include "fields/vertical.h"

typedef enum kind { LAT, LON, ZS, U, V, THETA, OMEGA, KINDS } kind;
enum { PROFILES = KINDS - U };

/* As the channel table names them; what a message calls them. */
static const struct {
    const char *name, *text;
} kinds[KINDS] = {{"lat", "latitude"}, {"lon", "longitude"}, {"zs", "surface geopotential"},
                  {"u", "u"},          {"v", "v"},           {"theta", "temperature"},
                  {"w", "omega"}};

typedef struct step_channel {
    kind kind;
    int target; /* of the levels below, -1: none */
    gwf_transform transform;
    double mu, d;
} step_channel;

struct gwf_prepare {
    gwf_tile part;
    int columns, levels, threads; /* levels: of the source */
    double *lat, *lon;            /* degrees, of the part's rows and columns */
    int count;                    /* channels */
    step_channel *channels;
    int targets;
    gwf_level target[GWF_LEVELS];
    gwf_vertical *vertical;
    double *surface_pressure; /* (columns) */
    double *source_p;         /* (levels[, columns]) */
    double *target_p;         /* (targets, columns) */
    float *temperature;       /* (levels, columns): from theta */
    float *omega;             /* (levels, columns): from w */
    float *profiles;          /* (PROFILES, targets, columns): before the normalisation */
    long *outside, *missing;  /* (count), of a run; the place of the first, -1: none */
};

/* --- a model's channels --------------------------------------------------------------------- */

static gwf_status find_kind(const gwf_channel *channel, kind *found, gwf_error *err)
{
    for (int k = 0; k < KINDS; k++)
        if (strcmp(channel->variable, kinds[k].name) == 0 && (k < U) == (channel->level == 0)) {
            *found = (kind)k;
            return GWF_OK;
        }
    return gwf_fail(err, GWF_ERR_UNSUPPORTED,
                    "the model reads %s at level %d, which cannot be made from u, v, temperature, "
                    "omega and the surface",
                    channel->variable, channel->level);
}

gwf_status gwf_prepare_needs(const gwf_model *model, gwf_needs *needs, gwf_error *err)
{
    bool has[KINDS] = {false};
    *needs = (gwf_needs){0};
    for (int i = 0; i < model->in.count; i++) {
        kind k = LAT;
        GWF_TRY(find_kind(&model->in.channels[i], &k, err));
        has[k] = true;
    }
    *needs = (gwf_needs){.u = has[U],
                         .v = has[V],
                         .temperature = has[THETA],
                         .omega = has[OMEGA],
                         .zs = has[ZS],
                         .surface_pressure = has[U] || has[V] || has[THETA] || has[OMEGA]};
    return GWF_OK;
}

/* Coefficients as the model file has them; those of the inputs alone come from the table. */
static const gwf_level *find_level(const gwf_model *model, int number)
{
    for (int i = 0; i < model->n_levels; i++)
        if (model->levels[i].number == number) return &model->levels[i];
    return gwf_level_at(number - GWF_FIRST_LEVEL);
}

/* The place of a level among the targets, appended where it is new. */
static gwf_status find_target(gwf_prepare *p, const gwf_model *model, int number, int *target,
                              gwf_error *err)
{
    for (*target = 0; *target < p->targets; ++*target)
        if (p->target[*target].number == number) return GWF_OK;
    const gwf_level *level = find_level(model, number);
    if (!level || p->targets == GWF_LEVELS)
        return gwf_fail(err, GWF_ERR_UNSUPPORTED, "the model reads level %d, expected %d to %d",
                        number, GWF_FIRST_LEVEL, GWF_FIRST_LEVEL + GWF_LEVELS - 1);
    p->target[p->targets++] = *level;
    return GWF_OK;
}

static gwf_status take_channels(gwf_prepare *p, const gwf_model *model, gwf_error *err)
{
    for (int i = 0; i < p->count; i++) {
        const gwf_channel *from = &model->in.channels[i];
        step_channel *to = &p->channels[i];
        *to = (step_channel){LAT, -1, from->transform, from->mu, from->d};
        GWF_TRY(find_kind(from, &to->kind, err));
        if (to->kind >= U) GWF_TRY(find_target(p, model, from->level, &to->target, err));
    }
    return GWF_OK;
}

/* --- making --------------------------------------------------------------------------------- */

static gwf_status allocate(gwf_prepare *p, gwf_error *err)
{
    const size_t n = (size_t)p->columns, count = (size_t)p->count, most = GWF_LEVELS;
    p->lat = calloc((size_t)p->part.rows, sizeof *p->lat);
    p->lon = calloc((size_t)p->part.cols, sizeof *p->lon);
    p->channels = calloc(count, sizeof *p->channels);
    p->outside = calloc(count, sizeof *p->outside);
    p->missing = calloc(count, sizeof *p->missing);
    p->surface_pressure = calloc(n, sizeof *p->surface_pressure);
    p->target_p = calloc(most * n, sizeof *p->target_p);
    p->source_p = calloc((size_t)p->levels * n, sizeof *p->source_p);
    p->temperature = calloc((size_t)p->levels * n, sizeof *p->temperature);
    p->omega = calloc((size_t)p->levels * n, sizeof *p->omega);
    p->profiles = calloc(PROFILES * most * n, sizeof *p->profiles);
    if (p->lat && p->lon && p->channels && p->outside && p->missing && p->surface_pressure &&
        p->target_p && p->source_p && p->temperature && p->omega && p->profiles)
        return GWF_OK;
    return gwf_fail(err, GWF_ERR_MEMORY, "out of memory to prepare %d channels of %d columns",
                    p->count, p->columns);
}

static gwf_status fill(gwf_prepare *p, const gwf_model *model, gwf_error *err)
{
    GWF_TRY(allocate(p, err));
    memcpy(p->lat, model->lat + p->part.row, (size_t)p->part.rows * sizeof *p->lat);
    memcpy(p->lon, model->lon + p->part.col, (size_t)p->part.cols * sizeof *p->lon);
    GWF_TRY(take_channels(p, model, err));
    if (p->targets == 0) return GWF_OK;
    return gwf_vertical_create(p->levels, p->targets, p->columns, p->threads, &p->vertical, err);
}

static bool is_part(const gwf_tile *part, const gwf_model *model)
{
    return part->row >= 0 && part->rows >= 1 && part->row <= model->nlat - part->rows &&
           part->col >= 0 && part->cols >= 1 && part->col <= model->nlon - part->cols;
}

gwf_status gwf_prepare_create(const gwf_model *model, const gwf_tile *part, int levels, int threads,
                              gwf_prepare **prepare, gwf_error *err)
{
    const gwf_tile whole = {0, model->nlat, 0, model->nlon}, *cells = part ? part : &whole;
    *prepare = NULL;
    if (levels < 2 || levels > 10000)
        return gwf_fail(err, GWF_ERR_ARGUMENT, "%d levels to prepare from, expected 2 to 10000",
                        levels);
    if (model->nlat < 1 || model->nlon < 1 || model->nlat > INT_MAX / model->nlon)
        return gwf_fail(err, GWF_ERR_ARGUMENT, "a model grid of %d x %d cells", model->nlat,
                        model->nlon);
    if (!is_part(cells, model))
        return gwf_fail(err, GWF_ERR_ARGUMENT,
                        "%d rows from %d, %d columns from %d of a grid of %d x %d cells",
                        cells->rows, cells->row, cells->cols, cells->col, model->nlat, model->nlon);
    gwf_prepare *p = calloc(1, sizeof *p);
    if (!p) return gwf_fail(err, GWF_ERR_MEMORY, "out of memory to prepare channels");
    p->part = *cells;
    p->columns = cells->rows * cells->cols;
    p->levels = levels;
    p->threads = gwf_threads(threads);
    p->count = model->in.count;
    *prepare = p;
    const gwf_status status = fill(p, model, err);
    if (status != GWF_OK) gwf_prepare_free(prepare);
    return status;
}

void gwf_prepare_free(gwf_prepare **prepare)
{
    gwf_prepare *p = *prepare;
    if (!p) return;
    gwf_vertical_free(&p->vertical);
    free(p->lat);
    free(p->lon);
    free(p->channels);
    free(p->outside);
    free(p->missing);
    free(p->surface_pressure);
    free(p->target_p);
    free(p->source_p);
    free(p->temperature);
    free(p->omega);
    free(p->profiles);
    free(p);
    *prepare = NULL;
}

const long *gwf_prepare_outside(const gwf_prepare *prepare)
{
    return prepare->outside;
}

/* --- a step --------------------------------------------------------------------------------- */

/* The source of a variable; theta's is temperature, which may have to be made. */
static const float *source_of(const gwf_prepare *p, const gwf_state *state, kind k)
{
    switch (k) {
    case ZS:
        return state->zs;
    case U:
        return state->u;
    case V:
        return state->v;
    case THETA:
        return state->temperature ? state->temperature : state->theta ? p->temperature : NULL;
    case OMEGA:
        return state->omega ? state->omega : state->w ? p->omega : NULL;
    default:
        return NULL;
    }
}

static gwf_status check_state(const gwf_prepare *p, const gwf_state *state, gwf_error *err)
{
    for (int i = 0; i < p->count; i++) {
        const kind k = p->channels[i].kind;
        if (k >= ZS && !source_of(p, state, k))
            return gwf_fail(err, GWF_ERR_ARGUMENT, "the model needs %s, which is not given",
                            kinds[k].text);
    }
    if (!state->omega && state->w && !source_of(p, state, THETA))
        return gwf_fail(err, GWF_ERR_ARGUMENT,
                        "omega from w needs temperature, which is not given");
    const bool pressure = state->pressure || (state->a && state->b);
    if (p->targets > 0 && (!pressure || !state->surface_pressure))
        return gwf_fail(err, GWF_ERR_ARGUMENT,
                        "the model needs pressures and the surface pressure, which are not given");
    return GWF_OK;
}

/* Nowhere on Earth beyond these, Pa. */
static gwf_status take_surface_pressure(gwf_prepare *p, const float *given, gwf_error *err)
{
    const double least = 20000, most = 120000;
    for (int c = 0; c < p->columns; c++) {
        if (!(given[c] >= least && given[c] <= most))
            return gwf_fail(err, GWF_ERR_DATA,
                            "surface pressure at latitude %g, longitude %g is %g Pa, expected %g "
                            "to %g",
                            p->lat[c / p->part.cols], p->lon[c % p->part.cols], (double)given[c],
                            least, most);
        p->surface_pressure[c] = given[c];
    }
    return GWF_OK;
}

static bool varies(const gwf_prepare *p, const gwf_state *state)
{
    for (int k = 0; k < p->levels && state->a; k++)
        if (state->b[k] != 0) return true;
    return !state->a;
}

static void find_source_pressure(gwf_prepare *p, const gwf_state *state, bool per_column)
{
    const size_t n = per_column ? (size_t)p->columns : 1;
    for (size_t k = 0; k < (size_t)p->levels; k++)
        for (size_t c = 0; c < n; c++)
            p->source_p[k * n + c] = state->a ? state->a[k] + state->b[k] * p->surface_pressure[c]
                                              : (double)state->pressure[k * n + c];
}

/* What has to be made of the given fields; the pressures were checked by the bracket. */
static void make_sources(gwf_prepare *p, const gwf_state *state, bool per_column)
{
    const size_t n = (size_t)p->columns;
    const float *const temperature = source_of(p, state, THETA);
    GWF_PARALLEL(p->threads)
    for (int k = 0; k < p->levels; k++) {
        const size_t row = (size_t)k * n;
        for (size_t c = row; c < row + n; c++) {
            const double pressure = p->source_p[per_column ? c : (size_t)k], log_p = log(pressure);
            if (!state->temperature && state->theta)
                gwf_temperature(&state->theta[c], &log_p, &p->temperature[c], 1);
            if (!state->omega && state->w)
                gwf_omega(&state->w[c], &temperature[c], &pressure, &p->omega[c], 1);
        }
    }
}

static float *profile_of(const gwf_prepare *p, kind k, int target)
{
    const size_t map = (size_t)p->columns;
    return p->profiles + ((size_t)(k - U) * (size_t)p->targets + (size_t)target) * map;
}

static void interpolate(gwf_prepare *p, const gwf_state *state)
{
    bool wanted[KINDS] = {false};
    for (int i = 0; i < p->count; i++) wanted[p->channels[i].kind] = true;
    for (kind k = U; k < KINDS; k++)
        if (wanted[k]) gwf_vertical_apply(p->vertical, source_of(p, state, k), profile_of(p, k, 0));
    if (!wanted[THETA]) return;
    const double *log_p = gwf_vertical_log_pressure(p->vertical);
    GWF_PARALLEL(p->threads)
    for (int t = 0; t < p->targets; t++) {
        float *map = profile_of(p, THETA, t);
        gwf_theta(map, log_p + (size_t)t * (size_t)p->columns, map, (size_t)p->columns);
    }
}

static gwf_status vertical_step(gwf_prepare *p, const gwf_state *state, gwf_error *err)
{
    if (p->targets == 0) return GWF_OK;
    GWF_TRY(take_surface_pressure(p, state->surface_pressure, err));
    gwf_hybrid_pressure(p->target, p->targets, p->surface_pressure, p->columns, p->target_p);
    const bool per_column = varies(p, state);
    find_source_pressure(p, state, per_column);
    GWF_TRY(gwf_vertical_bracket(p->vertical, p->source_p, per_column, p->target_p, err));
    make_sources(p, state, per_column);
    interpolate(p, state);
    return GWF_OK;
}

/* The coordinate of each cell, degrees. */
static void coordinate(const gwf_prepare *p, kind k, float *x)
{
    for (int c = 0; c < p->columns; c++)
        x[c] = (float)(k == LAT ? p->lat[c / p->part.cols] : p->lon[c % p->part.cols]);
}

static void count(gwf_prepare *p, int i, const float *x)
{
    p->outside[i] = 0;
    p->missing[i] = -1;
    for (int c = 0; c < p->columns; c++) {
        if (fabsf(x[c]) <= GWF_TRAINED_RANGE) continue;
        p->outside[i]++;
        if (!isfinite(x[c]) && p->missing[i] < 0) p->missing[i] = c;
    }
}

static void make_channel(gwf_prepare *p, const gwf_state *state, int i, float *x)
{
    const step_channel *channel = &p->channels[i];
    const float *from = x;
    if (channel->kind == LAT || channel->kind == LON)
        coordinate(p, channel->kind, x);
    else if (channel->kind == ZS)
        from = state->zs;
    else
        from = profile_of(p, channel->kind, channel->target);
    gwf_normalise(channel->transform, channel->mu, channel->d, from, x, p->columns);
    count(p, i, x);
}

static gwf_status check_missing(const gwf_prepare *p, gwf_error *err)
{
    for (int i = 0; i < p->count; i++) {
        const step_channel *channel = &p->channels[i];
        const long c = p->missing[i];
        if (c < 0) continue;
        const double lat = p->lat[c / p->part.cols], lon = p->lon[c % p->part.cols];
        if (channel->target < 0)
            return gwf_fail(err, GWF_ERR_DATA,
                            "%s at latitude %g, longitude %g: missing or not finite",
                            kinds[channel->kind].text, lat, lon);
        return gwf_fail(err, GWF_ERR_DATA,
                        "%s at model level %d, latitude %g, longitude %g: missing or not finite",
                        kinds[channel->kind].text, p->target[channel->target].number, lat, lon);
    }
    return GWF_OK;
}

gwf_status gwf_prepare_run(gwf_prepare *prepare, const gwf_state *state, float *features,
                           gwf_error *err)
{
    gwf_prepare *p = prepare;
    GWF_TRY(check_state(p, state, err));
    GWF_TRY(vertical_step(p, state, err));
    GWF_PARALLEL(p->threads)
    for (int i = 0; i < p->count; i++)
        make_channel(p, state, i, features + (size_t)i * (size_t)p->columns);
    return check_missing(p, err);
}
