/* The tables of gwflux bench --model-scaling, and the same as JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/scaling.h"

enum { COUNTS = 10, GPU_COUNTS = 6, GRIDS = 3, GPU_BLOCK = 8 };
static const int counts[COUNTS] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512};

static const struct {
    int nlat, nlon;
    const char *note;
} grids[GRIDS] = {
    {64, 128, ""},
    {192, 288, ""},
    {720, 1440, ", for 721 x 1440: the network needs multiples of 16, so one row is left out"},
};

/* One NVIDIA H200 SXM and a node of eight. Nothing here was measured. */
static const struct {
    double peak, part, memory, start; /* data sheet; what a large convolution reaches */
    double exchange;                  /* kernels that pack and unpack, waiting for them */
    gwf_link near, far;               /* NVLink, half of 900 GB/s each way; NDR 400 Gb/s */
    double host;                      /* PCIe 5 x16: features in, prediction out */
    int node_ranks;
} h200 = {
    .peak = 494e12, /* TF32 tensor cores, dense */
    .part = 0.6,
    .memory = 4.3e12, /* of 4.8e12 */
    .start = 3e-6,
    .exchange = 10e-6,
    .near = {3e-6, 450e9},
    .far = {5e-6, 50e9},
    .host = 50e9,
    .node_ranks = 8,
};

typedef struct prediction {
    int ranks;
    gwf_cut cut;
    gwf_cost cost;
    gwf_map_time time;
    gwf_deep_time deep;
} prediction;

static double tiles_alone(const gwf_map_time *t)
{
    return t->compute + t->weights + t->borders;
}

static const gwf_network *network_for(const scaling *s, gwf_tiling t)
{
    return &s->networks[t.rows > 1][t.cols > 1];
}

/* false: the grid cannot be cut into so many tiles. */
static bool predict(const scaling *s, const gwf_machine *machine, int grid, int block, int ranks,
                    prediction *p)
{
    *p = (prediction){.ranks = ranks, .cut = {grids[grid].nlat, grids[grid].nlon, {0, 0}, block}};
    if (gwf_tiling_find("auto", ranks, p->cut.nlat, p->cut.nlon, &p->cut.tiling, NULL) != GWF_OK)
        return false;
    const gwf_network *n = network_for(s, p->cut.tiling);
    p->cost = gwf_cost_of_map(n, &p->cut);
    p->time = gwf_time_of_map(machine, n, &p->cut);
    p->deep = gwf_time_of_deep(machine, n, &p->cut, 4);
    return true;
}

/* --- a table -------------------------------------------------------------------------------- */

static void print_row(const prediction *p, const prediction *one)
{
    const gwf_tile tile = gwf_tile_of(p->cut.tiling, p->cut.nlat, p->cut.nlon, 0);
    const double alone = tiles_alone(&p->time), all = alone + p->time.moving;
    char cut[16], size[16];
    snprintf(cut, sizeof cut, "%dx%d", p->cut.tiling.rows, p->cut.tiling.cols);
    snprintf(size, sizeof size, "%dx%d", tile.rows, tile.cols);
    printf("%5d %7s %9s %8.2f %8.2f %8.0f %11.2f %8.1f %6.0f%% %6.0f%% %6.0f%% %11.2f %8.1f\n",
           p->ranks, cut, size, 1e-9 * p->cost.macs, 1e-6 * p->cost.halo_bytes,
           p->cost.halo_messages, 1e3 * alone, tiles_alone(&one->time) / alone,
           100 * p->time.compute / alone, 100 * p->time.weights / alone,
           100 * p->time.borders / alone, 1e3 * all,
           (tiles_alone(&one->time) + one->time.moving) / all);
}

static void json_row(FILE *json, const prediction *p, bool first)
{
    if (!json) return;
    fprintf(json,
            "%s\n    {\"ranks\": %d, \"rows\": %d, \"cols\": %d, \"macs\": %.6g, "
            "\"halo_bytes\": %.6g, \"halo_messages\": %.0f, \"weight_bytes\": %.6g, "
            "\"compute_s\": %.6g, \"weights_s\": %.6g, \"borders_s\": %.6g, \"moving_s\": %.6g, "
            "\"deep_tiles_s\": %.6g, \"deep_channels_s\": %.6g}",
            first ? "" : ",", p->ranks, p->cut.tiling.rows, p->cut.tiling.cols, p->cost.macs,
            p->cost.halo_bytes, p->cost.halo_messages, p->cost.weight_bytes, p->time.compute,
            p->time.weights, p->time.borders, p->time.moving, p->deep.tiles, p->deep.channels);
}

static void print_head(void)
{
    printf("%23s %17s %23s %43s\n", "largest", "border", "tiles alone", "with moving");
    printf("%5s %7s %9s %8s %8s %8s %11s %8s %7s %7s %7s %11s %8s\n", "ranks", "tiles", "tile",
           "GMAC", "MB", "messages", "ms", "speed-up", "compute", "weights", "borders", "ms",
           "speed-up");
}

