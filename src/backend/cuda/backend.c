/* The CUDA backend: convolutions by cuDNN's graphs, everything else by small kernels, on NHWC maps
 * in the memory of a GPU. What libgwflux_cuda.so exports is at the end. */
#include <stdio.h>
#include <stdlib.h>

#include "backend/cuda/context.h"
#include "backend/plugin.h"

static gwf_status choose_type(gwf_context *context, gwf_precision precision, gwf_error *err)
{
    context->precision = precision == GWF_PRECISION_AUTO ? GWF_BF16 : precision;
    switch (context->precision) {
    case GWF_FP32:
    case GWF_TF32:
        context->type = GWF_CUDA_FP32;
        return GWF_OK;
    case GWF_BF16:
        context->type = GWF_CUDA_BF16;
        return GWF_OK;
    case GWF_FP16:
        context->type = GWF_CUDA_FP16;
        return GWF_OK;
    default:
        return gwf_fail(err, GWF_ERR_UNSUPPORTED,
                        "backend cuda has precision fp32, tf32, bf16 and fp16, not %s",
                        gwf_precision_word(precision));
    }
}

static void close_inside(gwf_context *context)
{
    gwf_cuda_settle(context);
    gwf_cuda_lanes_close(context);
    gwf_cuda_free(context->arena);
    gwf_cuda_free(context->workspace);
    gwf_cuda_free(context->large);
    gwf_cuda_free(context->overflow);
    gwf_cuda_device_close(&context->device);
}

/* After a failure of the device too: what cannot be freed then is gone with the process. */
static void close_cuda(gwf_context *context)
{
    int before = -1;
    if (!context) return;
    gwf_cuda_use(&context->device, &before, NULL);
    close_inside(context);
    gwf_cuda_leave(before);
    free(context);
}

static void describe_device(gwf_context *context)
{
    const gwf_cuda_device *d = &context->device;
    const size_t cudnn = cudnnGetVersion();
    char batch[32] = "";
    if (context->batch > 1) snprintf(batch, sizeof batch, ", %d maps at once", context->batch);
    snprintf(context->description, sizeof context->description,
             "%s (device %d), CUDA %d.%d, cuDNN %zu.%zu.%zu%s", d->name, d->number,
             d->runtime / 1000, d->runtime % 1000 / 10, cudnn / 10000, cudnn / 100 % 100,
             cudnn % 100, batch);
}

static gwf_status open_device(gwf_context *context, const gwf_backend_config *config,
                              gwf_error *err)
{
    GWF_TRY(gwf_cuda_device_open(&config->place, &context->device, err));
    CUDA_ON_DEVICE(&context->device, gwf_cuda_lanes_open(context, err));
}

static gwf_status open_cuda(const gwf_backend_config *config, gwf_context **result, gwf_error *err)
{
    gwf_context *context = calloc(1, sizeof *context);
    if (!context) return gwf_fail(err, GWF_ERR_MEMORY, "backend cuda: no memory");
    context->batch = config->batch;
    gwf_status status = choose_type(context, config->precision, err);
    if (status == GWF_OK) status = open_device(context, config, err);
    if (status != GWF_OK) {
        close_cuda(context);
        return status;
    }
    context->tuner = (gwf_cuda_tuner){.device = &context->device, .config = *config};
    describe_device(context);
    *result = context;
    return GWF_OK;
}

static const char *describe(const gwf_context *context)
{
    return context->description;
}

static const char *precision(const gwf_context *context)
{
    switch (context->precision) {
    case GWF_FP32:
        return "fp32";
    case GWF_TF32:
        return "tf32 (maps in fp32, factors of 11 bits)";
    case GWF_FP16:
        return "fp16 (sums in fp32)";
    default:
        return "bf16 (sums in fp32)";
    }
}

static int channel_block(const gwf_context *context)
{
    (void)context;
    return GWF_CUDA_BLOCK;
}

static int batch(const gwf_context *context)
{
    return context->batch;
}

static size_t map_bytes(const gwf_context *context, int channels, int rows, int cols)
{
    return (size_t)context->batch * (size_t)channels * (size_t)rows * (size_t)cols *
           gwf_cuda_value_size(context->type);
}

/* ---- steps ---- */

static gwf_status make_step(gwf_context *context, const gwf_op *op, gwf_step *step, gwf_error *err)
{
    CUDA_ON_DEVICE(&context->device, gwf_cuda_step_make(context, op, step, err));
}

static void release(gwf_context *context, gwf_step *step)
{
    if (!step) return;
    for (gwf_step **at = &context->steps; *at; at = &(*at)->next)
        if (*at == step) {
            *at = step->next;
            break;
        }
    gwf_cuda_step_free(step);
}

