/* One convolution of the CPU backend: a oneDNN primitive with its weights packed for it. */
#ifndef GWF_BACKEND_ONEDNN_CONV_H
#define GWF_BACKEND_ONEDNN_CONV_H

#include "backend/onednn_library.h"
#include "backend/value.h"

/* A convolution of a batch of maps in channels, rows and cols. It multiplies values of the type
 * that it reads, and adds in float32, integers exactly. Weights are (out, in, kernel, kernel),
 * borrowed; NULL: all zero, to see how long it takes. */
typedef struct gwf_conv_shape {
    int batch, in[3], out[3], kernel;
    gwf_value reads, writes;
    bool channels_last; /* layout of the maps: nhwc; else blocked */
    int pad_before[2], pad_after[2];
    gwf_activation activation;
    const float *weights, *bias;
    /* Where it reads integers: the weights, and what a sum (with its bias) is multiplied with. An
     * activation that is not linear on each side of 0 needs the sum's true value. */
    const int8_t *int8_weights;
    const float *factor; /* (out) */
} gwf_conv_shape;

/* How the library does it. */
typedef enum gwf_conv_way {
    GWF_CONV_DIRECT,
    GWF_CONV_CHANNELS_LAST, /* direct in layout nhwc */
    GWF_CONV_WINOGRAD_2X3, /* F(2x2, 3x3) and F(4x4, 3x3) of Lavin and Gray, 2016: 4/9 and 1/4 of */
    GWF_CONV_WINOGRAD_4X3, /* the multiplications, at the price of accuracy; fp32 only */
    GWF_CONV_WAYS
} gwf_conv_way;

typedef struct gwf_conv {
    dnnl_primitive_t primitive;
    dnnl_memory_t src, weights, bias, dst, scratch;
    dnnl_exec_arg_t factors;           /* memory NULL: none, or part of the primitive */
    void *packed;                      /* the weights, owned; NULL: they are elsewhere */
    dnnl_primitive_t gather, scatter;  /* from the map to src and from dst to the map; NULL where
                                        * that is the same */
    dnnl_memory_t gathered, scattered; /* the map's side of these */
    size_t src_at, dst_at;             /* src and dst, if they are not the maps, in the scratch */
    size_t scratch_bytes;              /* that it needs */
} gwf_conv;

/* Bias and activation are part of it. UNSUPPORTED: the library does not have this shape that way.
 */
gwf_status gwf_conv_make(const gwf_dnnl *dnnl, const gwf_conv_shape *shape, gwf_conv_way way,
                         gwf_conv *conv, gwf_error *err);
/* Whether it does. */
bool gwf_conv_possible(const gwf_dnnl *dnnl, const gwf_conv_shape *shape, gwf_conv_way way);
/* Its multiplications as a share of those of the convolution's definition. */
double gwf_conv_executed(gwf_conv_way way);
/* src and dst are dense batches of maps; dnnl->scratch has at least scratch_bytes. */
gwf_status gwf_conv_run(const gwf_dnnl *dnnl, gwf_conv *conv, const void *src, void *dst,
                        gwf_error *err);
/* As a backend's weights(). {0} is fine here too. */
gwf_status gwf_conv_weights(gwf_conv *conv, gwf_weights_at *at, void *user, gwf_error *err);
/* {0} is fine. */
void gwf_conv_free(gwf_conv *conv);

/* Zeroed memory on a cache line's border, from 2 MiB on in large pages where the system has them;
 * free() it. NULL: none left. */
void *gwf_aligned(size_t bytes);

#endif
