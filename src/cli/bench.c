/* gwflux bench: where the time of a model's map goes on this machine. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/commands.h"
#include "cli/world.h"
#include "cli/config.h"
#include "cli/scaling.h"
#include "core/clock.h"
#include "coupling/engine.h"

typedef struct arguments {
    const char *model, *tiles, *json;
    int steps, lat, lon, model_scaling;
    config file;
} arguments;

#define AT(member) offsetof(arguments, member)
static const gwf_option_row rows[] = {
    {"model", 'm', GWF_OPTION_TEXT, AT(model), NULL, 0, 0, NULL, "model file (gwflux import)"},
    {"steps", 0, GWF_OPTION_INT, AT(steps), "20", 1, 1000000, NULL, "maps to time, after two more"},
    {"lat", 0, GWF_OPTION_INT, AT(lat), "0", 0, 65536, NULL, "rows; 0: the training grid's"},
    {"lon", 0, GWF_OPTION_INT, AT(lon), "0", 0, 65536, NULL, "columns; 0: the training grid's"},
    {"tiles", 0, GWF_OPTION_TEXT, AT(tiles), "auto", 0, 0, NULL,
     "how several ranks (mpirun) cut the map: auto or ROWSxCOLUMNS"},
    {"model-scaling", 0, GWF_OPTION_FLAG, AT(model_scaling), "", 0, 0, NULL,
     "predict tiles on 1 to 512 ranks and 1 to 32 GPUs from what one rank does here, or two "
     "(mpirun)"},
    {"json", 0, GWF_OPTION_TEXT, AT(json), "", 0, 0, NULL,
     "file for what --model-scaling says, as JSON"},
    {"config", 0, GWF_OPTION_CONFIG, AT(file), "", 0, 0, NULL,
     "YAML file with any of these options; those given here go first"},
};

static gwf_option_table table(void *target)
{
    return (gwf_option_table){rows, (int)(sizeof rows / sizeof *rows), target};
}

/* Values of order 1, the same on every machine. */
static void fill(float *values, size_t n)
{
    unsigned long state = 1;
    for (size_t i = 0; i < n; i++) {
        state = state * 6364136223846793005UL + 1442695040888963407UL;
        values[i] = (float)(state >> 40) / 8388608.0f - 1.0f;
    }
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, ascending);
    return n % 2 ? values[n / 2] : 0.5 * (values[n / 2 - 1] + values[n / 2]);
}

static void print_layers(const gwf_plan *plan)
{
    int count = 0;
    const gwf_step_time *times = gwf_plan_times(plan, &count);
    printf("%-22s %-16s %9s %9s %9s  %s\n", "layer", "result", "ms", "MMAC", "GFLOP/s",
           "algorithm");
    for (int i = 0; i < count; i++) {
        const gwf_step_time *t = &times[i];
        const double seconds = t->seconds / (double)t->runs;
        char shape[48];
        snprintf(shape, sizeof shape, "%d x %d x %d", t->channels, t->rows, t->cols);
        printf("%-22s %-16s %9.3f", t->name, shape, 1e3 * seconds);
        if (t->macs > 0)
            printf(" %9.1f %9.1f  %s", 1e-6 * t->macs, 2e-9 * t->macs / seconds, t->algorithm);
        printf("\n");
    }
}

/* How long this tile waited for its neighbours. */
static void print_borders(const gwf_plan *plan)
{
    int count = 0;
    double waited = 0, total = 0;
    const gwf_step_time *times = gwf_plan_times(plan, &count);
    for (int i = 0; i < count; i++) {
        waited += times[i].waited / (double)times[i].runs;
        total += times[i].seconds / (double)times[i].runs;
    }
    if (waited > 0)
        printf("waiting for borders of other tiles: %.2f ms (%.1f %%)\n", 1e3 * waited,
               100 * waited / total);
}

static void print_summary(const gwf_engine *engine, double *seconds, int steps)
{
    const double macs = gwf_network_macs(&engine->model.network, engine->nlat, engine->nlon);
    const double middle = median(seconds, steps);
    printf("%s\n", gwf_describe(engine));
    printf("arena %.1f MB (%.1f MB if no maps shared memory)\n",
           1e-6 * (double)gwf_plan_arena_bytes(engine->plan),
           1e-6 * (double)gwf_plan_unshared_bytes(engine->plan));
    printf("%d step%s: fastest %.1f, median %.1f, slowest %.1f ms; %.0f GFLOP/s\n", steps,
           steps == 1 ? "" : "s", 1e3 * seconds[0], 1e3 * middle, 1e3 * seconds[steps - 1],
           2e-9 * macs / middle);
    print_borders(engine->plan);
    printf("%.1f ms per step\n", 1e3 * middle);
}

