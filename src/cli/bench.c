/* gwflux bench: where the time of a model's map goes on this machine. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/bench_print.h"
#include "cli/bench_time.h"
#include "cli/commands.h"
#include "core/config.h"
#include "cli/prediction.h"
#include "cli/scaling.h"
#include "cli/world.h"
#include "coupling/devices.h"
#include "coupling/engine.h"
#include "parallel/cores.h"

typedef struct arguments {
    const char *model, *input, *tiles, *json;
    int steps, lat, lon, resident, model_scaling;
    gwf_config file;
} arguments;

#define AT(member) offsetof(arguments, member)
static const gwf_option_row rows[] = {
    {"model", 'm', GWF_OPTION_TEXT, AT(model), NULL, 0, 0, NULL, "model file (gwflux import)"},
    {"steps", 0, GWF_OPTION_INT, AT(steps), "20", 1, 1000000, NULL,
     "maps to time, after some more"},
    {"lat", 0, GWF_OPTION_INT, AT(lat), "0", 0, 65536, NULL, "rows; 0: the training grid's"},
    {"lon", 0, GWF_OPTION_INT, AT(lon), "0", 0, 65536, NULL, "columns; 0: the training grid's"},
    {"input", 'i', GWF_OPTION_TEXT, AT(input), "", 0, 0, NULL,
     "also time predict from this file to one in $TMPDIR or /tmp, which is removed"},
    {"tiles", 0, GWF_OPTION_TEXT, AT(tiles), "", 0, 0, NULL,
     "how several ranks (mpirun) cut the map: ROWSxCOLUMNS; without it auto"},
    {"resident", 0, GWF_OPTION_FLAG, AT(resident), "", 0, 0, NULL,
     "maps stay in the memory of the GPU, whose clock is read; else they travel"},
    {"model-scaling", 0, GWF_OPTION_FLAG, AT(model_scaling), "", 0, 0, NULL,
     "predict tiles on 1 to 512 ranks and 1 to 32 GPUs from what one rank does here, or two "
     "(mpirun)"},
    {"json", 0, GWF_OPTION_TEXT, AT(json), "", 0, 0, NULL, "file for all that is said, as JSON"},
    {"config", 0, GWF_OPTION_CONFIG, AT(file), "", 0, 0, NULL,
     "YAML file with any of these options; those given here go first"},
};

static gwf_option_table table(void *target)
{
    return (gwf_option_table){rows, (int)(sizeof rows / sizeof *rows), target};
}

/* r->engine's map, then the machine with its threads (0: not said). */
static gwf_status measure(bench_result *r, gwf_engine *engine, const arguments *a, int threads,
                          gwf_error *err)
{
    r->engine = engine;
    r->resident = a->resident;
    r->runs = (a->steps + engine->batch - 1) / engine->batch;
    r->seconds = calloc((size_t)r->runs, sizeof *r->seconds);
    if (!r->seconds) return gwf_fail(err, GWF_ERR_MEMORY, "no memory for the times");
    GWF_TRY(a->resident ? bench_time_resident(engine, r->runs, r->seconds, err)
                        : bench_time(engine, r->runs, r->seconds, err));
    r->memory = machine_peak_memory();
    if (engine->backend->device) return GWF_OK; /* it is another machine */
    return machine_measure(threads ? threads : gwf_cores_here(), &r->here, err);
}

/* --- the JSON file -------------------------------------------------------------------------- */

/* *json stays NULL where no file is asked for. */
static gwf_status open_json(const char *path, FILE **json, gwf_error *err)
{
    if (!path || !path[0]) return GWF_OK;
    *json = fopen(path, "w");
    if (*json) return GWF_OK;
    return gwf_fail(err, GWF_ERR_IO, "%s: cannot be written: %s", path, strerror(errno));
}

static gwf_status close_json(const char *path, FILE *json, gwf_status status, gwf_error *err)
{
    if (!json) return status;
    const bool bad = ferror(json) != 0;
    if ((fclose(json) || bad) && status == GWF_OK)
        status = gwf_fail(err, GWF_ERR_IO, "%s: writing failed", path);
    return status;
}

static void show(const bench_result *r, FILE *json)
{
    bench_print(r);
    if (json) bench_json(r, json);
}

/* --- the network alone ---------------------------------------------------------------------- */

/* The leader of the map times, the other ranks compute their tiles. */
static gwf_status time_map(const arguments *a, int threads, const world *w, gwf_engine *engine,
                           bench_result *r)
{
    gwf_error *err = &engine->error;
    gwf_status status;
    if (w->leaders) {
        status = measure(r, engine, a, threads, err);
        gwf_engine_dismiss(engine, NULL);
    } else {
        status = gwf_engine_serve(engine, NULL, err);
    }
    GWF_TRY(world_agree(w, status, err));
    return memory_measure(w, &r->nodes, err);
}

static gwf_status print(const arguments *a, const scaling *s, const bench_result *r, FILE *json,
                        gwf_error *err)
{
    if (a->model_scaling) return scaling_print(s, r->engine, r->seconds[0], json, err);
    show(r, json);
    return GWF_OK;
}

static gwf_status prepare(const arguments *a, const gwf_options *options, const world *w,
                          scaling *s, gwf_engine *engine)
{
    gwf_domain grid = {.comm = w->map, .node = w->node};
    gwf_error *err = &engine->error;
    gwf_status status = gwf_engine_load_node(engine, w->node, a->model, &w->log);
    if (status == GWF_OK) status = gwf_engine_spread_weights(engine, w->node, true);
    GWF_TRY(world_agree(w, status, err));
    grid.nlat = a->lat ? a->lat : engine->model.nlat;
    grid.nlon = a->lon ? a->lon : engine->model.nlon;
    GWF_TRY(gwf_tiling_find(a->tiles ? a->tiles : "auto", gwf_comm_size(w->map), grid.nlat,
                            grid.nlon, &grid.tiling, err));
    if (a->model_scaling) GWF_TRY(scaling_measure(s, options, a->steps, w, engine, err));
    return gwf_engine_plan(engine, options, &grid, &w->log);
}

