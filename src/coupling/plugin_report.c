/* Counters of all ranks together, as numbers and as text. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coupling/plugin_internal.h"

gwf_status gwf_plugin_counters(gwf_plugin *plugin, gwf_counters *counters)
{
    if (!plugin || !plugin->comm || !counters) return GWF_ERR_ARGUMENT;
    if (plugin->stage == STAGE_REGISTER)
        return gwf_fail(&plugin->error, GWF_ERR_ARGUMENT,
                        "no counters: gwf_plugin_ready() has not been called");
    gwf_counters c = plugin->counters;
    double sums[2] = {(double)c.bad_output, (double)c.capped};
    double most[5] = {c.largest, c.seconds[0], c.seconds[1], c.seconds[2], c.seconds[3]};
    double policies[3] = {(double)plugin->column_policies[0], (double)plugin->column_policies[1],
                          (double)plugin->column_policies[2]};
    GWF_TRY(gwf_comm_sum(plugin->comm, sums, 2, &plugin->error));
    GWF_TRY(gwf_comm_max(plugin->comm, most, 5, &plugin->error));
    GWF_TRY(gwf_comm_sum(plugin->comm, policies, 3, &plugin->error));
    c.bad_output = (long)sums[0];
    c.capped = (long)sums[1];
    c.held += (long)policies[0];
    c.zeroed += (long)policies[1];
    c.host += (long)policies[2];
    c.largest = most[0];
    memcpy(c.seconds, most + 1, sizeof c.seconds);
    *counters = c;
    return GWF_OK;
}

/* --- text ----------------------------------------------------------------------------------- */

enum { REPORT = 16384 };

typedef struct text {
    char *at;
    size_t left;
} text;

__attribute__((format(printf, 2, 3))) static void add(text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(t->at, t->left, format, args);
    va_end(args);
    const size_t used = n < 0 ? 0 : (size_t)n < t->left ? (size_t)n : t->left - 1;
    t->at += used;
    t->left -= used;
}

static void add_counters(text *t, const gwf_counters *c)
{
    const double steps = c->computed ? (double)c->computed : 1;
    add(t,
        "%ld steps, %ld computed; ms a computed step: to the network %.2f, network %.2f, "
        "back %.2f, waited %.2f\n",
        c->steps, c->computed, 1e3 * c->seconds[0] / steps, 1e3 * c->seconds[1] / steps,
        1e3 * c->seconds[2] / steps, 1e3 * c->seconds[3] / steps);
    add(t,
        "largest tendency %.3g m s-2, %ld layers cut to the cap; not finite: %ld inputs, "
        "%ld columns of output; policies: %ld held, %ld zero, %ld the host's\n",
        c->largest, c->capped, c->bad_input, c->bad_output, c->held, c->zeroed, c->host);
}

/* Percent of the values of each variable beyond the trained range, by level. */
static void add_outside(text *t, const gwf_model *model, const double *outside, double values)
{
    for (int i = 0; i < model->in.count;) {
        const char *variable = model->in.channels[i].variable;
        add(t, "%s beyond the trained range, percent by level:", variable);
        bool any = false;
        for (; i < model->in.count && strcmp(model->in.channels[i].variable, variable) == 0; i++) {
            if (!(outside[i] > 0)) continue;
            add(t, " %d: %.3g", model->in.channels[i].level, 100 * outside[i] / values);
            any = true;
        }
        add(t, any ? "\n" : " none\n");
    }
}

static gwf_status make_text(gwf_plugin *plugin, const gwf_counters *c, const double *outside)
{
    const gwf_model *model = &plugin->engine->model;
    if (!plugin->report) plugin->report = malloc(REPORT);
    if (!plugin->report) return gwf_fail(&plugin->error, GWF_ERR_MEMORY, "no memory for a report");
    text t = {plugin->report, REPORT};
    add_counters(&t, c);
    const double maps = c->computed ? (double)c->computed : 1;
    add_outside(&t, model, outside, maps * model->nlat * model->nlon);
    return GWF_OK;
}

gwf_status gwf_plugin_report(gwf_plugin *plugin, const char **result)
{
    gwf_counters c;
    if (result) *result = NULL;
    if (!plugin || !plugin->comm || !result) return GWF_ERR_ARGUMENT;
    if (plugin->stage == STAGE_REGISTER)
        return gwf_fail(&plugin->error, GWF_ERR_ARGUMENT,
                        "gwf_plugin_report(): gwf_plugin_ready() has not been called");
    const int inputs = plugin->engine->model.in.count;
    double *outside = calloc((size_t)inputs, sizeof *outside);
    gwf_status status = GWF_OK;
    if (!outside) status = gwf_fail(&plugin->error, GWF_ERR_MEMORY, "no memory for a report");
    GWF_TRY_DONE(gwf_agree(plugin->comm, status, &plugin->error));
    if (plugin->tile.comm)
        memcpy(outside, plugin->tile.outside_sum, (size_t)inputs * sizeof *outside);
    GWF_TRY_DONE(gwf_comm_sum(plugin->comm, outside, inputs, &plugin->error));
    GWF_TRY_DONE(gwf_plugin_counters(plugin, &c));
    if (gwf_comm_rank(plugin->comm) == 0) {
        status = make_text(plugin, &c, outside);
        if (status == GWF_OK) *result = plugin->report;
    }
    status = gwf_agree(plugin->comm, status, &plugin->error);
done:
    free(outside);
    return status;
}

/* Line by line. */
static void tell(const gwf_plugin *plugin, const char *report)
{
    while (report && *report) {
        const size_t n = strcspn(report, "\n");
        gwf_log_line(&plugin->log, "%.*s", (int)n, report);
        report += n + (report[n] == '\n');
    }
}

gwf_status plugin_report_step(gwf_plugin *plugin)
{
    const char *report = NULL;
    const int every = plugin_options_of(plugin)->report;
    if (every == 0 || plugin->counters.steps % every != 0) return GWF_OK;
    GWF_TRY(gwf_plugin_report(plugin, &report));
    tell(plugin, report);
    return GWF_OK;
}
