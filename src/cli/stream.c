#include "cli/stream.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/clock.h"

enum { SLOTS = 3, NAP = 1000000 /* ns: how often other ranks are looked after */ };

typedef struct slot {
    float *features, *prediction, *pressure; /* as in stream_step */
    long *outside;
    size_t step; /* of the output */
    double time;
} slot;

/* Turns are counted as this rank takes them; turn n uses slot n % SLOTS. Turns [0, written) are
 * with the output, [written, computed) wait for that, [computed, read) are to be computed. `end`
 * shrinks to the first that failed, or that there is no more. All but the slots' content under the
 * mutex. */
typedef struct ring {
    const stream *s;
    slot slots[SLOTS];
    size_t read, computed, written, end;
    size_t given;   /* rank 0: numbers that all ranks have got */
    bool stop;      /* writing failed: nothing further makes sense */
    bool heeded;    /* a request to stop: nothing is begun any more */
    bool computing; /* turn `computed` is being computed */
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

static void read_step(ring *r, size_t turn, size_t step)
{
    gwf_error err = {0};
    slot *at = &r->slots[turn % SLOTS];
    const double start = gwf_now();
    at->step = step;
    const gwf_status status =
        source_read(r->s->input, r->s->first + step, at->features, at->pressure, &at->time, &err);
    if (status == GWF_OK)
        memcpy(at->outside, source_outside(r->s->input),
               (size_t)r->s->model->in.count * sizeof *at->outside);
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
    const stream_step step = {at->step,    at->time,     at->features,
                              at->outside, at->pressure, at->prediction};
    return s->put(s->user, &step, err);
}

static void write_step(ring *r, size_t turn)
{
    gwf_error err = {0};
    const double start = gwf_now();
    const gwf_status status = put_step(r->s, &r->slots[turn % SLOTS], &err);
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
    if (r->read < r->end && r->read < r->written + SLOTS) return READ;
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

/* Wait for the next turn to compute; false when there is none. */
static bool await_turn(ring *r, size_t *turn)
{
    pthread_mutex_lock(&r->mutex);
    while (!r->stop && r->computed < r->end && r->computed == r->read)
        pthread_cond_wait(&r->changed, &r->mutex);
    heed_stop(r);
    *turn = r->computed;
    r->computing = !r->stop && r->computed < r->end;
    const bool more = r->computing;
    pthread_mutex_unlock(&r->mutex);
    return more;
}

static void compute_step(ring *r, size_t turn)
{
    gwf_error err = {0};
    slot *at = &r->slots[turn % SLOTS];
    const double start = gwf_now();
    const float *const features[] = {at->features};
    float *const predictions[] = {at->prediction};
    const gwf_status status =
        r->s->engine ? gwf_engine_run(r->s->engine, 1, features, predictions, &err) : GWF_OK;
    pthread_mutex_lock(&r->mutex);
    r->times.computing += gwf_now() - start;
    r->computing = false;
    if (status == GWF_OK)
        r->computed = turn + 1;
    else
        fail_turn(r, turn, status, &err);
    const size_t ahead = r->read - r->computed;
    const size_t done = r->given > ahead ? r->given - ahead : 0;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->mutex);
    if (r->s->progress) r->s->progress(r->s->user, done);
}

static void *compute_thread(void *argument)
{
    ring *r = argument;
    size_t turn = 0;
    while (await_turn(r, &turn)) compute_step(r, turn);
    return NULL;
}

static gwf_status allocate_slots(ring *r, gwf_error *err)
{
    const stream *s = r->s;
    const size_t plane = s->input->nlat * s->input->nlon * sizeof(float);
    const bool computes = s->engine != NULL, pressure = source_has_pressure(s->input);
    for (int i = 0; i < SLOTS; i++) {
        slot *at = &r->slots[i];
        at->features = malloc(plane * (size_t)s->model->in.count);
        at->outside = malloc((size_t)s->model->in.count * sizeof *at->outside);
        at->prediction = computes ? malloc(plane * (size_t)s->model->out.count) : NULL;
        at->pressure = pressure ? malloc(plane) : NULL;
        if (!at->features || !at->outside || (computes && !at->prediction) ||
            (pressure && !at->pressure))
            return gwf_fail(err, GWF_ERR_MEMORY, "no memory for %d steps at a time", SLOTS);
    }
    return GWF_OK;
}

static void free_slots(ring *r)
{
    for (int i = 0; i < SLOTS; i++) {
        free(r->slots[i].features);
        free(r->slots[i].outside);
        free(r->slots[i].prediction);
        free(r->slots[i].pressure);
    }
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
