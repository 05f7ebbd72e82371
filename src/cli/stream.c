#include "cli/stream.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include "core/clock.h"

enum { NAP = 1000000 /* ns: how often other ranks are looked after */ };

typedef struct slot {
    size_t step; /* of the output */
    source_step in;
    float *prediction, *flux; /* the same memory where nobody asks for the prediction */
} slot;

/* Turns are counted as this rank takes them; turn n uses slot n % n_slots. Turns [0, written) are
 * with the output, [written, computed) wait for that, [computed, read) are to be computed. `end`
 * shrinks to the first that failed, or that there is no more. All but the slots' content under the
 * mutex. */
typedef struct ring {
    const stream *s;
    slot *slots;           /* owned */
    size_t n_slots, batch; /* two batches, and one more that is read or written */
    bool late;             /* source_end() is left to the thread that computes, and its helpers */
    size_t read, computed, written, end;
    size_t given;     /* rank 0: numbers that all ranks have got */
    bool stop;        /* writing failed: nothing further makes sense */
    bool heeded;      /* a request to stop: nothing is begun any more */
    size_t computing; /* turns from `computed` on are being computed */
    gwf_status status;
    gwf_error error;
    stream_times times;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
} ring;

/* Under the mutex: turn `turn` failed; everything before it is still to be finished. */
static void fail_turn(ring *r, size_t turn, gwf_status status, const gwf_error *err)
{
    if (turn >= r->end) return;
    r->end = turn;
    r->status = status;
    r->error = *err;
    pthread_cond_broadcast(&r->changed);
}

static void end_turns(ring *r, size_t turn, gwf_status status, const gwf_error *err)
{
    pthread_mutex_lock(&r->mutex);
    if (status != GWF_OK) fail_turn(r, turn, status, err);
    if (turn < r->end) r->end = turn;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->mutex);
}

static slot *slot_of(const ring *r, size_t turn)
{
    return &r->slots[turn % r->n_slots];
}

static void read_step(ring *r, size_t turn, size_t step)
{
    gwf_error err = {0};
    const stream *s = r->s;
    slot *at = slot_of(r, turn);
    const double start = gwf_now();
    at->step = step;
    gwf_status status = source_begin(s->input, s->first + step, &at->in, &err);
    if (status == GWF_OK && !r->late) status = source_end(s->input, &at->in, s->threads, &err);
    pthread_mutex_lock(&r->mutex);
    r->times.reading += gwf_now() - start;
    if (status == GWF_OK) {
        r->read = turn + 1;
        r->given = gwf_queue_given(r->s->queue);
    } else {
        fail_turn(r, turn, status, &err);
    }
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->mutex);
}

static gwf_status put_step(const stream *s, const slot *at, gwf_error *err)
{
    const stream_step step = {.step = at->step,
                              .time = at->in.in.time,
                              .features = at->in.in.features,
                              .outside = at->in.outside,
                              .pressure = at->in.pressure,
                              .flux = at->flux,
                              .prediction = s->keeps_prediction ? at->prediction : NULL};
    return s->put(s->user, &step, err);
}

static void write_step(ring *r, size_t turn)
{
    gwf_error err = {0};
    const double start = gwf_now();
    const gwf_status status = put_step(r->s, slot_of(r, turn), &err);
    pthread_mutex_lock(&r->mutex);
    r->times.writing += gwf_now() - start;
    if (status == GWF_OK) {
        r->written = turn + 1;
    } else {
        fail_turn(r, turn, status, &err);
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
    if (r->read < r->end && r->read < r->written + r->n_slots) return READ;
    return WAIT;
}

/* Other ranks are served every so often: a rank alone need not wake up for that. */
static void wait_for_change(ring *r)
{
    struct timespec until;
    if (gwf_comm_size(r->s->output->leaders) == 1) {
        pthread_cond_wait(&r->changed, &r->mutex);
        return;
    }
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += NAP;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&r->changed, &r->mutex, &until);
}

/* What other leaders want: results written, numbers handed out. A failure here ends this rank. */
static void serve(ring *r, bool *all_left)
{
    gwf_error err = {0};
    gwf_error later = {0};
    gwf_status status = sink_serve(r->s->output, &err);
    const gwf_status served =
        gwf_queue_serve(r->s->queue, all_left, status == GWF_OK ? &err : &later);
    if (status == GWF_OK) status = served;
    if (status == GWF_OK) return;
    pthread_mutex_lock(&r->mutex);
    if (r->status == GWF_OK) r->end = SIZE_MAX; /* it counts after the last turn too */
    fail_turn(r, r->written, status, &err);
    pthread_mutex_unlock(&r->mutex);
}

