#include "io/prepared_file.h"

#include <stdlib.h>

#include "io/step_internal.h"

/* Published files store fractions of 90 and 360 degrees without saying so; CF wants degrees, and
 * windset.c reads both. */
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
static const gwf_attribute channel_words[] = {
    {"long_name", "channel of features: variable and, where it has one, ECMWF model level number"},
    {0}};
static const gwf_attribute ps_words[] = {{"standard_name", "surface_air_pressure"},
                                         {"long_name", "surface pressure"},
                                         {"units", "Pa"},
                                         {0}};

enum { FEATURES, PS, FIELDS };

/* What a gwf_step_layout points to. */
typedef struct plan {
    gwf_step_layout l;
    gwf_step_dimension dimensions[5];
    gwf_step_steady steady[3];
    gwf_step_field fields[GWF_STEP_FIELDS];
    gwf_attribute features[4];
    gwf_attribute *globals; /* owned */
    char *names;            /* owned */
} plan;

/* The recipe goes before the caller's, which win. */
static gwf_status take_globals(plan *p, const char *path, const gwf_prepared_layout *l,
                               gwf_error *err)
{
    p->globals = calloc((size_t)l->n_globals + 1, sizeof *p->globals);
    if (!p->globals) return gwf_fail(err, GWF_ERR_MEMORY, "%s: out of memory", path);
    p->globals[0] = (gwf_attribute){"gwflux_recipe", l->recipe};
    for (int i = 0; i < l->n_globals; i++) p->globals[i + 1] = l->globals[i];
    p->l.globals = p->globals;
    p->l.n_globals = l->n_globals + 1;
    return GWF_OK;
}

static gwf_status take_coordinates(plan *p, const char *path, const gwf_prepared_layout *l,
                                   gwf_error *err)
{
    size_t width;
    GWF_TRY(gwf_step_names(path, l->channel_names, l->idim, &width, &p->names, err));
    p->dimensions[0] = (gwf_step_dimension){"idim", l->idim};
    p->dimensions[1] = (gwf_step_dimension){"lat", l->nlat};
    p->dimensions[2] = (gwf_step_dimension){"lon", l->nlon};
    p->dimensions[3] = (gwf_step_dimension){"name_length", width};
    p->dimensions[4] = (gwf_step_dimension){"host_level", l->host_levels};
    p->steady[0] = (gwf_step_steady){"lat", "lat", GWF_NC_DOUBLE, l->lat, lat_words};
    p->steady[1] = (gwf_step_steady){"lon", "lon", GWF_NC_DOUBLE, l->lon, lon_words};
    p->steady[2] =
        (gwf_step_steady){"channel", "idim name_length", GWF_NC_CHAR, p->names, channel_words};
    return GWF_OK;
}

static gwf_status make_plan(plan *p, const char *path, const gwf_prepared_layout *l, gwf_error *err)
{
    static const char *const agree[] = {"gwflux_recipe", "gwflux_version"};
    if (!l->recipe || !l->long_name || !l->lat || !l->lon || l->idim == 0 || l->n_globals < 0 ||
        l->n_beside < 0 || l->n_beside >= GWF_STEP_FIELDS || (l->n_beside && l->surface_pressure))
        return gwf_fail(err, GWF_ERR_ARGUMENT, "%s: its layout is not complete", path);
    p->l = (gwf_step_layout){.steps = l->steps,
                             .dimensions = p->dimensions,
                             .n_dimensions = l->host_levels ? 5 : 4,
                             .steady = p->steady,
                             .n_steady = 3,
                             .fields = p->fields,
                             .n_fields = l->surface_pressure ? FIELDS : PS + l->n_beside,
                             .time_of = l->time_of,
                             .time_units = l->time_units,
                             .time_calendar = l->time_calendar,
                             .times = l->times,
                             .title = "Features for gravity-wave momentum fluxes, made by gwflux",
                             .agree = agree,
                             .n_agree = (int)(sizeof agree / sizeof *agree),
                             .overwrite = l->overwrite,
                             .comm = l->comm,
                             .writer = l->writer};
    p->features[0] = (gwf_attribute){"long_name", l->long_name};
    p->features[1] = (gwf_attribute){"units", "1"};
    p->features[2] = (gwf_attribute){"coordinates", "channel"};
    p->fields[FEATURES] = (gwf_step_field){"features", "idim lat lon", p->features, false};
    p->fields[PS] = (gwf_step_field){"ps", "lat lon", ps_words, false};
    for (int i = 0; i < l->n_beside; i++) p->fields[PS + i] = l->beside[i];
    GWF_TRY(take_globals(p, path, l, err));
    return take_coordinates(p, path, l, err);
}

static void free_plan(plan *p)
{
    free(p->globals);
    free(p->names);
}

/* Collective, since one rank may be out of memory. */
static gwf_status begin(plan *p, const char *path, const gwf_prepared_layout *layout,
                        gwf_error *err)
{
    return gwf_step_agree(layout->comm, make_plan(p, path, layout, err), err);
}

gwf_status gwf_prepared_file_create(const char *path, const gwf_prepared_layout *layout,
                                    gwf_step_file **file, gwf_error *err)
{
    plan p = {0};
    *file = NULL;
    gwf_status status = begin(&p, path, layout, err);
    if (status == GWF_OK) status = gwf_step_file_create(path, &p.l, file, err);
    free_plan(&p);
    return status;
}

gwf_status gwf_prepared_file_resume(const char *path, const gwf_prepared_layout *layout,
                                    unsigned char *done, bool *complete, gwf_step_file **file,
                                    gwf_error *err)
{
    plan p = {0};
    *file = NULL;
    *complete = false;
    gwf_status status = begin(&p, path, layout, err);
    if (status == GWF_OK) status = gwf_step_file_resume(path, &p.l, done, complete, file, err);
    free_plan(&p);
    return status;
}

gwf_status gwf_prepared_file_write(gwf_step_file *file, size_t step, double time,
                                   const float *features, const float *surface_pressure,
                                   gwf_error *err)
{
    const float *const values[FIELDS] = {features, surface_pressure};
    return gwf_step_file_write(file, step, time, values, err);
}
