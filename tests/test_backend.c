/* The op cases: every operation in every shape the networks use, on every built backend, watched by
 * the guard. Truth is a double-precision loop written here from the definition. */
#include "test.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "backend_start.h"

/* A case in terms of plain channels; how a backend rounds them up is worked out below. */
typedef struct op_case {
    const char *name;
    gwf_op_kind kind;
    int in[2], out; /* channels: parts of the input, the output */
    int rows, cols; /* of the input */
    int kernel, pad_y, pad_x;
    gwf_activation activation;
    int halo_y, halo_x, halo_zero;
    double tolerance; /* relative L2 against double */
} op_case;

#define CONV(name, in0, in1, out, rows, cols, kernel, pad_y, pad_x, act)                           \
    {                                                                                              \
        name, GWF_OP_CONV, {in0, in1}, out, rows, cols, kernel, pad_y, pad_x, act, 0, 0, 0, 3e-6   \
    }

#define UPCONV(name, in, out, rows, cols, pad_y, pad_x)                                            \
    {                                                                                              \
        name, GWF_OP_UPCONV, {in, 0}, out, rows, cols, 3, pad_y, pad_x, GWF_RELU, 0, 0, 0, 3e-6    \
    }

static const op_case cases[] = {
    CONV("3x3, first layer's channels", 366, 0, 64, 8, 16, 3, 1, 1, GWF_RELU),
    CONV("3x3 of a concatenation of odd parts", 12, 12, 20, 8, 16, 3, 1, 1, GWF_RELU),
    CONV("3x3 of a concatenation, 16 each", 16, 16, 16, 16, 32, 3, 1, 1, GWF_RELU),
    CONV("3x3 to one channel, sigmoid", 8, 0, 1, 8, 16, 3, 1, 1, GWF_SIGMOID),
    CONV("3x3 to one channel of many, sigmoid", 64, 0, 1, 16, 32, 3, 1, 1, GWF_SIGMOID),
    CONV("3x3 on the smallest level", 64, 0, 128, 4, 8, 3, 1, 1, GWF_RELU),
    CONV("3x3 on one pixel", 32, 0, 32, 1, 1, 3, 1, 1, GWF_RELU),
    CONV("3x3 with its own border in longitude", 16, 0, 16, 8, 18, 3, 1, 0, GWF_RELU),
    CONV("3x3 unpadded", 33, 0, 33, 10, 18, 3, 0, 0, GWF_RELU),
    CONV("3x3 identity", 16, 0, 16, 4, 8, 3, 1, 1, GWF_IDENTITY),
    CONV("1x1 head", 64, 0, 244, 8, 16, 1, 0, 0, GWF_IDENTITY),
    CONV("1x1 leaky", 369, 0, 50, 8, 16, 1, 0, 0, GWF_LEAKY_RELU),
    {"pool", GWF_OP_POOL, {24, 0}, 24, 8, 16, 0, 0, 0, 0, 0, 0, 0, 0},
    {"pool to one pixel", GWF_OP_POOL, {5, 0}, 5, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0},
    UPCONV("upconv", 32, 16, 4, 8, 1, 1),
    UPCONV("upconv of odd channels", 24, 12, 8, 16, 1, 1),
    UPCONV("upconv of one pixel", 16, 8, 1, 1, 1, 1),
    UPCONV("upconv with its own border in longitude", 32, 16, 4, 10, 1, 0),
    UPCONV("upconv with its own border all around", 16, 16, 6, 10, 0, 0),
    UPCONV("upconv with its own border in latitude", 16, 16, 6, 8, 0, 1),
    {"gate, one for all", GWF_OP_GATE, {1, 0}, 40, 8, 16, 0, 0, 0, 0, 0, 0, 0, 0},
    {"gate, one each", GWF_OP_GATE, {40, 0}, 40, 8, 16, 0, 0, 0, 0, 0, 0, 0, 0},
    {"halo in longitude", GWF_OP_HALO, {16, 16}, 32, 4, 8, 0, 0, 0, 0, 0, 1, 0, 0},
    {"halo of two", GWF_OP_HALO, {17, 0}, 17, 6, 8, 0, 0, 0, 0, 2, 2, 0, 0},
    {"halo of one column", GWF_OP_HALO, {4, 0}, 4, 1, 1, 0, 0, 0, 0, 1, 1, 0, 0},
    {"halo of a tile", GWF_OP_HALO, {16, 8}, 24, 4, 8, 0, 0, 0, 0, 1, 1, 1, 0},
    {"halo of a tile, wide", GWF_OP_HALO, {5, 0}, 5, 4, 6, 0, 0, 0, 0, 0, 2, 1, 0},
};

