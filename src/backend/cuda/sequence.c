/* The steps of a map: all of them at once in a lane, or one. */
#include "backend/cuda/context.h"
#include "backend/cuda/profile.h"

static cudaStream_t main_stream(const gwf_context *context)
{
    return context->device.streams[0];
}

/* ---- all of them ---- */

static gwf_status enqueue_all(gwf_context *context, gwf_step *const *steps, int n, gwf_error *err)
{
    for (int i = 0; i < n; i++) {
        bool both = false;
        GWF_TRY(gwf_cuda_step_run(context, steps[i], i + 1 < n ? steps[i + 1] : NULL, &both, err));
        if (both) i++;
    }
    return GWF_OK;
}

/* What the steps enqueue, as one graph. */
static gwf_status record(gwf_context *context, gwf_step *const *steps, int n, gwf_error *err)
{
    cudaGraph_t graph = NULL;
    gwf_cuda_device *device = &context->device;
    const cudaStream_t stream = main_stream(context);
    CUDA_TRY(device, cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    gwf_status status = enqueue_all(context, steps, n, err);
    const cudaError_t ended = cudaStreamEndCapture(stream, &graph);
    if (status == GWF_OK && ended != cudaSuccess)
        status = gwf_cuda_failed(device, ended, "cudaStreamEndCapture", err);
    if (status == GWF_OK) {
        const cudaError_t made = cudaGraphInstantiate(&context->graph, graph, 0);
        if (made != cudaSuccess)
            status = gwf_cuda_failed(device, made, "cudaGraphInstantiate", err);
    }
    if (graph) cudaGraphDestroy(graph);
    return status;
}

/* Maps of the batch that were not loaded are zero: what they held may be anything by now. */
static gwf_status clear_rest(gwf_context *context, gwf_error *err)
{
    for (int slot = context->n_loaded; slot < context->batch; slot++) {
        gwf_view whole = context->loaded;
        whole.first = 0;
        const gwf_cuda_map map = gwf_cuda_map_of(context, &whole, slot);
        CUDA_TRY(&context->device,
                 cudaMemsetAsync(map.at, 0,
                                 (size_t)map.rows * (size_t)map.cols * (size_t)map.pitch *
                                     gwf_cuda_value_size(map.type),
                                 main_stream(context)));
    }
    return GWF_OK;
}

/* The first map is enqueued step by step, which loads what is loaded at first use; the second is
 * recorded, and repeated from then on. */
static gwf_status run_steps(gwf_context *context, gwf_step *const *steps, int n, gwf_error *err)
{
    gwf_cuda_device *device = &context->device;
    if (context->runs++ == 0) return enqueue_all(context, steps, n, err);
    if (!context->graph) GWF_TRY(record(context, steps, n, err));
    CUDA_TRY(device, cudaGraphLaunch(context->graph, main_stream(context)));
    return GWF_OK;
}

static gwf_status run_in_lane(gwf_context *context, gwf_step *const *steps, int n, gwf_error *err)
{
    gwf_cuda_device *device = &context->device;
    gwf_cuda_lane *lane = &context->lanes[context->lane];
    const size_t flags = (size_t)context->n_steps * sizeof *context->overflow;
    const cudaStream_t stream = main_stream(context);
    const bool watched = context->type == GWF_CUDA_FP16;
    GWF_TRY(clear_rest(context, err));
    if (watched) CUDA_TRY(device, cudaMemsetAsync(context->overflow, 0, flags, stream));
    CUDA_TRY(device, cudaEventRecord(lane->begun, stream));
    GWF_TRY(run_steps(context, steps, n, err));
    CUDA_TRY(device, cudaEventRecord(lane->ended, stream));
    if (watched)
        CUDA_TRY(device, cudaMemcpyAsync(lane->overflow, context->overflow, flags,
                                         cudaMemcpyDeviceToHost, stream));
    return GWF_OK;
}

gwf_status gwf_cuda_run_all(gwf_context *context, gwf_step *const *steps, int n, gwf_error *err)
{
    gwf_cuda_range_begin("network");
    const gwf_status status = run_in_lane(context, steps, n, err);
    gwf_cuda_range_end();
    return status;
}

static gwf_status overflow_of(const char *name, gwf_error *err)
{
    return gwf_fail(err, GWF_ERR_DATA,
                    "backend cuda: a result of %s is beyond the range of fp16 (65504): precision "
                    "bf16 has the range of fp32",
                    name);
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
        if (overflow[i]) return overflow_of(name_of_step(context, i), err);
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
    const bool watched = context->type == GWF_CUDA_FP16;
    int *flag = context->overflow + (watched ? step->number : 0);
    if (watched) CUDA_TRY(device, cudaMemsetAsync(flag, 0, sizeof *flag, stream));
    CUDA_TRY(device, cudaEventRecord(context->begun, stream));
    GWF_TRY(gwf_cuda_step_run(context, step, NULL, &both, err));
    CUDA_TRY(device, cudaEventRecord(context->ended, stream));
    if (watched)
        CUDA_TRY(device,
                 cudaMemcpyAsync(&overflow, flag, sizeof overflow, cudaMemcpyDeviceToHost, stream));
    GWF_TRY(time_of(context, step, err));
    CUDA_TRY(device, cudaStreamSynchronize(stream));
    return overflow ? overflow_of(step->name, err) : GWF_OK;
}
