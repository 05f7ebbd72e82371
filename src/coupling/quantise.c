#include "coupling/quantise.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "coupling/standard_drag.h"
#include "engine/calibration.h"
#include "engine/plan.h"

/* The convolutions that read one map: in 8 bits together or not at all. */
typedef struct group {
    int map;
    double macs; /* of a map of the sample */
    double loss; /* square of the drag error alone, less what there is without 8 bits */
} group;

typedef struct errors {
    double drag, prediction;
} errors;

typedef struct quantiser {
    const gwf_model *model;
    const gwf_options *options;
    const gwf_sample *sample;
    const gwf_log *log;
    const char *backend; /* name of the one that has int8 */
    gwf_standard_drag *drag;
    size_t outputs;           /* values of a prediction */
    float *truth, *true_drag; /* (maps, outputs) */
    float *values, *tendency; /* (outputs), of a map in 8 bits */
    group *groups;            /* those that may be in 8 bits; worst for their work first */
    int n_groups;
} quantiser;

/* ---- running ---- */

/* A network on a backend, for one map at a time. */
typedef struct running {
    const gwf_backend *backend;
    gwf_context *context;
    gwf_plan *plan;
} running;

static gwf_status start(const quantiser *z, gwf_precision precision, const gwf_quantised *q,
                        running *r, gwf_error *err)
{
    gwf_backend_config config = gwf_backend_configure(z->options, z->log);
    config.precision = precision;
    config.tune = false; /* the answer is not to depend on who else was busy */
    config.cache = NULL;
    GWF_TRY(gwf_backend_open(z->backend, &config, &r->backend, &r->context, err));
    const gwf_site site = {r->backend, r->context, z->sample->nlat, z->sample->nlon, NULL, q};
    return gwf_plan_create(&z->model->network, &site, &r->plan, err);
}

static gwf_status run_map(const running *r, const float *features, float *prediction,
                          gwf_error *err)
{
    return gwf_plan_run(r->plan, 1, &features, &prediction, err);
}

static void end(running *r)
{
    gwf_plan_free(&r->plan);
    if (r->context) r->backend->close(r->context);
}

/* Everything in fp32: what is true, and what values are like. */
static gwf_status watch(quantiser *z, gwf_calibration *c, gwf_error *err)
{
    running r = {0};
    gwf_status status = GWF_OK;
    const size_t points = (size_t)z->sample->nlat * (size_t)z->sample->nlon;
    GWF_TRY_DONE(start(z, GWF_FP32, NULL, &r, err));
    GWF_TRY_DONE(gwf_plan_set_tap(r.plan, gwf_calibration_tap, c, err));
    for (int i = 0; i < z->sample->maps; i++) {
        float *truth = z->truth + z->outputs * (size_t)i;
        gwf_calibration_begin(c, z->sample->features[i], points);
        GWF_TRY_DONE(run_map(&r, z->sample->features[i], truth, err));
        gwf_standard_drag_of(z->drag, truth, z->true_drag + z->outputs * (size_t)i);
    }
done:
    end(&r);
    return status;
}

typedef struct distance {
    double difference, norm;
} distance;

static void add_distance(distance *d, const float *x, const float *truth, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const double off = (double)x[i] - truth[i];
        d->difference += off * off;
        d->norm += (double)truth[i] * truth[i];
    }
}

/* How far the sample's maps are from the truth with this choice. */
static gwf_status measure(quantiser *z, const gwf_quantised *q, errors *e, gwf_error *err)
{
    running r = {0};
    gwf_status status = GWF_OK;
    distance drag = {0}, prediction = {0};
    GWF_TRY_DONE(start(z, GWF_INT8, q, &r, err));
    for (int i = 0; i < z->sample->maps; i++) {
        const size_t at = z->outputs * (size_t)i;
        GWF_TRY_DONE(run_map(&r, z->sample->features[i], z->values, err));
        gwf_standard_drag_of(z->drag, z->values, z->tendency);
        add_distance(&prediction, z->values, z->truth + at, z->outputs);
        add_distance(&drag, z->tendency, z->true_drag + at, z->outputs);
    }
    *e = (errors){sqrt(drag.difference / drag.norm), sqrt(prediction.difference / prediction.norm)};
    if (!isfinite(e->drag) || !isfinite(e->prediction))
        status = gwf_fail(err, GWF_ERR_DATA,
                          "%s: the drag of these maps is %s, no error can be measured on them",
                          z->sample->name, drag.norm > 0 ? "not finite" : "zero");
done:
    end(&r);
    return status;
}

/* ---- groups ---- */