static float noise(unsigned *state)
{
    *state = *state * 1664525u + 1013904223u;
    return (float)(*state >> 8) / 8388608.0f - 1.0f;
}

/* One case laid out on one backend. in and out are host arrays of plain channels. */
typedef struct bench {
    const op_case *c;
    int batch, slot;               /* the map with the values below; others have others */
    bool whole_out;                /* the result is a map, not a part of one */
    gwf_view in[2], whole_in, out; /* each part; all parts; the result */
    gwf_op op;
    int in_channels, out_rows, out_cols;
    float *x, *y, *before, *weights, *bias; /* plain channels */
    float *others;                          /* as large as x and as before */
    float *packed, *packed_bias;            /* rounded up */
} bench;

static int rounded(int channels, int block)
{
    return (channels + block - 1) / block * block;
}

static void size_result(bench *b)
{
    const op_case *c = b->c;
    b->out_rows = c->rows;
    b->out_cols = c->cols;
    switch (c->kind) {
    case GWF_OP_CONV:
        b->out_rows += 2 * c->pad_y - c->kernel + 1;
        b->out_cols += 2 * c->pad_x - c->kernel + 1;
        break;
    case GWF_OP_POOL:
        b->out_rows /= 2;
        b->out_cols /= 2;
        break;
    case GWF_OP_UPCONV:
        b->out_rows = 2 * c->rows - 4 * (1 - c->pad_y);
        b->out_cols = 2 * c->cols - 4 * (1 - c->pad_x);
        break;
    case GWF_OP_HALO:
        b->out_rows += 2 * c->halo_y;
        b->out_cols += 2 * c->halo_x;
        break;
    case GWF_OP_GATE:
        break;
    }
}

static size_t in_plane(const bench *b)
{
    return (size_t)b->c->rows * (size_t)b->c->cols;
}

static size_t out_plane(const bench *b)
{
    return (size_t)b->out_rows * (size_t)b->out_cols;
}

static float *random_values(size_t n, unsigned seed)
{
    float *values = malloc((n ? n : 1) * sizeof *values);
    for (size_t i = 0; i < n; i++) values[i] = noise(&seed);
    return values;
}

static void fill_bench(bench *b)
{
    const op_case *c = b->c;
    b->in_channels = c->in[0] + c->in[1];
    size_result(b);
    b->x = random_values((size_t)b->in_channels * in_plane(b), 1);
    b->before = random_values((size_t)c->out * out_plane(b), 2);
    const size_t largest = (size_t)(b->in_channels + c->out) * (in_plane(b) + out_plane(b));
    b->others = random_values(largest, 5);
    b->y = calloc((size_t)c->out * out_plane(b), sizeof *b->y);
    const size_t taps = (size_t)(c->kernel * c->kernel);
    b->weights = random_values((size_t)c->out * (size_t)b->in_channels * taps, 3);
    b->bias = random_values((size_t)c->out, 4);
}

static void free_bench(bench *b)
{
    free(b->x);
    free(b->y);
    free(b->before);
    free(b->others);
    free(b->weights);
    free(b->bias);
    free(b->packed);
    free(b->packed_bias);
}

/* Place of plain input channel c when each part is rounded up. */
static int place(const op_case *c, int channel, int block)
{
    return channel < c->in[0] ? channel : channel - c->in[0] + rounded(c->in[0], block);
}

