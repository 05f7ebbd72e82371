/* gwflux predict: WINDSET-style features in, gravity-wave momentum fluxes out, by one process or by
 * many ranks. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/config.h"
#include "cli/progress.h"
#include "cli/stream.h"
#include "cli/world.h"
#include "io/part.h"

typedef struct arguments {
    const char *model, *output, *steps, *time_units, *tiles, *writer;
    gwf_option_list inputs;
    int normalised, overwrite, resume, ranks_per_map;
    config file;
} arguments;

static const char *const writer_words[] = {"auto", "all", "root", NULL};

#define AT(member) offsetof(arguments, member)
static const gwf_option_row rows[] = {
    {"model", 'm', GWF_OPTION_TEXT, AT(model), NULL, 0, 0, NULL, "model file (gwflux import)"},
    {"input", 'i', GWF_OPTION_LIST, AT(inputs), NULL, 0, 0, NULL,
     "WINDSET-style file; may be given many times, in order of time"},
    {"output", 'o', GWF_OPTION_TEXT, AT(output), NULL, 0, 0, NULL, "NetCDF file to write"},
    {"steps", 0, GWF_OPTION_TEXT, AT(steps), "", 0, 0, NULL,
     "A:B, steps A to B - 1 of all inputs, counted from 0; either may be left out"},
    {"time-units", 0, GWF_OPTION_TEXT, AT(time_units), "", 0, 0, NULL,
     "units of the input's time where it has none: \"hours since 2004-12-31 23:00\" makes hour 1 "
     "of 2005 midnight"},
    {"normalised", 0, GWF_OPTION_FLAG, AT(normalised), "", 0, 0, NULL,
     "also write the network's own output as prediction(time, odim, lat, lon)"},
    {"overwrite", 0, GWF_OPTION_FLAG, AT(overwrite), "", 0, 0, NULL, "replace an existing output"},
    {"resume", 0, GWF_OPTION_FLAG, AT(resume), "", 0, 0, NULL,
     "go on with the steps that an earlier run has left in OUTPUT.part"},
    {"tiles", 0, GWF_OPTION_TEXT, AT(tiles), "", 0, 0, NULL,
     "cut each map over several ranks: ROWSxCOLUMNS, or auto; without it each rank computes maps "
     "of its own"},
    {"ranks-per-map", 0, GWF_OPTION_INT, AT(ranks_per_map), "0", 0, 65536, NULL,
     "ranks that share a map; 0: as many as tiles says, with auto all of them"},
    {"writer", 0, GWF_OPTION_CHOICE, AT(writer), "auto", 0, 0, writer_words,
     "which ranks write the file; auto: all where NetCDF-C can, else the first"},
    {"config", 0, GWF_OPTION_CONFIG, AT(file), "", 0, 0, NULL,
     "YAML file with any of these options (configs/predict.yaml); those given here go first"},
};

static gwf_option_table table(void *target)
{
    return (gwf_option_table){rows, (int)(sizeof rows / sizeof *rows), target};
}

/* --- what is asked for ---------------------------------------------------------------------- */

static bool parse_number(const char *text, const char *end, size_t *number)
{
    char *stop = NULL;
    if (*text < '0' || *text > '9') return false;
    *number = strtoull(text, &stop, 10);
    return stop == end;
}

/* "A:B" of a series of `total` steps. */
static gwf_status parse_steps(const char *text, size_t total, size_t *first, size_t *count,
                              gwf_error *err)
{
    size_t a = 0, b = total;
    const char *colon = text ? strchr(text, ':') : NULL;
    bool fine = !text;
    if (colon)
        fine = (colon == text || parse_number(text, colon, &a)) &&
               (!colon[1] || parse_number(colon + 1, colon + strlen(colon), &b));
    if (!fine) return gwf_fail(err, GWF_ERR_ARGUMENT, "option steps: expected A:B, found %s", text);
    if (a >= b || b > total)
        return gwf_fail(err, GWF_ERR_ARGUMENT,
                        "option steps: %s is no part of the %zu steps of the input",
                        text ? text : ":", total);
    *first = a;
    *count = b - a;
    return GWF_OK;
}

