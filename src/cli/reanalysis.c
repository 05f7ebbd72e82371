#include "cli/reanalysis.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fields/prepare.h"
#include "fields/remap.h"
#include "fields/units.h"
#include "fields/vertical.h"

enum { PIECE_VALUES = 1 << 22 }; /* of a field on its own grid, in memory at a time: 16 MB */

/* Where nothing else is known of the surface pressure: 1013.25 hPa at sea level, scale height 8 km.
 */
static const double sea_level_pressure = 101325, scale_height = 8000;
/* Values that are missing below this (Pa) are taken for those below the ground. */
static const double ground_from = 50000;

struct reanalysis {
    gwf_atmosphere *files;
    const gwf_atmosphere_header *header;
    const gwf_log *log;
    gwf_needs needs;
    gwf_weights weights; /* while opening; n_source 0: none */
    gwf_remap *remap;    /* NULL: the input is on the model's grid */
    gwf_prepare *prepare;
    size_t cells, n, piece;                               /* of the input, of the model; levels */
    double scale[GWF_QUANTITIES], offset[GWF_QUANTITIES]; /* to the units of wanted_units */
    bool used[GWF_QUANTITIES];                            /* read at every step */
    float *field[GWF_QUANTITIES];                         /* on the model's grid; owned */
    float *raw[2];                                        /* pieces on the input's grid; owned */
    float *zs;                                            /* (n), m2 s-2; owned; NULL: unknown */
    bool told_below_ground;
};

/* What fields are converted to. */
static const char *const wanted_units[GWF_QUANTITIES] = {
    [GWF_U] = "m s-1", [GWF_V] = "m s-1",      [GWF_T] = "K",
    [GWF_THETA] = "K", [GWF_OMEGA] = "Pa s-1", [GWF_W] = "m s-1",
    [GWF_SP] = "Pa",   [GWF_LNSP] = "1",       [GWF_ZS] = "m2 s-2",
};

/* --- what is read --------------------------------------------------------------------------- */

static bool found(const reanalysis *r, gwf_quantity q)
{
    return r->header->fields[q].found;
}

/* The first of two that was found; neither: an error about the first. */
static gwf_status use_either(reanalysis *r, gwf_quantity first, gwf_quantity second, gwf_error *err)
{
    if (!found(r, first) && found(r, second))
        r->used[second] = true;
    else
        r->used[first] = true;
    return found(r, second) ? GWF_OK : gwf_atmosphere_require(r->files, first, err);
}

static gwf_status choose_fields(reanalysis *r, gwf_error *err)
{
    const gwf_needs *needs = &r->needs;
    if (needs->u) GWF_TRY(use_either(r, GWF_U, GWF_U, err));
    if (needs->v) GWF_TRY(use_either(r, GWF_V, GWF_V, err));
    if (needs->temperature) GWF_TRY(use_either(r, GWF_T, GWF_THETA, err));
    if (needs->omega) GWF_TRY(use_either(r, GWF_OMEGA, GWF_W, err));
    if (r->used[GWF_W]) GWF_TRY(use_either(r, GWF_T, GWF_THETA, err));
    if (found(r, GWF_SP))
        r->used[GWF_SP] = true;
    else
        r->used[GWF_LNSP] = found(r, GWF_LNSP);
    return GWF_OK;
}

static gwf_status field_units(const gwf_atmosphere_header *h, gwf_quantity q, double *scale,
                              double *offset, gwf_error *err)
{
    const gwf_atmosphere_field *field = &h->fields[q];
    const char *to = wanted_units[q];
    double metres, zero;
    if (q == GWF_LNSP) { /* a number whatever the file calls it ("", "1", "~", "Pa") */
        *scale = 1;
        *offset = 0;
        return GWF_OK;
    }
    /* Geopotential, or an altitude in metres. */
    if (q == GWF_ZS && gwf_units_convert(field->units, "m", &metres, &zero, NULL) == GWF_OK) {
        *scale = metres * GWF_GRAVITY;
        *offset = zero * GWF_GRAVITY;
        return GWF_OK;
    }
    const gwf_status status = gwf_units_convert(field->units, to, scale, offset, err);
    if (status != GWF_OK)
        gwf_error_prefix(err, "%s: variable %s is to be %s", field->path, field->name,
                         gwf_quantity_text(q));
    return status;
}

