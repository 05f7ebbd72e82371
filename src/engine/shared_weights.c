#include "engine/shared_weights.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/checksum.h"
#include "core/size.h"

enum { ALIGNMENT = 4096 };

/* A block of packed weights. */
typedef struct block {
    char sum[GWF_CHECKSUM_TEXT];
    int rank;             /* that has it, the first of those that do */
    int holders;          /* of the same values */
    size_t bytes, offset; /* in the segment; holders 1: not there */
} block;

typedef struct list {
    block *blocks; /* owned */
    size_t n;
} list;

/* --- this rank's blocks ---------------------------------------------------------------------- */

/* What goes through the plan's blocks, in their order. */
typedef struct tour {
    list *mine;
    size_t at; /* block that comes next */
    const gwf_shared_memory *segment;
    int rank;
    gwf_status status;
    gwf_error *err;
} tour;

static void *count(void *user, void *weights, size_t bytes)
{
    gwf_shared_weights *shared = user;
    (void)weights;
    shared->bytes += bytes;
    return weights;
}

static void *look(void *user, void *weights, size_t bytes)
{
    tour *t = user;
    list *mine = t->mine;
    if (t->status != GWF_OK) return weights;
    block *grown = realloc(mine->blocks, (mine->n + 1) * sizeof *grown);
    if (!grown) {
        t->status = gwf_fail(t->err, GWF_ERR_MEMORY, "no memory for a list of weights");
        return weights;
    }
    mine->blocks = grown;
    block *b = &grown[mine->n++];
    *b = (block){.rank = t->rank, .bytes = bytes, .holders = 1};
    t->status = gwf_checksum_bytes(weights, bytes, b->sum, t->err);
    return weights;
}

static gwf_status list_mine(gwf_plan *plan, const gwf_comm *node, list *mine, gwf_error *err)
{
    tour t = {.mine = mine, .rank = gwf_comm_rank(node), .err = err};
    GWF_TRY(gwf_plan_weights(plan, look, &t, err));
    return t.status;
}

/* Whoever has it first writes it. */
static void *write_block(void *user, void *weights, size_t bytes)
{
    tour *t = user;
    const block *b = &t->mine->blocks[t->at++];
    if (b->holders > 1 && b->rank == t->rank)
        memcpy(t->segment->memory + b->offset, weights, bytes);
    return weights;
}

static void *move_block(void *user, void *weights, size_t bytes)
{
    tour *t = user;
    const block *b = &t->mine->blocks[t->at++];
    (void)bytes;
    return b->holders > 1 ? t->segment->memory + b->offset : weights;
}

/* --- everyone's blocks ----------------------------------------------------------------------- */

static block *find(const list *all, const block *b)
{
    for (size_t i = 0; i < all->n; i++)
        if (all->blocks[i].bytes == b->bytes && strcmp(all->blocks[i].sum, b->sum) == 0)
            return &all->blocks[i];
    return NULL;
}

/* In place: each block once, with the number of its holders and its place in the segment. */
static void merge(list *all)
{
    list once = {all->blocks, 0};
    size_t end = 0;
    for (size_t i = 0; i < all->n; i++) {
        block *known = find(&once, &all->blocks[i]);
        if (known)
            known->holders++;
        else
            once.blocks[once.n++] = all->blocks[i];
    }
    for (size_t i = 0; i < once.n; i++) {
        once.blocks[i].offset = end;
        if (once.blocks[i].holders > 1) end += gwf_size_round_up(once.blocks[i].bytes, ALIGNMENT);
    }
    all->n = once.n;
}

/* The same list on every rank. */
static gwf_status gather(const gwf_comm *node, const list *mine, list *all, gwf_error *err)
{
    double blocks = (double)mine->n;
    GWF_TRY(gwf_comm_sum(node, &blocks, 1, err));
    *all = (list){calloc((size_t)blocks + 1, sizeof *all->blocks), (size_t)blocks};
    gwf_status status =
        all->blocks ? GWF_OK : gwf_fail(err, GWF_ERR_MEMORY, "no memory for a list of weights");
    GWF_TRY(gwf_agree(node, status, err));
    GWF_TRY(gwf_comm_gather(node, mine->blocks, mine->n * sizeof *mine->blocks, all->blocks, err));
    if (gwf_comm_rank(node) == 0) merge(all);
    GWF_TRY(gwf_comm_broadcast(node, &all->n, sizeof all->n, 0, err));
    return gwf_comm_broadcast(node, all->blocks, all->n * sizeof *all->blocks, 0, err);
}

/* What is known of this rank's blocks now; bytes of the segment and of what is read from it. */
static size_t place(const list *all, list *mine, gwf_shared_weights *shared)
{
    size_t bytes = 0;
    for (size_t i = 0; i < all->n; i++)
        if (all->blocks[i].holders > 1)
            bytes = all->blocks[i].offset + gwf_size_round_up(all->blocks[i].bytes, ALIGNMENT);
    for (size_t i = 0; i < mine->n; i++) {
        mine->blocks[i] = *find(all, &mine->blocks[i]);
        if (mine->blocks[i].holders > 1) shared->shared += mine->blocks[i].bytes;
    }
    return bytes;
}

/* --- sharing --------------------------------------------------------------------------------- */

/* From the plan's memory to the segment's. */
static gwf_status move(gwf_plan *plan, const gwf_comm *node, list *mine, gwf_shared_memory *segment,
                       gwf_error *err)
{
    tour t = {.mine = mine, .segment = segment, .rank = gwf_comm_rank(node)};
    gwf_status status = gwf_plan_weights(plan, write_block, &t, err);
    GWF_TRY(gwf_agree(node, status, err));
    t.at = 0;
    status = gwf_plan_weights(plan, move_block, &t, err);
    GWF_TRY(gwf_agree(node, status, err));
    return gwf_shared_memory_seal(node, segment, err);
}

static gwf_status share(gwf_plan *plan, const gwf_comm *node, const gwf_log *log, list *mine,
                        list *all, gwf_shared_weights *shared, gwf_error *err)
{
    gwf_error why = {0};
    GWF_TRY(gwf_agree(node, list_mine(plan, node, mine, err), err));
    GWF_TRY(gather(node, mine, all, err));
    const size_t bytes = place(all, mine, shared);
    if (!bytes) return GWF_OK;
    if (gwf_shared_memory_create(node, bytes, &shared->segment, &why) != GWF_OK) {
        gwf_log_line(log, "%s: each of %d ranks keeps its own weights", why.text, shared->ranks);
        shared->shared = 0;
        return GWF_OK;
    }
    return move(plan, node, mine, &shared->segment, err);
}

gwf_status gwf_weights_share_node(gwf_plan *plan, const gwf_comm *node, const gwf_log *log,
                                  gwf_shared_weights *shared, gwf_error *err)
{
    list mine = {0}, all = {0};
    *shared = (gwf_shared_weights){.ranks = node ? gwf_comm_size(node) : 1};
    gwf_status status = gwf_plan_weights(plan, count, shared, err);
    if (shared->ranks == 1) return status;
    status = gwf_agree(node, status, err);
    if (status == GWF_OK) status = share(plan, node, log, &mine, &all, shared, err);
    free(mine.blocks);
    free(all.blocks);
    return status;
}

void gwf_shared_weights_free(gwf_shared_weights *shared)
{
    gwf_shared_memory_free(&shared->segment);
    *shared = (gwf_shared_weights){0};
}
