/* The CPU backend: convolutions by oneDNN's direct algorithms in blocked layouts, everything else
 * by blocked.c. The only file that includes dnnl.h. */
#include "backend/backend.h"

#include <dnnl.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/blocked.h"
#include "core/size.h"

enum { ALIGNMENT = 64 };

struct gwf_context {
    gwf_blocked maps; /* arena, block, threads */
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    void *scratch; /* one for all steps: they run one after the other */
    size_t scratch_bytes;
    char description[128];
};

struct gwf_step {
    gwf_op op;
    dnnl_primitive_t primitive; /* conv only, as are the memories */
    dnnl_memory_t src, weights, bias, dst, scratch;
};

static const char *reason(dnnl_status_t status)
{
    switch (status) {
    case dnnl_out_of_memory:
        return "out of memory";
    case dnnl_invalid_arguments:
        return "invalid arguments";
    case dnnl_unimplemented:
        return "not implemented for this shape";
    case dnnl_runtime_error:
        return "runtime error";
    default:
        return "failed";
    }
}

#define DNNL_TRY_DONE(call)                                                                        \
    do {                                                                                           \
        const dnnl_status_t dnnl_try_status_ = (call);                                             \
        if (dnnl_try_status_ != dnnl_success) {                                                    \
            status = gwf_fail(err, GWF_ERR_BACKEND, "backend cpu: oneDNN %s: %s", #call,           \
                              reason(dnnl_try_status_));                                           \
            goto done;                                                                             \
        }                                                                                          \
    } while (0)

/* oneDNN sizes its work by the calling thread's OpenMP setting: lend it ours for a call. */
static int lend_threads(const gwf_context *context)
{
    const int before = omp_get_max_threads();
    omp_set_num_threads(context->maps.threads);
    return before;
}

static void destroy_memory(dnnl_memory_t memory)
{
    if (memory) dnnl_memory_destroy(memory);
}

static void release(gwf_context *context, gwf_step *step)
{
    (void)context;
    if (!step) return;
    if (step->primitive) dnnl_primitive_destroy(step->primitive);
    destroy_memory(step->src);
    destroy_memory(step->weights);
    destroy_memory(step->bias);
    destroy_memory(step->dst);
    destroy_memory(step->scratch);
    free(step);
}

/* A view as oneDNN sees it: a dense blocked map of its own. */
static dnnl_status_t describe_view(const gwf_context *context, const gwf_view *view,
                                   dnnl_memory_desc_t *desc)
{
    const dnnl_dims_t dims = {1, view->channels, view->rows, view->cols};
    return dnnl_memory_desc_init_by_tag(desc, 4, dims, dnnl_f32,
                                        context->maps.block == 16 ? dnnl_nChw16c : dnnl_nChw8c);
}

static dnnl_status_t append_activation(dnnl_primitive_attr_t attr, gwf_activation activation)
{
    if (activation == GWF_IDENTITY) return dnnl_success;
    dnnl_post_ops_t ops;
    dnnl_status_t status = dnnl_post_ops_create(&ops);
    if (status != dnnl_success) return status;
    if (activation == GWF_SIGMOID)
        status = dnnl_post_ops_append_eltwise(ops, 1, dnnl_eltwise_logistic, 0, 0);
    else
        status = dnnl_post_ops_append_eltwise(ops, 1, dnnl_eltwise_relu,
                                              activation == GWF_LEAKY_RELU ? 0.01f : 0, 0);
    if (status == dnnl_success) status = dnnl_primitive_attr_set_post_ops(attr, ops);
    dnnl_post_ops_destroy(ops);
    return status;
}

