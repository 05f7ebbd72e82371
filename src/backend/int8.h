/* Maps and convolutions in 8 bits: the roundings that all backends share, so that they work with
 * the same integers.
 *
 * A map in 8 bits holds integers; value = scale[channel] * integer. Where values are never negative
 * (after ReLU) integers go from 0 to 255, else from -127 to 127; zero is 0, so that borders stay
 * exact. Each channel has its scale: in a convolution the scales of the input belong to the
 * weights, those of the output to what the sums are multiplied with, which costs nothing.
 *
 * A convolution of such a map multiplies integers and adds them exactly. For output channel k
 *     out[k] = activation(bias[k] + step[k] * sum over c and taps of weight[k][c][tap] * in[c])
 * with step[k] = largest |w[k][c][tap] * scale[c]| / 127, weight = w * scale[c] / step[k] rounded,
 * and a bias that takes back what this rounding does to a map of mean values, of which it does
 * most: bias[k] = b[k] + sum of (w[k][c][tap] - step[k] * weight[k][c][tap] / scale[c]) * mean[c]
 * An upconv is four such convolutions (gwf_phase_weights), each with its own steps and bias. */
#ifndef GWF_BACKEND_INT8_H
#define GWF_BACKEND_INT8_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

/* How a map is kept in 8 bits. */
typedef struct gwf_int8 {
    bool is_signed;     /* integers -127 to 127, else 0 to 255 */
    const float *scale; /* of each of the map's channels, > 0 */
} gwf_int8;

enum {
    /* Products of the largest sum that surely fits 32 bits: input channels times taps. */
    GWF_INT8_PRODUCTS = INT32_MAX / (255 * 127),
};

/* value / scale as an integer, given 1 / scale; to the nearest, to even between two. NaN is lost:
 * what comes in was checked, and integers hold none. */
static inline float gwf_int8_round(bool is_signed, float value, float inverse)
{
    const float low = is_signed ? -127 : 0, high = is_signed ? 127 : 255;
    const float x = value * inverse, above = x > low ? x : low;
    return rintf(above < high ? above : high);
}

/* Weights in 8 bits with what belongs to them; all owned. */
typedef struct gwf_int8_weights {
    int8_t *weight; /* (out, in, taps) */
    float *step;    /* (out), > 0 */
    float *bias;    /* (out) */
} gwf_int8_weights;

typedef struct gwf_int8_filters {
    int out, in, taps;
    const float *weights, *bias; /* (out, in, taps), (out); borrowed, as are all */
    const float *scale, *mean;   /* (in), of the input; mean NULL: 0 */
} gwf_int8_filters;

/* UNSUPPORTED: more than GWF_INT8_PRODUCTS products; MODEL: a step too large for float32; MEMORY.
 */
gwf_status gwf_int8_weights_make(const gwf_int8_filters *filters, gwf_int8_weights *weights,
                                 gwf_error *err);
/* {0} is fine. */
void gwf_int8_weights_free(gwf_int8_weights *weights);

#endif
