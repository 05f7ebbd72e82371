/* An upconv on the device: four convolutions of the small map that write each second pixel of the
 * result, side by side, or one of a map of twice the size. Whichever is faster; phases where
 * nothing is measured. */
#include "backend/cuda/context.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "backend/cuda/trial.h"
#include "backend/phases.h"
#include "backend/tune.h"
#include "core/clock.h"
#include "core/size.h"

enum { PHASES = 4, KEY = 512 + GWF_CUDA_CONV_TEXT };

/* A phase as a convolution of part of the map: without a border of its own in is padded with a zero
 * where the phase reaches over the edge; with one the lower (right) phase starts a row (column)
 * later. */
static gwf_cuda_part phase_part(const gwf_context *context, const gwf_op *op, int phase)
{
    const int lower = phase / 2, right = phase % 2;
    const gwf_cuda_map in = gwf_cuda_map_of(context, &op->in, -1);
    const gwf_cuda_map out = gwf_cuda_map_of(context, &op->out, -1);
    const int rows = op->in.rows - 1 + op->pad_y, cols = op->in.cols - 1 + op->pad_x;
    const int first_row = op->pad_y ? 0 : lower, first_col = op->pad_x ? 0 : right;
    gwf_cuda_part part = {
        .conv = gwf_cuda_conv_of(context, op, 2),
        .in_shift = (size_t)(first_row * in.cols + first_col) * (size_t)in.pitch,
        .out_shift = (size_t)(lower * out.cols + right) * (size_t)out.pitch,
    };
    gwf_cuda_conv *c = &part.conv;
    c->in.dims[2] = rows;
    c->in.dims[3] = cols;
    c->out.dims[2] /= 2;
    c->out.dims[3] /= 2;
    c->out.strides[2] *= 2;
    c->out.strides[3] *= 2;
    c->before[0] = op->pad_y && !lower;
    c->after[0] = op->pad_y && lower;
    c->before[1] = op->pad_x && !right;
    c->after[1] = op->pad_x && right;
    return part;
}

static gwf_status make_phases(gwf_context *context, const gwf_op *op, gwf_step *step,
                              gwf_error *err)
{
    gwf_status status = GWF_OK;
    const size_t filters = (size_t)op->out.channels * (size_t)op->in.channels;
    float *weights = malloc(4 * filters * sizeof *weights);
    if (!weights) return gwf_fail(err, GWF_ERR_MEMORY, "backend cuda: no memory for weights");
    step->way = GWF_CUDA_PHASES;
    for (int i = 0; i < PHASES; i++) {
        gwf_cuda_part *part = &step->parts[i];
        *part = phase_part(context, op, i);
        step->n_parts = i + 1;
        gwf_phase_weights(op, i, weights);
        GWF_TRY_DONE(gwf_cuda_weights_make(context, op, 2, weights, &part->weights, err));
        GWF_TRY_DONE(gwf_cuda_part_choose(context, part, i ? &step->parts[0].choice : NULL, err));
    }
    snprintf(step->how, sizeof step->how, "4 phases, %s", step->parts[0].choice.how);
done:
    free(weights);
    return status;
}

/* The map of twice the size, without the outer half of a border that in has. */
static gwf_cuda_map large_map(const gwf_context *context, const gwf_op *op)
{
    gwf_cuda_map large = gwf_cuda_map_of(context, &op->in, -1);
    large.at = context->large;
    large.rows = 2 * op->in.rows - 2 * (1 - op->pad_y);
    large.cols = 2 * op->in.cols - 2 * (1 - op->pad_x);
    large.pitch = large.channels;
    return large;
}

static gwf_status make_large(gwf_context *context, const gwf_op *op, gwf_step *step, gwf_error *err)
{
    gwf_cuda_part *part = &step->parts[0];
    const gwf_cuda_map large = large_map(context, op);
    const size_t bytes = (size_t)large.batch * (size_t)large.rows * (size_t)large.cols *
                         (size_t)large.pitch * gwf_cuda_value_size(context->type);
    step->way = GWF_CUDA_LARGE;
    step->n_parts = 1;
    part->conv = gwf_cuda_conv_of(context, op, 3);
    part->conv.in = gwf_cuda_tensor_of(&large);
    GWF_TRY(gwf_cuda_weights_make(context, op, 3, op->weights, &part->weights, err));
    GWF_TRY(gwf_cuda_part_choose(context, part, NULL, err));
    if (bytes > context->large_bytes) context->large_bytes = bytes;
    snprintf(step->how, sizeof step->how, "large map, %s", part->choice.how);
    return GWF_OK;
}

gwf_status gwf_cuda_upconv_bind(gwf_context *context, gwf_step *step, gwf_error *err)
{
    const gwf_cuda_map in = gwf_cuda_map_of(context, &step->op.in, -1);
    const gwf_cuda_map out = gwf_cuda_map_of(context, &step->op.out, -1);
    char *from = step->way == GWF_CUDA_LARGE ? context->large : in.at;
    for (int i = 0; i < step->n_parts; i++)
        GWF_TRY(gwf_cuda_part_bind(context, &step->parts[i], from, out.at,
                                   context->workspace + (size_t)i * context->workspace_bytes, err));
    return GWF_OK;
}