/* The next step of the queue, if there is one now. */
static void take_turn(ring *r, size_t turn)
{
    gwf_error err = {0};
    gwf_turn answer = GWF_TURN_END;
    size_t number = 0;
    const gwf_status status = gwf_queue_next(r->s->queue, &answer, &number, &err);
    if (status == GWF_OK && answer == GWF_TURN_TAKE) {
        read_step(r, turn, r->s->pending[number]);
    } else if (status != GWF_OK || answer == GWF_TURN_END) {
        end_turns(r, turn, status, &err);
    } else {
        pthread_mutex_lock(&r->mutex);
        wait_for_change(r);
        pthread_mutex_unlock(&r->mutex);
    }
}

/* Under the mutex: no turn after those that are computed. */
static void heed_stop(ring *r)
{
    if (!r->s->stop || !*r->s->stop || r->heeded) return;
    r->heeded = true;
    const size_t end = r->computed + r->computing; /* what is begun is finished */
    if (end < r->end) r->end = end;
    pthread_cond_broadcast(&r->changed);
}

/* All work with files and other ranks, until every step is written or nothing further can be. */
static void work_on_files(ring *r)
{
    for (;;) {
        bool all_left;
        serve(r, &all_left);
        pthread_mutex_lock(&r->mutex);
        task what = next_task(r);
        if (what == WAIT) wait_for_change(r);
        heed_stop(r);
        what = next_task(r);
        const size_t to_read = r->read, to_write = r->written;
        const bool ends = r->status != GWF_OK || r->heeded;
        pthread_mutex_unlock(&r->mutex);
        if (ends) gwf_queue_stop(r->s->queue, NULL);
        if (what == END) return;
        if (what == WRITE) write_step(r, to_write);
        if (what == READ) take_turn(r, to_read);
    }
}

/* This rank is through; rank 0 stays until the others are. A number that rank 0 has promised us and
 * that we did not take is nobody's: only after a failure. */
static void leave(ring *r)
{
    const struct timespec nap = {0, NAP};
    gwf_turn turn = GWF_TURN_WAIT;
    size_t number;
    bool all_left = false;
    while (turn != GWF_TURN_END) {
        if (gwf_queue_next(r->s->queue, &turn, &number, NULL) != GWF_OK) break;
        if (turn == GWF_TURN_WAIT) nanosleep(&nap, NULL);
    }
    gwf_queue_leave(r->s->queue, NULL);
    if (gwf_comm_rank(r->s->output->leaders) != 0) return;
    while (!all_left) {
        serve(r, &all_left);
        if (!all_left) nanosleep(&nap, NULL);
    }
    serve(r, &all_left); /* what was sent before the last one left */
}

/* --- computing ------------------------------------------------------------------------------ */

/* Under the mutex: turns of the next batch. */
static size_t next_batch(const ring *r)
{
    const size_t left = r->computed < r->end ? r->end - r->computed : 0;
    return left < r->batch ? left : r->batch;
}

/* Wait for the next turns to compute; 0 when there are none. */
static size_t await_turns(ring *r, size_t *turn)
{
    pthread_mutex_lock(&r->mutex);
    while (!r->stop && r->read - r->computed < next_batch(r))
        pthread_cond_wait(&r->changed, &r->mutex);
    heed_stop(r);
    *turn = r->computed;
    r->computing = r->stop ? 0 : next_batch(r);
    const size_t count = r->computing;
    pthread_mutex_unlock(&r->mutex);
    return count;
}

/* Turns that failed end the run, those before them go on: how many there are left. */
static size_t cut(ring *r, size_t turn, size_t count, gwf_status status, const gwf_error *err)
{
    if (status != GWF_OK) {
        pthread_mutex_lock(&r->mutex);
        fail_turn(r, turn + count, status, err);
        pthread_mutex_unlock(&r->mutex);
    }
    return count;
}

/* What reading left to this thread; turns that are whole now. */
static size_t end_reading(ring *r, size_t turn, size_t count)
{
    gwf_error err = {0};
    gwf_status status = GWF_OK;
    size_t i = 0;
    for (; r->late && i < count; i++) {
        status = source_end(r->s->input, &slot_of(r, turn + i)->in, r->s->threads, &err);
        if (status != GWF_OK) break;
    }
    return cut(r, turn, r->late ? i : count, status, &err);
}

static size_t run_network(ring *r, size_t turn, size_t count)
{
    gwf_error err = {0};
    const float *features[GWF_MAX_BATCH];
    float *predictions[GWF_MAX_BATCH];
    if (count == 0) return 0;
    for (size_t i = 0; i < count; i++) {
        features[i] = slot_of(r, turn + i)->in.in.features;
        predictions[i] = slot_of(r, turn + i)->prediction;
    }
    const gwf_status status = gwf_engine_run(r->s->engine, (int)count, features, predictions, &err);
    return cut(r, turn, status == GWF_OK ? count : 0, status, &err);
}

