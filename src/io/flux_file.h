/* The output: CF-1.10 NetCDF-4 with uw and vw (time, lev, lat, lon).
 *
 * Steps go to PATH.part, flushed one by one; finish() renames it to PATH. So the final name only
 * ever stands for a complete file, and a run that fails leaves its finished steps readable in
 * PATH.part. */
#ifndef GWF_IO_FLUX_FILE_H
#define GWF_IO_FLUX_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"
#include "io/windset.h"

typedef struct gwf_attribute {
    const char *name, *text;
} gwf_attribute;

/* All borrowed during create(). */
typedef struct gwf_flux_layout {
    size_t steps; /* that will be written: the disk is asked for room for all of them first */
    size_t nlev, nlat, nlon;
    const double *lat, *lon;    /* degrees */
    const int *level_number;    /* nlev: ECMWF level numbers */
    const double *a, *b;        /* nlev: hybrid coefficients, Pa and 1 */
    const char *flux_kind;      /* rho_uw (Pa) or u_omega (Pa m s-2) */
    const gwf_windset *time_of; /* its time variable's type and attributes are copied */
    const char *time_units;     /* in place of its units; NULL: those it has */
    int prediction_channels;    /* > 0: also prediction(time, odim, lat, lon), normalised */
    const gwf_attribute *globals;
    int n_globals;
    bool overwrite;
} gwf_flux_layout;

typedef struct gwf_flux_file gwf_flux_file;

/* Errors: EXISTS (without overwrite; also a PATH.part that is being kept from an earlier run,
 * unless overwrite), IO (cannot be written), DISK (names need and free amount). Nothing is left
 * behind. */
gwf_status gwf_flux_file_create(const char *path, const gwf_flux_layout *layout,
                                gwf_flux_file **file, gwf_error *err);

/* Append a step: uw, vw (nlev, nlat, nlon); prediction (channels, nlat, nlon) or NULL. On failure
 * (DISK, IO) the steps before this one stay readable after close. */
gwf_status gwf_flux_file_write(gwf_flux_file *file, double time, const float *uw, const float *vw,
                               const float *prediction, gwf_error *err);

/* Close, give the file its name, free. */
gwf_status gwf_flux_file_finish(gwf_flux_file **file, gwf_error *err);

/* Close without finishing, free. Returns the number of complete steps kept in PATH.part, which is
 * removed when that is 0. */
size_t gwf_flux_file_abandon(gwf_flux_file **file);

#endif