static gwf_status convert_units(reanalysis *r, gwf_error *err)
{
    for (int q = 0; q < GWF_QUANTITIES; q++)
        if (r->used[q])
            GWF_TRY(field_units(r->header, (gwf_quantity)q, &r->scale[q], &r->offset[q], err));
    return GWF_OK;
}

static gwf_status check_surface(const reanalysis *r, gwf_error *err)
{
    const gwf_atmosphere_header *h = r->header;
    if (r->used[GWF_SP] || r->used[GWF_LNSP]) return GWF_OK;
    if (h->level_kind == GWF_LEVELS_HYBRID)
        return gwf_fail(err, GWF_ERR_MISMATCH,
                        "%s: its hybrid levels need the surface pressure: give the file with "
                        "surface_air_pressure (sp) or its logarithm (lnsp)",
                        h->fields[GWF_U].path ? h->fields[GWF_U].path : "the input");
    if (!r->zs)
        return gwf_fail(err, GWF_ERR_MISMATCH,
                        "surface pressure: neither sp nor lnsp is in the input; give a file with "
                        "one of them, or --orography with the surface geopotential to estimate it");
    gwf_log_line(r->log, "surface pressure is estimated from the orography: %g Pa exp(-z / %g m)",
                 sea_level_pressure, scale_height);
    return GWF_OK;
}

/* Beyond its ends the input counts as constant; that is for the last few levels, not for a half of
 * the atmosphere. */
static gwf_status check_reach(const reanalysis *r, const gwf_model *model, gwf_error *err)
{
    const gwf_atmosphere_header *h = r->header;
    double top = INFINITY, bottom = 0;
    for (int i = 0; i < model->in.count; i++) {
        const int number = model->in.channels[i].level;
        const gwf_level *level = number ? gwf_level_at(number - GWF_FIRST_LEVEL) : NULL;
        if (!level) continue;
        top = fmin(top, gwf_level_pressure(level, sea_level_pressure));
        bottom = fmax(bottom, gwf_level_pressure(level, sea_level_pressure));
    }
    if (!r->needs.u && !r->needs.v && !r->needs.temperature && !r->needs.omega) return GWF_OK;
    const double first = h->a[0] + h->b[0] * sea_level_pressure;
    const double last = h->a[h->nlev - 1] + h->b[h->nlev - 1] * sea_level_pressure;
    if (first <= 2 * top && last >= 0.9 * bottom) return GWF_OK;
    return gwf_fail(err, GWF_ERR_MISMATCH,
                    "%s: levels from %g to %g hPa do not reach far enough: the model reads %g to "
                    "%g hPa",
                    h->fields[r->needs.u ? GWF_U : GWF_T].path, first / 100, last / 100, top / 100,
                    bottom / 100);
}

/* --- to the model's grid -------------------------------------------------------------------- */

static bool same_axis(const double *a, size_t na, const double *b, int nb, double tolerance)
{
    if (na != (size_t)nb) return false;
    for (size_t i = 0; i < na; i++)
        if (!(fabs(a[i] - b[i]) <= tolerance)) return false;
    return true;
}

static bool on_model_grid(const gwf_atmosphere_header *h, const gwf_model *model)
{
    return same_axis(h->lat, h->nlat, model->lat, model->nlat, 0.01) &&
           same_axis(h->lon, h->nlon, model->lon, model->nlon, 0.01);
}

/* n + 1 edges of bounds (n, 2) that leave no gap; NULL else, or when there are none. */
static double *edges_of(const double *bounds, size_t n)
{
    if (!bounds) return NULL;
    double *edges = malloc((n + 1) * sizeof *edges);
    if (!edges) return NULL;
    edges[0] = bounds[0];
    for (size_t i = 0; i < n; i++) {
        edges[i + 1] = bounds[2 * i + 1];
        if (i + 1 < n && !(fabs(bounds[2 * i + 2] - edges[i + 1]) <= 1e-4)) {
            free(edges);
            return NULL;
        }
    }
    return edges;
}

static gwf_grid grid_of(const gwf_model *model)
{
    return (gwf_grid){.nlat = model->nlat,
                      .nlon = model->nlon,
                      .lat = model->lat,
                      .lon = model->lon,
                      .gaussian = gwf_grid_is_gaussian(model->nlat, model->lat)};
}

