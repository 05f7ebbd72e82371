/* One convolution by cuDNN: weights on the device, plan, binding, launch. */
#include "backend/cuda/context.h"

#include <stdlib.h>

#include "core/size.h"

size_t gwf_cuda_value_size(gwf_cuda_type type)
{
    return type == GWF_CUDA_FP32 ? 4 : 2;
}

/* Any values (n, channels, points) as maps, to convert them. */
static gwf_cuda_map map_for(const gwf_context *context, void *at, int n, int points, int channels)
{
    return (gwf_cuda_map){.at = at,
                          .type = context->type,
                          .batch = n,
                          .rows = 1,
                          .cols = points,
                          .channels = channels,
                          .pitch = channels};
}

/* From (n, channels, points) on the host to (n, points, channels) on the device, by way of `wide`
 * there. seen: on the device. */
static gwf_status convert(gwf_context *context, const float *values, size_t bytes, float *wide,
                          gwf_cuda_map to, int *seen, gwf_error *err)
{
    gwf_cuda_device *device = &context->device;
    const cudaStream_t stream = device->streams[0];
    CUDA_TRY(device, cudaMemcpyAsync(wide, values, bytes, cudaMemcpyHostToDevice, stream));
    CUDA_TRY(device, gwf_cuda_load(to, wide, to.channels, seen, stream));
    CUDA_TRY(device, cudaStreamSynchronize(stream));
    return GWF_OK;
}

static gwf_status check_range(gwf_context *context, const int *seen, gwf_error *err)
{
    int host[GWF_CUDA_SEEN] = {0};
    gwf_cuda_device *device = &context->device;
    const cudaStream_t stream = device->streams[0];
    CUDA_TRY(device, cudaMemcpyAsync(host, seen, sizeof host, cudaMemcpyDeviceToHost, stream));
    CUDA_TRY(device, cudaStreamSynchronize(stream));
    if (!host[GWF_CUDA_SEEN_RANGE]) return GWF_OK;
    return gwf_fail(err, GWF_ERR_DATA,
                    "backend cuda: a weight is beyond the range of fp16 (65504), use bf16");
}

gwf_status gwf_cuda_weights_make(gwf_context *context, const gwf_op *op, int kernel,
                                 const float *weights, gwf_cuda_weights *made, gwf_error *err)
{
    gwf_status status = GWF_OK;
    gwf_cuda_device *device = &context->device;
    const int out = op->out.channels, in = op->in.channels;
    const size_t n = (size_t)out * (size_t)in * (size_t)(kernel * kernel), n_bias = (size_t)out;
    const size_t size = gwf_cuda_value_size(context->type);
    float *wide = NULL;
    int *seen = NULL;
    void **const memory[] = {&made->filter, &made->bias, &made->narrow_bias, (void **)&wide,
                             (void **)&seen};
    const size_t bytes[] = {n * size, n_bias * sizeof *wide, n_bias * size, n * sizeof *wide,
                            GWF_CUDA_SEEN * sizeof *seen};
    for (size_t i = 0; i < sizeof memory / sizeof *memory; i++)
        GWF_TRY_DONE(gwf_cuda_allocate(device, bytes[i], "weights", memory[i], err));
    CUDA_TRY_DONE(device, cudaMemsetAsync(seen, 0, bytes[4], device->streams[0]));
    GWF_TRY_DONE(convert(context, weights, bytes[3], wide,
                         map_for(context, made->filter, out, kernel * kernel, in), seen, err));
    GWF_TRY_DONE(convert(context, op->bias, bytes[1], wide,
                         map_for(context, made->narrow_bias, 1, 1, out), seen, err));
    GWF_TRY_DONE(check_range(context, seen, err));
    CUDA_TRY_DONE(device, cudaMemcpyAsync(made->bias, op->bias, bytes[1], cudaMemcpyHostToDevice,
                                          device->streams[0]));
    CUDA_TRY_DONE(device, cudaStreamSynchronize(device->streams[0]));
done:
    gwf_cuda_free(wide);
    gwf_cuda_free(seen);
    return status;
}

void gwf_cuda_weights_free(gwf_cuda_weights *weights)
{
    gwf_cuda_free(weights->filter);
    gwf_cuda_free(weights->bias);
    gwf_cuda_free(weights->narrow_bias);
    *weights = (gwf_cuda_weights){0};
}

gwf_status gwf_cuda_part_choose(gwf_context *context, gwf_cuda_part *part,
                                const gwf_cuda_choice *like, gwf_error *err)
{
    GWF_TRY(
        gwf_cuda_choose(&context->tuner, &part->conv, &part->weights, like, &part->choice, err));
    const size_t workspace = gwf_size_round_up(part->choice.workspace, GWF_CUDA_ALIGNMENT);
    if (workspace > context->workspace_bytes) context->workspace_bytes = workspace;
    return GWF_OK;
}

gwf_status gwf_cuda_part_bind(gwf_context *context, gwf_cuda_part *part, char *in, char *out,
                              char *workspace, gwf_error *err)
{
    const size_t size = gwf_cuda_value_size(context->type);
    const gwf_cuda_operands at = {.in = in + part->in_shift * size,
                                  .weights = part->weights.filter,
                                  .bias = part->choice.narrow_bias ? part->weights.narrow_bias
                                                                   : part->weights.bias,
                                  .out = out + part->out_shift * size,
                                  .workspace = workspace};
    gwf_cuda_destroy(part->pack);
    part->pack = NULL;
    return gwf_cuda_bind(&context->device, at, &part->pack, err);
}

gwf_status gwf_cuda_part_run(gwf_context *context, const gwf_cuda_part *part, int branch,
                             gwf_error *err)
{
    CUDNN_TRY(&context->device,
              cudnnBackendExecute(context->device.handles[branch], part->choice.plan, part->pack));
    return GWF_OK;
}

void gwf_cuda_part_free(gwf_cuda_part *part)
{
    gwf_cuda_destroy(part->pack);
    gwf_cuda_choice_free(&part->choice);
    gwf_cuda_weights_free(&part->weights);
    *part = (gwf_cuda_part){0};
}
