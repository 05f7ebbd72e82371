#include "io/flux_internal.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "io/nc_internal.h"
#include "io/windset_internal.h"

enum { COPY_LIMIT = 4096 };
static const double nominal_surface_pressure = 101325.0; /* Pa */

typedef struct text_attribute {
    const char *variable, *name, *text;
} text_attribute;

static gwf_status put_texts(gwf_nc *nc, const text_attribute *list, size_t count, gwf_error *err)
{
    for (size_t i = 0; i < count; i++)
        GWF_TRY(gwf_nc_put_text(nc, list[i].variable, list[i].name, list[i].text, err));
    return GWF_OK;
}

/* --- coordinates ---------------------------------------------------------------------------- */

static const text_attribute coordinate_texts[] = {
    {"lat", "standard_name", "latitude"},
    {"lat", "long_name", "latitude"},
    {"lat", "units", "degrees_north"},
    {"lat", "axis", "Y"},
    {"lon", "standard_name", "longitude"},
    {"lon", "long_name", "longitude"},
    {"lon", "units", "degrees_east"},
    {"lon", "axis", "X"},
    {"lev", "long_name", "nominal pressure of the level, at a surface pressure of 1013.25 hPa"},
    {"lev", "units", "hPa"},
    {"lev", "positive", "down"},
    {"lev", "axis", "Z"},
    {"lev", "comment", "p = hyam + hybm * surface_air_pressure"},
    {"level_number", "standard_name", "model_level_number"},
    {"level_number", "long_name", "ECMWF model level number (of 137)"},
    {"level_number", "units", "1"},
    {"level_number", "positive", "down"},
    {"hyam", "long_name", "hybrid coefficient a at full levels"},
    {"hyam", "units", "Pa"},
    {"hyam", "comment", "p = hyam + hybm * surface_air_pressure"},
    {"hybm", "long_name", "hybrid coefficient b at full levels"},
    {"hybm", "units", "1"},
    {"hybm", "comment", "p = hyam + hybm * surface_air_pressure"},
};

static gwf_status define_coordinates(gwf_nc *nc, const gwf_flux_layout *l, gwf_error *err)
{
    GWF_TRY(gwf_nc_define_dimension(nc, "time", 0, err));
    GWF_TRY(gwf_nc_define_dimension(nc, "lev", l->nlev, err));
    GWF_TRY(gwf_nc_define_dimension(nc, "lat", l->nlat, err));
    GWF_TRY(gwf_nc_define_dimension(nc, "lon", l->nlon, err));
    GWF_TRY(gwf_nc_define_variable(nc, "lat", GWF_NC_DOUBLE, "lat", 0, err));
    GWF_TRY(gwf_nc_define_variable(nc, "lon", GWF_NC_DOUBLE, "lon", 0, err));
    GWF_TRY(gwf_nc_define_variable(nc, "lev", GWF_NC_DOUBLE, "lev", 0, err));
    GWF_TRY(gwf_nc_define_variable(nc, "level_number", GWF_NC_INT, "lev", 0, err));
    GWF_TRY(gwf_nc_define_variable(nc, "hyam", GWF_NC_DOUBLE, "lev", 0, err));
    GWF_TRY(gwf_nc_define_variable(nc, "hybm", GWF_NC_DOUBLE, "lev", 0, err));
    return put_texts(nc, coordinate_texts, sizeof coordinate_texts / sizeof *coordinate_texts, err);
}

static gwf_status put_nominal_pressure(gwf_nc *nc, const gwf_flux_layout *l, gwf_error *err)
{
    double *hpa = malloc(l->nlev * sizeof *hpa);
    if (!hpa) return gwf_fail(err, GWF_ERR_MEMORY, "%s: out of memory", nc->path);
    for (size_t k = 0; k < l->nlev; k++)
        hpa[k] = (l->a[k] + l->b[k] * nominal_surface_pressure) / 100;
    const gwf_status status = gwf_nc_put_double(nc, "lev", hpa, err);
    free(hpa);
    return status;
}

static gwf_status put_coordinates(gwf_nc *nc, const gwf_flux_layout *l, gwf_error *err)
{
    GWF_TRY(gwf_nc_put_double(nc, "lat", l->lat, err));
    GWF_TRY(gwf_nc_put_double(nc, "lon", l->lon, err));
    GWF_TRY(put_nominal_pressure(nc, l, err));
    GWF_TRY(gwf_nc_put_int(nc, "level_number", l->level_number, err));
    GWF_TRY(gwf_nc_put_double(nc, "hyam", l->a, err));
    return gwf_nc_put_double(nc, "hybm", l->b, err);
}

