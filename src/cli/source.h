/* Where features come from: WINDSET-style files, which hold them, or reanalysis files, from whose
 * fields they are made. The first file decides. */
#ifndef GWF_CLI_SOURCE_H
#define GWF_CLI_SOURCE_H

#include "cli/reanalysis.h"
#include "cli/series.h"

typedef struct source {
    series windset; /* n_files > 0, or */
    reanalysis *atmosphere;
    const gwf_model *model; /* borrowed */
    size_t steps, nlat, nlon;
    const double *lat, *lon; /* degrees; borrowed from the one of the two */
} source;

/* Errors: those of series_create and reanalysis_open; ARGUMENT for an option that goes with the
 * other kind of files. choice is borrowed as long as the source lives. */
gwf_status source_open(source *s, const reanalysis_choice *choice, const gwf_model *model,
                       const gwf_log *log, gwf_error *err);
/* {0} is fine. */
void source_close(source *s);

/* Do steps come with their surface pressure? */
bool source_has_pressure(const source *s);

/* How values are read, in words. */
const char *source_how(const source *s);

/* Times of `count` steps from `first` on, as they are to be written. */
gwf_status source_times(source *s, size_t first, size_t count, double *times, gwf_error *err);

/* A step on its way in. */
typedef struct source_step {
    size_t step;
    series_step in;  /* features (model->in.count, nlat, nlon), time */
    float *pressure; /* of the surface, (nlat, nlon), Pa; NULL where there is none */
    long *outside;   /* (model->in.count): values beyond the trained range */
} source_step;

/* Its memory. MEMORY; then too it is to be freed. {0} is fine to free. */
gwf_status source_step_create(const source *s, source_step *step, gwf_error *err);
void source_step_free(source_step *step);

/* Read a step: first half, in the thread of all NetCDF work. DATA names file, variable and place of
 * a value that cannot be used. */
gwf_status source_begin(source *s, size_t number, source_step *to, gwf_error *err);

/* Second half, in any thread, on up to `threads` of them: what the first half can leave to others
 * (series_end). DATA likewise. */
gwf_status source_end(const source *s, source_step *to, int threads, gwf_error *err);

/* Are all values (table->count, nlat, nlon) finite? DATA names file, what, variable, time, level,
 * latitude and longitude of the first that is not. */
gwf_status source_check(const source *s, size_t step, const char *what,
                        const gwf_channel_table *table, const float *values, double time,
                        gwf_error *err);

#endif
