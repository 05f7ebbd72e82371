/* The inside of the chunk reader: many chunks, several threads.
 *
 * A slot holds one decoded chunk, still shuffled: a read takes from it what it wants. A slot with
 * work to do stands in one queue; whoever takes it from there owns it until the work is done. The
 * caller works too, so that everything goes on without any other thread.
 *
 *   chunk_place.c   where chunks are, and what a request wants of them
 *   chunk_crew.c    slots, queues and the threads that work on them
 *   chunk_reader.c  fetching what is wanted, and ahead of it; opening and closing */
#ifndef GWF_IO_CHUNK_INTERNAL_H
#define GWF_IO_CHUNK_INTERNAL_H

#include <pthread.h>

#include "io/slab_internal.h"

/* The bytes of a chunk as they stand in the file. */
typedef struct raw_chunk {
    uint8_t *bytes;
    size_t size, room;
    uint32_t mask;
    struct raw_chunk *next; /* in the list of those that are free */
} raw_chunk;

typedef enum slot_state {
    SLOT_EMPTY,   /* in the list `reuse` */
    SLOT_QUEUED,  /* in `urgent` or `later`: waits to be worked on */
    SLOT_RUNNING, /* in no list: somebody works on it */
    SLOT_IDLE     /* in the list `reuse`: keeps its chunk */
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
    struct slot *in_bucket;      /* next of the same hash */
    struct slot *before, *after; /* in its list, a ring with a head */
} slot;

typedef struct request {
    const size_t *start, *count;
    float *values;
} request;

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
    bool started;
    worker *workers;        /* threads - 1 */
    gwf_inflater *inflater; /* the caller's */
    size_t last_row;        /* of chunks, in which the last request began */
    bool forward;

    /* From here on under the mutex, but the content of running slots. */
    pthread_mutex_t mutex;
    pthread_cond_t work, done; /* for workers, for the caller */
    bool stop;
    slot *slots;
    size_t n_slots;
    slot **buckets;
    size_t n_buckets;          /* a power of 2 */
    slot reuse, urgent, later; /* heads of the lists: urgent is wanted now, later perhaps */
    raw_chunk *raws, *free_raw;
    size_t n_raws;
    request request;
    size_t pending, undecoded; /* wanted slots, and those of them that are not decoded yet */
    size_t damaged;            /* the first damaged chunk of the request, what is wrong with it */
    const char *damage;
};

/* --- chunk_place.c -------------------------------------------------------------------------- */

size_t gwf_chunk_number(const gwf_chunk_reader *r, const size_t *at);

/* Where the chunk's first value is. */
void gwf_chunk_origin(const gwf_chunk_reader *r, size_t number, size_t *origin);

/* Does the request want all that the chunk has of the variable? */
bool gwf_chunk_is_whole(const gwf_chunk_reader *r, const request *q, size_t number);

/* Chunk coordinates of a request: the first, and behind the last. */
void gwf_chunk_range(const gwf_chunk_reader *r, const request *q, size_t *low, size_t *high);

/* Row-major from low to high; false behind the last. */
bool gwf_chunk_next(int rank, const size_t *low, const size_t *high, size_t *at);

/* Put what the request wants of the slot's chunk in place; s NULL: NaN, the chunk is missing. */
void gwf_chunk_lay_out(const gwf_chunk_reader *r, const request *q, const slot *s, size_t number);

/* --- chunk_crew.c; under the mutex, but start and stop --------------------------------------- */

gwf_status gwf_crew_make_slots(gwf_chunk_reader *r, gwf_error *err);
void gwf_crew_free_slots(gwf_chunk_reader *r);

slot *gwf_crew_find(gwf_chunk_reader *r, size_t number);

/* A slot to put a chunk in; NULL: all are in use. Behind: only one whose chunk is of no more use
 * to a request that begins in this row of chunks. */
slot *gwf_crew_take_slot(gwf_chunk_reader *r);
slot *gwf_crew_take_slot_behind(gwf_chunk_reader *r, size_t row);
raw_chunk *gwf_crew_take_raw(gwf_chunk_reader *r);
void gwf_crew_give_back(gwf_chunk_reader *r, slot *s, raw_chunk *raw);

/* Taken slot and raw chunk hold chunk `number` now, to be decoded. */
void gwf_crew_add(gwf_chunk_reader *r, slot *s, raw_chunk *raw, size_t number);

/* The request wants the slot's chunk. */
void gwf_crew_want(gwf_chunk_reader *r, slot *s);

/* The caller works on something, or waits for those who do. Without `any`, it begins nothing long
 * when what it wants is as good as done. */
void gwf_crew_help(gwf_chunk_reader *r, bool any);

void gwf_crew_start(gwf_chunk_reader *r);
void gwf_crew_stop(gwf_chunk_reader *r);

#endif
