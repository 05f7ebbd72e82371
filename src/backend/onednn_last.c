/* The CPU backend with channels last in all maps, for
 *
 *   precision int8: oneDNN's convolutions of integers want them. Convolutions in higher precision
 *   multiply bfloat16 where the processor can, else float32; their results, where a map is kept in
 *   8 bits, become integers on the way to it.
 *
 *   chains of convolutions in any precision: a 1x1 convolution is a product of two matrices then,
 *   and faster than in blocks of channels. */
#include "backend/backend.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

#include "backend/channels_last.h"
#include "backend/onednn_conv.h"
#include "backend/phases.h"

enum { PHASES = 4, INT8_BLOCK = 4, BLOCK = 16 }; /* in fours: VNNI adds as many products at once */

struct gwf_context {
    gwf_backend_config config; /* what it points at lives until reserve() */
    gwf_last maps;
    gwf_dnnl dnnl;
    size_t scratch_bytes;
    char *aside; /* results on their way to a map; one for all steps */
    size_t aside_bytes;
    char description[128];
};

struct gwf_step {
    gwf_op op;
    gwf_conv convs[PHASES]; /* an upconv has four, a conv one */
    gwf_conv_way way;
    bool aside;      /* results do not go straight to their map ... */
    gwf_value makes; /* ... and are these */
    int rows, cols;  /* of what a convolution makes */
};

/* oneDNN sizes its work by the calling thread's OpenMP setting: lend it ours for a call. */
static int lend_threads(const gwf_context *context)
{
    const int before = omp_get_max_threads();
    omp_set_num_threads(context->maps.threads);
    return before;
}

static bool is_int8(gwf_value value)
{
    return value == GWF_VALUE_U8 || value == GWF_VALUE_S8;
}

static void release(gwf_context *context, gwf_step *step)
{
    (void)context;
    if (!step) return;
    for (int i = 0; i < PHASES; i++) gwf_conv_free(&step->convs[i]);
    free(step);
}

/* --- making convolutions --------------------------------------------------------------------- */

/* What the library can make of what it reads that is nearest to what the map holds. */
static gwf_value makes(const gwf_op *op, gwf_value reads, gwf_value wanted)
{
    if (!is_int8(reads))
        return reads == GWF_VALUE_BF16 && wanted == GWF_VALUE_BF16 ? wanted : GWF_VALUE_F32;
    return is_int8(wanted) && op->activation == GWF_SIGMOID ? GWF_VALUE_F32 : wanted;
}

/* What belongs to weights in 8 bits, for a library that adds the bias before it multiplies: sums
 * and bias in steps, and the factor that makes values of them, or integers of the result's map. */
static void scale_sums(const gwf_op *op, bool to_int8, gwf_int8_weights *weights)
{
    for (int k = 0; k < op->out.channels; k++) {
        const double step = weights->step[k];
        const double unit = to_int8 ? op->out.int8->scale[op->out.first + k] : 1;
        weights->bias[k] = (float)(weights->bias[k] / step);
        weights->step[k] = (float)(step / unit);
    }
}

static gwf_status make_int8(const gwf_context *context, const gwf_op *op, gwf_conv_shape *shape,
                            gwf_conv *conv, gwf_error *err)
{
    const gwf_int8_filters filters = {.out = shape->out[0],
                                      .in = shape->in[0],
                                      .taps = shape->kernel * shape->kernel,
                                      .weights = shape->weights,
                                      .bias = shape->bias,
                                      .scale = op->in.int8->scale + op->in.first,
                                      .mean = op->mean};
    gwf_int8_weights weights;
    GWF_TRY(gwf_int8_weights_make(&filters, &weights, err));
    scale_sums(op, is_int8(shape->writes), &weights);
    shape->bias = weights.bias;
    shape->int8_weights = weights.weight;
    shape->factor = weights.step;
    const gwf_status status = gwf_conv_make(&context->dnnl, shape, GWF_CONV_DIRECT, conv, err);
    gwf_int8_weights_free(&weights);
    return status;
}

