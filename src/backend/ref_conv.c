#include "backend/ref_conv.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "backend/phases.h"

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
static void finish_row(const gwf_op *op, const gwf_ref_filters *f, int k, const double *sums, int n,
                       int stride, float *out)
{
    for (int x = 0; x < n; x++) {
        const double sum = f->bias[k] + f->step[k] * sums[x];
        out[x * stride] = gwf_ref_kept(&op->out, k, activate(op->activation, sum));
    }
}

/* out: the first of the result's planes. */
static void convolve(const gwf_ref_conv *conv, const gwf_op *op, planes in, float *out)
{
    const gwf_ref_filters *f = &conv->filters[0];
    const size_t filter = (size_t)in.channels * (size_t)(op->kernel * op->kernel);
    for (int k = 0; k < op->out.channels; k++)
        for (int y = 0; y < op->out.rows; y++, out += op->out.cols) {
            memset(conv->sums, 0, (size_t)op->out.cols * sizeof *conv->sums);
            convolve_row(op, in, f->weights + filter * (size_t)k, y, conv->sums);
            finish_row(op, f, k, conv->sums, op->out.cols, 1, out);
        }
}

/* Size of in with each value in a 2x2; of a border of its own only the inner half is needed. */
static planes large_map(const gwf_ref_conv *conv, const gwf_op *op)
{
    return (planes){conv->large, op->in.channels, 2 * op->in.rows - 2 * (1 - op->pad_y),
                    2 * op->in.cols - 2 * (1 - op->pad_x)};
}

static planes enlarge(const gwf_ref_conv *conv, const gwf_op *op, const float *in)
{
    const planes large = large_map(conv, op);
    const int skip_y = 1 - op->pad_y, skip_x = 1 - op->pad_x; /* outer half of the border */
    float *to = conv->large;
    for (int c = 0; c < large.channels; c++, in += op->in.rows * op->in.cols)
        for (int y = 0; y < large.rows; y++)
            for (int x = 0; x < large.cols; x++)
                *to++ = in[(y + skip_y) / 2 * op->in.cols + (x + skip_x) / 2];
    return large;
}

/* Row y of one phase (columns `right`) of an upconv, before its sums are finished. */
static void phase_row(const gwf_op *op, planes in, const float *weights, int y, int right,
                      double *sums)
{
    const int row = y / 2 + y % 2 - op->pad_y, col = right - op->pad_x;
    memset(sums, 0, (size_t)op->out.cols / 2 * sizeof *sums);
    for (int c = 0; c < in.channels; c++) {
        const float *plane = in.first + (size_t)c * (size_t)in.rows * (size_t)in.cols;
        for (int tap = 0; tap < GWF_REF_PHASES; tap++, weights++) {
            const int from = row + tap / 2;
            if (from >= 0 && from < in.rows)
                add_shifted(sums, op->out.cols / 2, *weights, plane + from * in.cols, in.cols,
                            col + tap % 2);
        }
    }
}

static void convolve_phases(const gwf_ref_conv *conv, const gwf_op *op, planes in, float *out)
{
    const size_t filter = GWF_REF_PHASES * (size_t)in.channels;
    for (int k = 0; k < op->out.channels; k++)
        for (int y = 0; y < op->out.rows; y++, out += op->out.cols)
            for (int right = 0; right < 2; right++) {
                const gwf_ref_filters *f = &conv->filters[2 * (y % 2) + right];
                phase_row(op, in, f->weights + filter * (size_t)k, y, right, conv->sums);
                finish_row(op, f, k, conv->sums, op->out.cols / 2, 2, out + right);
            }
}

void gwf_ref_conv_run(const gwf_ref_conv *conv, const gwf_op *op, const float *in, float *out)
{
    const planes map = {in, op->in.channels, op->in.rows, op->in.cols};
    if (op->kind == GWF_OP_CONV)
        convolve(conv, op, map, out);
    else if (op->in.int8)
        convolve_phases(conv, op, map, out);
    else
        convolve(conv, op, enlarge(conv, op, in), out);
}

