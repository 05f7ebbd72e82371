/* Values (channels, rows, cols) to maps and back.
 *
 * Outside all lanes every call waits. In a lane nothing does: values go to the lane's memory on the
 * device (stream in), are made into a map, computed, made into values again (first stream), and go
 * back (stream out); events keep that order. */
#include "backend/cuda/context.h"
#include "backend/cuda/profile.h"

static cudaStream_t main_stream(const gwf_context *context)
{
    return context->device.streams[0];
}

/* ---- outside all lanes: every call waits ---- */

/* Room for values on the device. */
static gwf_status room_for(gwf_context *context, size_t bytes, gwf_error *err)
{
    if (bytes <= context->staging_bytes) return GWF_OK;
    gwf_cuda_free(context->staging);
    context->staging_bytes = 0;
    GWF_TRY(gwf_cuda_allocate(&context->device, bytes, "values of a map",
                              (void **)&context->staging, err));
    context->staging_bytes = bytes;
    return GWF_OK;
}

static size_t bytes_of(const gwf_view *view, int channels)
{
    return (size_t)view->rows * (size_t)view->cols * (size_t)channels * sizeof(float);
}

static gwf_status load_now(gwf_context *context, gwf_cuda_map to, const float *values, int channels,
                           size_t bytes, gwf_error *err)
{
    gwf_cuda_device *device = &context->device;
    const cudaStream_t stream = main_stream(context);
    GWF_TRY(room_for(context, bytes, err));
    CUDA_TRY(device, cudaMemcpyAsync(context->staging, values, bytes, cudaMemcpyDefault, stream));
    CUDA_TRY(device, gwf_cuda_load(to, context->staging, channels, NULL, stream));
    CUDA_TRY(device, cudaStreamSynchronize(stream));
    return GWF_OK;
}

static gwf_status store_now(gwf_context *context, gwf_cuda_map from, float *values, int channels,
                            size_t bytes, gwf_error *err)
{
    gwf_cuda_device *device = &context->device;
    const cudaStream_t stream = main_stream(context);
    GWF_TRY(room_for(context, bytes, err));
    CUDA_TRY(device, gwf_cuda_store(from, context->staging, channels, NULL, NULL, stream));
    CUDA_TRY(device, cudaMemcpyAsync(values, context->staging, bytes, cudaMemcpyDefault, stream));
    CUDA_TRY(device, cudaStreamSynchronize(stream));
    return GWF_OK;
}

gwf_status gwf_cuda_pack_rect(gwf_context *context, const gwf_view *from, const gwf_rect *rect,
                              void *bytes, gwf_error *err)
{
    gwf_cuda_device *device = &context->device;
    const cudaStream_t stream = main_stream(context);
    const gwf_cuda_rect part = {rect->row, rect->rows, rect->col, rect->cols};
    const size_t size = (size_t)rect->rows * (size_t)rect->cols * (size_t)from->channels *
                        gwf_cuda_value_size(context->type);
    GWF_TRY(room_for(context, size, err));
    CUDA_TRY(device,
             gwf_cuda_pack(gwf_cuda_map_of(context, from, 0), part, context->staging, stream));
    CUDA_TRY(device,
             cudaMemcpyAsync(bytes, context->staging, size, cudaMemcpyDeviceToHost, stream));
    CUDA_TRY(device, cudaStreamSynchronize(stream));
    return GWF_OK;
}

gwf_status gwf_cuda_unpack_rect(gwf_context *context, const gwf_view *to, const gwf_rect *rect,
                                const void *bytes, gwf_error *err)
{
    gwf_cuda_device *device = &context->device;
    const cudaStream_t stream = main_stream(context);
    const gwf_cuda_rect part = {rect->row, rect->rows, rect->col, rect->cols};
    const size_t size = (size_t)rect->rows * (size_t)rect->cols * (size_t)to->channels *
                        gwf_cuda_value_size(context->type);
    GWF_TRY(room_for(context, size, err));
    CUDA_TRY(device,
             cudaMemcpyAsync(context->staging, bytes, size, cudaMemcpyHostToDevice, stream));
    CUDA_TRY(device,
             gwf_cuda_unpack(gwf_cuda_map_of(context, to, 0), part, context->staging, stream));
    CUDA_TRY(device, cudaStreamSynchronize(stream));
    return GWF_OK;
}

/* ---- where memory is ---- */

typedef enum memory_kind { PAGEABLE, PINNED, ON_DEVICE } memory_kind;

static gwf_status find_kind(gwf_context *context, const void *memory, memory_kind *kind,
                            gwf_error *err)
{
    struct cudaPointerAttributes a;
    CUDA_TRY(&context->device, cudaPointerGetAttributes(&a, memory));
    *kind = a.type == cudaMemoryTypeHost           ? PINNED
            : a.type == cudaMemoryTypeUnregistered ? PAGEABLE
                                                   : ON_DEVICE;
    if (a.type == cudaMemoryTypeDevice && a.device != context->device.number)
        return gwf_fail(err, GWF_ERR_ARGUMENT,
                        "backend cuda: values are in the memory of device %d, the engine is on "
                        "device %d",
                        a.device, context->device.number);
    return GWF_OK;
}