/* Winograd's algorithm pays for maps and weights of any size that a chain has. */
static gwf_conv_way choose_way(const gwf_context *context, const gwf_conv_shape *shape)
{
    static const gwf_conv_way fast[] = {GWF_CONV_WINOGRAD_4X3, GWF_CONV_WINOGRAD_2X3};
    if (context->config.precision != GWF_FP32_FAST || shape->kernel != 3) return GWF_CONV_DIRECT;
    for (size_t i = 0; i < sizeof fast / sizeof *fast; i++)
        if (gwf_conv_possible(&context->dnnl, shape, fast[i])) return fast[i];
    return GWF_CONV_DIRECT;
}

/* One convolution of a step, in whatever its input is kept. */
static gwf_status make_conv(gwf_context *context, const gwf_op *op, gwf_conv_shape shape,
                            gwf_step *step, gwf_conv *conv, gwf_error *err)
{
    step->way = choose_way(context, &shape);
    const gwf_status status = is_int8(shape.reads)
                                  ? make_int8(context, op, &shape, conv, err)
                                  : gwf_conv_make(&context->dnnl, &shape, step->way, conv, err);
    if (status == GWF_OK && conv->scratch_bytes > context->scratch_bytes)
        context->scratch_bytes = conv->scratch_bytes;
    return status;
}

static gwf_conv_shape shape_of(const gwf_context *context, const gwf_step *step)
{
    const gwf_op *op = &step->op;
    return (gwf_conv_shape){
        .batch = context->maps.batch,
        .in = {op->in.channels, op->in.rows, op->in.cols},
        .out = {op->out.channels, step->rows, step->cols},
        .kernel = op->kernel,
        .reads = gwf_last_value(&context->maps, &op->in),
        .writes = step->makes,
        .channels_last = true,
        .pad_before = {op->pad_y, op->pad_x},
        .pad_after = {op->pad_y, op->pad_x},
        .activation = op->activation,
        .weights = op->weights,
        .bias = op->bias,
    };
}

/* An upconv as four 2x2 convolutions of the small map (backend/int8.h). A direction that is padded
 * with a zero only where the phase reaches over the edge gives as many results as there are small
 * pixels; one with a border of its own gives one more. */
static gwf_status make_phases(gwf_context *context, gwf_step *step, gwf_error *err)
{
    const gwf_op *op = &step->op;
    const size_t filters = (size_t)op->out.channels * (size_t)op->in.channels;
    float *weights = malloc(PHASES * filters * sizeof *weights);
    gwf_status status = GWF_OK;
    if (!weights) return gwf_fail(err, GWF_ERR_MEMORY, "backend cpu: no memory for weights");
    for (int phase = 0; phase < PHASES && status == GWF_OK; phase++) {
        const int lower = phase / 2, right = phase % 2;
        gwf_conv_shape shape = shape_of(context, step);
        shape.kernel = 2;
        shape.weights = weights;
        shape.pad_before[0] = op->pad_y && !lower;
        shape.pad_before[1] = op->pad_x && !right;
        shape.pad_after[0] = op->pad_y && lower;
        shape.pad_after[1] = op->pad_x && right;
        gwf_phase_weights(op, phase, weights);
        status = make_conv(context, op, shape, step, &step->convs[phase], err);
    }
    free(weights);
    return status;
}

/* Bytes of what one convolution makes, of the whole batch. */
static size_t made_bytes(const gwf_context *context, const gwf_step *step)
{
    return (size_t)context->maps.batch * (size_t)step->op.out.channels * (size_t)step->rows *
           (size_t)step->cols * gwf_value_size(step->makes);
}

static gwf_status make(gwf_context *context, gwf_step *step, gwf_error *err)
{
    const gwf_op *op = &step->op;
    const bool up = op->kind == GWF_OP_UPCONV;
    const gwf_value wanted = gwf_last_value(&context->maps, &op->out);
    if (op->kind != GWF_OP_CONV && !up) return GWF_OK;
    if (op->in.channels != op->in.map_channels)
        return gwf_fail(err, GWF_ERR_UNSUPPORTED,
                        "backend cpu: with channels last there is no convolution of a part of a "
                        "map");
    step->makes = makes(op, gwf_last_value(&context->maps, &op->in), wanted);
    step->aside = up || step->makes != wanted || op->out.channels != op->out.map_channels;
    step->rows = up ? op->in.rows - 1 + op->pad_y : op->out.rows;
    step->cols = up ? op->in.cols - 1 + op->pad_x : op->out.cols;
    const size_t bytes = made_bytes(context, step);
    if (step->aside && bytes > context->aside_bytes) context->aside_bytes = bytes;
    return up ? make_phases(context, step, err)
              : make_conv(context, op, shape_of(context, step), step, &step->convs[0], err);
}