gwf_status gwf_cuda_upconv_run(gwf_context *context, gwf_step *step, gwf_error *err)
{
    gwf_cuda_device *device = &context->device;
    const gwf_op *op = &step->op;
    if (step->way == GWF_CUDA_LARGE) {
        CUDA_TRY(device,
                 gwf_cuda_upsample(gwf_cuda_map_of(context, &op->in, -1), large_map(context, op),
                                   1 - op->pad_y, 1 - op->pad_x, device->streams[0]));
        return gwf_cuda_part_run(context, &step->parts[0], 0, err);
    }
    GWF_TRY(gwf_cuda_fork(device, err));
    for (int i = 0; i < PHASES; i++) GWF_TRY(gwf_cuda_part_run(context, &step->parts[i], i, err));
    return gwf_cuda_join(device, err);
}

/* ---- choosing ---- */

typedef struct timed_step {
    gwf_context *context;
    gwf_step *step;
} timed_step;

static gwf_status run_timed(void *user, int repeat, gwf_error *err)
{
    (void)repeat;
    timed_step *timed = user;
    return gwf_cuda_upconv_run(timed->context, timed->step, err);
}

static size_t bytes_of(const gwf_context *context, const gwf_view *view)
{
    const size_t points = (size_t)view->rows * (size_t)view->cols * (size_t)context->batch;
    return points * (size_t)view->map_channels * gwf_cuda_value_size(context->type);
}

/* Seconds of a step in memory that is there for this only, one map behind the other. */
static gwf_status time_step(gwf_context *context, gwf_step *step, double *seconds, gwf_error *err)
{
    static const char what[] = "measuring an upconv";
    gwf_status status = GWF_OK;
    gwf_context own = *context;
    gwf_cuda_device *device = &own.device;
    timed_step timed = {&own, step};
    const gwf_op op = step->op;
    step->op.in.offset = 0;
    step->op.out.offset = gwf_size_round_up(bytes_of(context, &op.in), GWF_CUDA_ALIGNMENT);
    const size_t bytes = step->op.out.offset + bytes_of(context, &op.out);
    own.arena = own.large = own.workspace = NULL;
    GWF_TRY_DONE(gwf_cuda_allocate(device, bytes, what, (void **)&own.arena, err));
    GWF_TRY_DONE(gwf_cuda_allocate(device, own.large_bytes, what, (void **)&own.large, err));
    GWF_TRY_DONE(gwf_cuda_allocate(device, GWF_CUDA_BRANCHES * own.workspace_bytes, what,
                                   (void **)&own.workspace, err));
    CUDA_TRY_DONE(device, cudaMemsetAsync(own.arena, 0, bytes, device->streams[0]));
    GWF_TRY_DONE(gwf_cuda_upconv_bind(&own, step, err));
    GWF_TRY_DONE(gwf_cuda_time(device, run_timed, &timed, HUGE_VAL, seconds, err));
done:
    gwf_cuda_free(own.arena);
    gwf_cuda_free(own.large);
    gwf_cuda_free(own.workspace);
    step->op = op;
    return status;
}

/* Phases, large: made when they are asked for. */
enum { WAYS = 2 };

typedef struct rivals {
    gwf_context *context;
    const gwf_op *op;
    gwf_step *steps[WAYS];
} rivals;

static const char *name_of(void *user, int way)
{
    (void)user;
    return way == 0 ? "phases" : "large map";
}

static gwf_status make_way(rivals *r, int way, gwf_error *err)
{
    if (r->steps[way]) return GWF_OK;
    gwf_step *step = calloc(1, sizeof *step);
    if (!step) return gwf_fail(err, GWF_ERR_MEMORY, "backend cuda: no memory for a step");
    step->op = *r->op;
    const gwf_status status = way == 0 ? make_phases(r->context, r->op, step, err)
                                       : make_large(r->context, r->op, step, err);
    if (status == GWF_OK)
        r->steps[way] = step;
    else
        gwf_cuda_step_free(step);
    return status;
}

static gwf_status time_way(void *user, int way, double *seconds, gwf_error *err)
{
    rivals *r = user;
    GWF_TRY(make_way(r, way, err));
    const double start = gwf_now();
    const gwf_status status = time_step(r->context, r->steps[way], seconds, err);
    gwf_cuda_tuner_spend(&r->context->tuner, start);
    return status;
}

static void make_key(const gwf_context *context, const gwf_op *op, char key[static KEY])
{
    char machine[300], text[GWF_CUDA_CONV_TEXT];
    const gwf_cuda_part phase = phase_part(context, op, 0);
    gwf_cuda_tuner_key(&context->tuner, machine, sizeof machine);
    gwf_cuda_conv_text(&phase.conv, text);
    snprintf(key, KEY, "%s, upconv, %s", machine, text);
}

/* What was made becomes part of the step; the other way is freed. */
static void take(rivals *r, int way, gwf_step *step)
{
    gwf_step *made = r->steps[way];
    step->way = made->way;
    step->n_parts = made->n_parts;
    memcpy(step->parts, made->parts, sizeof step->parts);
    memcpy(step->how, made->how, sizeof step->how);
    memset(made->parts, 0, sizeof made->parts);
}

gwf_status gwf_cuda_upconv_make(gwf_context *context, const gwf_op *op, gwf_step *step,
                                gwf_error *err)
{
    char key[KEY];
    rivals r = {context, op, {NULL, NULL}};
    make_key(context, op, key);
    const gwf_contest contest = {key, WAYS, name_of, time_way, &r};
    gwf_backend_config config = context->tuner.config;
    config.tune = gwf_cuda_tuner_has_time(&context->tuner);
    const int way = gwf_fastest_way(&config, &contest);
    const gwf_status status = make_way(&r, way, err);
    if (status == GWF_OK) take(&r, way, step);
    for (int i = 0; i < WAYS; i++)
        if (r.steps[i]) gwf_cuda_step_free(r.steps[i]);
    return status;
}
