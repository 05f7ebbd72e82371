/* 8 bits: how values and weights are rounded, and every operation on maps in 8 bits on every
 * backend that has them, watched by the guard. Truth is written here from the definitions in
 * backend/int8.h. */
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "backend/phases.h"

static float noise(unsigned *state)
{
    *state = *state * 1664525u + 1013904223u;
    return (float)(*state >> 8) / 8388608.0f - 1.0f;
}

/* ---- rounding ---- */

static void test_values(void)
{
    CU_ASSERT_EQUAL(gwf_int8_round(false, 2.5f, 1), 2); /* to even */
    CU_ASSERT_EQUAL(gwf_int8_round(false, 3.5f, 1), 4);
    CU_ASSERT_EQUAL(gwf_int8_round(false, 1.0f, 4), 4);
    CU_ASSERT_EQUAL(gwf_int8_round(false, -1, 1), 0);
    CU_ASSERT_EQUAL(gwf_int8_round(false, 1e30f, 1), 255);
    CU_ASSERT_EQUAL(gwf_int8_round(true, -2.5f, 1), -2);
    CU_ASSERT_EQUAL(gwf_int8_round(true, -128, 1), -127);
    CU_ASSERT_EQUAL(gwf_int8_round(true, INFINITY, 1), 127);
    CU_ASSERT_EQUAL(gwf_int8_round(true, NAN, 1), -127);
}

static void test_weights(void)
{
    /* Channel 0: 1 * 0.5 and -0.5 * 1 are 127 and -127 steps. Channel 1: 0.3 of 1 is 38.1 steps. */
    const float w[] = {1, -0.5f, 2, 0.3f}, b[] = {7, 8}, scale[] = {0.5f, 1}, mean[] = {5, 10};
    const gwf_int8_filters f = {2, 2, 1, w, b, scale, mean};
    gwf_int8_weights made;
    gwf_error err = {0};
    CHECK_OK(gwf_int8_weights_make(&f, &made, &err), err);
    CU_ASSERT_EQUAL(made.weight[0], 127);
    CU_ASSERT_EQUAL(made.weight[1], -127);
    CU_ASSERT_EQUAL(made.weight[2], 127);
    CU_ASSERT_EQUAL(made.weight[3], 38);
    CHECK_AT_MOST(fabs(made.step[0] - 0.5 / 127), 1e-9);
    CHECK_AT_MOST(fabs(made.step[1] - 1.0 / 127), 1e-9);
    CHECK_AT_MOST(fabs(made.bias[0] - 7.0), 1e-6);
    CHECK_AT_MOST(fabs(made.bias[1] - (8 + (0.3 - 38 / 127.0) * 10)), 1e-6);
    gwf_int8_weights_free(&made);
}

/* On a map of means a convolution in 8 bits is exact. */
static void test_bias_takes_back(void)
{
    enum { OUT = 3, IN = 40, TAPS = 9 };
    float w[OUT * IN * TAPS], b[OUT] = {1, -2, 3}, scale[IN], mean[IN];
    unsigned seed = 5;
    gwf_int8_weights made;
    gwf_error err = {0};
    for (int i = 0; i < OUT * IN * TAPS; i++) w[i] = noise(&seed);
    for (int c = 0; c < IN; c++) {
        scale[c] = 0.001f + fabsf(noise(&seed));
        mean[c] = 10 * noise(&seed);
    }
    const gwf_int8_filters f = {OUT, IN, TAPS, w, b, scale, mean};
    CHECK_OK(gwf_int8_weights_make(&f, &made, &err), err);
    for (int k = 0; k < OUT; k++) {
        double truth = b[k], got = made.bias[k], size = 0;
        for (int c = 0; c < IN; c++)
            for (int t = 0; t < TAPS; t++) {
                const int i = (k * IN + c) * TAPS + t;
                truth += (double)w[i] * mean[c];
                got += (double)made.step[k] * made.weight[i] * mean[c] / scale[c];
                size += fabs((double)w[i] * mean[c]);
            }
        CHECK_AT_MOST(fabs(got - truth), 1e-6 * size);
    }
    gwf_int8_weights_free(&made);
}

