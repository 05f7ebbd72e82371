/* Who has the ids that a rank wants: they meet at the rank that keeps a block of ids. */
#ifndef GWF_PARALLEL_ROUTE_PLAN_H
#define GWF_PARALLEL_ROUTE_PLAN_H

#include "parallel/lists.h"
#include "parallel/route.h"

/* An id and its place in the list it is from. */
typedef struct gwf_item {
    int id, at;
} gwf_item;

typedef struct gwf_route_plan {
    gwf_item *have, *want;     /* by rising ids; owned, as all below */
    gwf_lists sends, receives; /* ids that go to each rank and that come from it, rising */
} gwf_route_plan;

/* Collective and agreed; errors as gwf_route_create(). The caller frees, on failure too. */
gwf_status gwf_route_plan_create(const gwf_comm *comm, const gwf_route_ids *ids,
                                 gwf_route_plan *plan, gwf_error *err);
void gwf_route_plan_free(gwf_route_plan *plan);

#endif
