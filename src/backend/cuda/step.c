/* A step of a map on the device. */
#include "backend/cuda/context.h"

#include <stdio.h>
#include <stdlib.h>

#include "backend/cuda/profile.h"

gwf_cuda_map gwf_cuda_map_of(const gwf_context *context, const gwf_view *view, int slot)
{
    const size_t map = (size_t)view->rows * (size_t)view->cols * (size_t)view->map_channels;
    const size_t first = (slot > 0 ? (size_t)slot * map : 0) + (size_t)view->first;
    return (gwf_cuda_map){.at = context->arena + view->offset +
                                first * gwf_cuda_value_size(context->type),
                          .type = context->type,
                          .batch = slot < 0 ? context->batch : 1,
                          .rows = view->rows,
                          .cols = view->cols,
                          .channels = view->channels,
                          .pitch = view->map_channels};
}

gwf_status gwf_cuda_fill(gwf_context *context, const gwf_view *view, int slot, int byte,
                         gwf_error *err)
{
    const size_t points = (size_t)view->rows * (size_t)view->cols;
    const size_t map = points * (size_t)view->map_channels * gwf_cuda_value_size(context->type);
    CUDA_TRY(&context->device,
             cudaMemsetAsync(context->arena + view->offset + (size_t)slot * map, byte,
                             (size_t)(context->batch - slot) * map, context->device.streams[0]));
    return GWF_OK;
}

gwf_cuda_tensor gwf_cuda_tensor_of(const gwf_cuda_map *map)
{
    const int64_t pitch = map->pitch, cols = map->cols, rows = map->rows;
    return (gwf_cuda_tensor){{map->batch, map->channels, rows, cols},
                             {rows * cols * pitch, 1, cols * pitch, pitch}};
}

gwf_cuda_conv gwf_cuda_conv_of(const gwf_context *context, const gwf_op *op, int kernel)
{
    const gwf_cuda_map in = gwf_cuda_map_of(context, &op->in, -1);
    const gwf_cuda_map out = gwf_cuda_map_of(context, &op->out, -1);
    return (gwf_cuda_conv){.type = context->type,
                           .exact = context->precision == GWF_FP32,
                           .in = gwf_cuda_tensor_of(&in),
                           .out = gwf_cuda_tensor_of(&out),
                           .kernel = kernel,
                           .before = {op->pad_y, op->pad_x},
                           .after = {op->pad_y, op->pad_x},
                           .activation = op->activation};
}

/* Whether all output channels but the first are there to fill up a block. */
static bool has_one_channel(const gwf_op *op)
{
    const size_t filter = (size_t)op->in.channels * (size_t)(op->kernel * op->kernel);
    if (op->out.channels != GWF_CUDA_BLOCK) return false;
    for (size_t i = filter; i < filter * GWF_CUDA_BLOCK; i++)
        if (op->weights[i] != 0) return false;
    for (int k = 1; k < GWF_CUDA_BLOCK; k++)
        if (op->bias[k] != 0) return false;
    return true;
}

static gwf_status make_conv(gwf_context *context, const gwf_op *op, gwf_step *step, gwf_error *err)
{
    gwf_cuda_part *part = &step->parts[0];
    if (has_one_channel(op)) {
        step->way = GWF_CUDA_PSI;
        step->psi_bias = op->bias[0];
        snprintf(step->how, sizeof step->how, "own kernel");
        return gwf_cuda_weights_make(context, op, op->kernel, op->weights, &step->psi, err);
    }
    step->way = GWF_CUDA_PLAN;
    step->n_parts = 1;
    part->conv = gwf_cuda_conv_of(context, op, op->kernel);
    GWF_TRY(gwf_cuda_weights_make(context, op, op->kernel, op->weights, &part->weights, err));
    GWF_TRY(gwf_cuda_part_choose(context, part, NULL, err));
    snprintf(step->how, sizeof step->how, "%s", part->choice.how);
    return GWF_OK;
}

gwf_status gwf_cuda_step_make(gwf_context *context, const gwf_op *op, gwf_step *step,
                              gwf_error *err)
{
    step->op = *op;
    step->op.weights = step->op.bias = NULL;
    step->op.name = NULL;
    step->way = GWF_CUDA_SMALL;
    snprintf(step->name, sizeof step->name, "%s", op->name ? op->name : "a step");
    if (op->kind == GWF_OP_CONV) return make_conv(context, op, step, err);
    if (op->kind == GWF_OP_UPCONV) return gwf_cuda_upconv_make(context, op, step, err);
    return GWF_OK;
}