static void test_odd_weights(void)
{
    static float w[GWF_INT8_PRODUCTS + 1];
    const float b = 3, scale[1] = {2}, nothing[1] = {0}, huge[1] = {3e38f};
    static float scales[GWF_INT8_PRODUCTS + 1];
    gwf_int8_weights made;
    gwf_error err = {0};
    const gwf_int8_filters zero = {1, 1, 1, nothing, &b, scale, NULL};
    CHECK_OK(gwf_int8_weights_make(&zero, &made, &err), err);
    CU_ASSERT_EQUAL(made.weight[0], 0);
    CU_ASSERT_TRUE(made.step[0] > 0);
    CU_ASSERT_EQUAL(made.bias[0], 3);
    gwf_int8_weights_free(&made);
    const gwf_int8_filters wide = {1, GWF_INT8_PRODUCTS + 1, 1, w, &b, scales, NULL};
    CHECK_FAILS(gwf_int8_weights_make(&wide, &made, &err), GWF_ERR_UNSUPPORTED, err, "too large");
    const float far[1] = {1e38f};
    const gwf_int8_filters steep = {1, 1, 1, huge, &b, far, NULL};
    CHECK_FAILS(gwf_int8_weights_make(&steep, &made, &err), GWF_ERR_MODEL, err, "too large");
    CU_ASSERT_PTR_NULL(made.weight);
}

/* One 3x3 filter of powers of two: sums of parts tell which they are. */
static void test_phases(void)
{
    const float w[9] = {1, 2, 4, 8, 16, 32, 64, 128, 256};
    const float truth[4][4] = {
        {1, 6, 72, 432}, {3, 4, 216, 288}, {9, 54, 64, 384}, {27, 36, 192, 256}};
    const gwf_op op = {.weights = w, .in = {.channels = 1}, .out = {.channels = 1}};
    for (int phase = 0; phase < 4; phase++) {
        float sums[4];
        gwf_phase_weights(&op, phase, sums);
        for (int i = 0; i < 4; i++) CU_ASSERT_EQUAL(sums[i], truth[phase][i]);
    }
}

/* ---- operations ---- */

typedef enum keeping { FLOATS, PRECISE, UNSIGNED, SIGNED } keeping;

typedef struct op_case {
    const char *name;
    gwf_op_kind kind;
    keeping in, out;
    int parts[2], to; /* channels */
    int rows, cols, kernel, pad_y, pad_x;
    gwf_activation activation;
    int halo_y, halo_x, halo_zero;
} op_case;

#define CONV(name, in, out, part0, part1, to, rows, cols, kernel, pad_y, pad_x, act)               \
    {                                                                                              \
        name, GWF_OP_CONV, in, out, {part0, part1}, to, rows, cols, kernel, pad_y, pad_x, act, 0,  \
            0, 0                                                                                   \
    }
#define UPCONV(name, out, from, to, rows, cols, pad_y, pad_x)                                      \
    {                                                                                              \
        name, GWF_OP_UPCONV, UNSIGNED, out, {from, 0}, to, rows, cols, 3, pad_y, pad_x, GWF_RELU,  \
            0, 0, 0                                                                                \
    }
#define SMALL(name, kind, in, out, from, to, rows, cols, y, x, zero)                               \
    {                                                                                              \
        name, kind, in, out, {from, 0}, to, rows, cols, 0, 0, 0, GWF_IDENTITY, y, x, zero          \
    }