static gwf_status time_steps(gwf_engine *engine, int steps, double *seconds, gwf_error *err)
{
    const gwf_network *n = &engine->model.network;
    const size_t plane = (size_t)engine->nlat * (size_t)engine->nlon;
    float *in = malloc(plane * (size_t)n->inputs * sizeof *in);
    float *out = malloc(plane * (size_t)n->outputs * sizeof *out);
    gwf_status status = GWF_OK;
    if (!in || !out) {
        status = gwf_fail(err, GWF_ERR_MEMORY, "no memory for a map");
        goto done;
    }
    fill(in, plane * (size_t)n->inputs);
    for (int i = -2; i < steps; i++) {
        if (i == 0) gwf_plan_reset_times(engine->plan);
        const double start = gwf_now();
        GWF_TRY_DONE(gwf_engine_run(engine, 1, (const float *const *)&in, &out, err));
        if (i >= 0) seconds[i] = gwf_now() - start;
    }
done:
    free(in);
    free(out);
    return status;
}

/* The leader of the map times and prints, the other ranks compute their tiles. */
static gwf_status time_and_print(const arguments *a, const scaling *s, gwf_engine *engine,
                                 gwf_error *err)
{
    double *seconds = calloc((size_t)a->steps, sizeof *seconds);
    if (!seconds) return gwf_fail(err, GWF_ERR_MEMORY, "no memory for the times");
    gwf_status status = time_steps(engine, a->steps, seconds, err);
    if (status == GWF_OK && a->model_scaling) {
        median(seconds, a->steps); /* sorts */
        status = scaling_print(s, engine, seconds[0], a->json, err);
    } else if (status == GWF_OK) {
        print_layers(engine->plan);
        print_summary(engine, seconds, a->steps);
    }
    free(seconds);
    return status;
}

static gwf_status prepare(const arguments *a, const gwf_options *options, const world *w,
                          scaling *s, gwf_engine *engine)
{
    gwf_domain grid = {.comm = w->map};
    gwf_error *err = &engine->error;
    GWF_TRY(world_agree(w, gwf_engine_load(engine, a->model, &w->log), err));
    grid.nlat = a->lat ? a->lat : engine->model.nlat;
    grid.nlon = a->lon ? a->lon : engine->model.nlon;
    GWF_TRY(
        gwf_tiling_find(a->tiles, gwf_comm_size(w->map), grid.nlat, grid.nlon, &grid.tiling, err));
    if (a->model_scaling) GWF_TRY(scaling_measure(s, options, a->steps, w, engine, err));
    return gwf_engine_plan(engine, options, &grid, &w->log);
}

static gwf_status bench(const arguments *a, const gwf_options *options, world *w, scaling *s,
                        gwf_engine *engine)
{
    gwf_error *err = &engine->error;
    gwf_status status;
    if (a->json && a->json[0] && !a->model_scaling)
        return gwf_fail(err, GWF_ERR_ARGUMENT, "option json: only with --model-scaling");
    GWF_TRY(world_group(w, 0, err));
    GWF_TRY(prepare(a, options, w, s, engine));
    if (w->leaders) {
        status = time_and_print(a, s, engine, err);
        gwf_engine_dismiss(engine, NULL);
    } else {
        status = gwf_engine_serve(engine, NULL, err);
    }
    return world_agree(w, status, err);
}

static int run(int argc, char **argv)
{
    arguments a = {0};
    gwf_error err = {0};
    world w = {0};
    scaling s = {0};
    gwf_options *options = gwf_options_create();
    gwf_engine *engine = calloc(1, sizeof *engine);
    gwf_status status = GWF_ERR_MEMORY;
    if (options && engine) status = args_parse(&command_bench, argc, argv, &a, options, &err);
    status = world_begin(&w, options, status, &err);
    if (status == GWF_OK) {
        status = bench(&a, options, &w, &s, engine);
        err = engine->error;
    }
    const int code = world_report(&w, status, &err);
    scaling_free(&s);
    gwf_free(&engine);
    gwf_options_free(&options);
    world_end(&w);
    config_free(&a.file);
    return code;
}

const command command_bench = {
    .name = "bench",
    .summary = "time a model's layers on this machine",
    .run = run,
    .table = table,
    .engine = 1,
};
