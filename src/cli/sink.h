/* Where results go: the flux file, straight or by way of rank 0 of the leaders. */
#ifndef GWF_CLI_SINK_H
#define GWF_CLI_SINK_H

#include "io/flux_file.h"

typedef struct sink {
    gwf_flux_file *file;
    const gwf_comm *leaders; /* borrowed */
    bool direct;             /* this rank writes its own results */
    size_t plane_values;     /* of all levels of one flux: nlev * nlat * nlon */
    size_t values;           /* of a step: both fluxes, and the prediction where it is wanted */
    float *parcel;           /* a step on its way; owned; NULL where none travels */
    bool failed;             /* what still arrives is dropped */
} sink;

/* Collective over layout->comm, the leaders. resume: go on with what PATH.part has; done
 * (layout->steps) says which steps that is, *complete that nothing is left to do (the file is not
 * open then). Errors: those of gwf_flux_file_create and _resume. */
gwf_status sink_open(sink *o, const char *path, const gwf_flux_layout *layout, bool resume,
                     unsigned char *done, bool *complete, gwf_error *err);

/* flux (2 nlev, nlat, nlon), prediction the same or NULL. */
gwf_status sink_put(sink *o, size_t step, double time, const float *flux, const float *prediction,
                    gwf_error *err);

/* Rank 0: write what other ranks have sent; `*written` counts the steps. After a failure, which is
 * returned once, later parcels are taken and dropped so that nobody waits for ever. */
gwf_status sink_serve(sink *o, size_t *written, gwf_error *err);

/* Collective. Everything is written: the file gets its name. Else close: *kept are the steps that
 * stay in PATH.part. */
gwf_status sink_finish(sink *o, gwf_error *err);
void sink_abandon(sink *o, size_t *kept);

#endif
