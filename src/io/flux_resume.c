#include "io/flux_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/nc_internal.h"
#include "io/windset_internal.h"

enum { SHOWN = 300 }; /* characters of a text in a message */

static gwf_status other_job(const gwf_nc *nc, const char *what, const char *found,
                            const char *expected, gwf_error *err)
{
    return gwf_fail(err, GWF_ERR_MISMATCH,
                    "%s: belongs to another job: its %s is %s, here it is %s", nc->path, what,
                    found, expected);
}

/* --- texts ---------------------------------------------------------------------------------- */

/* The text in quotes; of a long one the part around character `at`. */
static const char *shown(const char *text, size_t at, char out[static SHOWN])
{
    const size_t length = strlen(text), most = SHOWN - 16;
    const size_t from = length <= most ? 0 : at < most / 4 ? 0 : at - most / 4;
    const size_t n = length - from < most ? length - from : most;
    snprintf(out, SHOWN, "\"%s%.*s%s\"", from ? "..." : "", (int)n, text + from,
             from + n < length ? "..." : "");
    return out;
}

static gwf_status texts_differ(const gwf_nc *nc, const char *name, const char *found,
                               const char *expected, gwf_error *err)
{
    char f[SHOWN], e[SHOWN];
    size_t at = 0;
    while (found[at] && found[at] == expected[at]) at++;
    return other_job(nc, name, shown(found, at, f), shown(expected, at, e), err);
}

/* Text attribute of v (NULL: global); absent is "". */
static gwf_status check_text(const gwf_nc *nc, const gwf_nc_variable *v, const char *name,
                             const char *label, const char *expected, gwf_error *err)
{
    const size_t size = strlen(expected) + SHOWN; /* a longer one is seen to be longer */
    char *found = malloc(size), *wanted = strdup(expected);
    gwf_status status = GWF_OK;
    if (!found || !wanted) {
        status = gwf_fail(err, GWF_ERR_MEMORY, "%s: out of memory", nc->path);
    } else {
        gwf_plain_text(wanted);
        gwf_nc_text(nc, v, name, found, size);
        if (strcmp(found, wanted) != 0) status = texts_differ(nc, label, found, wanted, err);
    }
    free(found);
    free(wanted);
    return status;
}

/* Of several the last: create() writes them in order. */
static const char *global_of(const gwf_flux_layout *l, const char *name)
{
    const char *text = "";
    for (int i = 0; i < l->n_globals; i++)
        if (strcmp(l->globals[i].name, name) == 0) text = l->globals[i].text;
    return text;
}

