#include "cli/bench_time.h"

#include <stdlib.h>

#include "core/clock.h"

/* Runs before those that count: what is loaded at first use is there, a device has recorded its
 * steps. */
enum { BEFORE = 3, APART = 10 };

/* ---- maps ---- */

/* Values of order 1, the same on every machine. */
static void fill(float *values, size_t n)
{
    unsigned long state = 1;
    for (size_t i = 0; i < n; i++) {
        state = state * 6364136223846793005UL + 1442695040888963407UL;
        values[i] = (float)(state >> 40) / 8388608.0f - 1.0f;
    }
}

/* The maps of a batch: one on the host for all, or each on the device. */
typedef struct bench_maps {
    size_t values_in, values_out; /* of a map */
    float *in, *out;              /* on the host; owned */
    void *device_in, *device_out; /* owned */
    const float *inputs[GWF_MAX_BATCH];
    float *outputs[GWF_MAX_BATCH];
} bench_maps;

static gwf_status make_maps(const gwf_engine *engine, bench_maps *m, gwf_error *err)
{
    const gwf_network *n = &engine->model.network;
    const size_t plane = (size_t)engine->nlat * (size_t)engine->nlon;
    *m = (bench_maps){.values_in = plane * (size_t)n->inputs,
                      .values_out = plane * (size_t)n->outputs};
    m->in = malloc(m->values_in * sizeof *m->in);
    m->out = malloc(m->values_out * sizeof *m->out);
    if (!m->in || !m->out) return gwf_fail(err, GWF_ERR_MEMORY, "no memory for a map");
    fill(m->in, m->values_in);
    for (int i = 0; i < engine->batch; i++) {
        m->inputs[i] = m->in;
        m->outputs[i] = m->out;
    }
    return GWF_OK;
}

static gwf_status move_to_device(const gwf_engine *engine, bench_maps *m, gwf_error *err)
{
    const gwf_device *device = engine->backend->device;
    const size_t batch = (size_t)engine->batch, size = sizeof(float);
    GWF_TRY(device->allocate(engine->context, batch * m->values_in * size, &m->device_in, err));
    GWF_TRY(device->allocate(engine->context, batch * m->values_out * size, &m->device_out, err));
    for (size_t i = 0; i < batch; i++) {
        float *in = (float *)m->device_in + i * m->values_in;
        GWF_TRY(device->copy(engine->context, in, m->in, m->values_in * size, err));
        m->inputs[i] = in;
        m->outputs[i] = (float *)m->device_out + i * m->values_out;
    }
    return GWF_OK;
}

