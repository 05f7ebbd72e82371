/* Lanes: turns of values in, steps, values out, of which several may be under way. */
#include "backend/cuda/context.h"
#include "backend/cuda/profile.h"

static cudaStream_t main_stream(const gwf_context *context)
{
    return context->device.streams[0];
}

/* ---- taking turns ---- */

static gwf_status enter(gwf_context *context, int lane, bool physical, gwf_error *err)
{
    context->lane = -1;
    if (lane < 0) return GWF_OK;
    if (lane >= GWF_CUDA_LANES || !context->lanes[lane].in)
        return gwf_fail(err, GWF_ERR_INTERNAL, "backend cuda: there is no lane %d", lane);
    gwf_cuda_lane *l = &context->lanes[lane];
    memset(l->seen.host, 0, GWF_CUDA_SEEN * sizeof *l->seen.host);
    l->n_later = 0;
    l->physical = physical;
    l->started = l->follows = false;
    context->n_loaded = 0;
    context->lane = lane;
    return GWF_OK;
}

static gwf_status follow_stream(gwf_context *context, cudaStream_t stream, gwf_error *err)
{
    gwf_cuda_lane *lane = &context->lanes[context->lane];
    const cudaStream_t followers[] = {context->in, main_stream(context)};
    CUDA_TRY(&context->device, cudaEventRecord(lane->followed, stream));
    for (size_t i = 0; i < sizeof followers / sizeof *followers; i++)
        CUDA_TRY(&context->device, cudaStreamWaitEvent(followers[i], lane->followed, 0));
    lane->follows = true;
    return GWF_OK;
}

static gwf_status follow(gwf_context *context, void *stream, gwf_error *err)
{
    if (context->lane < 0)
        return gwf_fail(err, GWF_ERR_INTERNAL, "backend cuda: no lane is entered");
    CUDA_ON_DEVICE(&context->device, follow_stream(context, stream, err));
}

static gwf_status run_all(gwf_context *context, gwf_error *err)
{
    if (context->lane < 0)
        return gwf_fail(err, GWF_ERR_INTERNAL, "backend cuda: no lane is entered");
    CUDA_ON_DEVICE(&context->device, gwf_cuda_run_all(context, err));
}

/* Results that could not be sent before, one after the other. */
static gwf_status fetch_later(gwf_context *context, gwf_cuda_lane *lane, gwf_error *err)
{
    for (int i = 0; i < lane->n_later; i++) {
        const gwf_cuda_fetch *f = &lane->later[i];
        CUDA_TRY(&context->device,
                 cudaMemcpyAsync(f->to, f->from, f->bytes, cudaMemcpyDeviceToHost, context->out));
    }
    if (lane->n_later) CUDA_TRY(&context->device, cudaEventRecord(lane->stored, context->out));
    lane->n_later = 0;
    return GWF_OK;
}

static gwf_status check_lane(const gwf_context *context, const gwf_cuda_lane *lane, unsigned *seen,
                             gwf_error *err)
{
    const int *flags = lane->seen.host;
    *seen = (flags[GWF_CUDA_SEEN_INPUT] ? GWF_SEEN_INPUT : 0u) |
            (flags[GWF_CUDA_SEEN_OUTPUT] ? GWF_SEEN_OUTPUT : 0u);
    if (!context->watched || *seen & GWF_SEEN_INPUT) return GWF_OK;
    if (context->type == GWF_CUDA_FP16 && flags[GWF_CUDA_SEEN_RANGE])
        return gwf_fail(err, GWF_ERR_DATA,
                        "backend cuda: a feature is beyond the range of fp16 (65504): precision "
                        "bf16 has the range of fp32");
    return gwf_cuda_check_overflow(context, lane->overflow, err);
}

static gwf_status finish(gwf_context *context, gwf_cuda_lane *lane, gwf_error *err)
{
    gwf_cuda_device *device = &context->device;
    CUDA_TRY(device, cudaEventSynchronize(lane->computed));
    if (lane->seen.host[GWF_CUDA_SEEN_INPUT]) return GWF_OK;
    GWF_TRY(fetch_later(context, lane, err));
    CUDA_TRY(device, cudaEventSynchronize(lane->stored));
    return GWF_OK;
}

