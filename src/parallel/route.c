#include "parallel/route.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "core/size.h"
#include "parallel/comm_internal.h"
#include "parallel/route_plan.h"
#include "parallel/tags.h"

enum { LINE = 64 }; /* bytes; each message starts on a cache line of its own */

/* Columns side by side, for a rank that is not the first to want them. */
typedef struct copy {
    gwf_route_place from, to; /* from.run of them */
} copy;

struct gwf_route {
    const gwf_comm *comm; /* borrowed */
    int rows;
    float *values; /* a message a rank and direction, each (rows, columns); owned, as all below */
    gwf_route_place *out, *in; /* (n_have), (n_want) */
    copy *copies;
    int n_copies;
#ifdef GWF_HAVE_MPI
    MPI_Request *requests; /* persistent */
    int n_requests;
#endif
};

/* What only making a route needs. */
typedef struct layout {
    const gwf_route_ids *ids;
    gwf_route_plan plan;
    size_t *to, *from; /* (ranks) where in values the message to, from a rank starts; owned */
    size_t total;      /* of values */
} layout;

static int count_of(const gwf_lists *lists, int rank)
{
    return lists->start[rank + 1] - lists->start[rank];
}

/* --- where messages lie --------------------------------------------------------------------- */

static gwf_status add_message(const gwf_route *r, int columns, size_t *at, size_t *total,
                              gwf_error *err)
{
    size_t values = 0;
    *at = *total;
    if (!gwf_size_mul((size_t)columns, (size_t)r->rows, &values) || values > INT_MAX)
        return gwf_fail(err, GWF_ERR_UNSUPPORTED,
                        "%d columns of %d values are too many for a message between two ranks",
                        columns, r->rows);
    *total += gwf_size_round_up(values, LINE / sizeof *r->values);
    return GWF_OK;
}

static gwf_status place_messages(const gwf_route *r, layout *l, gwf_error *err)
{
    const int ranks = r->comm->size, own = r->comm->rank;
    l->to = calloc((size_t)ranks, sizeof *l->to);
    l->from = calloc((size_t)ranks, sizeof *l->from);
    if (!l->to || !l->from) return gwf_fail(err, GWF_ERR_MEMORY, "no memory for %d ranks", ranks);
    for (int p = 0; p < ranks; p++)
        GWF_TRY(add_message(r, count_of(&l->plan.sends, p), &l->to[p], &l->total, err));
    for (int p = 0; p < ranks; p++) /* what stays here is there already */
        if (p != own)
            GWF_TRY(add_message(r, count_of(&l->plan.receives, p), &l->from[p], &l->total, err));
    l->from[own] = l->to[own];
    return GWF_OK;
}

static gwf_status reserve(gwf_route *r, const layout *l, gwf_error *err)
{
    const size_t bytes = l->total * sizeof *r->values, n_have = (size_t)l->ids->n_have;
    const size_t links = (size_t)l->plan.sends.start[r->comm->size];
    r->values = aligned_alloc(LINE, bytes + LINE);
    r->out = calloc(n_have + 1, sizeof *r->out);
    r->in = calloc((size_t)l->ids->n_want + 1, sizeof *r->in);
    r->copies = calloc(links + 1, sizeof *r->copies);
    if (!r->values || !r->out || !r->in || !r->copies)
        return gwf_fail(err, GWF_ERR_MEMORY, "no memory for an exchange of %zu bytes", bytes);
    memset(r->values, 0, bytes + LINE);
    return GWF_OK;
}

/* --- places --------------------------------------------------------------------------------- */

static bool follows(gwf_route_place next, gwf_route_place place)
{
    if (place.first == GWF_NOWHERE) return next.first == GWF_NOWHERE;
    return next.first == place.first + 1 && next.stride == place.stride;
}

static void find_runs(gwf_route_place *places, int n)
{
    for (int i = n - 1; i >= 0; i--)
        places[i].run = i + 1 < n && follows(places[i + 1], places[i]) ? places[i + 1].run + 1 : 1;
}

static void add_copy(gwf_route *r, gwf_route_place from, gwf_route_place to)
{
    copy *last = r->n_copies ? &r->copies[r->n_copies - 1] : NULL;
    if (last) {
        const gwf_route_place a = {last->from.first + (size_t)last->from.run - 1, last->from.stride,
                                   1};
        const gwf_route_place b = {last->to.first + (size_t)last->from.run - 1, last->to.stride, 1};
        if (follows(from, a) && follows(to, b)) {
            last->from.run++;
            return;
        }
    }
    r->copies[r->n_copies++] = (copy){from, to};
}

/* The columns that a rank wants. A column has its place in the message to the first that wants it;
 * the others are given copies. */
static void place_out(gwf_route *r, const layout *l, int rank)
{
    const gwf_item *have = l->plan.have;
    const int *ids = l->plan.sends.value + l->plan.sends.start[rank];
    const int n = count_of(&l->plan.sends, rank);
    for (int k = 0; k < n; k++) {
        while (have->id < ids[k]) have++;
        const gwf_route_place place = {l->to[rank] + (size_t)k, (size_t)n, 1};
        if (r->out[have->at].first == GWF_NOWHERE)
            r->out[have->at] = place;
        else
            add_copy(r, r->out[have->at], place);
    }
}

static void place_in(gwf_route *r, const layout *l, int rank)
{
    const gwf_item *want = l->plan.want;
    const int *ids = l->plan.receives.value + l->plan.receives.start[rank];
    const int n = count_of(&l->plan.receives, rank);
    for (int k = 0; k < n; k++) {
        while (want->id < ids[k]) want++;
        r->in[want->at] = (gwf_route_place){l->from[rank] + (size_t)k, (size_t)n, 1};
    }
}