/* Ranks a map and how it is cut. A number of ranks without tiles means auto. */
static gwf_status choose_tiling(const arguments *a, int ranks, int nlat, int nlon, int *per_map,
                                gwf_tiling *tiling, gwf_error *err)
{
    const char *text = a->tiles ? a->tiles : "auto";
    *per_map = a->ranks_per_map ? a->ranks_per_map : a->tiles ? ranks : 1;
    if (strcmp(text, "auto") != 0 && !a->ranks_per_map) {
        GWF_TRY(gwf_tiling_find(text, 0, nlat, nlon, tiling, err));
        *per_map = tiling->rows * tiling->cols;
    }
    return gwf_tiling_find(text, *per_map, nlat, nlon, tiling, err);
}

static volatile sig_atomic_t stop_requested;

/* A second signal ends the program at once. */
static void request_stop(int number)
{
    stop_requested = 1;
    signal(number, SIG_DFL);
}

/* A signal that is ignored (a job in the background) stays so. */
static void catch_signal(int number)
{
    if (signal(number, request_stop) == SIG_IGN) signal(number, SIG_IGN);
}

/* --- one prediction ------------------------------------------------------------------------- */

/* Everything of one prediction, so that one place frees it. */
typedef struct job {
    world w;
    gwf_engine *engine;
    series input; /* leaders */
    sink out;     /* leaders */
    size_t first, steps;
    size_t *pending, n_pending; /* steps still to be done */
    double *times;
    unsigned char *done;
    bool complete; /* by an earlier run */
    progress bar;
} job;

/* What PATH.part must have been made from and for, to be gone on with. */
static gwf_status describe_job(const arguments *a, const job *j, char **text, gwf_error *err)
{
    size_t size = 0;
    FILE *memory = open_memstream(text, &size);
    if (!memory) return gwf_fail(err, GWF_ERR_MEMORY, "no memory to describe the job");
    fprintf(memory, "steps %zu:%zu of", j->first, j->first + j->steps);
    for (int i = 0; i < a->inputs.count; i++)
        fprintf(memory, "%s %s", i ? "," : "", a->inputs.items[i]);
    if (a->normalised) fprintf(memory, "; with prediction");
    return fclose(memory) == 0 ? GWF_OK
                               : gwf_fail(err, GWF_ERR_MEMORY, "no memory to describe the job");
}

static gwf_flux_writer writer_of(const arguments *a)
{
    if (strcmp(a->writer, "all") == 0) return GWF_WRITE_ALL;
    return strcmp(a->writer, "root") == 0 ? GWF_WRITE_ROOT : GWF_WRITE_AUTO;
}

/* Collective over the leaders. */
static gwf_status open_output(const arguments *a, const char *history, job *j,
                              const char *described, gwf_error *err)
{
    const gwf_engine *engine = j->engine;
    const gwf_model *model = &engine->model;
    int number[GWF_LEVELS];
    double hya[GWF_LEVELS], hyb[GWF_LEVELS];
    gwf_windset *time_of = NULL;
    for (int k = 0; k < model->n_levels; k++) {
        number[k] = model->levels[k].number;
        hya[k] = model->levels[k].a;
        hyb[k] = model->levels[k].b;
    }
    const gwf_attribute globals[] = {
        {"title", "gravity-wave momentum fluxes predicted by gwflux"},
        {"source", model->source},
        {"history", history},
        {"gwflux_version", gwf_version()},
        {"gwflux_model", a->model},
        {"gwflux_model_sha256", model->checksum},
        {"gwflux_network", engine->description},
        {"gwflux_backend", engine->backend->name},
        {"gwflux_precision", engine->backend->precision(engine->context)},
        {"gwflux_recipe", model->recipe},
        {"gwflux_flux_kind", gwf_flux_kind_name(model->flux_kind)},
        {"gwflux_job", described},
    };
    gwf_status status = series_file_of(&j->input, j->first, &time_of, err);
    if (status == GWF_OK) status = series_times(&j->input, j->first, j->steps, j->times, err);
    /* The last call opened the last step's file. */
    if (status == GWF_OK) status = series_file_of(&j->input, j->first, &time_of, err);
    GWF_TRY(gwf_agree(j->w.leaders, status, err));
    const gwf_flux_layout layout = {
        .steps = j->steps,
        .nlev = (size_t)model->n_levels,
        .nlat = j->input.nlat,
        .nlon = j->input.nlon,
        .lat = j->input.lat,
        .lon = j->input.lon,
        .level_number = number,
        .a = hya,
        .b = hyb,
        .flux_kind = gwf_flux_kind_name(model->flux_kind),
        .time_of = time_of,
        .time_units = a->time_units,
        .times = j->times,
        .prediction_channels = a->normalised ? model->out.count : 0,
        .globals = globals,
        .n_globals = (int)(sizeof globals / sizeof *globals),
        .overwrite = a->overwrite,
        .comm = j->w.leaders,
        .writer = writer_of(a),
    };
    return sink_open(&j->out, a->output, &layout, a->resume, j->done, &j->complete, err);
}