/* Cells have no place but what the file says, and count as in the weights. */
static gwf_status check_cells(const reanalysis *r, const gwf_atmosphere_header *h, const char *path,
                              gwf_error *err)
{
    if (!h->cell_lat) {
        gwf_log_line(r->log,
                     "%s: no latitudes and longitudes of its cells: they are taken to be in the "
                     "order of the weights",
                     path);
        return GWF_OK;
    }
    const gwf_status status = gwf_remap_check_source(&r->weights, h->cell_lat, h->cell_lon, err);
    if (status != GWF_OK) gwf_error_prefix(err, "%s", path);
    return status;
}

static gwf_status plan_weights(reanalysis *r, const gwf_model *model,
                               const reanalysis_choice *choice, gwf_error *err)
{
    const gwf_grid to = grid_of(model);
    GWF_TRY(check_cells(r, r->header, choice->inputs.items[0], err));
    const gwf_status status =
        gwf_remap_create_weights(&r->weights, NULL, &to, choice->threads, &r->remap, err);
    if (status != GWF_OK) gwf_error_prefix(err, "%s", choice->weights);
    return status;
}

static gwf_status plan_remap(const gwf_atmosphere_header *h, const gwf_model *model, int threads,
                             gwf_remap **remap, gwf_error *err)
{
    if (on_model_grid(h, model)) return GWF_OK;
    double *lat_edges = edges_of(h->lat_bounds, h->nlat),
           *lon_edges = edges_of(h->lon_bounds, h->nlon);
    const gwf_grid from = {.nlat = (int)h->nlat,
                           .nlon = (int)h->nlon,
                           .lat = h->lat,
                           .lon = h->lon,
                           .lat_edges = lat_edges,
                           .lon_edges = lon_edges,
                           .gaussian = !lat_edges && gwf_grid_is_gaussian((int)h->nlat, h->lat)};
    const gwf_grid to = grid_of(model);
    const gwf_status status =
        gwf_remap_create(GWF_REMAP_CONSERVATIVE, &from, &to, threads, remap, err);
    free(lat_edges);
    free(lon_edges);
    return status;
}

static void convert(float *values, size_t n, double scale, double offset)
{
    if (scale == 1 && offset == 0) return;
    for (size_t i = 0; i < n; i++) values[i] = (float)(scale * values[i] + offset);
}

/* Levels first .. first + count - 1 of a field in its wanted units, on the input's grid. */
static gwf_status read_piece(reanalysis *r, gwf_quantity q, size_t step, size_t first, size_t count,
                             float *values, gwf_error *err)
{
    const size_t n = count * r->cells;
    GWF_TRY(gwf_atmosphere_read(r->files, q, step, first, count, values, err));
    convert(values, n, r->scale[q], r->offset[q]);
    if (q == GWF_LNSP)
        for (size_t i = 0; i < n; i++) values[i] = (float)exp((double)values[i]);
    return GWF_OK;
}

static void place_piece(reanalysis *r, const float *raw, float *to, size_t count)
{
    if (r->remap)
        gwf_remap_apply(r->remap, raw, to, (int)count);
    else
        memcpy(to, raw, count * r->n * sizeof *to);
}

static size_t levels_of(const reanalysis *r, gwf_quantity q)
{
    return gwf_quantity_has_levels(q) ? r->header->nlev : 1;
}

static gwf_status read_scalar(reanalysis *r, gwf_quantity q, size_t step, gwf_error *err)
{
    const size_t levels = levels_of(r, q);
    for (size_t first = 0; first < levels; first += r->piece) {
        const size_t count = levels - first < r->piece ? levels - first : r->piece;
        GWF_TRY(read_piece(r, q, step, first, count, r->raw[0], err));
        place_piece(r, r->raw[0], r->field[q] + first * r->n, count);
    }
    return GWF_OK;
}

/* Both components at a time: near the poles they are one vector. */
static gwf_status read_wind(reanalysis *r, size_t step, gwf_error *err)
{
    const size_t levels = r->header->nlev;
    float *u = r->field[GWF_U], *v = r->field[GWF_V];
    for (size_t first = 0; first < levels; first += r->piece) {
        const size_t count = levels - first < r->piece ? levels - first : r->piece;
        const size_t at = first * r->n;
        GWF_TRY(read_piece(r, GWF_U, step, first, count, r->raw[0], err));
        GWF_TRY(read_piece(r, GWF_V, step, first, count, r->raw[1], err));
        if (r->remap) {
            gwf_remap_apply_wind(r->remap, r->raw[0], r->raw[1], u + at, v + at, (int)count);
        } else {
            place_piece(r, r->raw[0], u + at, count);
            place_piece(r, r->raw[1], v + at, count);
        }
    }
    return GWF_OK;
}

