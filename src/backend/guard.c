/* A backend that watches another one, for tests.
 *
 * The arena is NaN before every map, and a step's result is NaN before the step: what the step
 * leaves out, or reads without anybody having written it, shows. Behind every map stands a row of
 * known values; a step that writes past its map changes them. Integers know no NaN: a step whose
 * result is in 8 bits runs twice, over zeros and over the largest, and must come to the same.
 * Everything goes through the watched backend's own load and store, so that any memory and layout
 * can be watched. */
#include "backend/backend.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { CANARY_COLS = 16, PIECE_COLS = 4096 };
/* Not a number as a float and as two halves of one, whichever of them a backend keeps. */
static const union {
    uint32_t bits;
    float value;
} poison = {0x7fc07fc0};
static const float canary_value = 12352.0f; /* exact in bf16 and fp16 too */

struct gwf_context {
    const gwf_backend *inner;
    gwf_context *context;
    size_t arena_bytes;
    bool spoiled;  /* since the last step: further loads leave the arena as it is */
    int loaded;    /* maps of the batch that were loaded since then: the others stay NaN */
    float *values; /* as large as the largest result of a batch, or a piece of the arena */
    float *first;  /* likewise: what the first of two runs made */
    size_t n_values;
};

struct gwf_step {
    gwf_step *inner;
    gwf_op op;
};

static int block_of(const gwf_context *g)
{
    return g->inner->channel_block(g->context);
}

static int batch(const gwf_context *g)
{
    return g->inner->batch(g->context);
}

static size_t map_bytes(const gwf_context *g, int channels, int rows, int cols)
{
    return g->inner->map_bytes(g->context, channels, rows, cols) +
           g->inner->map_bytes(g->context, block_of(g), 1, CANARY_COLS);
}

static gwf_view canary_of(const gwf_context *g, const gwf_view *view)
{
    const int block = block_of(g);
    return (gwf_view){
        .offset = view->offset +
                  g->inner->map_bytes(g->context, view->map_channels, view->rows, view->cols),
        .map_channels = block,
        .channels = block,
        .rows = 1,
        .cols = CANARY_COLS,
    };
}

static size_t size_of(const gwf_view *view)
{
    return (size_t)view->channels * (size_t)view->rows * (size_t)view->cols;
}

/* The view in every map of the batch. */
static gwf_status fill(gwf_context *g, const gwf_view *view, float value, gwf_error *err)
{
    for (size_t i = 0; i < size_of(view); i++) g->values[i] = value;
    for (int slot = 0; slot < batch(g); slot++)
        GWF_TRY(g->inner->load(g->context, view, slot, g->values, view->channels, err));
    return GWF_OK;
}

static gwf_status fetch(gwf_context *g, const gwf_view *view, int slot, gwf_error *err)
{
    return g->inner->store(g->context, view, slot, g->values, view->channels, err);
}

static gwf_status check_canary(gwf_context *g, const gwf_view *canary, int slot, gwf_error *err)
{
    GWF_TRY(fetch(g, canary, slot, err));
    for (size_t i = 0; i < size_of(canary); i++)
        if (g->values[i] != canary_value)
            return gwf_fail(err, GWF_ERR_BACKEND, "guard: a step wrote past the end of its map");
    return GWF_OK;
}

static gwf_status check_result(gwf_context *g, const gwf_view *view, int slot, gwf_error *err)
{
    GWF_TRY(fetch(g, view, slot, err));
    for (size_t i = 0; i < size_of(view); i++)
        if (isnan(g->values[i]))
            return gwf_fail(err, GWF_ERR_BACKEND,
                            "guard: value %zu of a step's result was not written, or made from "
                            "memory nobody wrote",
                            i);
    return GWF_OK;
}

/* Run it with `value` in every place of the result. */
static gwf_status run_over(gwf_context *g, gwf_step *step, float value, gwf_error *err)
{
    const gwf_view *out = &step->op.out;
    const gwf_view canary = canary_of(g, out);
    if (step->op.kind != GWF_OP_GATE) GWF_TRY(fill(g, out, value, err));
    GWF_TRY(fill(g, &canary, canary_value, err));
    GWF_TRY(g->inner->run(g->context, step->inner, err));
    for (int slot = 0; slot < batch(g); slot++) GWF_TRY(check_canary(g, &canary, slot, err));
    return GWF_OK;
}

static gwf_status run_twice(gwf_context *g, gwf_step *step, gwf_error *err)
{
    const gwf_view *out = &step->op.out;
    const size_t n = size_of(out);
    GWF_TRY(run_over(g, step, 0, err));
    for (int slot = 0; slot < g->loaded; slot++) {
        GWF_TRY(fetch(g, out, slot, err));
        memcpy(g->first + n * (size_t)slot, g->values, n * sizeof *g->values);
    }
    GWF_TRY(run_over(g, step, HUGE_VALF, err));
    for (int slot = 0; slot < g->loaded; slot++) {
        GWF_TRY(fetch(g, out, slot, err));
        if (memcmp(g->first + n * (size_t)slot, g->values, n * sizeof *g->values) != 0)
            return gwf_fail(err, GWF_ERR_BACKEND,
                            "guard: a step did not write all of a result in 8 bits");
    }
    return GWF_OK;
}

