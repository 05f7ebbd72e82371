/* Does a layout make sense, and what follows from it. */
#include "io/step_internal.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/size.h"
#include "io/nc_internal.h"

static gwf_status incomplete(const char *path, gwf_error *err)
{
    return gwf_fail(err, GWF_ERR_ARGUMENT, "%s: its layout is not complete", path);
}

/* --- dimensions ----------------------------------------------------------------------------- */

static const gwf_step_dimension *dimension_of(const gwf_step_layout *l, const char *name,
                                              size_t length)
{
    for (int i = 0; i < l->n_dimensions; i++) {
        const char *known = l->dimensions[i].name;
        if (strlen(known) == length && strncmp(known, name, length) == 0) return &l->dimensions[i];
    }
    return NULL;
}

/* Lengths of the dimensions that `dims` names. False: more than `most`, or not the layout's. */
static bool lengths_of(const gwf_step_layout *layout, const char *dims, int most, size_t *lengths,
                       int *rank)
{
    *rank = 0;
    for (const char *p = dims + strspn(dims, " "); *p; p += strspn(p, " ")) {
        const size_t n = strcspn(p, " ");
        const gwf_step_dimension *d = dimension_of(layout, p, n);
        if (*rank == most || !d) return false;
        lengths[(*rank)++] = d->length;
        p += n;
    }
    return true;
}

bool gwf_step_has_dims(const gwf_nc_variable *v, bool time, const char *dims)
{
    int i = 0;
    if (time && (v->rank < 1 || strcmp(v->dims[i++], "time") != 0)) return false;
    for (const char *p = dims + strspn(dims, " "); *p; p += strspn(p, " ")) {
        const size_t n = strcspn(p, " ");
        if (i == v->rank || strlen(v->dims[i]) != n || strncmp(v->dims[i], p, n) != 0) return false;
        i++;
        p += n;
    }
    return i == v->rank;
}

static gwf_status check_dimensions(const char *path, const gwf_step_layout *l, gwf_error *err)
{
    for (int i = 0; i < l->n_dimensions; i++) {
        const gwf_step_dimension *d = &l->dimensions[i];
        if (!d->name || d->length == 0) return incomplete(path, err);
        if (strcmp(d->name, "time") == 0 || dimension_of(l, d->name, strlen(d->name)) != d)
            return gwf_fail(err, GWF_ERR_ARGUMENT, "%s: its layout has two dimensions %s", path,
                            d->name);
    }
    return GWF_OK;
}

/* shape: GWF_NC_RANK - 1 entries; the last rank is that of time, or of the bytes of a value. */
static gwf_status check_dims(const char *path, const gwf_step_layout *l, const gwf_step_field *v,
                             size_t *shape, int *rank, gwf_error *err)
{
    const int most = GWF_NC_RANK - 1;
    if (lengths_of(l, v->dims, most, shape, rank)) return GWF_OK;
    return gwf_fail(err, GWF_ERR_ARGUMENT,
                    "%s: variable %s: dimensions \"%s\", expected up to %d of its layout's", path,
                    v->name, v->dims, most);
}

/* --- variables ------------------------------------------------------------------------------ */

static gwf_status check_steady(const char *path, const gwf_step_layout *l, size_t *bytes,
                               gwf_error *err)
{
    *bytes = 0;
    for (int i = 0; i < l->n_steady; i++) {
        const gwf_step_steady *s = &l->steady[i];
        size_t shape[GWF_NC_RANK + 1], n = 0;
        int rank = 0;
        if (!s->name || !s->dims || !s->values || s->type == GWF_NC_FLOAT)
            return incomplete(path, err);
        GWF_TRY(check_dims(path, l, &(gwf_step_field){s->name, s->dims, NULL, false}, shape, &rank,
                           err));
        shape[rank] = s->type == GWF_NC_CHAR  ? 1
                      : s->type == GWF_NC_INT ? sizeof(int)
                                              : sizeof(double);
        if (!gwf_size_product(shape, rank + 1, &n) || !gwf_size_add(*bytes, n, bytes) ||
            *bytes > SIZE_MAX / 4)
            return gwf_fail(err, GWF_ERR_ARGUMENT, "%s: variable %s: is too large", path, s->name);
    }
    return GWF_OK;
}

