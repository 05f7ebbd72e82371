#include "backend/onednn_step.h"

#include <stdlib.h>

#include "backend/phases.h"

/* --- manners --------------------------------------------------------------------------------- */

static size_t values_of(const int size[3])
{
    return (size_t)size[0] * (size_t)size[1] * (size_t)size[2];
}

static gwf_value value_of(const gwf_context *context, const gwf_view *view)
{
    return gwf_blocked_value(&context->maps, view->map_channels);
}

bool gwf_step_dense(const gwf_view *view)
{
    return view->channels == view->map_channels;
}

/* Maps of one call of a convolution: all of the batch if what it reads and writes lies densely; an
 * upconv writes its phases aside, or reads its large map from there. */
static int slots_of(const gwf_context *context, const gwf_op *op, bool phases)
{
    const bool from_map = phases || op->kind == GWF_OP_CONV, to_map = !phases;
    const bool whole =
        (!from_map || gwf_step_dense(&op->in)) && (!to_map || gwf_step_dense(&op->out));
    return whole ? context->maps.batch : 1;
}

/* A conv, or an upconv's convolution of the large map. */
static gwf_conv_shape shape_of(const gwf_context *context, const gwf_op *op)
{
    const bool up = op->kind == GWF_OP_UPCONV;
    const int rows = op->in.rows, cols = op->in.cols;
    return (gwf_conv_shape){
        .batch = slots_of(context, op, false),
        .in = {op->in.channels, up ? 2 * (rows - 1 + op->pad_y) : rows,
               up ? 2 * (cols - 1 + op->pad_x) : cols},
        .out = {op->out.channels, op->out.rows, op->out.cols},
        .kernel = op->kernel,
        .reads = value_of(context, &op->in),
        .writes = value_of(context, &op->out),
        .pad_before = {op->pad_y, op->pad_x},
        .pad_after = {op->pad_y, op->pad_x},
        .activation = op->activation,
        .weights = op->weights,
        .bias = op->bias,
    };
}

/* Worth a try? Reorders pay where the weights outweigh the maps; Winograd is of another precision.
 */
static bool admitted(const gwf_context *context, const gwf_conv_shape *shape, gwf_conv_way way)
{
    const size_t filters = (size_t)shape->in[0] * (size_t)shape->out[0];
    const size_t weights = filters * (size_t)(shape->kernel * shape->kernel);
    switch (way) {
    case GWF_CONV_DIRECT:
        return true;
    case GWF_CONV_CHANNELS_LAST:
        return (size_t)shape->batch * (values_of(shape->in) + values_of(shape->out)) < weights;
    case GWF_CONV_WINOGRAD_2X3:
    case GWF_CONV_WINOGRAD_4X3:
        return shape->kernel == 3 && context->config.precision == GWF_FP32_FAST;
    case GWF_CONV_WAYS:
        break;
    }
    return false;
}

int gwf_step_manners(const gwf_context *context, const gwf_op *op,
                     gwf_manner manners[GWF_MAX_MANNERS])
{
    static const gwf_conv_way order[] = {GWF_CONV_WINOGRAD_2X3, GWF_CONV_WINOGRAD_4X3,
                                         GWF_CONV_DIRECT, GWF_CONV_CHANNELS_LAST};
    const gwf_conv_shape shape = shape_of(context, op);
    int n = 0;
    if (op->kind == GWF_OP_UPCONV) manners[n++] = (gwf_manner){true, GWF_CONV_DIRECT};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        if (admitted(context, &shape, order[i]) &&
            gwf_conv_possible(&context->dnnl, &shape, order[i]))
            manners[n++] = (gwf_manner){false, order[i]};
    return n;
}

const char *gwf_manner_name(const gwf_op *op, gwf_manner manner)
{
    static const char *const names[2][GWF_CONV_WAYS] = {
        {"direct", "channels last", "Winograd 2x3", "Winograd 4x3"},
        {"enlarged, direct", "enlarged, channels last", "enlarged, Winograd 2x3",
         "enlarged, Winograd 4x3"},
    };
    return manner.phases ? "4 phases" : names[op->kind == GWF_OP_UPCONV][manner.way];
}

/* --- making ---------------------------------------------------------------------------------- */

void gwf_step_clear(gwf_step *step)
{
    for (int i = 0; i < GWF_PHASES; i++) gwf_conv_free(&step->convs[i]);
    *step = (gwf_step){0};
}

/* Bytes of one large map. */
static size_t large_bytes(const gwf_context *context, const gwf_step *step)
{
    return values_of(shape_of(context, &step->op).in) *
           gwf_value_size(value_of(context, &step->op.in));
}

static gwf_status make_single(const gwf_context *context, gwf_step *step, gwf_error *err)
{
    const gwf_conv_shape shape = shape_of(context, &step->op);
    if (step->op.kind == GWF_OP_UPCONV)
        step->aside_bytes = (size_t)context->maps.batch * large_bytes(context, step);
    GWF_TRY(gwf_conv_make(&context->dnnl, &shape, step->manner.way, &step->convs[0], err));
    step->scratch_bytes = step->convs[0].scratch_bytes;
    return GWF_OK;
}

/* Bytes of one map. */
static size_t phase_bytes(const gwf_context *context, const gwf_step *step)
{
    const int size[3] = {step->op.out.channels, step->phase_rows, step->phase_cols};
    return values_of(size) * gwf_value_size(value_of(context, &step->op.out));
}