gwf_status gwf_cuda_step_bind(gwf_context *context, gwf_step *step, gwf_error *err)
{
    if (step->way == GWF_CUDA_SMALL || step->way == GWF_CUDA_PSI) return GWF_OK;
    if (step->way != GWF_CUDA_PLAN) return gwf_cuda_upconv_bind(context, step, err);
    return gwf_cuda_part_bind(
        context, &step->parts[0], gwf_cuda_map_of(context, &step->op.in, -1).at,
        gwf_cuda_map_of(context, &step->op.out, -1).at, context->workspace, err);
}

void gwf_cuda_step_free(gwf_step *step)
{
    for (int i = 0; i < GWF_CUDA_BRANCHES; i++) gwf_cuda_part_free(&step->parts[i]);
    gwf_cuda_weights_free(&step->psi);
    free(step);
}

/* ---- running ---- */

static cudaError_t run_small(const gwf_context *context, const gwf_op *op)
{
    const cudaStream_t stream = context->device.streams[0];
    const gwf_cuda_map in = gwf_cuda_map_of(context, &op->in, -1);
    const gwf_cuda_map out = gwf_cuda_map_of(context, &op->out, -1);
    if (op->kind == GWF_OP_POOL) return gwf_cuda_pool(in, out, stream);
    if (op->kind == GWF_OP_GATE) return gwf_cuda_gate(in, out, op->gate_channels == 1, stream);
    return gwf_cuda_halo(in, out, op->halo_y, op->halo_x, op->halo_zero, stream);
}

static bool same_view(const gwf_view *a, const gwf_view *b)
{
    return a->offset == b->offset && a->first == b->first && a->channels == b->channels;
}

/* A gate of one channel that has just been computed scales as it is made: it need not be written.
 */
static bool scales_with(const gwf_step *psi, const gwf_step *next)
{
    return next && next->op.kind == GWF_OP_GATE && next->op.gate_channels == 1 &&
           same_view(&psi->op.out, &next->op.in);
}

static cudaError_t run_psi(const gwf_context *context, const gwf_step *step, const gwf_step *gated)
{
    const gwf_op *op = &step->op;
    gwf_cuda_psi psi = {.in = gwf_cuda_map_of(context, &op->in, -1),
                        .gate = gwf_cuda_map_of(context, &op->out, -1),
                        .weights = step->psi.filter,
                        .bias = step->psi_bias,
                        .kernel = op->kernel,
                        .pad_y = op->pad_y,
                        .pad_x = op->pad_x,
                        .activation = op->activation};
    if (gated) psi.scaled = gwf_cuda_map_of(context, &gated->op.out, -1);
    return gwf_cuda_psi_run(psi, context->device.streams[0]);
}

static gwf_status run_way(gwf_context *context, gwf_step *step, const gwf_step *gated,
                          gwf_error *err)
{
    switch (step->way) {
    case GWF_CUDA_SMALL:
        CUDA_TRY(&context->device, run_small(context, &step->op));
        break;
    case GWF_CUDA_PSI:
        CUDA_TRY(&context->device, run_psi(context, step, gated));
        break;
    case GWF_CUDA_PLAN:
        return gwf_cuda_part_run(context, &step->parts[0], 0, err);
    case GWF_CUDA_PHASES:
    case GWF_CUDA_LARGE:
        return gwf_cuda_upconv_run(context, step, err);
    }
    return GWF_OK;
}

gwf_status gwf_cuda_step_run(gwf_context *context, gwf_step *step, const gwf_step *next, bool *both,
                             gwf_error *err)
{
    gwf_cuda_device *device = &context->device;
    *both = step->way == GWF_CUDA_PSI && scales_with(step, next);
    gwf_cuda_range_begin(step->name);
    gwf_status status = run_way(context, step, *both ? next : NULL, err);
    gwf_cuda_range_end();
    GWF_TRY(status);
    if (step->watched)
        CUDA_TRY(device, gwf_cuda_check(gwf_cuda_map_of(context, &step->op.out, -1),
                                        context->overflow + step->number, device->streams[0]));
    return GWF_OK;
}
