#include "engine/plan.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "engine/arena.h"
#include "engine/border.h"
#include "engine/fold.h"

enum {
    MAX_POINTS = 1 << 26
}; /* of a grid, so that points fit an int; 0.05 degrees has 26 million */

typedef struct planned_step {
    gwf_step *step;
    gwf_border *border; /* a halo operation on a tile: what comes from the neighbours */
    gwf_view out;
    int channels; /* of the result, not rounded up */
} planned_step;

struct gwf_plan {
    const gwf_backend *backend;
    gwf_context *context;
    int n_steps;
    planned_step *steps;
    gwf_view input, output;
    int inputs, outputs;
    int lanes; /* of a device; 0: none */
    bool apart;
    gwf_step_time *times; /* load, the steps, store */
    size_t arena_bytes, unshared_bytes;
    gwf_int8 *int8; /* of each map: views point here */
    float *scales;  /* of all of them */
    gwf_tap *tap;
    void *tap_user;
    float *tap_values; /* as large as the largest result */
};

/* What the layout of one plan is worked out from. */
typedef struct layout {
    const gwf_network *network;
    const gwf_site *site;
    int block;
    gwf_extent *extents;  /* one per map */
    const gwf_int8 *int8; /* likewise */
} layout;

static int rows_of(const layout *l, const gwf_map *map)
{
    return (l->site->nlat >> map->level) + 2 * map->halo_y;
}

static int cols_of(const layout *l, const gwf_map *map)
{
    return (l->site->nlon >> map->level) + 2 * map->halo_x;
}

/* Do only gates and the output read it? */
static bool is_precise(const gwf_network *network, int map)
{
    for (int i = 0; i < network->n_layers; i++)
        if (network->layers[i].in.map == map && network->layers[i].kind != GWF_OP_GATE)
            return false;
    return true;
}

static gwf_view view_of(const layout *l, gwf_slice slice)
{
    const gwf_map *map = &l->network->maps[slice.map];
    const gwf_slice whole = {slice.map, GWF_WHOLE}, before = {slice.map, 0};
    return (gwf_view){
        .offset = l->extents[slice.map].offset,
        .map_channels = gwf_rounded_channels(l->network, whole, l->block),
        .first = slice.part == 1 ? gwf_rounded_channels(l->network, before, l->block) : 0,
        .channels = gwf_rounded_channels(l->network, slice, l->block),
        .rows = rows_of(l, map),
        .cols = cols_of(l, map),
        .int8 = l->int8[slice.map].scale ? &l->int8[slice.map] : NULL,
        .precise = is_precise(l->network, slice.map),
    };
}

static void need(gwf_extent *extent, int step)
{
    if (extent->last < extent->first) extent->first = step;
    extent->last = step;
}

/* Which steps need each map: the input before the first, the output after the last. */
static void find_lifetimes(const layout *l, gwf_plan *plan)
{
    const gwf_network *n = l->network;
    for (int i = 0; i < n->n_maps; i++) l->extents[i] = (gwf_extent){.first = 0, .last = -1};
    need(&l->extents[n->input.map], 0);
    for (int i = 0; i < n->n_layers; i++) {
        need(&l->extents[n->layers[i].in.map], i + 1);
        need(&l->extents[n->layers[i].out.map], i + 1);
    }
    need(&l->extents[n->output.map], n->n_layers + 1);
    for (int i = 0; i < n->n_maps; i++) {
        gwf_extent *extent = &l->extents[i];
        const gwf_view view = view_of(l, (gwf_slice){i, GWF_WHOLE});
        if (extent->last < extent->first) continue;
        extent->bytes =
            l->site->backend->map_bytes(l->site->context, view.channels, view.rows, view.cols);
        plan->unshared_bytes += extent->bytes;
    }
    plan->arena_bytes = gwf_arena_lay_out(l->extents, n->n_maps);
}

