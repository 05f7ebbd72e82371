/* Many chunks: raw chunks are fetched in the calling thread, decoded and laid out in its and other
 * threads; decoded chunks are kept for the next read.
 *
 * A slot holds one decoded chunk, still shuffled: a read takes from it what it wants. A slot with
 * work to do stands in the queue once; whoever takes it from there owns it until the work is done.
 * The caller works too, so that everything goes on without any other thread. */
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/size.h"
#include "io/nc_internal.h"
#include "io/slab_internal.h"

enum { MOST_SLOTS = 1 << 16, BLOCK = 1024 };
static const size_t ahead_limit = 64 * GWF_MIB; /* of chunks decoded before they are asked for */

/* The bytes of a chunk as they stand in the file. */
typedef struct raw_chunk {
    uint8_t *bytes;
    size_t size, room;
    uint32_t mask;
    struct raw_chunk *next; /* in the list of those that are free */
} raw_chunk;

typedef enum slot_state {
    SLOT_EMPTY,
    SLOT_QUEUED,  /* waits to be worked on */
    SLOT_RUNNING, /* is worked on */
    SLOT_IDLE     /* keeps its chunk */
} slot_state;

typedef struct slot {
    slot_state state;
    size_t number; /* of the chunk, row-major among all chunks */
    bool decoded, shuffled;
    bool wanted; /* by the read that is going on, which counts it in `pending` */
    bool spent;  /* a read took all of it */
    raw_chunk *raw;
    const char *damage;
    uint8_t *bytes;
    struct slot *in_bucket;       /* next of the same hash */
    struct slot *older, *younger; /* list of empty and idle slots, the first to be reused first */
} slot;

typedef struct request {
    const size_t *start, *count;
    float *values;
} request;

/* What a request wants of one chunk. */
typedef struct overlap {
    size_t from[GWF_NC_RANK], to[GWF_NC_RANK],
        length[GWF_NC_RANK]; /* in the chunk, in the request */
    bool whole;              /* all that the chunk has of the variable */
} overlap;

typedef struct worker {
    pthread_t thread;
    gwf_chunk_reader *reader;
    gwf_inflater *inflater;
} worker;

struct gwf_chunk_reader {
    const gwf_nc *file;
    const gwf_nc_variable *v;
    const gwf_packing *packing;
    gwf_chunk_source source;
    gwf_chunk_layout layout;
    size_t grid[GWF_NC_RANK]; /* chunks along each dimension */

    int threads, n_workers; /* workers: all threads but the caller's */
    worker *workers;        /* threads - 1 */
    gwf_inflater *inflater; /* the caller's */

    slot *slots;
    size_t n_slots;
    slot **buckets;
    size_t n_buckets; /* a power of 2 */
    slot reuse;       /* head of the list */
    raw_chunk *raws, *free_raw;
    size_t n_raws;

    slot **queue; /* a ring of n_slots */
    size_t first, queued;

    request request;
    size_t pending;
    size_t damaged; /* the first damaged chunk of the request, and what is wrong with it */
    const char *damage;
    size_t last_row; /* first chunk row of the last request */
    bool started, forward;

    bool stop;
    pthread_mutex_t mutex; /* guards all below `inflater` but the content of running slots */
    pthread_cond_t work, done;
};

/* --- places --------------------------------------------------------------------------------- */

static size_t number_of(const gwf_chunk_reader *r, const size_t *at)
{
    size_t number = 0;
    for (int i = 0; i < r->layout.rank; i++) number = number * r->grid[i] + at[i];
    return number;
}

/* Where the chunk's first value is. */
static void origin_of(const gwf_chunk_reader *r, size_t number, size_t *origin)
{
    for (int i = r->layout.rank - 1; i >= 0; i--) {
        origin[i] = number % r->grid[i] * r->layout.chunk[i];
        number /= r->grid[i];
    }
}

static overlap overlap_of(const gwf_chunk_reader *r, const request *q, size_t number)
{
    const gwf_chunk_layout *l = &r->layout;
    size_t origin[GWF_NC_RANK];
    overlap o = {.whole = true};
    origin_of(r, number, origin);
    for (int i = 0; i < l->rank; i++) {
        const size_t end = q->start[i] + q->count[i];
        const size_t left = l->shape[i] - origin[i];
        const size_t chunk_end = origin[i] + (left < l->chunk[i] ? left : l->chunk[i]);
        const size_t first = q->start[i] > origin[i] ? q->start[i] : origin[i];
        const size_t last = end < chunk_end ? end : chunk_end;
        o.from[i] = first - origin[i];
        o.to[i] = first - q->start[i];
        o.length[i] = last - first;
        o.whole = o.whole && first == origin[i] && last == chunk_end;
    }
    return o;
}