/* The direct convolution with bias and activation in one primitive. */
static gwf_status choose_conv(gwf_context *context, const gwf_op *op, dnnl_primitive_desc_t *result,
                              gwf_error *err)
{
    gwf_status status = GWF_OK;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_memory_desc_t src, weights, bias, dst;
    dnnl_convolution_desc_t conv;
    const dnnl_dims_t filter = {op->out.channels, op->in.channels, op->kernel, op->kernel};
    const dnnl_dims_t n_bias = {op->out.channels}, strides = {1, 1};
    const dnnl_dims_t pad = {op->pad_y, op->pad_x};

    DNNL_TRY_DONE(describe_view(context, &op->in, &src));
    DNNL_TRY_DONE(describe_view(context, &op->out, &dst));
    DNNL_TRY_DONE(dnnl_memory_desc_init_by_tag(&weights, 4, filter, dnnl_f32, dnnl_format_tag_any));
    DNNL_TRY_DONE(dnnl_memory_desc_init_by_tag(&bias, 1, n_bias, dnnl_f32, dnnl_x));
    DNNL_TRY_DONE(dnnl_convolution_forward_desc_init(&conv, dnnl_forward_inference,
                                                     dnnl_convolution_direct, &src, &weights, &bias,
                                                     &dst, strides, pad, pad));
    DNNL_TRY_DONE(dnnl_primitive_attr_create(&attr));
    DNNL_TRY_DONE(dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user));
    DNNL_TRY_DONE(append_activation(attr, op->activation));
    DNNL_TRY_DONE(dnnl_primitive_desc_create(result, &conv, attr, context->engine, NULL));
done:
    if (attr) dnnl_primitive_attr_destroy(attr);
    return status;
}

/* Weights from (out, in, kernel, kernel) to the layout the primitive asks for, once. */
static gwf_status pack_weights(gwf_context *context, const gwf_op *op, dnnl_memory_t packed,
                               gwf_error *err)
{
    gwf_status status = GWF_OK;
    dnnl_memory_t plain = NULL;
    dnnl_primitive_desc_t desc = NULL;
    dnnl_primitive_t reorder = NULL;
    dnnl_memory_desc_t from;
    const dnnl_memory_desc_t *to = NULL;
    const dnnl_dims_t filter = {op->out.channels, op->in.channels, op->kernel, op->kernel};

    DNNL_TRY_DONE(dnnl_memory_desc_init_by_tag(&from, 4, filter, dnnl_f32, dnnl_oihw));
    DNNL_TRY_DONE(dnnl_memory_get_memory_desc(packed, &to));
    DNNL_TRY_DONE(dnnl_memory_create(&plain, &from, context->engine, (void *)op->weights));
    DNNL_TRY_DONE(dnnl_reorder_primitive_desc_create(&desc, &from, context->engine, to,
                                                     context->engine, NULL));
    DNNL_TRY_DONE(dnnl_primitive_create(&reorder, desc));
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, plain}, {DNNL_ARG_TO, packed}};
    DNNL_TRY_DONE(dnnl_primitive_execute(reorder, context->stream, 2, args));
    DNNL_TRY_DONE(dnnl_stream_wait(context->stream));
done:
    if (reorder) dnnl_primitive_destroy(reorder);
    if (desc) dnnl_primitive_desc_destroy(desc);
    destroy_memory(plain);
    return status;
}

static gwf_status copy_bias(const gwf_op *op, dnnl_memory_t bias, gwf_error *err)
{
    gwf_status status = GWF_OK;
    void *values = NULL;
    DNNL_TRY_DONE(dnnl_memory_get_data_handle(bias, &values));
    memcpy(values, op->bias, (size_t)op->out.channels * sizeof(float));
done:
    return status;
}

