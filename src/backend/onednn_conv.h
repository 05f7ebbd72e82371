/* One convolution of the CPU backend: a oneDNN primitive with its weights packed for it.
 * onednn.c and onednn_conv.c are the only files that include dnnl.h. */
#ifndef GWF_BACKEND_ONEDNN_CONV_H
#define GWF_BACKEND_ONEDNN_CONV_H

#include <dnnl.h>
#include <stdbool.h>
#include <string.h>

#include "backend/backend.h"

/* What all convolutions of a context share. */
typedef struct gwf_dnnl {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    int block;            /* of the layout nChw16c or nChw8c */
    bool winograd;        /* admitted, where it is the faster one */
    void *scratch;        /* one for all: they run one after the other */
    size_t scratch_bytes; /* the largest that any of them needs */
} gwf_dnnl;

/* A convolution of a batch of maps in channels, rows and cols. Weights are (out, in, kernel,
 * kernel), borrowed. */
typedef struct gwf_conv_shape {
    int batch, in[3], out[3], kernel;
    int pad_before[2], pad_after[2];
    gwf_activation activation;
    const float *weights, *bias;
} gwf_conv_shape;

typedef struct gwf_conv {
    dnnl_primitive_t primitive;
    dnnl_memory_t src, weights, bias, dst, scratch;
    void *packed; /* the weights, owned */
    bool winograd;
} gwf_conv;

/* Bias and activation are part of it. Where Winograd is admitted and the library has it for the
 * shape, both algorithms are timed on maps of zeros and the faster one stays. */
gwf_status gwf_conv_make(gwf_dnnl *dnnl, const gwf_conv_shape *shape, gwf_conv *conv,
                         gwf_error *err);
/* src and dst are dense batches of blocked maps; dnnl->scratch must be there. */
gwf_status gwf_conv_run(gwf_dnnl *dnnl, gwf_conv *conv, const float *src, float *dst,
                        gwf_error *err);
/* {0} is fine. */
void gwf_conv_free(gwf_conv *conv);

/* Zeroed memory on a cache line's border, from 2 MiB on in large pages where the system has them;
 * free() it. NULL: none left. */
void *gwf_aligned(size_t bytes);

/* Why a oneDNN call failed. */
const char *gwf_dnnl_reason(dnnl_status_t status);

/* Go to the label `done` with `status` and err set when a oneDNN call fails. */
#define DNNL_TRY_DONE(call)                                                                        \
    do {                                                                                           \
        const dnnl_status_t dnnl_try_status_ = (call);                                             \
        if (dnnl_try_status_ != dnnl_success) {                                                    \
            status = gwf_fail(                                                                     \
                err, dnnl_try_status_ == dnnl_out_of_memory ? GWF_ERR_MEMORY : GWF_ERR_BACKEND,    \
                "backend cpu: oneDNN %.*s: %s", (int)strcspn(#call, "("), #call,                   \
                gwf_dnnl_reason(dnnl_try_status_));                                                \
            goto done;                                                                             \
        }                                                                                          \
    } while (0)

#endif
