/* Trying plans of one convolution on the device: how long they take, whether they are right. */
#ifndef GWF_BACKEND_CUDA_TRIAL_H
#define GWF_BACKEND_CUDA_TRIAL_H

#include "backend/cuda/tune.h"

/* Work for the device: enqueued on its first stream, `repeat` times as it is counted. */
typedef gwf_status gwf_cuda_work(void *user, int repeat, gwf_error *err);

/* Seconds of one of many repetitions that follow each other without the host in between. The
 * fastest of some rounds; those of the first one where they are more than `enough`. */
gwf_status gwf_cuda_time(gwf_cuda_device *device, gwf_cuda_work *work, void *user, double enough,
                         double *seconds, gwf_error *err);

/* Maps and weights to try with; the weights in copies, so that they come from memory as they do
 * when a whole network runs, and not from a cache. */
enum { GWF_CUDA_COPIES = 8 };
typedef struct gwf_cuda_trial {
    gwf_cuda_device *device;
    const gwf_cuda_conv *conv;
    const gwf_cuda_weights *weights;
    void *in, *out, *workspace, *copies[GWF_CUDA_COPIES];
    float *first, *other; /* results of the first plan and of another, on the host */
    float *wide;          /* room for a result in float32 on the device */
    size_t values_in, values_out, workspace_bytes;
    int n_copies;
    cudnnBackendDescriptor_t plan, packs[GWF_CUDA_COPIES]; /* of the plan being timed */
} gwf_cuda_trial;

/* On failure too the trial can be closed. */
gwf_status gwf_cuda_trial_open(gwf_cuda_device *device, const gwf_cuda_conv *conv,
                               const gwf_cuda_weights *weights, gwf_cuda_trial *trial,
                               gwf_error *err);
void gwf_cuda_trial_close(gwf_cuda_trial *trial);

/* A plan that needs more workspace than this is not tried. */
enum { GWF_CUDA_MOST_WORKSPACE = 64 << 20 };

gwf_status gwf_cuda_trial_time(gwf_cuda_trial *trial, const gwf_cuda_choice *choice, double enough,
                               double *seconds, gwf_error *err);
/* The result that others are compared with. */
gwf_status gwf_cuda_trial_keep(gwf_cuda_trial *trial, const gwf_cuda_choice *choice,
                               gwf_error *err);
/* *right: the same as the one that was kept up to rounding, and each time the same bit for bit. */
gwf_status gwf_cuda_trial_check(gwf_cuda_trial *trial, const gwf_cuda_choice *choice, bool *right,
                                gwf_error *err);

#endif