/* --- laying out ----------------------------------------------------------------------------- */

/* Values first .. first + n of the chunk in the slot; NULL: of a chunk that is missing. */
static void take_run(const gwf_chunk_reader *r, const slot *s, size_t first, size_t n,
                     float *values)
{
    double stored[BLOCK]; /* the widest type */
    const bool in_place = r->packing->type == NC_FLOAT;
    for (size_t i = 0; i < n && !s; i++) values[i] = NAN;
    for (size_t i = 0; i < n && s; i += BLOCK) {
        const size_t part = n - i < BLOCK ? n - i : BLOCK;
        void *to = in_place ? (void *)(values + i) : stored;
        gwf_chunk_values(&r->layout, s->bytes, s->shuffled, first + i, part, to);
        gwf_packing_unpack(r->packing, to, part, values + i);
    }
}

/* Dimensions that are whole in chunk and request are one run with the one before them. */
static int run_of(const gwf_chunk_reader *r, const request *q, const overlap *o, size_t *run)
{
    int d = r->layout.rank - 1;
    *run = o->length[d];
    while (d > 0 && o->length[d] == r->layout.chunk[d] && o->length[d] == q->count[d])
        *run *= o->length[--d];
    return d;
}

static size_t place_in(const size_t *shape, const size_t *at, const size_t *offset, int rank)
{
    size_t place = 0;
    for (int i = 0; i < rank; i++) place = place * shape[i] + offset[i] + at[i];
    return place;
}

static void lay_out(const gwf_chunk_reader *r, const request *q, const slot *s, size_t number)
{
    const int rank = r->layout.rank;
    const overlap o = overlap_of(r, q, number);
    size_t at[GWF_NC_RANK] = {0}, run = 0;
    const int outer = run_of(r, q, &o, &run);
    for (int i = 0; i >= 0;) {
        take_run(r, s, place_in(r->layout.chunk, at, o.from, rank), run,
                 q->values + place_in(q->count, at, o.to, rank));
        for (i = outer - 1; i >= 0 && ++at[i] == o.length[i]; i--) at[i] = 0;
    }
}

/* --- lists of slots; under the mutex ---------------------------------------------------------- */

static slot **bucket_of(gwf_chunk_reader *r, size_t number)
{
    return &r->buckets[(number ^ number >> 16) & (r->n_buckets - 1)];
}

static slot *find(gwf_chunk_reader *r, size_t number)
{
    slot *s = *bucket_of(r, number);
    while (s && s->number != number) s = s->in_bucket;
    return s;
}

static void forget(gwf_chunk_reader *r, slot *s)
{
    slot **at = bucket_of(r, s->number);
    while (*at != s) at = &(*at)->in_bucket;
    *at = s->in_bucket;
    s->state = SLOT_EMPTY;
}

static void unlist(slot *s)
{
    s->older->younger = s->younger;
    s->younger->older = s->older;
}

/* Empty and spent slots are reused first, the others in the order of their last use. */
static void list(gwf_chunk_reader *r, slot *s)
{
    const bool soon = s->state == SLOT_EMPTY || s->spent;
    slot *before = soon ? &r->reuse : r->reuse.older;
    s->older = before;
    s->younger = before->younger;
    before->younger->older = s;
    before->younger = s;
}

static void enqueue(gwf_chunk_reader *r, slot *s)
{
    r->queue[(r->first + r->queued++) % r->n_slots] = s;
    s->state = SLOT_QUEUED;
    if (r->n_workers > 0) pthread_cond_signal(&r->work);
}

static slot *dequeue(gwf_chunk_reader *r)
{
    slot *s = r->queue[r->first];
    r->first = (r->first + 1) % r->n_slots;
    r->queued--;
    s->state = SLOT_RUNNING;
    return s;
}

static void return_raw(gwf_chunk_reader *r, raw_chunk *raw)
{
    raw->next = r->free_raw;
    r->free_raw = raw;
}

/* --- work ----------------------------------------------------------------------------------- */

