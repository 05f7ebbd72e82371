#include "io/flux_file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "io/step_internal.h"

static const double nominal_surface_pressure = 101325.0; /* Pa */

struct gwf_flux_file {
    gwf_step_file *steps;
    int part[GWF_STEP_FIELDS]; /* of a gwf_flux_step: what field i holds */
    int n_fields;
};

/* --- words ---------------------------------------------------------------------------------- */

static const gwf_attribute lat_words[] = {{"standard_name", "latitude"},
                                          {"long_name", "latitude"},
                                          {"units", "degrees_north"},
                                          {"axis", "Y"},
                                          {0}};
static const gwf_attribute lon_words[] = {{"standard_name", "longitude"},
                                          {"long_name", "longitude"},
                                          {"units", "degrees_east"},
                                          {"axis", "X"},
                                          {0}};
static const gwf_attribute lev_words[] = {
    {"long_name", "nominal pressure of the level, at a surface pressure of 1013.25 hPa"},
    {"units", "hPa"},
    {"positive", "down"},
    {"axis", "Z"},
    {"comment", "p = hyam + hybm * surface_air_pressure"},
    {0}};
static const gwf_attribute number_words[] = {{"standard_name", "model_level_number"},
                                             {"long_name", "ECMWF model level number (of 137)"},
                                             {"units", "1"},
                                             {0}};
static const gwf_attribute a_words[] = {{"long_name", "hybrid coefficient a at full levels"},
                                        {"units", "Pa"},
                                        {"comment", "p = hyam + hybm * surface_air_pressure"},
                                        {0}};
static const gwf_attribute b_words[] = {{"long_name", "hybrid coefficient b at full levels"},
                                        {"units", "1"},
                                        {"comment", "p = hyam + hybm * surface_air_pressure"},
                                        {0}};
static const gwf_attribute plev_words[] = {{"standard_name", "air_pressure"},
                                           {"long_name", "pressure"},
                                           {"units", "Pa"},
                                           {"positive", "down"},
                                           {"axis", "Z"},
                                           {0}};
static const gwf_attribute channel_words[] = {
    {"long_name", "input channel: variable and, where it has one, ECMWF model level number"}, {0}};

/* u'omega' counts downward (omega is positive downward), so it is not called an upward flux. */
static const struct flux_words {
    const char *kind;
    gwf_attribute uw[4], vw[4];
} kinds[] = {
    {"rho_uw",
     {{"long_name", "upward flux of eastward momentum due to gravity waves"},
      {"units", "Pa"},
      {"flux_kind", "rho_uw"},
      {0}},
     {{"long_name", "upward flux of northward momentum due to gravity waves"},
      {"units", "Pa"},
      {"flux_kind", "rho_uw"},
      {0}}},
    {"u_omega",
     {{"long_name",
       "covariance of eastward wind and vertical pressure velocity due to gravity waves"},
      {"units", "Pa m s-2"},
      {"flux_kind", "u_omega"},
      {0}},
     {{"long_name",
       "covariance of northward wind and vertical pressure velocity due to gravity waves"},
      {"units", "Pa m s-2"},
      {"flux_kind", "u_omega"},
      {0}}},
};

static const gwf_attribute prediction_words[] = {
    {"long_name", "normalised output of the network: uw levels, then vw levels"},
    {"units", "1"},
    {0}};
static const gwf_attribute utend_words[] = {
    {"standard_name", "tendency_of_eastward_wind_due_to_gravity_wave_drag"},
    {"long_name", "tendency of eastward wind due to gravity waves"},
    {"units", "m s-2"},
    {0}};
static const gwf_attribute vtend_words[] = {
    {"standard_name", "tendency_of_northward_wind_due_to_gravity_wave_drag"},
    {"long_name", "tendency of northward wind due to gravity waves"},
    {"units", "m s-2"},
    {0}};
static const gwf_attribute ps_words[] = {{"standard_name", "surface_air_pressure"},
                                         {"long_name", "surface pressure"},
                                         {"units", "Pa"},
                                         {0}};
static const gwf_attribute outside_words[] = {
    {"long_name", "fraction of the input channel outside the range seen in training"},
    {"units", "1"},
    {"coordinates", "channel_name"},
    {"comment", "fraction of the grid points whose normalised value x has |x| > 4; where it is not "
                "small the network extrapolates"},
    {0}};

/* --- the layout as steps -------------------------------------------------------------------- */

enum { UW, VW, PREDICTION, UTEND, VTEND, PS, OUTSIDE, PARTS };
enum { DIMENSIONS = 6, STEADY = 7 }; /* at most */

_Static_assert((int)PARTS <= (int)GWF_STEP_FIELDS, "fields of a file");

/* What a gwf_step_layout points to. */
typedef struct plan {
    gwf_step_layout l;
    gwf_step_dimension dimensions[DIMENSIONS];
    gwf_step_steady steady[STEADY];
    gwf_step_field fields[PARTS];
    double *nominal; /* hPa; owned */
    char *names;     /* owned */
} plan;

