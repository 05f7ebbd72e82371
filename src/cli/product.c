#include "cli/product.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fields/prepare.h"
#include "fields/remap.h"
#include "fields/tendency.h"
#include "fields/units.h"
#include "fields/vertical.h"

enum { PARTS = 4, MOST_LEVELS = 1000 }; /* uw, vw, utend, vtend */

static const double nominal_pressure = 101325; /* Pa, where the surface pressure is not known */

struct product {
    const gwf_model *model;
    product_choice choice;
    product_shape shape;
    size_t n, nlev;              /* columns and levels of the model */
    double *levels;              /* Pa, top to bottom; NULL: the model's */
    double *p, *p_half;          /* (nlev, n), (nlev + 1, n): of a step, Pa */
    double *target;              /* (levels, n) */
    double *column, *half, *out; /* (nlev, n), (nlev + 1, n), (nlev, n): a flux and its tendency */
    float *tendency[2];          /* (nlev, n) */
    float *on_levels[PARTS];     /* (levels, n) */
    float *on_grid[PARTS];       /* (levels or nlev, cells of the input) */
    float *ps, *ps_on_grid;
    gwf_vertical *vertical;
    gwf_remap *back;
    float *outside;      /* (inputs), of a step */
    double *outside_sum; /* (inputs) */
    size_t steps;
};

/* --- levels --------------------------------------------------------------------------------- */

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static gwf_status bad_levels(const char *text, const char *why, gwf_error *err)
{
    return gwf_fail(err, GWF_ERR_ARGUMENT,
                    "option levels: %s: %s; expected pressures from 1 to 1013.25 hPa, such as "
                    "10,50,100hPa",
                    text, why);
}

/* "10,50,100hPa" to Pa, top to bottom. */
static gwf_status parse_levels(product *p, const char *text, gwf_error *err)
{
    double scale = 100, offset = 0;
    size_t count = 0;
    const char *unit = text + strspn(text, "0123456789., \t+-eE");
    p->levels = malloc(MOST_LEVELS * sizeof *p->levels);
    if (!p->levels) return gwf_fail(err, GWF_ERR_MEMORY, "no memory for levels");
    if (*unit && gwf_units_convert(unit, "Pa", &scale, &offset, NULL) != GWF_OK)
        return bad_levels(text, "not a unit of pressure", err);
    for (const char *at = text; at < unit;) {
        char *end = NULL;
        if (count == MOST_LEVELS) return bad_levels(text, "too many", err);
        p->levels[count] = scale * strtod(at, &end) + offset;
        if (end == at) return bad_levels(text, "not a number", err);
        if (!(p->levels[count] >= 100 && p->levels[count] <= 101325))
            return bad_levels(text, "a level is out of the model's range", err);
        count++;
        at = end + strspn(end, " \t");
        if (at < unit && *at != ',') return bad_levels(text, "a comma is missing", err);
        if (*at == ',') at++;
    }
    if (!count) return bad_levels(text, "no level", err);
    qsort(p->levels, count, sizeof *p->levels, ascending);
    for (size_t i = 1; i < count; i++)
        if (p->levels[i] == p->levels[i - 1]) return bad_levels(text, "a level twice", err);
    p->shape.nlev = count;
    p->shape.pressure_levels = p->levels;
    return GWF_OK;
}

/* Those of the levels only where something asks for them. */
static void find_pressures(product *p, const float *surface_pressure)
{
    for (size_t c = 0; c < p->n; c++)
        p->ps[c] = surface_pressure ? surface_pressure[c] : (float)nominal_pressure;
    if (!p->levels && !p->choice.tendency) return;
    for (size_t k = 0; k < p->nlev; k++)
        for (size_t c = 0; c < p->n; c++)
            p->p[k * p->n + c] = gwf_level_pressure(&p->model->levels[k], (double)p->ps[c]);
}

/* A part onto the pressure levels; what is outside the atmosphere the model knows is missing. */
static void interpolate(product *p, const float *part, float *to)
{
    const bool cut = p->nlev < GWF_LEVELS; /* the network ends far above the ground */
    gwf_vertical_apply(p->vertical, part, to);
    for (size_t k = 0; k < p->shape.nlev; k++)
        for (size_t c = 0; c < p->n; c++)
            if (p->levels[k] > (double)p->ps[c] || p->levels[k] < p->p[c] ||
                (cut && p->levels[k] > p->p[(p->nlev - 1) * p->n + c]))
                to[k * p->n + c] = NAN;
}

/* --- tendencies ----------------------------------------------------------------------------- */

