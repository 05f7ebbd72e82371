#include "io/flux_reader.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/size.h"
#include "io/nc_internal.h"

/* NetCDF's own fill value is 9.97e36; no flux comes near it. */
static const float largest_flux = 1e30f;

/* --- the variable ---------------------------------------------------------------------------- */

/* The vertical axis: model levels with a nominal pressure in hPa, or pressures in Pa. */
static const struct axis {
    const char *name, *units;
    double hpa;
} axes[] = {{"lev", "hPa", 1}, {"plev", "Pa", 100}};

static const struct axis *axis_of(const gwf_nc_variable *v)
{
    for (size_t i = 0; i < sizeof axes / sizeof *axes; i++)
        if (v->rank > 1 && strcmp(v->dims[1], axes[i].name) == 0) return &axes[i];
    return NULL;
}

static bool is_flux(const gwf_nc_variable *v)
{
    return v->rank == 4 && axis_of(v) && strcmp(v->dims[0], "time") == 0 &&
           strcmp(v->dims[2], "lat") == 0 && strcmp(v->dims[3], "lon") == 0;
}

/* "uw vw": what the user could have asked for. */
static void list_fluxes(const gwf_nc *file, char *text, size_t size)
{
    int count = 0;
    gwf_nc_variable v;
    text[0] = '\0';
    if (gwf_nc_variable_count(file, &count, NULL) != GWF_OK) return;
    for (int i = 0; i < count; i++) {
        const size_t used = strlen(text);
        if (used + 64 < size && gwf_nc_variable_at(file, i, &v, NULL) == GWF_OK && is_flux(&v))
            snprintf(text + used, size - used, "%s%.60s", used ? " " : "", v.name);
    }
}

static gwf_status find_flux(const gwf_nc *file, const char *name, gwf_nc_variable *v,
                            gwf_error *err)
{
    char fluxes[256];
    if (gwf_nc_variable_find(file, name, v) && is_flux(v)) {
        if (v->shape[1] > 0 && v->shape[2] > 1 && v->shape[3] > 1) return GWF_OK;
        return gwf_fail(err, GWF_ERR_FORMAT, "%s: variable %s: %zu levels of %zu x %zu points",
                        file->path, name, v->shape[1], v->shape[2], v->shape[3]);
    }
    list_fluxes(file, fluxes, sizeof fluxes);
    if (!fluxes[0])
        return gwf_fail(err, GWF_ERR_FORMAT,
                        "%s: no variable has the dimensions (time, lev or plev, lat, lon); "
                        "expected an output of gwflux predict",
                        file->path);
    return gwf_fail(err, GWF_ERR_FORMAT,
                    "%s: there is no flux named %s (time, lev or plev, lat, lon); it has %s",
                    file->path, name, fluxes);
}

/* --- coordinates ----------------------------------------------------------------------------- */

static gwf_status read_axis(const gwf_nc *file, const char *name, size_t count, double **values,
                            gwf_error *err)
{
    gwf_nc_variable v;
    if (!gwf_nc_variable_find(file, name, &v) || v.rank != 1)
        return gwf_fail(err, GWF_ERR_FORMAT, "%s: expected a coordinate %s(%s)", file->path, name,
                        name);
    *values = calloc(count, sizeof **values);
    if (!*values) return gwf_fail(err, GWF_ERR_MEMORY, "%s: out of memory", file->path);
    return gwf_nc_get_double(file, &v, count, *values, err);
}

/* Increasing, within -bound..bound, less than one turn. */
static gwf_status check_axis(const gwf_nc *file, const char *name, const double *values,
                             size_t count, double bound, gwf_error *err)
{
    const double first = values[0], last = values[count - 1];
    bool good = first >= -bound && last <= bound && last - first < 360;
    for (size_t i = 1; i < count; i++) good = good && values[i] > values[i - 1];
    if (good) return GWF_OK;
    return gwf_fail(err, GWF_ERR_FORMAT,
                    "%s: variable %s: expected degrees that increase within %g..%g, less than a "
                    "turn; found %g..%g",
                    file->path, name, -bound, bound, first, last);
}

static gwf_status read_grid(const gwf_nc *file, gwf_flux_map *map, gwf_error *err)
{
    GWF_TRY(read_axis(file, "lat", map->nlat, &map->lat, err));
    GWF_TRY(read_axis(file, "lon", map->nlon, &map->lon, err));
    GWF_TRY(check_axis(file, "lat", map->lat, map->nlat, 90, err));
    return check_axis(file, "lon", map->lon, map->nlon, 360, err);
}

static gwf_status nearest_level(const gwf_nc *file, const struct axis *axis, const double *level,
                                size_t count, double hpa, size_t *nearest, gwf_error *err)
{
    double best = INFINITY;
    for (size_t k = 0; k < count; k++) {
        const double distance = fabs(log(level[k] / axis->hpa / hpa));
        if (!isfinite(distance))
            return gwf_fail(err, GWF_ERR_FORMAT,
                            "%s: variable %s: expected pressures in %s, value %zu is %g",
                            file->path, axis->name, axis->units, k, level[k]);
        if (distance >= best) continue;
        best = distance;
        *nearest = k;
    }
    return GWF_OK;
}

/* gwflux has always said the units of its levels; another program's may differ. */
static gwf_status check_units(const gwf_nc *file, const struct axis *axis, gwf_error *err)
{
    gwf_nc_variable v;
    char units[32] = "";
    if (!gwf_nc_variable_find(file, axis->name, &v) ||
        !gwf_nc_text(file, &v, "units", units, sizeof units) || strcmp(units, axis->units) == 0)
        return GWF_OK;
    return gwf_fail(err, GWF_ERR_FORMAT, "%s: variable %s: units %s, expected %s", file->path,
                    axis->name, units, axis->units);
}