static void add_dimension(plan *p, const char *name, size_t length)
{
    p->dimensions[p->l.n_dimensions++] = (gwf_step_dimension){name, length};
}

static void add_steady(plan *p, const char *name, const char *dims, gwf_nc_type type,
                       const void *values, const gwf_attribute *words)
{
    p->steady[p->l.n_steady++] = (gwf_step_steady){name, dims, type, values, words};
}

static gwf_status add_model_levels(plan *p, const char *path, const gwf_flux_layout *l,
                                   gwf_error *err)
{
    if (!l->level_number || !l->a || !l->b || l->nlev == 0)
        return gwf_fail(err, GWF_ERR_ARGUMENT, "%s: its layout is not complete", path);
    p->nominal = calloc(l->nlev, sizeof *p->nominal);
    if (!p->nominal) return gwf_fail(err, GWF_ERR_MEMORY, "%s: out of memory", path);
    for (size_t k = 0; k < l->nlev; k++)
        p->nominal[k] = (l->a[k] + l->b[k] * nominal_surface_pressure) / 100;
    add_dimension(p, "lev", l->nlev);
    add_steady(p, "level_number", "lev", GWF_NC_INT, l->level_number, number_words);
    add_steady(p, "hyam", "lev", GWF_NC_DOUBLE, l->a, a_words);
    add_steady(p, "hybm", "lev", GWF_NC_DOUBLE, l->b, b_words);
    add_steady(p, "lev", "lev", GWF_NC_DOUBLE, p->nominal, lev_words);
    return GWF_OK;
}

static gwf_status add_pressure_levels(plan *p, const char *path, const gwf_flux_layout *l,
                                      gwf_error *err)
{
    const double *levels = l->pressure_levels;
    bool good = l->n_pressure_levels > 0;
    for (size_t k = 0; k < l->n_pressure_levels; k++)
        good = good && levels[k] > (k ? levels[k - 1] : 0) && isfinite(levels[k]);
    if (!good)
        return gwf_fail(err, GWF_ERR_ARGUMENT,
                        "%s: pressure levels: expected more than 0 Pa, growing downward", path);
    add_dimension(p, "plev", l->n_pressure_levels);
    add_steady(p, "plev", "plev", GWF_NC_DOUBLE, levels, plev_words);
    return GWF_OK;
}

static gwf_status add_channels(plan *p, const char *path, const gwf_flux_layout *l, gwf_error *err)
{
    size_t width;
    if (l->n_channels == 0) return GWF_OK;
    GWF_TRY(gwf_step_names(path, l->channel_names, l->n_channels, &width, &p->names, err));
    add_dimension(p, "channel", l->n_channels);
    add_dimension(p, "name_length", width);
    add_steady(p, "channel_name", "channel name_length", GWF_NC_CHAR, p->names, channel_words);
    return GWF_OK;
}

static gwf_status add_coordinates(plan *p, const char *path, const gwf_flux_layout *l,
                                  gwf_error *err)
{
    GWF_TRY(l->pressure_levels ? add_pressure_levels(p, path, l, err)
                               : add_model_levels(p, path, l, err));
    add_dimension(p, "lat", l->nlat);
    add_dimension(p, "lon", l->nlon);
    add_steady(p, "lat", "lat", GWF_NC_DOUBLE, l->lat, lat_words);
    add_steady(p, "lon", "lon", GWF_NC_DOUBLE, l->lon, lon_words);
    if (l->prediction_channels > 0) add_dimension(p, "odim", (size_t)l->prediction_channels);
    return add_channels(p, path, l, err);
}

static gwf_status add_fields(plan *p, const char *path, const gwf_flux_layout *l,
                             gwf_flux_file *file, gwf_error *err)
{
    const struct flux_words *words = NULL;
    for (size_t i = 0; l->flux_kind && i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(l->flux_kind, kinds[i].kind) == 0) words = &kinds[i];
    if (!words)
        return gwf_fail(err, GWF_ERR_ARGUMENT, "%s: flux kind %s, expected rho_uw or u_omega", path,
                        l->flux_kind ? l->flux_kind : "(none)");
    const bool missing = l->pressure_levels;
    const char *levels = l->pressure_levels ? "plev lat lon" : "lev lat lon";
    const struct {
        bool wanted;
        gwf_step_field field;
    } all[PARTS] = {
        [UW] = {true, {"uw", levels, words->uw, missing}},
        [VW] = {true, {"vw", levels, words->vw, missing}},
        [PREDICTION] = {l->prediction_channels > 0,
                        {"prediction", "odim lat lon", prediction_words, false}},
        [UTEND] = {l->tendencies, {"utend", levels, utend_words, missing}},
        [VTEND] = {l->tendencies, {"vtend", levels, vtend_words, missing}},
        [PS] = {l->surface_pressure, {"ps", "lat lon", ps_words, false}},
        [OUTSIDE] = {l->n_channels > 0,
                     {"outside_training_range", "channel", outside_words, false}},
    };
    for (int i = 0; i < PARTS; i++) {
        if (!all[i].wanted) continue;
        file->part[file->n_fields] = i;
        p->fields[file->n_fields++] = all[i].field;
    }
    p->l.n_fields = file->n_fields;
    return GWF_OK;
}