static gwf_status prepare_output(const arguments *a, const char *history, job *j, gwf_error *err)
{
    char *described = NULL;
    j->times = malloc(j->steps * sizeof *j->times);
    j->done = calloc(j->steps, sizeof *j->done);
    j->pending = malloc(j->steps * sizeof *j->pending);
    gwf_status status = j->times && j->done && j->pending
                            ? describe_job(a, j, &described, err)
                            : gwf_fail(err, GWF_ERR_MEMORY, "no memory for %zu steps", j->steps);
    status = gwf_agree(j->w.leaders, status, err);
    if (status == GWF_OK) status = open_output(a, history, j, described, err);
    free(described);
    if (j->complete) return GWF_OK;
    for (size_t i = 0; i < j->steps && status == GWF_OK; i++)
        if (!j->done[i]) j->pending[j->n_pending++] = i;
    if (status == GWF_OK && j->n_pending < j->steps)
        gwf_log_line(&j->w.log, "%s: %zu of %zu steps are finished, going on with the others",
                     a->output, j->steps - j->n_pending, j->steps);
    return status;
}

static void show_progress(void *user, size_t done)
{
    const job *j = user;
    if (world_speaks(&j->w))
        progress_show(&((job *)user)->bar, j->steps - j->n_pending + done, j->steps);
}

/* Sums over the leaders; the longest total. */
static gwf_status print_summary(const arguments *a, const job *j, const stream_times *t,
                                gwf_error *err)
{
    double sums[] = {(double)t->steps, t->reading, t->computing, t->writing}, total = t->total;
    const int leaders = gwf_comm_size(j->w.leaders), ranks = gwf_comm_size(j->w.all);
    char with[64] = "";
    GWF_TRY(gwf_comm_sum(j->w.leaders, sums, 4, err));
    GWF_TRY(gwf_comm_max(j->w.leaders, &total, 1, err));
    if (!world_speaks(&j->w)) return GWF_OK;
    const double n = sums[0] > 0 ? sums[0] : 1;
    const bool files = sums[1] + sums[3] > sums[2];
    if (ranks > leaders)
        snprintf(with, sizeof with, " on %d x %d ranks", leaders, ranks / leaders);
    else if (ranks > 1)
        snprintf(with, sizeof with, " on %d ranks", ranks);
    printf("%s: %.0f step%s in %.1f s%s, %.1f ms per step (each: read %.1f, compute %.1f, write "
           "%.1f ms; limited by %s)\n",
           a->output, sums[0], sums[0] == 1 ? "" : "s", total, with, 1e3 * total / n,
           1e3 * sums[1] / n, 1e3 * sums[2] / n, 1e3 * sums[3] / n,
           files ? "reading and writing" : "computing");
    return GWF_OK;
}

/* What is finished stays beside the output, and the message says so. */
static void keep_finished(const arguments *a, job *j, gwf_error *err)
{
    size_t kept = 0;
    sink_abandon(&j->out, &kept);
    if (!kept) return;
    const size_t used = strlen(err->text);
    snprintf(err->text + used, sizeof err->text - used,
             " (%zu finished step%s kept in %s.part; --resume does the other %zu)", kept,
             kept == 1 ? " is" : "s are", a->output, j->steps - kept);
}