static gwf_status make_phase(const gwf_context *context, gwf_step *step, int phase,
                             const float *weights, gwf_error *err)
{
    const gwf_op *op = &step->op;
    const int lower = phase / 2, right = phase % 2;
    const gwf_conv_shape shape = {
        .batch = step->slots,
        .in = {op->in.channels, op->in.rows, op->in.cols},
        .out = {op->out.channels, step->phase_rows, step->phase_cols},
        .kernel = 2,
        .reads = value_of(context, &op->in),
        .writes = value_of(context, &op->out),
        .pad_before = {op->pad_y && !lower, op->pad_x && !right},
        .pad_after = {op->pad_y && lower, op->pad_x && right},
        .activation = op->activation,
        .weights = weights,
        .bias = op->bias,
    };
    gwf_conv *conv = &step->convs[phase];
    GWF_TRY(gwf_conv_make(&context->dnnl, &shape, step->manner.way, conv, err));
    if (conv->scratch_bytes > step->scratch_bytes) step->scratch_bytes = conv->scratch_bytes;
    return GWF_OK;
}

/* A direction that is padded with a zero only where the phase reaches over the edge gives as many
 * results as there are small pixels. One with a border of its own gives one more; the lower or
 * right phase then starts at the second (gwf_blocked_interleave). */
static gwf_status make_phases(const gwf_context *context, gwf_step *step, gwf_error *err)
{
    const gwf_op *op = &step->op;
    const size_t filters = (size_t)op->out.channels * (size_t)op->in.channels;
    float *weights = NULL;
    gwf_status status = GWF_OK;
    if (op->weights && !(weights = malloc(4 * filters * sizeof *weights)))
        return gwf_fail(err, GWF_ERR_MEMORY, "backend cpu: no memory for weights");
    step->phase_rows = op->in.rows - 1 + op->pad_y;
    step->phase_cols = op->in.cols - 1 + op->pad_x;
    step->aside_bytes = GWF_PHASES * (size_t)context->maps.batch * phase_bytes(context, step);
    for (int phase = 0; phase < GWF_PHASES && status == GWF_OK; phase++) {
        if (weights) gwf_phase_weights(op, phase, weights);
        status = make_phase(context, step, phase, weights, err);
    }
    free(weights);
    return status;
}

gwf_status gwf_step_make(const gwf_context *context, const gwf_op *op, gwf_manner manner,
                         gwf_step *step, gwf_error *err)
{
    *step = (gwf_step){.op = *op, .manner = manner, .slots = slots_of(context, op, manner.phases)};
    const gwf_status status =
        manner.phases ? make_phases(context, step, err) : make_single(context, step, err);
    if (status != GWF_OK) gwf_step_clear(step);
    return status;
}

/* --- running --------------------------------------------------------------------------------- */

static gwf_status run_conv(const gwf_context *context, gwf_step *step, gwf_error *err)
{
    for (int slot = 0; slot < context->maps.batch; slot += step->slots)
        GWF_TRY(gwf_conv_run(&context->dnnl, &step->convs[0],
                             gwf_blocked_at(&context->maps, &step->op.in, slot),
                             gwf_blocked_at(&context->maps, &step->op.out, slot), err));
    return GWF_OK;
}

static gwf_status run_enlarged(const gwf_context *context, gwf_step *step, gwf_error *err)
{
    const char *large = context->aside;
    gwf_blocked_enlarge(&context->maps, &step->op, context->aside);
    for (int slot = 0; slot < context->maps.batch; slot += step->slots) {
        void *out = gwf_blocked_at(&context->maps, &step->op.out, slot);
        GWF_TRY(gwf_conv_run(&context->dnnl, &step->convs[0], large, out, err));
        large += large_bytes(context, step) * (size_t)step->slots;
    }
    return GWF_OK;
}

static gwf_status run_phases(const gwf_context *context, gwf_step *step, gwf_error *err)
{
    char *to = context->aside;
    for (int i = 0; i < GWF_PHASES; i++)
        for (int slot = 0; slot < context->maps.batch; slot += step->slots) {
            const void *in = gwf_blocked_at(&context->maps, &step->op.in, slot);
            GWF_TRY(gwf_conv_run(&context->dnnl, &step->convs[i], in, to, err));
            to += phase_bytes(context, step) * (size_t)step->slots;
        }
    gwf_blocked_interleave(&context->maps, &step->op.out, context->aside, step->phase_rows,
                           step->phase_cols);
    return GWF_OK;
}

gwf_status gwf_step_run(const gwf_context *context, gwf_step *step, gwf_error *err)
{
    switch (step->op.kind) {
    case GWF_OP_CONV:
        return run_conv(context, step, err);
    case GWF_OP_UPCONV:
        return step->manner.phases ? run_phases(context, step, err)
                                   : run_enlarged(context, step, err);
    case GWF_OP_POOL:
        gwf_blocked_pool(&context->maps, &step->op);
        break;
    case GWF_OP_GATE:
        gwf_blocked_gate(&context->maps, &step->op);
        break;
    case GWF_OP_HALO:
        gwf_blocked_halo(&context->maps, &step->op);
        break;
    }
    return GWF_OK;
}
