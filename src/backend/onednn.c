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
    void *scratch; /* oneDNN's, one for all steps: they run one after the other */
    size_t scratch_bytes;
    float *phases; /* of an upconv, likewise */
    size_t phases_bytes;
    char description[128];
};

/* One oneDNN convolution with its packed weights. */
typedef struct conv {
    dnnl_primitive_t primitive;
    dnnl_memory_t src, weights, bias, dst, scratch;
} conv;

enum { PHASES = 4 };

struct gwf_step {
    gwf_op op;
    conv convs[PHASES]; /* a conv has one, an upconv four */
    int n_convs;
    int phase_rows, phase_cols; /* upconv: of each phase's result */
};

/* What a convolution is, in channels, rows and cols. Weights are (out, in, kernel, kernel). */
typedef struct conv_shape {
    int in[3], out[3], kernel;
    int pad_before[2], pad_after[2];
    gwf_activation activation;
    const float *weights, *bias;
} conv_shape;

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
    for (int i = 0; i < step->n_convs; i++) {
        conv *c = &step->convs[i];
        if (c->primitive) dnnl_primitive_destroy(c->primitive);
        destroy_memory(c->src);
        destroy_memory(c->weights);
        destroy_memory(c->bias);
        destroy_memory(c->dst);
        destroy_memory(c->scratch);
    }
    free(step);
}

/* Channels, rows, cols as oneDNN sees them: a dense blocked map. */
static dnnl_status_t describe_map(const gwf_context *context, const int size[3],
                                  dnnl_memory_desc_t *desc)
{
    const dnnl_dims_t dims = {1, size[0], size[1], size[2]};
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
static gwf_status choose_conv(gwf_context *context, const conv_shape *shape,
                              dnnl_primitive_desc_t *result, gwf_error *err)
{
    gwf_status status = GWF_OK;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_memory_desc_t src, weights, bias, dst;
    dnnl_convolution_desc_t desc;
    const dnnl_dims_t filter = {shape->out[0], shape->in[0], shape->kernel, shape->kernel};
    const dnnl_dims_t n_bias = {shape->out[0]}, strides = {1, 1};
    const dnnl_dims_t before = {shape->pad_before[0], shape->pad_before[1]};
    const dnnl_dims_t after = {shape->pad_after[0], shape->pad_after[1]};

    DNNL_TRY_DONE(describe_map(context, shape->in, &src));
    DNNL_TRY_DONE(describe_map(context, shape->out, &dst));
    DNNL_TRY_DONE(dnnl_memory_desc_init_by_tag(&weights, 4, filter, dnnl_f32, dnnl_format_tag_any));
    DNNL_TRY_DONE(dnnl_memory_desc_init_by_tag(&bias, 1, n_bias, dnnl_f32, dnnl_x));
    DNNL_TRY_DONE(dnnl_convolution_forward_desc_init(&desc, dnnl_forward_inference,
                                                     dnnl_convolution_direct, &src, &weights, &bias,
                                                     &dst, strides, before, after));
    DNNL_TRY_DONE(dnnl_primitive_attr_create(&attr));
    DNNL_TRY_DONE(dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user));
    DNNL_TRY_DONE(append_activation(attr, shape->activation));
    DNNL_TRY_DONE(dnnl_primitive_desc_create(result, &desc, attr, context->engine, NULL));
done:
    if (attr) dnnl_primitive_attr_destroy(attr);
    return status;
}

