/* gwflux quantise: a model gets what precision int8 needs, from sample maps. */
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/source.h"
#include "core/clock.h"
#include "coupling/quantise.h"
#include "io/part.h"
#include "parallel/cores.h"

typedef struct arguments {
    const char *model, *output, *limit, *backend;
    gwf_option_list inputs;
    int maps, threads, overwrite;
} arguments;

#define AT(member) offsetof(arguments, member)
static const gwf_option_row rows[] = {
    {"model", 'm', GWF_OPTION_TEXT, AT(model), NULL, 0, 0, NULL, "model file (gwflux import)"},
    {"input", 'i', GWF_OPTION_LIST, AT(inputs), NULL, 0, 0, NULL,
     "WINDSET-style or reanalysis file to take maps from; may be given many times"},
    {"output", 'o', GWF_OPTION_TEXT, AT(output), NULL, 0, 0, NULL,
     "model file to write, for --precision int8 and all others"},
    {"maps", 0, GWF_OPTION_INT, AT(maps), "8", 1, 1000, NULL,
     "steps of the input to look at, evenly spread over it"},
    {"drag-error", 0, GWF_OPTION_TEXT, AT(limit), "5", 0, 0, NULL,
     "most that the drag may be off on these maps, in percent; layers that lose too much stay in "
     "higher precision"},
    {"backend", 0, GWF_OPTION_TEXT, AT(backend), "auto", 0, 0, NULL,
     "what computes: auto, cpu or ref; it must have precision int8"},
    {"threads", 0, GWF_OPTION_INT, AT(threads), "0", 0, 1024, NULL,
     "threads; 0: OMP_NUM_THREADS, else the cores there are"},
    {"overwrite", 0, GWF_OPTION_FLAG, AT(overwrite), "", 0, 0, NULL, "replace an existing output"},
};

static gwf_option_table table(void *target)
{
    return (gwf_option_table){rows, (int)(sizeof rows / sizeof *rows), target};
}

/* ---- the sample ---- */

/* Maps in memory. */
typedef struct maps {
    float **features; /* (n) of (inputs, nlat, nlon); owned, as all of it */
    size_t *steps;    /* (n): where they stand in the input */
    int n;
    char name[512];
} maps;

static void free_maps(maps *m)
{
    for (int i = 0; m->features && i < m->n; i++) free(m->features[i]);
    free(m->features);
    free(m->steps);
}

/* "inputfeatures_201501.nc and 2 more, 8 of 2232 steps" */
static void name_maps(const arguments *a, const source *from, maps *m)
{
    char copy[4096], more[32] = "";
    snprintf(copy, sizeof copy, "%s", a->inputs.items[0]);
    if (a->inputs.count > 1) snprintf(more, sizeof more, " and %d more", a->inputs.count - 1);
    snprintf(m->name, sizeof m->name, "%.300s%s, %d of %zu step%s", basename(copy), more, m->n,
             from->steps, from->steps == 1 ? "" : "s");
}

static gwf_status read_map(source *from, maps *m, int i, source_step *step, gwf_error *err)
{
    const size_t size = from->nlat * from->nlon * (size_t)from->model->in.count;
    m->steps[i] = from->steps * (2 * (size_t)i + 1) / (2 * (size_t)m->n);
    m->features[i] = malloc(size * sizeof **m->features);
    if (!m->features[i])
        return gwf_fail(err, GWF_ERR_MEMORY, "no memory for %d maps; option maps takes fewer",
                        m->n);
    GWF_TRY(source_begin(from, m->steps[i], step, err));
    GWF_TRY(source_end(from, step, 1, err));
    memcpy(m->features[i], step->in.features, size * sizeof **m->features);
    return GWF_OK;
}

static gwf_status read_maps(const arguments *a, source *from, maps *m, gwf_error *err)
{
    source_step step;
    m->n = from->steps < (size_t)a->maps ? (int)from->steps : a->maps;
    m->features = calloc((size_t)m->n, sizeof *m->features);
    m->steps = calloc((size_t)m->n, sizeof *m->steps);
    if (!m->features || !m->steps)
        return gwf_fail(err, GWF_ERR_MEMORY, "no memory for %d maps", m->n);
    gwf_status status = source_step_create(from, &step, err);
    for (int i = 0; i < m->n && status == GWF_OK; i++) status = read_map(from, m, i, &step, err);
    source_step_free(&step);
    name_maps(a, from, m);
    return status;
}

/* ---- the result ---- */