static void switch_group(const quantiser *z, const group *g, bool on, gwf_quantised *q)
{
    const gwf_network *n = &z->model->network;
    for (int i = 0; i < n->n_layers; i++) {
        const gwf_layer *layer = &n->layers[i];
        if (layer->kernel && gwf_map_read_by(n, layer) == g->map)
            gwf_quantised_find(q, layer->name)->int8 = on;
    }
}

static void switch_all(const quantiser *z, bool on, gwf_quantised *q)
{
    for (int i = 0; i < z->n_groups; i++) switch_group(z, &z->groups[i], on, q);
}

static void add_to_group(quantiser *z, const gwf_layer *layer)
{
    const gwf_network *n = &z->model->network;
    const int map = gwf_map_read_by(n, layer);
    int i = 0;
    while (i < z->n_groups && z->groups[i].map != map) i++;
    if (i == z->n_groups) z->groups[z->n_groups++] = (group){.map = map};
    z->groups[i].macs += gwf_layer_macs(n, layer, z->sample->nlat, z->sample->nlon);
}

/* Does any convolution of the map add more products than 8 bits allow? */
static bool too_large(const gwf_network *n, int map)
{
    for (int i = 0; i < n->n_layers; i++) {
        const gwf_layer *layer = &n->layers[i];
        const int taps = layer->kernel * layer->kernel;
        if (layer->kernel && gwf_map_read_by(n, layer) == map &&
            gwf_slice_channels(n, layer->in) > GWF_INT8_PRODUCTS / taps)
            return true;
    }
    return false;
}

static gwf_status find_groups(quantiser *z, gwf_error *err)
{
    const gwf_network *n = &z->model->network;
    z->groups = calloc((size_t)n->n_layers, sizeof *z->groups);
    if (!z->groups) return gwf_fail(err, GWF_ERR_MEMORY, "no memory to quantise");
    for (int i = 0; i < n->n_layers; i++) {
        const gwf_layer *layer = &n->layers[i];
        if (layer->kernel && !too_large(n, gwf_map_read_by(n, layer))) add_to_group(z, layer);
    }
    return GWF_OK;
}

/* More loss for the work that is saved goes first. */
static int worst_first(const void *a, const void *b)
{
    const group *x = a, *y = b;
    const double left = x->loss / x->macs, right = y->loss / y->macs;
    return (left < right) - (left > right);
}

/* What a group's convolutions say. */
static void note_error(const quantiser *z, const group *g, double error, gwf_quantised *q)
{
    const gwf_network *n = &z->model->network;
    for (int i = 0; i < n->n_layers; i++) {
        const gwf_layer *layer = &n->layers[i];
        if (!layer->kernel || gwf_map_read_by(n, layer) != g->map) continue;
        gwf_quantised_find(q, layer->name)->drag_error = error;
        gwf_log_line(z->log, "%s alone: drag error %.3f %%", layer->name, 100 * error);
    }
}

/* Nothing in 8 bits, then each map's convolutions alone. */
static gwf_status measure_groups(quantiser *z, gwf_quantised *q, gwf_error *err)
{
    errors none = {0}, e = {0};
    switch_all(z, false, q);
    GWF_TRY(measure(z, q, &none, err));
    gwf_log_line(z->log, "nothing in 8 bits: drag error %.3f %%", 100 * none.drag);
    for (int g = 0; g < z->n_groups; g++) {
        switch_all(z, false, q);
        switch_group(z, &z->groups[g], true, q);
        GWF_TRY(measure(z, q, &e, err));
        z->groups[g].loss = fmax(0, e.drag * e.drag - none.drag * none.drag);
        note_error(z, &z->groups[g], e.drag, q);
    }
    qsort(z->groups, (size_t)z->n_groups, sizeof *z->groups, worst_first);
    return GWF_OK;
}

/* ---- choosing ---- */

typedef struct range {
    double share;
    const char *name;
} range;

static const range ranges[] = {{1, "absolute maximum"}, {0.9999, "99.99 % of absolute values"}};

static gwf_status try_range(quantiser *z, const gwf_calibration *c, const range *r,
                            gwf_quantised *q, errors *e, gwf_error *err)
{
    gwf_calibration_scales(c, r->share, q);
    switch_all(z, true, q);
    GWF_TRY(measure(z, q, e, err));
    gwf_log_line(z->log, "all in 8 bits, range %s: drag error %.3f %%, prediction error %.3f %%",
                 r->name, 100 * e->drag, 100 * e->prediction);
    return GWF_OK;
}