static gwf_status take_field(const char *path, const gwf_step_layout *l, const gwf_step_field *f,
                             gwf_step_variable *v, size_t *bytes, gwf_error *err)
{
    size_t shape[GWF_NC_RANK + 1];
    if (!f->name || !f->dims || strlen(f->name) >= sizeof v->name) return incomplete(path, err);
    memcpy(v->name, f->name, strlen(f->name) + 1);
    v->id = -1;
    v->shape[0] = 1;
    GWF_TRY(check_dims(path, l, f, v->shape + 1, &v->rank, err));
    v->rank++;
    memcpy(shape, v->shape, sizeof v->shape);
    shape[v->rank] = sizeof(float);
    if (gwf_size_product(shape, v->rank + 1, bytes)) return GWF_OK;
    return gwf_fail(err, GWF_ERR_ARGUMENT, "%s: a step is too large", path);
}

static gwf_status take_fields(const char *path, const gwf_step_layout *l,
                              gwf_step_variables *variables, size_t *bytes, gwf_error *err)
{
    *variables = (gwf_step_variables){.n_fields = l->n_fields, .time = -1};
    *bytes = 0;
    for (int i = 0; i < l->n_fields; i++) {
        size_t n = 0;
        GWF_TRY(take_field(path, l, &l->fields[i], &variables->fields[i], &n, err));
        if (!gwf_size_add(*bytes, n, bytes) || *bytes > SIZE_MAX / 4)
            return gwf_fail(err, GWF_ERR_ARGUMENT, "%s: a step is too large", path);
    }
    return GWF_OK;
}

gwf_status gwf_step_layout_check(const char *path, const gwf_step_layout *layout,
                                 gwf_step_variables *variables, size_t *step_bytes,
                                 size_t *steady_bytes, gwf_error *err)
{
    if (layout->n_fields < 1 || layout->n_fields > GWF_STEP_FIELDS) return incomplete(path, err);
    if (layout->time_calendar && (layout->time_of || !layout->time_units))
        return gwf_fail(err, GWF_ERR_ARGUMENT,
                        "%s: its layout has a calendar of time, which goes with units and not "
                        "with another file's time",
                        path);
    GWF_TRY(check_dimensions(path, layout, err));
    GWF_TRY(check_steady(path, layout, steady_bytes, err));
    GWF_TRY(take_fields(path, layout, variables, step_bytes, err));
    if (layout->writer == GWF_WRITE_ALL && layout->comm && gwf_comm_size(layout->comm) > 1 &&
        !gwf_nc_has_parallel())
        return gwf_fail(err, GWF_ERR_UNSUPPORTED,
                        "%s: this gwflux was built without parallel NetCDF: one rank must write",
                        path);
    return GWF_OK;
}

/* --- names as values ------------------------------------------------------------------------ */

gwf_status gwf_step_names(const char *path, const char *const *names, size_t count, size_t *width,
                          char **characters, gwf_error *err)
{
    size_t bytes = 0;
    *characters = NULL;
    *width = 1;
    for (size_t i = 0; i < count; i++) {
        if (!names || !names[i]) return incomplete(path, err);
        const size_t n = strlen(names[i]);
        if (n > *width) *width = n;
    }
    if (gwf_size_mul(count, *width, &bytes)) *characters = calloc(bytes ? bytes : 1, 1);
    if (!*characters) return gwf_fail(err, GWF_ERR_MEMORY, "%s: out of memory", path);
    for (size_t i = 0; i < count; i++) memcpy(*characters + i * *width, names[i], strlen(names[i]));
    return GWF_OK;
}
