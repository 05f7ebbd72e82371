/* The reference backend: what each operation means. Plain loops over (channels, rows, cols)
 * float32 maps, sums in double. */
#include "backend/backend.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct gwf_context {
    float *arena;
    int batch;
};

struct gwf_step {
    gwf_op op;
    float *weights, *bias; /* owned copies */
    double *sums;          /* of one row */
    float *large;          /* upconv: in, each value in a 2x2, and the border it has */
};

/* First value of channel c of a view of map `slot`. */
static float *channel(const gwf_context *context, const gwf_view *view, int slot, int c)
{
    const size_t plane = (size_t)view->rows * (size_t)view->cols;
    return context->arena + view->offset / sizeof(float) +
           plane * (size_t)(slot * view->map_channels + view->first + c);
}

static float activate(gwf_activation activation, double x)
{
    switch (activation) {
    case GWF_IDENTITY:
        break;
    case GWF_RELU:
        return (float)(x < 0 ? 0 : x);
    case GWF_LEAKY_RELU:
        return (float)(x < 0 ? 0.01 * x : x);
    case GWF_SIGMOID:
        return (float)(1 / (1 + exp(-x)));
    }
    return (float)x;
}

/* sum[x] += weight * row[x + shift] wherever x + shift is a column of the row. */
static void add_shifted(double *sum, int n, double weight, const float *row, int cols, int shift)
{
    const int from = shift < 0 ? -shift : 0;
    const int to = n < cols - shift ? n : cols - shift;
    for (int x = from; x < to; x++) sum[x] += weight * row[x + shift];
}

/* Planes of float32, one behind the other. */
typedef struct planes {
    const float *first;
    int channels, rows, cols;
} planes;

/* The weighted sums around each pixel of row y for one output channel, zeros outside the map. */
static void convolve_row(const gwf_op *op, planes in, const float *weights, int y, double *sum)
{
    for (int c = 0; c < in.channels; c++) {
        const float *plane = in.first + (size_t)c * (size_t)in.rows * (size_t)in.cols;
        for (int ky = 0; ky < op->kernel; ky++) {
            const int row = y + ky - op->pad_y;
            const bool inside = row >= 0 && row < in.rows;
            for (int kx = 0; kx < op->kernel; kx++, weights++)
                if (inside)
                    add_shifted(sum, op->out.cols, *weights, plane + row * in.cols, in.cols,
                                kx - op->pad_x);
        }
    }
}

static void convolve(const gwf_context *context, const gwf_step *step, int slot, planes in)
{
    const gwf_op *op = &step->op;
    const size_t filter = (size_t)in.channels * (size_t)(op->kernel * op->kernel);
    for (int k = 0; k < op->out.channels; k++) {
        float *out = channel(context, &op->out, slot, k);
        for (int y = 0; y < op->out.rows; y++) {
            for (int x = 0; x < op->out.cols; x++) step->sums[x] = step->bias[k];
            convolve_row(op, in, step->weights + filter * (size_t)k, y, step->sums);
            for (int x = 0; x < op->out.cols; x++) *out++ = activate(op->activation, step->sums[x]);
        }
    }
}

static void run_conv(const gwf_context *context, const gwf_step *step, int slot)
{
    const gwf_view *in = &step->op.in;
    const planes map = {channel(context, in, slot, 0), in->channels, in->rows, in->cols};
    convolve(context, step, slot, map);
}

/* Size of in with each value in a 2x2; of a border of its own only the inner half is needed. */
static planes large_map(const gwf_step *step)
{
    const gwf_op *op = &step->op;
    return (planes){step->large, op->in.channels, 2 * op->in.rows - 2 * (1 - op->pad_y),
                    2 * op->in.cols - 2 * (1 - op->pad_x)};
}