/* The leaders' part. Collective over them. */
static gwf_status lead(const arguments *a, job *j, gwf_error *err)
{
    stream_times times = {0};
    gwf_queue *queue = NULL;
    const stream s = {.engine = j->engine,
                      .input = &j->input,
                      .output = &j->out,
                      .pending = j->pending,
                      .first = j->first,
                      .normalised = a->normalised,
                      .stop = &stop_requested,
                      .progress = show_progress,
                      .user = j};
    stream run = s;
    gwf_status status = gwf_queue_create(j->w.leaders, j->n_pending, &queue, err);
    if (world_speaks(&j->w)) progress_start(&j->bar);
    if (status == GWF_OK) {
        run.queue = queue;
        status = gwf_agree(j->w.leaders, stream_run(&run, &times, err), err);
    }
    if (world_speaks(&j->w)) progress_end(&j->bar);
    gwf_engine_dismiss(j->engine, NULL);
    gwf_queue_free(&queue);
    if (status == GWF_OK)
        status = sink_finish(&j->out, err);
    else
        keep_finished(a, j, err);
    return status == GWF_OK ? print_summary(a, j, &times, err) : status;
}

/* Before any work: may the output be written at all? With --overwrite it could replace what it is
 * made from. */
static gwf_status check_output(const arguments *a, gwf_error *err)
{
    gwf_part target = {0};
    bool same = gwf_part_replaces(a->output, a->model);
    for (int i = 0; i < a->inputs.count; i++)
        same |= gwf_part_replaces(a->output, a->inputs.items[i]);
    if (same)
        return gwf_fail(err, GWF_ERR_ARGUMENT, "%s: is an input, it cannot be the output too",
                        a->output);
    if (a->resume && a->overwrite)
        return gwf_fail(err, GWF_ERR_ARGUMENT,
                        "options resume and overwrite: one goes on with what is there, the other "
                        "throws it away");
    if (a->resume) return GWF_OK;
    const gwf_status status = gwf_part_open(a->output, a->overwrite, &target, err);
    gwf_part_free(&target);
    return status;
}

/* What all ranks must know of the input; rank 0 looks first and tells. */
typedef struct outline {
    size_t nlat, nlon, total, first, steps;
    char model[sizeof((gwf_model *)0)->checksum];
} outline;

static gwf_status open_input(const arguments *a, job *j, const gwf_log *log, gwf_error *err)
{
    return series_create(a->inputs.items, a->inputs.count, &j->engine->model, log, &j->input, err);
}

static gwf_status look_first(const arguments *a, job *j, outline *o, gwf_error *err)
{
    GWF_TRY(open_input(a, j, &j->w.log, err));
    o->nlat = j->input.nlat;
    o->nlon = j->input.nlon;
    o->total = j->input.steps;
    memcpy(o->model, j->engine->model.checksum, sizeof o->model);
    return parse_steps(a->steps, j->input.steps, &o->first, &o->steps, err);
}

/* Another rank: the files that it sees under the same names are the same. */
static gwf_status look_too(const arguments *a, job *j, const outline *o, gwf_error *err)
{
    const series *in = &j->input;
    if (strcmp(o->model, j->engine->model.checksum) != 0)
        return gwf_fail(err, GWF_ERR_MISMATCH, "%s: is not the model that rank 0 has", a->model);
    if (!j->w.leaders) return GWF_OK;
    GWF_TRY(open_input(a, j, NULL, err));
    if (in->nlat == o->nlat && in->nlon == o->nlon && in->steps == o->total) return GWF_OK;
    return gwf_fail(err, GWF_ERR_MISMATCH,
                    "%s%s: %zu x %zu x %zu (time, lat, lon), rank 0 has %zu x %zu x %zu there",
                    a->inputs.items[0], a->inputs.count > 1 ? " and further inputs" : "", in->steps,
                    in->nlat, in->nlon, o->total, o->nlat, o->nlon);
}