static void pack(bench *b, int block)
{
    const op_case *c = b->c;
    const size_t taps = (size_t)(c->kernel * c->kernel);
    const size_t in = (size_t)b->whole_in.channels, out = (size_t)b->out.channels;
    b->packed = calloc(in * out * (taps ? taps : 1), sizeof *b->packed);
    b->packed_bias = calloc(out, sizeof *b->packed_bias);
    memcpy(b->packed_bias, b->bias, (size_t)c->out * sizeof *b->bias);
    for (int k = 0; k < c->out; k++)
        for (int i = 0; i < b->in_channels; i++)
            memcpy(b->packed + ((size_t)k * in + (size_t)place(c, i, block)) * taps,
                   b->weights + ((size_t)k * (size_t)b->in_channels + (size_t)i) * taps,
                   taps * sizeof *b->weights);
}

/* Lay out input and result in an arena; returns its size. */
static size_t lay_out(bench *b, const gwf_backend *backend, const gwf_context *context)
{
    const op_case *c = b->c;
    const int block = backend->channel_block(context);
    const int part0 = rounded(c->in[0], block), part1 = rounded(c->in[1], block);
    const int out = c->kind == GWF_OP_HALO ? part0 + part1 : rounded(c->out, block);
    b->whole_in = (gwf_view){0, part0 + part1, 0, part0 + part1, c->rows, c->cols, NULL, false};
    b->in[0] = (gwf_view){0, part0 + part1, 0, part0, c->rows, c->cols, NULL, false};
    b->in[1] = (gwf_view){0, part0 + part1, part0, part1, c->rows, c->cols, NULL, false};
    const size_t in_bytes = backend->map_bytes(context, part0 + part1, c->rows, c->cols);
    const size_t offset = (in_bytes + 63) / 64 * 64;
    /* As a part the result is the second half of a larger map: a view that does not start at its
     * map. */
    const int first = b->whole_out ? 0 : block;
    b->out = (gwf_view){offset, first + out, first, out, b->out_rows, b->out_cols, NULL, false};
    return offset + backend->map_bytes(context, first + out, b->out_rows, b->out_cols);
}

/* The case's values to its map of the batch, other ones to the others. */
static gwf_status load_maps(const bench *b, const gwf_backend *backend, gwf_context *context,
                            gwf_error *err)
{
    const op_case *c = b->c;
    for (int slot = 0; slot < b->batch; slot++) {
        const float *x = slot == b->slot ? b->x : b->others + slot;
        const float *before = slot == b->slot ? b->before : b->others;
        const float *second = x + in_plane(b) * (size_t)c->in[0];
        GWF_TRY(backend->load(context, &b->in[0], slot, x, c->in[0], err));
        if (c->in[1]) GWF_TRY(backend->load(context, &b->in[1], slot, second, c->in[1], err));
        if (c->kind == GWF_OP_GATE)
            GWF_TRY(backend->load(context, &b->out, slot, before, c->out, err));
    }
    return GWF_OK;
}

static gwf_status run_on(bench *b, const gwf_backend *backend, gwf_context *context, gwf_error *err)
{
    const op_case *c = b->c;
    gwf_step *step = NULL;
    gwf_status status = GWF_OK;
    const int block = backend->channel_block(context);
    const size_t bytes = lay_out(b, backend, context);
    pack(b, block);
    const gwf_op op = {c->kind,
                       b->whole_in,
                       b->out,
                       c->kernel,
                       c->pad_y,
                       c->pad_x,
                       c->activation,
                       b->packed,
                       b->packed_bias,
                       NULL,
                       c->in[0] == 1 ? 1 : b->whole_in.channels,
                       c->halo_y,
                       c->halo_x,
                       c->halo_zero,
                       c->name};
    GWF_TRY_DONE(backend->prepare(context, &op, &step, err));
    GWF_TRY_DONE(backend->reserve(context, bytes, err));
    GWF_TRY_DONE(load_maps(b, backend, context, err));
    GWF_TRY_DONE(backend->run(context, step, err));
    GWF_TRY_DONE(backend->store(context, &b->out, b->slot, b->y, c->out, err));
done:
    backend->release(context, step);
    return status;
}

/* ---- truth, from the definitions, in double ---- */

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

