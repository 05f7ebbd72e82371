#include "coupling/share.h"

#include <stdlib.h>

enum { DISMISS = 0, RUN = 1 }; /* what rank 0 orders */

static gwf_status rebuild(gwf_model *model, const gwf_domain *grid, gwf_error *err)
{
    const gwf_edges edges = {.padding = model->padding,
                             .cut_rows = grid->tiling.rows > 1,
                             .cut_cols = grid->tiling.cols > 1};
    gwf_network_free(&model->network);
    return gwf_network_build(&model->set, edges, NULL, &model->network, err);
}

gwf_status gwf_share_create(gwf_model *model, const gwf_domain *grid, gwf_share *share,
                            gwf_error *err)
{
    GWF_TRY(rebuild(model, grid, err));
    const gwf_network *n = &model->network;
    gwf_tiles_place(grid->comm, grid->tiling, grid->nlat, grid->nlon, n->wraps, &share->tiles);
    if (grid->tiles_only) return GWF_OK;
    GWF_TRY(gwf_mover_create(&share->tiles, n->inputs, &share->in, err));
    GWF_TRY(gwf_mover_create(&share->tiles, n->outputs, &share->out, err));
    const size_t points = (size_t)share->tiles.mine.rows * (size_t)share->tiles.mine.cols;
    share->features = malloc(points * (size_t)n->inputs * sizeof(float));
    share->prediction = malloc(points * (size_t)n->outputs * sizeof(float));
    if (share->features && share->prediction) return GWF_OK;
    return gwf_fail(err, GWF_ERR_MEMORY, "no memory for a tile of %zu points", points);
}

void gwf_share_free(gwf_share *share)
{
    gwf_mover_free(&share->in);
    gwf_mover_free(&share->out);
    free(share->features);
    free(share->prediction);
    *share = (gwf_share){0};
}

static bool asked_to(const volatile sig_atomic_t *stop)
{
    return stop && *stop;
}

gwf_status gwf_engine_run_tile(gwf_engine *engine, const float *features, float *prediction,
                               gwf_error *err)
{
    const gwf_comm *comm = engine->share.tiles.comm;
    const gwf_status status = gwf_plan_run(engine->plan, 1, &features, &prediction, err);
    return comm ? gwf_agree(comm, status, err) : status;
}

/* Every rank's part of one map. All agree before the results are collected. */
static gwf_status run_tile(gwf_engine *engine, const float *features, float *prediction,
                           const volatile sig_atomic_t *stop, gwf_error *err)
{
    gwf_share *share = &engine->share;
    GWF_TRY(gwf_mover_scatter(share->in, features, share->features, err));
    const float *const in[] = {share->features};
    float *const out[] = {share->prediction};
    gwf_status status = gwf_plan_run(engine->plan, 1, in, out, err);
    if (status == GWF_OK && asked_to(stop))
        status = gwf_fail(err, GWF_ERR_STOPPED, "stopped on request");
    GWF_TRY(gwf_agree(share->tiles.comm, status, err));
    return gwf_mover_gather(share->out, share->prediction, prediction, err);
}

gwf_status gwf_engine_run(gwf_engine *engine, int count, const float *const *features,
                          float *const *predictions, gwf_error *err)
{
    int order = RUN;
    const gwf_comm *comm = engine->share.tiles.comm;
    if (!comm) return gwf_plan_run(engine->plan, count, features, predictions, err);
    GWF_TRY(gwf_comm_order(comm, &order, err));
    return run_tile(engine, features[0], predictions[0], NULL, err);
}

gwf_status gwf_engine_serve(gwf_engine *engine, const volatile sig_atomic_t *stop, gwf_error *err)
{
    gwf_status first = GWF_OK;
    const gwf_comm *comm = engine->share.tiles.comm;
    for (int order = RUN; comm;) {
        GWF_TRY(gwf_comm_order(comm, &order, err));
        if (order == DISMISS) break;
        const gwf_status status = run_tile(engine, NULL, NULL, stop, first == GWF_OK ? err : NULL);
        if (first == GWF_OK) first = status;
    }
    return first;
}

gwf_status gwf_engine_dismiss(gwf_engine *engine, gwf_error *err)
{
    int order = DISMISS;
    const gwf_comm *comm = engine->share.tiles.comm;
    return comm ? gwf_comm_order(comm, &order, err) : GWF_OK;
}
