/* The reference backend: what each operation means. Plain loops over (channels, rows, cols)
 * float32 maps, sums in double. Maps in 8 bits hold their integers, as float32 too. */
#include "backend/backend.h"
#include "backend/phases.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct gwf_context {
    float *arena;
    int batch;
    bool int8;
};

/* Weights of a convolution: result = activation(bias + step * weighted sum). */
typedef struct filters {
    float *weights, *step, *bias; /* owned */
} filters;

enum { PHASES = 4 };

struct gwf_step {
    gwf_op op;
    filters filters[PHASES]; /* an upconv in 8 bits has four, other convolutions one */
    double *sums;            /* of one row */
    float *large;            /* upconv: in, each value in a 2x2, and the border it has */
};

/* First value of channel c of a view of map `slot`. */
static float *channel(const gwf_context *context, const gwf_view *view, int slot, int c)
{
    const size_t plane = (size_t)view->rows * (size_t)view->cols;
    return context->arena + view->offset / sizeof(float) +
           plane * (size_t)(slot * view->map_channels + view->first + c);
}

/* What a view's channel holds for a value, and what a value it stands for. */
static float kept(const gwf_view *view, int c, float value)
{
    const gwf_int8 *int8 = view->int8;
    return int8 ? gwf_int8_round(int8->is_signed, value, 1 / int8->scale[view->first + c]) : value;
}

