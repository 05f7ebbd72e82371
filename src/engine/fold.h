/* Weights as a backend wants them: BatchNorm folded into the convolution, terms joined, channels
 * rounded up with zeros. */
#ifndef GWF_ENGINE_FOLD_H
#define GWF_ENGINE_FOLD_H

#include "engine/network.h"

typedef struct gwf_folded {
    float *weights; /* (out, in, kernel, kernel), rounded up; owned */
    float *bias;    /* (out), rounded up; owned */
} gwf_folded;

/* With s = gamma / sqrt(variance + 1e-5): weights * s and beta + (bias - mean) * s, in double,
 * rounded once a term. Channel counts of every part of a map are rounded up to multiples of block,
 * weights of the channels this adds are zero. MODEL: a result too large for float32; MEMORY. */
gwf_status gwf_fold(const gwf_network *network, const gwf_layer *layer, int block,
                    gwf_folded *folded, gwf_error *err);
void gwf_folded_free(gwf_folded *folded);

/* Channels of a slice with each part rounded up. */
int gwf_rounded_channels(const gwf_network *network, gwf_slice slice, int block);

#endif