/* Input channel c at (y, x), 0 outside the map. */
static double at(const bench *b, int c, int y, int x)
{
    if (y < 0 || y >= b->c->rows || x < 0 || x >= b->c->cols) return 0;
    return b->x[in_plane(b) * (size_t)c + (size_t)(y * b->c->cols + x)];
}

static double true_conv(const bench *b, int k, int y, int x)
{
    const op_case *c = b->c;
    const float *w = b->weights + (size_t)(k * b->in_channels * c->kernel * c->kernel);
    double sum = b->bias[k];
    for (int i = 0; i < b->in_channels; i++)
        for (int ky = 0; ky < c->kernel; ky++)
            for (int kx = 0; kx < c->kernel; kx++)
                sum += *w++ * at(b, i, y + ky - c->pad_y, x + kx - c->pad_x);
    return activated(c->activation, sum);
}

/* Where floor(n / 2) stands in a map whose border is `border` wide. */
static int half(int n, int border)
{
    return (int)floor(n / 2.0) + border;
}

static double true_upconv(const bench *b, int k, int y, int x)
{
    const op_case *c = b->c;
    const float *w = b->weights + (size_t)(k * b->in_channels * 9);
    double sum = b->bias[k];
    for (int i = 0; i < b->in_channels; i++)
        for (int ky = -1; ky <= 1; ky++)
            for (int kx = -1; kx <= 1; kx++)
                sum += *w++ * at(b, i, half(y + ky, 1 - c->pad_y), half(x + kx, 1 - c->pad_x));
    return activated(c->activation, sum);
}

static double true_value(const bench *b, int k, int y, int x)
{
    const op_case *c = b->c;
    const size_t here = out_plane(b) * (size_t)k + (size_t)(y * b->out_cols + x);
    switch (c->kind) {
    case GWF_OP_CONV:
        return true_conv(b, k, y, x);
    case GWF_OP_POOL:
        return fmax(fmax(at(b, k, 2 * y, 2 * x), at(b, k, 2 * y, 2 * x + 1)),
                    fmax(at(b, k, 2 * y + 1, 2 * x), at(b, k, 2 * y + 1, 2 * x + 1)));
    case GWF_OP_UPCONV:
        return true_upconv(b, k, y, x);
    case GWF_OP_GATE:
        return (double)b->before[here] * at(b, c->in[0] == 1 ? 0 : k, y, x);
    case GWF_OP_HALO:
        return c->halo_zero ? at(b, k, y - c->halo_y, x - c->halo_x)
                            : at(b, k, y - c->halo_y, (x - c->halo_x + 4 * c->cols) % c->cols);
    }
    return NAN;
}

static double error_of(const bench *b)
{
    double difference = 0, norm = 0;
    for (int k = 0; k < b->c->out; k++)
        for (int y = 0; y < b->out_rows; y++)
            for (int x = 0; x < b->out_cols; x++) {
                const double truth = true_value(b, k, y, x);
                const double got = b->y[out_plane(b) * (size_t)k + (size_t)(y * b->out_cols + x)];
                difference += (got - truth) * (got - truth);
                norm += truth * truth;
            }
    return sqrt(difference / norm);
}

/* ---- every case on every backend ---- */

/* What a precision adds to a case's tolerance: rounding what is read, the weights and the result,
 * to 8 bits in bf16, 11 in the others. */
typedef struct allowance {
    gwf_precision precision;
    double error;
} allowance;

static const allowance allowances[] = {
    {GWF_FP32, 1e-7}, {GWF_FP32_FAST, 1e-4}, {GWF_TF32, 1e-3}, {GWF_BF16, 5e-3}, {GWF_FP16, 7e-4}};

static void run_case(bench b, const gwf_backend *watched, const allowance *allowed)
{
    gwf_error err = {0};
    gwf_context *context = NULL;
    const op_case *c = b.c;
    const gwf_backend_config config = {
        .threads = 2, .batch = b.batch, .precision = allowed->precision, .wrapped = watched};
    CHECK_OK(gwf_backend_guard.open(&config, &context, &err), err);
    if (!context) return;
    fill_bench(&b);
    CHECK_OK(run_on(&b, &gwf_backend_guard, context, &err), err);
    const double error = error_of(&b);
    if (!(error <= c->tolerance + allowed->error))
        fprintf(stderr, "\n  backend %s, %s, %s: relative error %g\n", watched->name,
                gwf_precision_word(allowed->precision), c->name, error);
    CU_ASSERT_TRUE(error <= c->tolerance + allowed->error);
    gwf_backend_guard.close(context);
    free_bench(&b);
}