static gwf_status prepare(gwf_context *context, const gwf_op *op, gwf_step **result, gwf_error *err)
{
    gwf_step *step = calloc(1, sizeof *step);
    if (!step) return gwf_fail(err, GWF_ERR_MEMORY, "backend cuda: no memory for a step");
    const gwf_status status = make_step(context, op, step, err);
    if (status != GWF_OK) {
        gwf_cuda_step_free(step);
        return status;
    }
    step->number = context->n_steps++;
    gwf_step **end = &context->steps;
    while (*end) end = &(*end)->next;
    *end = step;
    *result = step;
    return GWF_OK;
}

static const char *algorithm(const gwf_context *context, const gwf_step *step)
{
    (void)context;
    return step->how;
}

static gwf_status reserve_inside(gwf_context *context, size_t bytes, gwf_error *err)
{
    gwf_cuda_device *device = &context->device;
    gwf_cuda_tuner_report(&context->tuner);
    const size_t workspace = GWF_CUDA_BRANCHES * context->workspace_bytes;
    const size_t flags = ((size_t)context->n_steps + 1) * sizeof *context->overflow;
    GWF_TRY(gwf_cuda_allocate(device, bytes, "maps", (void **)&context->arena, err));
    GWF_TRY(gwf_cuda_allocate(device, workspace, "workspace", (void **)&context->workspace, err));
    GWF_TRY(gwf_cuda_allocate(device, context->large_bytes, "maps of twice the size",
                              (void **)&context->large, err));
    GWF_TRY(gwf_cuda_allocate(device, flags, "flags", (void **)&context->overflow, err));
    for (gwf_step *step = context->steps; step; step = step->next) {
        GWF_TRY(gwf_cuda_step_bind(context, step, err));
        GWF_TRY(gwf_cuda_step_probe(context, step, err));
    }
    CUDA_TRY(device, cudaMemsetAsync(context->arena, 0, bytes, device->streams[0]));
    CUDA_TRY(device, cudaStreamSynchronize(device->streams[0]));
    device->serving = true;
    context->tuner.config = (gwf_backend_config){0}; /* what it points at is the caller's again */
    return GWF_OK;
}

static gwf_status reserve(gwf_context *context, size_t bytes, gwf_error *err)
{
    CUDA_ON_DEVICE(&context->device, reserve_inside(context, bytes, err));
}

static gwf_status run(gwf_context *context, gwf_step *step, gwf_error *err)
{
    CUDA_ON_DEVICE(&context->device, gwf_cuda_run_one(context, step, err));
}

/* ---- values ---- */

static gwf_status load(gwf_context *context, const gwf_view *to, int slot, const float *values,
                       int channels, gwf_error *err)
{
    CUDA_ON_DEVICE(&context->device,
                   gwf_cuda_load_values(context, to, slot, values, channels, err));
}

static gwf_status store(gwf_context *context, const gwf_view *from, int slot, float *values,
                        int channels, gwf_error *err)
{
    CUDA_ON_DEVICE(&context->device,
                   gwf_cuda_store_values(context, from, slot, values, channels, err));
}

static gwf_status pack(gwf_context *context, const gwf_view *from, const gwf_rect *rect,
                       void *bytes, gwf_error *err)
{
    CUDA_ON_DEVICE(&context->device, gwf_cuda_pack_rect(context, from, rect, bytes, err));
}

static gwf_status unpack(gwf_context *context, const gwf_view *to, const gwf_rect *rect,
                         const void *bytes, gwf_error *err)
{
    CUDA_ON_DEVICE(&context->device, gwf_cuda_unpack_rect(context, to, rect, bytes, err));
}

/* A phase of an upconv has 4 of 9 taps. */
static double executed(const gwf_context *context, const gwf_step *step)
{
    (void)context;
    return step->way == GWF_CUDA_PHASES ? 4.0 / 9 : 1;
}

static const int batches[] = {32, 0};

static const gwf_backend table = {
    .name = "cuda",
    .summary = "cuDNN on NVIDIA GPUs",
    .device = &gwf_cuda_device_calls,
    .batches = batches,
    .open = open_cuda,
    .close = close_cuda,
    .describe = describe,
    .precision = precision,
    .channel_block = channel_block,
    .batch = batch,
    .map_bytes = map_bytes,
    .prepare = prepare,
    .release = release,
    .algorithm = algorithm,
    .reserve = reserve,
    .load = load,
    .run = run,
    .store = store,
    .pack = pack,
    .unpack = unpack,
    .executed = executed,
};

extern const gwf_plugin gwf_plugin_table;

__attribute__((visibility("default"))) const gwf_plugin gwf_plugin_table = {
    .stamp = GWF_PLUGIN_STAMP,
    .backend = &table,
    .devices = gwf_cuda_device_names,
};