static size_t make_fluxes(ring *r, size_t turn, size_t count)
{
    gwf_error err = {0};
    gwf_status status = GWF_OK;
    const stream *s = r->s;
    size_t i = 0;
    for (; i < count; i++) {
        slot *at = slot_of(r, turn + i);
        if (gwf_engine_fluxes(s->engine, at->prediction, at->flux)) continue;
        status = source_check(s->input, s->first + at->step, "flux", &s->engine->model.out,
                              at->flux, at->in.in.time, &err);
        if (status != GWF_OK) break;
    }
    return cut(r, turn, i, status, &err);
}

static void compute_turns(ring *r, size_t turn, size_t count)
{
    const double start = gwf_now();
    size_t n = end_reading(r, turn, count);
    const double read = gwf_now();
    if (r->s->engine) n = run_network(r, turn, n);
    if (r->s->engine) n = make_fluxes(r, turn, n);
    pthread_mutex_lock(&r->mutex);
    r->times.reading += read - start;
    r->times.computing += gwf_now() - read;
    r->computing = 0;
    r->computed = turn + n;
    const size_t ahead = r->read - r->computed;
    const size_t done = r->given > ahead ? r->given - ahead : 0;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->mutex);
    if (n > 0 && r->s->progress) r->s->progress(r->s->user, done);
}

static void *compute_thread(void *argument)
{
    ring *r = argument;
    size_t turn = 0;
    for (size_t count; (count = await_turns(r, &turn)) > 0;) compute_turns(r, turn, count);
    return NULL;
}

/* --- all of it ------------------------------------------------------------------------------ */

static gwf_status allocate_slot(const stream *s, slot *at, gwf_error *err)
{
    const size_t map = s->input->nlat * s->input->nlon * (size_t)s->model->out.count;
    GWF_TRY(source_step_create(s->input, &at->in, err));
    if (!s->engine) return GWF_OK;
    at->prediction = malloc(map * sizeof *at->prediction);
    at->flux = s->keeps_prediction ? malloc(map * sizeof *at->flux) : at->prediction;
    if (at->prediction && at->flux) return GWF_OK;
    return gwf_fail(err, GWF_ERR_MEMORY, "no memory for the prediction of a step");
}

static gwf_status allocate_slots(ring *r, gwf_error *err)
{
    const gwf_engine *engine = r->s->engine;
    r->batch = engine ? (size_t)engine->batch : 1;
    r->late = engine && !engine->backend->device;
    r->n_slots = 2 * r->batch + 1;
    r->slots = calloc(r->n_slots, sizeof *r->slots);
    if (!r->slots) return gwf_fail(err, GWF_ERR_MEMORY, "no memory for %zu steps", r->n_slots);
    for (size_t i = 0; i < r->n_slots; i++) GWF_TRY(allocate_slot(r->s, &r->slots[i], err));
    return GWF_OK;
}

static void free_slots(ring *r)
{
    for (size_t i = 0; r->slots && i < r->n_slots; i++) {
        slot *at = &r->slots[i];
        source_step_free(&at->in);
        if (at->flux != at->prediction) free(at->flux);
        free(at->prediction);
    }
    free(r->slots);
}

static void run_threads(ring *r)
{
    pthread_t thread;
    gwf_error err = {0};
    if (pthread_create(&thread, NULL, compute_thread, r) != 0) {
        gwf_fail(&err, GWF_ERR_MEMORY, "cannot start the thread that computes");
        fail_turn(r, 0, GWF_ERR_MEMORY, &err);
        return;
    }
    work_on_files(r);
    pthread_join(thread, NULL);
}

/* Collective. A request to stop that came when all was done changes nothing. */
static void conclude(ring *r)
{
    double written = (double)r->written;
    const gwf_status summed = gwf_comm_sum(r->s->output->leaders, &written, 1, NULL);
    if (r->status != GWF_OK || !r->heeded) return;
    if (summed == GWF_OK && written >= (double)r->s->steps) return;
    r->status = gwf_fail(&r->error, GWF_ERR_STOPPED, "stopped on request");
}

gwf_status stream_run(const stream *s, stream_times *times, gwf_error *err)
{
    ring r = {.s = s, .end = SIZE_MAX};
    gwf_error failure = {0};
    const double start = gwf_now();
    pthread_mutex_init(&r.mutex, NULL);
    pthread_cond_init(&r.changed, NULL);
    const gwf_status ready = allocate_slots(&r, &failure);
    if (ready == GWF_OK)
        run_threads(&r);
    else
        fail_turn(&r, 0, ready, &failure);
    if (r.status != GWF_OK) gwf_queue_stop(s->queue, NULL);
    leave(&r);
    conclude(&r);
    free_slots(&r);
    pthread_cond_destroy(&r.changed);
    pthread_mutex_destroy(&r.mutex);
    *times = r.times;
    times->steps = r.written;
    times->total = gwf_now() - start;
    if (r.status != GWF_OK && err) *err = r.error;
    return r.status;
}
