/* The CPU backend: convolutions by oneDNN's algorithms in blocked layouts, everything else
 * by blocked.c. */
#include "backend/backend.h"

#include <dnnl.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

#include "backend/blocked.h"
#include "backend/onednn_conv.h"

struct gwf_context {
    gwf_blocked maps; /* arena, block, threads */
    gwf_dnnl dnnl;
    float *phases; /* of an upconv; one for all steps */
    size_t phases_bytes;
    char description[128];
};

enum { PHASES = 4 };

struct gwf_step {
    gwf_op op;
    int slots;              /* maps of one call: the whole batch where they lie densely, else 1 */
    gwf_conv convs[PHASES]; /* a conv has one, an upconv four */
    int phase_rows, phase_cols; /* upconv: of each phase's result */
};

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
    for (int i = 0; i < PHASES; i++) gwf_conv_free(&step->convs[i]);
    free(step);
}

static bool dense(const gwf_view *view)
{
    return view->channels == view->map_channels;
}

static gwf_status prepare_conv(gwf_context *context, const gwf_op *op, gwf_step *step,
                               gwf_error *err)
{
    const gwf_conv_shape shape = {
        .batch = step->slots,
        .in = {op->in.channels, op->in.rows, op->in.cols},
        .out = {op->out.channels, op->out.rows, op->out.cols},
        .kernel = op->kernel,
        .pad_before = {op->pad_y, op->pad_x},
        .pad_after = {op->pad_y, op->pad_x},
        .activation = op->activation,
        .weights = op->weights,
        .bias = op->bias,
    };
    return gwf_conv_make(&context->dnnl, &shape, &step->convs[0], err);
}

/* Of one map. */
static size_t phase_values(const gwf_step *step)
{
    return (size_t)step->op.out.channels * (size_t)step->phase_rows * (size_t)step->phase_cols;
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
    for (int phase = 0; phase < PHASES; phase++) {
        const int lower = phase / 2, right = phase % 2;
        const gwf_conv_shape shape = {
            .batch = step->slots,
            .in = {op->in.channels, op->in.rows, op->in.cols},
            .out = {op->out.channels, step->phase_rows, step->phase_cols},
            .kernel = 2,
            .pad_before = {op->pad_y && !lower, op->pad_x && !right},
            .pad_after = {op->pad_y && lower, op->pad_x && right},
            .activation = op->activation,
            .weights = weights,
            .bias = op->bias,
        };
        gwf_phase_weights(op->weights, filters, phase, weights);
        GWF_TRY_DONE(gwf_conv_make(&context->dnnl, &shape, &step->convs[phase], err));
    }
    const size_t bytes = PHASES * (size_t)context->maps.batch * phase_values(step) * sizeof(float);
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
    step->slots =
        dense(&op->in) && (dense(&op->out) || op->kind == GWF_OP_UPCONV) ? context->maps.batch : 1;
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

static gwf_status run_conv(gwf_context *context, gwf_step *step, gwf_error *err)
{
    for (int slot = 0; slot < context->maps.batch; slot += step->slots)
        GWF_TRY(gwf_conv_run(&context->dnnl, &step->convs[0],
                             gwf_blocked_at(&context->maps, &step->op.in, slot),
                             gwf_blocked_at(&context->maps, &step->op.out, slot), err));
    return GWF_OK;
}

static gwf_status run_upconv(gwf_context *context, gwf_step *step, gwf_error *err)
{
    float *to = context->phases;
    for (int i = 0; i < PHASES; i++)
        for (int slot = 0; slot < context->maps.batch; slot += step->slots) {
            const float *in = gwf_blocked_at(&context->maps, &step->op.in, slot);
            GWF_TRY(gwf_conv_run(&context->dnnl, &step->convs[i], in, to, err));
            to += phase_values(step) * (size_t)step->slots;
        }
    gwf_blocked_interleave(&context->maps, &step->op.out, context->phases, step->phase_rows,
                           step->phase_cols);
    return GWF_OK;
}

/* Run a convolution with our number of threads. */
static gwf_status run_threaded(gwf_context *context, gwf_step *step, gwf_error *err)
{
    const int before = lend_threads(context);
    const gwf_status status = step->op.kind == GWF_OP_CONV ? run_conv(context, step, err)
                                                           : run_upconv(context, step, err);
    omp_set_num_threads(before);
    return status;
}

static gwf_status run(gwf_context *context, gwf_step *step, gwf_error *err)
{
    switch (step->op.kind) {
    case GWF_OP_CONV:
    case GWF_OP_UPCONV:
        return run_threaded(context, step, err);
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
    if (context->dnnl.stream) dnnl_stream_destroy(context->dnnl.stream);
    if (context->dnnl.engine) dnnl_engine_destroy(context->dnnl.engine);
    free(context->dnnl.scratch);
    free(context->phases);
    free(context->maps.arena);
    free(context);
}

static gwf_status open_cpu(const gwf_backend_config *config, gwf_context **result, gwf_error *err)
{
    gwf_status status = GWF_OK;
    if (config->precision > GWF_FP32_FAST)
        return gwf_fail(err, GWF_ERR_UNSUPPORTED,
                        "backend cpu has precision fp32 and fp32-fast, not %s",
                        gwf_precision_word(config->precision));
    gwf_context *context = calloc(1, sizeof *context);
    if (!context) return gwf_fail(err, GWF_ERR_MEMORY, "backend cpu: no memory");
    context->maps.batch = config->batch;
    const dnnl_cpu_isa_t isa = dnnl_get_effective_cpu_isa();
    const dnnl_version_t *version = dnnl_version();
    context->maps.threads = config->threads > 0 ? config->threads : omp_get_max_threads();
    /* Instruction sets are sets of bits: only those that hold AVX-512's have blocks of 16. */
    const bool wide = (isa & dnnl_cpu_isa_avx512_core) == dnnl_cpu_isa_avx512_core;
    context->maps.block = wide ? 16 : 8;
    context->dnnl.block = context->maps.block;
    context->dnnl.winograd = config->precision == GWF_FP32_FAST;
    DNNL_TRY_DONE(dnnl_engine_create(&context->dnnl.engine, dnnl_cpu, 0));
    DNNL_TRY_DONE(
        dnnl_stream_create(&context->dnnl.stream, context->dnnl.engine, dnnl_stream_default_flags));
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

static const char *precision(const gwf_context *context)
{
    return context->dnnl.winograd ? "fp32-fast (Winograd admitted)" : "fp32";
}

static const char *algorithm(const gwf_context *context, const gwf_step *step)
{
    (void)context;
    if (step->op.kind == GWF_OP_UPCONV) return "4 phases";
    if (step->op.kind != GWF_OP_CONV) return "";
    return step->convs[0].winograd ? "Winograd" : "direct";
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
           sizeof(float);
}

static gwf_status reserve(gwf_context *context, size_t bytes, gwf_error *err)
{
    context->maps.arena = gwf_aligned(bytes);
    context->dnnl.scratch = gwf_aligned(context->dnnl.scratch_bytes);
    context->phases = gwf_aligned(context->phases_bytes);
    if (!context->maps.arena || !context->dnnl.scratch || !context->phases)
        return gwf_fail(err, GWF_ERR_MEMORY, "backend cpu: no memory for an arena of %zu bytes",
                        bytes + context->dnnl.scratch_bytes + context->phases_bytes);
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

static const int batches[] = {1, 0};

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
};
