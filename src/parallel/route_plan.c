#include "parallel/route_plan.h"

#include <stdio.h>
#include <stdlib.h>

enum { NOBODY = -1 };

/* --- this rank's own ids -------------------------------------------------------------------- */

static int by_id(const void *a, const void *b)
{
    const gwf_item *x = a, *y = b;
    return x->id != y->id ? (x->id > y->id) - (x->id < y->id) : (x->at > y->at) - (x->at < y->at);
}

/* The caller frees, on failure too. */
static gwf_status sort(const gwf_route_ids *ids, int n, const int *list, gwf_item **items,
                       gwf_error *err)
{
    *items = calloc(n ? (size_t)n : 1, sizeof **items);
    if (!*items) return gwf_fail(err, GWF_ERR_MEMORY, "no memory for %d columns", n);
    for (int i = 0; i < n; i++) {
        if (list[i] < 0 || list[i] >= ids->total)
            return gwf_fail(err, GWF_ERR_DATA, "column id %lld, expected 1 to %d",
                            (long long)list[i] + 1, ids->total);
        (*items)[i] = (gwf_item){list[i], i};
    }
    qsort(*items, (size_t)n, sizeof **items, by_id);
    return GWF_OK;
}

static gwf_status sort_both(const gwf_route_ids *ids, gwf_route_plan *plan, gwf_error *err)
{
    GWF_TRY(sort(ids, ids->n_have, ids->have, &plan->have, err));
    GWF_TRY(sort(ids, ids->n_want, ids->want, &plan->want, err));
    for (int i = 1; i < ids->n_want; i++)
        if (plan->want[i].id == plan->want[i - 1].id)
            return gwf_fail(err, GWF_ERR_INTERNAL, "id %d is wanted twice", plan->want[i].id);
    return GWF_OK;
}

/* --- blocks of ids, one a rank -------------------------------------------------------------- */

typedef struct block {
    const gwf_comm *comm;
    const gwf_route_ids *ids;
    int each;         /* ids of a block; the last ones may have fewer or none */
    int first, count; /* this rank's */
    int *holder;      /* (count) the rank that has the id, or NOBODY; owned */
} block;

static gwf_status make_block(const gwf_comm *comm, const gwf_route_ids *ids, block *b,
                             gwf_error *err)
{
    const int ranks = gwf_comm_size(comm), total = ids->total;
    const long long each = ((long long)total + ranks - 1) / ranks;
    const long long first = each * gwf_comm_rank(comm), left = total - first;
    *b = (block){.comm = comm, .ids = ids, .each = each ? (int)each : 1};
    b->count = left < 0 ? 0 : (int)(left < each ? left : each);
    b->first = b->count ? (int)first : 0;
    b->holder = calloc(b->count ? (size_t)b->count : 1, sizeof *b->holder);
    if (!b->holder) return gwf_fail(err, GWF_ERR_MEMORY, "no memory for %d ids", b->count);
    for (int i = 0; i < b->count; i++) b->holder[i] = NOBODY;
    return GWF_OK;
}

/* A message that names its ranks needs no "rank N: " before it, which would be the block's. */
static gwf_status refuse(const block *b, int id, const char *where, gwf_error *err)
{
    char name[256];
    snprintf(name, sizeof name, "column %d", id + 1);
    if (b->ids->describe) b->ids->describe(b->ids->user, id, name, sizeof name);
    const gwf_status status = gwf_fail(err, GWF_ERR_DATA, "%s %s", name, where);
    if (err) err->agreed = 1;
    return status;
}

/* The first id that comes a second time is refused. */
static gwf_status find_holders(block *b, const gwf_lists *have, gwf_error *err)
{
    int twice = NOBODY, other = 0;
    char where[96];
    for (int r = 0; r < gwf_comm_size(b->comm); r++)
        for (int k = have->start[r]; k < have->start[r + 1]; k++) {
            const int id = have->value[k];
            int *holder = &b->holder[id - b->first];
            if (*holder == NOBODY) {
                *holder = r;
            } else if (twice == NOBODY || id < twice) {
                twice = id;
                other = r;
            }
        }
    if (twice == NOBODY) return GWF_OK;
    const int one = gwf_comm_named(b->comm, b->holder[twice - b->first]);
    const int two = gwf_comm_named(b->comm, other);
    if (one == two)
        snprintf(where, sizeof where, "is registered twice on rank %d", one);
    else
        snprintf(where, sizeof where, "is registered on rank %d and on rank %d", one, two);
    return refuse(b, twice, where, err);
}

