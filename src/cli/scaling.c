#include "cli/scaling.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/machine.h"
#include "core/clock.h"
#include "parallel/halo.h"

/* What is not measured, and said to be so. */
enum { NODE_RANKS = 64 };
static const double node_memory = 300e9;                   /* 8 channels of DDR5-4800 */
static const gwf_link assumed_near = {1e-6, 5e9};          /* through shared memory */
static const gwf_link network = {2e-6, 25e9 / NODE_RANKS}; /* 200 Gb/s for all of a node's ranks */

/* --- layers --------------------------------------------------------------------------------- */

/* The fastest runs of load, all layers and store on a tile alone; borders wrap around. */
typedef struct tile_times {
    int nlat, nlon;
    const gwf_quantised *int8; /* with precision int8 only; borrowed */
    double *seconds;           /* owned, n */
    int n;
    double sum;
} tile_times;

static void take_fastest(const gwf_plan *plan, tile_times *t)
{
    int count = 0;
    const gwf_step_time *times = gwf_plan_times(plan, &count);
    t->sum = 0;
    for (int i = 0; i < t->n && i < count; i++) t->sum += t->seconds[i] = times[i].fastest;
}

static gwf_status run_often(gwf_plan *plan, const gwf_network *n, const tile_times *t, int steps,
                            gwf_error *err)
{
    const size_t plane = (size_t)t->nlat * (size_t)t->nlon;
    gwf_status status = GWF_OK;
    float *in = calloc(plane * (size_t)n->inputs, sizeof *in);
    float *out = malloc(plane * (size_t)n->outputs * sizeof *out);
    if (!in || !out) {
        status = gwf_fail(err, GWF_ERR_MEMORY, "no memory for a tile");
        goto done;
    }
    for (size_t i = 0; i < plane * (size_t)n->inputs; i++)
        in[i] = (float)((i * 7919) % 2048) / 1024.0f - 1.0f;
    for (int i = 0; i < steps + 1; i++) /* the first one warms up */
        GWF_TRY_DONE(gwf_plan_run(plan, 1, (const float *const *)&in, &out, err));
done:
    free(in);
    free(out);
    return status;
}

/* Times a tile of t->nlat x t->nlon. block (may be NULL): the backend's. */
static gwf_status time_tile(const gwf_options *options, const gwf_network *n, int steps,
                            tile_times *t, int *block, gwf_error *err)
{
    gwf_backend_config config = gwf_backend_configure(options, NULL);
    config.chain = gwf_network_is_chain(n);
    const gwf_backend *backend = NULL;
    gwf_context *context = NULL;
    gwf_plan *plan = NULL;
    gwf_status status = GWF_OK;
    t->n = n->n_layers + 2;
    t->seconds = calloc((size_t)t->n, sizeof *t->seconds);
    if (!t->seconds) return gwf_fail(err, GWF_ERR_MEMORY, "no memory for the times");
    GWF_TRY(gwf_backend_open(options->backend, &config, &backend, &context, err));
    const gwf_site site = {backend, context, t->nlat, t->nlon, NULL, t->int8};
    if (block) *block = backend->channel_block(context);
    GWF_TRY_DONE(gwf_plan_create(n, &site, &plan, err));
    GWF_TRY_DONE(run_often(plan, n, t, steps, err));
    take_fastest(plan, t);
done:
    gwf_plan_free(&plan);
    backend->close(context);
    return status;
}

static void fit_layers(scaling *s, const tile_times times[2])
{
    const gwf_network *n = &s->networks[1][1];
    const gwf_layer plain = {0};
    double points[2];
    for (int k = 0; k < 2; k++) points[k] = (double)times[k].nlat * times[k].nlon;
    for (int i = 0; i < times[0].n; i++) {
        const bool layer = i > 0 && i <= n->n_layers;
        const double seconds[2] = {times[0].seconds[i], times[1].seconds[i]};
        const gwf_layer_speed speed =
            gwf_layer_speed_fit(layer ? &n->layers[i - 1] : &plain, points, seconds);
        if (layer) s->layers[i - 1] = speed;
    }
    const double load[2] = {times[0].seconds[0], times[1].seconds[0]};
    const double store[2] = {times[0].seconds[n->n_layers + 1], times[1].seconds[n->n_layers + 1]};
    s->here.load = gwf_layer_speed_fit(&plain, points, load);
    s->here.store = gwf_layer_speed_fit(&plain, points, store);
}