/* ---- making ---- */

static void free_filters(gwf_ref_filters *f)
{
    if (!f->elsewhere) free(f->weights);
    free(f->step);
    free(f->bias);
}

void gwf_ref_conv_free(gwf_ref_conv *conv)
{
    for (int i = 0; i < GWF_REF_PHASES; i++) free_filters(&conv->filters[i]);
    free(conv->sums);
    free(conv->large);
    *conv = (gwf_ref_conv){0};
}

static void ask_about(gwf_ref_filters *f, gwf_weights_at *at, void *user)
{
    float *there = at(user, f->weights, f->values * sizeof *f->weights);
    if (there == f->weights) return;
    if (!f->elsewhere) free(f->weights);
    f->weights = there;
    f->elsewhere = true;
}

void gwf_ref_conv_weights(gwf_ref_conv *conv, gwf_weights_at *at, void *user)
{
    for (int i = 0; i < GWF_REF_PHASES; i++)
        if (conv->filters[i].weights) ask_about(&conv->filters[i], at, user);
}

static gwf_status no_memory(gwf_error *err)
{
    return gwf_fail(err, GWF_ERR_MEMORY, "backend ref: no memory for weights");
}

/* The weights as they come, `filter` for each output channel. */
static gwf_status copy_filters(const gwf_op *op, size_t filter, gwf_ref_filters *to, gwf_error *err)
{
    const size_t n = (size_t)op->out.channels;
    *to = (gwf_ref_filters){malloc(n * filter * sizeof(float)), malloc(n * sizeof(float)),
                            malloc(n * sizeof(float)), n * filter, false};
    if (!to->weights || !to->step || !to->bias) return no_memory(err);
    memcpy(to->weights, op->weights, n * filter * sizeof(float));
    memcpy(to->bias, op->bias, n * sizeof(float));
    for (size_t k = 0; k < n; k++) to->step[k] = 1;
    return GWF_OK;
}

/* The same in 8 bits; weights (out, in, taps). */
static gwf_status round_filters(const gwf_op *op, const float *weights, int taps,
                                gwf_ref_filters *to, gwf_error *err)
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
    *to = (gwf_ref_filters){malloc(values * sizeof(float)), made.step, made.bias, values, false};
    for (size_t i = 0; to->weights && i < values; i++) to->weights[i] = made.weight[i];
    free(made.weight);
    return to->weights ? GWF_OK : no_memory(err);
}

static gwf_status round_phases(const gwf_op *op, gwf_ref_conv *conv, gwf_error *err)
{
    const size_t n = (size_t)op->out.channels * (size_t)op->in.channels;
    float *weights = malloc(GWF_REF_PHASES * n * sizeof *weights);
    gwf_status status = weights ? GWF_OK : no_memory(err);
    for (int phase = 0; phase < GWF_REF_PHASES && status == GWF_OK; phase++) {
        gwf_phase_weights(op, phase, weights);
        status = round_filters(op, weights, GWF_REF_PHASES, &conv->filters[phase], err);
    }
    free(weights);
    return status;
}

gwf_status gwf_ref_conv_make(const gwf_op *op, gwf_ref_conv *conv, gwf_error *err)
{
    const int taps = op->kernel * op->kernel;
    const planes large = large_map(conv, op);
    const size_t values = (size_t)large.channels * (size_t)large.rows * (size_t)large.cols;
    const bool up = op->kind == GWF_OP_UPCONV;
    conv->sums = malloc((size_t)op->out.cols * sizeof *conv->sums);
    if (!conv->sums) return no_memory(err);
    if (op->in.int8)
        return up ? round_phases(op, conv, err)
                  : round_filters(op, op->weights, taps, &conv->filters[0], err);
    conv->large = up ? malloc(values * sizeof *conv->large) : NULL;
    if (up && !conv->large) return no_memory(err);
    return copy_filters(op, (size_t)op->in.channels * (size_t)taps, &conv->filters[0], err);
}
