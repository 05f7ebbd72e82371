/* The engine behind gwflux.h, for the rooms inside: a model and, once the grid is known, its plan
 * on a backend. */
#ifndef GWF_COUPLING_ENGINE_H
#define GWF_COUPLING_ENGINE_H

#include <signal.h>
#include <stdbool.h>

#include "backend/backend.h"
#include "core/error.h"
#include "core/log.h"
#include "core/option.h"
#include "engine/plan.h"
#include "engine/shared_weights.h"
#include "model/model.h"
#include "parallel/tiles.h"

/* How one map is shared by several ranks; all zero when it is not. */
typedef struct gwf_share {
    gwf_tiles tiles;     /* comm NULL: the map is whole */
    gwf_mover *in, *out; /* owned, as are the tiles' values */
    float *features, *prediction;
} gwf_share;

/* The domain of an engine's maps, and the ranks that compute one together (comm NULL: this one
 * alone; borrowed, as long as the engine lives). */
typedef struct gwf_domain {
    int nlat, nlon;
    const gwf_comm *comm;
    gwf_tiling tiling;
    bool tiles_only;      /* no rank has whole maps: gwf_engine_run_tile() */
    bool many;            /* there are maps enough for batches of the best size */
    const gwf_comm *node; /* ranks of this node that plan the same network at the same time, and
                           * hold its weights once; NULL: this one alone; borrowed by the call */
} gwf_domain;

struct gwf_engine {
    gwf_model model;
    const gwf_backend *backend;
    gwf_context *context;
    gwf_plan *plan;
    int nlat, nlon; /* of the whole map */
    int batch;      /* maps computed at once */
    int threads;    /* of the host, for what surrounds the network */
    gwf_share share;
    gwf_shared_weights weights;
    bool lacks_weights;    /* the model's tensors are zero: gwf_engine_spread_weights() */
    char model_path[1024]; /* for messages */
    char description[512];
    gwf_error error;
};

/* First half of gwf_create(): the model file, read and checked. */
gwf_status gwf_engine_load(gwf_engine *engine, const char *model_path, const gwf_log *log);

/* The same by the ranks of a node. Weights are read by the first rank only, and by those whose file
 * of that name is another one; all have everything else. Collective over node and agreed. */
gwf_status gwf_engine_load_node(gwf_engine *engine, const gwf_comm *node, const char *model_path,
                                const gwf_log *log);
/* Afterwards, before gwf_engine_plan(): the first rank's weights to those that want them and have
 * none; ranks that want none have none then. Collective over node and agreed. */
gwf_status gwf_engine_spread_weights(gwf_engine *engine, const gwf_comm *node, bool wanted);

/* Second half, once: backend and plan for a grid; the model's weights are given back to the system.
 * Local but for the ranks of one map and those of grid->node, which all call it and agree on how it
 * ended. */
gwf_status gwf_engine_plan(gwf_engine *engine, const gwf_options *options, const gwf_domain *grid,
                           const gwf_log *log);

/* `count` maps, 1 to engine->batch, through the plan: features[i] (inputs, nlat, nlon),
 * predictions[i] (outputs, nlat, nlon), unchecked. Where several ranks compute it, rank 0 calls
 * this while the others serve; a failure on one is the result of all. */
gwf_status gwf_engine_run(gwf_engine *engine, int count, const float *const *features,
                          float *const *predictions, gwf_error *err);

/* The same where every rank has its tile of the map: features (inputs, rows, cols) and prediction
 * likewise of the tile, or of the whole map where nothing is shared. Collective over the ranks of
 * the map, which agree on how it ended. */
gwf_status gwf_engine_run_tile(gwf_engine *engine, const float *features, float *prediction,
                               gwf_error *err);

/* The other ranks of a map: compute tiles until rank 0 dismisses. The first failure is returned at
 * the end; local where nothing is shared. stop (may be NULL): not 0, the next map fails with
 * STOPPED on all its ranks. */
gwf_status gwf_engine_serve(gwf_engine *engine, const volatile sig_atomic_t *stop, gwf_error *err);
gwf_status gwf_engine_dismiss(gwf_engine *engine, gwf_error *err);

/* Values of one map of a table's channels. */
size_t gwf_engine_map_size(const gwf_engine *engine, const gwf_channel_table *table);
/* DATA, to the engine's message, for a value of one map that is not finite: what it is, its
 * channel, row and column. */
gwf_status gwf_engine_check(gwf_engine *engine, const char *what, const gwf_channel_table *table,
                            const float *values);

/* Where the first value that is not finite stands; false when all are. n values. */
bool gwf_find_non_finite(const float *values, size_t n, size_t *where);

/* Normalised output (outputs, nlat, nlon) to fluxes, in place allowed; whether all are finite. On
 * the engine's threads. */
bool gwf_engine_fluxes(const gwf_engine *engine, const float *prediction, float *flux);

#endif
