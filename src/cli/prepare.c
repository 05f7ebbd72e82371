/* gwflux prepare: reanalysis in, a WINDSET-style file of normalised features out. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/job.h"

typedef struct arguments {
    job_arguments common;
    int threads;
} arguments;

#define AT(member) offsetof(arguments, member)
static const gwf_option_row rows[] = {
    JOB_ROWS(arguments, common),
    {"threads", 0, GWF_OPTION_INT, AT(threads), "0", 0, 1024, NULL,
     "threads for reading, remapping and interpolating; 0: OMP_NUM_THREADS, else the cores there "
     "are"},
};

static gwf_option_table table(void *target)
{
    return (gwf_option_table){rows, (int)(sizeof rows / sizeof *rows), target};
}

/* The channels of the published files: lat, lon, zs, u, v, theta and, for networks that read omega,
 * w. */
static gwf_status choose_channels(job *j, gwf_error *err)
{
    const gwf_model *model = &j->engine->model;
    const gwf_recipe *recipe = gwf_recipe_find(model->recipe);
    const char *features = strcmp(model->features, "uvtheta") == 0 ? "uvtheta" : "uvthetaw";
    if (!recipe)
        return gwf_fail(err, GWF_ERR_UNSUPPORTED, "%s: recipe %s is not known", j->a->model,
                        model->recipe);
    GWF_TRY(gwf_channels_in(features, "global", 1, recipe, &j->own_channels, err));
    j->reads.in = j->own_channels;
    return GWF_OK;
}

static gwf_status open_file(job *j, const sink_opening *how, char **names, gwf_error *err)
{
    char words[1024], title[] = "normalised features prepared by gwflux";
    const gwf_model *model = &j->engine->model;
    gwf_recipe_words(gwf_recipe_find(model->recipe), words, sizeof words);
    const gwf_attribute globals[] = {
        {"title", title},
        {"history", j->history},
        {"gwflux_version", gwf_version()},
        {"gwflux_job", j->described},
    };
    gwf_prepared_layout layout = {
        .steps = j->steps,
        .idim = (size_t)j->reads.in.count,
        .nlat = j->input.nlat,
        .nlon = j->input.nlon,
        .lat = j->input.lat,
        .lon = j->input.lon,
        .channel_names = (const char *const *)names,
        .recipe = model->recipe,
        .long_name = words,
        .surface_pressure = source_has_pressure(&j->input),
        .times = j->times,
        .globals = globals,
        .n_globals = (int)(sizeof globals / sizeof *globals),
        .overwrite = j->a->overwrite,
        .comm = j->w.leaders,
        .writer = job_writer(j),
    };
    gwf_status status =
        job_time(j, &layout.time_of, &layout.time_units, &layout.time_calendar, err);
    if (status == GWF_OK && !names)
        status = gwf_fail(err, GWF_ERR_MEMORY, "no memory for the names of channels");
    GWF_TRY(gwf_agree(j->w.leaders, status, err));
    return sink_open_prepared(&j->out, how, &layout, err);
}

static gwf_status open_output(job *j, const sink_opening *how, gwf_error *err)
{
    gwf_status status = GWF_OK;
    if (!j->input.atmosphere)
        status = gwf_fail(err, GWF_ERR_ARGUMENT,
                          "%s: holds normalised features already; prepare makes them of reanalysis "
                          "files",
                          j->a->inputs.items[0]);
    GWF_TRY(gwf_agree(j->w.leaders, status, err));
    char **names = gwf_channel_names(&j->reads.in);
    status = open_file(j, how, names, err);
    free(names);
    return status;
}

static gwf_status put(job *j, const stream_step *at, gwf_error *err)
{
    const sink_step step = {at->step, at->time, {at->features, at->pressure}};
    return sink_put(&j->out, &step, err);
}

static gwf_status print_summary(job *j, gwf_error *err)
{
    (void)err;
    job_print_summary(j);
    return GWF_OK;
}

static const job_kind preparing = {
    .check = choose_channels,
    .open = open_output,
    .put = put,
    .report = print_summary,
};

static int run(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN); /* whoever reads the messages may leave; the run goes on */
    arguments a = {0};
    char history[2048];
    job_start start = {.arguments = &a.common, .options = gwf_options_create(), .history = history};
    start.status = start.options && job_lists(&a.common, argc) ? GWF_OK : GWF_ERR_MEMORY;
    if (start.status == GWF_OK)
        start.status = args_parse(&command_prepare, argc, argv, &a, NULL, &start.error);
    args_history(argc, argv, history, sizeof history);
    gwf_config_history(&a.common.file, history, sizeof history);
    if (start.options) start.options->threads = a.threads;
    const int code = job_run(&preparing, &start, NULL);
    gwf_options_free(&start.options);
    job_arguments_free(&a.common);
    return code;
}

const command command_prepare = {
    .name = "prepare",
    .summary = "make a file of normalised features from reanalysis files",
    .run = run,
    .table = table,
};