/* --- time ----------------------------------------------------------------------------------- */

/* Attributes that would point at something this file does not have, or that no coordinate of a
 * complete file needs. */
static bool is_copied(const gwf_nc *from, int id, const char *name)
{
    static const char *const left_out[] = {"_FillValue", "missing_value", "bounds", "climatology",
                                           "coordinates"};
    nc_type type;
    size_t length;
    for (size_t i = 0; i < sizeof left_out / sizeof *left_out; i++)
        if (strcmp(name, left_out[i]) == 0) return false;
    return nc_inq_att(from->id, id, name, &type, &length) == NC_NOERR && type <= NC_STRING &&
           length <= COPY_LIMIT;
}

/* One that cannot be copied (its name means something to HDF5) is no reason to lose a run. */
static void copy_attributes(const gwf_nc *from, int from_id, const gwf_nc *to, int to_id)
{
    char name[NC_MAX_NAME + 1];
    for (int i = 0; nc_inq_attname(from->id, from_id, i, name) == NC_NOERR; i++)
        if (is_copied(from, from_id, name)) nc_copy_att(from->id, from_id, name, to->id, to_id);
}

static gwf_status name_time(gwf_nc *nc, const char *units, bool counts_steps, gwf_error *err)
{
    gwf_nc_variable v;
    char text[256];
    if (units) GWF_TRY(gwf_nc_put_text(nc, "time", "units", units, err));
    if (!gwf_nc_variable_find(nc, "time", &v))
        return gwf_fail(err, GWF_ERR_INTERNAL, "%s: variable time is not there", nc->path);
    if (!gwf_nc_text(nc, &v, "long_name", text, sizeof text))
        GWF_TRY(gwf_nc_put_text(nc, "time", "long_name",
                                counts_steps ? "step of the input, from 0" : "time", err));
    /* CF asks units of everything called "time"; an hour of the year is not one. */
    if (gwf_nc_text(nc, &v, "units", text, sizeof text) && strstr(text, " since ")) {
        GWF_TRY(gwf_nc_put_text(nc, "time", "standard_name", "time", err));
        if (!gwf_nc_text(nc, &v, "calendar", text, sizeof text))
            GWF_TRY(gwf_nc_put_text(nc, "time", "calendar", "standard", err));
    }
    return gwf_nc_put_text(nc, "time", "axis", "T", err);
}

static gwf_status define_time(gwf_nc *nc, const gwf_flux_layout *l, int *id, gwf_error *err)
{
    const gwf_windset *like = l->time_of;
    const gwf_nc_variable *model = like ? gwf_windset_time_variable(like) : NULL;
    const nc_type type = model ? gwf_nc_type_of(gwf_windset_nc(like), model) : NC_INT;
    const size_t chunk = GWF_FLUX_TIME_CHUNK;
    int dim = -1, rc = GWF_NC(nc_inq_dimid(nc->id, "time", &dim));
    if (rc == NC_NOERR) rc = nc_def_var(nc->id, "time", type, 1, &dim, id);
    if (rc == NC_NOERR) rc = nc_def_var_chunking(nc->id, *id, NC_CHUNKED, &chunk);
    if (rc == NC_NOERR) rc = nc_def_var_fill(nc->id, *id, NC_FILL, NULL); /* the file has none */
    if (rc != NC_NOERR) return gwf_nc_fail(nc, "time", "cannot be defined", rc, GWF_ERR_IO, err);
    if (model) copy_attributes(gwf_windset_nc(like), model->id, nc, *id);
    return name_time(nc, l->time_units, !model, err);
}

/* --- fluxes --------------------------------------------------------------------------------- */

typedef struct flux_words {
    const char *kind, *units, *uw, *vw;
} flux_words;

/* u'omega' counts downward (omega is positive downward), so it is not called an upward flux. */
static const flux_words kinds[] = {
    {"rho_uw", "Pa", "upward flux of eastward momentum due to gravity waves",
     "upward flux of northward momentum due to gravity waves"},
    {"u_omega", "Pa m s-2",
     "covariance of eastward wind and vertical pressure velocity due to gravity waves",
     "covariance of northward wind and vertical pressure velocity due to gravity waves"},
};

