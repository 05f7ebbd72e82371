#include "cli/stream.h"

#include <pthread.h>
#include <stdlib.h>

#include "core/clock.h"

enum { SLOTS = 3 };

typedef struct slot {
    float *features, *prediction, *flux; /* flux == prediction when only fluxes are written */
    double time;
} slot;

/* Steps [0, written) are in the file, [written, computed) wait to be written, [computed, read) to
 * be computed. `end` shrinks to the first step that failed. All but the slots' content under the
 * mutex. */
typedef struct ring {
    const stream *s;
    slot slots[SLOTS];
    size_t read, computed, written, end;
    bool stop; /* writing failed: nothing further makes sense */
    gwf_status status;
    gwf_error error;
    stream_times times;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
} ring;

/* Under the mutex: step `step` failed; everything before it is still to be finished. */
static void fail_step(ring *r, size_t step, gwf_status status, const gwf_error *err)
{
    if (step >= r->end) return;
    r->end = step;
    r->status = status;
    r->error = *err;
}

static void read_step(ring *r, size_t step)
{
    gwf_error err = {0};
    slot *at = &r->slots[step % SLOTS];
    const double start = gwf_now();
    const gwf_status status =
        series_read(r->s->input, r->s->first + step, at->features, &at->time, &err);
    pthread_mutex_lock(&r->mutex);
    r->times.reading += gwf_now() - start;
    if (status == GWF_OK)
        r->read = step + 1;
    else
        fail_step(r, step, status, &err);
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->mutex);
}

static void write_step(ring *r, size_t step)
{
    gwf_error err = {0};
    const slot *at = &r->slots[step % SLOTS];
    const gwf_engine *engine = r->s->engine;
    const size_t half =
        (size_t)engine->model.n_levels * (size_t)engine->nlat * (size_t)engine->nlon;
    const double start = gwf_now();
    gwf_engine_fluxes(engine, at->prediction, at->flux);
    gwf_status status = series_check(r->s->input, r->s->first + step, "flux", &engine->model.out,
                                     at->flux, at->time, &err);
    if (status == GWF_OK)
        status = gwf_flux_file_write(r->s->file, step, at->time, at->flux, at->flux + half,
                                     r->s->normalised ? at->prediction : NULL, &err);
    pthread_mutex_lock(&r->mutex);
    r->times.writing += gwf_now() - start;
    if (status == GWF_OK) {
        r->written = step + 1;
    } else {
        fail_step(r, step, status, &err);
        r->stop = true;
    }
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->mutex);
}

/* What is to be done with files next; under the mutex. Writing comes first: it frees slots. */
typedef enum task { READ, WRITE, WAIT, END } task;

static task next_task(const ring *r)
{
    if (r->stop || r->written >= r->end) return END;
    if (r->written < r->computed) return WRITE;
    if (r->read < r->end && r->read < r->written + SLOTS) return READ;
    return WAIT;
}

/* All NetCDF work, until every step is written or nothing further can be. */
static void work_on_files(ring *r)
{
    for (;;) {
        pthread_mutex_lock(&r->mutex);
        task what;
        while ((what = next_task(r)) == WAIT) pthread_cond_wait(&r->changed, &r->mutex);
        const size_t to_read = r->read, to_write = r->written;
        pthread_mutex_unlock(&r->mutex);
        if (what == END) return;
        if (what == WRITE) write_step(r, to_write);
        if (what == READ) read_step(r, to_read);
    }
}

/* Under the mutex: no step after those that are computed. */
static void heed_stop(ring *r)
{
    gwf_error err = {0};
    if (!r->s->stop || !*r->s->stop) return;
    gwf_fail(&err, GWF_ERR_STOPPED, "stopped after %zu of %zu steps", r->computed, r->s->steps);
    fail_step(r, r->computed, GWF_ERR_STOPPED, &err);
    pthread_cond_broadcast(&r->changed);
}

/* Wait for the next step to compute; false when there is none. */
static bool await_step(ring *r, size_t *step)
{
    pthread_mutex_lock(&r->mutex);
    while (!r->stop && r->computed < r->end && r->computed == r->read)
        pthread_cond_wait(&r->changed, &r->mutex);
    heed_stop(r);
    *step = r->computed;
    const bool more = !r->stop && r->computed < r->end;
    pthread_mutex_unlock(&r->mutex);
    return more;
}

static void compute_step(ring *r, size_t step)
{
    gwf_error err = {0};
    slot *at = &r->slots[step % SLOTS];
    const double start = gwf_now();
    const gwf_status status = gwf_plan_run(r->s->engine->plan, at->features, at->prediction, &err);
    pthread_mutex_lock(&r->mutex);
    r->times.computing += gwf_now() - start;
    if (status == GWF_OK)
        r->computed = step + 1;
    else
        fail_step(r, step, status, &err);
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->mutex);
}

static gwf_status allocate_slots(ring *r, gwf_error *err)
{
    const gwf_engine *engine = r->s->engine;
    const size_t plane = (size_t)engine->nlat * (size_t)engine->nlon * sizeof(float);
    for (int i = 0; i < SLOTS; i++) {
        slot *at = &r->slots[i];
        at->features = malloc(plane * (size_t)engine->model.in.count);
        at->prediction = malloc(plane * (size_t)engine->model.out.count);
        at->flux =
            r->s->normalised ? malloc(plane * (size_t)engine->model.out.count) : at->prediction;
        if (!at->features || !at->prediction || !at->flux)
            return gwf_fail(err, GWF_ERR_MEMORY, "no memory for %d steps at a time", SLOTS);
    }
    return GWF_OK;
}

static void free_slots(ring *r)
{
    for (int i = 0; i < SLOTS; i++) {
        slot *at = &r->slots[i];
        free(at->features);
        if (at->flux != at->prediction) free(at->flux);
        free(at->prediction);
    }
}

static void *compute_thread(void *argument)
{
    ring *r = argument;
    size_t step = 0;
    while (await_step(r, &step)) {
        compute_step(r, step);
        if (r->s->progress) r->s->progress(r->s->user, step + 1, r->s->steps);
    }
    return NULL;
}

static gwf_status run_threads(ring *r, gwf_error *err)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, compute_thread, r) != 0)
        return gwf_fail(err, GWF_ERR_MEMORY, "cannot start the thread that computes");
    work_on_files(r);
    pthread_join(thread, NULL);
    if (r->status != GWF_OK && err) *err = r->error;
    return r->status;
}

gwf_status stream_run(const stream *s, stream_times *times, gwf_error *err)
{
    ring r = {.s = s, .end = s->steps};
    const double start = gwf_now();
    pthread_mutex_init(&r.mutex, NULL);
    pthread_cond_init(&r.changed, NULL);
    gwf_status status = allocate_slots(&r, err);
    if (status == GWF_OK) status = run_threads(&r, err);
    free_slots(&r);
    pthread_cond_destroy(&r.changed);
    pthread_mutex_destroy(&r.mutex);
    *times = r.times;
    times->written = r.written;
    times->total = gwf_now() - start;
    return status;
}