static gwf_status find_level(const gwf_nc *file, const gwf_nc_variable *flux, double pressure,
                             size_t *nearest, gwf_flux_map *map, gwf_error *err)
{
    const struct axis *axis = axis_of(flux);
    const size_t count = flux->shape[1];
    double *level = NULL;
    if (!(pressure > 0 && isfinite(pressure)))
        return gwf_fail(err, GWF_ERR_ARGUMENT, "a level of %g hPa: expected more than 0", pressure);
    GWF_TRY(check_units(file, axis, err));
    gwf_status status = read_axis(file, axis->name, count, &level, err);
    if (status == GWF_OK) status = nearest_level(file, axis, level, count, pressure, nearest, err);
    if (status == GWF_OK) map->pressure = level[*nearest] / axis->hpa;
    free(level);
    return status;
}

/* Units say since when ("hours since 2005-01-01"); WINDSET's time has a long_name only. */
static void describe_time(const gwf_nc *file, gwf_flux_map *map)
{
    gwf_nc_variable v;
    char words[96];
    double time = 0;
    snprintf(map->time, sizeof map->time, "step %zu", map->step);
    const size_t used = strlen(map->time), room = sizeof map->time - used;
    if (!gwf_nc_variable_find(file, "time", &v) || v.rank != 1 || v.shape[0] != map->steps ||
        nc_get_var1_double(file->id, v.id, &map->step, &time) != NC_NOERR)
        return;
    if (gwf_nc_text(file, &v, "units", words, sizeof words) && words[0])
        snprintf(map->time + used, room, ", %.10g %s", time, words);
    else if (gwf_nc_text(file, &v, "long_name", words, sizeof words) && words[0])
        snprintf(map->time + used, room, ", %s %.10g", words, time);
    else
        snprintf(map->time + used, room, ", time %.10g", time);
}

/* --- values ---------------------------------------------------------------------------------- */

static gwf_status check_values(const gwf_nc *file, const gwf_flux_map *map, gwf_error *err)
{
    for (size_t i = 0; i < map->nlat * map->nlon; i++)
        if (!(fabsf(map->values[i]) < largest_flux))
            return gwf_fail(err, GWF_ERR_DATA,
                            "%s: variable %s: step %zu, %.4g hPa, lat %.2f, lon %.2f: the value is "
                            "missing or not finite (%g)",
                            file->path, map->variable, map->step, map->pressure,
                            map->lat[i / map->nlon], map->lon[i % map->nlon],
                            (double)map->values[i]);
    return GWF_OK;
}

static gwf_status read_values(const gwf_nc *file, const gwf_nc_variable *v, size_t level,
                              gwf_flux_map *map, gwf_error *err)
{
    const size_t start[] = {map->step, level, 0, 0}, count[] = {1, 1, map->nlat, map->nlon};
    size_t points = 0;
    if (!gwf_nc_is_number(gwf_nc_type_of(file, v)))
        return gwf_fail(err, GWF_ERR_FORMAT, "%s: variable %s: does not hold numbers", file->path,
                        v->name);
    if (gwf_size_mul(map->nlat, map->nlon, &points))
        map->values = calloc(points, sizeof *map->values);
    if (!map->values) return gwf_fail(err, GWF_ERR_MEMORY, "%s: out of memory", file->path);
    const int rc = GWF_NC(nc_get_vara_float(file->id, v->id, start, count, map->values));
    if (rc != NC_NOERR) return gwf_nc_fail(file, v->name, "reading failed", rc, GWF_ERR_IO, err);
    return check_values(file, map, err);
}

static gwf_status read_map(const gwf_nc *file, const gwf_nc_variable *v, double pressure,
                           size_t step, gwf_flux_map *map, gwf_error *err)
{
    size_t level = 0;
    map->step = step;
    map->steps = v->shape[0];
    map->nlat = v->shape[2];
    map->nlon = v->shape[3];
    if (step >= map->steps)
        return gwf_fail(err, GWF_ERR_ARGUMENT,
                        "%s: there is no step %zu; it has %zu step%s, counted from 0", file->path,
                        step, map->steps, map->steps == 1 ? "" : "s");
    snprintf(map->variable, sizeof map->variable, "%.63s", v->name);
    if (!gwf_nc_text(file, v, "units", map->units, sizeof map->units))
        return gwf_fail(err, GWF_ERR_FORMAT, "%s: variable %s: has no units", file->path, v->name);
    GWF_TRY(read_grid(file, map, err));
    GWF_TRY(find_level(file, v, pressure, &level, map, err));
    describe_time(file, map);
    return read_values(file, v, level, map, err);
}

gwf_status gwf_flux_map_read(const char *path, const char *variable, double pressure, size_t step,
                             gwf_flux_map *map, gwf_error *err)
{
    gwf_nc file = {.id = -1};
    gwf_nc_variable v;
    *map = (gwf_flux_map){0};
    GWF_TRY(gwf_nc_open(path, &file, err));
    gwf_status status = find_flux(&file, variable, &v, err);
    if (status == GWF_OK) status = read_map(&file, &v, pressure, step, map, err);
    gwf_nc_close(&file, NULL);
    if (status != GWF_OK) gwf_flux_map_free(map);
    return status;
}

void gwf_flux_map_free(gwf_flux_map *map)
{
    free(map->lat);
    free(map->lon);
    free(map->values);
    *map = (gwf_flux_map){0};
}
