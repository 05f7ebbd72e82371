#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/size.h"
#include "io/nc_internal.h"
#include "io/step_internal.h"
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
static const char *global_of(const gwf_step_layout *l, const char *name)
{
    const char *text = "";
    for (int i = 0; i < l->n_globals; i++)
        if (strcmp(l->globals[i].name, name) == 0) text = l->globals[i].text;
    return text;
}

static gwf_status check_global(const gwf_nc *nc, const gwf_step_layout *l, const char *name,
                               gwf_error *err)
{
    return check_text(nc, NULL, name, name, global_of(l, name), err);
}

static gwf_status check_globals(const gwf_nc *nc, const gwf_step_layout *l, gwf_error *err)
{
    for (int i = 0; i < l->n_agree; i++) GWF_TRY(check_global(nc, l, l->agree[i], err));
    return check_global(nc, l, GWF_STEP_JOB, err);
}

/* --- dimensions and steady variables --------------------------------------------------------- */

static gwf_status other_length(const gwf_nc *nc, const char *dimension, size_t found,
                               size_t expected, gwf_error *err)
{
    char what[GWF_NC_NAME + 16], f[32], e[32];
    snprintf(what, sizeof what, "dimension %s", dimension);
    snprintf(f, sizeof f, "%zu", found);
    snprintf(e, sizeof e, "%zu", expected);
    return other_job(nc, what, f, e, err);
}

/* 0 where there is no such dimension. */
static gwf_status check_length(const gwf_nc *nc, const char *dimension, size_t expected,
                               gwf_error *err)
{
    size_t found = 0;
    gwf_nc_dimension_find(nc, dimension, &found);
    return found == expected ? GWF_OK : other_length(nc, dimension, found, expected, err);
}

static gwf_status check_dimensions(const gwf_nc *nc, const gwf_step_layout *l, gwf_error *err)
{
    GWF_TRY(check_length(nc, "time", l->steps, err));
    for (int i = 0; i < l->n_dimensions; i++)
        GWF_TRY(check_length(nc, l->dimensions[i].name, l->dimensions[i].length, err));
    return GWF_OK;
}

static gwf_status damaged(const gwf_nc *nc, const char *variable, gwf_error *err)
{
    return gwf_fail(err, GWF_ERR_FORMAT, "%s: variable %s is not there as gwflux writes it",
                    nc->path, variable);
}

/* Value i of a steady variable in words; of names the whole of the one that it is in. */
static void show_value(const gwf_step_steady *s, const void *values, size_t i, size_t width,
                       char out[static SHOWN])
{
    if (s->type == GWF_NC_DOUBLE)
        snprintf(out, SHOWN, "%.17g", ((const double *)values)[i]);
    else if (s->type == GWF_NC_INT)
        snprintf(out, SHOWN, "%d", ((const int *)values)[i]);
    else
        snprintf(out, SHOWN, "\"%.*s\"", (int)(width < SHOWN - 16 ? width : SHOWN - 16),
                 (const char *)values + i / width * width);
    gwf_plain_text(out);
}

static gwf_status compare(const gwf_nc *nc, const gwf_step_steady *s, const gwf_nc_variable *v,
                          const void *found, size_t n, gwf_error *err)
{
    const size_t size = s->type == GWF_NC_DOUBLE ? sizeof(double)
                        : s->type == GWF_NC_INT  ? sizeof(int)
                                                 : 1;
    const size_t width = s->type == GWF_NC_CHAR && v->rank > 0 ? v->shape[v->rank - 1] : 1;
    const char *f = found, *e = s->values;
    for (size_t i = 0; i < n; i++) {
        if (memcmp(f + i * size, e + i * size, size) == 0) continue;
        char what[GWF_NC_NAME + 32], words[2][SHOWN];
        snprintf(what, sizeof what, "%s[%zu]", s->name, i / width);
        show_value(s, found, i, width, words[0]);
        show_value(s, s->values, i, width, words[1]);
        return other_job(nc, what, words[0], words[1], err);
    }
    return GWF_OK;
}

static gwf_status read_steady(const gwf_nc *nc, const gwf_step_steady *s, const gwf_nc_variable *v,
                              size_t n, void *values, gwf_error *err)
{
    if (s->type == GWF_NC_DOUBLE) return gwf_nc_get_double(nc, v, n, values, err);
    if (s->type == GWF_NC_INT) return gwf_nc_get_int(nc, v, n, values, err);
    return gwf_nc_get_char(nc, v, n, values, err);
}