/* Weights from (out, in, kernel, kernel) to the layout the primitive asks for, once. */
static gwf_status pack_weights(gwf_context *context, const conv_shape *shape, dnnl_memory_t packed,
                               gwf_error *err)
{
    gwf_status status = GWF_OK;
    dnnl_memory_t plain = NULL;
    dnnl_primitive_desc_t desc = NULL;
    dnnl_primitive_t reorder = NULL;
    dnnl_memory_desc_t from;
    const dnnl_memory_desc_t *to = NULL;
    const dnnl_dims_t filter = {shape->out[0], shape->in[0], shape->kernel, shape->kernel};

    DNNL_TRY_DONE(dnnl_memory_desc_init_by_tag(&from, 4, filter, dnnl_f32, dnnl_oihw));
    DNNL_TRY_DONE(dnnl_memory_get_memory_desc(packed, &to));
    DNNL_TRY_DONE(dnnl_memory_create(&plain, &from, context->engine, (void *)shape->weights));
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

static gwf_status copy_bias(const conv_shape *shape, dnnl_memory_t bias, gwf_error *err)
{
    gwf_status status = GWF_OK;
    void *values = NULL;
    DNNL_TRY_DONE(dnnl_memory_get_data_handle(bias, &values));
    memcpy(values, shape->bias, (size_t)shape->out[0] * sizeof(float));
done:
    return status;
}

static gwf_status make_conv(gwf_context *context, const conv_shape *shape, conv *c, gwf_error *err)
{
    gwf_status status = GWF_OK;
    dnnl_primitive_desc_t desc = NULL;
    GWF_TRY_DONE(choose_conv(context, shape, &desc, err));
    const struct {
        dnnl_query_t what;
        int index;
        void *handle;
        dnnl_memory_t *memory;
    } wanted[] = {
        {dnnl_query_src_md, 0, DNNL_MEMORY_NONE, &c->src},
        {dnnl_query_weights_md, 0, DNNL_MEMORY_ALLOCATE, &c->weights},
        {dnnl_query_weights_md, 1, DNNL_MEMORY_ALLOCATE, &c->bias},
        {dnnl_query_dst_md, 0, DNNL_MEMORY_NONE, &c->dst},
        {dnnl_query_scratchpad_md, 0, DNNL_MEMORY_NONE, &c->scratch},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        DNNL_TRY_DONE(dnnl_memory_create(
            wanted[i].memory, dnnl_primitive_desc_query_md(desc, wanted[i].what, wanted[i].index),
            context->engine, wanted[i].handle));
    const size_t scratch =
        dnnl_memory_desc_get_size(dnnl_primitive_desc_query_md(desc, dnnl_query_scratchpad_md, 0));
    if (scratch > context->scratch_bytes) context->scratch_bytes = scratch;
    GWF_TRY_DONE(pack_weights(context, shape, c->weights, err));
    GWF_TRY_DONE(copy_bias(shape, c->bias, err));
    DNNL_TRY_DONE(dnnl_primitive_create(&c->primitive, desc));
done:
    if (desc) dnnl_primitive_desc_destroy(desc);
    return status;
}

static gwf_status prepare_conv(gwf_context *context, const gwf_op *op, gwf_step *step,
                               gwf_error *err)
{
    const conv_shape shape = {
        .in = {op->in.channels, op->in.rows, op->in.cols},
        .out = {op->out.channels, op->out.rows, op->out.cols},
        .kernel = op->kernel,
        .pad_before = {op->pad_y, op->pad_x},
        .pad_after = {op->pad_y, op->pad_x},
        .activation = op->activation,
        .weights = op->weights,
        .bias = op->bias,
    };
    step->n_convs = 1;
    return make_conv(context, &shape, &step->convs[0], err);
}

/* An upconv is four 2x2 convolutions of the small map, one for each place in the 2x2 that a small
 * pixel becomes: of the three rows of weights two fall on the same small row, and are added (exact
 * algebra, 4/9 of the work; sums in double). Rows {0}, {1, 2} in the upper place, {0, 1}, {2} in
 * the lower one; columns likewise. */
static void phase_weights(const gwf_op *op, int phase, float *weights)
{
    const size_t filters = (size_t)op->out.channels * (size_t)op->in.channels;
    const int lower = phase / 2, right = phase % 2;
    for (size_t f = 0; f < filters; f++) {
        double sums[2][2] = {{0}};
        for (int ky = 0; ky < 3; ky++)
            for (int kx = 0; kx < 3; kx++)
                sums[ky > lower][kx > right] += op->weights[9 * f + (size_t)(3 * ky + kx)];
        for (int i = 0; i < 4; i++) weights[4 * f + (size_t)i] = (float)sums[i / 2][i % 2];
    }
}

/* A direction that is padded with a zero only where the phase reaches over the edge gives as many
 * results as there are small pixels. One with a border of its own gives one more; the lower or
 * right phase then starts at the second (gwf_blocked_interleave). */
static gwf_status prepare_upconv(gwf_context *context, const gwf_op *op, gwf_step *step,
                                 gwf_error *err)
{
    gwf_status status = GWF_OK;
    const size_t filters = (size_t)op->out.channels * (size_t)op->in.channels;
    float *weights = malloc(4 * filters * sizeof *weights);
    if (!weights) return gwf_fail(err, GWF_ERR_MEMORY, "backend cpu: no memory for weights");
    step->phase_rows = op->in.rows - 1 + op->pad_y;
    step->phase_cols = op->in.cols - 1 + op->pad_x;
    step->n_convs = PHASES;
    for (int phase = 0; phase < PHASES; phase++) {
        const int lower = phase / 2, right = phase % 2;
        const conv_shape shape = {
            .in = {op->in.channels, op->in.rows, op->in.cols},
            .out = {op->out.channels, step->phase_rows, step->phase_cols},
            .kernel = 2,
            .pad_before = {op->pad_y && !lower, op->pad_x && !right},
            .pad_after = {op->pad_y && lower, op->pad_x && right},
            .activation = op->activation,
            .weights = weights,
            .bias = op->bias,
        };
        phase_weights(op, phase, weights);
        GWF_TRY_DONE(make_conv(context, &shape, &step->convs[phase], err));
    }
    const size_t bytes = PHASES * (size_t)op->out.channels * (size_t)step->phase_rows *
                         (size_t)step->phase_cols * sizeof(float);
    if (bytes > context->phases_bytes) context->phases_bytes = bytes;
done:
    free(weights);
    return status;
}

static gwf_status prepare(gwf_context *context, const gwf_op *op, gwf_step **result, gwf_error *err)
{
    gwf_status status = GWF_OK;
    gwf_step *step = calloc(1, sizeof *step);
    if (!step) return gwf_fail(err, GWF_ERR_MEMORY, "backend cpu: no memory for a step");
    step->op = *op;
    const int before = lend_threads(context);
    if (op->kind == GWF_OP_CONV) status = prepare_conv(context, op, step, err);
    if (op->kind == GWF_OP_UPCONV) status = prepare_upconv(context, op, step, err);
    omp_set_num_threads(before);
    if (status != GWF_OK) {
        release(context, step);
        return status;
    }
    *result = step;
    return GWF_OK;
}

static gwf_status execute(gwf_context *context, conv *c, float *src, float *dst, gwf_error *err)
{
    gwf_status status = GWF_OK;
    const int before = lend_threads(context);
    DNNL_TRY_DONE(dnnl_memory_set_data_handle(c->src, src));
    DNNL_TRY_DONE(dnnl_memory_set_data_handle(c->dst, dst));
    DNNL_TRY_DONE(dnnl_memory_set_data_handle(c->scratch, context->scratch));
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, c->src},
                                    {DNNL_ARG_WEIGHTS, c->weights},
                                    {DNNL_ARG_BIAS, c->bias},
                                    {DNNL_ARG_DST, c->dst},
                                    {DNNL_ARG_SCRATCHPAD, c->scratch}};
    DNNL_TRY_DONE(dnnl_primitive_execute(c->primitive, context->stream, 5, args));
    DNNL_TRY_DONE(dnnl_stream_wait(context->stream));
done:
    omp_set_num_threads(before);
    return status;
}

