/* What a plan makes of NaN. cuDNN does not say, and engines differ: a ReLU that is max(x, 0) makes
 * 0 of it. Behind such a plan the result is looked through instead: NaN comes of infinities, which
 * a ReLU leaves as they are. */
#include "backend/cuda/context.h"

enum { NANS = 0xff /* a value of such bytes is NaN in every type */ };

/* One part of a step, from NaN to a map that is zero: *keeps: there is some NaN in it. */
static gwf_status probe(gwf_context *context, const gwf_step *step, int part, bool *keeps,
                        gwf_error *err)
{
    int seen = 0;
    gwf_cuda_device *device = &context->device;
    const cudaStream_t stream = device->streams[0];
    int *flag = context->overflow + step->number;
    GWF_TRY(gwf_cuda_fill(context, &step->op.in, 0, NANS, err));
    CUDA_TRY(device, cudaMemsetAsync(context->large, NANS, context->large_bytes, stream));
    GWF_TRY(gwf_cuda_fill(context, &step->op.out, 0, 0, err));
    CUDA_TRY(device, cudaMemsetAsync(flag, 0, sizeof *flag, stream));
    GWF_TRY(gwf_cuda_part_run(context, &step->parts[part], 0, err));
    CUDA_TRY(device, gwf_cuda_check(gwf_cuda_map_of(context, &step->op.out, -1), flag, stream));
    CUDA_TRY(device, cudaMemcpyAsync(&seen, flag, sizeof seen, cudaMemcpyDeviceToHost, stream));
    CUDA_TRY(device, cudaStreamSynchronize(stream));
    *keeps = seen != 0;
    return GWF_OK;
}

gwf_status gwf_cuda_step_probe(gwf_context *context, gwf_step *step, gwf_error *err)
{
    step->watched = context->type == GWF_CUDA_FP16 && step->n_parts > 0;
    for (int i = 0; i < step->n_parts && !step->watched; i++) {
        bool keeps = false;
        GWF_TRY(probe(context, step, i, &keeps, err));
        step->watched = !keeps;
    }
    context->watched |= step->watched;
    return GWF_OK;
}