static void free_maps(const gwf_engine *engine, bench_maps *m)
{
    const gwf_device *device = engine->backend->device;
    if (m->device_in) device->discard(engine->context, m->device_in);
    if (m->device_out) device->discard(engine->context, m->device_out);
    free(m->in);
    free(m->out);
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void sort(double *seconds, int n)
{
    qsort(seconds, (size_t)n, sizeof *seconds, ascending);
}

/* ---- call by call ---- */

/* seconds: NULL, or of runs that count. */
static gwf_status time_calls(gwf_engine *engine, const bench_maps *m, int runs, double *seconds,
                             gwf_error *err)
{
    for (int i = -BEFORE; i < runs; i++) {
        if (i == 0) gwf_plan_reset_times(engine->plan);
        const double start = gwf_now();
        GWF_TRY(gwf_engine_run(engine, engine->batch, m->inputs, m->outputs, err));
        if (i >= 0 && seconds) seconds[i] = (gwf_now() - start) / engine->batch;
    }
    return GWF_OK;
}

/* ---- through the lanes of a device ---- */

static gwf_status time_layers(gwf_engine *engine, const bench_maps *m, int runs, gwf_error *err)
{
    gwf_plan_run_apart(engine->plan, true);
    const gwf_status status = time_calls(engine, m, runs < APART ? runs : APART, NULL, err);
    gwf_plan_run_apart(engine->plan, false);
    return status;
}

/* All lanes under way: the time from one batch that is done to the next. */
static gwf_status time_stream(gwf_engine *engine, const bench_maps *m, int runs, double *seconds,
                              gwf_error *err)
{
    const int lanes = gwf_plan_lanes(engine->plan), first = -BEFORE - lanes;
    const gwf_maps maps = {.count = engine->batch, .inputs = m->inputs, .outputs = m->outputs};
    double last = gwf_now();
    unsigned seen = 0;
    gwf_status status = GWF_OK;
    for (int i = first; i < runs + lanes && status == GWF_OK; i++) {
        const int lane = (i - first) % lanes, done = i - lanes;
        if (done >= first) {
            status = gwf_plan_end(engine->plan, lane, &seen, err);
            const double now = gwf_now();
            if (done >= 0) seconds[done] = (now - last) / engine->batch;
            last = now;
        }
        if (i < runs && status == GWF_OK) status = gwf_plan_begin(engine->plan, lane, &maps, err);
    }
    return status;
}

/* With memory that need not be copied on its way, where it can be had. */
static gwf_status time_pinned(gwf_engine *engine, const bench_maps *m, int runs, double *seconds,
                              gwf_error *err)
{
    const gwf_device *device = engine->backend->device;
    const bool in = device->pin(engine->context, m->in, m->values_in * sizeof *m->in);
    const bool out = device->pin(engine->context, m->out, m->values_out * sizeof *m->out);
    const gwf_status status = time_stream(engine, m, runs, seconds, err);
    if (in) device->unpin(engine->context, m->in);
    if (out) device->unpin(engine->context, m->out);
    return status;
}

/* One batch at a time, by the device's clock. */
static gwf_status time_turns(gwf_engine *engine, const bench_maps *m, int runs, double *seconds,
                             gwf_error *err)
{
    const gwf_maps maps = {.count = engine->batch, .inputs = m->inputs, .outputs = m->outputs};
    const int lanes = gwf_plan_lanes(engine->plan);
    unsigned seen = 0;
    for (int i = -BEFORE; i < runs; i++) {
        const int lane = (i + BEFORE) % lanes;
        GWF_TRY(gwf_plan_begin(engine->plan, lane, &maps, err));
        GWF_TRY(gwf_plan_end(engine->plan, lane, &seen, err));
        if (i >= 0)
            seconds[i] = engine->backend->device->seconds(engine->context, NULL) / engine->batch;
    }
    return GWF_OK;
}

/* -------------------------------------------------------------------------------------------- */

gwf_status bench_time(gwf_engine *engine, int runs, double *seconds, gwf_error *err)
{
    bench_maps m;
    gwf_status status = make_maps(engine, &m, err);
    if (status == GWF_OK && gwf_plan_lanes(engine->plan) > 0) {
        status = time_layers(engine, &m, runs, err);
        if (status == GWF_OK) status = time_pinned(engine, &m, runs, seconds, err);
    } else if (status == GWF_OK) {
        status = time_calls(engine, &m, runs, seconds, err);
    }
    sort(seconds, runs);
    free_maps(engine, &m);
    return status;
}

gwf_status bench_time_resident(gwf_engine *engine, int runs, double *seconds, gwf_error *err)
{
    bench_maps m;
    if (gwf_plan_lanes(engine->plan) == 0)
        return gwf_fail(err, GWF_ERR_UNSUPPORTED,
                        "option resident: backend %s computes in the host's memory",
                        engine->backend->name);
    gwf_status status = make_maps(engine, &m, err);
    if (status == GWF_OK) status = time_layers(engine, &m, runs, err);
    if (status == GWF_OK) status = move_to_device(engine, &m, err);
    if (status == GWF_OK) status = time_turns(engine, &m, runs, seconds, err);
    sort(seconds, runs);
    free_maps(engine, &m);
    return status;
}
