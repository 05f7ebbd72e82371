/* A convolution with bias and activation as the emulated cuDNN carries it out. */
#ifndef GWF_TESTS_CUDA_EMU_CONV_H
#define GWF_TESTS_CUDA_EMU_CONV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct emu_tensor {
    int64_t id;
    int type; /* cudnnDataType_t */
    int64_t dims[4], strides[4];
} emu_tensor;

typedef struct emu_conv {
    emu_tensor in, weights, bias, out;
    int64_t before[2], after[2];
    bool active, sigmoid; /* else ReLU with slope below zero */
    double slope;
} emu_conv;

typedef struct emu_run {
    size_t size; /* of this */
    emu_conv conv;
    bool cut;      /* factors of float32 to 11 bits */
    bool wrong;    /* the result is not what was asked for */
    bool unsteady; /* it depends on how often this was called */
    bool forgets;  /* ReLU makes 0 of NaN */
    const void *in, *weights, *bias;
    void *out, *workspace;
    size_t workspace_bytes;
} emu_run;

/* An action for emu_enqueue(). */
void emu_run_conv(void *run);

#ifdef __cplusplus
}
#endif
#endif