static gwf_op op_of(const layout *l, const gwf_layer *layer, const gwf_folded *folded,
                    const float *mean)
{
    const gwf_map *out = &l->network->maps[layer->out.map];
    return (gwf_op){
        .kind = layer->kind,
        .in = view_of(l, layer->in),
        .out = view_of(l, layer->out),
        .kernel = layer->kernel,
        .pad_y = layer->pad_y,
        .pad_x = layer->pad_x,
        .activation = layer->activation,
        .weights = folded->weights,
        .bias = folded->bias,
        .mean = mean,
        .gate_channels = layer->gate_channels > 1
                             ? gwf_rounded_channels(l->network, layer->in, l->block)
                             : layer->gate_channels,
        .halo_y = out->halo_y,
        .halo_x = out->halo_x,
        .halo_zero = l->site->tiles != NULL,
        .name = layer->name,
    };
}

static void name_step(gwf_step_time *time, const char *name, const gwf_view *view, int channels)
{
    snprintf(time->name, sizeof time->name, "%s", name);
    time->channels = channels;
    time->rows = view->rows;
    time->cols = view->cols;
    time->algorithm = "";
}

/* Bytes of one map's view. */
static double bytes_of(const layout *l, const gwf_view *view)
{
    const gwf_backend *backend = l->site->backend;
    gwf_context *context = l->site->context;
    const size_t all = backend->map_bytes(context, view->channels, view->rows, view->cols);
    return (double)all / backend->batch(context);
}

/* What a layer costs, for gwflux bench. */
static void count_step(const layout *l, const gwf_layer *layer, const gwf_step *step,
                       const gwf_op *op, gwf_step_time *t)
{
    const gwf_backend *backend = l->site->backend;
    gwf_context *context = l->site->context;
    t->algorithm = backend->algorithm(context, step);
    t->macs = gwf_layer_macs(l->network, layer, l->site->nlat, l->site->nlon);
    t->executed = t->macs * (backend->executed ? backend->executed(context, step) : 1);
    t->bytes = bytes_of(l, &op->in) + bytes_of(l, &op->out);
    if (op->kind == GWF_OP_GATE) t->bytes += bytes_of(l, &op->out);
}

/* The step itself; weights are gone afterwards. */
static gwf_status prepare_step(const layout *l, const gwf_layer *layer, planned_step *planned,
                               gwf_step_time *time, gwf_error *err)
{
    const gwf_site *site = l->site;
    gwf_folded folded = {0};
    float *mean = NULL;
    gwf_status status = GWF_OK;
    if (layer->kernel) {
        GWF_TRY_DONE(gwf_fold(l->network, layer, l->block, &folded, err));
        GWF_TRY_DONE(gwf_quantised_mean(l->network, site->int8, layer, l->block, &mean, err));
    }
    const gwf_op op = op_of(l, layer, &folded, mean);
    planned->out = op.out;
    planned->channels = gwf_slice_channels(l->network, layer->out);
    GWF_TRY_DONE(site->backend->prepare(site->context, &op, &planned->step, err));
    if (layer->kind == GWF_OP_HALO && site->tiles)
        status = gwf_border_create(site->backend, site->context, &op, site->tiles, &planned->border,
                                   err);
    name_step(time, layer->name, &op.out, planned->channels);
    count_step(l, layer, planned->step, &op, time);
done:
    gwf_folded_free(&folded);
    free(mean);
    return status;
}

static gwf_status prepare_layer(const layout *l, gwf_plan *plan, int i, gwf_error *err)
{
    const gwf_layer *layer = &l->network->layers[i];
    planned_step *planned = &plan->steps[i];
    const gwf_status status = prepare_step(l, layer, planned, &plan->times[i + 1], err);
    if (status != GWF_OK) {
        gwf_error_prefix(err, "layer %s", layer->name);
        return status;
    }
    return GWF_OK;
}