static float meant(const gwf_view *view, int c, float held)
{
    return view->int8 ? held * view->int8->scale[view->first + c] : held;
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

/* The sums of a row of output channel k to every `stride`th place of the result. */
static void finish_row(const gwf_op *op, const filters *f, int k, const double *sums, int n,
                       int stride, float *out)
{
    for (int x = 0; x < n; x++) {
        const double sum = f->bias[k] + f->step[k] * sums[x];
        out[x * stride] = kept(&op->out, k, activate(op->activation, sum));
    }
}

static void convolve(const gwf_context *context, const gwf_step *step, int slot, planes in)
{
    const gwf_op *op = &step->op;
    const filters *f = &step->filters[0];
    const size_t filter = (size_t)in.channels * (size_t)(op->kernel * op->kernel);
    for (int k = 0; k < op->out.channels; k++) {
        float *out = channel(context, &op->out, slot, k);
        for (int y = 0; y < op->out.rows; y++, out += op->out.cols) {
            memset(step->sums, 0, (size_t)op->out.cols * sizeof *step->sums);
            convolve_row(op, in, f->weights + filter * (size_t)k, y, step->sums);
            finish_row(op, f, k, step->sums, op->out.cols, 1, out);
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

/* Row y of one phase (columns `right`) of an upconv, before its sums are finished. */
static void phase_row(const gwf_step *step, planes in, const float *weights, int y, int right)
{
    const gwf_op *op = &step->op;
    const int row = y / 2 + y % 2 - op->pad_y, col = right - op->pad_x;
    memset(step->sums, 0, (size_t)op->out.cols / 2 * sizeof *step->sums);
    for (int c = 0; c < in.channels; c++) {
        const float *plane = in.first + (size_t)c * (size_t)in.rows * (size_t)in.cols;
        for (int tap = 0; tap < PHASES; tap++, weights++) {
            const int from = row + tap / 2;
            if (from >= 0 && from < in.rows)
                add_shifted(step->sums, op->out.cols / 2, *weights, plane + from * in.cols, in.cols,
                            col + tap % 2);
        }
    }
}

static void run_phases(const gwf_context *context, const gwf_step *step, int slot)
{
    const gwf_op *op = &step->op;
    const planes in = {channel(context, &op->in, slot, 0), op->in.channels, op->in.rows,
                       op->in.cols};
    const size_t filter = PHASES * (size_t)in.channels;
    for (int k = 0; k < op->out.channels; k++) {
        float *out = channel(context, &op->out, slot, k);
        for (int y = 0; y < op->out.rows; y++, out += op->out.cols)
            for (int right = 0; right < 2; right++) {
                const filters *f = &step->filters[2 * (y % 2) + right];
                phase_row(step, in, f->weights + filter * (size_t)k, y, right);
                finish_row(op, f, k, step->sums, op->out.cols / 2, 2, out + right);
            }
    }
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
                *out++ = kept(&op->out, c, meant(&op->in, c, most));
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
        run_conv(context, step, slot);
        break;
    case GWF_OP_UPCONV:
        if (step->op.in.int8)
            run_phases(context, step, slot);
        else
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

static void free_filters(filters *f)
{
    free(f->weights);
    free(f->step);
    free(f->bias);
}

static void release(gwf_context *context, gwf_step *step)
{
    (void)context;
    if (!step) return;
    for (int i = 0; i < PHASES; i++) free_filters(&step->filters[i]);
    free(step->sums);
    free(step->large);
    free(step);
}

static gwf_status no_memory(gwf_error *err)
{
    return gwf_fail(err, GWF_ERR_MEMORY, "backend ref: no memory for weights");
}

/* The weights as they come, `filter` for each output channel. */
static gwf_status copy_filters(const gwf_op *op, size_t filter, filters *to, gwf_error *err)
{
    const size_t n = (size_t)op->out.channels;
    *to = (filters){malloc(n * filter * sizeof(float)), malloc(n * sizeof(float)),
                    malloc(n * sizeof(float))};
    if (!to->weights || !to->step || !to->bias) return no_memory(err);
    memcpy(to->weights, op->weights, n * filter * sizeof(float));
    memcpy(to->bias, op->bias, n * sizeof(float));
    for (size_t k = 0; k < n; k++) to->step[k] = 1;
    return GWF_OK;
}

/* The same in 8 bits; weights (out, in, taps). */
static gwf_status round_filters(const gwf_op *op, const float *weights, int taps, filters *to,
                                gwf_error *err)
{
    const gwf_int8_filters from = {.out = op->out.channels,
                                   .in = op->in.channels,
                                   .taps = taps,
                                   .weights = weights,
                                   .bias = op->bias,
                                   .scale = op->in.int8->scale + op->in.first,
                                   .mean = op->mean};
    const size_t values = (size_t)from.out * (size_t)from.in * (size_t)taps;
    gwf_int8_weights made = {0};
    GWF_TRY(gwf_int8_weights_make(&from, &made, err));
    *to = (filters){malloc(values * sizeof(float)), made.step, made.bias};
    for (size_t i = 0; to->weights && i < values; i++) to->weights[i] = made.weight[i];
    free(made.weight);
    return to->weights ? GWF_OK : no_memory(err);
}

static gwf_status round_phases(const gwf_op *op, gwf_step *step, gwf_error *err)
{
    const size_t n = (size_t)op->out.channels * (size_t)op->in.channels;
    float *weights = malloc(PHASES * n * sizeof *weights);
    gwf_status status = weights ? GWF_OK : no_memory(err);
    for (int phase = 0; phase < PHASES && status == GWF_OK; phase++) {
        gwf_phase_weights(op, phase, weights);
        status = round_filters(op, weights, PHASES, &step->filters[phase], err);
    }
    free(weights);
    return status;
}

/* What a convolution keeps: weights, room for a row of sums and for a large map. */
static gwf_status keep_conv(const gwf_op *op, gwf_step *step, gwf_error *err)
{
    const int taps = op->kernel * op->kernel;
    const planes large = large_map(step);
    const size_t values = (size_t)large.channels * (size_t)large.rows * (size_t)large.cols;
    const bool up = op->kind == GWF_OP_UPCONV;
    step->sums = malloc((size_t)op->out.cols * sizeof *step->sums);
    if (!step->sums) return no_memory(err);
    if (op->in.int8)
        return up ? round_phases(op, step, err)
                  : round_filters(op, op->weights, taps, &step->filters[0], err);
    step->large = up ? malloc(values * sizeof *step->large) : NULL;
    if (up && !step->large) return no_memory(err);
    return copy_filters(op, (size_t)op->in.channels * (size_t)taps, &step->filters[0], err);
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
            at[i] = c < channels ? kept(to, c, values[plane * (size_t)c + i]) : 0;
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
        for (size_t i = 0; i < plane; i++) *values++ = meant(from, c, at[i]);
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
    return step->filters[0].step && step->op.in.int8 ? "int8" : "";
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
