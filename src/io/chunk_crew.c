/* Slots, queues and the threads that work on them. Under the mutex where nothing else is said. */
#include <signal.h>
#include <stdlib.h>

#include "core/size.h"
#include "io/chunk_internal.h"

enum { MOST_SLOTS = 1 << 16 };
static const size_t ahead_limit = 128 * GWF_MIB; /* of slots beyond a row of chunks */

/* --- lists ---------------------------------------------------------------------------------- */

static void make_list(slot *head)
{
    head->before = head->after = head;
}

static void put_after(slot *place, slot *s)
{
    s->before = place;
    s->after = place->after;
    place->after->before = s;
    place->after = s;
}

static void take_out(slot *s)
{
    s->before->after = s->after;
    s->after->before = s->before;
}

static slot *first_of(const slot *head)
{
    return head->after == head ? NULL : head->after;
}

/* Empty and spent slots are reused first, the others in the order of their last use. */
static void release(gwf_chunk_reader *r, slot *s)
{
    const bool soon = s->state == SLOT_EMPTY || s->spent;
    put_after(soon ? &r->reuse : r->reuse.before, s);
}

/* --- chunks by number ----------------------------------------------------------------------- */

static slot **bucket_of(gwf_chunk_reader *r, size_t number)
{
    return &r->buckets[(number ^ number >> 16) & (r->n_buckets - 1)];
}

slot *gwf_crew_find(gwf_chunk_reader *r, size_t number)
{
    slot *s = *bucket_of(r, number);
    while (s && s->number != number) s = s->in_bucket;
    return s;
}

static void remember(gwf_chunk_reader *r, slot *s, size_t number)
{
    slot **bucket = bucket_of(r, number);
    s->number = number;
    s->in_bucket = *bucket;
    *bucket = s;
}

static void forget(gwf_chunk_reader *r, slot *s)
{
    slot **at = bucket_of(r, s->number);
    while (*at != s) at = &(*at)->in_bucket;
    *at = s->in_bucket;
    s->state = SLOT_EMPTY;
}

/* --- taking and giving ---------------------------------------------------------------------- */

static void return_raw(gwf_chunk_reader *r, raw_chunk *raw)
{
    raw->next = r->free_raw;
    r->free_raw = raw;
}

slot *gwf_crew_take_slot(gwf_chunk_reader *r)
{
    slot *s = first_of(&r->reuse);
    if (!s) return NULL;
    take_out(s);
    if (s->state != SLOT_EMPTY) forget(r, s);
    return s;
}

slot *gwf_crew_take_slot_behind(gwf_chunk_reader *r, size_t row)
{
    const slot *s = first_of(&r->reuse);
    size_t origin[GWF_NC_RANK];
    if (!s) return NULL;
    gwf_chunk_origin(r, s->number, origin);
    const bool useless = s->state == SLOT_EMPTY || s->spent || origin[0] / r->layout.chunk[0] < row;
    return useless ? gwf_crew_take_slot(r) : NULL;
}

raw_chunk *gwf_crew_take_raw(gwf_chunk_reader *r)
{
    raw_chunk *raw = r->free_raw;
    if (raw) r->free_raw = raw->next;
    return raw;
}

void gwf_crew_give_back(gwf_chunk_reader *r, slot *s, raw_chunk *raw)
{
    return_raw(r, raw);
    release(r, s);
}

static void enqueue(gwf_chunk_reader *r, slot *s)
{
    slot *head = s->wanted ? &r->urgent : &r->later;
    put_after(head->before, s);
    s->state = SLOT_QUEUED;
    pthread_cond_signal(&r->work);
}

void gwf_crew_add(gwf_chunk_reader *r, slot *s, raw_chunk *raw, size_t number)
{
    remember(r, s, number);
    s->raw = raw;
    s->decoded = s->wanted = s->spent = false;
    enqueue(r, s);
}

void gwf_crew_want(gwf_chunk_reader *r, slot *s)
{
    s->wanted = true;
    s->spent = gwf_chunk_is_whole(r, &r->request, s->number);
    r->pending++;
    r->undecoded += !s->decoded;
    if (s->state == SLOT_RUNNING) return; /* who works on it will see it */
    take_out(s);
    enqueue(r, s);
}

/* --- work ----------------------------------------------------------------------------------- */

/* The mutex is given up meanwhile. */
static void decode(gwf_chunk_reader *r, gwf_inflater *inflater, slot *s)
{
    raw_chunk *raw = s->raw;
    pthread_mutex_unlock(&r->mutex);
    s->damage = gwf_chunk_undo(&r->layout, inflater, raw->mask, raw->bytes, raw->size, s->bytes,
                               &s->shuffled);
    pthread_mutex_lock(&r->mutex);
    return_raw(r, raw);
    s->raw = NULL;
    s->decoded = true;
    r->undecoded -= s->wanted;
    pthread_cond_signal(&r->done);
}

static void deliver(gwf_chunk_reader *r, slot *s)
{
    const request q = r->request;
    pthread_mutex_unlock(&r->mutex);
    if (!s->damage) gwf_chunk_lay_out(r, &q, s, s->number);
    pthread_mutex_lock(&r->mutex);
    if (s->damage && (!r->damage || s->number < r->damaged)) {
        r->damaged = s->number;
        r->damage = s->damage;
    }
    s->wanted = false;
    r->pending--;
}

