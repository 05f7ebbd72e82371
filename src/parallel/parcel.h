/* Results on their way to rank 0, which writes them: a label and values. */
#ifndef GWF_PARALLEL_PARCEL_H
#define GWF_PARALLEL_PARCEL_H

#include <stdint.h>

#include "parallel/comm.h"

typedef struct gwf_label {
    int64_t step;
    double time;
} gwf_label;

/* Other ranks: n values to rank 0. Returns when they may be overwritten; sleeps while it waits. */
gwf_status gwf_parcel_send(const gwf_comm *comm, const gwf_label *label, const float *values,
                           size_t n, gwf_error *err);

/* Rank 0: one parcel of n values if one is there, whoever sent it; *arrived says so. */
gwf_status gwf_parcel_receive(const gwf_comm *comm, gwf_label *label, float *values, size_t n,
                              bool *arrived, gwf_error *err);

#endif