static void note_damage(gwf_chunk_reader *r, const slot *s)
{
    if (r->damage && r->damaged < s->number) return;
    r->damaged = s->number;
    r->damage = s->damage;
}

/* Under the mutex, given up meanwhile: decode the slot's chunk if it is not yet, and lay it out if
 * the request wants it, which it may begin to do at any time. */
static void work_on(gwf_chunk_reader *r, gwf_inflater *inflater, slot *s)
{
    if (!s->decoded) {
        raw_chunk *raw = s->raw;
        pthread_mutex_unlock(&r->mutex);
        s->damage = gwf_chunk_undo(&r->layout, inflater, raw->mask, raw->bytes, raw->size, s->bytes,
                                   &s->shuffled);
        pthread_mutex_lock(&r->mutex);
        return_raw(r, raw);
        pthread_cond_signal(&r->done);
        s->raw = NULL;
        s->decoded = true;
    }
    if (s->wanted) {
        const request q = r->request;
        pthread_mutex_unlock(&r->mutex);
        if (!s->damage) lay_out(r, &q, s, s->number);
        pthread_mutex_lock(&r->mutex);
        if (s->damage) note_damage(r, s);
        s->wanted = false;
        r->pending--;
    }
    s->state = SLOT_IDLE;
    if (s->damage) forget(r, s);
    list(r, s);
    pthread_cond_signal(&r->done);
}

/* Under the mutex: the caller works, or waits for those who do. */
static void help(gwf_chunk_reader *r)
{
    if (r->queued > 0)
        work_on(r, r->inflater, dequeue(r));
    else
        pthread_cond_wait(&r->done, &r->mutex);
}