static gwf_status find_missing(const block *b, const gwf_lists *want, gwf_error *err)
{
    int missing = NOBODY, asks = NOBODY;
    char where[96];
    for (int r = 0; r < gwf_comm_size(b->comm); r++)
        for (int k = want->start[r]; k < want->start[r + 1]; k++) {
            const int id = want->value[k];
            if (b->holder[id - b->first] != NOBODY || (missing != NOBODY && id >= missing))
                continue;
            missing = id;
            asks = r;
        }
    for (int i = 0; b->ids->complete && i < b->count; i++)
        if (b->holder[i] == NOBODY) return refuse(b, b->first + i, "is on no rank", err);
    if (missing == NOBODY) return GWF_OK;
    snprintf(where, sizeof where, "is on no rank, but rank %d needs it",
             gwf_comm_named(b->comm, asks));
    return refuse(b, missing, where, err);
}

/* --- meeting -------------------------------------------------------------------------------- */

/* To the rank of each id's block, in order: blocks rise with the ranks. */
static gwf_status ask(const block *b, const gwf_item *items, int n, gwf_lists *arrived,
                      gwf_error *err)
{
    gwf_lists out = {0};
    gwf_status status = gwf_lists_create(b->comm, (size_t)n, &out, err);
    GWF_TRY_DONE(gwf_agree(b->comm, status, err));
    for (int i = 0; i < n; i++) {
        out.value[i] = items[i].id;
        out.start[items[i].id / b->each + 1]++;
    }
    for (int r = 0; r < gwf_comm_size(b->comm); r++) out.start[r + 1] += out.start[r];
    GWF_TRY_DONE(gwf_lists_pass(b->comm, &out, arrived, err));
done:
    gwf_lists_free(&out);
    return status;
}

/* Each id that was asked for becomes the rank that has it. */
static gwf_status answer(const block *b, gwf_lists *asked, gwf_lists *holders, gwf_error *err)
{
    for (int k = 0; k < asked->start[gwf_comm_size(b->comm)]; k++)
        asked->value[k] = b->holder[asked->value[k] - b->first];
    return gwf_lists_pass(b->comm, asked, holders, err);
}

/* Ids by the rank that has them; holder: of each item. */
static void group(const gwf_item *items, const int *holder, int n, int ranks, gwf_lists *lists)
{
    int *start = lists->start;
    for (int i = 0; i < n; i++) start[holder[i] + 1]++;
    for (int r = 0; r < ranks; r++) start[r + 1] += start[r];
    for (int i = 0; i < n; i++) lists->value[start[holder[i]]++] = items[i].id;
    for (int r = ranks; r > 0; r--) start[r] = start[r - 1];
    start[0] = 0;
}

static gwf_status meet(block *b, gwf_route_plan *plan, gwf_error *err)
{
    const int n_want = b->ids->n_want;
    gwf_lists have = {0}, want = {0}, holders = {0};
    gwf_status status = GWF_OK;
    GWF_TRY_DONE(ask(b, plan->have, b->ids->n_have, &have, err));
    GWF_TRY_DONE(ask(b, plan->want, n_want, &want, err));
    status = find_holders(b, &have, err);
    if (status == GWF_OK) status = find_missing(b, &want, err);
    GWF_TRY_DONE(gwf_agree(b->comm, status, err));
    GWF_TRY_DONE(answer(b, &want, &holders, err));
    status = gwf_lists_create(b->comm, (size_t)n_want, &plan->receives, err);
    GWF_TRY_DONE(gwf_agree(b->comm, status, err));
    group(plan->want, holders.value, n_want, gwf_comm_size(b->comm), &plan->receives);
    GWF_TRY_DONE(gwf_lists_pass(b->comm, &plan->receives, &plan->sends, err));
done:
    gwf_lists_free(&have);
    gwf_lists_free(&want);
    gwf_lists_free(&holders);
    return status;
}

gwf_status gwf_route_plan_create(const gwf_comm *comm, const gwf_route_ids *ids,
                                 gwf_route_plan *plan, gwf_error *err)
{
    block b = {0};
    *plan = (gwf_route_plan){0};
    gwf_status status = sort_both(ids, plan, err);
    if (status == GWF_OK) status = make_block(comm, ids, &b, err);
    status = gwf_agree(comm, status, err);
    if (status == GWF_OK) status = meet(&b, plan, err);
    free(b.holder);
    return status;
}

void gwf_route_plan_free(gwf_route_plan *plan)
{
    free(plan->have);
    free(plan->want);
    gwf_lists_free(&plan->sends);
    gwf_lists_free(&plan->receives);
    *plan = (gwf_route_plan){0};
}