static void run_upconv(const gwf_context *context, const gwf_step *step, int slot)
{
    const gwf_op *op = &step->op;
    const planes large = large_map(step);
    const int skip_y = 1 - op->pad_y, skip_x = 1 - op->pad_x; /* outer half of the border */
    float *to = step->large;
    for (int c = 0; c < large.channels; c++) {
        const float *in = channel(context, &op->in, slot, c);
        for (int y = 0; y < large.rows; y++)
            for (int x = 0; x < large.cols; x++)
                *to++ = in[(y + skip_y) / 2 * op->in.cols + (x + skip_x) / 2];
    }
    convolve(context, step, slot, large);
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
                *out++ =
                    larger(larger(corner[0], corner[1]), larger(corner[cols], corner[cols + 1]));
            }
    }
}

static void run_gate(const gwf_context *context, const gwf_op *op, int slot)
{
    const int n = op->out.rows * op->out.cols;
    for (int c = 0; c < op->out.channels; c++) {
        const float *gate = channel(context, &op->in, slot, op->gate_channels == 1 ? 0 : c);
        float *out = channel(context, &op->out, slot, c);
        for (int i = 0; i < n; i++) out[i] *= gate[i];
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
        run_conv(context, step, slot);
        break;
    case GWF_OP_UPCONV:
        run_upconv(context, step, slot);
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
    free(step->weights);
    free(step->bias);
    free(step->sums);
    free(step->large);
    free(step);
}

static float *copy_of(const float *values, size_t n)
{
    float *copy = malloc(n * sizeof *copy);
    if (copy) memcpy(copy, values, n * sizeof *copy);
    return copy;
}

/* What a convolution keeps: weights, bias, room for a row of sums and for a large map. */
static gwf_status keep_conv(const gwf_op *op, gwf_step *step, gwf_error *err)
{
    const size_t n = (size_t)op->out.channels, taps = (size_t)(op->kernel * op->kernel);
    const planes large = large_map(step);
    const size_t values = (size_t)large.channels * (size_t)large.rows * (size_t)large.cols;
    const bool up = op->kind == GWF_OP_UPCONV;
    step->weights = copy_of(op->weights, n * (size_t)op->in.channels * taps);
    step->bias = copy_of(op->bias, n);
    step->sums = malloc((size_t)op->out.cols * sizeof *step->sums);
    step->large = up ? malloc(values * sizeof *step->large) : NULL;
    if (step->weights && step->bias && step->sums && (step->large || !up)) return GWF_OK;
    return gwf_fail(err, GWF_ERR_MEMORY, "backend ref: no memory for weights");
}

static gwf_status prepare(gwf_context *context, const gwf_op *op, gwf_step **result, gwf_error *err)
{
    gwf_step *step = calloc(1, sizeof *step);
    if (!step) return gwf_fail(err, GWF_ERR_MEMORY, "backend ref: no memory for a step");
    step->op = *op;
    gwf_status status = GWF_OK;
    if (op->kind == GWF_OP_CONV || op->kind == GWF_OP_UPCONV) status = keep_conv(op, step, err);
    if (status != GWF_OK) {
        release(context, step);
        return status;
    }
    *result = step;
    return GWF_OK;
}

static gwf_status open_ref(const gwf_backend_config *config, gwf_context **context, gwf_error *err)
{
    if (config->precision > GWF_FP32_FAST)
        return gwf_fail(err, GWF_ERR_UNSUPPORTED,
                        "backend ref has precision fp32 and fp32-fast, not %s",
                        gwf_precision_word(config->precision));
    *context = calloc(1, sizeof **context);
    if (!*context) return gwf_fail(err, GWF_ERR_MEMORY, "backend ref: no memory");
    (*context)->batch = config->batch;
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
    memcpy(channel(context, to, slot, 0), values, plane * (size_t)channels * sizeof *values);
    memset(channel(context, to, slot, channels), 0,
           plane * (size_t)(to->channels - channels) * sizeof *values);
    return GWF_OK;
}

static gwf_status store(gwf_context *context, const gwf_view *from, int slot, float *values,
                        int channels, gwf_error *err)
{
    (void)err;
    memcpy(values, channel(context, from, slot, 0),
           (size_t)from->rows * (size_t)from->cols * (size_t)channels * sizeof *values);
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
    (void)context;
    return "fp32, sums in double";
}

static const char *algorithm(const gwf_context *context, const gwf_step *step)
{
    (void)context;
    (void)step;
    return "";
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
};