/* Many archives have no values where a pressure level lies below the ground: there the lowest value
 * of the column holds, as beyond the lowest level. */
static size_t fill_below_ground(const reanalysis *r, float *field)
{
    const gwf_atmosphere_header *h = r->header;
    size_t filled = 0;
    if (h->level_kind != GWF_LEVELS_PRESSURE) return 0;
    for (size_t k = h->nlev; k-- > 1 && h->a[k] >= ground_from;)
        for (size_t c = 0; c < r->n; c++) {
            size_t above = k;
            if (!isnan(field[k * r->n + c])) continue;
            while (above > 0 && isnan(field[above * r->n + c])) above--;
            if (isnan(field[above * r->n + c])) continue;
            field[k * r->n + c] = field[above * r->n + c];
            filled++;
        }
    return filled;
}

/* --- a step --------------------------------------------------------------------------------- */

static gwf_status read_fields(reanalysis *r, size_t step, gwf_error *err)
{
    size_t filled = 0;
    const bool wind = r->used[GWF_U] && r->used[GWF_V];
    if (wind) GWF_TRY(read_wind(r, step, err));
    for (int q = 0; q < GWF_QUANTITIES; q++)
        if (r->used[q] && !(wind && (q == GWF_U || q == GWF_V)))
            GWF_TRY(read_scalar(r, (gwf_quantity)q, step, err));
    for (int q = 0; q < GWF_QUANTITIES; q++)
        if (r->used[q] && gwf_quantity_has_levels((gwf_quantity)q))
            filled += fill_below_ground(r, r->field[q]);
    if (filled && !r->told_below_ground)
        gwf_log_line(r->log,
                     "%s: no values on pressure levels below the ground: the lowest of the "
                     "column is taken",
                     reanalysis_path(r, step));
    r->told_below_ground |= filled > 0;
    return GWF_OK;
}

static void find_surface_pressure(const reanalysis *r, float *ps)
{
    for (size_t c = 0; c < r->n; c++) {
        if (r->used[GWF_SP])
            ps[c] = r->field[GWF_SP][c];
        else if (r->used[GWF_LNSP])
            ps[c] = r->field[GWF_LNSP][c];
        else
            ps[c] =
                (float)(sea_level_pressure * exp(-fmax(r->zs[c] / GWF_GRAVITY, 0) / scale_height));
    }
}

gwf_status reanalysis_read(reanalysis *r, size_t step, float *features, float *surface_pressure,
                           gwf_error *err)
{
    GWF_TRY(read_fields(r, step, err));
    find_surface_pressure(r, surface_pressure);
    const gwf_state state = {
        .u = r->field[GWF_U],
        .v = r->field[GWF_V],
        .temperature = r->used[GWF_T] ? r->field[GWF_T] : NULL,
        .theta = r->used[GWF_THETA] ? r->field[GWF_THETA] : NULL,
        .omega = r->field[GWF_OMEGA],
        .w = r->field[GWF_W],
        .a = r->header->a,
        .b = r->header->b,
        .surface_pressure = surface_pressure,
        .zs = r->zs,
    };
    const gwf_status status = gwf_prepare_run(r->prepare, &state, features, err);
    if (status != GWF_OK) {
        char when[GWF_DATE_TEXT] = "";
        if (r->header->timed)
            gwf_time_text(r->header->time_scale.calendar, r->header->seconds[step], when);
        gwf_error_prefix(err, "%s: %s", reanalysis_path(r, step), when);
    }
    return status;
}

const long *reanalysis_outside(const reanalysis *r)
{
    return gwf_prepare_outside(r->prepare);
}

/* --- the surface ---------------------------------------------------------------------------- */

/* Altitude or geopotential, where the file does not say which: no mountain is 9 km high, and every
 * globe has one above 1 km. */
static void guess_surface_units(const reanalysis *r, const gwf_atmosphere_field *field,
                                const float *raw, size_t n, double *scale)
{
    float most = 0;
    for (size_t i = 0; i < n; i++)
        if (raw[i] > most) most = raw[i];
    *scale = most < 9000 ? GWF_GRAVITY : 1;
    gwf_log_line(r->log, "%s: variable %s has no units, taken as %s by its largest value, %g",
                 field->path, field->name, most < 9000 ? "altitude in m" : "geopotential in m2 s-2",
                 (double)most);
}