/* ---- in a lane ---- */

/* Memory that is not page-locked is read by this thread, which no event keeps waiting. */
static gwf_status wait_to_read(gwf_context *context, memory_kind kind, gwf_error *err)
{
    gwf_cuda_lane *lane = &context->lanes[context->lane];
    if (kind == PAGEABLE && lane->follows)
        CUDA_TRY(&context->device, cudaEventSynchronize(lane->followed));
    return GWF_OK;
}

static gwf_status load_in_lane(gwf_context *context, gwf_cuda_map to, int slot, const float *values,
                               int channels, gwf_error *err)
{
    gwf_cuda_device *device = &context->device;
    gwf_cuda_lane *lane = &context->lanes[context->lane];
    const size_t bytes = (size_t)to.rows * (size_t)to.cols * (size_t)channels * sizeof *values;
    memory_kind kind;
    GWF_TRY(find_kind(context, values, &kind, err));
    if (kind != ON_DEVICE) {
        float *copy = lane->in + (size_t)slot * context->values_in;
        GWF_TRY(wait_to_read(context, kind, err));
        CUDA_TRY(device, cudaMemcpyAsync(copy, values, bytes, cudaMemcpyHostToDevice, context->in));
        CUDA_TRY(device, cudaEventRecord(lane->loaded, context->in));
        CUDA_TRY(device, cudaStreamWaitEvent(main_stream(context), lane->loaded, 0));
        values = copy;
    }
    if (!lane->started) CUDA_TRY(device, cudaEventRecord(lane->begun, main_stream(context)));
    lane->started = true;
    CUDA_TRY(device, gwf_cuda_load(to, values, channels, lane->seen.device, main_stream(context)));
    return GWF_OK;
}

gwf_status gwf_cuda_load_values(gwf_context *context, const gwf_view *to, int slot,
                                const float *values, int channels, gwf_error *err)
{
    const gwf_cuda_map map = gwf_cuda_map_of(context, to, slot);
    if (context->lane < 0)
        return load_now(context, map, values, channels, bytes_of(to, channels), err);
    gwf_cuda_range_begin("load");
    const gwf_status status = load_in_lane(context, map, slot, values, channels, err);
    gwf_cuda_range_end();
    context->loaded = *to;
    if (slot >= context->n_loaded) context->n_loaded = slot + 1;
    return status;
}

/* The result's way back begins when it is computed. */
static gwf_status send_back(gwf_context *context, gwf_cuda_fetch fetch, bool pinned, gwf_error *err)
{
    gwf_cuda_device *device = &context->device;
    gwf_cuda_lane *lane = &context->lanes[context->lane];
    if (!pinned) { /* a copy from here would wait for it */
        lane->later[lane->n_later++] = fetch;
        return GWF_OK;
    }
    CUDA_TRY(device, cudaStreamWaitEvent(context->out, lane->computed, 0));
    CUDA_TRY(device, cudaMemcpyAsync(fetch.to, fetch.from, fetch.bytes, cudaMemcpyDeviceToHost,
                                     context->out));
    CUDA_TRY(device, cudaEventRecord(lane->stored, context->out));
    return GWF_OK;
}

static gwf_status store_in_lane(gwf_context *context, gwf_cuda_map from, int slot, float *values,
                                int channels, gwf_error *err)
{
    gwf_cuda_device *device = &context->device;
    gwf_cuda_lane *lane = &context->lanes[context->lane];
    float *result = lane->out + (size_t)slot * context->values_out;
    const size_t bytes = (size_t)from.rows * (size_t)from.cols * (size_t)channels * sizeof *values;
    memory_kind kind;
    GWF_TRY(find_kind(context, values, &kind, err));
    if (kind == ON_DEVICE) result = values;
    CUDA_TRY(device, gwf_cuda_store(from, result, channels, lane->physical ? context->scales : NULL,
                                    lane->seen.device, main_stream(context)));
    CUDA_TRY(device, cudaEventRecord(lane->ended, main_stream(context)));
    CUDA_TRY(device, cudaEventRecord(lane->computed, main_stream(context)));
    if (kind == ON_DEVICE) return GWF_OK;
    return send_back(context, (gwf_cuda_fetch){values, result, bytes}, kind == PINNED, err);
}

gwf_status gwf_cuda_store_values(gwf_context *context, const gwf_view *from, int slot,
                                 float *values, int channels, gwf_error *err)
{
    const gwf_cuda_map map = gwf_cuda_map_of(context, from, slot);
    if (context->lane < 0)
        return store_now(context, map, values, channels, bytes_of(from, channels), err);
    gwf_cuda_range_begin("store");
    const gwf_status status = store_in_lane(context, map, slot, values, channels, err);
    gwf_cuda_range_end();
    return status;
}