static const op_case cases[] = {
    CONV("3x3 of the input", SIGNED, UNSIGNED, 366, 0, 64, 8, 16, 3, 1, 1, GWF_RELU),
    CONV("3x3", UNSIGNED, UNSIGNED, 64, 0, 128, 8, 16, 3, 1, 1, GWF_RELU),
    CONV("3x3 of a concatenation of odd parts", UNSIGNED, UNSIGNED, 9, 13, 21, 8, 16, 3, 1, 1,
         GWF_RELU),
    CONV("3x3 to higher precision", UNSIGNED, FLOATS, 16, 0, 24, 8, 16, 3, 1, 1, GWF_RELU),
    CONV("3x3 from higher precision", FLOATS, UNSIGNED, 16, 0, 24, 8, 16, 3, 1, 1, GWF_RELU),
    CONV("3x3 in higher precision", FLOATS, FLOATS, 16, 0, 24, 8, 16, 3, 1, 1, GWF_RELU),
    CONV("3x3 to one channel, sigmoid", UNSIGNED, PRECISE, 32, 0, 1, 8, 16, 3, 1, 1, GWF_SIGMOID),
    CONV("3x3 on one pixel", UNSIGNED, UNSIGNED, 32, 0, 32, 1, 1, 3, 1, 1, GWF_RELU),
    CONV("3x3 with its own border in longitude", UNSIGNED, UNSIGNED, 16, 0, 16, 8, 18, 3, 1, 0,
         GWF_RELU),
    CONV("3x3 unpadded", SIGNED, SIGNED, 33, 0, 33, 10, 18, 3, 0, 0, GWF_LEAKY_RELU),
    CONV("1x1 head", UNSIGNED, PRECISE, 64, 0, 244, 8, 16, 1, 0, 0, GWF_IDENTITY),
    CONV("1x1 leaky", SIGNED, SIGNED, 369, 0, 50, 8, 16, 1, 0, 0, GWF_LEAKY_RELU),
    CONV("1x1 identity", SIGNED, SIGNED, 20, 0, 12, 8, 16, 1, 0, 0, GWF_IDENTITY),
    UPCONV("upconv", UNSIGNED, 32, 16, 4, 8, 1, 1),
    UPCONV("upconv of odd channels", UNSIGNED, 23, 11, 8, 16, 1, 1),
    UPCONV("upconv to higher precision", FLOATS, 32, 16, 4, 8, 1, 1),
    UPCONV("upconv of one pixel", UNSIGNED, 16, 8, 1, 1, 1, 1),
    UPCONV("upconv with its own border in longitude", UNSIGNED, 32, 16, 4, 10, 1, 0),
    UPCONV("upconv with its own border all around", UNSIGNED, 16, 16, 6, 10, 0, 0),
    UPCONV("upconv with its own border in latitude", UNSIGNED, 16, 16, 6, 8, 0, 1),
    SMALL("pool", GWF_OP_POOL, UNSIGNED, UNSIGNED, 70, 70, 8, 16, 0, 0, 0),
    SMALL("pool, signed", GWF_OP_POOL, SIGNED, SIGNED, 24, 24, 8, 16, 0, 0, 0),
    SMALL("pool from higher precision", GWF_OP_POOL, FLOATS, UNSIGNED, 24, 24, 8, 16, 0, 0, 0),
    SMALL("pool to higher precision", GWF_OP_POOL, UNSIGNED, FLOATS, 24, 24, 8, 16, 0, 0, 0),
    SMALL("gate, one for all", GWF_OP_GATE, PRECISE, UNSIGNED, 1, 70, 8, 16, 0, 0, 0),
    SMALL("gate, one each", GWF_OP_GATE, PRECISE, UNSIGNED, 70, 70, 8, 16, 0, 0, 0),
    SMALL("gate, signed", GWF_OP_GATE, FLOATS, SIGNED, 1, 40, 8, 16, 0, 0, 0),
    SMALL("halo in longitude", GWF_OP_HALO, UNSIGNED, UNSIGNED, 32, 32, 4, 8, 0, 1, 0),
    SMALL("halo of two", GWF_OP_HALO, SIGNED, SIGNED, 17, 17, 6, 8, 2, 2, 0),
    SMALL("halo of a tile", GWF_OP_HALO, UNSIGNED, UNSIGNED, 24, 24, 4, 8, 1, 1, 1),
};

/* One case on one backend; plain channels. */
typedef struct bench {
    const op_case *c;
    int batch, slot, in, out_rows, out_cols;
    gwf_view views[2], whole, to; /* parts of the input, all of it, the result */
    gwf_int8 in8, out8;
    float *in_scale, *out_scale, *mean;         /* of plain channels */
    float *in_places, *out_places, *mean_place; /* of the maps' rounded ones */
    float *x, *before, *y, *weights, *bias, *packed, *packed_bias;
    double *held_x, *held_before; /* what 8 bits make of x and before */
} bench;

static size_t in_plane(const bench *b)
{
    return (size_t)b->c->rows * (size_t)b->c->cols;
}

static size_t out_plane(const bench *b)
{
    return (size_t)b->out_rows * (size_t)b->out_cols;
}