static void run_cases(const gwf_backend *backend, const allowance *allowed)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const op_case *c = &cases[i];
        run_case((bench){.c = c, .batch = 1}, backend, allowed);
        run_case((bench){.c = c, .batch = 2, .slot = 1}, backend, allowed);
        run_case((bench){.c = c, .batch = 3, .slot = 1, .whole_out = true}, backend, allowed);
    }
}

static void test_op_cases(void)
{
    for (const gwf_backend *const *b = gwf_backends(); *b; b++)
        for (size_t i = 0; i < sizeof allowances / sizeof *allowances; i++)
            if (backend_starts(*b, allowances[i].precision)) run_cases(*b, &allowances[i]);
}

/* A NaN at any place of a 2x2 wins, as in PyTorch: features that went wrong are not covered up. */
static void check_pool_of_nan(const gwf_backend *known, gwf_precision precision)
{
    enum { CHANNELS = 16, ROWS = 4, COLS = 8, N = CHANNELS * ROWS * COLS };
    gwf_error err = {0};
    const gwf_backend *backend = NULL;
    gwf_context *context = NULL;
    gwf_step *step = NULL;
    const gwf_backend_config config = {.threads = 1, .batch = 1, .precision = precision};
    const gwf_view in = {
        .map_channels = CHANNELS, .channels = CHANNELS, .rows = ROWS, .cols = COLS};
    gwf_op op = {.kind = GWF_OP_POOL, .in = in, .out = in};
    float values[N], pooled[N / 4];
    for (int i = 0; i < N; i++) values[i] = (float)(i % 7) - 3;
    for (int place = 0; place < 4; place++)
        values[place * ROWS * COLS + (2 + place / 2) * COLS + 4 + place % 2] = NAN;
    CHECK_OK(gwf_backend_start(known, &config, &backend, &context, &err), err);
    op.out.offset = (backend->map_bytes(context, CHANNELS, ROWS, COLS) + 63) / 64 * 64;
    op.out.rows = ROWS / 2;
    op.out.cols = COLS / 2;
    CHECK_OK(backend->prepare(context, &op, &step, &err), err);
    CHECK_OK(backend->reserve(context, 2 * op.out.offset, &err), err);
    CHECK_OK(backend->load(context, &in, 0, values, CHANNELS, &err), err);
    CHECK_OK(backend->run(context, step, &err), err);
    CHECK_OK(backend->store(context, &op.out, 0, pooled, CHANNELS, &err), err);
    for (int i = 0; i < N / 4; i++) {
        const bool expected = i < 4 * 8 && i % 8 == 4 + 2; /* row 1, column 2 of channels 0 to 3 */
        CU_ASSERT_EQUAL(isnan(pooled[i]) != 0, expected);
    }
    backend->release(context, step);
    backend->close(context);
}

static void test_pool_of_nan(void)
{
    for (const gwf_backend *const *b = gwf_backends(); *b; b++)
        for (size_t i = 0; i < sizeof allowances / sizeof *allowances; i++)
            if (backend_starts(*b, allowances[i].precision))
                check_pool_of_nan(*b, allowances[i].precision);
}

/* ---- opening ---- */

static void test_open_by_name(void)
{
    const gwf_backend_config config = {.threads = 1, .batch = 1};
    const gwf_backend *backend = NULL;
    gwf_context *context = NULL;
    gwf_error err = {0};
    CHECK_OK(gwf_backend_open("ref", &config, &backend, &context, &err), err);
    CU_ASSERT_PTR_EQUAL(backend, &gwf_backend_ref);
    backend->close(context);
    const gwf_backend *const *first = gwf_backends();
    while (*first && !backend_starts(*first, GWF_PRECISION_AUTO)) first++;
    if (!*first) return;
    CHECK_OK(gwf_backend_open("auto", &config, &backend, &context, &err), err);
    CU_ASSERT_STRING_EQUAL(backend->name, (*first)->name);
    backend->close(context);
    CHECK_FAILS(gwf_backend_open("gpu", &config, &backend, &context, &err), GWF_ERR_ARGUMENT, err,
                "expected auto, cuda, cpu or ref");
}