/* Surface geopotential on the model's grid, from step 0 of an atmosphere that has it. */
static gwf_status take_orography(reanalysis *r, gwf_atmosphere *from, const gwf_model *model,
                                 const reanalysis_choice *choice, gwf_error *err)
{
    double scale = 1, offset = 0;
    gwf_remap *own = NULL, *remap = r->remap;
    float *raw = NULL;
    gwf_status status = GWF_OK;
    const gwf_atmosphere_header *h = gwf_atmosphere_header_of(from);
    const size_t cells = h->cells;
    const gwf_atmosphere_field *field = &h->fields[GWF_ZS];
    if (field->units[0]) GWF_TRY(field_units(h, GWF_ZS, &scale, &offset, err));
    if (h->unstructured && h != r->header) {
        GWF_TRY(check_cells(r, h, field->path, err));
    } else if (h != r->header) {
        GWF_TRY(plan_remap(h, model, choice->threads, &own, err));
        remap = own;
    }
    raw = malloc(cells * sizeof *raw);
    r->zs = malloc(r->n * sizeof *r->zs);
    if (!raw || !r->zs) {
        status = gwf_fail(err, GWF_ERR_MEMORY, "no memory for an orography of %zu points", cells);
        goto done;
    }
    GWF_TRY_DONE(gwf_atmosphere_read(from, GWF_ZS, 0, 0, 1, raw, err));
    if (!field->units[0]) guess_surface_units(r, field, raw, cells, &scale);
    convert(raw, cells, scale, offset);
    if (remap)
        gwf_remap_apply(remap, raw, r->zs, 1);
    else
        memcpy(r->zs, raw, r->n * sizeof *r->zs);
    for (size_t c = 0; c < r->n && status == GWF_OK; c++)
        if (!isfinite(r->zs[c]))
            status =
                gwf_fail(err, GWF_ERR_DATA, "%s: variable %s: missing at latitude %g, longitude %g",
                         field->path, field->name, model->lat[c / (size_t)model->nlon],
                         model->lon[c % (size_t)model->nlon]);
done:
    gwf_remap_free(&own);
    free(raw);
    return status;
}

static gwf_status open_orography(reanalysis *r, const gwf_model *model,
                                 const reanalysis_choice *choice, gwf_error *err)
{
    gwf_atmosphere *file = NULL;
    gwf_atmosphere_config config = {.paths = &choice->orography,
                                    .n_paths = 1,
                                    .quantities = GWF_QUANTITY_BIT(GWF_ZS),
                                    .log = r->log};
    if (!choice->orography && found(r, GWF_ZS))
        return take_orography(r, r->files, model, choice, err);
    if (!choice->orography) {
        if (!r->needs.zs || choice->any_zs) return GWF_OK;
        return gwf_fail(err, GWF_ERR_MISMATCH,
                        "the model reads the surface geopotential: give a file with it as "
                        "--orography");
    }
    gwf_status status = gwf_atmosphere_open(&config, &file, err);
    if ((status == GWF_ERR_FORMAT || status == GWF_ERR_UNSUPPORTED) && r->weights.n_source) {
        config.cells = r->weights.n_source; /* no latitudes times longitudes: as the input is */
        status = gwf_atmosphere_open(&config, &file, err);
    }
    if (status == GWF_OK) status = gwf_atmosphere_require(file, GWF_ZS, err);
    if (status == GWF_OK) status = take_orography(r, file, model, choice, err);
    gwf_atmosphere_close(&file);
    return status;
}

/* --- opening -------------------------------------------------------------------------------- */

static gwf_status open_files(reanalysis *r, const reanalysis_choice *choice, gwf_error *err)
{
    const gwf_needs *needs = &r->needs;
    unsigned wanted = GWF_QUANTITY_BIT(GWF_SP) | GWF_QUANTITY_BIT(GWF_LNSP);
    if (!choice->orography) wanted |= GWF_QUANTITY_BIT(GWF_ZS);
    if (needs->u) wanted |= GWF_QUANTITY_BIT(GWF_U);
    if (needs->v) wanted |= GWF_QUANTITY_BIT(GWF_V);
    if (needs->temperature) wanted |= GWF_QUANTITY_BIT(GWF_T) | GWF_QUANTITY_BIT(GWF_THETA);
    if (needs->omega)
        wanted |= GWF_QUANTITY_BIT(GWF_OMEGA) | GWF_QUANTITY_BIT(GWF_W) | GWF_QUANTITY_BIT(GWF_T) |
                  GWF_QUANTITY_BIT(GWF_THETA);
    const gwf_atmosphere_config config = {.paths = choice->inputs.items,
                                          .n_paths = choice->inputs.count,
                                          .mapping = choice->variables.items,
                                          .n_mapping = choice->variables.count,
                                          .quantities = wanted,
                                          .cells = r->weights.n_source,
                                          .threads = choice->threads,
                                          .log = r->log};
    const gwf_status status = gwf_atmosphere_open(&config, &r->files, err);
    if (status == GWF_ERR_ARGUMENT) gwf_error_prefix(err, "option variable");
    GWF_TRY(status);
    r->header = gwf_atmosphere_header_of(r->files);
    return GWF_OK;
}

