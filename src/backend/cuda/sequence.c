/* The steps of a map: all of them at once in a lane, or one. */
#include "backend/cuda/context.h"
#include "backend/cuda/profile.h"

#include <stdio.h>

static cudaStream_t main_stream(const gwf_context *context)
{
    return context->device.streams[0];
}

/* ---- all of them ---- */

static gwf_status enqueue_all(gwf_context *context, gwf_error *err)
{
    for (gwf_step *step = context->steps; step; step = step->next) {
        bool both = false;
        GWF_TRY(gwf_cuda_step_run(context, step, step->next, &both, err));
        if (both) step = step->next;
    }
    return GWF_OK;
}

/* What the steps enqueue, as one graph. However it ends, the streams do not record any more. */
static gwf_status record(gwf_context *context, gwf_error *err)
{
    cudaGraph_t graph = NULL;
    gwf_cuda_device *device = &context->device;
    const cudaStream_t stream = main_stream(context);
    CUDA_TRY(device, cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    gwf_status status = enqueue_all(context, err);
    const cudaError_t ended = cudaStreamEndCapture(stream, &graph);
    if (status == GWF_OK && ended != cudaSuccess)
        status = gwf_cuda_failed(device, ended, "cudaStreamEndCapture", err);
    if (status == GWF_OK) {
        const cudaError_t made = cudaGraphInstantiate(&context->graph, graph, 0);
        if (made != cudaSuccess)
            status = gwf_cuda_failed(device, made, "cudaGraphInstantiate", err);
    }
    if (status != GWF_OK) context->graph = NULL;
    if (graph) cudaGraphDestroy(graph);
    cudaGetLastError(); /* of the calls that failed after the first one */
    return status;
}

/* Where they cannot be recorded the steps are enqueued one by one, as long as the device lives. */
static gwf_status try_to_record(gwf_context *context, gwf_error *err)
{
    gwf_cuda_device *device = &context->device;
    gwf_error why = {0};
    if (record(context, &why) == GWF_OK) return GWF_OK;
    for (int i = 0; i < GWF_CUDA_BRANCHES; i++)
        CUDA_TRY(device, cudaStreamSynchronize(device->streams[i]));
    const size_t used = strlen(context->description);
    snprintf(context->description + used, sizeof context->description - used,
             ", without a CUDA graph (%.120s)", why.text);
    return GWF_OK;
}

/* After a first run, in which is loaded what is loaded at first use. */
gwf_status gwf_cuda_record(gwf_context *context, gwf_error *err)
{
    gwf_cuda_device *device = &context->device;
    GWF_TRY(enqueue_all(context, err));
    CUDA_TRY(device, cudaStreamSynchronize(main_stream(context)));
    device->serving = false; /* here a failure is not final */
    const gwf_status status = try_to_record(context, err);
    device->serving = true;
    return status;
}

/* Maps of the batch that were not loaded are zero: what they held may be anything by now. */
static gwf_status clear_rest(gwf_context *context, gwf_error *err)
{
    if (context->n_loaded == context->batch) return GWF_OK;
    return gwf_cuda_fill(context, &context->loaded, context->n_loaded, 0, err);
}

static gwf_status run_in_lane(gwf_context *context, gwf_error *err)
{
    gwf_cuda_device *device = &context->device;
    gwf_cuda_lane *lane = &context->lanes[context->lane];
    const size_t flags = (size_t)context->n_steps * sizeof *context->overflow;
    const cudaStream_t stream = main_stream(context);
    GWF_TRY(clear_rest(context, err));
    if (context->watched) CUDA_TRY(device, cudaMemsetAsync(context->overflow, 0, flags, stream));
    if (context->graph)
        CUDA_TRY(device, cudaGraphLaunch(context->graph, stream));
    else
        GWF_TRY(enqueue_all(context, err));
    if (context->watched)
        CUDA_TRY(device, cudaMemcpyAsync(lane->overflow, context->overflow, flags,
                                         cudaMemcpyDeviceToHost, stream));
    return GWF_OK;
}

gwf_status gwf_cuda_run_all(gwf_context *context, gwf_error *err)
{
    gwf_cuda_range_begin("network");
    const gwf_status status = run_in_lane(context, err);
    gwf_cuda_range_end();
    return status;
}

static gwf_status overflow_of(const gwf_context *context, const char *name, gwf_error *err)
{
    if (context->type == GWF_CUDA_FP16)
        return gwf_fail(err, GWF_ERR_DATA,
                        "backend cuda: a result of %s is beyond the range of fp16 (65504): "
                        "precision bf16 has the range of fp32",
                        name);
    return gwf_fail(err, GWF_ERR_DATA,
                    "backend cuda: a result of %s is not finite, it is beyond the range of %s",
                    name, context->type == GWF_CUDA_BF16 ? "bf16" : "fp32");
}

static const char *name_of_step(const gwf_context *context, int number)
{
    for (const gwf_step *s = context->steps; s; s = s->next)
        if (s->number == number) return s->name;
    return "a step";
}

gwf_status gwf_cuda_check_overflow(const gwf_context *context, const int *overflow, gwf_error *err)
{
    for (int i = 0; i < context->n_steps; i++)
        if (overflow[i]) return overflow_of(context, name_of_step(context, i), err);
    return GWF_OK;
}

/* ---- one step, outside all lanes ---- */

static gwf_status time_of(gwf_context *context, gwf_step *step, gwf_error *err)
{
    float ms = 0;
    CUDA_TRY(&context->device, cudaEventSynchronize(context->ended));
    CUDA_TRY(&context->device, cudaEventElapsedTime(&ms, context->begun, context->ended));
    step->seconds = 1e-3 * (double)ms;
    return GWF_OK;
}

gwf_status gwf_cuda_run_one(gwf_context *context, gwf_step *step, gwf_error *err)
{
    int overflow = 0;
    bool both = false;
    gwf_cuda_device *device = &context->device;
    const cudaStream_t stream = main_stream(context);
    int *flag = context->overflow + step->number;
    if (step->watched) CUDA_TRY(device, cudaMemsetAsync(flag, 0, sizeof *flag, stream));
    CUDA_TRY(device, cudaEventRecord(context->begun, stream));
    GWF_TRY(gwf_cuda_step_run(context, step, NULL, &both, err));
    CUDA_TRY(device, cudaEventRecord(context->ended, stream));
    if (step->watched)
        CUDA_TRY(device,
                 cudaMemcpyAsync(&overflow, flag, sizeof overflow, cudaMemcpyDeviceToHost, stream));
    GWF_TRY(time_of(context, step, err));
    CUDA_TRY(device, cudaStreamSynchronize(stream));
    return overflow ? overflow_of(context, step->name, err) : GWF_OK;
}
