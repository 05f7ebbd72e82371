/* How a convolution is computed: by the plan that the cache remembers, the one that is fastest on
 * this device, or the one that cuDNN's heuristics put first. */
#ifndef GWF_BACKEND_CUDA_TUNE_H
#define GWF_BACKEND_CUDA_TUNE_H

#include "backend/cuda/graph.h"

/* Measuring a whole network takes no more than this; what is left over, another run measures. */
enum { GWF_CUDA_MOST_SECONDS = 45 };

typedef struct gwf_cuda_tuner {
    gwf_cuda_device *device;
    gwf_backend_config config; /* tune off: the first that heuristics name */
    double spent;              /* seconds, on measuring */
    int measured, left_over;   /* convolutions */
} gwf_cuda_tuner;

/* A convolution's weights on the device; bias in float32, narrow_bias in the type of the maps. */
typedef struct gwf_cuda_weights {
    void *filter, *bias, *narrow_bias;
} gwf_cuda_weights;

typedef struct gwf_cuda_choice {
    cudnnBackendDescriptor_t plan; /* owned */
    size_t workspace;
    bool narrow_bias; /* the plan wants that one */
    bool measured;    /* it was the fastest of some */
    gwf_cuda_knobs knobs;
    char how[64]; /* "engine 4, tile 36, split 4" */
} gwf_cuda_choice;

/* Whether there is time to measure something; if so, time since `start` is spent on it. */
bool gwf_cuda_tuner_has_time(const gwf_cuda_tuner *tuner);
void gwf_cuda_tuner_spend(gwf_cuda_tuner *tuner, double start);
/* Word to the log of what was left over. */
void gwf_cuda_tuner_report(const gwf_cuda_tuner *tuner);

/* like (may be NULL): a choice that was made for a convolution of the same shape; its engine is
 * taken where it can be, and nothing is measured. UNSUPPORTED: cuDNN has no engine for this. */
gwf_status gwf_cuda_choose(gwf_cuda_tuner *tuner, const gwf_cuda_conv *conv,
                           const gwf_cuda_weights *weights, const gwf_cuda_choice *like,
                           gwf_cuda_choice *choice, gwf_error *err);
void gwf_cuda_choice_free(gwf_cuda_choice *choice); /* {0} is fine */

/* A handle of the device. */
gwf_cuda_target gwf_cuda_target_of(const gwf_cuda_tuner *tuner, int branch);

/* What choices on this device depend on besides the convolution: begins keys of the cache. */
void gwf_cuda_tuner_key(const gwf_cuda_tuner *tuner, char *text, size_t size);

#endif
