/* Small WINDSET-style inputs for the tests of a series and of the stream. */
#ifndef GWF_TESTS_FEATURE_FILE_H
#define GWF_TESTS_FEATURE_FILE_H

#include <math.h>
#include <netcdf.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* What is 0 or NULL is as usual. */
typedef struct feature_file {
    size_t steps, first; /* `first` in front of it: values and times go on from there */
    size_t idim, odim;   /* odim 0: no output */
    size_t nlat, nlon;
    bool no_coordinates;
    double lon_shift; /* degrees */
    const char *long_name, *recipe;
    float bad; /* the value at bad_at = step of the file, channel, row, column; 0: none */
    size_t bad_at[4];
} feature_file;

static inline float feature_at(size_t step, size_t channel, size_t point)
{
    return (float)sin(1.3 * (double)step + 0.37 * (double)channel + 0.11 * (double)point);
}

static inline double feature_time(size_t step)
{
    return 100 + (double)step;
}

static inline double feature_lat(size_t nlat, size_t i)
{
    return 180 * ((double)i + 0.5) / (double)nlat - 90;
}

static inline double feature_lon(size_t nlon, size_t i)
{
    return 360 * (double)i / (double)nlon;
}

static inline void feature_axis(int file, const char *name, int dim, int *id)
{
    if (nc_def_var(file, name, NC_DOUBLE, 1, &dim, id) != NC_NOERR) abort();
}

static inline void feature_put(int file, int id, size_t i, double value)
{
    if (nc_put_var1_double(file, id, &i, &value) != NC_NOERR) abort();
}

/* Define everything; ids of time, lat, lon, features. */
static inline void feature_define(int file, const feature_file *f, int ids[4])
{
    int dims[4], output_dims[4], output = 0;
    const size_t lengths[4] = {f->steps, f->idim, f->nlat, f->nlon};
    static const char *const names[4] = {"time", "idim", "lat", "lon"};
    for (int i = 0; i < 4; i++)
        if (nc_def_dim(file, names[i], lengths[i], &dims[i]) != NC_NOERR) abort();
    feature_axis(file, "time", dims[0], &ids[0]);
    if (!f->no_coordinates) feature_axis(file, "lat", dims[2], &ids[1]);
    if (!f->no_coordinates) feature_axis(file, "lon", dims[3], &ids[2]);
    if (nc_def_var(file, "features", NC_FLOAT, 4, dims, &ids[3]) != NC_NOERR) abort();
    memcpy(output_dims, dims, sizeof dims);
    if (f->odim && (nc_def_dim(file, "odim", f->odim, &output_dims[1]) != NC_NOERR ||
                    nc_def_var(file, "output", NC_FLOAT, 4, output_dims, &output) != NC_NOERR))
        abort();
    if (f->long_name)
        nc_put_att_text(file, ids[3], "long_name", strlen(f->long_name), f->long_name);
    if (f->recipe) nc_put_att_text(file, NC_GLOBAL, "gwflux_recipe", strlen(f->recipe), f->recipe);
}

static inline void feature_put_step(int file, int id, const feature_file *f, size_t step)
{
    const size_t map = f->nlat * f->nlon, *at = f->bad_at;
    const size_t start[4] = {step}, count[4] = {1, f->idim, f->nlat, f->nlon};
    float *values = malloc(f->idim * map * sizeof *values);
    for (size_t c = 0; c < f->idim; c++)
        for (size_t i = 0; i < map; i++) values[c * map + i] = feature_at(f->first + step, c, i);
    if (f->bad != 0 && at[0] == step) values[at[1] * map + at[2] * f->nlon + at[3]] = f->bad;
    if (nc_put_vara_float(file, id, start, count, values) != NC_NOERR) abort();
    free(values);
}

static inline void feature_file_make(const char *path, const feature_file *f)
{
    int file = 0, ids[4] = {0};
    if (nc_create(path, NC_NETCDF4 | NC_CLOBBER, &file) != NC_NOERR) abort();
    feature_define(file, f, ids);
    nc_enddef(file);
    for (size_t i = 0; !f->no_coordinates && i < f->nlat; i++)
        feature_put(file, ids[1], i, feature_lat(f->nlat, i) / 90);
    for (size_t i = 0; !f->no_coordinates && i < f->nlon; i++)
        feature_put(file, ids[2], i, (feature_lon(f->nlon, i) + f->lon_shift) / 360);
    for (size_t step = 0; step < f->steps; step++) {
        feature_put(file, ids[0], step, feature_time(f->first + step));
        feature_put_step(file, ids[3], f, step);
    }
    if (nc_close(file) != NC_NOERR) abort();
}

#endif
