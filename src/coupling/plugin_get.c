/* gwf_get(), gwf_add(): results to the host. */
#include <stdio.h>

#include "coupling/plugin_internal.h"
#include "fields/threads.h"

static const struct {
    const char *name, *cf, *unit;
    plugin_place place;
} results[RESULT_COUNT] = {
    [GET_DU] = {"du", "tendency_of_eastward_wind", "m s-2", AT_MIDDLE},
    [GET_DV] = {"dv", "tendency_of_northward_wind", "m s-2", AT_MIDDLE},
    [GET_DT] = {"dt", "tendency_of_air_temperature", "K s-1", AT_MIDDLE},
    [GET_UW] = {"uw", "upward_eastward_momentum_flux", "Pa", AT_INTERFACE},
    [GET_VW] = {"vw", "upward_northward_momentum_flux", "Pa", AT_INTERFACE},
    [GET_FLAG] = {"flag", "flag", "1", AT_SURFACE},
};

static gwf_status no_such_result(gwf_plugin *plugin, const char *asked)
{
    char names[64];
    size_t used = 0;
    for (int i = 0; i < RESULT_COUNT && used < sizeof names; i++)
        used +=
            (size_t)snprintf(names + used, sizeof names - used, i ? ", %s" : "%s", results[i].name);
    return gwf_fail(&plugin->error, GWF_ERR_ARGUMENT, "there is no result %.40s: expected %s",
                    asked ? asked : "(null)", names);
}

/* (levels, columns) from the top; NULL: zeros. */
static const double *values_of(const gwf_plugin *plugin, result_name result)
{
    const plugin_results *r = &plugin->now;
    const double *const values[RESULT_COUNT] = {r->du, r->dv, r->dt, r->half_u, r->half_v, NULL};
    return plugin->silent && results[result].place == AT_MIDDLE ? NULL : values[result];
}

typedef struct target {
    const gwf_array *array;
    gwf_linear unit;
    bool add;
} target;

static void give_flags(const gwf_plugin *plugin, const target *to, const plugin_line *l)
{
    for (int i = 0; i < l->n; i++) {
        const double flag = plugin->silent ? GWF_FLAG_ZERO : plugin->now.flag[l->first + i];
        gwf_array_give(to->array, (gwf_segment){i, l->j, 0, 1}, to->unit, &flag, to->add);
    }
}

static void give_line(const gwf_plugin *plugin, result_name result, const target *to,
                      const plugin_line *l)
{
    enum { MANY = 1 << 15 }; /* values that are worth several threads */
    const double *values = values_of(plugin, result);
    const int levels = plugin_levels_at(plugin, results[result].place);
    const size_t n = (size_t)plugin->columns.n;
    if (result == GET_FLAG) {
        give_flags(plugin, to, l);
        return;
    }
    GWF_PARALLEL(l->n * levels < MANY ? 1 : plugin->options->threads)
    for (int k = 0; k < levels; k++) {
        const size_t ours = (size_t)(plugin->bottom_up ? levels - 1 - k : k);
        gwf_array_give(to->array, (gwf_segment){0, l->j, k, l->n}, to->unit,
                       values ? values + ours * n + (size_t)l->first : NULL, to->add);
    }
}

static gwf_status hand_out(gwf_plugin *plugin, const char *name, const char *units,
                           const gwf_window *asked, const target *given)
{
    int result = 0;
    gwf_window window;
    if (!plugin) return GWF_ERR_ARGUMENT;
    while (result < RESULT_COUNT &&
           !plugin_is_named(name, results[result].name, results[result].cf))
        result++;
    if (result == RESULT_COUNT) return no_such_result(plugin, name);
    name = results[result].name;
    GWF_TRY(plugin_find_window(plugin, name, asked, &window));
    if (result == GET_DT && !plugin->now.dt)
        return gwf_fail(&plugin->error, GWF_ERR_ARGUMENT, "dt: option heating is off");
    GWF_TRY(plugin_check_array(plugin, name, results[result].place, &window, given->array));
    plugin_unit *unit = &plugin->result_unit[result];
    GWF_TRY(plugin_check_unit(plugin, name, unit, results[result].unit, units, true));
    const target to = {given->array, unit->linear, given->add};
    plugin_join_lines(plugin, given->array, &window);
    for (int j = 0; j < window.nj && window.ni > 0; j++) {
        const plugin_line l = plugin_line_of(plugin, &window, j);
        give_line(plugin, (result_name)result, &to, &l);
    }
    return GWF_OK;
}

gwf_status gwf_get(gwf_plugin *plugin, const char *result, const char *units,
                   const gwf_window *window, const gwf_array *array)
{
    const target to = {.array = array};
    return hand_out(plugin, result, units, window, &to);
}

gwf_status gwf_add(gwf_plugin *plugin, const char *result, const char *units,
                   const gwf_window *window, const gwf_array *array)
{
    const target to = {.array = array, .add = true};
    return hand_out(plugin, result, units, window, &to);
}