/* The two speeds that say most: of arithmetic on large tiles, of weights. */
static void sum_up(scaling *s)
{
    const gwf_network *n = &s->networks[1][1];
    const gwf_cut cut = {16, 16, {1, 1}, s->block};
    double macs = 0, seconds = 0, bytes = 0, reading = 0;
    for (int i = 0; i < n->n_layers; i++) {
        const gwf_cost cost = gwf_cost_of_layer(n, &n->layers[i], &cut, 0);
        if (!n->layers[i].kernel) continue;
        macs += cost.macs;
        seconds += 256 * s->layers[i].point;
        bytes += cost.weight_bytes;
        reading += s->layers[i].weights;
    }
    s->flops = seconds > 0 ? 2 * macs / seconds : 0;
    s->weights = reading > 0 ? bytes / reading : 0;
}

double scaling_alone(const scaling *s, int nlat, int nlon)
{
    const gwf_cut cut = {nlat, nlon, {1, 1}, s->block};
    const gwf_map_time t = gwf_time_of_map(&s->here, &s->networks[1][1], &cut);
    return t.compute + t.weights + t.borders + t.moving;
}

/* The smallest tile and the training grid, then the fit on tiles in between. */
static gwf_status measure_layers(scaling *s, const gwf_options *options, int steps,
                                 const gwf_model *model, gwf_error *err)
{
    const int nlat = model->nlat / 16 * 16, nlon = model->nlon / 16 * 16;
    const int sides[SCALING_CHECKS][2] = {{nlat / 2, nlon}, {nlat / 2, nlon / 2}, {32, 32}};
    const gwf_network *n = &s->networks[1][1];
    const gwf_quantised *int8 = strcmp(options->precision, "int8") == 0 ? &model->int8 : NULL;
    tile_times times[2] = {{.nlat = 16, .nlon = 16, .int8 = int8},
                           {.nlat = nlat, .nlon = nlon, .int8 = int8}};
    gwf_status status = GWF_OK;
    if (nlat * nlon <= 16 * 16)
        return gwf_fail(err, GWF_ERR_MISMATCH,
                        "the model's grid of %d x %d is too small to model tiles of it",
                        model->nlat, model->nlon);
    for (int k = 0; k < 2; k++)
        GWF_TRY_DONE(time_tile(options, n, steps, &times[k], &s->block, err));
    fit_layers(s, times);
    sum_up(s);
    for (int k = 0; k < SCALING_CHECKS; k++) {
        tile_times between = {.nlat = sides[k][0], .nlon = sides[k][1], .int8 = int8};
        if (between.nlat % 16 || between.nlon % 16) continue;
        status = time_tile(options, n, steps, &between, NULL, err);
        free(between.seconds);
        if (status != GWF_OK) goto done;
        s->checks[k] = (scaling_check){between.nlat, between.nlon, 0, between.sum};
    }
done:
    for (int k = 0; k < 2; k++) free(times[k].seconds);
    return status;
}

/* --- messages ------------------------------------------------------------------------------ */

/* The fastest exchange of this many bytes with the neighbour, both ways at once. */
static gwf_status time_exchange(const gwf_tiles *tiles, size_t bytes, int rounds, double *seconds,
                                gwf_error *err)
{
    gwf_halo_sizes sizes;
    gwf_halo *halo = NULL;
    gwf_status status = GWF_OK;
    for (int d = 0; d < GWF_DIRECTIONS; d++) sizes.send[d] = sizes.recv[d] = bytes;
    *seconds = HUGE_VAL;
    GWF_TRY(gwf_halo_create(tiles, &sizes, &halo, err));
    for (int d = 0; d < GWF_DIRECTIONS; d++)
        if (gwf_halo_send(halo, d)) memset(gwf_halo_send(halo, d), 1, bytes);
    for (int i = 0; i < rounds; i++) {
        const double start = gwf_now();
        GWF_TRY_DONE(gwf_halo_begin(halo, err));
        GWF_TRY_DONE(gwf_halo_end(halo, err));
        *seconds = fmin(*seconds, gwf_now() - start);
    }
done:
    gwf_halo_free(&halo);
    return status;
}