static void print_layers(const gwf_model *model, int nlat, int nlon)
{
    const gwf_network *n = &model->network;
    printf("%-22s %9s %12s  %s\n", "layer", "MMAC", "drag error", "multiplies in");
    for (int i = 0; i < n->n_layers; i++) {
        const gwf_layer *layer = &n->layers[i];
        const gwf_quantised_layer *q =
            layer->kernel ? gwf_quantised_find(&model->int8, layer->name) : NULL;
        if (q)
            printf("%-22s %9.1f %10.3f %%  %s\n", q->name,
                   1e-6 * gwf_layer_macs(n, layer, nlat, nlon), 100 * q->drag_error,
                   q->int8 ? "8 bits" : "higher precision");
    }
}

static void print_summary(const arguments *a, const gwf_model *model, double seconds)
{
    const gwf_quantised *q = &model->int8;
    int in_int8 = 0;
    for (int i = 0; i < q->n_layers; i++) in_int8 += q->layers[i].int8;
    printf("%s: %d of %d convolutions in 8 bits, range %s, drag error %.2f %% (at most %.3g %%), "
           "prediction error %.2f %%, on %s; %.0f s\n",
           a->output, in_int8, q->n_layers, q->range, 100 * q->drag_error, 100 * q->limit,
           100 * q->prediction_error, q->sample, seconds);
}

/* ---- the command ---- */

/* A share from percent. */
static gwf_status parse_limit(const char *text, double *limit, gwf_error *err)
{
    char *end = NULL;
    errno = 0;
    *limit = strtod(text, &end) / 100;
    if (end != text && !*end && !errno && *limit > 0 && *limit <= 1) return GWF_OK;
    return gwf_fail(err, GWF_ERR_ARGUMENT,
                    "option drag-error: expected percent, above 0 and at most 100, found %s", text);
}

/* What can be said before anything is read or computed. */
static gwf_status check_output(const arguments *a, gwf_error *err)
{
    gwf_part target = {0};
    if (gwf_part_replaces(a->output, a->model))
        return gwf_fail(err, GWF_ERR_ARGUMENT, "%s: is the model, it cannot be the output too",
                        a->output);
    const gwf_status status = gwf_part_open(a->output, a->overwrite, &target, err);
    gwf_part_free(&target);
    return status;
}

static gwf_status check_model(const arguments *a, const gwf_model *model, gwf_error *err)
{
    if (!model->int8.layers) return GWF_OK;
    return gwf_fail(err, GWF_ERR_ARGUMENT,
                    "%s: holds scales for precision int8 already (from %s); quantise takes the "
                    "model that gwflux import made",
                    a->model, model->int8.sample);
}

static gwf_status quantise(const arguments *a, gwf_options *options, const char *history,
                           gwf_error *err)
{
    const reanalysis_choice choice = {.inputs = a->inputs,
                                      .threads = a->threads ? a->threads : gwf_cores_here()};
    const double start = gwf_now();
    gwf_model model = {0};
    source from = {.windset = {.open_number = -1}};
    maps m = {0};
    double limit = 0;
    gwf_status status = GWF_OK;
    GWF_TRY(parse_limit(a->limit, &limit, err));
    GWF_TRY(check_output(a, err));
    GWF_TRY_DONE(gwf_model_read(a->model, &stderr_log, &model, err));
    GWF_TRY_DONE(check_model(a, &model, err));
    GWF_TRY_DONE(source_open(&from, &choice, &model, &stderr_log, err));
    GWF_TRY_DONE(read_maps(a, &from, &m, err));
    const gwf_sample sample = {m.name, m.n, (int)from.nlat, (int)from.nlon,
                               (const float *const *)m.features};
    GWF_TRY_DONE(gwf_quantise(&model, options, &sample, limit, &stderr_log, err));
    GWF_TRY_DONE(gwf_model_write(&model, a->output, history, a->overwrite, err));
    print_layers(&model, sample.nlat, sample.nlon);
    print_summary(a, &model, gwf_now() - start);
done:
    free_maps(&m);
    source_close(&from);
    gwf_model_free(&model);
    return status;
}

static int run(int argc, char **argv)
{
    arguments a = {0};
    gwf_error err = {0};
    char history[2048];
    gwf_options *options = gwf_options_create();
    a.inputs.items = calloc((size_t)argc, sizeof *a.inputs.items);
    gwf_status status = GWF_ERR_MEMORY;
    if (options && a.inputs.items)
        status = args_parse(&command_quantise, argc, argv, &a, NULL, &err);
    args_history(argc, argv, history, sizeof history);
    if (status == GWF_OK) {
        options->backend = a.backend;
        options->threads = a.threads;
        status = quantise(&a, options, history, &err);
    }
    free(a.inputs.items);
    gwf_options_free(&options);
    return report(status, &err);
}

const command command_quantise = {
    .name = "quantise",
    .summary = "make a model file for precision int8 from sample maps",
    .run = run,
    .table = table,
};