static void make_places(gwf_route *r, const layout *l)
{
    const int ranks = r->comm->size, own = r->comm->rank;
    for (int i = 0; i < l->ids->n_have; i++) r->out[i] = (gwf_route_place){GWF_NOWHERE, 0, 1};
    place_out(r, l, own); /* first: it is not sent */
    for (int p = 0; p < ranks; p++)
        if (p != own) place_out(r, l, p);
    for (int p = 0; p < ranks; p++) place_in(r, l, p);
    find_runs(r->out, l->ids->n_have);
    find_runs(r->in, l->ids->n_want);
}

const gwf_route_place *gwf_route_out(const gwf_route *route)
{
    return route->out;
}

const gwf_route_place *gwf_route_in(const gwf_route *route)
{
    return route->in;
}

float *gwf_route_values(const gwf_route *route)
{
    return route->values;
}

/* --- exchange ------------------------------------------------------------------------------- */

static void make_copies(const gwf_route *r)
{
    float *const values = r->values;
    for (const copy *c = r->copies; c < r->copies + r->n_copies; c++)
        for (size_t k = 0; k < (size_t)r->rows; k++)
            memcpy(values + c->to.first + k * c->to.stride,
                   values + c->from.first + k * c->from.stride,
                   (size_t)c->from.run * sizeof *values);
}

#ifdef GWF_HAVE_MPI

static gwf_status request_peer(gwf_route *r, const layout *l, int rank, gwf_error *err)
{
    const MPI_Comm mpi = r->comm->mpi;
    const int sent = count_of(&l->plan.sends, rank) * r->rows;
    const int received = count_of(&l->plan.receives, rank) * r->rows;
    if (received)
        GWF_TRY(gwf_mpi_check(MPI_Recv_init(r->values + l->from[rank], received, MPI_FLOAT, rank,
                                            GWF_TAG_ROUTE, mpi, &r->requests[r->n_requests++]),
                              "MPI_Recv_init", err));
    if (sent)
        GWF_TRY(gwf_mpi_check(MPI_Send_init(r->values + l->to[rank], sent, MPI_FLOAT, rank,
                                            GWF_TAG_ROUTE, mpi, &r->requests[r->n_requests++]),
                              "MPI_Send_init", err));
    return GWF_OK;
}

/* Each rank begins with the next one: not all with the first. */
static gwf_status make_requests(gwf_route *r, const layout *l, gwf_error *err)
{
    const int ranks = r->comm->size;
    r->requests = calloc(2 * (size_t)ranks, sizeof *r->requests);
    if (!r->requests) return gwf_fail(err, GWF_ERR_MEMORY, "no memory for %d requests", 2 * ranks);
    for (int i = 0; i < 2 * ranks; i++) r->requests[i] = MPI_REQUEST_NULL;
    for (int i = 1; i < ranks; i++) GWF_TRY(request_peer(r, l, (r->comm->rank + i) % ranks, err));
    return GWF_OK;
}

static void release(gwf_route *r)
{
    for (int i = 0; i < r->n_requests; i++)
        if (r->requests[i] != MPI_REQUEST_NULL) MPI_Request_free(&r->requests[i]);
    free(r->requests);
}

gwf_status gwf_route_begin(gwf_route *route, gwf_error *err)
{
    make_copies(route);
    if (route->n_requests == 0) return GWF_OK; /* alone, perhaps without MPI */
    return gwf_mpi_check(MPI_Startall(route->n_requests, route->requests), "sending columns", err);
}

gwf_status gwf_route_end(gwf_route *route, gwf_error *err)
{
    if (route->n_requests == 0) return GWF_OK;
    return gwf_mpi_check(MPI_Waitall(route->n_requests, route->requests, MPI_STATUSES_IGNORE),
                         "receiving columns", err);
}

#else

static gwf_status make_requests(gwf_route *r, const layout *l, gwf_error *err)
{
    (void)r;
    (void)l;
    (void)err;
    return GWF_OK;
}

static void release(gwf_route *r)
{
    (void)r;
}

gwf_status gwf_route_begin(gwf_route *route, gwf_error *err)
{
    (void)err;
    make_copies(route);
    return GWF_OK;
}

gwf_status gwf_route_end(gwf_route *route, gwf_error *err)
{
    (void)route;
    (void)err;
    return GWF_OK;
}
#endif

/* --- making --------------------------------------------------------------------------------- */

static gwf_status fill(gwf_route *r, layout *l, gwf_error *err)
{
    GWF_TRY(place_messages(r, l, err));
    GWF_TRY(reserve(r, l, err));
    make_places(r, l);
    return make_requests(r, l, err);
}

gwf_status gwf_route_create(const gwf_comm *comm, const gwf_route_ids *ids, int rows,
                            gwf_route **route, gwf_error *err)
{
    layout l = {.ids = ids};
    gwf_route *r = calloc(1, sizeof *r);
    *route = r;
    gwf_status status = r ? GWF_OK : gwf_fail(err, GWF_ERR_MEMORY, "no memory for an exchange");
    GWF_TRY_DONE(gwf_agree(comm, status, err));
    r->comm = comm;
    r->rows = rows;
    GWF_TRY_DONE(gwf_route_plan_create(comm, ids, &l.plan, err));
    GWF_TRY_DONE(gwf_agree(comm, fill(r, &l, err), err));
done:
    gwf_route_plan_free(&l.plan);
    free(l.to);
    free(l.from);
    if (status != GWF_OK) gwf_route_free(route);
    return status;
}

void gwf_route_free(gwf_route **route)
{
    gwf_route *r = *route;
    if (!r) return;
    release(r);
    free(r->values);
    free(r->out);
    free(r->in);
    free(r->copies);
    free(r);
    *route = NULL;
}