static gwf_status run_conv(gwf_context *context, gwf_step *step, gwf_error *err)
{
    return execute(context, &step->convs[0], gwf_blocked_at(&context->maps, &step->op.in),
                   gwf_blocked_at(&context->maps, &step->op.out), err);
}

static gwf_status run_upconv(gwf_context *context, gwf_step *step, gwf_error *err)
{
    const size_t phase =
        (size_t)step->op.out.channels * (size_t)step->phase_rows * (size_t)step->phase_cols;
    float *in = gwf_blocked_at(&context->maps, &step->op.in);
    for (int i = 0; i < PHASES; i++)
        GWF_TRY(execute(context, &step->convs[i], in, context->phases + phase * (size_t)i, err));
    gwf_blocked_interleave(&context->maps, &step->op.out, context->phases, step->phase_rows,
                           step->phase_cols);
    return GWF_OK;
}

static gwf_status run(gwf_context *context, gwf_step *step, gwf_error *err)
{
    switch (step->op.kind) {
    case GWF_OP_CONV:
        return run_conv(context, step, err);
    case GWF_OP_UPCONV:
        return run_upconv(context, step, err);
    case GWF_OP_POOL:
        gwf_blocked_pool(&context->maps, &step->op);
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
    free(context->phases);
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
    context->phases = allocate(context->phases_bytes);
    if (!context->maps.arena || !context->scratch || !context->phases)
        return gwf_fail(err, GWF_ERR_MEMORY, "backend cpu: no memory for an arena of %zu bytes",
                        bytes + context->scratch_bytes + context->phases_bytes);
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