static gwf_status differentiate(product *p, const float *flux, float *tendency, gwf_error *err)
{
    const size_t values = p->nlev * p->n;
    const gwf_column_grid grid = {.levels = (int)p->nlev,
                                  .columns = (int)p->n,
                                  .p = p->p,
                                  .p_half = p->p_half,
                                  .top = GWF_EDGE_ZERO,
                                  .bottom = GWF_EDGE_LINEAR,
                                  .kind = p->model->flux_kind};
    GWF_TRY(gwf_column_grid_check(&grid, err));
    for (size_t i = 0; i < values; i++) p->column[i] = (double)flux[i];
    gwf_interface_flux(&grid, p->column, p->half);
    gwf_tendency(&grid, p->half, p->out);
    for (size_t i = 0; i < values; i++) tendency[i] = (float)p->out[i];
    return GWF_OK;
}

static gwf_status make_tendencies(product *p, const float *uw, const float *vw, gwf_error *err)
{
    double *ps = p->column; /* not in use yet */
    for (size_t c = 0; c < p->n; c++) ps[c] = (double)p->ps[c];
    gwf_interfaces_midway(p->p, (int)p->nlev, (int)p->n, ps, p->p_half);
    GWF_TRY(differentiate(p, uw, p->tendency[0], err));
    return differentiate(p, vw, p->tendency[1], err);
}

/* --- beyond the trained range --------------------------------------------------------------- */

static void take_outside(product *p, const long *outside)
{
    for (int i = 0; i < p->model->in.count; i++) {
        p->outside[i] = (float)((double)outside[i] / (double)p->n);
        p->outside_sum[i] += (double)p->outside[i];
    }
    p->steps++;
}

const double *product_outside(const product *p, size_t *steps)
{
    *steps = p->steps;
    return p->outside_sum;
}

/* --- a step --------------------------------------------------------------------------------- */

/* NaN is how remapping knows what is missing; the file has a number for it. */
static void mark_missing(float *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (isnan(values[i])) values[i] = GWF_MISSING;
}

static gwf_status to_levels(product *p, const float *part[PARTS], gwf_error *err)
{
    if (!p->levels) return GWF_OK;
    GWF_TRY(gwf_vertical_bracket(p->vertical, p->p, true, p->target, err));
    for (int i = 0; i < PARTS; i++) {
        if (!part[i]) continue;
        interpolate(p, part[i], p->on_levels[i]);
        part[i] = p->on_levels[i];
    }
    return GWF_OK;
}

static void to_grid(product *p, const float *part[PARTS])
{
    const int levels = (int)p->shape.nlev;
    if (!p->back) return;
    for (int i = 0; i < PARTS; i += 2) {
        if (!part[i]) continue;
        gwf_remap_apply_wind(p->back, part[i], part[i + 1], p->on_grid[i], p->on_grid[i + 1],
                             levels);
        part[i] = p->on_grid[i];
        part[i + 1] = p->on_grid[i + 1];
    }
    gwf_remap_apply(p->back, p->ps, p->ps_on_grid, 1);
}

gwf_status product_make(product *p, const float *flux, const float *surface_pressure,
                        const long *outside, product_fields *fields, gwf_error *err)
{
    const float *part[PARTS] = {flux, flux + p->nlev * p->n, NULL, NULL};
    take_outside(p, outside);
    find_pressures(p, surface_pressure);
    if (p->choice.tendency) {
        GWF_TRY(make_tendencies(p, part[0], part[1], err));
        part[2] = p->tendency[0];
        part[3] = p->tendency[1];
    }
    GWF_TRY(to_levels(p, part, err));
    to_grid(p, part);
    if (p->levels)
        for (int i = 0; i < PARTS; i++)
            if (part[i])
                mark_missing(p->back ? p->on_grid[i] : p->on_levels[i],
                             p->shape.nlev * p->shape.nlat * p->shape.nlon);
    *fields = (product_fields){.uw = part[0],
                               .vw = part[1],
                               .utend = part[2],
                               .vtend = part[3],
                               .surface_pressure = !surface_pressure ? NULL
                                                   : p->back         ? p->ps_on_grid
                                                                     : p->ps,
                               .outside = p->outside};
    return GWF_OK;
}

product_shape product_shape_of(const product *p)
{
    return p->shape;
}

/* --- planning ------------------------------------------------------------------------------- */

