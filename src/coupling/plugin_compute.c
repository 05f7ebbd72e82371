/* From the fields that arrived to tendencies, in the thread of the host or of the worker beside it:
 * what needs no word with ranks that do something else. */
#include <string.h>

#include "core/clock.h"
#include "coupling/plugin_internal.h"
#include "fields/threads.h"

/* --- to the network's grid ------------------------------------------------------------------ */

/* A slot's rows of the way in, on this rank's tile. */
static gwf_rows rows_of(const gwf_plugin *plugin, plugin_slot slot)
{
    return (gwf_rows){.values = gwf_route_values(plugin->transfer.in),
                      .first = plugin->row[slot],
                      .count = plugin->row[slot + 1] - plugin->row[slot]};
}

/* Where they are already what is wanted of them, n columns one beside the other; else NULL. */
static const float *view(const gwf_links *links, gwf_rows rows, int n)
{
    size_t stride = 0;
    const float *values = gwf_links_view(links, rows, &stride);
    return stride == (size_t)n ? values : NULL;
}

static void move_state(gwf_plugin *plugin)
{
    plugin_tile *tile = &plugin->tile;
    gwf_links *links = plugin->transfer.to_cells;
    const size_t stride = (size_t)tile->cells;
    const gwf_rows wind[2] = {rows_of(plugin, SLOT_U), rows_of(plugin, SLOT_V)};
    const bool pair = wind[0].count && wind[1].count;
    if (pair) gwf_links_apply_wind(links, wind, &tile->slot[SLOT_U], stride);
    for (int s = 0; s < SLOTS; s++) {
        const gwf_rows rows = rows_of(plugin, (plugin_slot)s);
        tile->state[s] = tile->slot[s];
        if (rows.count == 0 || (pair && s <= SLOT_V)) continue;
        gwf_links_apply(links, rows, tile->slot[s], stride);
    }
}

void plugin_take_state(gwf_plugin *plugin, bool beside)
{
    plugin_tile *tile = &plugin->tile;
    const gwf_links *links = plugin->transfer.to_cells;
    if (beside || !view(links, rows_of(plugin, SLOT_PS), tile->cells)) {
        move_state(plugin);
        return;
    }
    for (int s = 0; s < SLOTS; s++) {
        const gwf_rows rows = rows_of(plugin, (plugin_slot)s);
        tile->state[s] = rows.count ? view(links, rows, tile->cells) : NULL;
    }
}

/* --- the network ---------------------------------------------------------------------------- */

static gwf_state state_of(const gwf_plugin *plugin)
{
    const plugin_tile *tile = &plugin->tile;
    const bool warm = plugin->reads_temperature || tile->w;
    const float *temperature = warm ? tile->state[SLOT_TEMPERATURE] : NULL;
    return (gwf_state){
        .u = tile->state[SLOT_U],
        .v = tile->state[SLOT_V],
        .temperature = tile->theta ? NULL : temperature,
        .theta = tile->theta ? temperature : NULL,
        .omega = tile->w ? NULL : tile->state[SLOT_VERTICAL],
        .w = tile->w ? tile->state[SLOT_VERTICAL] : NULL,
        .a = plugin->a,
        .b = plugin->b,
        .pressure = tile->state[SLOT_P],
        .surface_pressure = tile->state[SLOT_PS],
        .zs = tile->state[SLOT_ZS],
    };
}

static void count_outside(gwf_plugin *plugin)
{
    plugin_tile *tile = &plugin->tile;
    const long *outside = gwf_prepare_outside(tile->prepare);
    tile->outside = 0;
    for (int i = 0; i < plugin->engine->model.in.count; i++) {
        tile->outside += (double)outside[i];
        tile->outside_sum[i] += (double)outside[i];
    }
}

/* Fluxes of the tile's cells to their places on the way back. */
static void give_fluxes(gwf_plugin *plugin)
{
    const plugin_tile *tile = &plugin->tile;
    const gwf_channel_table *out = &plugin->engine->model.out;
    const gwf_route_place *places = gwf_route_out(plugin->transfer.back);
    float *values = gwf_route_values(plugin->transfer.back);
    GWF_PARALLEL(plugin->options->threads)
    for (int i = 0; i < out->count; i++) {
        const gwf_channel *channel = &out->channels[i];
        const float *from = tile->prediction + (size_t)i * (size_t)tile->cells;
        for (int c = 0; c < tile->cells; c += places[c].run)
            if (places[c].first != GWF_NOWHERE)
                gwf_denormalise(channel->transform, channel->mu, channel->d, from + c,
                                values + places[c].first + (size_t)i * places[c].stride,
                                places[c].run);
    }
}