static gwf_status check_globals(const gwf_nc *nc, const gwf_flux_layout *l, gwf_error *err)
{
    static const char *const names[] = {
        "gwflux_model_sha256", "gwflux_recipe",  "gwflux_flux_kind", "gwflux_backend",
        "gwflux_precision",    "gwflux_version", "gwflux_job"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        GWF_TRY(check_text(nc, NULL, names[i], names[i], global_of(l, names[i]), err));
    return GWF_OK;
}

bool gwf_flux_resume_same_job(const gwf_nc *nc, const gwf_flux_layout *layout)
{
    return check_text(nc, NULL, "gwflux_job", "", global_of(layout, "gwflux_job"), NULL) == GWF_OK;
}

/* --- shape and coordinates ------------------------------------------------------------------ */

static gwf_status check_length(const gwf_nc *nc, const char *dimension, size_t expected,
                               gwf_error *err)
{
    char what[64], f[32], e[32];
    size_t found = 0; /* absent */
    gwf_nc_dimension_find(nc, dimension, &found);
    if (found == expected) return GWF_OK;
    snprintf(what, sizeof what, "dimension %s", dimension);
    snprintf(f, sizeof f, "%zu", found);
    snprintf(e, sizeof e, "%zu", expected);
    return other_job(nc, what, f, e, err);
}

static gwf_status damaged(const gwf_nc *nc, const char *variable, gwf_error *err)
{
    return gwf_fail(err, GWF_ERR_FORMAT, "%s: variable %s is not there as gwflux writes it",
                    nc->path, variable);
}

static gwf_status compare(const gwf_nc *nc, const char *name, const double *found,
                          const double *expected, size_t n, gwf_error *err)
{
    for (size_t i = 0; i < n; i++) {
        if (found[i] == expected[i]) continue;
        char what[64], f[32], e[32];
        snprintf(what, sizeof what, "%s[%zu]", name, i);
        snprintf(f, sizeof f, "%.17g", found[i]);
        snprintf(e, sizeof e, "%.17g", expected[i]);
        return other_job(nc, what, f, e, err);
    }
    return GWF_OK;
}

static gwf_status check_values(const gwf_nc *nc, const char *name, const double *expected, size_t n,
                               gwf_error *err)
{
    gwf_nc_variable v;
    if (!gwf_nc_variable_find(nc, name, &v) || v.rank != 1 || v.shape[0] != n)
        return damaged(nc, name, err);
    double *found = malloc(n * sizeof *found);
    if (!found) return gwf_fail(err, GWF_ERR_MEMORY, "%s: out of memory", nc->path);
    gwf_status status = gwf_nc_get_double(nc, &v, n, found, err);
    if (status == GWF_OK) status = compare(nc, name, found, expected, n, err);
    free(found);
    return status;
}

static gwf_status check_levels(const gwf_nc *nc, const gwf_flux_layout *l, gwf_error *err)
{
    double *number = malloc(l->nlev * sizeof *number);
    if (!number) return gwf_fail(err, GWF_ERR_MEMORY, "%s: out of memory", nc->path);
    for (size_t k = 0; k < l->nlev; k++) number[k] = l->level_number[k];
    gwf_status status = check_values(nc, "level_number", number, l->nlev, err);
    free(number);
    if (status == GWF_OK) status = check_values(nc, "hyam", l->a, l->nlev, err);
    if (status == GWF_OK) status = check_values(nc, "hybm", l->b, l->nlev, err);
    return status;
}

static gwf_status check_shape(const gwf_nc *nc, const gwf_flux_layout *l, gwf_error *err)
{
    GWF_TRY(check_length(nc, "time", l->steps, err));
    GWF_TRY(check_length(nc, "lev", l->nlev, err));
    GWF_TRY(check_length(nc, "lat", l->nlat, err));
    GWF_TRY(check_length(nc, "lon", l->nlon, err));
    GWF_TRY(check_length(nc, "odim", (size_t)l->prediction_channels, err));
    GWF_TRY(check_levels(nc, l, err));
    GWF_TRY(check_values(nc, "lat", l->lat, l->nlat, err));
    return check_values(nc, "lon", l->lon, l->nlon, err);
}

static gwf_status find_field(const gwf_nc *nc, const char *name, int *id, gwf_error *err)
{
    static const char *const dims[4] = {"time", NULL, "lat", "lon"};
    gwf_nc_variable v;
    if (!gwf_nc_variable_find(nc, name, &v) || v.rank != 4 || gwf_nc_type_of(nc, &v) != NC_FLOAT)
        return damaged(nc, name, err);
    for (int i = 0; i < 4; i++)
        if (dims[i] && strcmp(v.dims[i], dims[i]) != 0) return damaged(nc, name, err);
    *id = v.id;
    return GWF_OK;
}

gwf_status gwf_flux_variables_find(const gwf_nc *nc, bool prediction, gwf_flux_variables *variables,
                                   gwf_error *err)
{
    gwf_nc_variable time;
    double fill = 0; /* room for a value of any type */
    *variables = (gwf_flux_variables){.prediction = -1};
    GWF_TRY(find_field(nc, "uw", &variables->uw, err));
    GWF_TRY(find_field(nc, "vw", &variables->vw, err));
    if (prediction) GWF_TRY(find_field(nc, "prediction", &variables->prediction, err));
    if (!gwf_nc_variable_find(nc, "time", &time) || time.rank != 1 ||
        !gwf_nc_is_number(gwf_nc_type_of(nc, &time)))
        return damaged(nc, "time", err);
    variables->time = time.id;
    const int rc = GWF_NC(nc_inq_var_fill(nc->id, time.id, NULL, &fill));
    if (rc != NC_NOERR)
        return gwf_nc_fail(nc, "time", "its fill value cannot be read", rc, GWF_ERR_FORMAT, err);
    variables->fill = gwf_nc_raw_number(gwf_nc_type_of(nc, &time), &fill);
    return GWF_OK;
}

/* --- time ----------------------------------------------------------------------------------- */

/* What time t becomes in the file, which NetCDF-C converts for. */
static double as_stored(nc_type type, double t)
{
    if (type == NC_DOUBLE) return t;
    return type == NC_FLOAT ? (double)(float)t : trunc(t);
}

static bool same_time(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

static gwf_status check_units(const gwf_nc *nc, const gwf_nc_variable *time,
                              const gwf_flux_layout *l, gwf_error *err)
{
    char units[4096] = "";
    const gwf_nc_variable *like = l->time_of ? gwf_windset_time_variable(l->time_of) : NULL;
    if (like) gwf_nc_text(gwf_windset_nc(l->time_of), like, "units", units, sizeof units);
    return check_text(nc, time, "units", "units of time", l->time_units ? l->time_units : units,
                      err);
}

static gwf_status mark_done(const gwf_nc *nc, const gwf_nc_variable *time, double fill,
                            const gwf_flux_layout *l, const double *found, unsigned char *done,
                            gwf_error *err)
{
    const nc_type type = gwf_nc_type_of(nc, time);
    for (size_t s = 0; s < l->steps; s++) {
        done[s] = !same_time(found[s], fill);
        if (!done[s] || !l->times || same_time(found[s], as_stored(type, l->times[s]))) continue;
        char what[64], f[32], e[32];
        snprintf(what, sizeof what, "time of step %zu", s);
        snprintf(f, sizeof f, "%.17g", found[s]);
        snprintf(e, sizeof e, "%.17g", l->times[s]);
        return other_job(nc, what, f, e, err);
    }
    return GWF_OK;
}

static gwf_status check_times(const gwf_nc *nc, double fill, const gwf_flux_layout *l,
                              unsigned char *done, gwf_error *err)
{
    gwf_nc_variable time;
    if (!gwf_nc_variable_find(nc, "time", &time)) return damaged(nc, "time", err);
    GWF_TRY(check_units(nc, &time, l, err));
    double *found = malloc((l->steps ? l->steps : 1) * sizeof *found);
    if (!found) return gwf_fail(err, GWF_ERR_MEMORY, "%s: out of memory", nc->path);
    gwf_status status = gwf_nc_get_double(nc, &time, l->steps, found, err);
    if (status == GWF_OK) status = mark_done(nc, &time, fill, l, found, done, err);
    free(found);
    return status;
}

gwf_status gwf_flux_resume_check(const gwf_nc *nc, const gwf_flux_layout *layout,
                                 unsigned char *done, gwf_error *err)
{
    gwf_flux_variables variables;
    GWF_TRY(check_globals(nc, layout, err));
    GWF_TRY(check_shape(nc, layout, err));
    GWF_TRY(gwf_flux_variables_find(nc, layout->prediction_channels > 0, &variables, err));
    return check_times(nc, variables.fill, layout, done, err);
}
