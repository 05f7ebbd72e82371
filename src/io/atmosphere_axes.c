/* Dimensions of a NetCDF variable: which is which, and the values along them. */
#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/log.h"
#include "core/size.h"
#include "io/atmosphere_internal.h"
#include "io/nc_internal.h"

/* --- coordinate variables ------------------------------------------------------------------- */

bool gwf_atm_next_name(const char **at, char *name, size_t size)
{
    while (isspace((unsigned char)**at)) ++*at;
    size_t n = 0;
    while ((*at)[n] && !isspace((unsigned char)(*at)[n])) n++;
    if (n == 0) return false;
    snprintf(name, size, "%.*s", (int)(n < size ? n : size - 1), *at);
    *at += n;
    return true;
}

static bool is_axis(const gwf_nc *file, const char *name, const char *dim, gwf_nc_variable *c)
{
    return gwf_nc_variable_find(file, name, c) && c->rank == 1 && strcmp(c->dims[0], dim) == 0 &&
           gwf_nc_is_number(gwf_nc_type_of(file, c));
}

bool gwf_atm_nc_coordinate(const gwf_nc *file, const gwf_nc_variable *v, int dim,
                           gwf_nc_variable *coordinate)
{
    char names[1024], name[GWF_NC_NAME];
    if (is_axis(file, v->dims[dim], v->dims[dim], coordinate)) return true;
    gwf_nc_text(file, v, "coordinates", names, sizeof names);
    for (const char *at = names; gwf_atm_next_name(&at, name, sizeof name);)
        if (is_axis(file, name, v->dims[dim], coordinate)) return true;
    return false;
}

static bool is_missing(const gwf_nc *file, const gwf_nc_variable *v, double stored)
{
    double missing;
    return (gwf_nc_number(file, v, "_FillValue", &missing) && stored == missing) ||
           (gwf_nc_number(file, v, "missing_value", &missing) && stored == missing);
}

static gwf_status unpack(const gwf_nc *file, const gwf_nc_variable *v, size_t n, double *values,
                         gwf_error *err)
{
    double scale = 1, offset = 0;
    gwf_nc_number(file, v, "scale_factor", &scale);
    gwf_nc_number(file, v, "add_offset", &offset);
    for (size_t i = 0; i < n; i++) {
        const double value = values[i] * scale + offset;
        if (is_missing(file, v, values[i]) || !isfinite(value))
            return gwf_fail(err, GWF_ERR_DATA,
                            "%s: variable %s: value %zu is missing or not finite", file->path,
                            v->name, i);
        values[i] = value;
    }
    return GWF_OK;
}

gwf_status gwf_atm_nc_axis(const gwf_nc *file, const gwf_nc_variable *v, size_t n, double **values,
                           gwf_error *err)
{
    size_t bytes;
    *values = NULL;
    if (n == 0 || !gwf_size_mul(n, sizeof **values, &bytes))
        return gwf_fail(err, GWF_ERR_FORMAT, "%s: variable %s: holds no values", file->path,
                        v->name);
    *values = malloc(bytes);
    if (!*values)
        return gwf_fail(err, GWF_ERR_MEMORY, "%s: variable %s: out of memory", file->path, v->name);
    gwf_status status = gwf_nc_get_double(file, v, n, *values, err);
    if (status == GWF_OK) status = unpack(file, v, n, *values, err);
    if (status != GWF_OK) {
        free(*values);
        *values = NULL;
    }
    return status;
}

/* --- which dimension is which --------------------------------------------------------------- */

typedef enum role { OTHER, TIME, LEVEL, LAT, LON, ROTATED } role;

static bool one_of(const char *list, const char *word)
{
    const size_t n = strlen(word);
    for (const char *at = list; n > 0 && (at = strstr(at, word)); at += n)
        if (at > list && at[-1] == ' ' && at[n] == ' ') return true;
    return false;
}

static role role_by_name(const char *name)
{
    char small[64];
    snprintf(small, sizeof small, "%s", name);
    for (char *c = small; *c; c++) *c = (char)tolower((unsigned char)*c);
    if (one_of(" lat latitude lats latitudes ", small)) return LAT;
    if (one_of(" lon longitude lons longitudes ", small)) return LON;
    if (one_of(" time valid_time ", small)) return TIME;
    if (one_of(" lev level levels plev pressure_level isobaricinhpa isobaricinpa hybrid "
               "model_level mlev nhym pfull sigma ",
               small))
        return LEVEL;
    return OTHER;
}

