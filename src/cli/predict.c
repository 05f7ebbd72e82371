/* gwflux predict: reanalysis or WINDSET-style features in, gravity-wave momentum fluxes out. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/job.h"
#include "cli/product.h"

typedef struct arguments {
    job_arguments common;
    const char *levels, *grid;
    int normalised, tendency;
} arguments;

static const char *const grid_words[] = {"model", "input", NULL};

#define AT(member) offsetof(arguments, member)
static const gwf_option_row rows[] = {
    JOB_ROWS(arguments, common),
    {"tendency", 0, GWF_OPTION_FLAG, AT(tendency), "", 0, 0, NULL,
     "also write the tendencies of the wind, utend and vtend, in m s-2"},
    {"levels", 0, GWF_OPTION_TEXT, AT(levels), "", 0, 0, NULL,
     "pressures to write on, such as 10,50,100hPa; without it the model's levels"},
    {"grid", 0, GWF_OPTION_CHOICE, AT(grid), "model", 0, 0, grid_words,
     "horizontal grid to write on: the model's, or that of the reanalysis input"},
    {"normalised", 0, GWF_OPTION_FLAG, AT(normalised), "", 0, 0, NULL,
     "also write the network's own output as prediction(time, odim, lat, lon)"},
    {"tiles", 0, GWF_OPTION_TEXT, AT(common.tiles), "", 0, 0, NULL,
     "cut each map over several ranks: ROWSxCOLUMNS, or auto; without it each rank computes maps "
     "of its own"},
    {"ranks-per-map", 0, GWF_OPTION_INT, AT(common.ranks_per_map), "0", 0, 65536, NULL,
     "ranks that share a map; 0: as many as tiles says, with auto all of them"},
};

static gwf_option_table table(void *target)
{
    return (gwf_option_table){rows, (int)(sizeof rows / sizeof *rows), target};
}

/* What a prediction has beside its job. */
typedef struct prediction {
    const arguments *a;
    product *product;
    float *flux; /* (outputs, nlat, nlon), of a step; owned */
    char **channel_names;
} prediction;

static gwf_status check(job *j, gwf_error *err)
{
    const prediction *p = j->own;
    if (p->a->normalised && strcmp(p->a->grid, "input") == 0)
        return gwf_fail(err, GWF_ERR_ARGUMENT,
                        "option normalised: the network's own output is on the model's grid, not "
                        "with grid input");
    return GWF_OK;
}

/* Local. */
static gwf_status plan(job *j, gwf_error *err)
{
    prediction *p = j->own;
    const gwf_model *model = &j->engine->model;
    const product_choice choice = {.levels = p->a->levels,
                                   .tendency = p->a->tendency,
                                   .input_grid = strcmp(p->a->grid, "input") == 0,
                                   .threads = j->threads};
    GWF_TRY(product_create(&choice, &j->input, model, &p->product, err));
    p->flux = malloc((size_t)model->out.count * j->input.nlat * j->input.nlon * sizeof *p->flux);
    p->channel_names = gwf_channel_names(&model->in);
    if (p->flux && p->channel_names) return GWF_OK;
    return gwf_fail(err, GWF_ERR_MEMORY, "no memory for the fluxes of a step");
}

static gwf_status describe(job *j, char **text, gwf_error *err)
{
    const prediction *p = j->own;
    if (asprintf(text, "%s%s%s%s%s%s", j->described, p->a->normalised ? "; with prediction" : "",
                 p->a->tendency ? "; with tendencies" : "", p->a->levels ? "; levels " : "",
                 p->a->levels ? p->a->levels : "",
                 strcmp(p->a->grid, "input") == 0 ? "; on the input's grid" : "") >= 0)
        return GWF_OK;
    *text = NULL;
    return gwf_fail(err, GWF_ERR_MEMORY, "no memory to describe the job");
}

static gwf_status open_file(job *j, const sink_opening *how, const char *described, gwf_error *err)
{
    const prediction *p = j->own;
    const gwf_engine *engine = j->engine;
    const gwf_model *model = &engine->model;
    const product_shape shape = product_shape_of(p->product);
    int number[GWF_LEVELS];
    double hya[GWF_LEVELS], hyb[GWF_LEVELS];
    for (int k = 0; k < model->n_levels; k++) {
        number[k] = model->levels[k].number;
        hya[k] = model->levels[k].a;
        hyb[k] = model->levels[k].b;
    }
    const gwf_attribute globals[] = {
        {"title", "gravity-wave momentum fluxes predicted by gwflux"},
        {"source", model->source},
        {"history", j->history},
        {"gwflux_version", gwf_version()},
        {"gwflux_model", j->a->model},
        {"gwflux_model_sha256", model->checksum},
        {"gwflux_network", engine->description},
        {"gwflux_backend", engine->backend->name},
        {"gwflux_precision", engine->backend->precision(engine->context)},
        {"gwflux_recipe", model->recipe},
        {"gwflux_flux_kind", gwf_flux_kind_name(model->flux_kind)},
        {"gwflux_job", described},
    };
    gwf_flux_layout layout = {
        .steps = j->steps,
        .nlev = shape.pressure_levels ? 0 : shape.nlev,
        .nlat = shape.nlat,
        .nlon = shape.nlon,
        .lat = shape.lat,
        .lon = shape.lon,
        .level_number = number,
        .a = hya,
        .b = hyb,
        .pressure_levels = shape.pressure_levels,
        .n_pressure_levels = shape.pressure_levels ? shape.nlev : 0,
        .flux_kind = gwf_flux_kind_name(model->flux_kind),
        .times = j->times,
        .prediction_channels = p->a->normalised ? model->out.count : 0,
        .tendencies = p->a->tendency,
        .surface_pressure = source_has_pressure(&j->input),
        .channel_names = (const char *const *)p->channel_names,
        .n_channels = (size_t)model->in.count,
        .globals = globals,
        .n_globals = (int)(sizeof globals / sizeof *globals),
        .overwrite = j->a->overwrite,
        .comm = j->w.leaders,
        .writer = job_writer(j),
    };
    const gwf_status status =
        job_time(j, &layout.time_of, &layout.time_units, &layout.time_calendar, err);
    GWF_TRY(gwf_agree(j->w.leaders, status, err));
    return sink_open_flux(&j->out, how, &layout, err);
}