static void size_result(bench *b)
{
    const op_case *c = b->c;
    b->in = c->parts[0] + c->parts[1];
    b->out_rows = c->rows + 2 * c->halo_y;
    b->out_cols = c->cols + 2 * c->halo_x;
    if (c->kind == GWF_OP_CONV) {
        b->out_rows += 2 * c->pad_y - c->kernel + 1;
        b->out_cols += 2 * c->pad_x - c->kernel + 1;
    } else if (c->kind == GWF_OP_POOL) {
        b->out_rows /= 2;
        b->out_cols /= 2;
    } else if (c->kind == GWF_OP_UPCONV) {
        b->out_rows = 2 * c->rows - 4 * (1 - c->pad_y);
        b->out_cols = 2 * c->cols - 4 * (1 - c->pad_x);
    }
}

static float *zeros(size_t n)
{
    return calloc(n ? n : 1, sizeof(float));
}

/* Values that lie a quarter step at most from the integers that they become, and those. */
static float *values_of(keeping how, const float *scale, int channels, size_t plane, unsigned seed,
                        double **held)
{
    float *values = zeros((size_t)channels * plane);
    *held = calloc((size_t)channels * plane + 1, sizeof **held);
    for (size_t i = 0; i < (size_t)channels * plane; i++) {
        const float s = scale[i / plane], x = noise(&seed), off = noise(&seed) / 4;
        if (how == FLOATS || how == PRECISE) {
            (*held)[i] = values[i] = ldexpf(rintf(x * 128), -7); /* exact in bfloat16 */
            continue;
        }
        const float whole = rintf(how == SIGNED ? 140 * x : 140 * (x + 0.9f)); /* some too large */
        const double low = how == SIGNED ? -127 : 0, high = how == SIGNED ? 127 : 255;
        values[i] = s * (whole + off);
        (*held)[i] = s * fmin(fmax(whole, low), high);
    }
    return values;
}

static void fill_bench(bench *b)
{
    const op_case *c = b->c;
    unsigned seed = 7;
    size_result(b);
    const int same = c->kind == GWF_OP_HALO || (c->kind == GWF_OP_POOL && c->in == c->out);
    b->in_scale = zeros((size_t)b->in);
    b->out_scale = zeros((size_t)c->to);
    b->mean = zeros((size_t)b->in);
    for (int i = 0; i < b->in; i++) {
        b->in_scale[i] = 0.02f * (1.5f + noise(&seed));
        b->mean[i] = noise(&seed);
    }
    for (int k = 0; k < c->to; k++)
        b->out_scale[k] = same ? b->in_scale[k] : 0.04f * (1.5f + noise(&seed));
    const size_t filter = (size_t)(b->in * c->kernel * c->kernel);
    b->x = values_of(c->in, b->in_scale, b->in, in_plane(b), 1, &b->held_x);
    b->before = values_of(c->out, b->out_scale, c->to, out_plane(b), 2, &b->held_before);
    b->y = zeros((size_t)c->to * out_plane(b));
    b->weights = zeros((size_t)c->to * filter);
    b->bias = zeros((size_t)c->to);
    for (size_t i = 0; i < (size_t)c->to * filter; i++)
        b->weights[i] = ldexpf(rintf(noise(&seed) * 128), -7) / 4; /* exact in bfloat16 */
    for (int k = 0; k < c->to; k++) b->bias[k] = noise(&seed);
}

static void free_bench(bench *b)
{
    float *const all[] = {b->in_scale,   b->out_scale, b->mean,       b->in_places, b->out_places,
                          b->mean_place, b->x,         b->before,     b->y,         b->weights,
                          b->bias,       b->packed,    b->packed_bias};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
    free(b->held_x);
    free(b->held_before);
}

static int rounded(int channels, int block)
{
    return (channels + block - 1) / block * block;
}

static int place(const op_case *c, int channel, int block)
{
    return channel < c->parts[0] ? channel : channel - c->parts[0] + rounded(c->parts[0], block);
}

