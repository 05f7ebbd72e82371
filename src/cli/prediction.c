#include "cli/prediction.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static gwf_status check(job *j, gwf_error *err)
{
    const prediction *p = j->own;
    j->keeps_prediction = p->choice->normalised;
    if (p->choice->normalised && strcmp(p->choice->grid, "input") == 0)
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
    const product_choice choice = {.levels = p->choice->levels,
                                   .tendency = p->choice->tendency,
                                   .input_grid = strcmp(p->choice->grid, "input") == 0,
                                   .threads = j->threads};
    GWF_TRY(product_create(&choice, &j->input, model, &p->product, err));
    p->channel_names = gwf_channel_names(&model->in);
    if (p->channel_names) return GWF_OK;
    return gwf_fail(err, GWF_ERR_MEMORY, "no memory for the channels' names");
}

static gwf_status describe(job *j, char **text, gwf_error *err)
{
    const prediction *p = j->own;
    if (asprintf(text, "%s%s%s%s%s%s", j->described,
                 p->choice->normalised ? "; with prediction" : "",
                 p->choice->tendency ? "; with tendencies" : "",
                 p->choice->levels ? "; levels " : "", p->choice->levels ? p->choice->levels : "",
                 strcmp(p->choice->grid, "input") == 0 ? "; on the input's grid" : "") >= 0)
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
        .prediction_channels = p->choice->normalised ? model->out.count : 0,
        .tendencies = p->choice->tendency,
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
    GWF_TRY(product_make(p->product, at->flux, at->pressure, at->outside, &made, err));
    const sink_step step = {at->step,
                            at->time,
                            {made.uw, made.vw, at->prediction, made.utend, made.vtend,
                             made.surface_pressure, made.outside}};
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

static gwf_status report(job *j, gwf_error *err)
{
    job_print_summary(j);
    return report_outside(j, err);
}

static void close_prediction(job *j)
{
    prediction *p = j->own;
    product_free(&p->product);
    free(p->channel_names);
}

const job_kind prediction_job = {
    .computes = true,
    .check = check,
    .open = open_output,
    .put = put,
    .report = report,
    .close = close_prediction,
};
