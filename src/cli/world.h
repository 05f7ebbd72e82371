/* The ranks that one call of the command consists of, and how they are grouped: those that compute
 * one map together (its tiles), and the leaders of these groups, which share the steps. Started
 * without a launcher: one rank, no MPI. */
#ifndef GWF_CLI_WORLD_H
#define GWF_CLI_WORLD_H

#include "core/log.h"
#include "core/option.h"
#include "parallel/comm.h"

typedef struct world {
    gwf_comm *all;
    gwf_comm *node;    /* ranks that share this one's memory */
    gwf_comm *map;     /* ranks of this one's map; rank 0 leads */
    gwf_comm *leaders; /* NULL on ranks that do not lead */
    gwf_log log;       /* of rank 0; the others' says nothing */
} world;

/* Start MPI where a launcher did, divide the node's cores (options->threads is set) and GPUs
 * (options->device_rank, device_ranks). Collective. On failure too *w can be ended. asked: how
 * reading the arguments ended, with err; a failure on any rank is returned on all. */
gwf_status world_begin(world *w, gwf_options *options, gwf_status asked, gwf_error *err);

/* Groups of ranks_per_map ranks, 0: all. MISMATCH when they do not come out even. */
gwf_status world_group(world *w, int ranks_per_map, gwf_error *err);

/* Everyone's status is the first failure's; see gwf_agree. */
gwf_status world_agree(const world *w, gwf_status mine, gwf_error *err);

/* Is this the rank that talks to the user? Before world_begin too. */
bool world_speaks(const world *w);
/* report() by that rank; the exit code on all. */
int world_report(const world *w, gwf_status status, const gwf_error *err);

void world_end(world *w);

#endif