/* Views of an arena, the result as second half of a map; the arena's size. */
static size_t lay_out(bench *b, const gwf_backend *backend, const gwf_context *context)
{
    const op_case *c = b->c;
    const int block = backend->channel_block(context), to = rounded(c->to, block);
    const int part[2] = {rounded(c->parts[0], block), rounded(c->parts[1], block)};
    const int all = part[0] + part[1];
    const size_t in_bytes = backend->map_bytes(context, all, c->rows, c->cols);
    const size_t offset = (in_bytes + 63) / 64 * 64;
    b->whole = (gwf_view){.map_channels = all,
                          .channels = all,
                          .rows = c->rows,
                          .cols = c->cols,
                          .int8 = c->in >= UNSIGNED ? &b->in8 : NULL,
                          .precise = c->in == PRECISE};
    for (int i = 0; i < 2; i++) {
        b->views[i] = b->whole;
        b->views[i].first = i ? part[0] : 0;
        b->views[i].channels = part[i];
    }
    b->to = (gwf_view){.offset = offset,
                       .map_channels = block + to,
                       .first = block,
                       .channels = to,
                       .rows = b->out_rows,
                       .cols = b->out_cols,
                       .int8 = c->out >= UNSIGNED ? &b->out8 : NULL,
                       .precise = c->out == PRECISE};
    b->in_places = zeros((size_t)all);
    b->mean_place = zeros((size_t)all);
    b->out_places = zeros((size_t)(block + to));
    for (int i = 0; i < all; i++) b->in_places[i] = 1;
    for (int k = 0; k < block + to; k++) b->out_places[k] = 1;
    for (int i = 0; i < b->in; i++) {
        b->in_places[place(c, i, block)] = b->in_scale[i];
        b->mean_place[place(c, i, block)] = b->mean[i];
    }
    memcpy(b->out_places + block, b->out_scale, (size_t)c->to * sizeof(float));
    b->in8 = (gwf_int8){c->in == SIGNED, b->in_places};
    b->out8 = (gwf_int8){c->out == SIGNED, b->out_places};
    return offset + backend->map_bytes(context, block + to, b->out_rows, b->out_cols);
}

static void pack(bench *b, int block)
{
    const op_case *c = b->c;
    const size_t taps = (size_t)(c->kernel * c->kernel), in = (size_t)b->whole.channels;
    b->packed = zeros((size_t)b->to.channels * in * taps);
    b->packed_bias = zeros((size_t)b->to.channels);
    memcpy(b->packed_bias, b->bias, (size_t)c->to * sizeof(float));
    for (size_t k = 0; k < (size_t)c->to; k++)
        for (int i = 0; i < b->in; i++)
            memcpy(b->packed + (k * in + (size_t)place(c, i, block)) * taps,
                   b->weights + (k * (size_t)b->in + (size_t)i) * taps, taps * sizeof(float));
}

static gwf_status run_on(bench *b, const gwf_backend *backend, gwf_context *context, gwf_error *err)
{
    const op_case *c = b->c;
    gwf_step *step = NULL;
    gwf_status status = GWF_OK;
    const size_t bytes = lay_out(b, backend, context);
    pack(b, backend->channel_block(context));
    const gwf_op op = {.kind = c->kind,
                       .in = b->whole,
                       .out = b->to,
                       .kernel = c->kernel,
                       .pad_y = c->pad_y,
                       .pad_x = c->pad_x,
                       .activation = c->activation,
                       .weights = b->packed,
                       .bias = b->packed_bias,
                       .mean = b->mean_place,
                       .gate_channels = b->in == 1 ? 1 : b->whole.channels,
                       .halo_y = c->halo_y,
                       .halo_x = c->halo_x,
                       .halo_zero = c->halo_zero};
    GWF_TRY_DONE(backend->prepare(context, &op, &step, err));
    GWF_TRY_DONE(backend->reserve(context, bytes, err));
    for (int slot = 0; slot < b->batch; slot++) {
        const float *second = b->x + in_plane(b) * (size_t)c->parts[0];
        const bool mine = slot == b->slot;
        float *zero = zeros((size_t)(b->in + c->to) * (in_plane(b) + out_plane(b)));
        GWF_TRY_DONE(
            backend->load(context, &b->views[0], slot, mine ? b->x : zero, c->parts[0], err));
        if (c->parts[1])
            GWF_TRY_DONE(
                backend->load(context, &b->views[1], slot, mine ? second : zero, c->parts[1], err));
        if (c->kind == GWF_OP_GATE)
            GWF_TRY_DONE(backend->load(context, &b->to, slot, mine ? b->before : zero, c->to, err));
        free(zero);
    }
    GWF_TRY_DONE(backend->run(context, step, err));
    GWF_TRY_DONE(backend->store(context, &b->to, b->slot, b->y, c->to, err));
done:
    backend->release(context, step);
    return status;
}