static gwf_status run(gwf_context *g, gwf_step *step, gwf_error *err)
{
    const gwf_view *out = &step->op.out;
    g->spoiled = false;
    if (out->int8 && step->op.kind != GWF_OP_GATE) return run_twice(g, step, err);
    GWF_TRY(run_over(g, step, poison.value, err));
    for (int slot = 0; slot < g->loaded; slot++) GWF_TRY(check_result(g, out, slot, err));
    return GWF_OK;
}

/* NaN all over the arena, a piece at a time. */
static gwf_status spoil(gwf_context *g, gwf_error *err)
{
    gwf_view piece = {.map_channels = block_of(g), .channels = block_of(g), .rows = 1};
    const size_t pixel = g->inner->map_bytes(g->context, piece.channels, 1, 1);
    for (size_t left = g->arena_bytes / pixel; left > 0; left -= (size_t)piece.cols) {
        piece.cols = left < PIECE_COLS ? (int)left : PIECE_COLS;
        GWF_TRY(fill(g, &piece, poison.value, err));
        piece.offset += pixel * (size_t)piece.cols;
    }
    return GWF_OK;
}

static gwf_status load(gwf_context *g, const gwf_view *to, int slot, const float *values,
                       int channels, gwf_error *err)
{
    if (!g->spoiled) {
        GWF_TRY(spoil(g, err));
        g->loaded = 0;
    }
    g->spoiled = true;
    if (slot + 1 > g->loaded) g->loaded = slot + 1;
    return g->inner->load(g->context, to, slot, values, channels, err);
}

static gwf_status store(gwf_context *g, const gwf_view *from, int slot, float *values, int channels,
                        gwf_error *err)
{
    return g->inner->store(g->context, from, slot, values, channels, err);
}

static gwf_status pack(gwf_context *g, const gwf_view *from, const gwf_rect *rect, void *bytes,
                       gwf_error *err)
{
    return g->inner->pack(g->context, from, rect, bytes, err);
}

static gwf_status unpack(gwf_context *g, const gwf_view *to, const gwf_rect *rect,
                         const void *bytes, gwf_error *err)
{
    return g->inner->unpack(g->context, to, rect, bytes, err);
}

static gwf_status prepare(gwf_context *g, const gwf_op *op, gwf_step **result, gwf_error *err)
{
    gwf_step *step = calloc(1, sizeof *step);
    if (!step) return gwf_fail(err, GWF_ERR_MEMORY, "guard: no memory for a step");
    step->op = *op;
    const gwf_status status = g->inner->prepare(g->context, op, &step->inner, err);
    if (status != GWF_OK) {
        free(step);
        return status;
    }
    const size_t values = size_of(&op->out) * (size_t)batch(g);
    if (values > g->n_values) g->n_values = values;
    *result = step;
    return GWF_OK;
}

static void release(gwf_context *g, gwf_step *step)
{
    if (!step) return;
    g->inner->release(g->context, step->inner);
    free(step);
}

static gwf_status reserve(gwf_context *g, size_t bytes, gwf_error *err)
{
    const size_t piece = (size_t)block_of(g) * PIECE_COLS;
    if (g->n_values < piece) g->n_values = piece;
    g->values = malloc(g->n_values * sizeof *g->values);
    g->first = malloc(g->n_values * sizeof *g->first);
    if (!g->values || !g->first) return gwf_fail(err, GWF_ERR_MEMORY, "guard: no memory");
    g->arena_bytes = bytes;
    return g->inner->reserve(g->context, bytes, err);
}

static void close_guard(gwf_context *g)
{
    if (!g) return;
    g->inner->close(g->context);
    free(g->values);
    free(g->first);
    free(g);
}

static gwf_status open_guard(const gwf_backend_config *config, gwf_context **result, gwf_error *err)
{
    gwf_context *g = calloc(1, sizeof *g);
    if (!g) return gwf_fail(err, GWF_ERR_MEMORY, "guard: no memory");
    const gwf_status status =
        gwf_backend_start(config->wrapped, config, &g->inner, &g->context, err);
    if (status != GWF_OK) {
        free(g);
        return status;
    }
    *result = g;
    return GWF_OK;
}

static const char *describe(const gwf_context *g)
{
    return g->inner->describe(g->context);
}

static const char *precision(const gwf_context *g)
{
    return g->inner->precision(g->context);
}

static const char *algorithm(const gwf_context *g, const gwf_step *step)
{
    return g->inner->algorithm(g->context, step->inner);
}

static double executed(const gwf_context *g, const gwf_step *step)
{
    return g->inner->executed ? g->inner->executed(g->context, step->inner) : 1;
}

static gwf_status weights(gwf_context *g, gwf_step *step, gwf_weights_at *at, void *user,
                          gwf_error *err)
{
    if (!g->inner->weights) return GWF_OK;
    return g->inner->weights(g->context, step->inner, at, user, err);
}

static const int batches[] = {1, 0};

const gwf_backend gwf_backend_guard = {
    .name = "guard",
    .summary = "watches another backend",
    .batches = batches,
    .open = open_guard,
    .close = close_guard,
    .describe = describe,
    .precision = precision,
    .channel_block = block_of,
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