/* "load" or "store": between a map and the host's float32. */
static void name_transfer(const layout *l, gwf_step_time *time, const char *name,
                          const gwf_view *view, int channels)
{
    name_step(time, name, view, channels);
    time->bytes = bytes_of(l, view) + (double)sizeof(float) * channels * view->rows * view->cols;
}

static size_t values_of(const gwf_view *view, int channels)
{
    return (size_t)channels * (size_t)view->rows * (size_t)view->cols;
}

static gwf_status open_lanes(gwf_plan *plan, gwf_error *err)
{
    const gwf_device *device = plan->backend->device;
    plan->lanes = device->lanes;
    return device->stage(plan->context, values_of(&plan->input, plan->inputs),
                         values_of(&plan->output, plan->outputs), err);
}

static gwf_status prepare_all(const layout *l, gwf_plan *plan, gwf_error *err)
{
    const gwf_network *n = l->network;
    const gwf_backend *backend = l->site->backend;
    find_lifetimes(l, plan);
    if (backend->device)
        GWF_TRY(backend->device->check_room(l->site->context, plan->arena_bytes, err));
    plan->input = view_of(l, n->input);
    plan->output = view_of(l, n->output);
    name_transfer(l, &plan->times[0], "load", &plan->input, n->inputs);
    name_transfer(l, &plan->times[n->n_layers + 1], "store", &plan->output, n->outputs);
    for (int i = 0; i < n->n_layers; i++) GWF_TRY(prepare_layer(l, plan, i, err));
    GWF_TRY(plan->backend->reserve(plan->context, plan->arena_bytes, err));
    return plan->backend->device && !l->site->tiles ? open_lanes(plan, err) : GWF_OK;
}

static gwf_status check_grid(const gwf_network *network, int nlat, int nlon, gwf_error *err)
{
    const int d = network->divisor;
    if (nlat < 1 || nlon < 1 || nlat > MAX_POINTS / nlon)
        return gwf_fail(err, GWF_ERR_MISMATCH,
                        "grid of %d latitudes and %d longitudes, expected 1 to %d points", nlat,
                        nlon, MAX_POINTS);
    if (nlat % d || nlon % d)
        return gwf_fail(err, GWF_ERR_MISMATCH,
                        "grid of %d latitudes and %d longitudes: network %s needs multiples of %d",
                        nlat, nlon, network->architecture, d);
    return GWF_OK;
}

gwf_status gwf_plan_create(const gwf_network *network, const gwf_site *site, gwf_plan **result,
                           gwf_error *err)
{
    *result = NULL;
    GWF_TRY(check_grid(network, site->nlat, site->nlon, err));
    gwf_status status = GWF_ERR_MEMORY;
    gwf_plan *plan = calloc(1, sizeof *plan);
    gwf_extent *extents = calloc((size_t)network->n_maps, sizeof *extents);
    if (plan && extents) {
        plan->steps = calloc((size_t)network->n_layers, sizeof *plan->steps);
        plan->times = calloc((size_t)network->n_layers + 2, sizeof *plan->times);
    }
    if (!plan || !extents || !plan->steps || !plan->times) {
        gwf_fail(err, status, "no memory for the plan");
        goto done;
    }
    plan->backend = site->backend;
    plan->context = site->context;
    plan->n_steps = network->n_layers;
    plan->inputs = network->inputs;
    plan->outputs = network->outputs;
    const int block = site->backend->channel_block(site->context);
    status = gwf_quantised_maps(network, site->int8, block, &plan->int8, &plan->scales, err);
    const layout l = {network, site, block, extents, plan->int8};
    if (status == GWF_OK) status = prepare_all(&l, plan, err);
done:
    free(extents);
    if (status != GWF_OK) gwf_plan_free(&plan);
    *result = plan;
    return status;
}

void gwf_plan_free(gwf_plan **plan)
{
    gwf_plan *p = *plan;
    if (!p) return;
    for (int i = 0; p->steps && i < p->n_steps; i++) {
        p->backend->release(p->context, p->steps[i].step);
        gwf_border_free(&p->steps[i].border);
    }
    free(p->steps);
    free(p->times);
    free(p->int8);
    free(p->scales);
    free(p->tap_values);
    free(p);
    *plan = NULL;
}

