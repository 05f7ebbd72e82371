/* A step: fields to the network's grid, the network, fluxes back, tendencies. */
#include <math.h>
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

/* What arrived, on the cells of this rank's tile; afterwards the next fields may be put. */
static void take_state(gwf_plugin *plugin)
{
    plugin_tile *tile = &plugin->tile;
    gwf_links *links = plugin->transfer.to_cells;
    const size_t stride = (size_t)tile->cells;
    const gwf_rows wind[2] = {rows_of(plugin, SLOT_U), rows_of(plugin, SLOT_V)};
    const bool pair = wind[0].count && wind[1].count;
    if (pair) gwf_links_apply_wind(links, wind, &tile->slot[SLOT_U], stride);
    for (int s = 0; s < SLOTS; s++) {
        const gwf_rows rows = rows_of(plugin, (plugin_slot)s);
        if (rows.count == 0 || (pair && s <= SLOT_V)) continue;
        gwf_links_apply(links, rows, tile->slot[s], stride);
    }
}

/* --- the network ---------------------------------------------------------------------------- */

static gwf_state state_of(const gwf_plugin *plugin)
{
    const plugin_tile *tile = &plugin->tile;
    const bool warm = plugin->reads_temperature || tile->w;
    float *temperature = warm ? tile->slot[SLOT_TEMPERATURE] : NULL;
    return (gwf_state){
        .u = tile->slot[SLOT_U],
        .v = tile->slot[SLOT_V],
        .temperature = tile->theta ? NULL : temperature,
        .theta = tile->theta ? temperature : NULL,
        .omega = tile->w ? NULL : tile->slot[SLOT_VERTICAL],
        .w = tile->w ? tile->slot[SLOT_VERTICAL] : NULL,
        .a = plugin->a,
        .b = plugin->b,
        .pressure = tile->slot[SLOT_P],
        .surface_pressure = tile->slot[SLOT_PS],
        .zs = tile->slot[SLOT_ZS],
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

/* On the ranks that compute, in the thread of the worker or of the host; they agree. */
static void compute(void *user)
{
    gwf_plugin *plugin = user;
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

/* --- starting ------------------------------------------------------------------------------- */

int gwf_due(const gwf_plugin *plugin, double time)
{
    if (!plugin) return 0;
    const double interval = plugin_options_of(plugin)->interval;
    return !plugin->any_due || interval <= 0 || time < plugin->last ||
           time - plugin->last >= interval * (1 - 1e-9);
}

static plugin_fate fate_of(const char *policy)
{
    static const char *const words[] = {"count", "error", "hold", "zero", "host"};
    for (int i = 0; i <= FATE_HOST; i++)
        if (strcmp(policy, words[i]) == 0) return (plugin_fate)i;
    return FATE_ERROR;
}

/* What a rank tells the others of its fields, as numbers of which the largest counts. */
enum { FAILED, BAD, THETA, NO_THETA, W, NO_W, TOLD };

/* All ranks put the same one of two fields. */
static gwf_status check_same(gwf_plugin *plugin, const double told[TOLD])
{
    if (told[THETA] > 0 && told[NO_THETA] > 0)
        return gwf_fail(&plugin->error, GWF_ERR_ARGUMENT, "some ranks have put t, others theta");
    if (told[W] > 0 && told[NO_W] > 0)
        return gwf_fail(&plugin->error, GWF_ERR_ARGUMENT, "some ranks have put omega, others w");
    plugin->tile.theta = told[THETA] > 0;
    plugin->tile.w = told[W] > 0;
    return GWF_OK;
}

/* Everyone's fields are there and fit; *fate: what becomes of the step. Collective. */
static gwf_status look_at_input(gwf_plugin *plugin, plugin_fate *fate)
{
    gwf_error *err = &plugin->error;
    bool theta = false, w = false;
    const bool any = plugin->columns.n > 0;
    const gwf_status status = plugin_fields_check(plugin, &theta, &w);
    double told[TOLD] = {status != GWF_OK, plugin->bad_input.found, theta, any && !theta, w,
                         any && !w};
    GWF_TRY(gwf_comm_max(plugin->comm, told, TOLD, err));
    if (told[FAILED] > 0) return gwf_agree(plugin->comm, status, err);
    GWF_TRY(check_same(plugin, told));
    *fate = told[BAD] > 0 ? fate_of(plugin_options_of(plugin)->bad_input) : FATE_COMPUTE;
    plugin->counters.bad_input += told[BAD] > 0;
    if (*fate != FATE_ERROR) return GWF_OK;
    if (plugin->bad_input.found) *err = plugin->bad_input.error;
    return gwf_agree(plugin->comm, plugin->bad_input.found ? GWF_ERR_DATA : GWF_OK, err);
}

/* Fields that were refused can be put again. */
static void forget_faults(gwf_plugin *plugin)
{
    plugin->bad_input.found = plugin->bad_pressure.found = false;
}

static gwf_status send_fields(gwf_plugin *plugin)
{
    gwf_status status = gwf_route_begin(plugin->transfer.in, &plugin->error);
    if (status == GWF_OK) status = gwf_route_end(plugin->transfer.in, &plugin->error);
    return gwf_agree(plugin->comm, status, &plugin->error);
}

static gwf_status start_due(gwf_plugin *plugin, bool beside)
{
    const double start = gwf_now();
    GWF_TRY(look_at_input(plugin, &plugin->fate));
    if (plugin->fate == FATE_COMPUTE) {
        GWF_TRY(send_fields(plugin));
        if (plugin->tile.comm) take_state(plugin);
    }
    plugin_fields_next(plugin);
    plugin->counters.seconds[0] += gwf_now() - start;
    if (plugin->fate != FATE_COMPUTE || !plugin->tile.comm) return GWF_OK;
    if (beside && plugin->worker)
        gwf_worker_start(plugin->worker, compute, plugin);
    else
        compute(plugin);
    return GWF_OK;
}

static gwf_status check_stage(gwf_plugin *plugin, plugin_stage wanted, const char *call)
{
    if (!plugin) return GWF_ERR_ARGUMENT;
    if (plugin->stage == wanted || (wanted == STAGE_STARTED && plugin->stage == STAGE_READY))
        return GWF_OK;
    return gwf_fail(&plugin->error, GWF_ERR_ARGUMENT, "%s: %s", call,
                    plugin->stage == STAGE_REGISTER ? "gwf_plugin_ready() has not been called"
                                                    : "the last step was started and not finished");
}

static gwf_status start(gwf_plugin *plugin, double time, double step, bool beside)
{
    GWF_TRY(check_stage(plugin, STAGE_READY, beside ? "gwf_start()" : "gwf_run()"));
    if (!isfinite(time) || !(step >= 0 && step < INFINITY))
        return gwf_fail(&plugin->error, GWF_ERR_ARGUMENT,
                        "time %g s, step %g s, expected finite numbers", time, step);
    plugin->due = gwf_due(plugin, time);
    plugin->fate = FATE_HOLD;
    plugin->step = step;
    if (plugin->due) {
        const gwf_status status = start_due(plugin, beside);
        forget_faults(plugin);
        GWF_TRY(status);
        plugin->last = time;
        plugin->any_due = true;
    }
    plugin->stage = STAGE_STARTED;
    return GWF_OK;
}

gwf_status gwf_start(gwf_plugin *plugin, double time, double step)
{
    return start(plugin, time, step, true);
}

/* --- back to the host ----------------------------------------------------------------------- */

/* uw and vw on the network's levels above the columns of this rank. */
static void take_fluxes(gwf_plugin *plugin)
{
    const int levels = plugin->engine->model.n_levels;
    const float *values = gwf_route_values(plugin->transfer.back);
    const gwf_rows rows[2] = {{values, 0, levels}, {values, levels, levels}};
    gwf_links_apply_wind(plugin->transfer.to_columns, rows, plugin->flux,
                         (size_t)plugin->columns.n);
}

static gwf_status send_fluxes(gwf_plugin *plugin)
{
    gwf_status status = gwf_route_begin(plugin->transfer.back, &plugin->error);
    if (status == GWF_OK) status = gwf_route_end(plugin->transfer.back, &plugin->error);
    if (status == GWF_OK) take_fluxes(plugin);
    return status;
}

static void find_tendencies(gwf_plugin *plugin)
{
    plugin_results *r = &plugin->fresh;
    const size_t n = (size_t)plugin->columns.n;
    gwf_drag_counters counted = {0};
    const gwf_drag_columns columns = {
        .n = plugin->columns.n,
        .p_half = plugin->p_half[1],
        .flux_u = plugin->flux[0],
        .flux_v = plugin->flux[1],
        .mask = plugin->masked ? plugin->mask : NULL,
        .du = r->du,
        .dv = r->dv,
        .half_u = r->half_u,
        .half_v = r->half_v,
    };
    gwf_drag_run(plugin->drag, &columns, &counted);
    plugin->counters.capped += counted.capped;
    plugin->counters.largest = fmax(plugin->counters.largest, counted.largest);
    for (int k = 0; r->dt && k < plugin->levels; k++) {
        const size_t at = (size_t)k * n;
        const size_t theirs = (size_t)(plugin->bottom_up ? plugin->levels - 1 - k : k) * n;
        gwf_drag_heating(n, plugin->wind[1][0] + theirs, plugin->wind[1][1] + theirs, r->du + at,
                         r->dv + at, plugin->step, r->dt + at);
    }
}

/* --- columns whose fluxes are not finite ---------------------------------------------------- */

/* Of one column the values of an earlier step, or (NULL) zero. */
static void replace(double *to, const double *from, int rows, int n, int c)
{
    for (size_t k = 0; to && k < (size_t)rows; k++) {
        const size_t at = k * (size_t)n + (size_t)c;
        to[at] = from ? from[at] : 0;
    }
}

static void replace_column(gwf_plugin *plugin, int c, plugin_fate fate)
{
    const plugin_results *old = fate == FATE_HOLD && plugin->any ? &plugin->now : NULL;
    plugin_results *r = &plugin->fresh;
    const int n = plugin->columns.n, levels = plugin->levels;
    replace(r->du, old ? old->du : NULL, levels, n, c);
    replace(r->dv, old ? old->dv : NULL, levels, n, c);
    replace(r->dt, old ? old->dt : NULL, levels, n, c);
    replace(r->half_u, old ? old->half_u : NULL, levels + 1, n, c);
    replace(r->half_v, old ? old->half_v : NULL, levels + 1, n, c);
    r->flag[c] = (unsigned char)(fate == FATE_HOST ? GWF_FLAG_HOST
                                 : old             ? GWF_FLAG_HELD
                                                   : GWF_FLAG_ZERO);
    plugin->counters.bad_output++;
    plugin->column_policies[old ? 0 : fate == FATE_HOST ? 2 : 1]++;
}

/* The first level of column c at which a flux is not finite; -1: all are. */
static int first_bad_level(const gwf_plugin *plugin, int c)
{
    const size_t n = (size_t)plugin->columns.n;
    for (int k = 0; k < plugin->engine->model.n_levels; k++)
        for (int i = 0; i < 2; i++)
            if (!isfinite(plugin->flux[i][(size_t)k * n + (size_t)c])) return k;
    return -1;
}

static gwf_status check_output(gwf_plugin *plugin)
{
    const plugin_fate fate = fate_of(plugin_options_of(plugin)->bad_output);
    const size_t n = (size_t)plugin->columns.n;
    const size_t all = n * (size_t)plugin->engine->model.n_levels;
    size_t where;
    memset(plugin->fresh.flag, GWF_FLAG_COMPUTED, n);
    if (!gwf_find_non_finite(plugin->flux[0], all, &where) &&
        !gwf_find_non_finite(plugin->flux[1], all, &where))
        return GWF_OK;
    for (int c = 0; c < plugin->columns.n; c++) {
        const int k = first_bad_level(plugin, c);
        if (k < 0) continue;
        if (fate == FATE_ERROR)
            return gwf_fail(&plugin->error, GWF_ERR_DATA,
                            "the predicted flux at latitude %g, longitude %g, level %d of the "
                            "network is not finite",
                            plugin->columns.lat[c], plugin->columns.lon[c], k + 1);
        replace_column(plugin, c, fate);
    }
    return GWF_OK;
}

/* --- finishing ------------------------------------------------------------------------------ */

/* How the network ended, on all ranks; *fate becomes what a step outside the trained range gets. */
static gwf_status look_at_network(gwf_plugin *plugin)
{
    const plugin_tile *tile = &plugin->tile;
    const gwf_model *model = &plugin->engine->model;
    const gwf_plugin_options *o = plugin_options_of(plugin);
    const double values = (double)model->in.count * model->nlat * model->nlon;
    double told[2] = {0};
    if (tile->comm) {
        told[0] = tile->status != GWF_OK;
        told[1] = tile->status == GWF_OK ? tile->outside : 0;
        plugin->counters.seconds[0] += tile->prepare_seconds;
        plugin->counters.seconds[1] += tile->network_seconds;
        plugin->counters.seconds[2] += tile->flux_seconds;
    }
    GWF_TRY(gwf_comm_sum(plugin->comm, told, 2, &plugin->error));
    if (told[0] > 0) {
        if (tile->comm) plugin->error = tile->error;
        return gwf_agree(plugin->comm, tile->comm ? tile->status : GWF_OK, &plugin->error);
    }
    plugin->counters.outside += (long)told[1];
    if (!(told[1] > o->outside_share / 100 * values)) return GWF_OK;
    plugin->fate = fate_of(o->outside);
    if (plugin->fate != FATE_ERROR) return GWF_OK;
    return gwf_fail(&plugin->error, GWF_ERR_DATA,
                    "%.3g %% of the network's input is beyond the range of its training, more than "
                    "option outside-share allows (%g)",
                    100 * told[1] / values, o->outside_share);
}

static gwf_status complete_compute(gwf_plugin *plugin)
{
    const double start = gwf_now();
    gwf_status status = send_fluxes(plugin);
    if (status == GWF_OK) {
        find_tendencies(plugin);
        status = check_output(plugin);
    }
    plugin->counters.seconds[2] += gwf_now() - start;
    return gwf_agree(plugin->comm, status, &plugin->error);
}

gwf_status plugin_complete(gwf_plugin *plugin)
{
    const double start = gwf_now();
    if (plugin->fate != FATE_COMPUTE || plugin->pending) return GWF_OK;
    if (plugin->worker) gwf_worker_wait(plugin->worker);
    plugin->counters.seconds[3] += gwf_now() - start;
    GWF_TRY(look_at_network(plugin));
    GWF_TRY(plugin_capture_write(plugin));
    return plugin->fate == FATE_COMPUTE ? complete_compute(plugin) : GWF_OK;
}

static void fill(double *values, int rows, int n)
{
    if (values) memset(values, 0, (size_t)rows * (size_t)n * sizeof *values);
}

/* No tendencies and no fluxes. */
static void set_zero(gwf_plugin *plugin, gwf_flag flag)
{
    plugin_results *r = &plugin->now;
    const int n = plugin->columns.n, levels = plugin->levels;
    fill(r->du, levels, n);
    fill(r->dv, levels, n);
    fill(r->dt, levels, n);
    fill(r->half_u, levels + 1, n);
    fill(r->half_v, levels + 1, n);
    memset(r->flag, flag, (size_t)n);
}

static void hold(gwf_plugin *plugin)
{
    for (int c = 0; c < plugin->columns.n; c++)
        if (plugin->now.flag[c] == GWF_FLAG_COMPUTED) plugin->now.flag[c] = GWF_FLAG_HELD;
}

/* The finished step becomes what the host sees. */
static void adopt(gwf_plugin *plugin)
{
    const plugin_results now = plugin->now;
    gwf_counters *count = &plugin->counters;
    switch (plugin->fate) {
    case FATE_COMPUTE:
        plugin->now = plugin->fresh;
        plugin->fresh = now;
        plugin->any = true;
        break;
    case FATE_ZERO:
    case FATE_HOST:
        set_zero(plugin, plugin->fate == FATE_HOST ? GWF_FLAG_HOST : GWF_FLAG_ZERO);
        break;
    default:
        hold(plugin);
    }
    count->steps++;
    count->computed += plugin->due && plugin->fate == FATE_COMPUTE;
    count->held += plugin->due && plugin->fate == FATE_HOLD;
    count->zeroed += plugin->due && plugin->fate == FATE_ZERO;
    count->host += plugin->due && plugin->fate == FATE_HOST;
}

gwf_status gwf_finish(gwf_plugin *plugin)
{
    GWF_TRY(check_stage(plugin, STAGE_STARTED, "gwf_finish()"));
    if (plugin->stage == STAGE_READY) {
        plugin->fate = FATE_HOLD;
        plugin->due = false;
    }
    const gwf_status status = plugin_complete(plugin);
    plugin->stage = STAGE_READY;
    plugin->pending = false;
    GWF_TRY(status);
    adopt(plugin);
    return plugin_report_step(plugin);
}

gwf_status gwf_run(gwf_plugin *plugin, double time, double step)
{
    GWF_TRY(start(plugin, time, step, false));
    return gwf_finish(plugin);
}
