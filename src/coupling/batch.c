#include "coupling/batch.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "backend/tune.h"
#include "core/clock.h"

enum { MOST_WAYS = 8 };

/* More maps at once need more memory: each larger batch has to be worth it. */
static const double worth = 1.03;

typedef struct batches {
    const gwf_network *network;
    const gwf_site *site;
    const gwf_backend_config *config;
    char names[MOST_WAYS][8];
} batches;

static const char *name_of(void *user, int way)
{
    batches *b = user;
    snprintf(b->names[way], sizeof b->names[way], "%d", b->site->backend->batches[way]);
    return b->names[way];
}

/* A plan with maps to run: all read the same, all write to the same place. */
typedef struct rehearsal {
    gwf_plan *plan;
    int count;
    const float *inputs[GWF_MAX_BATCH];
    float *outputs[GWF_MAX_BATCH];
} rehearsal;

/* Seconds of a map. */
static gwf_status run_once(void *user, double *seconds, gwf_error *err)
{
    const rehearsal *r = user;
    const double start = gwf_now();
    GWF_TRY(gwf_plan_run(r->plan, r->count, r->inputs, r->outputs, err));
    *seconds = (gwf_now() - start) / r->count;
    return GWF_OK;
}

/* After a run that warms up. */
static gwf_status rehearse(rehearsal *r, const batches *b, double *seconds, gwf_error *err)
{
    const size_t points = (size_t)b->site->nlat * (size_t)b->site->nlon;
    float *input = calloc(points * (size_t)b->network->inputs, sizeof *input);
    float *output = calloc(points * (size_t)b->network->outputs, sizeof *output);
    const gwf_stopwatch watch = {run_once, r, HUGE_VAL};
    gwf_status status = GWF_OK;
    if (!input || !output) {
        status = gwf_fail(err, GWF_ERR_MEMORY, "no memory for a map");
        goto done;
    }
    for (int i = 0; i < r->count; i++) {
        r->inputs[i] = input;
        r->outputs[i] = output;
    }
    GWF_TRY_DONE(run_once(r, seconds, err));
    GWF_TRY_DONE(gwf_fastest_run(&watch, seconds, err));
done:
    free(input);
    free(output);
    return status;
}

static gwf_status time_batch(void *user, int way, double *seconds, gwf_error *err)
{
    const batches *b = user;
    const gwf_backend *backend = b->site->backend;
    gwf_backend_config config = *b->config;
    gwf_site site = *b->site;
    rehearsal r = {.count = backend->batches[way]};
    config.batch = r.count;
    GWF_TRY(backend->open(&config, &site.context, err));
    gwf_status status = gwf_plan_create(b->network, &site, &r.plan, err);
    if (status == GWF_OK) status = rehearse(&r, b, seconds, err);
    if (status == GWF_OK) *seconds *= pow(worth, way);
    gwf_plan_free(&r.plan);
    backend->close(site.context);
    return status;
}

int gwf_best_batch(const gwf_network *network, const gwf_site *site,
                   const gwf_backend_config *config)
{
    const gwf_backend *backend = site->backend;
    const gwf_network *n = network;
    batches b = {network, site, config, {{0}}};
    char key[1024];
    int ways = 0;
    while (ways < MOST_WAYS && backend->batches[ways]) ways++;
    snprintf(key, sizeof key, "batch; %s; %s; %s; %s (widths %s), %d -> %d channels, %d x %d, %s",
             backend->name, backend->describe(site->context), backend->precision(site->context),
             n->architecture, n->widths, n->inputs, n->outputs, site->nlat, site->nlon,
             n->wraps ? "periodic" : "zero padding");
    const gwf_contest contest = {key, ways, name_of, time_batch, &b};
    return backend->batches[gwf_fastest_way(config, &contest)];
}
