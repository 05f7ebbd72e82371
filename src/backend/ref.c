/* The reference backend: what each operation means. Plain loops over (channels, rows, cols)
 * float32 maps, sums in double. Maps in 8 bits hold their integers, as float32 too. */
#include "backend/ref_conv.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct gwf_context {
    float *arena;
    int batch;
    bool int8;
};

struct gwf_step {
    gwf_op op;
    gwf_ref_conv conv;
};

/* First value of channel c of a view of map `slot`. */
static float *channel(const gwf_context *context, const gwf_view *view, int slot, int c)
{
    const size_t plane = (size_t)view->rows * (size_t)view->cols;
    return context->arena + view->offset / sizeof(float) +
           plane * (size_t)(slot * view->map_channels + view->first + c);
}

/* The larger one; NaN wins, as in PyTorch. */
static float larger(float a, float b)
{
    return a > b || isnan(a) ? a : b;
}

static void run_pool(const gwf_context *context, const gwf_op *op, int slot)
{
    const int cols = op->in.cols;
    for (int c = 0; c < op->out.channels; c++) {
        const float *in = channel(context, &op->in, slot, c);
        float *out = channel(context, &op->out, slot, c);
        for (int y = 0; y < op->out.rows; y++)
            for (int x = 0; x < op->out.cols; x++) {
                const float *corner = in + 2 * y * cols + 2 * x;
                const float most =
                    larger(larger(corner[0], corner[1]), larger(corner[cols], corner[cols + 1]));
                *out++ = gwf_ref_kept(&op->out, c, gwf_ref_meant(&op->in, c, most));
            }
    }
}

static void run_gate(const gwf_context *context, const gwf_op *op, int slot)
{
    const int n = op->out.rows * op->out.cols;
    const gwf_int8 *int8 = op->out.int8;
    for (int c = 0; c < op->out.channels; c++) {
        const float *gate = channel(context, &op->in, slot, op->gate_channels == 1 ? 0 : c);
        float *out = channel(context, &op->out, slot, c);
        for (int i = 0; i < n; i++) {
            out[i] *= gate[i];
            if (int8) out[i] = gwf_int8_round(int8->is_signed, out[i], 1);
        }
    }
}

static void run_halo(const gwf_context *context, const gwf_op *op, int slot)
{
    const int rows = op->in.rows, cols = op->in.cols;
    for (int c = 0; c < op->out.channels; c++) {
        const float *in = channel(context, &op->in, slot, c);
        float *out = channel(context, &op->out, slot, c);
        for (int y = -op->halo_y; y < rows + op->halo_y; y++)
            for (int x = -op->halo_x; x < cols + op->halo_x; x++)
                *out++ = y < 0 || y >= rows || (op->halo_zero && (x < 0 || x >= cols))
                             ? 0
                             : in[y * cols + (x + cols) % cols];
    }
}

static void run_slot(const gwf_context *context, const gwf_step *step, int slot)
{
    switch (step->op.kind) {
    case GWF_OP_CONV:
    case GWF_OP_UPCONV:
        gwf_ref_conv_run(&step->conv, &step->op, channel(context, &step->op.in, slot, 0),
                         channel(context, &step->op.out, slot, 0));
        break;
    case GWF_OP_POOL:
        run_pool(context, &step->op, slot);
        break;
    case GWF_OP_GATE:
        run_gate(context, &step->op, slot);
        break;
    case GWF_OP_HALO:
        run_halo(context, &step->op, slot);
        break;
    }
}

static gwf_status run(gwf_context *context, gwf_step *step, gwf_error *err)
{
    (void)err;
    for (int slot = 0; slot < context->batch; slot++) run_slot(context, step, slot);
    return GWF_OK;
}

static void release(gwf_context *context, gwf_step *step)
{
    (void)context;
    if (!step) return;
    gwf_ref_conv_free(&step->conv);
    free(step);
}

static gwf_status prepare(gwf_context *context, const gwf_op *op, gwf_step **result, gwf_error *err)
{
    gwf_step *step = calloc(1, sizeof *step);
    if (!step) return gwf_fail(err, GWF_ERR_MEMORY, "backend ref: no memory for a step");
    step->op = *op;
    gwf_status status = GWF_OK;
    if (op->kind == GWF_OP_CONV || op->kind == GWF_OP_UPCONV)
        status = gwf_ref_conv_make(op, &step->conv, err);
    if (status != GWF_OK) {
        release(context, step);
        return status;
    }
    *result = step;
    return GWF_OK;
}

