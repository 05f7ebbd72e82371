/* WINDSET-style feature files, as gwflux prepare makes them and windset.h reads them:
 * features(time, idim, lat, lon), normalised float32; lat and lon in degrees; the names of the
 * channels in channel(idim, name_length); where asked for, ps(time, lat, lon) in Pa.
 *
 * A file of steps (step_file.h): commit, finish, abandon and writes are gwf_step_file's. */
#ifndef GWF_IO_PREPARED_FILE_H
#define GWF_IO_PREPARED_FILE_H

#include "io/step_file.h"

/* The same on all ranks. All borrowed during create() and resume(), comm until the file is gone. */
typedef struct gwf_prepared_layout {
    size_t steps;
    size_t idim, nlat, nlon;
    const double *lat, *lon;          /* degrees, increasing */
    const char *const *channel_names; /* idim: "lat", "u 16", "theta 137" */
    const char *recipe;               /* for the global attribute gwflux_recipe */
    const char *long_name;            /* of features: the recipe's constants, gwf_recipe_words() */
    bool surface_pressure;            /* also ps */
    size_t host_levels;               /* of fields beside features, dimension host_level; 0: none */
    const gwf_step_field *beside; /* further fields, behind features in gwf_step_file_write(); not
                                   * together with surface_pressure */
    int n_beside;
    const gwf_windset *time_of; /* time: as in gwf_step_layout */
    const char *time_units, *time_calendar;
    const double *times;
    const gwf_attribute *globals; /* title, history, source, gwflux_version, gwflux_job, ... */
    int n_globals;
    bool overwrite;
    const gwf_comm *comm;
    gwf_step_writer writer;
} gwf_prepared_layout;

/* As gwf_step_file_create(). */
gwf_status gwf_prepared_file_create(const char *path, const gwf_prepared_layout *layout,
                                    gwf_step_file **file, gwf_error *err);

/* As gwf_step_file_resume(). Compared are the dimensions, coordinates, channel names, whether there
 * is ps, units and calendar of time, the global attributes gwflux_recipe, gwflux_version and
 * gwflux_job, and the times of finished steps. */
gwf_status gwf_prepared_file_resume(const char *path, const gwf_prepared_layout *layout,
                                    unsigned char *done, bool *complete, gwf_step_file **file,
                                    gwf_error *err);

/* Local. features (idim, nlat, nlon); surface_pressure (nlat, nlon), Pa, NULL where the layout has
 * none. Errors: those of gwf_step_file_write(). */
gwf_status gwf_prepared_file_write(gwf_step_file *file, size_t step, double time,
                                   const float *features, const float *surface_pressure,
                                   gwf_error *err);

#endif