static role role_by_standard_name(const char *name)
{
    if (strcmp(name, "latitude") == 0) return LAT;
    if (strcmp(name, "longitude") == 0) return LON;
    if (one_of(" grid_latitude grid_longitude projection_x_coordinate projection_y_coordinate ",
               name))
        return ROTATED;
    if (one_of(" time forecast_reference_time ", name)) return TIME;
    if (strcmp(name, "air_pressure") == 0 || strcmp(name, "model_level_number") == 0 ||
        strncmp(name, "atmosphere_", 11) == 0)
        return LEVEL;
    return OTHER;
}

static role role_by_units(const char *units)
{
    if (one_of(" degrees_north degree_north degrees_N degree_N degreesN degreeN ", units))
        return LAT;
    if (one_of(" degrees_east degree_east degrees_E degree_E degreesE degreeE ", units)) return LON;
    if (strcasestr(units, " since ")) return TIME;
    return gwf_atm_pressure_unit(units) > 0 ? LEVEL : OTHER;
}

static role role_by_axis(const char *axis, const char *positive)
{
    if (strcmp(axis, "T") == 0) return TIME;
    return strcmp(axis, "Z") == 0 || positive[0] ? LEVEL : OTHER;
}

static role role_of_values(const gwf_nc *file, const gwf_nc_variable *c)
{
    char units[64], name[128], axis[8], positive[16];
    gwf_nc_text(file, c, "standard_name", name, sizeof name);
    gwf_nc_text(file, c, "units", units, sizeof units);
    gwf_nc_text(file, c, "axis", axis, sizeof axis);
    gwf_nc_text(file, c, "positive", positive, sizeof positive);
    role found = role_by_standard_name(name);
    if (found == OTHER) found = role_by_units(units);
    if (found == OTHER) found = role_by_axis(axis, positive);
    return found == OTHER ? role_by_name(c->name) : found;
}

gwf_atm_direction gwf_atm_nc_direction(const gwf_nc *file, const gwf_nc_variable *v)
{
    const role r = role_of_values(file, v);
    return r == LAT ? GWF_ATM_LAT : r == LON ? GWF_ATM_LON : GWF_ATM_NEITHER;
}

static role role_of(const gwf_nc *file, const gwf_nc_variable *v, int dim)
{
    gwf_nc_variable c;
    char units[64];
    if (is_axis(file, "valid_time", v->dims[dim], &c)) return TIME;
    if (!gwf_atm_nc_coordinate(file, v, dim, &c)) return role_by_name(v->dims[dim]);
    role found = role_of_values(file, &c);
    if (found == OTHER) found = role_by_name(v->dims[dim]);
    gwf_nc_text(file, &c, "units", units, sizeof units);
    const bool one_height =
        found == LEVEL && v->shape[dim] == 1 && one_of(" m meter metre ", units);
    return one_height ? OTHER : found; /* near the ground, not a level */
}

static int *place_of(gwf_atm_layout *layout, role r)
{
    return r == TIME    ? &layout->time
           : r == LEVEL ? &layout->level
           : r == LAT   ? &layout->lat
           : r == LON   ? &layout->lon
                        : NULL;
}

