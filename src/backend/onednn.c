/* The CPU backend: convolutions by oneDNN's algorithms in blocked layouts, everything else
 * by blocked.c. */
#include "backend/backend.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

#include "backend/onednn_step.h"

/* oneDNN sizes its work by the calling thread's OpenMP setting: lend it ours for a call. */
static int lend_threads(const gwf_context *context)
{
    const int before = omp_get_max_threads();
    omp_set_num_threads(context->maps.threads);
    return before;
}

static void release(gwf_context *context, gwf_step *step)
{
    (void)context;
    if (!step) return;
    gwf_step_clear(step);
    free(step);
}

static void grow(size_t *most, size_t bytes)
{
    if (bytes > *most) *most = bytes;
}

/* Chooses the manner of a convolution and makes it; other steps need nothing. */
static gwf_status make(gwf_context *context, const gwf_op *op, gwf_step *step, gwf_error *err)
{
    step->op = *op;
    if (op->kind != GWF_OP_CONV && op->kind != GWF_OP_UPCONV) return GWF_OK;
    const gwf_manner manner = gwf_step_choose(context, op);
    GWF_TRY(gwf_step_make(context, op, manner, step, err));
    grow(&context->aside_bytes, step->aside_bytes);
    grow(&context->scratch_bytes, step->scratch_bytes);
    return GWF_OK;
}

static gwf_status prepare(gwf_context *context, const gwf_op *op, gwf_step **result, gwf_error *err)
{
    gwf_step *step = calloc(1, sizeof *step);
    if (!step) return gwf_fail(err, GWF_ERR_MEMORY, "backend cpu: no memory for a step");
    const int before = lend_threads(context);
    const gwf_status status = make(context, op, step, err);
    omp_set_num_threads(before);
    if (status != GWF_OK) {
        release(context, step);
        return status;
    }
    *result = step;
    return GWF_OK;
}

static gwf_status run(gwf_context *context, gwf_step *step, gwf_error *err)
{
    const int before = lend_threads(context);
    const gwf_status status = gwf_step_run(context, step, err);
    omp_set_num_threads(before);
    return status;
}

static void close_cpu(gwf_context *context)
{
    if (!context) return;
    gwf_dnnl_close(&context->dnnl);
    free(context->aside);
    free(context->maps.arena);
    free(context);
}

static gwf_status open_cpu(const gwf_backend_config *config, gwf_context **result, gwf_error *err)
{
    gwf_status status = GWF_OK;
    gwf_context *context = calloc(1, sizeof *context);
    if (!context) return gwf_fail(err, GWF_ERR_MEMORY, "backend cpu: no memory");
    GWF_TRY_DONE(gwf_dnnl_open(&context->dnnl, err));
    GWF_TRY_DONE(gwf_dnnl_check_precision(config->precision, dnnl_get_effective_cpu_isa(), err));
    const bool bf16 = config->precision == GWF_BF16;
    context->config = *config;
    if (config->precision == GWF_PRECISION_AUTO) context->config.precision = GWF_FP32;
    context->maps = (gwf_blocked){
        .value = bf16 ? GWF_VALUE_BF16 : GWF_VALUE_F32,
        .batch = config->batch,
        .block = context->dnnl.block,
        .threads = config->threads > 0 ? config->threads : omp_get_max_threads(),
    };
    gwf_dnnl_describe(context->maps.threads, context->description, sizeof context->description);
    *result = context;
    return GWF_OK;
done:
    close_cpu(context);
    return status;
}

static const char *describe(const gwf_context *context)
{
    return context->description;
}

static const char *precision(const gwf_context *context)
{
    return gwf_dnnl_precision(context->config.precision);
}

static const char *algorithm(const gwf_context *context, const gwf_step *step)
{
    (void)context;
    const bool conv = step->op.kind == GWF_OP_CONV || step->op.kind == GWF_OP_UPCONV;
    return conv ? gwf_manner_name(&step->op, step->manner) : "";
}

static double executed(const gwf_context *context, const gwf_step *step)
{
    (void)context;
    const double share = gwf_conv_executed(step->manner.way);
    return step->op.kind == GWF_OP_UPCONV && step->manner.phases ? share * 4 / 9 : share;
}

static gwf_status weights(gwf_context *context, gwf_step *step, gwf_weights_at *at, void *user,
                          gwf_error *err)
{
    (void)context;
    for (int i = 0; i < GWF_PHASES; i++) GWF_TRY(gwf_conv_weights(&step->convs[i], at, user, err));
    return GWF_OK;
}

static int channel_block(const gwf_context *context)
{
    return context->maps.block;
}

static int batch(const gwf_context *context)
{
    return context->maps.batch;
}

static size_t map_bytes(const gwf_context *context, int channels, int rows, int cols)
{
    return (size_t)context->maps.batch * (size_t)channels * (size_t)rows * (size_t)cols *
           gwf_value_size(gwf_blocked_value(&context->maps, channels));
}

static gwf_status reserve(gwf_context *context, size_t bytes, gwf_error *err)
{
    context->config.cache = NULL; /* borrowed until here */
    context->config.log = NULL;
    context->maps.arena = gwf_aligned(bytes);
    context->dnnl.scratch = gwf_aligned(context->scratch_bytes);
    context->aside = gwf_aligned(context->aside_bytes);
    if (!context->maps.arena || !context->dnnl.scratch || !context->aside)
        return gwf_fail(err, GWF_ERR_MEMORY, "backend cpu: no memory for an arena of %zu bytes",
                        bytes + context->scratch_bytes + context->aside_bytes);
    return GWF_OK;
}

static gwf_status load(gwf_context *context, const gwf_view *to, int slot, const float *values,
                       int channels, gwf_error *err)
{
    (void)err;
    gwf_blocked_load(&context->maps, to, slot, values, channels);
    return GWF_OK;
}

static gwf_status store(gwf_context *context, const gwf_view *from, int slot, float *values,
                        int channels, gwf_error *err)
{
    (void)err;
    gwf_blocked_store(&context->maps, from, slot, values, channels);
    return GWF_OK;
}

static gwf_status pack(gwf_context *context, const gwf_view *from, const gwf_rect *rect,
                       void *bytes, gwf_error *err)
{
    (void)err;
    gwf_blocked_pack(&context->maps, from, rect, bytes);
    return GWF_OK;
}

static gwf_status unpack(gwf_context *context, const gwf_view *to, const gwf_rect *rect,
                         const void *bytes, gwf_error *err)
{
    (void)err;
    gwf_blocked_unpack(&context->maps, to, rect, bytes);
    return GWF_OK;
}

static const int batches[] = {1, 2, 4, 0};

const gwf_backend gwf_backend_cpu = {
    .name = "cpu",
    .summary = "oneDNN, blocked layouts, OpenMP threads",
    .batches = batches,
    .open = open_cpu,
    .close = close_cpu,
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
    .weights = weights,
};
