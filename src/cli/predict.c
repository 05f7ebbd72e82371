/* gwflux predict: WINDSET-style features in, gravity-wave momentum fluxes out. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/series.h"
#include "cli/stream.h"
#include "coupling/engine.h"
#include "io/flux_file.h"
#include "io/part.h"

typedef struct arguments {
    const char *model, *output, *steps, *time_units;
    gwf_option_list inputs;
    int normalised, overwrite;
} arguments;

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
};

static gwf_option_table table(void *target)
{
    return (gwf_option_table){rows, (int)(sizeof rows / sizeof *rows), target};
}

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

/* Everything of one prediction, so that one place frees it. */
typedef struct job {
    gwf_engine *engine;
    series input;
    gwf_flux_file *file;
    progress bar;
} job;

static gwf_status create_output(const arguments *a, const char *history, size_t first, size_t steps,
                                job *j, gwf_error *err)
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
    };
    GWF_TRY(series_file_of(&j->input, first, &time_of, err));
    const gwf_flux_layout layout = {
        .steps = steps,
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
        .prediction_channels = a->normalised ? model->out.count : 0,
        .globals = globals,
        .n_globals = (int)(sizeof globals / sizeof *globals),
        .overwrite = a->overwrite,
    };
    return gwf_flux_file_create(a->output, &layout, &j->file, err);
}

static void show_progress(void *user, size_t done, size_t steps)
{
    progress_show(user, done, steps);
}

static void print_summary(const arguments *a, const stream_times *t)
{
    const double n = t->written ? (double)t->written : 1;
    const bool files = t->reading + t->writing > t->computing;
    printf("%s: %zu step%s in %.1f s, %.1f ms per step (read %.1f, compute %.1f, write %.1f ms; "
           "limited by %s)\n",
           a->output, t->written, t->written == 1 ? "" : "s", t->total, 1e3 * t->total / n,
           1e3 * t->reading / n, 1e3 * t->computing / n, 1e3 * t->writing / n,
           files ? "reading and writing" : "computing");
}

/* The file gets its name, or what is finished stays beside it and the message says so. */
static gwf_status end_output(const arguments *a, job *j, gwf_status status, gwf_error *err)
{
    if (status == GWF_OK) return gwf_flux_file_finish(&j->file, err);
    const size_t kept = gwf_flux_file_abandon(&j->file);
    if (kept) {
        const size_t used = strlen(err->text);
        snprintf(err->text + used, sizeof err->text - used,
                 " (%zu finished step%s kept in %s.part)", kept, kept == 1 ? " is" : "s are",
                 a->output);
    }
    return status;
}

/* Before any work: may the output be written at all? With --overwrite it could replace what it is
 * made from. */
static gwf_status check_output(const arguments *a, gwf_error *err)
{
    gwf_part target = {0};
    bool same = gwf_part_replaces(a->output, a->model);
    for (int i = 0; i < a->inputs.count; i++)
        same |= gwf_part_replaces(a->output, a->inputs.items[i]);
    if (!same) {
        const gwf_status status = gwf_part_open(a->output, a->overwrite, &target, err);
        gwf_part_free(&target);
        return status;
    }
    return gwf_fail(err, GWF_ERR_ARGUMENT, "%s: is an input, it cannot be the output too",
                    a->output);
}

static gwf_status run_job(const arguments *a, const gwf_options *options, const char *history,
                          job *j, gwf_error *err)
{
    size_t first = 0, steps = 0;
    stream_times times = {0};
    gwf_engine *engine = j->engine;
    GWF_TRY(check_output(a, err));
    GWF_TRY(gwf_engine_load(engine, a->model, &stderr_log));
    GWF_TRY(series_create(a->inputs.items, a->inputs.count, &engine->model, &stderr_log, &j->input,
                          err));
    j->input.threads = options->threads;
    GWF_TRY(parse_steps(a->steps, j->input.steps, &first, &steps, err));
    GWF_TRY(gwf_engine_plan(engine, options, (int)j->input.nlat, (int)j->input.nlon, &stderr_log));
    gwf_log_line(&stderr_log, "%s", gwf_describe(engine));
    catch_signal(SIGINT);
    catch_signal(SIGTERM);
    GWF_TRY(create_output(a, history, first, steps, j, err));
    progress_start(&j->bar);
    const stream s = {.engine = engine,
                      .input = &j->input,
                      .file = j->file,
                      .first = first,
                      .steps = steps,
                      .normalised = a->normalised,
                      .stop = &stop_requested,
                      .progress = show_progress,
                      .user = &j->bar};
    gwf_status status = stream_run(&s, &times, err);
    progress_end(&j->bar);
    status = end_output(a, j, status, err);
    if (status == GWF_OK) print_summary(a, &times);
    return status;
}

static int predict(arguments *a, const gwf_options *options, const char *history)
{
    job j = {.input = {.open_number = -1}};
    gwf_error err = {0};
    j.engine = calloc(1, sizeof *j.engine);
    gwf_status status = j.engine ? run_job(a, options, history, &j, &err)
                                 : gwf_fail(&err, GWF_ERR_MEMORY, "no memory for an engine");
    /* The engine keeps its own messages. */
    const int code = report(status, err.text[0] || !j.engine ? &err : &j.engine->error);
    series_free(&j.input);
    gwf_free(&j.engine);
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
    const int code = status == GWF_OK ? predict(&a, options, history) : report(status, &err);
    gwf_options_free(&options);
    free(a.inputs.items);
    return code;
}

const command command_predict = {
    .name = "predict",
    .summary = "predict momentum fluxes from WINDSET-style files",
    .run = run,
    .table = table,
    .engine = 1,
};