/* The ranks that compute agree. */
static void compute(gwf_plugin *plugin)
{
    plugin_tile *tile = &plugin->tile;
    const double start = gwf_now();
    const gwf_state state = state_of(plugin);
    tile->error = (gwf_error){0};
    tile->status = gwf_prepare_run(tile->prepare, &state, tile->features, &tile->error);
    tile->status = gwf_agree(tile->comm, tile->status, &tile->error);
    tile->prepare_seconds = gwf_now() - start;
    if (tile->status != GWF_OK) return;
    count_outside(plugin);
    tile->status =
        gwf_engine_run_tile(plugin->engine, tile->features, tile->prediction, &tile->error);
    tile->network_seconds = gwf_now() - start - tile->prepare_seconds;
    if (tile->status != GWF_OK) return;
    give_fluxes(plugin);
    tile->flux_seconds = gwf_now() - start - tile->prepare_seconds - tile->network_seconds;
}

/* --- back to the host ----------------------------------------------------------------------- */

/* uw and vw on the network's levels above the columns of this rank. */
static void take_fluxes(gwf_plugin *plugin)
{
    plugin_back *back = &plugin->back;
    gwf_links *links = plugin->transfer.to_columns;
    const int levels = plugin->engine->model.n_levels, n = plugin->columns.n;
    const float *values = gwf_route_values(plugin->transfer.back);
    const gwf_rows rows[2] = {{values, 0, levels}, {values, levels, levels}};
    for (int i = 0; i < 2; i++) back->flux[i] = view(links, rows[i], n);
    if (back->flux[0]) return;
    gwf_links_apply_wind(links, rows, plugin->flux, (size_t)n);
    for (int i = 0; i < 2; i++) back->flux[i] = plugin->flux[i];
}

static gwf_status send_fluxes(gwf_plugin *plugin)
{
    plugin_back *back = &plugin->back;
    GWF_TRY(gwf_route_begin(plugin->transfer.back, &back->error));
    return gwf_route_end(plugin->transfer.back, &back->error);
}

static void heat(gwf_plugin *plugin)
{
    const plugin_results *r = &plugin->fresh;
    const size_t n = (size_t)plugin->columns.n;
    GWF_PARALLEL(plugin->options->threads)
    for (int k = 0; k < plugin->levels; k++) {
        const size_t at = (size_t)k * n;
        const size_t theirs = (size_t)(plugin->bottom_up ? plugin->levels - 1 - k : k) * n;
        gwf_drag_heating(n, plugin->wind[1][0] + theirs, plugin->wind[1][1] + theirs, r->du + at,
                         r->dv + at, plugin->step, r->dt + at);
    }
}

static void find_tendencies(gwf_plugin *plugin)
{
    const plugin_results *r = &plugin->fresh;
    const gwf_drag_columns columns = {
        .n = plugin->columns.n,
        .p_half = plugin->p_half[1],
        .flux_u = plugin->back.flux[0],
        .flux_v = plugin->back.flux[1],
        .mask = plugin->masked[1] ? plugin->mask[1] : NULL,
        .du = r->du,
        .dv = r->dv,
        .half_u = r->half_u,
        .half_v = r->half_v,
    };
    gwf_drag_run(plugin->drag, &columns, &plugin->back.counted);
    if (r->dt) heat(plugin);
}

static bool is_finite(const gwf_plugin *plugin)
{
    const size_t all = (size_t)plugin->columns.n * (size_t)plugin->engine->model.n_levels;
    bool found[2];
    GWF_PARALLEL(plugin->options->threads)
    for (int i = 0; i < 2; i++) {
        size_t where;
        found[i] = gwf_find_non_finite(plugin->back.flux[i], all, &where);
    }
    return !found[0] && !found[1];
}

void plugin_bring_back(gwf_plugin *plugin)
{
    plugin_back *back = &plugin->back;
    const double start = gwf_now();
    back->error = (gwf_error){0};
    back->status = send_fluxes(plugin);
    if (back->status == GWF_OK) {
        take_fluxes(plugin);
        find_tendencies(plugin);
        back->finite = is_finite(plugin);
    }
    back->seconds = gwf_now() - start;
    back->done = true;
}

/* --- all of it ------------------------------------------------------------------------------ */

void plugin_compute(void *user)
{
    gwf_plugin *plugin = user;
    compute(plugin);
    if (plugin->tile.status == GWF_OK && plugin->all_compute) plugin_bring_back(plugin);
}
