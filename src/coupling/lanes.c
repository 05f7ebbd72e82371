#include "coupling/lanes.h"

#include <stdlib.h>

gwf_status gwf_engine_scale(gwf_engine *engine, gwf_error *err)
{
    const gwf_channel_table *out = &engine->model.out;
    gwf_scale *scales = calloc((size_t)out->count, sizeof *scales);
    if (!scales) return gwf_fail(err, GWF_ERR_MEMORY, "no memory for the scales of fluxes");
    for (int i = 0; i < out->count; i++)
        scales[i] = (gwf_scale){.mu = out->channels[i].mu,
                                .d = out->channels[i].d,
                                .cubed = out->channels[i].transform == GWF_CUBE_ROOT};
    const gwf_status status = gwf_plan_scale(engine->plan, scales, out->count, err);
    free(scales);
    return status;
}

/* A batch of a passage: its first map, and how many. */
static int first_of(const gwf_engine *engine, int batch)
{
    return batch * engine->batch;
}

static int count_of(const gwf_engine *engine, const gwf_passage *p, int batch)
{
    const int left = p->n - first_of(engine, batch);
    return left < engine->batch ? left : engine->batch;
}

static gwf_status begin(gwf_engine *engine, const gwf_passage *p, int batch, int lane)
{
    const float *in[GWF_MAX_BATCH];
    float *out[GWF_MAX_BATCH];
    const gwf_maps maps = {.count = count_of(engine, p, batch),
                           .inputs = in,
                           .outputs = out,
                           .physical = p->physical,
                           .follows = p->follows && batch == 0,
                           .stream = p->stream};
    for (int i = 0; i < maps.count; i++) {
        const size_t map = (size_t)(first_of(engine, batch) + i);
        in[i] = p->features + map * gwf_engine_map_size(engine, &engine->model.in);
        out[i] = p->results + map * gwf_engine_map_size(engine, &engine->model.out);
    }
    return gwf_plan_begin(engine->plan, lane, &maps, &engine->error);
}

/* What a device has seen in a batch by name: its maps are looked through on the host. */
static gwf_status name_value(gwf_engine *engine, const gwf_passage *p, int batch, bool output)
{
    const gwf_channel_table *table = output ? &engine->model.out : &engine->model.in;
    const size_t size = gwf_engine_map_size(engine, table);
    const float *values = output ? p->results : p->features;
    const char *what = !output ? "feature" : p->physical ? "flux" : "prediction";
    float *map = malloc(size * sizeof *map);
    gwf_status status = GWF_OK;
    if (!map) return gwf_fail(&engine->error, GWF_ERR_MEMORY, "no memory for a map");
    for (int i = 0; i < count_of(engine, p, batch) && status == GWF_OK; i++) {
        const int number = first_of(engine, batch) + i;
        GWF_TRY_DONE(engine->backend->device->copy(engine->context, map,
                                                   values + (size_t)number * size,
                                                   size * sizeof *map, &engine->error));
        status = gwf_engine_check(engine, what, table, map);
        if (status != GWF_OK && p->n > 1)
            gwf_error_prefix(&engine->error, "map %d of %d", number + 1, p->n);
    }
    if (status == GWF_OK)
        status = gwf_fail(&engine->error, GWF_ERR_DATA, "a %s was not finite on the device", what);
done:
    free(map);
    return status;
}

static gwf_status end(gwf_engine *engine, const gwf_passage *p, int batch, int lane)
{
    unsigned seen = 0;
    GWF_TRY(gwf_plan_end(engine->plan, lane, &seen, &engine->error));
    if (seen & GWF_SEEN_INPUT) return name_value(engine, p, batch, false);
    if (seen & GWF_SEEN_OUTPUT) return name_value(engine, p, batch, true);
    return GWF_OK;
}

/* As many batches as there are lanes are under way; after a failure those that are, are waited for.
 */
gwf_status gwf_engine_pass(gwf_engine *engine, const gwf_passage *p)
{
    const int lanes = gwf_plan_lanes(engine->plan);
    const int batches = (p->n + engine->batch - 1) / engine->batch;
    gwf_status status = GWF_OK;
    int begun = 0, ended = 0;
    while (status == GWF_OK && ended < batches) {
        if (begun < batches && begun - ended < lanes) {
            status = begin(engine, p, begun, begun % lanes);
            if (status == GWF_OK) begun++;
        } else {
            status = end(engine, p, ended, ended % lanes);
            ended++;
        }
    }
    for (unsigned seen; ended < begun; ended++)
        gwf_plan_end(engine->plan, ended % lanes, &seen, NULL);
    return status;
}
