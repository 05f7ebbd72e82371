/* What the values of a network are like on a sample: the ground for scales in 8 bits.
 *
 * An observer is shown every map of a sample while a plan computes it: the features, and by the
 * plan's tap each layer's result. Of what the input and each convolution make it keeps the
 * distribution of |value| channel by channel, of what each convolution reads the means. */
#ifndef GWF_ENGINE_CALIBRATION_H
#define GWF_ENGINE_CALIBRATION_H

#include "engine/plan.h"
#include "engine/quantised.h"

typedef struct gwf_calibration gwf_calibration;

/* For a network without borders of tiles, which is borrowed. */
gwf_status gwf_calibration_create(const gwf_network *network, gwf_calibration **c, gwf_error *err);
void gwf_calibration_free(gwf_calibration **c);

/* Before each run of the plan: its input (inputs, points). */
void gwf_calibration_begin(gwf_calibration *c, const float *features, size_t points);
/* The plan's tap (engine/plan.h); user is the observer. */
void gwf_calibration_tap(void *user, const char *name, int channels, int rows, int cols,
                         const float *values);

/* Scales and means into the list of this network's convolutions. The largest integer stands for
 * sqrt(v v_all), which halves in powers of two what channels differ by (the other half is left to
 * the weights): v is what `share` of a channel's |values| do not exceed (1: their maximum), v_all
 * the largest v of the channels that were made together. A channel's v counts at least as 1/256 of
 * v_all. */
void gwf_calibration_scales(const gwf_calibration *c, double share, gwf_quantised *q);

#endif
