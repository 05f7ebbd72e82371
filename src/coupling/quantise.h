/* Which convolutions of a model may multiply in 8 bits, and with what scales: found from sample
 * maps.
 *
 * The network is computed in fp32 and watched (engine/calibration.h). Scales are tried from the
 * absolute maximum of every channel and from what 99.99 % of its values do not exceed; those with
 * the smaller drag error stay. Then the convolutions of each map are tried alone, and where all
 * together lose too much, those that lose most for the work they save go back to higher precision,
 * one after the other, until the limit holds.
 *
 * Errors are relative L2 against fp32 on the same backend, over all values of all maps; the drag
 * error is that of the tendencies of coupling/standard_drag.h, the prediction error that of the
 * network's own output. What is measured is the network as the backend runs it in precision int8.
 */
#ifndef GWF_COUPLING_QUANTISE_H
#define GWF_COUPLING_QUANTISE_H

#include "core/log.h"
#include "core/option.h"
#include "model/model.h"

typedef struct gwf_sample {
    const char *name;             /* what the model file is to say of it */
    int maps, nlat, nlon;         /* 1 map or more */
    const float *const *features; /* (maps) of (inputs, nlat, nlon), finite */
} gwf_sample;

/* model->int8, which must be empty, with drag error `limit` at most. options: backend and threads.
 * The log is told how it goes on. Errors: those of opening the backend; DATA where no drag error
 * can be measured, or the limit does not hold with every layer in higher precision. */
gwf_status gwf_quantise(gwf_model *model, const gwf_options *options, const gwf_sample *sample,
                        double limit, const gwf_log *log, gwf_error *err);

#endif