static gwf_status prepare(gwf_context *context, const gwf_op *op, gwf_step **result, gwf_error *err)
{
    gwf_step *step = calloc(1, sizeof *step);
    if (!step) return gwf_fail(err, GWF_ERR_MEMORY, "backend cpu: no memory for a step");
    step->op = *op;
    const int before = lend_threads(context);
    const gwf_status status = make(context, step, err);
    omp_set_num_threads(before);
    if (status != GWF_OK) {
        release(context, step);
        return status;
    }
    *result = step;
    return GWF_OK;
}

/* --- running --------------------------------------------------------------------------------- */

/* What lies aside, to its map. */
static void put(const gwf_context *context, const gwf_step *step, int phase)
{
    const gwf_op *op = &step->op;
    const bool up = op->kind == GWF_OP_UPCONV;
    const int lower = phase / 2, right = phase % 2;
    const gwf_last_part part = {
        .from = context->aside,
        .floats = step->makes == GWF_VALUE_F32,
        .rows = step->rows,
        .cols = step->cols,
        .row = up && lower && !op->pad_y, /* the second, where there is one more */
        .col = up && right && !op->pad_x,
        .stride = up ? 2 : 1,
        .to_row = up ? lower : 0,
        .to_col = up ? right : 0,
    };
    gwf_last_put(&context->maps, &op->out, &part);
}

static gwf_status run_convs(gwf_context *context, gwf_step *step, gwf_error *err)
{
    const gwf_op *op = &step->op;
    const void *in = gwf_last_at(&context->maps, &op->in, 0);
    void *to = step->aside ? context->aside : gwf_last_at(&context->maps, &op->out, 0);
    for (int i = 0; i < (op->kind == GWF_OP_UPCONV ? PHASES : 1); i++) {
        GWF_TRY(gwf_conv_run(&context->dnnl, &step->convs[i], in, to, err));
        if (step->aside) put(context, step, i);
    }
    return GWF_OK;
}

static gwf_status run(gwf_context *context, gwf_step *step, gwf_error *err)
{
    const int before = lend_threads(context);
    gwf_status status = GWF_OK;
    switch (step->op.kind) {
    case GWF_OP_CONV:
    case GWF_OP_UPCONV:
        status = run_convs(context, step, err);
        break;
    case GWF_OP_POOL:
        gwf_last_pool(&context->maps, &step->op);
        break;
    case GWF_OP_GATE:
        gwf_last_gate(&context->maps, &step->op);
        break;
    case GWF_OP_HALO:
        gwf_last_halo(&context->maps, &step->op);
        break;
    }
    omp_set_num_threads(before);
    return status;
}

/* --- the rest of the table ------------------------------------------------------------------- */

static void close_last(gwf_context *context)
{
    if (!context) return;
    gwf_dnnl_close(&context->dnnl);
    free(context->aside);
    free(context->maps.arena);
    free(context);
}

static gwf_status check_config(const gwf_backend_config *config, dnnl_cpu_isa_t isa, gwf_error *err)
{
    if (config->precision != GWF_INT8) return gwf_dnnl_check_precision(config->precision, isa, err);
    if (gwf_dnnl_has_isa(isa, dnnl_cpu_isa_avx512_core_vnni)) return GWF_OK;
    return gwf_fail(err, GWF_ERR_UNSUPPORTED,
                    "backend cpu: precision int8 needs AVX-512 VNNI, this processor has %s: it has "
                    "precision fp32 and fp32-fast",
                    gwf_dnnl_isa_name(isa));
}