static const flux_words *words_of(const char *kind)
{
    for (size_t i = 0; kind && i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kind, kinds[i].kind) == 0) return &kinds[i];
    return NULL;
}

/* (time, `channels`, lat, lon), one step a chunk. */
static gwf_status define_field(gwf_nc *nc, const gwf_flux_layout *l, const char *name,
                               const char *dims, size_t channels, int *id, gwf_error *err)
{
    const size_t chunk[4] = {1, channels, l->nlat, l->nlon};
    GWF_TRY(gwf_nc_define_variable(nc, name, GWF_NC_FLOAT, dims, 0, err));
    int rc = GWF_NC(nc_inq_varid(nc->id, name, id));
    if (rc == NC_NOERR) rc = nc_def_var_chunking(nc->id, *id, NC_CHUNKED, chunk);
    if (rc == NC_NOERR) return GWF_OK;
    return gwf_nc_fail(nc, name, "cannot be defined", rc, GWF_ERR_IO, err);
}

static gwf_status define_fluxes(gwf_nc *nc, const gwf_flux_layout *l, gwf_flux_variables *ids,
                                gwf_error *err)
{
    const flux_words *words = words_of(l->flux_kind);
    if (!words)
        return gwf_fail(err, GWF_ERR_ARGUMENT, "%s: flux kind %s, expected rho_uw or u_omega",
                        nc->path, l->flux_kind ? l->flux_kind : "(none)");
    const text_attribute texts[] = {
        {"uw", "long_name", words->uw},   {"vw", "long_name", words->vw},
        {"uw", "units", words->units},    {"vw", "units", words->units},
        {"uw", "flux_kind", words->kind}, {"vw", "flux_kind", words->kind},
    };
    GWF_TRY(define_field(nc, l, "uw", "time lev lat lon", l->nlev, &ids->uw, err));
    GWF_TRY(define_field(nc, l, "vw", "time lev lat lon", l->nlev, &ids->vw, err));
    return put_texts(nc, texts, sizeof texts / sizeof *texts, err);
}

static gwf_status define_prediction(gwf_nc *nc, const gwf_flux_layout *l, int *id, gwf_error *err)
{
    static const text_attribute texts[] = {
        {"prediction", "long_name", "normalised output of the network: uw levels, then vw levels"},
        {"prediction", "units", "1"},
    };
    *id = -1;
    if (l->prediction_channels <= 0) return GWF_OK;
    const size_t channels = (size_t)l->prediction_channels;
    GWF_TRY(gwf_nc_define_dimension(nc, "odim", channels, err));
    GWF_TRY(define_field(nc, l, "prediction", "time odim lat lon", channels, id, err));
    return put_texts(nc, texts, sizeof texts / sizeof *texts, err);
}

/* --- the whole ------------------------------------------------------------------------------ */

static gwf_status put_globals(gwf_nc *nc, const gwf_flux_layout *l, gwf_error *err)
{
    char history[64] = "";
    const time_t now = time(NULL);
    struct tm utc;
    if (gmtime_r(&now, &utc))
        strftime(history, sizeof history, "%Y-%m-%dT%H:%M:%SZ: written by gwflux", &utc);
    GWF_TRY(gwf_nc_put_text(nc, "", "Conventions", "CF-1.10", err));
    GWF_TRY(
        gwf_nc_put_text(nc, "", "title", "Gravity-wave momentum fluxes predicted by gwflux", err));
    GWF_TRY(gwf_nc_put_text(nc, "", "history", history, err));
    for (int i = 0; i < l->n_globals; i++) /* these win over the ones above */
        GWF_TRY(gwf_nc_put_text(nc, "", l->globals[i].name, l->globals[i].text, err));
    return GWF_OK;
}

gwf_status gwf_flux_header_write(gwf_nc *nc, const gwf_flux_layout *layout,
                                 gwf_flux_variables *variables, gwf_error *err)
{
    GWF_TRY(put_globals(nc, layout, err));
    GWF_TRY(define_coordinates(nc, layout, err));
    GWF_TRY(define_time(nc, layout, &variables->time, err));
    GWF_TRY(define_fluxes(nc, layout, variables, err));
    GWF_TRY(define_prediction(nc, layout, &variables->prediction, err));
    GWF_TRY(put_coordinates(nc, layout, err));
    const int rc = GWF_NC(nc_sync(nc->id));
    if (rc == NC_NOERR) return GWF_OK;
    return gwf_nc_fail(nc, NULL, "writing its header failed", rc, GWF_ERR_IO, err);
}
