#include "backend/int8.h"

#include <stdlib.h>

/* One output channel. */
static void round_filter(const gwf_int8_filters *f, int k, gwf_int8_weights *to)
{
    const size_t first = (size_t)k * (size_t)f->in * (size_t)f->taps;
    const float *from = f->weights + first, *scale = f->scale;
    double largest = 0, bias = f->bias[k];
    for (int c = 0; c < f->in; c++)
        for (int t = 0; t < f->taps; t++)
            largest = fmax(largest, fabs((double)from[c * f->taps + t] * scale[c]));
    /* A filter of zeros needs some step. */
    const float step = largest > 0 ? fmaxf((float)(largest / 127), 1e-30f) : 1;
    for (int c = 0; c < f->in; c++)
        for (int t = 0; t < f->taps; t++) {
            const double w = from[c * f->taps + t];
            const double whole = fmin(fmax(rint(w * scale[c] / step), -127), 127);
            to->weight[first + (size_t)(c * f->taps + t)] = (int8_t)whole;
            if (f->mean) bias += (w - step * whole / scale[c]) * f->mean[c];
        }
    to->step[k] = step;
    to->bias[k] = (float)bias;
}

gwf_status gwf_int8_weights_make(const gwf_int8_filters *f, gwf_int8_weights *to, gwf_error *err)
{
    const size_t out = (size_t)f->out, filter = (size_t)f->in * (size_t)f->taps;
    *to = (gwf_int8_weights){0};
    if (filter > GWF_INT8_PRODUCTS)
        return gwf_fail(err, GWF_ERR_UNSUPPORTED,
                        "a convolution of %d channels and %d taps is too large for 8 bits", f->in,
                        f->taps);
    *to = (gwf_int8_weights){.weight = malloc(out * filter),
                             .step = malloc(out * sizeof(float)),
                             .bias = malloc(out * sizeof(float))};
    if (!to->weight || !to->step || !to->bias) {
        gwf_int8_weights_free(to);
        return gwf_fail(err, GWF_ERR_MEMORY, "no memory for weights in 8 bits");
    }
    for (int k = 0; k < f->out; k++) {
        round_filter(f, k, to);
        if (isfinite(to->step[k]) && isfinite(to->bias[k])) continue;
        gwf_int8_weights_free(to);
        return gwf_fail(err, GWF_ERR_MODEL, "weights of channel %d are too large for 8 bits", k);
    }
    return GWF_OK;
}

void gwf_int8_weights_free(gwf_int8_weights *weights)
{
    free(weights->weight);
    free(weights->step);
    free(weights->bias);
    *weights = (gwf_int8_weights){0};
}