static gwf_status open_last(const gwf_backend_config *config, gwf_context **result, gwf_error *err)
{
    gwf_status status = GWF_OK;
    const dnnl_cpu_isa_t isa = dnnl_get_effective_cpu_isa();
    gwf_context *context = calloc(1, sizeof *context);
    if (!context) return gwf_fail(err, GWF_ERR_MEMORY, "backend cpu: no memory");
    GWF_TRY_DONE(gwf_dnnl_open(&context->dnnl, err));
    GWF_TRY_DONE(check_config(config, isa, err));
    const bool int8 = config->precision == GWF_INT8;
    context->config = *config;
    context->maps =
        (gwf_last){.bf16 = int8 ? gwf_dnnl_has_isa(isa, dnnl_cpu_isa_avx512_core_bf16)
                                : config->precision == GWF_BF16,
                   .batch = config->batch,
                   .threads = config->threads > 0 ? config->threads : omp_get_max_threads()};
    gwf_dnnl_describe(context->maps.threads, context->description, sizeof context->description);
    *result = context;
    return GWF_OK;
done:
    close_last(context);
    return status;
}

static const char *describe(const gwf_context *context)
{
    return context->description;
}

static const char *precision(const gwf_context *context)
{
    if (context->config.precision != GWF_INT8) return gwf_dnnl_precision(context->config.precision);
    return context->maps.bf16 ? "int8, others bf16" : "int8, others fp32";
}

static const char *algorithm(const gwf_context *context, const gwf_step *step)
{
    static const char *const names[3][2] = {{"channels last", "channels last, 4 phases"},
                                            {"bf16", "bf16, 4 phases"},
                                            {"int8", "int8, 4 phases"}};
    const bool up = step->op.kind == GWF_OP_UPCONV;
    const gwf_value reads = gwf_last_value(&context->maps, &step->op.in);
    if (step->op.kind != GWF_OP_CONV && !up) return "";
    if (step->way == GWF_CONV_WINOGRAD_4X3) return "Winograd 4x3";
    if (step->way == GWF_CONV_WINOGRAD_2X3) return "Winograd 2x3";
    return names[is_int8(reads) ? 2 : context->maps.bf16 && reads == GWF_VALUE_BF16][up];
}

static double executed(const gwf_context *context, const gwf_step *step)
{
    (void)context;
    return step->op.kind == GWF_OP_UPCONV ? 4.0 / 9 : gwf_conv_executed(step->way);
}

static gwf_status weights(gwf_context *context, gwf_step *step, gwf_weights_at *at, void *user,
                          gwf_error *err)
{
    (void)context;
    for (int i = 0; i < PHASES; i++) GWF_TRY(gwf_conv_weights(&step->convs[i], at, user, err));
    return GWF_OK;
}

static int channel_block(const gwf_context *context)
{
    return context->config.precision == GWF_INT8 ? INT8_BLOCK : BLOCK;
}

static int batch(const gwf_context *context)
{
    return context->maps.batch;
}

/* As many as it may need: which kind of values a map has is not known here. */
static size_t map_bytes(const gwf_context *context, int channels, int rows, int cols)
{
    return (size_t)context->maps.batch * (size_t)channels * (size_t)rows * (size_t)cols *
           sizeof(float);
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
    gwf_last_load(&context->maps, to, slot, values, channels);
    return GWF_OK;
}

static gwf_status store(gwf_context *context, const gwf_view *from, int slot, float *values,
                        int channels, gwf_error *err)
{
    (void)err;
    gwf_last_store(&context->maps, from, slot, values, channels);
    return GWF_OK;
}

static gwf_status pack(gwf_context *context, const gwf_view *from, const gwf_rect *rect,
                       void *bytes, gwf_error *err)
{
    (void)err;
    gwf_last_pack(&context->maps, from, rect, bytes);
    return GWF_OK;
}

static gwf_status unpack(gwf_context *context, const gwf_view *to, const gwf_rect *rect,
                         const void *bytes, gwf_error *err)
{
    (void)err;
    gwf_last_unpack(&context->maps, to, rect, bytes);
    return GWF_OK;
}

static const int batches[] = {1, 0};

const gwf_backend gwf_backend_cpu_last = {
    .name = "cpu",
    .summary = "oneDNN, channels last, OpenMP threads",
    .batches = batches,
    .open = open_last,
    .close = close_last,
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