/* The better range's scales are in the list afterwards. */
static gwf_status choose_range(quantiser *z, const gwf_calibration *c, gwf_quantised *q,
                               gwf_error *err)
{
    errors e[2];
    for (int i = 0; i < 2; i++) GWF_TRY(try_range(z, c, &ranges[i], q, &e[i], err));
    const range *best = &ranges[e[1].drag < e[0].drag];
    gwf_calibration_scales(c, best->share, q);
    snprintf(q->range, sizeof q->range, "%s", best->name);
    return GWF_OK;
}

static gwf_status keep_limit(quantiser *z, gwf_quantised *q, gwf_error *err)
{
    errors e = {0};
    switch_all(z, true, q);
    GWF_TRY(measure(z, q, &e, err));
    for (int g = 0; g < z->n_groups && e.drag > q->limit; g++) {
        switch_group(z, &z->groups[g], false, q);
        GWF_TRY(measure(z, q, &e, err));
        gwf_log_line(z->log, "%d of %d inputs in higher precision: drag error %.3f %%", g + 1,
                     z->n_groups, 100 * e.drag);
    }
    if (e.drag > q->limit)
        return gwf_fail(err, GWF_ERR_DATA,
                        "the drag error is %.3f %% with every layer in higher precision, at most "
                        "%.3f %% is allowed",
                        100 * e.drag, 100 * q->limit);
    q->drag_error = e.drag;
    q->prediction_error = e.prediction;
    return GWF_OK;
}

static gwf_status choose(quantiser *z, gwf_quantised *q, gwf_error *err)
{
    gwf_calibration *c = NULL;
    gwf_status status = GWF_OK;
    GWF_TRY_DONE(gwf_calibration_create(&z->model->network, &c, err));
    GWF_TRY_DONE(watch(z, c, err));
    GWF_TRY_DONE(find_groups(z, err));
    GWF_TRY_DONE(choose_range(z, c, q, err));
    GWF_TRY_DONE(measure_groups(z, q, err));
    GWF_TRY_DONE(keep_limit(z, q, err));
done:
    gwf_calibration_free(&c);
    return status;
}

/* ---- all of it ---- */

/* The backend that is asked for, if it has int8; for "auto" the first that has it. */
static gwf_status find_backend(quantiser *z, gwf_error *err)
{
    const gwf_backend *backend = NULL;
    gwf_context *context = NULL;
    gwf_backend_config config = gwf_backend_configure(z->options, z->log);
    config.precision = GWF_INT8;
    GWF_TRY(gwf_backend_open(z->options->backend, &config, &backend, &context, err));
    gwf_log_line(z->log, "backend %s: %s, %s", backend->name, backend->describe(context),
                 backend->precision(context));
    z->backend = backend->name;
    backend->close(context);
    return GWF_OK;
}

static gwf_status allocate(quantiser *z, gwf_error *err)
{
    const int points = z->sample->nlat * z->sample->nlon;
    z->outputs = (size_t)z->model->out.count * (size_t)points;
    GWF_TRY(gwf_standard_drag_create(z->model, points, &z->drag, err));
    z->truth = malloc((size_t)z->sample->maps * z->outputs * sizeof *z->truth);
    z->true_drag = malloc((size_t)z->sample->maps * z->outputs * sizeof *z->true_drag);
    z->values = malloc(z->outputs * sizeof *z->values);
    z->tendency = malloc(z->outputs * sizeof *z->tendency);
    if (z->truth && z->true_drag && z->values && z->tendency) return GWF_OK;
    return gwf_fail(err, GWF_ERR_MEMORY, "no memory for %d maps", z->sample->maps);
}

static void free_quantiser(quantiser *z)
{
    gwf_standard_drag_free(&z->drag);
    free(z->truth);
    free(z->true_drag);
    free(z->values);
    free(z->tendency);
    free(z->groups);
}

gwf_status gwf_quantise(gwf_model *model, const gwf_options *options, const gwf_sample *sample,
                        double limit, const gwf_log *log, gwf_error *err)
{
    quantiser z = {.model = model, .options = options, .sample = sample, .log = log};
    gwf_quantised q = {0};
    gwf_status status = GWF_OK;
    GWF_TRY_DONE(find_backend(&z, err));
    GWF_TRY_DONE(allocate(&z, err));
    GWF_TRY_DONE(gwf_quantised_create(&model->network, &q, err));
    q.limit = limit;
    q.maps = sample->maps;
    snprintf(q.sample, sizeof q.sample, "%s", sample->name);
    GWF_TRY_DONE(choose(&z, &q, err));
    GWF_TRY_DONE(gwf_quantised_check(&model->network, &q, err));
    model->int8 = q;
    q = (gwf_quantised){0};
done:
    gwf_quantised_free(&q);
    free_quantiser(&z);
    return status;
}
