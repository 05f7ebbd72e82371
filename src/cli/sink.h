/* Where results go: a file of steps, straight or by way of rank 0 of the leaders. */
#ifndef GWF_CLI_SINK_H
#define GWF_CLI_SINK_H

#include "io/flux_file.h"
#include "io/prepared_file.h"

enum { SINK_FIELDS = 7 };

/* The fields of a step, in the order of their travel; NULL what the file does not have.
 * Flux file: uw, vw, prediction, utend, vtend, surface pressure, outside. Feature file: features,
 * surface pressure. */
typedef struct sink_step {
    size_t step;
    double time;
    const float *fields[SINK_FIELDS];
} sink_step;

typedef struct sink {
    gwf_flux_file *flux; /* one of the two */
    gwf_step_file *prepared;
    const gwf_comm *leaders;   /* borrowed */
    bool direct;               /* this rank writes its own results */
    size_t sizes[SINK_FIELDS]; /* values of each field; 0: not there */
    size_t values;             /* of a step */
    float *parcel;             /* a step on its way; owned; NULL where none travels */
    bool failed;               /* what still arrives is dropped */
} sink;

/* How an output is opened. resume: go on with what PATH.part has; done (steps) says which steps
 * that is, *complete that nothing is left to do (the file is not open then). */
typedef struct sink_opening {
    const char *path;
    bool resume;
    unsigned char *done;
    bool *complete;
} sink_opening;

/* Collective over layout->comm, the leaders. Errors: those of gwf_step_file_create and _resume. */
gwf_status sink_open_flux(sink *s, const sink_opening *o, const gwf_flux_layout *layout,
                          gwf_error *err);
gwf_status sink_open_prepared(sink *s, const sink_opening *o, const gwf_prepared_layout *layout,
                              gwf_error *err);

/* Local; returns when the fields may be overwritten. */
gwf_status sink_put(sink *s, const sink_step *step, gwf_error *err);

/* Rank 0: write what other ranks have sent. After a failure, which is returned once, later parcels
 * are taken and dropped so that nobody waits for ever. */
gwf_status sink_serve(sink *s, gwf_error *err);

/* Collective. Everything is written: the file gets its name. Else close: *kept are the steps that
 * stay in PATH.part. */
gwf_status sink_finish(sink *s, gwf_error *err);
void sink_abandon(sink *s, size_t *kept);

#endif
