/* The small kernels of the CUDA backend: everything but convolutions, on parts of NHWC maps.
 *
 * A launch enqueues and returns; what it returns is cudaGetLastError(). All pointers are the
 * device's. kernels.cu holds the kernels, kernels_body.h what one thread does; tests compile the
 * latter for the host. */
#ifndef GWF_BACKEND_CUDA_KERNELS_H
#define GWF_BACKEND_CUDA_KERNELS_H

#include <cuda_runtime_api.h>

#include "backend/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum gwf_cuda_type { GWF_CUDA_BF16, GWF_CUDA_FP16, GWF_CUDA_FP32 } gwf_cuda_type;

/* Channels come in vectors: all counts, pitches and first channels are multiples of this, all
 * addresses of 16 bytes. */
enum { GWF_CUDA_BLOCK = 8 };

/* Channels of maps (batch, rows, cols, pitch), a batch of them one behind the other. */
typedef struct gwf_cuda_map {
    void *at; /* the first channel of the first pixel of the first map */
    gwf_cuda_type type;
    int batch, rows, cols, channels;
    int pitch; /* channels that the maps have: values from pixel to pixel */
} gwf_cuda_map;

/* Where kernels leave word of values that they should not have met: a nonzero int each. */
enum {
    GWF_CUDA_SEEN_INPUT,  /* load: not finite */
    GWF_CUDA_SEEN_OUTPUT, /* store: not finite */
    GWF_CUDA_SEEN_RANGE,  /* load: beyond the range of fp16 */
    GWF_CUDA_SEEN         /* how many */
};

/* values: (batch, channels, rows, cols) float32; the view's further channels become zero. seen:
 * GWF_CUDA_SEEN ints, or NULL. */
cudaError_t gwf_cuda_load(gwf_cuda_map to, const float *values, int channels, int *seen,
                          cudaStream_t stream);
/* The view's first `channels`; scales: one for each of them, on the device, or NULL: values as they
 * are. */
cudaError_t gwf_cuda_store(gwf_cuda_map from, float *values, int channels, const gwf_scale *scales,
                           int *seen, cudaStream_t stream);

/* Largest of each 2x2; NaN wins. */
cudaError_t gwf_cuda_pool(gwf_cuda_map in, gwf_cuda_map out, cudaStream_t stream);
/* out(y, x) = in((y + skip_y) / 2, (x + skip_x) / 2); skip 1: of the border that in has, the outer
 * half is left out. */
cudaError_t gwf_cuda_upsample(gwf_cuda_map in, gwf_cuda_map out, int skip_y, int skip_x,
                              cudaStream_t stream);
/* out = out * gate, in place; one: gate's first channel for all. */
cudaError_t gwf_cuda_gate(gwf_cuda_map gate, gwf_cuda_map out, int one, cudaStream_t stream);
/* out = in with a border: columns wrap around, or are zero as the rows are. */
cudaError_t gwf_cuda_halo(gwf_cuda_map in, gwf_cuda_map out, int halo_y, int halo_x, int zero,
                          cudaStream_t stream);

/* A convolution that has one channel as result: gate's first is activation(weights * in + bias),
 * its further ones are activation(0). weights: (kernel, kernel, in.channels) of in's type.
 * scaled.at not NULL: gate is not written; scaled is multiplied by it,
 * as gwf_cuda_gate() would do, bit for bit. */
typedef struct gwf_cuda_psi {
    gwf_cuda_map in, gate, scaled;
    const void *weights;
    float bias;
    int kernel, pad_y, pad_x;
    gwf_activation activation;
} gwf_cuda_psi;
cudaError_t gwf_cuda_psi_run(gwf_cuda_psi psi, cudaStream_t stream);

/* *seen = 1 when a value is infinite or NaN. */
cudaError_t gwf_cuda_check(gwf_cuda_map map, int *seen, cudaStream_t stream);

/* Rows [row, row + rows) and columns [col, col + cols) of a view to packed memory (rows, cols,
 * channels), or back. map.batch is 1. */
typedef struct gwf_cuda_rect {
    int row, rows, col, cols;
} gwf_cuda_rect;
cudaError_t gwf_cuda_pack(gwf_cuda_map from, gwf_cuda_rect rect, void *packed, cudaStream_t stream);
cudaError_t gwf_cuda_unpack(gwf_cuda_map to, gwf_cuda_rect rect, const void *packed,
                            cudaStream_t stream);

#ifdef __cplusplus
}
#endif
#endif