static gwf_status prepare_conv(gwf_context *context, const gwf_op *op, gwf_step *step,
                               gwf_error *err)
{
    gwf_status status = GWF_OK;
    dnnl_primitive_desc_t desc = NULL;
    GWF_TRY_DONE(choose_conv(context, op, &desc, err));
    const struct {
        dnnl_query_t what;
        int index;
        void *handle;
        dnnl_memory_t *memory;
    } wanted[] = {
        {dnnl_query_src_md, 0, DNNL_MEMORY_NONE, &step->src},
        {dnnl_query_weights_md, 0, DNNL_MEMORY_ALLOCATE, &step->weights},
        {dnnl_query_weights_md, 1, DNNL_MEMORY_ALLOCATE, &step->bias},
        {dnnl_query_dst_md, 0, DNNL_MEMORY_NONE, &step->dst},
        {dnnl_query_scratchpad_md, 0, DNNL_MEMORY_NONE, &step->scratch},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        DNNL_TRY_DONE(dnnl_memory_create(
            wanted[i].memory, dnnl_primitive_desc_query_md(desc, wanted[i].what, wanted[i].index),
            context->engine, wanted[i].handle));
    const size_t scratch =
        dnnl_memory_desc_get_size(dnnl_primitive_desc_query_md(desc, dnnl_query_scratchpad_md, 0));
    if (scratch > context->scratch_bytes) context->scratch_bytes = scratch;
    GWF_TRY_DONE(pack_weights(context, op, step->weights, err));
    GWF_TRY_DONE(copy_bias(op, step->bias, err));
    DNNL_TRY_DONE(dnnl_primitive_create(&step->primitive, desc));
done:
    if (desc) dnnl_primitive_desc_destroy(desc);
    return status;
}

static gwf_status prepare(gwf_context *context, const gwf_op *op, gwf_step **result, gwf_error *err)
{
    gwf_step *step = calloc(1, sizeof *step);
    if (!step) return gwf_fail(err, GWF_ERR_MEMORY, "backend cpu: no memory for a step");
    step->op = *op;
    if (op->kind == GWF_OP_CONV) {
        const int before = lend_threads(context);
        const gwf_status status = prepare_conv(context, op, step, err);
        omp_set_num_threads(before);
        if (status != GWF_OK) {
            release(context, step);
            return status;
        }
    }
    *result = step;
    return GWF_OK;
}

static gwf_status run_conv(gwf_context *context, gwf_step *step, gwf_error *err)
{
    gwf_status status = GWF_OK;
    const int before = lend_threads(context);
    DNNL_TRY_DONE(
        dnnl_memory_set_data_handle(step->src, gwf_blocked_at(&context->maps, &step->op.in)));
    DNNL_TRY_DONE(
        dnnl_memory_set_data_handle(step->dst, gwf_blocked_at(&context->maps, &step->op.out)));
    DNNL_TRY_DONE(dnnl_memory_set_data_handle(step->scratch, context->scratch));
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, step->src},
                                    {DNNL_ARG_WEIGHTS, step->weights},
                                    {DNNL_ARG_BIAS, step->bias},
                                    {DNNL_ARG_DST, step->dst},
                                    {DNNL_ARG_SCRATCHPAD, step->scratch}};
    DNNL_TRY_DONE(dnnl_primitive_execute(step->primitive, context->stream, 5, args));
    DNNL_TRY_DONE(dnnl_stream_wait(context->stream));
done:
    omp_set_num_threads(before);
    return status;
}

static gwf_status run(gwf_context *context, gwf_step *step, gwf_error *err)
{
    switch (step->op.kind) {
    case GWF_OP_CONV:
        return run_conv(context, step, err);
    case GWF_OP_POOL:
        gwf_blocked_pool(&context->maps, &step->op);
        break;
    case GWF_OP_UPSAMPLE:
        gwf_blocked_upsample(&context->maps, &step->op);
        break;
    case GWF_OP_GATE:
        gwf_blocked_gate(&context->maps, &step->op);
        break;
    case GWF_OP_HALO:
        gwf_blocked_halo(&context->maps, &step->op);
        break;
    }
    return GWF_OK;
}