/* Every word of the option is a precision of that name, and what a backend lacks it refuses. */
static void test_precisions(void)
{
    struct gwf_options *options = gwf_options_create();
    const gwf_option_table table = gwf_engine_options(options);
    const gwf_option_row *row = gwf_option_find(&table, "precision");
    for (int i = 0; row->words[i]; i++) {
        CU_ASSERT_EQUAL(gwf_options_set(options, "precision", row->words[i]), GWF_OK);
        const gwf_backend_config config = gwf_backend_configure(options, NULL);
        CU_ASSERT_STRING_EQUAL(gwf_precision_word(config.precision), row->words[i]);
    }
    gwf_options_free(&options);
    for (const gwf_backend *const *b = gwf_backends(); *b; b++)
        if (*b != &gwf_backend_cuda)
            CU_ASSERT_FALSE(backend_starts(*b, GWF_TF32) || backend_starts(*b, GWF_FP16));
}

/* ---- the guard itself: a backend that does wrong must not pass ---- */

static gwf_status run_nothing(gwf_context *context, gwf_step *step, gwf_error *err)
{
    (void)context;
    (void)step;
    (void)err;
    return GWF_OK;
}

static gwf_view overrun_view;

static gwf_status run_too_far(gwf_context *context, gwf_step *step, gwf_error *err)
{
    float values[64] = {0};
    gwf_view behind = overrun_view;
    GWF_TRY(gwf_backend_ref.run(context, step, err));
    behind.offset += sizeof(float) * 2 * 8 * 16; /* the first values behind the map */
    behind.channels = behind.map_channels = behind.rows = 1;
    behind.first = 0;
    behind.cols = 2;
    return gwf_backend_ref.load(context, &behind, 0, values, 1, err);
}

static gwf_status watch(gwf_status (*run)(gwf_context *, gwf_step *, gwf_error *), gwf_error *err)
{
    gwf_backend broken = gwf_backend_ref;
    const gwf_backend_config config = {.batch = 1, .wrapped = &broken};
    gwf_context *context = NULL;
    gwf_step *step = NULL;
    float values[2 * 16 * 32] = {0};
    const gwf_view in = {0, 2, 0, 2, 16, 32, NULL, false};
    const gwf_view out = {4096, 2, 0, 2, 8, 16, NULL, false};
    const gwf_op op = {.kind = GWF_OP_POOL, .in = in, .out = out};
    gwf_status status = GWF_OK;
    broken.run = run;
    overrun_view = out;
    GWF_TRY(gwf_backend_guard.open(&config, &context, err));
    GWF_TRY_DONE(gwf_backend_guard.prepare(context, &op, &step, err));
    GWF_TRY_DONE(gwf_backend_guard.reserve(context, 8192, err));
    GWF_TRY_DONE(gwf_backend_guard.load(context, &in, 0, values, 2, err));
    GWF_TRY_DONE(gwf_backend_guard.run(context, step, err));
done:
    gwf_backend_guard.release(context, step);
    gwf_backend_guard.close(context);
    return status;
}

static void test_guard_sees(void)
{
    gwf_error err = {0};
    CHECK_OK(watch(gwf_backend_ref.run, &err), err);
    CHECK_FAILS(watch(run_nothing, &err), GWF_ERR_BACKEND, err, "was not written");
    CHECK_FAILS(watch(run_too_far, &err), GWF_ERR_BACKEND, err, "past the end");
}

int main(void)
{
    static const test_case tests[] = {
        {"every operation on every backend", test_op_cases},
        {"NaN in a pool", test_pool_of_nan},
        {"backends open by name", test_open_by_name},
        {"precisions", test_precisions},
        {"the guard sees unwritten results and overruns", test_guard_sees},
    };
    return test_run("backend", tests, sizeof tests / sizeof *tests);
}