static gwf_status open_output(job *j, const sink_opening *how, gwf_error *err)
{
    char *described = NULL;
    gwf_status status = plan(j, err);
    if (status == GWF_OK) status = describe(j, &described, err);
    status = gwf_agree(j->w.leaders, status, err);
    if (status == GWF_OK) status = open_file(j, how, described, err);
    free(described);
    return status;
}

static gwf_status put(job *j, const stream_step *at, gwf_error *err)
{
    prediction *p = j->own;
    product_fields made;
    gwf_engine_fluxes(j->engine, at->prediction, p->flux);
    GWF_TRY(source_check(&j->input, j->first + at->step, "flux", &j->engine->model.out, p->flux,
                         at->time, err));
    GWF_TRY(product_make(p->product, p->flux, at->pressure, at->features, &made, err));
    const sink_step step = {at->step,
                            at->time,
                            {made.uw, made.vw, p->a->normalised ? at->prediction : NULL, made.utend,
                             made.vtend, made.surface_pressure, made.outside}};
    return sink_put(&j->out, &step, err);
}

/* Of each variable how much was outside, and where the most. */
static void print_outside(const gwf_channel_table *in, const double *share, double steps)
{
    int worst = 0, any = 0;
    printf("input beyond the trained range (|x~| > 4):");
    for (int i = 0; i < in->count;) {
        double sum = 0;
        int n = i;
        for (; n < in->count && strcmp(in->channels[n].variable, in->channels[i].variable) == 0;
             n++) {
            sum += share[n];
            if (share[n] > share[worst]) worst = n;
        }
        printf("%s %s %.3g %%", any++ ? "," : "", in->channels[i].variable,
               100 * sum / steps / (n - i));
        i = n;
    }
    if (share[worst] > 0)
        printf("; most %s at level %d: %.3g %%", in->channels[worst].variable,
               in->channels[worst].level, 100 * share[worst] / steps);
    printf("\n");
}

static gwf_status report_outside(job *j, gwf_error *err)
{
    const prediction *p = j->own;
    const gwf_channel_table *in = &j->engine->model.in;
    size_t steps = 0;
    const double *mine = product_outside(p->product, &steps);
    const size_t n = (size_t)in->count;
    double *sums = malloc((n + 1) * sizeof *sums);
    gwf_status status = sums ? GWF_OK : gwf_fail(err, GWF_ERR_MEMORY, "no memory for a summary");
    status = gwf_agree(j->w.leaders, status, err);
    if (status == GWF_OK) {
        memcpy(sums, mine, n * sizeof *sums);
        sums[n] = (double)steps;
        status = gwf_comm_sum(j->w.leaders, sums, (int)n + 1, err);
    }
    if (status == GWF_OK && world_speaks(&j->w) && sums[n] > 0) print_outside(in, sums, sums[n]);
    free(sums);
    return status;
}

static void close_prediction(job *j)
{
    prediction *p = j->own;
    product_free(&p->product);
    free(p->flux);
    free(p->channel_names);
}

static const job_kind predicting = {
    .computes = true,
    .check = check,
    .open = open_output,
    .put = put,
    .report = report_outside,
    .close = close_prediction,
};

static int run(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN); /* whoever reads the messages may leave; the run goes on */
    arguments a = {0};
    char history[2048];
    job_start start = {.arguments = &a.common, .options = gwf_options_create(), .history = history};
    prediction own = {.a = &a};
    start.status = start.options && job_lists(&a.common, argc) ? GWF_OK : GWF_ERR_MEMORY;
    if (start.status == GWF_OK)
        start.status = args_parse(&command_predict, argc, argv, &a, start.options, &start.error);
    args_history(argc, argv, history, sizeof history);
    gwf_config_history(&a.common.file, history, sizeof history);
    const int code = job_run(&predicting, &start, &own);
    gwf_options_free(&start.options);
    job_arguments_free(&a.common);
    return code;
}

const command command_predict = {
    .name = "predict",
    .summary = "predict momentum fluxes from reanalysis or WINDSET-style files",
    .run = run,
    .table = table,
    .engine = 1,
};
