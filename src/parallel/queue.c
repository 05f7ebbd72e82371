#include "parallel/queue.h"

#include <stdint.h>
#include <stdlib.h>

#include "parallel/comm_internal.h"
#include "parallel/tags.h"

struct gwf_queue {
    const gwf_comm *comm;
    size_t n, given; /* rank 0 */
    bool stopped;    /* rank 0: nothing is given any more; others: rank 0 is to be told */
    int left;        /* rank 0: ranks that have left */
#ifdef GWF_HAVE_MPI
    bool asking, ended; /* others: an answer is under way; it was "no more" */
    int64_t answer;
    MPI_Request request;
#endif
};

gwf_status gwf_queue_create(const gwf_comm *comm, size_t n, gwf_queue **queue, gwf_error *err)
{
    *queue = calloc(1, sizeof **queue);
    gwf_status status = *queue ? GWF_OK : gwf_fail(err, GWF_ERR_MEMORY, "no memory for a queue");
    status = gwf_agree(comm, status, err);
    if (status != GWF_OK) {
        gwf_queue_free(queue);
        return status;
    }
    (*queue)->comm = comm;
    (*queue)->n = n;
    return GWF_OK;
}

void gwf_queue_free(gwf_queue **queue)
{
    free(*queue);
    *queue = NULL;
}

size_t gwf_queue_given(const gwf_queue *queue)
{
    return queue->given;
}

static bool give(gwf_queue *q, size_t *number)
{
    if (q->stopped || q->given == q->n) return false;
    *number = q->given++;
    return true;
}

#ifdef GWF_HAVE_MPI

/* What a rank says to rank 0. */
enum { NEXT = 0, STOP = 1, LEAVE = 2 };

static gwf_status say(const gwf_queue *q, int word, gwf_error *err)
{
    return gwf_mpi_check(MPI_Send(&word, 1, MPI_INT, 0, GWF_TAG_ASK, q->comm->mpi),
                         "asking for work", err);
}

static gwf_status answer(gwf_queue *q, int rank, gwf_error *err)
{
    size_t number = 0;
    const int64_t reply = give(q, &number) ? (int64_t)number : -1;
    return gwf_mpi_check(MPI_Send(&reply, 1, MPI_INT64_T, rank, GWF_TAG_GRANT, q->comm->mpi),
                         "handing out work", err);
}

gwf_status gwf_queue_serve(gwf_queue *q, bool *all_left, gwf_error *err)
{
    for (;;) {
        int there = 0, word = 0;
        MPI_Status from;
        *all_left = q->left == q->comm->size - 1;
        if (q->comm->rank != 0 || q->comm->size == 1 || *all_left) return GWF_OK;
        GWF_TRY(gwf_mpi_check(MPI_Iprobe(MPI_ANY_SOURCE, GWF_TAG_ASK, q->comm->mpi, &there, &from),
                              "MPI_Iprobe", err));
        if (!there) return GWF_OK;
        GWF_TRY(gwf_mpi_check(MPI_Recv(&word, 1, MPI_INT, from.MPI_SOURCE, GWF_TAG_ASK,
                                       q->comm->mpi, MPI_STATUS_IGNORE),
                              "MPI_Recv", err));
        if (word == NEXT) GWF_TRY(answer(q, from.MPI_SOURCE, err));
        if (word == STOP) q->stopped = true;
        if (word == LEAVE) q->left++;
    }
}

static gwf_status ask(gwf_queue *q, gwf_error *err)
{
    GWF_TRY(gwf_mpi_check(
        MPI_Irecv(&q->answer, 1, MPI_INT64_T, 0, GWF_TAG_GRANT, q->comm->mpi, &q->request),
        "MPI_Irecv", err));
    q->asking = true;
    return say(q, NEXT, err);
}

static gwf_status next_remote(gwf_queue *q, gwf_turn *turn, size_t *number, gwf_error *err)
{
    int there = 0;
    *turn = GWF_TURN_END;
    if (q->ended) return GWF_OK;
    if (!q->asking) GWF_TRY(ask(q, err));
    GWF_TRY(gwf_mpi_check(MPI_Test(&q->request, &there, MPI_STATUS_IGNORE), "MPI_Test", err));
    *turn = GWF_TURN_WAIT;
    if (!there) return GWF_OK;
    q->asking = false;
    if (q->answer < 0) {
        q->ended = true;
        *turn = GWF_TURN_END;
        return GWF_OK;
    }
    *turn = GWF_TURN_TAKE;
    *number = (size_t)q->answer;
    return ask(q, err); /* for the one after it */
}

gwf_status gwf_queue_next(gwf_queue *q, gwf_turn *turn, size_t *number, gwf_error *err)
{
    bool all_left;
    if (q->comm->rank != 0) return next_remote(q, turn, number, err);
    GWF_TRY(gwf_queue_serve(q, &all_left, err));
    *turn = give(q, number) ? GWF_TURN_TAKE : GWF_TURN_END;
    return GWF_OK;
}

gwf_status gwf_queue_stop(gwf_queue *q, gwf_error *err)
{
    if (q->stopped) return GWF_OK;
    q->stopped = true;
    return q->comm->rank == 0 ? GWF_OK : say(q, STOP, err);
}

gwf_status gwf_queue_leave(gwf_queue *q, gwf_error *err)
{
    return q->comm->rank == 0 ? GWF_OK : say(q, LEAVE, err);
}

#else

gwf_status gwf_queue_serve(gwf_queue *q, bool *all_left, gwf_error *err)
{
    (void)q;
    (void)err;
    *all_left = true;
    return GWF_OK;
}

gwf_status gwf_queue_next(gwf_queue *q, gwf_turn *turn, size_t *number, gwf_error *err)
{
    (void)err;
    *turn = give(q, number) ? GWF_TURN_TAKE : GWF_TURN_END;
    return GWF_OK;
}

gwf_status gwf_queue_stop(gwf_queue *q, gwf_error *err)
{
    (void)err;
    q->stopped = true;
    return GWF_OK;
}

gwf_status gwf_queue_leave(gwf_queue *q, gwf_error *err)
{
    (void)q;
    (void)err;
    return GWF_OK;
}
#endif
