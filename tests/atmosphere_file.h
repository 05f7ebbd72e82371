/* Small files of reanalysis for the tests of the reader: any order of dimensions, any names. The
 * values follow from the coordinates, so that a test knows them wherever they end up. */
#ifndef GWF_TESTS_ATMOSPHERE_FILE_H
#define GWF_TESTS_ATMOSPHERE_FILE_H

#include <math.h>
#include <netcdf.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* hour: of the time axis as seconds / 3600; pascal: pressure for a surface pressure of 1000 hPa, 0
 * without levels. */
static inline double air_value(double hour, double pascal, double lat, double lon)
{
    const double turned = lon - 360 * floor(lon / 360);
    return fmod(hour, 1000) + 1e-3 * pascal + 3 * lat + 0.37 * turned;
}

/* One axis: NULL values: a dimension without a variable; "" units: none. */
typedef struct air_axis {
    const char *name, *units;
    size_t n;
    const double *values; /* as written          */
    const double *meant;  /* hours or pascals; NULL: as written */
    nc_type type;         /* 0: double           */
    const char *standard_name;
} air_axis;

typedef struct air_variable {
    const char *name, *standard_name, *units;
    const char *order;    /* letters t z y x; 1: an axis of length 1 called `number` */
    nc_type type;         /* 0: float */
    double scale, offset; /* packed when scale is not 0 */
    const char *coordinates;
    double shift; /* added to the values */
} air_variable;

/* AIR("u", "eastward_wind", "m s-1", "tzyx", .shift = 1) */
#define AIR(name_, standard_name_, units_, ...)                                                    \
    (air_variable)                                                                                 \
    {                                                                                              \
        .name = name_, .standard_name = standard_name_, .units = units_, .order = __VA_ARGS__      \
    }

typedef struct air_file {
    air_axis t, z, y, x;
    const char *calendar;
    int format; /* 0: NetCDF-4 */
} air_file;

static inline void air_must(int rc)
{
    if (rc == NC_NOERR) return;
    fprintf(stderr, "test file: %s\n", nc_strerror(rc));
    abort();
}

static inline void air_text(int file, int variable, const char *name, const char *text)
{
    if (text) air_must(nc_put_att_text(file, variable, name, strlen(text), text));
}

static inline const air_axis *air_axis_of(const air_file *f, char letter)
{
    return letter == 't' ? &f->t : letter == 'z' ? &f->z : letter == 'y' ? &f->y : &f->x;
}

static inline void air_put_axis(int file, const air_axis *axis, const char *calendar)
{
    int dim, id;
    if (axis->n == 0) return;
    air_must(nc_def_dim(file, axis->name, axis->n, &dim));
    if (!axis->values) return;
    air_must(nc_def_var(file, axis->name, axis->type ? axis->type : NC_DOUBLE, 1, &dim, &id));
    if (axis->units[0]) air_text(file, id, "units", axis->units);
    air_text(file, id, "standard_name", axis->standard_name);
    air_text(file, id, "calendar", calendar);
    air_must(nc_put_var_double(file, id, axis->values));
}

/* A file with its axes; air_add() then puts variables into it, nc_close() ends it. */
static inline int air_create(const char *path, const air_file *f)
{
    int file, dim;
    air_must(nc_create(path, (f->format ? f->format : NC_NETCDF4) | NC_CLOBBER, &file));
    if (f->format == NC_64BIT_OFFSET) abort(); /* definitions come between values here */
    air_put_axis(file, &f->t, f->calendar);
    air_put_axis(file, &f->z, NULL);
    air_put_axis(file, &f->y, NULL);
    air_put_axis(file, &f->x, NULL);
    air_must(nc_def_dim(file, "number", 1, &dim));
    return file;
}

static inline double air_meant(const air_axis *axis, size_t i)
{
    return axis->n == 0 ? 0 : axis->meant ? axis->meant[i] : axis->values[i];
}

static inline int air_define(int file, const air_file *f, const air_variable *v)
{
    int dims[8], id, rank = (int)strlen(v->order);
    for (int i = 0; i < rank; i++)
        air_must(nc_inq_dimid(
            file, v->order[i] == '1' ? "number" : air_axis_of(f, v->order[i])->name, &dims[i]));
    air_must(nc_def_var(file, v->name, v->type ? v->type : NC_FLOAT, rank, dims, &id));
    air_text(file, id, "standard_name", v->standard_name);
    air_text(file, id, "units", v->units);
    air_text(file, id, "coordinates", v->coordinates);
    if (v->scale != 0) {
        air_must(nc_put_att_double(file, id, "scale_factor", NC_DOUBLE, 1, &v->scale));
        air_must(nc_put_att_double(file, id, "add_offset", NC_DOUBLE, 1, &v->offset));
    }
    return id;
}

/* hour0: what a file without a time dimension stands for. */
static inline int air_add_at(int file, const air_file *f, const air_variable *v, double hour0)
{
    const int id = air_define(file, f, v), rank = (int)strlen(v->order);
    size_t index[8] = {0}, shape[8], n = 1;
    for (int i = 0; i < rank; i++) {
        shape[i] = v->order[i] == '1' ? 1 : air_axis_of(f, v->order[i])->n;
        n *= shape[i];
    }
    double *values = malloc(n * sizeof *values);
    for (size_t at = 0; at < n; at++) {
        double hour = hour0, pascal = 0, lat = 0, lon = 0;
        for (int i = 0; i < rank; i++) {
            if (v->order[i] == 't') hour = air_meant(&f->t, index[i]);
            if (v->order[i] == 'z') pascal = air_meant(&f->z, index[i]);
            if (v->order[i] == 'y') lat = f->y.values[index[i]];
            if (v->order[i] == 'x') lon = f->x.values[index[i]];
        }
        values[at] = air_value(hour, pascal, isfinite(lat) ? lat : 0, lon) + v->shift;
        if (v->scale != 0) values[at] = round((values[at] - v->offset) / v->scale);
        for (int i = rank - 1; i >= 0 && ++index[i] == shape[i]; i--) index[i] = 0;
    }
    air_must(nc_put_var_double(file, id, values));
    free(values);
    return id;
}

static inline int air_add(int file, const air_file *f, const air_variable *v)
{
    return air_add_at(file, f, v, 0);
}

/* One variable in one file. */
static inline void air_make(const char *path, const air_file *f, const air_variable *v)
{
    const int file = air_create(path, f);
    air_add(file, f, v);
    air_must(nc_close(file));
}

/* A vector beside the field, as hyam is. */
static inline void air_vector(int file, const char *name, const char *dim, size_t n,
                              const double *values, const char *units)
{
    int id, d;
    if (nc_inq_dimid(file, dim, &d) != NC_NOERR) air_must(nc_def_dim(file, dim, n, &d));
    air_must(nc_def_var(file, name, NC_DOUBLE, 1, &d, &id));
    air_text(file, id, "units", units);
    air_must(nc_put_var_double(file, id, values));
}

#endif