static gwf_status plan_grid(product *p, const source *from, gwf_error *err)
{
    const gwf_model *model = p->model;
    p->shape.nlat = from->nlat;
    p->shape.nlon = from->nlon;
    p->shape.lat = from->lat;
    p->shape.lon = from->lon;
    if (!p->choice.input_grid) return GWF_OK;
    if (!from->atmosphere)
        return gwf_fail(err, GWF_ERR_ARGUMENT,
                        "option grid: the input is on the network's grid already; input is for "
                        "reanalysis files");
    const gwf_atmosphere_header *h = reanalysis_header(from->atmosphere);
    if (h->unstructured)
        return gwf_fail(err, GWF_ERR_ARGUMENT,
                        "option grid: with --weights the input is %zu cells in any places; input "
                        "is for latitudes times longitudes, read without weights",
                        h->cells);
    const gwf_grid of_model = {.nlat = model->nlat,
                               .nlon = model->nlon,
                               .lat = model->lat,
                               .lon = model->lon,
                               .gaussian = gwf_grid_is_gaussian(model->nlat, model->lat)};
    const gwf_grid of_input = {
        .nlat = (int)h->nlat, .nlon = (int)h->nlon, .lat = h->lat, .lon = h->lon};
    p->shape.nlat = h->nlat;
    p->shape.nlon = h->nlon;
    p->shape.lat = h->lat;
    p->shape.lon = h->lon;
    return gwf_remap_create(GWF_REMAP_BILINEAR, &of_model, &of_input, p->choice.threads, &p->back,
                            err);
}

static float *floats(size_t a, size_t b)
{
    return calloc(a * b, sizeof(float));
}

static double *doubles(size_t a, size_t b)
{
    return calloc(a * b, sizeof(double));
}

static bool allocate_parts(product *p)
{
    const size_t cells = p->shape.nlat * p->shape.nlon;
    bool fine = true;
    for (int i = 0; i < (p->choice.tendency ? PARTS : 2); i++) {
        if (p->levels) fine &= (p->on_levels[i] = floats(p->shape.nlev, p->n)) != NULL;
        if (p->back) fine &= (p->on_grid[i] = floats(p->shape.nlev, cells)) != NULL;
    }
    if (p->back) fine &= (p->ps_on_grid = floats(cells, 1)) != NULL;
    return fine;
}

static gwf_status allocate(product *p, gwf_error *err)
{
    const size_t inputs = (size_t)p->model->in.count, n = p->n, nlev = p->nlev;
    p->p = doubles(nlev, n);
    p->ps = floats(n, 1);
    p->outside = floats(inputs, 1);
    p->outside_sum = doubles(inputs, 1);
    bool fine = p->p && p->ps && p->outside && p->outside_sum && allocate_parts(p);
    if (p->choice.tendency) {
        p->p_half = doubles(nlev + 1, n);
        p->column = doubles(nlev, n);
        p->half = doubles(nlev + 1, n);
        p->out = doubles(nlev, n);
        p->tendency[0] = floats(nlev, n);
        p->tendency[1] = floats(nlev, n);
        fine =
            fine && p->p_half && p->column && p->half && p->out && p->tendency[0] && p->tendency[1];
    }
    if (p->levels) p->target = doubles(p->shape.nlev, n);
    fine = fine && (p->target || !p->levels);
    for (size_t k = 0; fine && p->levels && k < p->shape.nlev; k++)
        for (size_t c = 0; c < n; c++) p->target[k * n + c] = p->levels[k];
    return fine ? GWF_OK : gwf_fail(err, GWF_ERR_MEMORY, "no memory for the fields of a step");
}

static gwf_status plan(product *p, const source *from, gwf_error *err)
{
    p->n = from->nlat * from->nlon;
    p->nlev = p->shape.nlev = (size_t)p->model->n_levels;
    if (p->choice.tendency && p->nlev != GWF_LEVELS)
        return gwf_fail(err, GWF_ERR_UNSUPPORTED,
                        "option tendency: the network has %zu of the %d levels; without those "
                        "below, what leaves its lowest level is not known",
                        p->nlev, (int)GWF_LEVELS);
    if (p->choice.levels) GWF_TRY(parse_levels(p, p->choice.levels, err));
    GWF_TRY(plan_grid(p, from, err));
    if (p->levels)
        GWF_TRY(gwf_vertical_create((int)p->nlev, (int)p->shape.nlev, (int)p->n, p->choice.threads,
                                    &p->vertical, err));
    return allocate(p, err);
}

gwf_status product_create(const product_choice *choice, const source *from, const gwf_model *model,
                          product **result, gwf_error *err)
{
    product *p = calloc(1, sizeof *p);
    *result = p;
    if (!p) return gwf_fail(err, GWF_ERR_MEMORY, "no memory for the output's fields");
    p->model = model;
    p->choice = *choice;
    const gwf_status status = plan(p, from, err);
    if (status != GWF_OK) product_free(result);
    return status;
}

void product_free(product **result)
{
    product *p = *result;
    if (!p) return;
    double *const all[] = {p->levels, p->p,    p->p_half, p->target,
                           p->column, p->half, p->out,    p->outside_sum};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
    for (int i = 0; i < PARTS; i++) {
        free(p->on_levels[i]);
        free(p->on_grid[i]);
    }
    free(p->tendency[0]);
    free(p->tendency[1]);
    free(p->ps);
    free(p->ps_on_grid);
    free(p->outside);
    gwf_vertical_free(&p->vertical);
    gwf_remap_free(&p->back);
    free(p);
    *result = NULL;
}