static gwf_status open_ref(const gwf_backend_config *config, gwf_context **context, gwf_error *err)
{
    if (config->precision > GWF_FP32_FAST && config->precision != GWF_INT8)
        return gwf_fail(err, GWF_ERR_UNSUPPORTED,
                        "backend ref has precision fp32, fp32-fast and int8, not %s",
                        gwf_precision_word(config->precision));
    *context = calloc(1, sizeof **context);
    if (!*context) return gwf_fail(err, GWF_ERR_MEMORY, "backend ref: no memory");
    (*context)->batch = config->batch;
    (*context)->int8 = config->precision == GWF_INT8;
    return GWF_OK;
}

static void close_ref(gwf_context *context)
{
    if (context) free(context->arena);
    free(context);
}

static const char *describe(const gwf_context *context)
{
    (void)context;
    return "plain C, 1 thread";
}

static int channel_block(const gwf_context *context)
{
    (void)context;
    return 1;
}

static int batch(const gwf_context *context)
{
    return context->batch;
}

static size_t map_bytes(const gwf_context *context, int channels, int rows, int cols)
{
    return (size_t)context->batch * (size_t)channels * (size_t)rows * (size_t)cols * sizeof(float);
}

static gwf_status reserve(gwf_context *context, size_t bytes, gwf_error *err)
{
    context->arena = calloc(1, bytes);
    return context->arena ? GWF_OK
                          : gwf_fail(err, GWF_ERR_MEMORY,
                                     "backend ref: no memory for an arena of %zu bytes", bytes);
}

static gwf_status load(gwf_context *context, const gwf_view *to, int slot, const float *values,
                       int channels, gwf_error *err)
{
    (void)err;
    const size_t plane = (size_t)to->rows * (size_t)to->cols;
    for (int c = 0; c < to->channels; c++) {
        float *at = channel(context, to, slot, c);
        for (size_t i = 0; i < plane; i++)
            at[i] = c < channels ? gwf_ref_kept(to, c, values[plane * (size_t)c + i]) : 0;
    }
    return GWF_OK;
}

static gwf_status store(gwf_context *context, const gwf_view *from, int slot, float *values,
                        int channels, gwf_error *err)
{
    (void)err;
    const size_t plane = (size_t)from->rows * (size_t)from->cols;
    for (int c = 0; c < channels; c++) {
        const float *at = channel(context, from, slot, c);
        for (size_t i = 0; i < plane; i++) *values++ = gwf_ref_meant(from, c, at[i]);
    }
    return GWF_OK;
}

static gwf_status pack(gwf_context *context, const gwf_view *from, const gwf_rect *rect,
                       void *bytes, gwf_error *err)
{
    (void)err;
    float *to = bytes;
    for (int c = 0; c < from->channels; c++)
        for (int y = 0; y < rect->rows; y++, to += rect->cols)
            memcpy(to, channel(context, from, 0, c) + (rect->row + y) * from->cols + rect->col,
                   (size_t)rect->cols * sizeof *to);
    return GWF_OK;
}

static gwf_status unpack(gwf_context *context, const gwf_view *to, const gwf_rect *rect,
                         const void *bytes, gwf_error *err)
{
    (void)err;
    const float *from = bytes;
    for (int c = 0; c < to->channels; c++)
        for (int y = 0; y < rect->rows; y++, from += rect->cols)
            memcpy(channel(context, to, 0, c) + (rect->row + y) * to->cols + rect->col, from,
                   (size_t)rect->cols * sizeof *from);
    return GWF_OK;
}

static const char *precision(const gwf_context *context)
{
    return context->int8 ? "int8, sums exact; others fp32, sums in double" : "fp32, sums in double";
}

static const char *algorithm(const gwf_context *context, const gwf_step *step)
{
    (void)context;
    return step->conv.sums && step->op.in.int8 ? "int8" : "";
}

static gwf_status weights(gwf_context *context, gwf_step *step, gwf_weights_at *at, void *user,
                          gwf_error *err)
{
    (void)context;
    (void)err;
    gwf_ref_conv_weights(&step->conv, at, user);
    return GWF_OK;
}

static const int batches[] = {1, 0};

const gwf_backend gwf_backend_ref = {
    .name = "ref",
    .summary = "plain loops with double sums: slow, the meaning of every operation",
    .batches = batches,
    .open = open_ref,
    .close = close_ref,
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
    .weights = weights,
};
