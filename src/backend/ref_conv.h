/* Convolutions of the reference backend, on planes of float32: what conv and upconv mean. */
#ifndef GWF_BACKEND_REF_CONV_H
#define GWF_BACKEND_REF_CONV_H

#include "backend/backend.h"

/* Weights of a convolution: result = activation(bias + step * weighted sum). */
typedef struct gwf_ref_filters {
    float *weights, *step, *bias; /* owned */
    size_t values;                /* of weights */
    bool elsewhere;               /* weights are borrowed */
} gwf_ref_filters;

enum { GWF_REF_PHASES = 4 };

typedef struct gwf_ref_conv {
    gwf_ref_filters filters[GWF_REF_PHASES]; /* an upconv in 8 bits has four, others one */
    double *sums;                            /* of one row */
    float *large; /* upconv: in, each value in a 2x2, and the border it has */
} gwf_ref_conv;

/* For a conv or upconv; {0} and what failed may be freed. */
gwf_status gwf_ref_conv_make(const gwf_op *op, gwf_ref_conv *conv, gwf_error *err);
void gwf_ref_conv_free(gwf_ref_conv *conv);
/* As a backend's weights(). */
void gwf_ref_conv_weights(gwf_ref_conv *conv, gwf_weights_at *at, void *user);
/* From the planes of op->in to those of op->out, as they are kept. */
void gwf_ref_conv_run(const gwf_ref_conv *conv, const gwf_op *op, const float *in, float *out);

/* What a view's channel holds for a value, and what a value it stands for. */
static inline float gwf_ref_kept(const gwf_view *view, int c, float value)
{
    const gwf_int8 *int8 = view->int8;
    return int8 ? gwf_int8_round(int8->is_signed, value, 1 / int8->scale[view->first + c]) : value;
}

static inline float gwf_ref_meant(const gwf_view *view, int c, float held)
{
    return view->int8 ? held * view->int8->scale[view->first + c] : held;
}

#endif