static gwf_status bench(const arguments *a, const gwf_options *options, world *w, scaling *s,
                        gwf_engine *engine)
{
    gwf_error *err = &engine->error;
    bench_result r = {0};
    FILE *json = NULL;
    GWF_TRY(world_group(w, 0, err));
    GWF_TRY(prepare(a, options, w, s, engine));
    gwf_status status = w->leaders ? open_json(a->json, &json, err) : GWF_OK;
    status = world_agree(w, status, err);
    if (status == GWF_OK) status = time_map(a, options->threads, w, engine, &r);
    if (status == GWF_OK && w->leaders) status = print(a, s, &r, json, err);
    free(r.seconds);
    status = close_json(a->json, json, status, err);
    return world_agree(w, status, err);
}

static int run_network(const arguments *a, gwf_options *options, gwf_status asked, gwf_error err)
{
    world w = {0};
    scaling s = {0};
    gwf_engine *engine = calloc(1, sizeof *engine);
    if (!engine && asked == GWF_OK) asked = gwf_fail(&err, GWF_ERR_MEMORY, "no memory");
    gwf_status status = world_begin(&w, options, asked, &err);
    if (status == GWF_OK) {
        gwf_devices_agree(w.all, options, &w.log);
        status = bench(a, options, &w, &s, engine);
        err = engine->error;
    }
    const int code = world_report(&w, status, &err);
    scaling_free(&s);
    gwf_free(&engine);
    world_end(&w);
    return code;
}

/* --- from file to file ---------------------------------------------------------------------- */

/* The job's `own`: a prediction first, as its kind expects. */
typedef struct timed_prediction {
    prediction p;
    const arguments *a;
    int threads;
    FILE *json;
} timed_prediction;

static gwf_status check_choice(job *j, gwf_error *err)
{
    timed_prediction *own = j->own;
    const arguments *a = own->a;
    const char *odd = a->model_scaling ? "model-scaling"
                      : a->tiles       ? "tiles"
                      : a->lat         ? "lat"
                      : a->lon         ? "lon"
                                       : NULL;
    if (odd)
        return gwf_fail(err, GWF_ERR_ARGUMENT, "option %s: not with input, whose maps are whole",
                        odd);
    if (gwf_comm_size(j->w.all) > 1)
        return gwf_fail(err, GWF_ERR_ARGUMENT, "option input: times one process, not %d ranks",
                        gwf_comm_size(j->w.all));
    return open_json(a->json, &own->json, err);
}

/* The same engine once more, without files. */
static gwf_status time_network(job *j, gwf_error *err)
{
    timed_prediction *own = j->own;
    bench_result r = {.input = own->a->input, .spent = j->spent};
    gwf_status status = measure(&r, j->engine, own->a, own->threads, err);
    if (status == GWF_OK) status = memory_measure(&j->w, &r.nodes, err);
    if (status == GWF_OK) show(&r, own->json);
    free(r.seconds);
    FILE *json = own->json;
    own->json = NULL;
    return close_json(own->a->json, json, status, err);
}

/* An empty folder of our own, with room in `path`. */
static gwf_status make_scratch(char *path, size_t size, gwf_error *err)
{
    const char *parent = getenv("TMPDIR");
    snprintf(path, size, "%s/gwflux-bench-XXXXXX", parent && parent[0] ? parent : "/tmp");
    if (mkdtemp(path)) return GWF_OK;
    return gwf_fail(err, GWF_ERR_IO, "%s: cannot be created: %s", path, strerror(errno));
}

static void remove_scratch(const char *folder, const char *output)
{
    char part[2048];
    snprintf(part, sizeof part, "%s.part", output);
    unlink(output);
    unlink(part);
    rmdir(folder);
}

static int run_stream(const arguments *a, gwf_options *options, gwf_error err)
{
    char folder[1024], output[1088];
    const prediction_choice choice = {.grid = "model"};
    const char *inputs[] = {a->input};
    job_arguments asked = {.model = a->model, .output = output, .inputs = {inputs, 1}};
    job_start start = {.arguments = &asked, .options = options, .history = "gwflux bench"};
    timed_prediction own = {.p = {.choice = &choice}, .a = a, .threads = options->threads};
    job_kind kind = prediction_job;
    asked.writer = job_writers[0];
    kind.check = check_choice;
    kind.report = time_network;
    start.status = make_scratch(folder, sizeof folder, &err);
    start.error = err;
    snprintf(output, sizeof output, "%s/out.nc", folder);
    const int code = job_run(&kind, &start, &own);
    if (own.json) fclose(own.json);
    if (start.status == GWF_OK) remove_scratch(folder, output);
    return code;
}

/* -------------------------------------------------------------------------------------------- */

static int run(int argc, char **argv)
{
    arguments a = {0};
    gwf_error err = {0};
    gwf_options *options = gwf_options_create();
    gwf_status status = GWF_ERR_MEMORY;
    if (options) status = args_parse(&command_bench, argc, argv, &a, options, &err);
    const int code = status == GWF_OK && a.input ? run_stream(&a, options, err)
                                                 : run_network(&a, options, status, err);
    gwf_options_free(&options);
    gwf_config_free(&a.file);
    return code;
}

const command command_bench = {
    .name = "bench",
    .summary = "time a model's layers on this machine",
    .run = run,
    .table = table,
    .engine = 1,
};