/* Book the time since *start, `waited` of it for others, under entry i; *start becomes now. */
static void book(gwf_plan *plan, int i, double waited, double *start)
{
    gwf_step_time *time = &plan->times[i];
    const double end = gwf_now(), own = end - *start - waited;
    time->seconds += end - *start;
    time->waited += waited;
    if (!time->runs || own < time->fastest) time->fastest = own;
    time->runs++;
    *start = end;
}

static gwf_status call_tap(gwf_plan *plan, int i, gwf_error *err)
{
    const planned_step *s = &plan->steps[i];
    GWF_TRY(plan->backend->store(plan->context, &s->out, 0, plan->tap_values, s->channels, err));
    plan->tap(plan->tap_user, plan->times[i + 1].name, s->channels, s->out.rows, s->out.cols,
              plan->tap_values);
    return GWF_OK;
}

/* A halo operation whose border comes from other ranks: they wait for ours, so that it is sent and
 * theirs is taken even when something has failed here (*status) before. The seconds waited. */
static double run_border(gwf_plan *plan, int i, gwf_status *status, gwf_error *err)
{
    planned_step *s = &plan->steps[i];
    gwf_error *first = *status == GWF_OK ? err : NULL;
    gwf_status now = gwf_border_begin(s->border, first);
    if (*status == GWF_OK) *status = now;
    if (*status == GWF_OK) *status = plan->backend->run(plan->context, s->step, err);
    const double start = gwf_now();
    first = *status == GWF_OK ? err : NULL;
    now = gwf_border_end(s->border, first);
    if (*status == GWF_OK) *status = now;
    return gwf_now() - start;
}

static gwf_status load_all(gwf_plan *plan, int count, const float *const *inputs, gwf_error *err)
{
    for (int i = 0; i < count; i++)
        GWF_TRY(plan->backend->load(plan->context, &plan->input, i, inputs[i], plan->inputs, err));
    return GWF_OK;
}

static gwf_status store_all(gwf_plan *plan, int count, float *const *outputs, gwf_error *err)
{
    for (int i = 0; i < count; i++)
        GWF_TRY(
            plan->backend->store(plan->context, &plan->output, i, outputs[i], plan->outputs, err));
    return GWF_OK;
}

/* On a device a step's own clock tells how long it took. */
static gwf_status run_step(gwf_plan *plan, int i, double *start, gwf_error *err)
{
    const gwf_backend *backend = plan->backend;
    gwf_step *step = plan->steps[i].step;
    GWF_TRY(backend->run(plan->context, step, err));
    if (backend->device) *start = gwf_now() - backend->device->seconds(plan->context, step);
    return GWF_OK;
}

static gwf_status run_apart(gwf_plan *plan, int count, const float *const *inputs,
                            float *const *outputs, gwf_error *err)
{
    double clock = gwf_now();
    gwf_status status = load_all(plan, count, inputs, err);
    book(plan, 0, 0, &clock);
    for (int i = 0; i < plan->n_steps; i++) {
        double waited = 0;
        if (plan->steps[i].border)
            waited = run_border(plan, i, &status, err);
        else if (status == GWF_OK)
            status = run_step(plan, i, &clock, err);
        book(plan, i + 1, waited, &clock);
        if (plan->tap && status == GWF_OK) status = call_tap(plan, i, err);
    }
    GWF_TRY(status);
    GWF_TRY(store_all(plan, count, outputs, err));
    book(plan, plan->n_steps + 1, 0, &clock);
    return GWF_OK;
}

/* ---- on a device ---- */

int gwf_plan_lanes(const gwf_plan *plan)
{
    return plan->lanes;
}

gwf_status gwf_plan_scale(gwf_plan *plan, const gwf_scale *scales, int n, gwf_error *err)
{
    return plan->backend->device->scale(plan->context, scales, n, err);
}

