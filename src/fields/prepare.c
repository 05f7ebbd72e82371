#include "fields/prepare_internal.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fields/threads.h"

/* As the channel table names them; what a message calls them. */
static const struct {
    const char *name, *text;
} kinds[KINDS] = {{"lat", "latitude"}, {"lon", "longitude"}, {"zs", "surface geopotential"},
                  {"u", "u"},          {"v", "v"},           {"theta", "temperature"},
                  {"w", "omega"}};

/* --- a model's channels --------------------------------------------------------------------- */

static gwf_status find_kind(const gwf_channel *channel, channel_kind *found, gwf_error *err)
{
    for (int k = 0; k < KINDS; k++)
        if (strcmp(channel->variable, kinds[k].name) == 0 && (k < U) == (channel->level == 0)) {
            *found = (channel_kind)k;
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
        channel_kind k = LAT;
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
    p->lat = calloc((size_t)p->part.rows, sizeof *p->lat);
    p->lon = calloc((size_t)p->part.cols, sizeof *p->lon);
    p->channels = calloc((size_t)p->count, sizeof *p->channels);
    p->outside = calloc((size_t)p->count, sizeof *p->outside);
    p->scratch = calloc((size_t)p->threads, sizeof *p->scratch);
    if (p->lat && p->lon && p->channels && p->outside && p->scratch) return GWF_OK;
    return gwf_fail(err, GWF_ERR_MEMORY, "out of memory to prepare %d channels of %d columns",
                    p->count, p->columns);
}

static gwf_status make_scratch(const gwf_prepare *p, prepare_scratch *scratch, gwf_error *err)
{
    const size_t values = (size_t)p->levels * GWF_BLOCK, count = (size_t)p->count;
    scratch->temperature = calloc(values, sizeof *scratch->temperature);
    scratch->omega = calloc(values, sizeof *scratch->omega);
    scratch->outside = calloc(count, sizeof *scratch->outside);
    scratch->missing = calloc(count, sizeof *scratch->missing);
    if (!scratch->temperature || !scratch->omega || !scratch->outside || !scratch->missing)
        return gwf_fail(err, GWF_ERR_MEMORY, "out of memory to prepare %d levels", p->levels);
    for (int c = 0; c < GWF_BLOCK; c++) scratch->one[c] = 1;
    return gwf_bracket_create(p->levels, p->targets, true, &scratch->bracket, err);
}

static gwf_status fill(gwf_prepare *p, const gwf_model *model, gwf_error *err)
{
    GWF_TRY(gwf_prepare_needs(model, &p->needs, err));
    GWF_TRY(allocate(p, err));
    memcpy(p->lat, model->lat + p->part.row, (size_t)p->part.rows * sizeof *p->lat);
    memcpy(p->lon, model->lon + p->part.col, (size_t)p->part.cols * sizeof *p->lon);
    GWF_TRY(take_channels(p, model, err));
    for (int i = 0; i < p->threads; i++) GWF_TRY(make_scratch(p, &p->scratch[i], err));
    return GWF_OK;
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
    p->blocks = p->columns / GWF_BLOCK + (p->columns % GWF_BLOCK > 0);
    p->threads = gwf_threads(threads);
    if (p->threads > p->blocks) p->threads = p->blocks;
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
    for (int i = 0; i < p->threads && p->scratch; i++) {
        gwf_bracket_free(&p->scratch[i].bracket);
        free(p->scratch[i].temperature);
        free(p->scratch[i].omega);
        free(p->scratch[i].outside);
        free(p->scratch[i].missing);
    }
    free(p->scratch);
    free(p->lat);
    free(p->lon);
    free(p->channels);
    free(p->outside);
    free(p);
    *prepare = NULL;
}

const long *gwf_prepare_outside(const gwf_prepare *prepare)
{
    return prepare->outside;
}

/* --- a step --------------------------------------------------------------------------------- */

static gwf_status check_state(const gwf_prepare *p, const gwf_state *state, gwf_error *err)
{
    const gwf_needs *needs = &p->needs;
    const bool temperature = state->temperature || state->theta;
    const bool missing[KINDS] = {[ZS] = needs->zs && !state->zs,
                                 [U] = needs->u && !state->u,
                                 [V] = needs->v && !state->v,
                                 [THETA] = needs->temperature && !temperature,
                                 [OMEGA] = needs->omega && !state->omega && !state->w};
    for (int k = 0; k < KINDS; k++)
        if (missing[k])
            return gwf_fail(err, GWF_ERR_ARGUMENT, "the model needs %s, which is not given",
                            kinds[k].text);
    if (needs->omega && !state->omega && !temperature)
        return gwf_fail(err, GWF_ERR_ARGUMENT,
                        "omega from w needs temperature, which is not given");
    const bool pressure = state->pressure || (state->a && state->b);
    if (needs->surface_pressure && (!pressure || !state->surface_pressure))
        return gwf_fail(err, GWF_ERR_ARGUMENT,
                        "the model needs pressures and the surface pressure, which are not given");
    return GWF_OK;
}

/* By the first column; the others are checked against it. */
static bool is_bottom_up(const gwf_prepare *p, const gwf_state *state)
{
    if (p->targets == 0) return false;
    if (!state->a) return state->pressure[p->columns] < state->pressure[0];
    const double ps = state->surface_pressure[0];
    return state->a[1] + state->b[1] * ps < state->a[0] + state->b[0] * ps;
}

static void start(gwf_prepare *p)
{
    for (int i = 0; i < p->threads; i++) {
        prepare_scratch *scratch = &p->scratch[i];
        scratch->fault = -1;
        for (int k = 0; k < p->count; k++) {
            scratch->outside[k] = 0;
            scratch->missing[k] = -1;
        }
    }
}

static void run_block(const prepare_step *step, int block)
{
    prepare_scratch *scratch = &step->prepare->scratch[gwf_thread_number()];
    if (scratch->fault >= 0) return;
    if (prepare_pressures(step, scratch, block, NULL) == GWF_OK)
        prepare_features(step, scratch, block);
    else
        scratch->fault = block;
}

/* The first block whose pressures cannot be used says why. */
static gwf_status check_pressures(const prepare_step *step, gwf_error *err)
{
    const gwf_prepare *p = step->prepare;
    int first = p->blocks;
    for (int i = 0; i < p->threads; i++)
        if (p->scratch[i].fault >= 0 && p->scratch[i].fault < first) first = p->scratch[i].fault;
    return first == p->blocks ? GWF_OK : prepare_pressures(step, &p->scratch[0], first, err);
}

/* Counts of all threads together; the first place where a channel has no number, -1: none. */
static long gather_counts(gwf_prepare *p, int i)
{
    long missing = -1;
    p->outside[i] = 0;
    for (int k = 0; k < p->threads; k++) {
        const long place = p->scratch[k].missing[i];
        p->outside[i] += p->scratch[k].outside[i];
        if (place >= 0 && (missing < 0 || place < missing)) missing = place;
    }
    return missing;
}

static gwf_status refuse_missing(const gwf_prepare *p, int i, long column, gwf_error *err)
{
    const step_channel *channel = &p->channels[i];
    const prepare_cell cell = prepare_place(p, (size_t)column);
    if (channel->target < 0)
        return gwf_fail(err, GWF_ERR_DATA, "%s at latitude %g, longitude %g: missing or not finite",
                        kinds[channel->kind].text, cell.lat, cell.lon);
    return gwf_fail(
        err, GWF_ERR_DATA, "%s at model level %d, latitude %g, longitude %g: missing or not finite",
        kinds[channel->kind].text, p->target[channel->target].number, cell.lat, cell.lon);
}

gwf_status gwf_prepare_run(gwf_prepare *prepare, const gwf_state *state, float *features,
                           gwf_error *err)
{
    gwf_prepare *p = prepare;
    gwf_status status = GWF_OK;
    GWF_TRY(check_state(p, state, err));
    const prepare_step step = {p, state, is_bottom_up(p, state), features};
    start(p);
    GWF_PARALLEL(p->threads)
    for (int b = 0; b < p->blocks; b++) run_block(&step, b);
    GWF_TRY(check_pressures(&step, err));
    for (int i = 0; i < p->count; i++) {
        const long missing = gather_counts(p, i);
        if (missing >= 0 && status == GWF_OK) status = refuse_missing(p, i, missing, err);
    }
    return status;
}