static double saved(const prediction *p)
{
    return p->deep.convolutions && p->ranks > 1 ? p->deep.tiles - p->deep.channels : 0;
}

/* The deepest level by output channels instead of tiles. */
static void print_deep(const prediction *rows, int n)
{
    int first = -1, last = -1, best = 0;
    for (int i = 0; i < n; i++) {
        if (!(saved(&rows[i]) > 0)) continue;
        if (first < 0) first = i;
        last = i;
        if (saved(&rows[i]) > saved(&rows[best])) best = i;
    }
    if (first < 0) {
        printf("deepest level cut by output channels instead of tiles: not faster\n");
        return;
    }
    const gwf_deep_time *d = &rows[best].deep;
    printf("deepest level (%d convolutions, %.0f MB of weights) cut by output channels instead, "
           "which gwflux does not do:\nfaster on %d to %d ranks, most with %d: %.2f ms, in "
           "tiles %.2f\n",
           d->convolutions, 1e-6 * d->weight_bytes, rows[first].ranks, rows[last].ranks,
           rows[best].ranks, 1e3 * d->channels, 1e3 * d->tiles);
}

static void print_grid(const scaling *s, const gwf_machine *machine, int grid, bool gpu, FILE *json)
{
    prediction rows[COUNTS];
    int n = 0;
    const int most = grids[grid].nlat / GWF_TILE_UNIT * (grids[grid].nlon / GWF_TILE_UNIT);
    printf("\n%d x %d on %s, largest number of tiles %d%s\n", grids[grid].nlat, grids[grid].nlon,
           gpu ? "GPUs" : "CPU ranks", most, grids[grid].note);
    print_head();
    for (int i = 0; i < (gpu ? GPU_COUNTS : COUNTS); i++) {
        prediction *p = &rows[n];
        if (!predict(s, machine, grid, gpu ? GPU_BLOCK : s->block, counts[i], p)) continue;
        print_row(p, &rows[0]);
        json_row(json, p, n == 0);
        n++;
    }
    print_deep(rows, n);
}

static void print_grids(const scaling *s, const gwf_machine *machine, bool gpu, FILE *json)
{
    for (int g = 0; g < GRIDS; g++) {
        if (json)
            fprintf(json, "%s  {\"on\": \"%s\", \"nlat\": %d, \"nlon\": %d, \"rows\": [",
                    g || gpu ? ",\n" : "", gpu ? "H200" : "cpu", grids[g].nlat, grids[g].nlon);
        print_grid(s, machine, g, gpu, json);
        if (json) fprintf(json, "]}");
    }
}

/* --- what the model stands on ---------------------------------------------------------------- */

static void print_here(const scaling *s, const gwf_engine *engine)
{
    const gwf_machine *m = &s->here;
    printf("%s\n", gwf_describe(engine));
    printf("measured, one rank: %.0f GFLOP/s on large tiles, weights at %.1f GB/s, memory %.1f "
           "GB/s (triad)\n",
           1e-9 * s->flops, 1e-9 * s->weights, 1e-9 * s->triad);
    printf("%s, ranks of one node: %.1f us a message, %.1f GB/s a rank\n",
           s->linked ? "measured" : "assumed (mpirun -n 2 measures)", 1e6 * m->near.latency,
           1e-9 * m->near.bandwidth);
    printf("assumed: nodes of %d ranks, which share %.0f GB/s of weights and a network of %.0f "
           "GB/s, %.1f us a message\n",
           m->node_ranks, 1e-9 * m->node_memory, 1e-9 * m->far.bandwidth * m->node_ranks,
           1e6 * m->far.latency);
}

static void print_check(const char *what, double predicted, double measured)
{
    printf("  %-47s predicted %7.1f ms, measured %7.1f ms, %+.0f %%\n", what, 1e3 * predicted,
           1e3 * measured, 100 * (predicted / measured - 1));
}

/* The map as this run cuts it. */
static double predict_here(const scaling *s, const gwf_engine *engine)
{
    gwf_tiling tiling = engine->share.tiles.tiling;
    if (!engine->share.tiles.comm) tiling = (gwf_tiling){1, 1};
    const gwf_cut cut = {engine->nlat, engine->nlon, tiling, s->block};
    const gwf_map_time t = gwf_time_of_map(&s->here, network_for(s, tiling), &cut);
    return tiles_alone(&t) + t.moving;
}

/* This rank's layers, without waiting for others: a busy machine spoils it less than the map. */
static double own_work(const gwf_plan *plan)
{
    int count = 0;
    double sum = 0;
    const gwf_step_time *times = gwf_plan_times(plan, &count);
    for (int i = 0; i < count; i++) sum += times[i].fastest;
    return sum;
}