static void *worker_thread(void *argument)
{
    worker *w = argument;
    gwf_chunk_reader *r = w->reader;
    pthread_mutex_lock(&r->mutex);
    while (!r->stop)
        if (r->queued > 0)
            work_on(r, w->inflater, dequeue(r));
        else
            pthread_cond_wait(&r->work, &r->mutex);
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
static void start_workers(gwf_chunk_reader *r)
{
    if (r->started) return;
    r->started = true;
    if (r->threads > 1) r->workers = calloc((size_t)r->threads - 1, sizeof *r->workers);
    while (r->workers && r->n_workers < r->threads - 1) {
        if (!start_worker(r, &r->workers[r->n_workers])) return;
        pthread_mutex_lock(&r->mutex);
        r->n_workers++;
        pthread_mutex_unlock(&r->mutex);
    }
}

static void stop_workers(gwf_chunk_reader *r)
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

/* --- fetching ------------------------------------------------------------------------------- */

static gwf_status no_memory(const gwf_chunk_reader *r, gwf_error *err)
{
    return gwf_fail(err, GWF_ERR_MEMORY, "%s: no memory for chunks of %.1f MB", r->file->path,
                    (double)r->layout.bytes / 1e6);
}

/* "PATH: variable V: the chunk at (24, 0, 0, 0) WHAT" */
static gwf_status chunk_failed(const gwf_chunk_reader *r, size_t number, gwf_status status,
                               const char *what, gwf_error *err)
{
    size_t origin[GWF_NC_RANK], used = 0;
    char at[224] = "";
    origin_of(r, number, origin);
    for (int i = 0; i < r->layout.rank; i++)
        used += (size_t)snprintf(at + used, sizeof at - used, "%s%zu", i ? ", " : "", origin[i]);
    return gwf_fail(err, status, "%s: variable %s: the chunk at (%s) %s", r->file->path, r->v->name,
                    at, what);
}

/* Under the mutex. A slot to put a chunk in, taken from the list; NULL: all are in use. */
static slot *take_slot(gwf_chunk_reader *r)
{
    slot *s = r->reuse.younger;
    if (s == &r->reuse) return NULL;
    unlist(s);
    if (s->state != SLOT_EMPTY) forget(r, s);
    return s;
}

static raw_chunk *take_raw(gwf_chunk_reader *r)
{
    raw_chunk *raw = r->free_raw;
    if (raw) r->free_raw = raw->next;
    return raw;
}

/* Room for the chunk; a raw one's grows to the largest that was seen, and a bit. */
static bool make_room(gwf_chunk_reader *r, slot *s, raw_chunk *raw, size_t size)
{
    if (!s->bytes) s->bytes = malloc(gwf_chunk_room(&r->layout));
    if (raw->room < size) {
        free(raw->bytes);
        raw->room = size + size / 8;
        raw->bytes = malloc(raw->room);
        if (!raw->bytes) raw->room = 0;
    }
    raw->size = size;
    return s->bytes && raw->bytes;
}

/* Not under the mutex: fetch the chunk into slot and raw, and queue it; on failure both are given
 * back. */
static gwf_status fetch(gwf_chunk_reader *r, size_t number, size_t size, slot *s, raw_chunk *raw,
                        bool wanted, gwf_error *err)
{
    size_t origin[GWF_NC_RANK];
    gwf_status status = GWF_OK;
    origin_of(r, number, origin);
    if (!make_room(r, s, raw, size))
        status = no_memory(r, err);
    else if (!gwf_chunk_source_fetch(&r->source, &r->layout, origin, raw->bytes, &raw->mask))
        status = chunk_failed(r, number, errno == EIO ? GWF_ERR_IO : GWF_ERR_FORMAT,
                              "cannot be read from the file: damaged, or cut short", err);
    pthread_mutex_lock(&r->mutex);
    if (status == GWF_OK) {
        slot **bucket = bucket_of(r, number);
        s->number = number;
        s->raw = raw;
        s->decoded = s->spent = false;
        s->wanted = wanted;
        s->in_bucket = *bucket;
        *bucket = s;
        if (wanted) {
            s->spent = overlap_of(r, &r->request, number).whole;
            r->pending++;
        }
        enqueue(r, s);
    } else {
        return_raw(r, raw);
        list(r, s);
    }
    pthread_mutex_unlock(&r->mutex);
    return status;
}

/* Bytes of the raw chunk, 0: never written. */
static gwf_status measure(const gwf_chunk_reader *r, size_t number, size_t *size, gwf_error *err)
{
    size_t origin[GWF_NC_RANK];
    origin_of(r, number, origin);
    if (!gwf_chunk_source_size(&r->source, &r->layout, origin, size))
        return chunk_failed(r, number, errno == EIO ? GWF_ERR_IO : GWF_ERR_FORMAT,
                            "cannot be found in the file: damaged, or cut short", err);
    if (*size <= gwf_chunk_raw_limit(&r->layout)) return GWF_OK;
    return chunk_failed(r, number, GWF_ERR_FORMAT, "is damaged: more bytes than it can have", err);
}

/* Under the mutex: the chunk is here, or being decoded. */
static void want_again(gwf_chunk_reader *r, slot *s)
{
    s->wanted = true;
    s->spent = overlap_of(r, &r->request, s->number).whole;
    r->pending++;
    if (s->state != SLOT_IDLE) return;
    unlist(s);
    enqueue(r, s);
}

/* One chunk of the request is to be laid out. */
static gwf_status want(gwf_chunk_reader *r, size_t number, gwf_error *err)
{
    size_t size = 0;
    pthread_mutex_lock(&r->mutex);
    slot *s = find(r, number);
    if (s) want_again(r, s);
    pthread_mutex_unlock(&r->mutex);
    if (s) return GWF_OK;
    GWF_TRY(measure(r, number, &size, err));
    if (size == 0) {
        lay_out(r, &r->request, NULL, number);
        return GWF_OK;
    }
    raw_chunk *raw;
    pthread_mutex_lock(&r->mutex);
    while (!(s = take_slot(r))) help(r);
    while (!(raw = take_raw(r))) help(r);
    pthread_mutex_unlock(&r->mutex);
    return fetch(r, number, size, s, raw, true, err);
}

/* --- looking ahead -------------------------------------------------------------------------- */

/* Under the mutex. A slot whose chunk is behind the request, if it has any. */
static slot *take_slot_ahead(gwf_chunk_reader *r, size_t row)
{
    const slot *s = r->reuse.younger;
    size_t origin[GWF_NC_RANK];
    if (s == &r->reuse) return NULL;
    origin_of(r, s->number, origin);
    const bool free_to_use = s->state == SLOT_EMPTY || s->spent;
    return free_to_use || origin[0] / r->layout.chunk[0] < row ? take_slot(r) : NULL;
}

/* Fetch a chunk that will be wanted soon, if there is room; false: not now. Its errors come when it
 * is wanted. row: the request's first row of chunks. */
static bool fetch_ahead(gwf_chunk_reader *r, size_t number, size_t row)
{
    size_t size = 0;
    pthread_mutex_lock(&r->mutex);
    const bool here = find(r, number) != NULL;
    pthread_mutex_unlock(&r->mutex);
    if (here) return true;
    if (measure(r, number, &size, NULL) != GWF_OK) return false;
    if (size == 0) return true;
    pthread_mutex_lock(&r->mutex);
    slot *s = r->free_raw ? take_slot_ahead(r, row) : NULL;
    raw_chunk *raw = s ? take_raw(r) : NULL;
    pthread_mutex_unlock(&r->mutex);
    return s && fetch(r, number, size, s, raw, false, NULL) == GWF_OK;
}

/* Chunk coordinates of a request: first and behind the last. */
static void chunk_range(const gwf_chunk_reader *r, const request *q, size_t *low, size_t *high)
{
    for (int i = 0; i < r->layout.rank; i++) {
        low[i] = q->start[i] / r->layout.chunk[i];
        high[i] = (q->start[i] + q->count[i] - 1) / r->layout.chunk[i] + 1;
    }
}

static bool next_chunk(int rank, const size_t *low, const size_t *high, size_t *at)
{
    for (int i = rank - 1; i >= 0; i--) {
        if (++at[i] < high[i]) return true;
        at[i] = low[i];
    }
    return false;
}

/* Rows of chunks beyond the request's that keep all threads busy. */
static size_t rows_ahead(const gwf_chunk_reader *r, const size_t *low, const size_t *high)
{
    size_t chunks = 1;
    const size_t threads = (size_t)r->n_workers + 1;
    for (int i = 0; i < r->layout.rank; i++) chunks *= high[i] - low[i];
    if (!r->forward || chunks >= threads) return 0;
    const size_t rows = (threads + chunks - 1) / chunks; /* with the request's own */
    const size_t most = r->n_slots / chunks;
    return (rows < most ? rows : most) - (most > 0);
}

/* Where the reads go forward along the first dimension and each wants fewer chunks than there are
 * threads, the next ones are decoded meanwhile. */
static void look_ahead(gwf_chunk_reader *r, const size_t *low, const size_t *high)
{
    size_t next_low[GWF_NC_RANK], next_high[GWF_NC_RANK], at[GWF_NC_RANK];
    const int rank = r->layout.rank;
    const size_t rows = rows_ahead(r, low, high);
    memcpy(next_low, low, sizeof next_low);
    memcpy(next_high, high, sizeof next_high);
    next_low[0] = high[0];
    next_high[0] = r->grid[0] - high[0] < rows ? r->grid[0] : high[0] + rows;
    memcpy(at, next_low, sizeof at);
    if (next_low[0] == next_high[0]) return;
    do
        if (!fetch_ahead(r, number_of(r, at), low[0])) return;
    while (next_chunk(rank, next_low, next_high, at));
}

/* --- opening and closing -------------------------------------------------------------------- */

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

static gwf_status make_slots(gwf_chunk_reader *r, gwf_error *err)
{
    r->n_slots = choose_slots(r);
    r->n_raws = (size_t)r->threads + 1 < r->n_slots ? (size_t)r->threads + 1 : r->n_slots;
    for (r->n_buckets = 1; r->n_buckets < r->n_slots;) r->n_buckets *= 2;
    r->slots = calloc(r->n_slots, sizeof *r->slots);
    r->queue = calloc(r->n_slots, sizeof *r->queue);
    r->buckets = calloc(r->n_buckets, sizeof(slot *));
    r->raws = calloc(r->n_raws, sizeof *r->raws);
    if (!r->slots || !r->queue || !r->buckets || !r->raws) return no_memory(r, err);
    r->reuse.older = r->reuse.younger = &r->reuse;
    for (size_t i = 0; i < r->n_slots; i++) list(r, &r->slots[i]);
    for (size_t i = 0; i < r->n_raws; i++) return_raw(r, &r->raws[i]);
    return GWF_OK;
}

static void free_slots(gwf_chunk_reader *r)
{
    for (size_t i = 0; r->slots && i < r->n_slots; i++) free(r->slots[i].bytes);
    for (size_t i = 0; r->raws && i < r->n_raws; i++) free(r->raws[i].bytes);
    free(r->slots);
    free(r->queue);
    free(r->buckets);
    free(r->raws);
    r->slots = NULL;
    r->raws = r->free_raw = NULL;
    r->queue = r->buckets = NULL;
    r->first = r->queued = 0;
}

gwf_status gwf_chunk_reader_open(const gwf_nc *file, const gwf_nc_variable *v,
                                 const gwf_packing *packing, gwf_chunk_reader **reader,
                                 gwf_error *err)
{
    *reader = calloc(1, sizeof **reader);
    if (!*reader) return gwf_fail(err, GWF_ERR_MEMORY, "%s: out of memory", file->path);
    gwf_chunk_reader *r = *reader;
    *r = (gwf_chunk_reader){.file = file, .v = v, .packing = packing, .threads = 1};
    pthread_mutex_init(&r->mutex, NULL);
    pthread_cond_init(&r->work, NULL);
    pthread_cond_init(&r->done, NULL);
    if (!gwf_chunk_source_open(file, v, &r->source, &r->layout)) {
        gwf_chunk_reader_close(reader);
        return GWF_OK;
    }
    for (int i = 0; i < v->rank; i++)
        r->grid[i] = v->shape[i] > 0 ? (v->shape[i] - 1) / r->layout.chunk[i] + 1 : 0;
    r->inflater = gwf_inflater_create();
    if (r->inflater) return GWF_OK;
    gwf_chunk_reader_close(reader);
    return gwf_fail(err, GWF_ERR_MEMORY, "%s: out of memory", file->path);
}

void gwf_chunk_reader_close(gwf_chunk_reader **reader)
{
    gwf_chunk_reader *r = *reader;
    if (!r) return;
    stop_workers(r);
    free_slots(r);
    gwf_inflater_free(r->inflater);
    gwf_chunk_source_close(&r->source);
    pthread_cond_destroy(&r->done);
    pthread_cond_destroy(&r->work);
    pthread_mutex_destroy(&r->mutex);
    free(r);
    *reader = NULL;
}

void gwf_chunk_reader_set_threads(gwf_chunk_reader *reader, int threads)
{
    if (threads == reader->threads) return;
    stop_workers(reader);
    free_slots(reader);
    reader->threads = threads;
}

void gwf_chunk_reader_filters(const gwf_chunk_reader *reader, char *text, size_t size)
{
    static const char *const names[] = {
        [GWF_FILTER_SHUFFLE] = "shuffle",
        [GWF_FILTER_DEFLATE] = "deflate",
        [GWF_FILTER_FLETCHER32] = "fletcher32",
    };
    size_t used = 0;
    if (size > 0) text[0] = '\0';
    for (int i = 0; i < reader->layout.n_filters && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", i ? ", " : "",
                                 names[reader->layout.filters[i]]);
}

/* --- reading -------------------------------------------------------------------------------- */

/* Reads go forward when they reach the next row of chunks, until they go elsewhere. */
static void note_direction(gwf_chunk_reader *r, size_t row)
{
    if (row == r->last_row + 1)
        r->forward = true;
    else if (row != r->last_row)
        r->forward = false;
    r->last_row = row;
}

static gwf_status result_of(gwf_chunk_reader *r, gwf_error *err)
{
    char what[128];
    if (!r->damage) return GWF_OK;
    snprintf(what, sizeof what, "is damaged: %s", r->damage);
    return chunk_failed(r, r->damaged, GWF_ERR_FORMAT, what, err);
}

gwf_status gwf_chunk_reader_read(gwf_chunk_reader *reader, const size_t *start, const size_t *count,
                                 float *values, gwf_error *err)
{
    gwf_chunk_reader *r = reader;
    size_t low[GWF_NC_RANK], high[GWF_NC_RANK], at[GWF_NC_RANK];
    gwf_status status = GWF_OK;
    if (!r->slots) GWF_TRY(make_slots(r, err));
    start_workers(r);
    gwf_nc_keep_quiet();
    r->request = (request){start, count, values};
    r->damage = NULL;
    chunk_range(r, &r->request, low, high);
    memcpy(at, low, sizeof at);
    note_direction(r, low[0]);
    do status = want(r, number_of(r, at), err);
    while (status == GWF_OK && next_chunk(r->layout.rank, low, high, at));
    if (status == GWF_OK) look_ahead(r, low, high);
    pthread_mutex_lock(&r->mutex);
    while (r->pending > 0) help(r);
    pthread_mutex_unlock(&r->mutex);
    return status == GWF_OK ? result_of(r, err) : status;
}