static gwf_status make_plan(plan *p, const char *path, const gwf_flux_layout *l,
                            gwf_flux_file *file, gwf_error *err)
{
    static const char *const agree[] = {"gwflux_model_sha256", "gwflux_recipe",
                                        "gwflux_flux_kind",    "gwflux_backend",
                                        "gwflux_precision",    "gwflux_version"};
    if (!file) return gwf_fail(err, GWF_ERR_MEMORY, "%s: out of memory", path);
    if (l->prediction_channels < 0)
        return gwf_fail(err, GWF_ERR_ARGUMENT, "%s: its layout is not complete", path);
    p->l = (gwf_step_layout){.steps = l->steps,
                             .dimensions = p->dimensions,
                             .steady = p->steady,
                             .fields = p->fields,
                             .time_of = l->time_of,
                             .time_units = l->time_units,
                             .time_calendar = l->time_calendar,
                             .times = l->times,
                             .title = "Gravity-wave momentum fluxes predicted by gwflux",
                             .globals = l->globals,
                             .n_globals = l->n_globals,
                             .agree = agree,
                             .n_agree = (int)(sizeof agree / sizeof *agree),
                             .overwrite = l->overwrite,
                             .comm = l->comm,
                             .writer = l->writer};
    GWF_TRY(add_coordinates(p, path, l, err));
    return add_fields(p, path, l, file, err);
}

/* --- the file ------------------------------------------------------------------------------- */

static void free_plan(plan *p)
{
    free(p->nominal);
    free(p->names);
}

/* Collective, since one rank may be out of memory. */
static gwf_status begin(plan *p, const char *path, const gwf_flux_layout *layout,
                        gwf_flux_file **file, gwf_error *err)
{
    *file = calloc(1, sizeof **file);
    return gwf_step_agree(layout->comm, make_plan(p, path, layout, *file, err), err);
}

static gwf_status end(plan *p, gwf_status status, gwf_flux_file **file)
{
    free_plan(p);
    if (status == GWF_OK) return GWF_OK;
    free(*file);
    *file = NULL;
    return status;
}

gwf_status gwf_flux_file_create(const char *path, const gwf_flux_layout *layout,
                                gwf_flux_file **file, gwf_error *err)
{
    plan p = {0};
    gwf_status status = begin(&p, path, layout, file, err);
    if (status == GWF_OK) status = gwf_step_file_create(path, &p.l, &(*file)->steps, err);
    return end(&p, status, file);
}

gwf_status gwf_flux_file_resume(const char *path, const gwf_flux_layout *layout,
                                unsigned char *done, bool *complete, gwf_flux_file **file,
                                gwf_error *err)
{
    plan p = {0};
    *complete = false;
    gwf_status status = begin(&p, path, layout, file, err);
    if (status == GWF_OK)
        status = gwf_step_file_resume(path, &p.l, done, complete, &(*file)->steps, err);
    return end(&p, status, file);
}

bool gwf_flux_file_writes(const gwf_flux_file *file)
{
    return gwf_step_file_writes(file->steps);
}

gwf_status gwf_flux_file_write(gwf_flux_file *file, size_t step, const gwf_flux_step *s,
                               gwf_error *err)
{
    const float *const all[PARTS] = {
        [UW] = s->uw,          [VW] = s->vw,       [PREDICTION] = s->prediction,
        [UTEND] = s->utend,    [VTEND] = s->vtend, [PS] = s->surface_pressure,
        [OUTSIDE] = s->outside};
    const float *values[GWF_STEP_FIELDS];
    for (int i = 0; i < file->n_fields; i++) values[i] = all[file->part[i]];
    return gwf_step_file_write(file->steps, step, s->time, values, err);
}

gwf_status gwf_flux_file_commit(gwf_flux_file *file, gwf_error *err)
{
    return gwf_step_file_commit(file->steps, err);
}

gwf_status gwf_flux_file_finish(gwf_flux_file **file, gwf_error *err)
{
    const gwf_status status = gwf_step_file_finish(&(*file)->steps, err);
    free(*file);
    *file = NULL;
    return status;
}

size_t gwf_flux_file_abandon(gwf_flux_file **file)
{
    if (!*file) return 0;
    const size_t kept = gwf_step_file_abandon(&(*file)->steps);
    free(*file);
    *file = NULL;
    return kept;
}