/* ---- truth ---- */

static double activated(gwf_activation activation, double x)
{
    switch (activation) {
    case GWF_RELU:
        return x > 0 ? x : 0;
    case GWF_LEAKY_RELU:
        return x > 0 ? x : 0.01 * x;
    case GWF_SIGMOID:
        return 1 / (1 + exp(-x));
    case GWF_IDENTITY:
        break;
    }
    return x;
}

/* What is held of input channel c at (y, x), 0 outside the map. */
static double at(const bench *b, int c, int y, int x)
{
    if (y < 0 || y >= b->c->rows || x < 0 || x >= b->c->cols) return 0;
    return b->held_x[in_plane(b) * (size_t)c + (size_t)(y * b->c->cols + x)];
}

/* Weights as 8 bits have them: w (in, taps) in place; what the bias becomes. */
static double round_weights(const bench *b, double *w, int taps, double bias)
{
    double largest = 0;
    if (b->c->in < UNSIGNED) return bias;
    for (int i = 0; i < b->in * taps; i++)
        largest = fmax(largest, fabs(w[i] * b->in_scale[i / taps]));
    for (int i = 0; i < b->in * taps; i++) {
        const double exact = w[i], step = (double)(float)(largest / 127);
        w[i] = step * rint(exact * b->in_scale[i / taps] / step) / b->in_scale[i / taps];
        bias += (exact - w[i]) * b->mean[i / taps];
    }
    return bias;
}

/* A whole output channel. */
static void true_conv(const bench *b, int k, double *truth)
{
    const op_case *c = b->c;
    const int taps = c->kernel * c->kernel;
    double *w = calloc((size_t)(b->in * taps), sizeof *w);
    for (int i = 0; i < b->in * taps; i++) w[i] = b->weights[k * b->in * taps + i];
    const double bias = round_weights(b, w, taps, b->bias[k]);
    for (int y = 0; y < b->out_rows; y++)
        for (int x = 0; x < b->out_cols; x++) {
            double sum = bias;
            for (int i = 0; i < b->in; i++)
                for (int t = 0; t < taps; t++)
                    sum += w[i * taps + t] *
                           at(b, i, y + t / c->kernel - c->pad_y, x + t % c->kernel - c->pad_x);
            *truth++ = activated(c->activation, sum);
        }
    free(w);
}

/* Rows (columns) of the small map that the 2x2 of a phase falls on: which of the three weights fall
 * on the first and which on the second of them. */
static void true_upconv(const bench *b, int k, double *truth)
{
    const op_case *c = b->c;
    double *w = calloc((size_t)b->in * 4, sizeof *w);
    for (int phase = 0; phase < 4; phase++) {
        const int lower = phase / 2, right = phase % 2;
        for (int i = 0; i < b->in; i++) {
            float sums[4] = {0}; /* kept in float32 */
            double exact[4] = {0};
            for (int t = 0; t < 9; t++) {
                const int ky = t / 3 >= 1 + lower, kx = t % 3 >= 1 + right;
                exact[2 * ky + kx] += b->weights[(k * b->in + i) * 9 + t];
            }
            for (int t = 0; t < 4; t++) sums[t] = (float)exact[t];
            for (int t = 0; t < 4; t++) w[4 * i + t] = sums[t];
        }
        const double bias = round_weights(b, w, 4, b->bias[k]);
        for (int y = lower; y < b->out_rows; y += 2)
            for (int x = right; x < b->out_cols; x += 2) {
                double sum = bias;
                for (int i = 0; i < b->in; i++)
                    for (int t = 0; t < 4; t++)
                        sum += w[4 * i + t] * at(b, i, y / 2 - c->pad_y + lower + t / 2,
                                                 x / 2 - c->pad_x + right + t % 2);
                truth[y * b->out_cols + x] = activated(c->activation, sum);
            }
    }
    free(w);
}

