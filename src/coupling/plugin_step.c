/* A step as the host sees it: what becomes of it, on which all ranks agree. */
#include <math.h>
#include <string.h>

#include "core/clock.h"
#include "coupling/plugin_internal.h"

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
    beside = beside && plugin->worker;
    GWF_TRY(look_at_input(plugin, &plugin->fate));
    if (plugin->fate == FATE_COMPUTE) {
        GWF_TRY(send_fields(plugin));
        if (plugin->tile.comm) plugin_take_state(plugin, beside);
    }
    plugin_fields_next(plugin);
    plugin->back.done = false;
    plugin->counters.seconds[0] += gwf_now() - start;
    if (plugin->fate != FATE_COMPUTE || !plugin->tile.comm) return GWF_OK;
    if (beside)
        gwf_worker_start(plugin->worker, plugin_compute, plugin);
    else
        plugin_compute(plugin);
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
            if (!isfinite(plugin->back.flux[i][(size_t)k * n + (size_t)c])) return k;
    return -1;
}

static gwf_status check_output(gwf_plugin *plugin)
{
    const plugin_fate fate = fate_of(plugin_options_of(plugin)->bad_output);
    memset(plugin->fresh.flag, GWF_FLAG_COMPUTED, (size_t)plugin->columns.n);
    if (plugin->back.finite) return GWF_OK;
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
    plugin_back *back = &plugin->back;
    gwf_counters *count = &plugin->counters;
    if (!back->done) plugin_bring_back(plugin);
    count->seconds[2] += back->seconds;
    gwf_status status = back->status;
    if (status == GWF_OK) {
        count->capped += back->counted.capped;
        count->largest = fmax(count->largest, back->counted.largest);
        status = check_output(plugin);
    } else
        plugin->error = back->error;
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
    memset(r->flag, (int)flag, (size_t)n);
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