static void print_checks(const scaling *s, const gwf_engine *engine, double seconds, FILE *json)
{
    char what[64];
    const gwf_tiling t = engine->share.tiles.tiling;
    printf("checked here (fastest runs; the layers were fitted to tiles of 16 x 16 and to the "
           "training grid):\n");
    for (int k = 0; k < SCALING_CHECKS; k++) {
        const scaling_check *c = &s->checks[k];
        if (!(c->measured > 0)) continue;
        snprintf(what, sizeof what, "a tile of %d x %d alone", c->nlat, c->nlon);
        print_check(what, c->predicted, c->measured);
        if (json)
            fprintf(
                json,
                "  {\"nlat\": %d, \"nlon\": %d, \"predicted_s\": %.6g, \"measured_s\": %.6g},\n",
                c->nlat, c->nlon, c->predicted, c->measured);
    }
    const gwf_tile tile = engine->share.tiles.mine;
    if (t.rows * t.cols > 1)
        print_check("the first of this run's tiles, waiting left out",
                    scaling_alone(s, tile.rows, tile.cols), own_work(engine->plan));
    snprintf(what, sizeof what, "this map of %d x %d in %d x %d tile%s, in all", engine->nlat,
             engine->nlon, t.rows ? t.rows : 1, t.cols ? t.cols : 1,
             t.rows * t.cols > 1 ? "s" : "");
    print_check(what, predict_here(s, engine), seconds);
    if (json)
        fprintf(json, "  {\"ranks\": %d, \"predicted_s\": %.6g, \"measured_s\": %.6g}],\n",
                t.rows ? t.rows * t.cols : 1, predict_here(s, engine), seconds);
}

/* The H200's machine; layers: of networks[1][1], filled here. */
static gwf_machine gpu_machine(const scaling *s, gwf_layer_speed *layers)
{
    const gwf_network *n = &s->networks[1][1];
    const gwf_sheet sheet = {h200.peak * h200.part, h200.memory, h200.start};
    for (int i = 0; i < n->n_layers; i++)
        layers[i] = gwf_layer_speed_of_sheet(n, &n->layers[i], &sheet, GPU_BLOCK);
    return (gwf_machine){
        .network = n,
        .layers = layers,
        .load = {.point = (double)sizeof(float) * n->inputs / h200.host, .start = h200.start},
        .store = {.point = (double)sizeof(float) * n->outputs / h200.host, .start = h200.start},
        .copy = s->here.copy,
        .exchange = h200.exchange,
        .near = h200.near,
        .far = h200.far,
        .root = h200.host,
        .node_ranks = h200.node_ranks,
    };
}

static void print_gpu_head(void)
{
    printf("\nGPUs: NVIDIA H200, from its data sheet and assumptions, not measured: TF32 %.0f "
           "TFLOP/s of which %.0f %%\nare reached, memory %.1f TB/s, %.0f us a kernel; nodes of "
           "%d with NVLink %.0f GB/s and %.0f us a message, else\n%.0f GB/s and %.0f us, %.0f us "
           "to pack and unpack a border; features and prediction over PCIe, %.0f GB/s\n",
           1e-12 * h200.peak, 100 * h200.part, 1e-12 * h200.memory, 1e6 * h200.start,
           h200.node_ranks, 1e-9 * h200.near.bandwidth, 1e6 * h200.near.latency,
           1e-9 * h200.far.bandwidth, 1e6 * h200.far.latency, 1e6 * h200.exchange,
           1e-9 * h200.host);
}

gwf_status scaling_print(const scaling *s, const gwf_engine *engine, double seconds, FILE *json,
                         gwf_error *err)
{
    gwf_layer_speed *layers = calloc((size_t)s->networks[1][1].n_layers, sizeof *layers);
    if (!layers) return gwf_fail(err, GWF_ERR_MEMORY, "no memory for the layers' speeds");
    const gwf_machine gpu = gpu_machine(s, layers);
    if (json)
        fprintf(
            json,
            "{\"flops\": %.6g, \"weight_bandwidth\": %.6g, \"triad\": %.6g, "
            "\"link_measured\": %s, \"latency_s\": %.6g, \"bandwidth\": %.6g,\n \"checks\": [\n",
            s->flops, s->weights, s->triad, s->linked ? "true" : "false", s->here.near.latency,
            s->here.near.bandwidth);
    print_here(s, engine);
    print_checks(s, engine, seconds, json);
    printf("\nAll ranks are alike, nothing overlaps; one map at a time, the slowest rank counts. "
           "\"With moving\" adds that rank 0\nhas all features and gets the whole prediction; a "
           "host model that has them on its ranks needs none of it.\n");
    if (json) fprintf(json, " \"grids\": [\n");
    print_grids(s, &s->here, false, json);
    print_gpu_head();
    print_grids(s, &gpu, true, json);
    if (json) fprintf(json, "]}\n");
    free(layers);
    return GWF_OK;
}