static gwf_status wait_for(gwf_context *context, int lane, gwf_error *err)
{
    gwf_cuda_range_begin("wait");
    const gwf_status status = finish(context, &context->lanes[lane], err);
    gwf_cuda_range_end();
    return status;
}

static gwf_status wait_on_device(gwf_context *context, int lane, gwf_error *err)
{
    CUDA_ON_DEVICE(&context->device, wait_for(context, lane, err));
}

/* However it went before: nothing is under way any more that touches the memory of callers. */
void gwf_cuda_settle(gwf_context *context)
{
    const cudaStream_t streams[] = {context->in, main_stream(context), context->out};
    for (size_t i = 0; i < sizeof streams / sizeof *streams; i++)
        if (streams[i] && cudaStreamSynchronize(streams[i]) != cudaSuccess) cudaGetLastError();
}

static gwf_status wait_and_look(gwf_context *context, int lane, unsigned *seen, gwf_error *err)
{
    *seen = 0;
    const gwf_status status = wait_on_device(context, lane, err);
    if (status != GWF_OK) {
        gwf_cuda_settle(context);
        return status;
    }
    context->waited = lane;
    return check_lane(context, &context->lanes[lane], seen, err);
}

static gwf_status make_flags(gwf_context *context, int n, gwf_cuda_flags *flags, gwf_error *err)
{
    CUDA_TRY(&context->device,
             cudaHostAlloc((void **)&flags->host, (size_t)n * sizeof(int), cudaHostAllocMapped));
    CUDA_TRY(&context->device, cudaHostGetDevicePointer((void **)&flags->device, flags->host, 0));
    return GWF_OK;
}

/* ---- lanes, made and freed ---- */

static gwf_status make_lane(gwf_context *context, gwf_cuda_lane *lane, gwf_error *err)
{
    gwf_cuda_device *device = &context->device;
    const size_t maps = (size_t)context->batch * sizeof(float);
    cudaEvent_t *const events[] = {&lane->loaded, &lane->computed, &lane->stored, &lane->followed};
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        CUDA_TRY(device, cudaEventCreateWithFlags(events[i], cudaEventDisableTiming));
    CUDA_TRY(device, cudaEventCreate(&lane->begun));
    CUDA_TRY(device, cudaEventCreate(&lane->ended));
    GWF_TRY(make_flags(context, GWF_CUDA_SEEN, &lane->seen, err));
    CUDA_TRY(device, cudaHostAlloc((void **)&lane->overflow,
                                   (size_t)(context->n_steps + 1) * sizeof *lane->overflow,
                                   cudaHostAllocDefault));
    GWF_TRY(gwf_cuda_allocate(device, maps * context->values_in, "features on their way",
                              (void **)&lane->in, err));
    return gwf_cuda_allocate(device, maps * context->values_out, "predictions on their way",
                             (void **)&lane->out, err);
}

static gwf_status copy_scales(gwf_context *context, const gwf_scale *scales, int n, gwf_error *err)
{
    const size_t bytes = (size_t)n * sizeof *scales;
    gwf_cuda_device *device = &context->device;
    gwf_cuda_free(context->scales);
    context->scales = NULL;
    GWF_TRY(gwf_cuda_allocate(device, bytes, "scales", (void **)&context->scales, err));
    CUDA_TRY(device, cudaMemcpyAsync(context->scales, scales, bytes, cudaMemcpyHostToDevice,
                                     main_stream(context)));
    CUDA_TRY(device, cudaStreamSynchronize(main_stream(context)));
    return GWF_OK;
}

static gwf_status make_lanes(gwf_context *context, gwf_error *err)
{
    for (int i = 0; i < GWF_CUDA_LANES; i++) GWF_TRY(make_lane(context, &context->lanes[i], err));
    return gwf_cuda_record(context, err);
}

static gwf_status stage(gwf_context *context, size_t values_in, size_t values_out, gwf_error *err)
{
    context->values_in = values_in;
    context->values_out = values_out;
    CUDA_ON_DEVICE(&context->device, make_lanes(context, err));
}

static gwf_status scale(gwf_context *context, const gwf_scale *scales, int n, gwf_error *err)
{
    CUDA_ON_DEVICE(&context->device, copy_scales(context, scales, n, err));
}

