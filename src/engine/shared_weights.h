/* One copy of the packed weights for the ranks of a node.
 *
 * Every rank packs its weights by itself, as its tile wants them. Blocks that two or more ranks
 * have, told by size and SHA-256, move to a segment that all of them read; what a rank has alone
 * stays where it is. Nothing else changes, least of all a result. */
#ifndef GWF_ENGINE_SHARED_WEIGHTS_H
#define GWF_ENGINE_SHARED_WEIGHTS_H

#include "core/log.h"
#include "engine/plan.h"
#include "parallel/shared_memory.h"

typedef struct gwf_shared_weights {
    gwf_shared_memory segment; /* owned; the plan reads it */
    size_t bytes;              /* of all packed weights that the plan reads */
    size_t shared;             /* of these, in the segment */
    int ranks;                 /* of the node */
} gwf_shared_weights;

/* Once, after every rank of `node` has its plan. Where the system has no shared memory for it all
 * keep their own, with a message to the log (may be NULL). On failure the plan is of no use.
 * Collective and agreed. */
gwf_status gwf_weights_share_node(gwf_plan *plan, const gwf_comm *node, const gwf_log *log,
                                  gwf_shared_weights *shared, gwf_error *err);
/* After the plan is freed. Local; {0} is fine. */
void gwf_shared_weights_free(gwf_shared_weights *shared);

#endif
