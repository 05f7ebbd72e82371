/* The output: CF-1.10 NetCDF-4 with uw and vw (time, lev, lat, lon), and what else is asked for.
 *
 * A file of steps (step_file.h: how it is made, what is finished, many ranks, going on); here is
 * what it holds. */
#ifndef GWF_IO_FLUX_FILE_H
#define GWF_IO_FLUX_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"
#include "io/step_file.h"
#include "io/windset.h"
#include "parallel/comm.h"

typedef gwf_step_writer gwf_flux_writer;

/* The same on all ranks. All borrowed during create() and resume(), comm until the file is gone. */
typedef struct gwf_flux_layout {
    size_t steps; /* that will be written: the disk is asked for room for all of them first */
    size_t nlev, nlat, nlon;
    const double *lat, *lon;       /* degrees */
    const int *level_number;       /* nlev: ECMWF level numbers */
    const double *a, *b;           /* nlev: hybrid coefficients, Pa and 1 */
    const double *pressure_levels; /* n_pressure_levels, Pa, growing: the fields stand on plev, not
                                      on lev; nlev, level_number, a and b are then not looked at,
                                      and GWF_STEP_MISSING stands for a missing value */
    size_t n_pressure_levels;
    const char *flux_kind;      /* rho_uw (Pa) or u_omega (Pa m s-2) */
    const gwf_windset *time_of; /* rank 0's: its time variable's type and attributes are copied */
    const char *time_units;     /* in place of its units; NULL: those it has */
    const char *time_calendar;  /* time_of NULL: a double in time_units of this CF calendar */
    const double *times;        /* steps: what resume() expects to find; NULL: anything */
    int prediction_channels;    /* > 0: also prediction(time, odim, lat, lon), normalised */
    bool tendencies;            /* also utend, vtend, as uw and vw are */
    bool surface_pressure;      /* also ps(time, lat, lon) */
    const char *const *channel_names; /* n_channels > 0: also outside_training_range(time, channel)
                                         and these names of the input's channels: "theta 137" */
    size_t n_channels;
    const gwf_attribute *globals; /* gwflux_job: inputs and steps in words, for resume() */
    int n_globals;
    bool overwrite;
    const gwf_comm *comm; /* NULL: this process alone */
    gwf_flux_writer writer;
} gwf_flux_layout;

/* One step. NULL for what the layout does not have. */
typedef struct gwf_flux_step {
    double time;
    const float *uw, *vw;          /* (levels, nlat, nlon) */
    const float *prediction;       /* (prediction_channels, nlat, nlon) */
    const float *utend, *vtend;    /* (levels, nlat, nlon), m s-2 */
    const float *surface_pressure; /* (nlat, nlon), Pa */
    const float *outside; /* (n_channels): fraction of the channel's values, |normalised| > 4 */
} gwf_flux_step;

typedef struct gwf_flux_file gwf_flux_file;

/* As gwf_step_file_create(). ARGUMENT: a flux_kind that is not known, pressures that do not grow,
 * and what else is missing or contradicts itself. */
gwf_status gwf_flux_file_create(const char *path, const gwf_flux_layout *layout,
                                gwf_flux_file **file, gwf_error *err);

/* As gwf_step_file_resume(). Compared are the dimensions and coordinates, flux kind, units and
 * calendar of time, the global attributes gwflux_model_sha256, gwflux_recipe, gwflux_flux_kind,
 * gwflux_backend, gwflux_precision, gwflux_version, gwflux_job, and the times of finished steps. */
gwf_status gwf_flux_file_resume(const char *path, const gwf_flux_layout *layout,
                                unsigned char *done, bool *complete, gwf_flux_file **file,
                                gwf_error *err);

/* The rest as gwf_step_file_*(): writes, write, commit are local, finish and abandon collective.
 * ARGUMENT from write() also when the step lacks what the layout has. */
bool gwf_flux_file_writes(const gwf_flux_file *file);
gwf_status gwf_flux_file_write(gwf_flux_file *file, size_t step, const gwf_flux_step *s,
                               gwf_error *err);
gwf_status gwf_flux_file_commit(gwf_flux_file *file, gwf_error *err);
gwf_status gwf_flux_file_finish(gwf_flux_file **file, gwf_error *err);
size_t gwf_flux_file_abandon(gwf_flux_file **file);

#endif
