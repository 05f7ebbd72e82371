/* The input of a prediction: the steps of one or many WINDSET-style files, one after the other. */
#ifndef GWF_CLI_SERIES_H
#define GWF_CLI_SERIES_H

#include "core/log.h"
#include "io/windset.h"
#include "model/model.h"

typedef struct series_file {
    const char *path; /* borrowed */
    size_t idim;      /* its channels */
    size_t first;     /* number of its first step in the series */
    int *index;       /* channels of the file that the model takes, model order; owned */
} series_file;

typedef struct series {
    const gwf_model *model; /* borrowed */
    series_file *files;     /* owned */
    int n_files;
    size_t steps;
    bool pressure;    /* every file has the surface pressure too */
    double last_time; /* of the last step */
    char time[192];   /* how time counts (gwf_windset_header) */
    size_t nlat, nlon;
    double *lat, *lon; /* degrees, owned; the model's when no file has them */
    gwf_windset *open; /* at most one file is open */
    int open_number;   /* which one, -1: none */
    int threads;       /* that may decode its values; 0: as many as there are cores */
} series;

/* Open every file once and check it against the model: family, channels, recipe, grid. Paths are
 * borrowed. Errors name file and variable. */
gwf_status series_create(const char *const *paths, int count, const gwf_model *model,
                         const gwf_log *log, series *s, gwf_error *err);
void series_free(series *s);

/* Times of `count` steps from `first` on. */
gwf_status series_times(series *s, size_t first, size_t count, double *times, gwf_error *err);

/* The file whose step this is, opened (its time variable describes the output's). */
gwf_status series_file_of(series *s, size_t step, gwf_windset **file, gwf_error *err);

/* Surface pressure of a step, (nlat, nlon) in Pa; only when there is one. */
gwf_status series_pressure(series *s, size_t step, float *pressure, gwf_error *err);

/* Are all values (table->count, nlat, nlon) finite? DATA names file, what, variable, time, level,
 * latitude and longitude of the first that is not. */
gwf_status series_check(const series *s, size_t step, const char *what,
                        const gwf_channel_table *table, const float *values, double time,
                        gwf_error *err);

/* A step on its way in: memory of the caller's. */
typedef struct series_step {
    float *features;    /* (model->in.count, nlat, nlon) */
    gwf_planes *planes; /* room for model->in.count: features that are still in the file */
    double time;
} series_step;

/* First half, in the thread of all NetCDF work: its time and, where they do not lie in the file as
 * they are, its features. */
gwf_status series_begin(series *s, size_t step, series_step *to, gwf_error *err);

/* Second half, in any thread: the features from the file, on up to `threads` threads, and a look at
 * every value. outside (model->in.count): how many of each channel are beyond the trained range.
 * DATA names file, time, variable, level, latitude and longitude of the first value that is not
 * finite. */
gwf_status series_end(const series *s, size_t step, series_step *to, int threads, long *outside,
                      gwf_error *err);

#endif