static gwf_status check_steady(const gwf_nc *nc, const gwf_step_steady *s, gwf_error *err)
{
    static const nc_type types[] = {
        [GWF_NC_DOUBLE] = NC_DOUBLE, [GWF_NC_INT] = NC_INT, [GWF_NC_CHAR] = NC_CHAR};
    gwf_nc_variable v;
    size_t n = 0;
    if (!gwf_nc_variable_find(nc, s->name, &v) || !gwf_step_has_dims(&v, false, s->dims) ||
        gwf_nc_type_of(nc, &v) != types[s->type] || !gwf_size_product(v.shape, v.rank, &n))
        return damaged(nc, s->name, err);
    void *found = calloc(n ? n : 1, sizeof(double)); /* the largest of the types */
    if (!found) return gwf_fail(err, GWF_ERR_MEMORY, "%s: out of memory", nc->path);
    gwf_status status = read_steady(nc, s, &v, n, found, err);
    if (status == GWF_OK) status = compare(nc, s, &v, found, n, err);
    free(found);
    return status;
}

/* --- variables ------------------------------------------------------------------------------- */

/* A field that is in one of the two only. */
static gwf_status other_variable(const gwf_nc *nc, const char *name, bool found, gwf_error *err)
{
    char what[GWF_NC_NAME + 16];
    snprintf(what, sizeof what, "variable %s", name);
    return other_job(nc, what, found ? "there" : "absent", found ? "absent" : "there", err);
}

static bool is_expected(const gwf_step_layout *l, const char *name)
{
    bool expected = strcmp(name, "time") == 0;
    for (int i = 0; i < l->n_steady; i++) expected |= strcmp(name, l->steady[i].name) == 0;
    for (int i = 0; i < l->n_fields; i++) expected |= strcmp(name, l->fields[i].name) == 0;
    return expected;
}

/* What this job would not write belongs to another. */
static gwf_status check_others(const gwf_nc *nc, const gwf_step_layout *l, gwf_error *err)
{
    int count = 0;
    gwf_nc_variable v;
    GWF_TRY(gwf_nc_variable_count(nc, &count, err));
    for (int i = 0; i < count; i++) {
        GWF_TRY(gwf_nc_variable_at(nc, i, &v, err));
        if (!is_expected(l, v.name)) return other_variable(nc, v.name, true, err);
    }
    return GWF_OK;
}

static gwf_status find_fields(const gwf_nc *nc, const gwf_step_layout *l,
                              gwf_step_variables *variables, gwf_error *err)
{
    for (int i = 0; i < l->n_fields; i++) {
        const gwf_step_field *f = &l->fields[i];
        gwf_nc_variable v;
        if (!gwf_nc_variable_find(nc, f->name, &v)) return other_variable(nc, f->name, false, err);
        if (!gwf_step_has_dims(&v, true, f->dims) || gwf_nc_type_of(nc, &v) != NC_FLOAT)
            return damaged(nc, f->name, err);
        variables->fields[i].id = v.id;
    }
    return GWF_OK;
}

gwf_status gwf_step_variables_find(const gwf_nc *nc, const gwf_step_layout *layout,
                                   gwf_step_variables *variables, gwf_error *err)
{
    gwf_nc_variable time;
    double fill = 0; /* room for a value of any type */
    GWF_TRY(find_fields(nc, layout, variables, err));
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
                              const gwf_step_layout *l, gwf_error *err)
{
    char units[4096] = "";
    const gwf_nc_variable *like = l->time_of ? gwf_windset_time_variable(l->time_of) : NULL;
    if (like) gwf_nc_text(gwf_windset_nc(l->time_of), like, "units", units, sizeof units);
    GWF_TRY(
        check_text(nc, time, "units", "units of time", l->time_units ? l->time_units : units, err));
    return l->time_calendar
               ? check_text(nc, time, "calendar", "calendar of time", l->time_calendar, err)
               : GWF_OK;
}

static gwf_status mark_done(const gwf_nc *nc, const gwf_nc_variable *time, double fill,
                            const gwf_step_layout *l, const double *found, unsigned char *done,
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

static gwf_status check_times(const gwf_nc *nc, double fill, const gwf_step_layout *l,
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

gwf_status gwf_step_resume_check(const gwf_nc *nc, const gwf_step_layout *layout,
                                 gwf_step_variables *variables, unsigned char *done, gwf_error *err)
{
    GWF_TRY(check_globals(nc, layout, err));
    GWF_TRY(check_dimensions(nc, layout, err));
    for (int i = 0; i < layout->n_steady; i++) GWF_TRY(check_steady(nc, &layout->steady[i], err));
    GWF_TRY(gwf_step_variables_find(nc, layout, variables, err));
    GWF_TRY(check_others(nc, layout, err));
    return check_times(nc, variables->fill, layout, done, err);
}

bool gwf_step_resume_same_job(const gwf_nc *nc, const gwf_step_layout *layout,
                              gwf_step_variables *variables)
{
    return check_globals(nc, layout, NULL) == GWF_OK &&
           find_fields(nc, layout, variables, NULL) == GWF_OK;
}
