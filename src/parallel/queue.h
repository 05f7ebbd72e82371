/* Numbers 0 .. n-1 handed out one at a time, in order, to whichever rank is ready: faster ranks get
 * more. Rank 0 keeps the list and takes numbers itself.
 *
 * Between create and free nothing blocks: rank 0 must call serve (or next) often, every few
 * milliseconds, while others work. One thread per rank. */
#ifndef GWF_PARALLEL_QUEUE_H
#define GWF_PARALLEL_QUEUE_H

#include "parallel/comm.h"

typedef struct gwf_queue gwf_queue;

typedef enum gwf_turn {
    GWF_TURN_TAKE, /* *number is ours */
    GWF_TURN_WAIT, /* not known yet: ask again soon */
    GWF_TURN_END,  /* there are no more for this rank */
} gwf_turn;

/* Collective; n is that of rank 0. comm is borrowed and used for nothing else meanwhile. */
gwf_status gwf_queue_create(const gwf_comm *comm, size_t n, gwf_queue **queue, gwf_error *err);
/* Local, after every rank saw the end. */
void gwf_queue_free(gwf_queue **queue);

/* Local. A rank asks for one number ahead, so that it seldom waits. */
gwf_status gwf_queue_next(gwf_queue *queue, gwf_turn *turn, size_t *number, gwf_error *err);

/* Local: no further numbers to anyone (a failure, a request to stop). Those that were taken may be
 * finished. */
gwf_status gwf_queue_stop(gwf_queue *queue, gwf_error *err);

/* Local: this rank has finished what it took and will not ask again; after the end, once. */
gwf_status gwf_queue_leave(gwf_queue *queue, gwf_error *err);

/* Rank 0: answer whoever asks. *all_left: every other rank has left. Others: nothing to do. */
gwf_status gwf_queue_serve(gwf_queue *queue, bool *all_left, gwf_error *err);

/* Rank 0: numbers handed out so far. */
size_t gwf_queue_given(const gwf_queue *queue);

#endif