static gwf_status allocate(reanalysis *r, gwf_error *err)
{
    const gwf_atmosphere_header *h = r->header;
    bool fine = true;
    r->cells = h->cells;
    r->piece = PIECE_VALUES / r->cells;
    if (r->piece < 1) r->piece = 1;
    if (r->piece > h->nlev) r->piece = h->nlev ? h->nlev : 1;
    for (int i = 0; i < 2; i++) {
        r->raw[i] = malloc(r->piece * r->cells * sizeof(float));
        fine &= r->raw[i] != NULL;
    }
    for (int q = 0; q < GWF_QUANTITIES; q++) {
        if (!r->used[q]) continue;
        r->field[q] = malloc(levels_of(r, (gwf_quantity)q) * r->n * sizeof(float));
        fine &= r->field[q] != NULL;
    }
    return fine ? GWF_OK : gwf_fail(err, GWF_ERR_MEMORY, "no memory for a step of the input");
}

/* The caller does not mind a surface geopotential of 0. */
static gwf_status flatten(reanalysis *r, gwf_error *err)
{
    if (r->zs || !r->needs.zs) return GWF_OK;
    r->zs = calloc(r->n, sizeof *r->zs);
    if (!r->zs) return gwf_fail(err, GWF_ERR_MEMORY, "no memory for a surface geopotential");
    gwf_log_line(r->log, "zs: no orography was given, 0 is written");
    return GWF_OK;
}

static gwf_status open_all(reanalysis *r, const reanalysis_choice *choice, const gwf_model *model,
                           gwf_error *err)
{
    r->n = (size_t)model->nlat * (size_t)model->nlon;
    GWF_TRY(gwf_prepare_needs(model, &r->needs, err));
    if (choice->weights) GWF_TRY(gwf_weights_read(choice->weights, &r->weights, err));
    GWF_TRY(open_files(r, choice, err));
    GWF_TRY(choose_fields(r, err));
    GWF_TRY(convert_units(r, err));
    GWF_TRY(check_reach(r, model, err));
    GWF_TRY(choice->weights ? plan_weights(r, model, choice, err)
                            : plan_remap(r->header, model, choice->threads, &r->remap, err));
    GWF_TRY(open_orography(r, model, choice, err));
    GWF_TRY(check_surface(r, err));
    GWF_TRY(flatten(r, err));
    GWF_TRY(
        gwf_prepare_create(model, NULL, (int)r->header->nlev, choice->threads, &r->prepare, err));
    return allocate(r, err);
}

gwf_status reanalysis_open(const reanalysis_choice *choice, const gwf_model *model,
                           const gwf_log *log, reanalysis **r, gwf_error *err)
{
    *r = calloc(1, sizeof **r);
    if (!*r) return gwf_fail(err, GWF_ERR_MEMORY, "no memory to read the input");
    (*r)->log = log;
    const gwf_status status = open_all(*r, choice, model, err);
    gwf_weights_free(&(*r)->weights);
    if (status != GWF_OK) reanalysis_close(r);
    return status;
}

void reanalysis_close(reanalysis **r)
{
    reanalysis *a = *r;
    if (!a) return;
    gwf_atmosphere_close(&a->files);
    gwf_remap_free(&a->remap);
    gwf_prepare_free(&a->prepare);
    for (int q = 0; q < GWF_QUANTITIES; q++) free(a->field[q]);
    free(a->raw[0]);
    free(a->raw[1]);
    free(a->zs);
    free(a);
    *r = NULL;
}

const gwf_atmosphere_header *reanalysis_header(const reanalysis *r)
{
    return r->header;
}

const char *reanalysis_path(const reanalysis *r, size_t step)
{
    for (int q = 0; q < GWF_QUANTITIES; q++)
        if (r->used[q]) return gwf_atmosphere_path(r->files, (gwf_quantity)q, step);
    return "the input";
}
