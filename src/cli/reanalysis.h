/* Features made from reanalysis files: read, remapped to the model's grid, interpolated to its
 * levels, normalised. */
#ifndef GWF_CLI_REANALYSIS_H
#define GWF_CLI_REANALYSIS_H

#include "core/log.h"
#include "core/option.h"
#include "io/atmosphere.h"
#include "model/model.h"

/* What the command line says; all borrowed. */
typedef struct reanalysis_choice {
    gwf_option_list inputs;
    gwf_option_list variables; /* "u=NAME" */
    /* File with surface geopotential or altitude, NULL: none. On the model's grid, on latitudes
     * times longitudes, or on the input's cells when there are weights. */
    const char *orography;
    /* ESMF or SCRIP file from the input's cells, in the order of the file and on any grid, to the
     * model's grid; NULL: the input is on latitudes times longitudes. */
    const char *weights;
    bool any_zs; /* a surface geopotential that is not known is 0, not an error */
    int threads; /* for decompressing, remapping, interpolating; at least 1 */
} reanalysis_choice;

typedef struct reanalysis reanalysis;

/* Look the files through and plan the way to the model's features. Errors are those of
 * gwf_atmosphere_open, gwf_remap_create and gwf_prepare_create, and MISMATCH for a field that the
 * model needs and nobody has, for units that do not convert, for levels that do not reach. */
gwf_status reanalysis_open(const reanalysis_choice *choice, const gwf_model *model,
                           const gwf_log *log, reanalysis **r, gwf_error *err);
void reanalysis_close(reanalysis **r);

/* Steps, times and grid of the input. Borrowed. */
const gwf_atmosphere_header *reanalysis_header(const reanalysis *r);

/* One step: features (model->in.count, nlat, nlon) and surface pressure (nlat, nlon), Pa, on the
 * model's grid. Nothing is allocated. DATA: a value that is missing or not finite, named. */
gwf_status reanalysis_read(reanalysis *r, size_t step, float *features, float *surface_pressure,
                           gwf_error *err);

/* Of the step read last: values beyond the trained range, per channel of model->in. Borrowed. */
const long *reanalysis_outside(const reanalysis *r);

/* The file that a step comes from, for messages. */
const char *reanalysis_path(const reanalysis *r, size_t step);

#endif