static gwf_status enqueue(gwf_plan *plan, const gwf_maps *maps, gwf_error *err)
{
    const gwf_device *device = plan->backend->device;
    if (maps->follows) GWF_TRY(device->follow(plan->context, maps->stream, err));
    GWF_TRY(load_all(plan, maps->count, maps->inputs, err));
    GWF_TRY(device->run_all(plan->context, err));
    return store_all(plan, maps->count, maps->outputs, err);
}

gwf_status gwf_plan_begin(gwf_plan *plan, int lane, const gwf_maps *maps, gwf_error *err)
{
    const gwf_device *device = plan->backend->device;
    unsigned seen = 0;
    GWF_TRY(device->enter(plan->context, lane, maps->physical, err));
    const gwf_status status = enqueue(plan, maps, err);
    device->enter(plan->context, -1, false, NULL);
    if (status != GWF_OK) device->wait(plan->context, lane, &seen, NULL);
    return status;
}

gwf_status gwf_plan_end(gwf_plan *plan, int lane, unsigned *seen, gwf_error *err)
{
    return plan->backend->device->wait(plan->context, lane, seen, err);
}

void gwf_plan_run_apart(gwf_plan *plan, bool apart)
{
    plan->apart = apart;
}

static gwf_status run_at_once(gwf_plan *plan, const gwf_maps *maps, gwf_error *err)
{
    unsigned seen = 0;
    double clock = gwf_now();
    GWF_TRY(gwf_plan_begin(plan, 0, maps, err));
    GWF_TRY(gwf_plan_end(plan, 0, &seen, err));
    book(plan, 0, 0, &clock);
    return GWF_OK;
}

gwf_status gwf_plan_run(gwf_plan *plan, int count, const float *const *inputs,
                        float *const *outputs, gwf_error *err)
{
    const gwf_maps maps = {.count = count, .inputs = inputs, .outputs = outputs};
    if (plan->lanes && !plan->tap && !plan->apart) return run_at_once(plan, &maps, err);
    return run_apart(plan, count, inputs, outputs, err);
}

const gwf_step_time *gwf_plan_times(const gwf_plan *plan, int *count)
{
    *count = plan->n_steps + 2;
    return plan->times;
}

void gwf_plan_reset_times(gwf_plan *plan)
{
    for (int i = 0; i < plan->n_steps + 2; i++) {
        plan->times[i].seconds = plan->times[i].waited = plan->times[i].fastest = 0;
        plan->times[i].runs = 0;
    }
}

size_t gwf_plan_arena_bytes(const gwf_plan *plan)
{
    return plan->arena_bytes;
}

size_t gwf_plan_unshared_bytes(const gwf_plan *plan)
{
    return plan->unshared_bytes;
}

gwf_status gwf_plan_weights(gwf_plan *plan, gwf_weights_at *at, void *user, gwf_error *err)
{
    const gwf_backend *backend = plan->backend;
    for (int i = 0; i < plan->n_steps && backend->weights; i++)
        GWF_TRY(backend->weights(plan->context, plan->steps[i].step, at, user, err));
    return GWF_OK;
}

gwf_status gwf_plan_set_tap(gwf_plan *plan, gwf_tap *tap, void *user, gwf_error *err)
{
    size_t largest = 0;
    for (int i = 0; i < plan->n_steps; i++) {
        const planned_step *s = &plan->steps[i];
        const size_t n = (size_t)s->channels * (size_t)s->out.rows * (size_t)s->out.cols;
        if (n > largest) largest = n;
    }
    free(plan->tap_values);
    plan->tap_values = tap ? malloc(largest * sizeof(float)) : NULL;
    plan->tap = plan->tap_values ? tap : NULL;
    plan->tap_user = user;
    return tap && !plan->tap ? gwf_fail(err, GWF_ERR_MEMORY, "no memory for a tap") : GWF_OK;
}