static double true_small(const bench *b, int k, int y, int x)
{
    const op_case *c = b->c;
    const size_t here = out_plane(b) * (size_t)k + (size_t)(y * b->out_cols + x);
    const int row = y - c->halo_y, col = x - c->halo_x;
    if (c->kind == GWF_OP_POOL)
        return fmax(fmax(at(b, k, 2 * y, 2 * x), at(b, k, 2 * y, 2 * x + 1)),
                    fmax(at(b, k, 2 * y + 1, 2 * x), at(b, k, 2 * y + 1, 2 * x + 1)));
    if (c->kind == GWF_OP_GATE) return b->held_before[here] * at(b, b->in == 1 ? 0 : k, y, x);
    return at(b, k, row, c->halo_zero ? col : (col + 4 * c->cols) % c->cols);
}

static void true_channel(const bench *b, int k, double *truth)
{
    if (b->c->kind == GWF_OP_CONV)
        true_conv(b, k, truth);
    else if (b->c->kind == GWF_OP_UPCONV)
        true_upconv(b, k, truth);
    else
        for (int i = 0; i < b->out_rows * b->out_cols; i++)
            truth[i] = true_small(b, k, i / b->out_cols, i % b->out_cols);
}

/* In 8 bits: the largest distance in steps from the truth, as far as it can be held (1/2 is due to
 * rounding). Else relative. */
static double error_of(const bench *b)
{
    const op_case *c = b->c;
    double worst = 0, difference = 0, norm = 0;
    double *truth = calloc(out_plane(b), sizeof *truth);
    for (int k = 0; k < c->to; k++) {
        true_channel(b, k, truth);
        for (size_t i = 0; i < out_plane(b); i++) {
            const double s = b->out_scale[k], low = c->out == SIGNED ? -127 : 0;
            const double got = b->y[out_plane(b) * (size_t)k + i];
            const double held = fmin(fmax(truth[i], low * s), (c->out == SIGNED ? 127 : 255) * s);
            const double steps = fabs(got - held) / s;
            if (!(steps <= worst)) worst = steps;
            difference += (got - truth[i]) * (got - truth[i]);
            norm += truth[i] * truth[i];
        }
    }
    free(truth);
    return c->out >= UNSIGNED ? worst : sqrt(difference / norm);
}

/* Half a step, and what float32 may add; where values are floats, those of bfloat16 at most. */
static double tolerance(const op_case *c)
{
    if (c->out >= UNSIGNED) return 0.5 + 2e-3;
    return c->out == FLOATS ? 3e-3 : 3e-6;
}

static void run_case(bench b, const gwf_backend *watched)
{
    gwf_error err = {0};
    gwf_context *context = NULL;
    const gwf_backend_config config = {
        .threads = 2, .batch = b.batch, .precision = GWF_INT8, .wrapped = watched};
    CHECK_OK(gwf_backend_guard.open(&config, &context, &err), err);
    if (!context) return;
    fill_bench(&b);
    CHECK_OK(run_on(&b, &gwf_backend_guard, context, &err), err);
    const double error = error_of(&b);
    if (!(error <= tolerance(b.c)))
        fprintf(stderr, "\n  backend %s, %s: error %g\n", watched->name, b.c->name, error);
    CU_ASSERT_TRUE(error <= tolerance(b.c));
    gwf_backend_guard.close(context);
    free_bench(&b);
}

/* Backends that have it here: at least ref. */
static void test_operations(void)
{
    int tested = 0;
    for (const gwf_backend *const *b = gwf_backends(); *b; b++) {
        const gwf_backend_config config = {.threads = 2, .batch = 1, .precision = GWF_INT8};
        const gwf_backend *backend = NULL;
        gwf_context *context = NULL;
        gwf_error err = {0};
        if (gwf_backend_open((*b)->name, &config, &backend, &context, &err) != GWF_OK) {
            test_skip("%s", err.text);
            continue;
        }
        backend->close(context);
        tested++;
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            run_case((bench){.c = &cases[i], .batch = 1}, backend);
            run_case((bench){.c = &cases[i], .batch = 3, .slot = 1}, backend);
        }
    }
    CU_ASSERT_TRUE(tested > 0);
}

int main(void)
{
    static const test_case tests[] = {
        {"values are rounded and clipped", test_values},
        {"weights are rounded, bias with them", test_weights},
        {"a map of means comes out exact", test_bias_takes_back},
        {"weights that are odd", test_odd_weights},
        {"phases of an upconv", test_phases},
        {"every operation on every backend", test_operations},
    };
    return test_run("int8", tests, sizeof tests / sizeof *tests);
}