static const char *isa_name(dnnl_cpu_isa_t isa)
{
    switch (isa) {
    case dnnl_cpu_isa_sse41:
        return "SSE4.1";
    case dnnl_cpu_isa_avx:
        return "AVX";
    case dnnl_cpu_isa_avx2:
        return "AVX2";
    case dnnl_cpu_isa_avx2_vnni:
        return "AVX2-VNNI";
    case dnnl_cpu_isa_avx512_core:
        return "AVX-512";
    case dnnl_cpu_isa_avx512_core_vnni:
        return "AVX-512 VNNI";
    case dnnl_cpu_isa_avx512_core_bf16:
        return "AVX-512 BF16";
    case dnnl_cpu_isa_avx512_core_amx:
        return "AVX-512 AMX";
    default:
        return "unknown instruction set";
    }
}

static void close_cpu(gwf_context *context)
{
    if (!context) return;
    if (context->stream) dnnl_stream_destroy(context->stream);
    if (context->engine) dnnl_engine_destroy(context->engine);
    free(context->scratch);
    free(context->maps.arena);
    free(context);
}

static gwf_status open_cpu(const gwf_backend_config *config, gwf_context **result, gwf_error *err)
{
    gwf_status status = GWF_OK;
    gwf_context *context = calloc(1, sizeof *context);
    if (!context) return gwf_fail(err, GWF_ERR_MEMORY, "backend cpu: no memory");
    const dnnl_cpu_isa_t isa = dnnl_get_effective_cpu_isa();
    const dnnl_version_t *version = dnnl_version();
    context->maps.threads = config->threads > 0 ? config->threads : omp_get_max_threads();
    context->maps.block = isa >= dnnl_cpu_isa_avx512_core ? 16 : 8;
    DNNL_TRY_DONE(dnnl_engine_create(&context->engine, dnnl_cpu, 0));
    DNNL_TRY_DONE(dnnl_stream_create(&context->stream, context->engine, dnnl_stream_default_flags));
    snprintf(context->description, sizeof context->description, "oneDNN %d.%d.%d, %s, %d thread%s",
             version->major, version->minor, version->patch, isa_name(isa), context->maps.threads,
             context->maps.threads == 1 ? "" : "s");
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

static int channel_block(const gwf_context *context)
{
    return context->maps.block;
}

static size_t map_bytes(const gwf_context *context, int channels, int rows, int cols)
{
    (void)context;
    return (size_t)channels * (size_t)rows * (size_t)cols * sizeof(float);
}

static void *allocate(size_t bytes)
{
    const size_t rounded = gwf_size_round_up(bytes ? bytes : 1, ALIGNMENT);
    void *memory = aligned_alloc(ALIGNMENT, rounded);
    if (memory) memset(memory, 0, rounded);
    return memory;
}

static gwf_status reserve(gwf_context *context, size_t bytes, gwf_error *err)
{
    context->maps.arena = allocate(bytes);
    context->scratch = allocate(context->scratch_bytes);
    if (!context->maps.arena || !context->scratch)
        return gwf_fail(err, GWF_ERR_MEMORY, "backend cpu: no memory for an arena of %zu bytes",
                        bytes + context->scratch_bytes);
    return GWF_OK;
}

static gwf_status load(gwf_context *context, const gwf_view *to, const float *values, int channels,
                       gwf_error *err)
{
    (void)err;
    gwf_blocked_load(&context->maps, to, values, channels);
    return GWF_OK;
}

static gwf_status store(gwf_context *context, const gwf_view *from, float *values, int channels,
                        gwf_error *err)
{
    (void)err;
    gwf_blocked_store(&context->maps, from, values, channels);
    return GWF_OK;
}

const gwf_backend gwf_backend_cpu = {
    .name = "cpu",
    .summary = "oneDNN, blocked layouts, OpenMP threads",
    .precision = "fp32",
    .open = open_cpu,
    .close = close_cpu,
    .describe = describe,
    .channel_block = channel_block,
    .map_bytes = map_bytes,
    .prepare = prepare,
    .release = release,
    .reserve = reserve,
    .load = load,
    .run = run,
    .store = store,
};
