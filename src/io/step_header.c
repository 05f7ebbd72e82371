#include <stdio.h>
#include <string.h>
#include <time.h>

#include "io/nc_internal.h"
#include "io/step_internal.h"
#include "io/windset_internal.h"

enum { COPY_LIMIT = 4096 };

static gwf_status put_attributes(gwf_nc *nc, const char *variable, const gwf_attribute *list,
                                 gwf_error *err)
{
    for (; list && list->name; list++)
        GWF_TRY(gwf_nc_put_text(nc, variable, list->name, list->text, err));
    return GWF_OK;
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

static gwf_status name_time(gwf_nc *nc, const gwf_step_layout *l, bool counts_steps, gwf_error *err)
{
    gwf_nc_variable v;
    char text[256];
    if (l->time_units) GWF_TRY(gwf_nc_put_text(nc, "time", "units", l->time_units, err));
    if (l->time_calendar) GWF_TRY(gwf_nc_put_text(nc, "time", "calendar", l->time_calendar, err));
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

static gwf_status define_time(gwf_nc *nc, const gwf_step_layout *l, int *id, gwf_error *err)
{
    const gwf_windset *like = l->time_of;
    const gwf_nc_variable *model = like ? gwf_windset_time_variable(like) : NULL;
    const nc_type type = model              ? gwf_nc_type_of(gwf_windset_nc(like), model)
                         : l->time_calendar ? NC_DOUBLE
                                            : NC_INT;
    const size_t chunk = GWF_STEP_TIME_CHUNK;
    int dim = -1, rc = GWF_NC(nc_inq_dimid(nc->id, "time", &dim));
    if (rc == NC_NOERR) rc = nc_def_var(nc->id, "time", type, 1, &dim, id);
    if (rc == NC_NOERR) rc = nc_def_var_chunking(nc->id, *id, NC_CHUNKED, &chunk);
    if (rc == NC_NOERR) rc = nc_def_var_fill(nc->id, *id, NC_FILL, NULL); /* the file has none */
    if (rc != NC_NOERR) return gwf_nc_fail(nc, "time", "cannot be defined", rc, GWF_ERR_IO, err);
    if (model) copy_attributes(gwf_windset_nc(like), model->id, nc, *id);
    return name_time(nc, l, !model && !l->time_calendar, err);
}

/* --- variables ------------------------------------------------------------------------------ */

static gwf_status define_dimensions(gwf_nc *nc, const gwf_step_layout *l, gwf_error *err)
{
    GWF_TRY(gwf_nc_define_dimension(nc, "time", 0, err));
    for (int i = 0; i < l->n_dimensions; i++)
        GWF_TRY(gwf_nc_define_dimension(nc, l->dimensions[i].name, l->dimensions[i].length, err));
    return GWF_OK;
}

static gwf_status define_steady(gwf_nc *nc, const gwf_step_layout *l, gwf_error *err)
{
    for (int i = 0; i < l->n_steady; i++) {
        const gwf_step_steady *s = &l->steady[i];
        GWF_TRY(gwf_nc_define_variable(nc, s->name, s->type, s->dims, 0, err));
        GWF_TRY(put_attributes(nc, s->name, s->attributes, err));
    }
    return GWF_OK;
}

static gwf_status put_steady(gwf_nc *nc, const gwf_step_layout *l, gwf_error *err)
{
    for (int i = 0; i < l->n_steady; i++) {
        const gwf_step_steady *s = &l->steady[i];
        if (s->type == GWF_NC_DOUBLE)
            GWF_TRY(gwf_nc_put_double(nc, s->name, s->values, err));
        else if (s->type == GWF_NC_INT)
            GWF_TRY(gwf_nc_put_int(nc, s->name, s->values, err));
        else
            GWF_TRY(gwf_nc_put_char(nc, s->name, s->values, err));
    }
    return GWF_OK;
}

/* (time, dims), one step a chunk. A _FillValue is for those who read: nothing is filled with it. */
static gwf_status define_field(gwf_nc *nc, const gwf_step_field *f, gwf_step_variable *v,
                               gwf_error *err)
{
    const float missing = GWF_STEP_MISSING;
    char dims[1024];
    if (snprintf(dims, sizeof dims, "time %s", f->dims) >= (int)sizeof dims)
        return gwf_fail(err, GWF_ERR_ARGUMENT, "%s: variable %s: too many dimensions", nc->path,
                        f->name);
    GWF_TRY(gwf_nc_define_variable(nc, f->name, GWF_NC_FLOAT, dims, 0, err));
    int rc = GWF_NC(nc_inq_varid(nc->id, f->name, &v->id));
    if (rc == NC_NOERR) rc = nc_def_var_chunking(nc->id, v->id, NC_CHUNKED, v->shape);
    if (rc == NC_NOERR && f->may_miss)
        rc = nc_put_att_float(nc->id, v->id, "_FillValue", NC_FLOAT, 1, &missing);
    if (rc == NC_NOERR) return put_attributes(nc, f->name, f->attributes, err);
    return gwf_nc_fail(nc, f->name, "cannot be defined", rc, GWF_ERR_IO, err);
}

/* --- the whole ------------------------------------------------------------------------------ */

static gwf_status put_globals(gwf_nc *nc, const gwf_step_layout *l, gwf_error *err)
{
    char history[64] = "";
    const time_t now = time(NULL);
    struct tm utc;
    if (gmtime_r(&now, &utc))
        strftime(history, sizeof history, "%Y-%m-%dT%H:%M:%SZ: written by gwflux", &utc);
    GWF_TRY(gwf_nc_put_text(nc, "", "Conventions", "CF-1.10", err));
    if (l->title) GWF_TRY(gwf_nc_put_text(nc, "", "title", l->title, err));
    GWF_TRY(gwf_nc_put_text(nc, "", "history", history, err));
    for (int i = 0; i < l->n_globals; i++) /* these win over the ones above */
        GWF_TRY(gwf_nc_put_text(nc, "", l->globals[i].name, l->globals[i].text, err));
    return GWF_OK;
}

gwf_status gwf_step_header_write(gwf_nc *nc, const gwf_step_layout *layout,
                                 gwf_step_variables *variables, gwf_error *err)
{
    GWF_TRY(put_globals(nc, layout, err));
    GWF_TRY(define_dimensions(nc, layout, err));
    GWF_TRY(define_steady(nc, layout, err));
    GWF_TRY(define_time(nc, layout, &variables->time, err));
    for (int i = 0; i < layout->n_fields; i++)
        GWF_TRY(define_field(nc, &layout->fields[i], &variables->fields[i], err));
    GWF_TRY(put_steady(nc, layout, err));
    const int rc = GWF_NC(nc_sync(nc->id));
    if (rc == NC_NOERR) return GWF_OK;
    return gwf_nc_fail(nc, NULL, "writing its header failed", rc, GWF_ERR_IO, err);
}