gwf_status gwf_cuda_lanes_open(gwf_context *context, gwf_error *err)
{
    gwf_cuda_device *device = &context->device;
    context->lane = context->waited = -1;
    CUDA_TRY(device, cudaStreamCreateWithFlags(&context->in, cudaStreamNonBlocking));
    CUDA_TRY(device, cudaStreamCreateWithFlags(&context->out, cudaStreamNonBlocking));
    CUDA_TRY(device, cudaEventCreate(&context->begun));
    CUDA_TRY(device, cudaEventCreate(&context->ended));
    return GWF_OK;
}

static void free_lane(gwf_cuda_lane *lane)
{
    const cudaEvent_t events[] = {lane->loaded,   lane->computed, lane->stored,
                                  lane->followed, lane->begun,    lane->ended};
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        if (events[i]) cudaEventDestroy(events[i]);
    if (lane->seen.host) cudaFreeHost(lane->seen.host);
    if (lane->overflow) cudaFreeHost(lane->overflow);
    gwf_cuda_free(lane->in);
    gwf_cuda_free(lane->out);
}

void gwf_cuda_lanes_close(gwf_context *context)
{
    for (int i = 0; i < GWF_CUDA_LANES; i++) free_lane(&context->lanes[i]);
    if (context->in) cudaStreamDestroy(context->in);
    if (context->out) cudaStreamDestroy(context->out);
    if (context->begun) cudaEventDestroy(context->begun);
    if (context->ended) cudaEventDestroy(context->ended);
    if (context->graph) cudaGraphExecDestroy(context->graph);
    gwf_cuda_free(context->scales);
    gwf_cuda_free(context->staging);
}

/* ---- memory for callers ---- */

static bool pin(gwf_context *context, void *memory, size_t bytes)
{
    int before = -1;
    if (gwf_cuda_use(&context->device, &before, NULL) != GWF_OK) return false;
    const bool pinned = cudaHostRegister(memory, bytes, cudaHostRegisterDefault) == cudaSuccess;
    if (!pinned) cudaGetLastError();
    gwf_cuda_leave(before);
    return pinned;
}

static void unpin(gwf_context *context, void *memory)
{
    (void)context;
    if (memory && cudaHostUnregister(memory) != cudaSuccess) cudaGetLastError();
}

static gwf_status check_room(gwf_context *context, size_t bytes, gwf_error *err)
{
    CUDA_ON_DEVICE(&context->device, gwf_cuda_check_room(&context->device, bytes, err));
}

static gwf_status allocate(gwf_context *context, size_t bytes, void **memory, gwf_error *err)
{
    *memory = NULL;
    CUDA_ON_DEVICE(&context->device,
                   gwf_cuda_allocate(&context->device, bytes, "values", memory, err));
}

static void discard(gwf_context *context, void *memory)
{
    (void)context;
    gwf_cuda_free(memory);
}

static gwf_status copy_and_wait(gwf_context *context, void *to, const void *from, size_t bytes,
                                gwf_error *err)
{
    gwf_cuda_device *device = &context->device;
    CUDA_TRY(device, cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, main_stream(context)));
    CUDA_TRY(device, cudaStreamSynchronize(main_stream(context)));
    return GWF_OK;
}

static gwf_status copy(gwf_context *context, void *to, const void *from, size_t bytes,
                       gwf_error *err)
{
    CUDA_ON_DEVICE(&context->device, copy_and_wait(context, to, from, bytes, err));
}

static double seconds(const gwf_context *context, const gwf_step *step)
{
    float ms = 0;
    if (step) return step->seconds;
    if (context->waited < 0) return 0;
    const gwf_cuda_lane *lane = &context->lanes[context->waited];
    if (cudaEventElapsedTime(&ms, lane->begun, lane->ended) != cudaSuccess) return 0;
    return 1e-3 * (double)ms;
}

const gwf_device gwf_cuda_device_calls = {
    .lanes = GWF_CUDA_LANES,
    .check_room = check_room,
    .stage = stage,
    .scale = scale,
    .enter = enter,
    .follow = follow,
    .run_all = run_all,
    .wait = wait_and_look,
    .pin = pin,
    .unpin = unpin,
    .allocate = allocate,
    .discard = discard,
    .copy = copy,
    .seconds = seconds,
};