/* The input on the leaders, the engine on all. Collective. */
static gwf_status prepare_input(const arguments *a, const gwf_options *options, job *j,
                                gwf_error *err)
{
    int per_map = 1;
    outline o = {0};
    const bool first_rank = gwf_comm_rank(j->w.all) == 0;
    gwf_status status = first_rank ? look_first(a, j, &o, err) : GWF_OK;
    GWF_TRY(world_agree(&j->w, status, err));
    GWF_TRY(gwf_comm_broadcast(j->w.all, &o, sizeof o, 0, err));
    j->first = o.first;
    j->steps = o.steps;
    gwf_grid grid = {.nlat = (int)o.nlat, .nlon = (int)o.nlon};
    GWF_TRY(choose_tiling(a, gwf_comm_size(j->w.all), grid.nlat, grid.nlon, &per_map, &grid.tiling,
                          err));
    GWF_TRY(world_group(&j->w, per_map, err));
    grid.comm = j->w.map;
    status = first_rank ? GWF_OK : look_too(a, j, &o, err);
    GWF_TRY(world_agree(&j->w, status, err));
    status = gwf_engine_plan(j->engine, options, &grid, &j->w.log);
    if (status != GWF_OK) *err = j->engine->error;
    return world_agree(&j->w, status, err);
}

static gwf_status run_job(const arguments *a, gwf_options *options, const char *history, job *j,
                          gwf_error *err)
{
    gwf_status status = gwf_comm_rank(j->w.all) == 0 ? check_output(a, err) : GWF_OK;
    GWF_TRY(world_agree(&j->w, status, err));
    status = gwf_engine_load(j->engine, a->model, &j->w.log);
    if (status != GWF_OK) *err = j->engine->error;
    GWF_TRY(world_agree(&j->w, status, err));
    GWF_TRY(prepare_input(a, options, j, err));
    gwf_log_line(&j->w.log, "%s", gwf_describe(j->engine));
    catch_signal(SIGINT);
    catch_signal(SIGTERM);
    catch_signal(SIGUSR1);
    status = j->w.leaders ? prepare_output(a, history, j, err) : GWF_OK;
    GWF_TRY(world_agree(&j->w, status, err));
    double complete = j->complete;
    GWF_TRY(gwf_comm_max(j->w.all, &complete, 1, err));
    if (complete > 0) {
        gwf_log_line(&j->w.log, "%s: is complete, nothing to do", a->output);
        return GWF_OK;
    }
    status = j->w.leaders ? lead(a, j, err) : gwf_engine_serve(j->engine, &stop_requested, err);
    return world_agree(&j->w, status, err);
}

/* asked: how reading the arguments ended, with err. */
static int predict(arguments *a, gwf_options *options, const char *history, gwf_status asked,
                   gwf_error *err)
{
    job j = {.input = {.open_number = -1}};
    j.engine = calloc(1, sizeof *j.engine);
    if (!j.engine && asked == GWF_OK)
        asked = gwf_fail(err, GWF_ERR_MEMORY, "no memory for an engine");
    gwf_status status = world_begin(&j.w, options, asked, err);
    if (status == GWF_OK) status = run_job(a, options, history, &j, err);
    const int code = world_report(&j.w, status, err);
    free(j.times);
    free(j.done);
    free(j.pending);
    series_free(&j.input);
    gwf_free(&j.engine);
    world_end(&j.w);
    return code;
}

static int run(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN); /* whoever reads the messages may leave; the run goes on */
    arguments a = {.inputs.items = calloc((size_t)argc, sizeof *a.inputs.items)};
    gwf_options *options = gwf_options_create();
    gwf_error err = {0};
    char history[2048];
    gwf_status status = GWF_ERR_MEMORY;
    if (a.inputs.items && options)
        status = args_parse(&command_predict, argc, argv, &a, options, &err);
    args_history(argc, argv, history, sizeof history);
    config_history(&a.file, history, sizeof history);
    const int code = predict(&a, options, history, status, &err);
    gwf_options_free(&options);
    free(a.inputs.items);
    config_free(&a.file);
    return code;
}

const command command_predict = {
    .name = "predict",
    .summary = "predict momentum fluxes from WINDSET-style files",
    .run = run,
    .table = table,
    .engine = 1,
};