static gwf_status measure_link(scaling *s, const gwf_comm *all, gwf_error *err)
{
    enum { FEW = 64, MANY = 1 << 20 };
    gwf_comm *pair = NULL;
    gwf_status status = GWF_OK;
    gwf_tiles tiles;
    double few = 0, many = 0;
    if (gwf_comm_size(all) < 2) return GWF_OK;
    GWF_TRY(gwf_comm_split(all, gwf_comm_rank(all) < 2 ? 0 : -1, gwf_comm_rank(all), &pair, err));
    if (!pair) return GWF_OK;
    gwf_tiles_place(pair, (gwf_tiling){1, 2}, GWF_TILE_UNIT, 2 * GWF_TILE_UNIT, false, &tiles);
    status = time_exchange(&tiles, FEW, 2000, &few, err);
    if (status == GWF_OK) status = time_exchange(&tiles, MANY, 100, &many, err);
    gwf_comm_free(&pair);
    if (status != GWF_OK || !(many > few)) return status;
    s->here.near = (gwf_link){few, (MANY - FEW) / (many - few)};
    s->linked = true;
    return GWF_OK;
}

/* --- all of it ------------------------------------------------------------------------------ */

static gwf_status build_networks(scaling *s, gwf_model *model, gwf_error *err)
{
    for (int i = 0; i < 4; i++) {
        const gwf_edges edges = {model->padding, i / 2, i % 2};
        GWF_TRY(gwf_network_build(&model->set, edges, NULL, &s->networks[i / 2][i % 2], err));
    }
    s->layers = calloc((size_t)s->networks[1][1].n_layers, sizeof *s->layers);
    if (!s->layers) return gwf_fail(err, GWF_ERR_MEMORY, "no memory for the layers' speeds");
    s->here = (gwf_machine){.network = &s->networks[1][1],
                            .layers = s->layers,
                            .near = assumed_near,
                            .far = network,
                            .node_ranks = NODE_RANKS,
                            .node_memory = node_memory};
    return GWF_OK;
}

static gwf_status measure_here(scaling *s, const gwf_options *options, int steps, gwf_model *model,
                               gwf_error *err)
{
    GWF_TRY(build_networks(s, model, err));
    GWF_TRY(machine_triad(1, &s->triad, err));
    s->here.copy = s->triad / 2; /* reads and writes every byte */
    return measure_layers(s, options, steps, model, err);
}

gwf_status scaling_measure(scaling *s, const gwf_options *options, int steps, const world *w,
                           gwf_engine *engine, gwf_error *err)
{
    int go_on = 1;
    gwf_status status = GWF_OK;
    if (gwf_comm_rank(w->map) == 0) status = measure_here(s, options, steps, &engine->model, err);
    const gwf_status waited = gwf_comm_order(w->map, &go_on, status == GWF_OK ? err : NULL);
    GWF_TRY(world_agree(w, status == GWF_OK ? waited : status, err));
    GWF_TRY(world_agree(w, measure_link(s, w->map, err), err));
    s->here.root = s->here.near.bandwidth;
    for (int k = 0; k < SCALING_CHECKS && s->layers; k++)
        if (s->checks[k].measured > 0)
            s->checks[k].predicted = scaling_alone(s, s->checks[k].nlat, s->checks[k].nlon);
    return GWF_OK;
}

void scaling_free(scaling *s)
{
    for (int i = 0; i < 4; i++) gwf_network_free(&s->networks[i / 2][i % 2]);
    free(s->layers);
    *s = (scaling){0};
}