/* The first one counts. */
static void problem(gwf_atm_layout *layout, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void problem(gwf_atm_layout *layout, const char *format, ...)
{
    if (layout->problem[0]) return;
    va_list args;
    va_start(args, format);
    vsnprintf(layout->problem, sizeof layout->problem, format, args);
    va_end(args);
}

/* Two dimensions of one kind: the one of length 1 does not matter. */
static void put(const gwf_nc_variable *v, int dim, role r, gwf_atm_layout *layout)
{
    int *place = place_of(layout, r);
    if (place && *place >= 0 && v->shape[*place] == 1) *place = -1;
    if (place && *place < 0)
        *place = dim;
    else if (r == ROTATED)
        problem(layout,
                "dimension %.64s is of a rotated or projected grid, expected latitude and "
                "longitude (cdo remapbil makes such a file)",
                v->dims[dim]);
    else if (v->shape[dim] != 1)
        problem(layout,
                "dimension %.64s has length %zu, expected time, levels, latitude, "
                "longitude and others of length 1",
                v->dims[dim], v->shape[dim]);
}

/* A dimension of the cells, whatever it is called. Axes are noted, for the centres. */
static void put_across(const gwf_nc_variable *v, int dim, role r, gwf_atm_layout *layout)
{
    int *place = place_of(layout, r);
    if (place && *place < 0) *place = dim;
    if (v->shape[dim] > 1 && ++layout->across > 3)
        problem(layout, "more than three dimensions besides time and levels");
}

void gwf_atm_nc_layout(const gwf_nc *file, const gwf_nc_variable *v, bool cells,
                       gwf_atm_layout *layout)
{
    *layout = (gwf_atm_layout){.time = -1, .level = -1, .lat = -1, .lon = -1};
    for (int i = 0; i < v->rank; i++) {
        const role r = role_of(file, v, i);
        if (cells && r != TIME && r != LEVEL)
            put_across(v, i, r, layout);
        else
            put(v, i, r, layout);
        if (v->shape[i] == 0) problem(layout, "dimension %.64s has length 0", v->dims[i]);
    }
    if (cells && layout->across == 0)
        problem(layout, "no dimension of more than 1 besides time and levels");
    if (!cells && (layout->lat < 0 || layout->lon < 0))
        problem(layout, "no latitude and longitude among its dimensions (other grids are read with "
                        "remapping weights)");
    gwf_nc_variable c;
    char units[64];
    if (layout->level < 0 || !gwf_atm_nc_coordinate(file, v, layout->level, &c)) return;
    gwf_nc_text(file, &c, "units", units, sizeof units);
    layout->pressure = gwf_atm_pressure_unit(units) > 0;
}

/* --- time ----------------------------------------------------------------------------------- */

static bool counts_since(const gwf_nc *file, const gwf_nc_variable *v)
{
    char units[128];
    gwf_nc_text(file, v, "units", units, sizeof units);
    return strcasestr(units, " since ") && gwf_nc_is_number(gwf_nc_type_of(file, v));
}

static bool is_single(const gwf_nc_variable *v)
{
    return v->rank == 0 || (v->rank == 1 && v->shape[0] == 1);
}

/* A variable without a time dimension may name its one time. */
static bool scalar_time(const gwf_nc *file, const gwf_nc_variable *v, gwf_nc_variable *t)
{
    char names[1024], name[GWF_NC_NAME];
    gwf_nc_text(file, v, "coordinates", names, sizeof names);
    if (gwf_nc_variable_find(file, "valid_time", t) && t->rank == 0 && counts_since(file, t))
        return true;
    for (const char *at = names; gwf_atm_next_name(&at, name, sizeof name);)
        if (gwf_nc_variable_find(file, name, t) && is_single(t) && counts_since(file, t))
            return true;
    return gwf_nc_variable_find(file, "time", t) && t->rank == 0 && counts_since(file, t);
}

/* valid_time goes before time, which is that of the analysis in files from GRIB. */
static bool find_time(const gwf_nc *file, const gwf_nc_variable *v, int dim, gwf_nc_variable *t)
{
    if (dim < 0) return scalar_time(file, v, t);
    return is_axis(file, "valid_time", v->dims[dim], t) || gwf_atm_nc_coordinate(file, v, dim, t);
}

static gwf_status read_scale(const gwf_nc *file, const gwf_nc_variable *t, gwf_atm_times *times,
                             gwf_error *err)
{
    char calendar[64];
    gwf_calendar known;
    gwf_nc_text(file, t, "units", times->units, sizeof times->units);
    gwf_nc_text(file, t, "calendar", calendar, sizeof calendar);
    if (!gwf_calendar_from_name(calendar, &known))
        return gwf_fail(err, GWF_ERR_FORMAT, "%s: variable %s: calendar '%s' is not one of CF's",
                        file->path, t->name, calendar);
    const gwf_status status = gwf_time_units_parse(times->units, known, &times->scale, err);
    if (status != GWF_OK) gwf_error_prefix(err, "%s: variable %s", file->path, t->name);
    return status;
}

static gwf_status to_seconds(const gwf_nc *file, const gwf_nc_variable *t, const double *values,
                             gwf_atm_times *times, gwf_error *err)
{
    int64_t *s = malloc(times->n * sizeof *s);
    times->seconds = s;
    if (!s)
        return gwf_fail(err, GWF_ERR_MEMORY, "%s: variable %s: out of memory", file->path, t->name);
    for (size_t i = 0; i < times->n; i++) {
        if (!gwf_time_seconds(&times->scale, values[i], &s[i]))
            return gwf_fail(err, GWF_ERR_DATA, "%s: variable %s: time %zu is %g, beyond all years",
                            file->path, t->name, i, values[i]);
        if (i > 0 && s[i] <= s[i - 1])
            return gwf_fail(err, GWF_ERR_DATA,
                            "%s: variable %s: times must increase, time %zu is %.10g after %.10g",
                            file->path, t->name, i, values[i], values[i - 1]);
    }
    return GWF_OK;
}

gwf_status gwf_atm_nc_times(const gwf_nc *file, const gwf_nc_variable *v,
                            const gwf_atm_layout *layout, gwf_atm_times *times, gwf_error *err)
{
    gwf_nc_variable t;
    double *values = NULL;
    *times = (gwf_atm_times){.n = layout->time < 0 ? 1 : v->shape[layout->time]};
    if (times->n > GWF_ATM_STEPS)
        return gwf_fail(err, GWF_ERR_FORMAT, "%s: variable %s: %zu steps, expected at most %d",
                        file->path, v->name, times->n, GWF_ATM_STEPS);
    if (!find_time(file, v, layout->time, &t)) {
        if (times->n == 1) return GWF_OK;
        return gwf_fail(err, GWF_ERR_FORMAT, "%s: variable %s: its dimension %s has no values",
                        file->path, v->name, v->dims[layout->time]);
    }
    GWF_TRY(read_scale(file, &t, times, err));
    gwf_status status = gwf_atm_nc_axis(file, &t, times->n, &values, err);
    if (status == GWF_OK) status = to_seconds(file, &t, values, times, err);
    free(values);
    if (status == GWF_OK) return GWF_OK;
    free(times->seconds);
    times->seconds = NULL;
    return status;
}

/* --- grid ----------------------------------------------------------------------------------- */

static gwf_status read_degrees(const gwf_nc *file, const gwf_nc_variable *v, int dim,
                               gwf_nc_variable *c, double **values, gwf_error *err)
{
    char units[64];
    if (v->shape[dim] > GWF_ATM_AXIS + 1)
        return gwf_fail(err, GWF_ERR_FORMAT,
                        "%s: variable %s: dimension %s has length %zu, expected at most %d",
                        file->path, v->name, v->dims[dim], v->shape[dim], GWF_ATM_AXIS);
    if (!gwf_atm_nc_coordinate(file, v, dim, c))
        return gwf_fail(err, GWF_ERR_FORMAT, "%s: variable %s: its dimension %s has no values",
                        file->path, v->name, v->dims[dim]);
    gwf_nc_text(file, c, "units", units, sizeof units);
    if (units[0] && strncasecmp(units, "deg", 3) != 0)
        return gwf_fail(err, GWF_ERR_FORMAT, "%s: variable %s: units '%s', expected degrees",
                        file->path, c->name, units);
    return gwf_atm_nc_axis(file, c, v->shape[dim], values, err);
}

/* NULL when there are none of the right shape. */
static double *read_bounds(const gwf_nc *file, const gwf_nc_variable *c)
{
    char name[GWF_NC_NAME];
    gwf_nc_variable b;
    double *values = NULL;
    if (!gwf_nc_text(file, c, "bounds", name, sizeof name) || !gwf_nc_variable_find(file, name, &b))
        return NULL;
    if (b.rank != 2 || b.shape[0] != c->shape[0] || b.shape[1] != 2) return NULL;
    gwf_atm_nc_axis(file, &b, 2 * c->shape[0], &values, NULL);
    return values;
}

gwf_status gwf_atm_nc_grid(const gwf_nc *file, const gwf_nc_variable *v,
                           const gwf_atm_layout *layout, const gwf_log *log, gwf_atm_grid *grid,
                           gwf_atm_order *order, gwf_error *err)
{
    gwf_nc_variable c[2];
    double *lat = NULL, *lon = NULL, *bounds[2] = {NULL, NULL};
    bool bad = false;
    char where[GWF_ERROR_TEXT / 2];
    snprintf(where, sizeof where, "%s: variable %.64s", file->path, v->name);
    gwf_status status = read_degrees(file, v, layout->lat, &c[0], &lat, err);
    if (status == GWF_OK) status = read_degrees(file, v, layout->lon, &c[1], &lon, err);
    if (status == GWF_OK) {
        for (int i = 0; i < 2; i++) bounds[i] = read_bounds(file, &c[i]);
        const gwf_atm_axes axes = {
            v->shape[layout->lat], v->shape[layout->lon], lat, lon, bounds[0], bounds[1]};
        status = gwf_atm_grid_make(&axes, where, grid, order, &bad, err);
        if (bad) gwf_log_line(log, "%s: bounds of its grid do not enclose their points", where);
    }
    free(lat);
    free(lon);
    free(bounds[0]);
    free(bounds[1]);
    return status;
}