/* Decode the slot's chunk if it is not yet, and lay it out if the request wants it, which it may
 * begin to do at any time. */
static void work_on(gwf_chunk_reader *r, gwf_inflater *inflater, slot *s)
{
    take_out(s);
    s->state = SLOT_RUNNING;
    if (!s->decoded) decode(r, inflater, s);
    if (s->wanted) deliver(r, s);
    s->state = SLOT_IDLE;
    release(r, s);
    pthread_cond_signal(&r->done);
}

static slot *next_task(const gwf_chunk_reader *r)
{
    slot *s = first_of(&r->urgent);
    return s ? s : first_of(&r->later);
}

void gwf_crew_help(gwf_chunk_reader *r, bool any)
{
    slot *s = any || r->undecoded > 0 ? next_task(r) : first_of(&r->urgent);
    if (s)
        work_on(r, r->inflater, s);
    else
        pthread_cond_wait(&r->done, &r->mutex);
}

/* --- threads -------------------------------------------------------------------------------- */

static void *worker_thread(void *argument)
{
    worker *w = argument;
    gwf_chunk_reader *r = w->reader;
    pthread_mutex_lock(&r->mutex);
    while (!r->stop) {
        slot *s = next_task(r);
        if (s)
            work_on(r, w->inflater, s);
        else
            pthread_cond_wait(&r->work, &r->mutex);
    }
    pthread_mutex_unlock(&r->mutex);
    return NULL;
}

/* Signals are for the program's own threads. */
static bool start_worker(gwf_chunk_reader *r, worker *w)
{
    sigset_t all, before;
    *w = (worker){.reader = r, .inflater = gwf_inflater_create()};
    if (!w->inflater) return false;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    const bool good = pthread_create(&w->thread, NULL, worker_thread, w) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!good) gwf_inflater_free(w->inflater);
    return good;
}

/* As many as the system gives: with fewer it takes longer. */
void gwf_crew_start(gwf_chunk_reader *r)
{
    if (r->started) return;
    r->started = true;
    if (r->threads > 1) r->workers = calloc((size_t)r->threads - 1, sizeof *r->workers);
    while (r->workers && r->n_workers < r->threads - 1 &&
           start_worker(r, &r->workers[r->n_workers]))
        r->n_workers++;
}

void gwf_crew_stop(gwf_chunk_reader *r)
{
    pthread_mutex_lock(&r->mutex);
    r->stop = true;
    pthread_cond_broadcast(&r->work);
    pthread_mutex_unlock(&r->mutex);
    for (int i = 0; i < r->n_workers; i++) {
        pthread_join(r->workers[i].thread, NULL);
        gwf_inflater_free(r->workers[i].inflater);
    }
    free(r->workers);
    r->workers = NULL;
    r->n_workers = 0;
    r->stop = r->started = false;
}

/* --- slots ---------------------------------------------------------------------------------- */

/* One row of chunks if it is not too large, and those that are decoded ahead. */
static size_t choose_slots(const gwf_chunk_reader *r)
{
    const size_t bytes = gwf_chunk_room(&r->layout), threads = (size_t)r->threads;
    size_t row = 1;
    for (int i = 1; i < r->layout.rank; i++)
        if (!gwf_size_mul(row, r->grid[i], &row) || row > MOST_SLOTS) row = MOST_SLOTS;
    const size_t most = GWF_SLAB_ROW_LIMIT / bytes, most_ahead = ahead_limit / bytes;
    const size_t kept = row <= most ? row : threads < most ? threads : most;
    const size_t ahead = row + threads < most_ahead ? row + threads : most_ahead;
    const size_t slots = kept > ahead ? kept : ahead;
    return slots < 1 ? 1 : slots < MOST_SLOTS ? slots : MOST_SLOTS;
}

gwf_status gwf_crew_make_slots(gwf_chunk_reader *r, gwf_error *err)
{
    r->n_slots = choose_slots(r);
    r->n_raws = (size_t)r->threads + 1 < r->n_slots ? (size_t)r->threads + 1 : r->n_slots;
    for (r->n_buckets = 1; r->n_buckets < r->n_slots;) r->n_buckets *= 2;
    r->slots = calloc(r->n_slots, sizeof *r->slots);
    r->buckets = calloc(r->n_buckets, sizeof *r->buckets);
    r->raws = calloc(r->n_raws, sizeof *r->raws);
    if (!r->slots || !r->buckets || !r->raws) {
        gwf_crew_free_slots(r);
        return gwf_fail(err, GWF_ERR_MEMORY, "%s: out of memory", r->file->path);
    }
    make_list(&r->reuse);
    make_list(&r->urgent);
    make_list(&r->later);
    for (size_t i = 0; i < r->n_slots; i++) release(r, &r->slots[i]);
    for (size_t i = 0; i < r->n_raws; i++) return_raw(r, &r->raws[i]);
    return GWF_OK;
}

void gwf_crew_free_slots(gwf_chunk_reader *r)
{
    for (size_t i = 0; r->slots && i < r->n_slots; i++) free(r->slots[i].bytes);
    for (size_t i = 0; r->raws && i < r->n_raws; i++) free(r->raws[i].bytes);
    free(r->slots);
    free(r->buckets);
    free(r->raws);
    r->slots = NULL;
    r->buckets = NULL;
    r->raws = r->free_raw = NULL;
}
