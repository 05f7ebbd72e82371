/* gwf_put(), gwf_get(), gwf_add(): arrays of the host and the plugin's own. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coupling/plugin_internal.h"
#include "fields/units.h"

/* --- the tables ----------------------------------------------------------------------------- */

static const struct {
    const char *name, *cf, *unit;
    plugin_slot slot;
    plugin_place place;
} fields[] = {
#define PLUGIN_FIELD_ROW(code, name, cf, unit, slot, place) {name, cf, unit, slot, place},
    PLUGIN_FIELDS(PLUGIN_FIELD_ROW)
#undef PLUGIN_FIELD_ROW
};

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

/* Names separated by ", ", for a message. */
static void list_names(bool of_results, char *text, size_t size)
{
    const int n = of_results ? RESULT_COUNT : PLUGIN_FIELD_COUNT;
    size_t used = 0;
    for (int i = 0; i < n && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, i ? ", %s" : "%s",
                                 of_results ? results[i].name : fields[i].name);
}

static bool is_named(const char *asked, const char *name, const char *cf)
{
    return asked && (strcmp(asked, name) == 0 || strcmp(asked, cf) == 0);
}

static gwf_status no_such(gwf_plugin *plugin, const char *asked, bool of_results)
{
    char names[128];
    list_names(of_results, names, sizeof names);
    return gwf_fail(&plugin->error, GWF_ERR_ARGUMENT, "there is no %s %.40s: expected %s",
                    of_results ? "result" : "field", asked ? asked : "(null)", names);
}

/* --- memory --------------------------------------------------------------------------------- */

gwf_status plugin_fields_create(gwf_plugin *plugin)
{
    const size_t n = (size_t)plugin->columns.n + 1, levels = (size_t)plugin->levels;
    bool fine = true;
    for (int i = 0; i < PLUGIN_FIELD_COUNT; i++)
        fine &= (plugin->stamp[i] = calloc(n, sizeof **plugin->stamp)) != NULL;
    for (int i = 0; i < 2; i++) {
        fine &= (plugin->p_half[i] = calloc((levels + 1) * n, sizeof(double))) != NULL;
        for (int b = 0; b < 2 && strcmp(plugin_options_of(plugin)->heating, "on") == 0; b++)
            fine &= (plugin->wind[i][b] = calloc(levels * n, sizeof(double))) != NULL;
    }
    fine &= (plugin->mask = calloc(n, sizeof *plugin->mask)) != NULL;
    plugin->round = 1;
    for (size_t c = 0; fine && c < n; c++) plugin->mask[c] = 1;
    if (fine) return GWF_OK;
    return gwf_fail(&plugin->error, GWF_ERR_MEMORY, "no memory for %d columns of %d levels",
                    plugin->columns.n, plugin->levels);
}

void plugin_fields_free(gwf_plugin *plugin)
{
    for (int i = 0; i < PLUGIN_FIELD_COUNT; i++) free(plugin->stamp[i]);
    for (int i = 0; i < 2; i++) {
        free(plugin->p_half[i]);
        for (int b = 0; b < 2; b++) free(plugin->wind[i][b]);
    }
    free(plugin->mask);
}

/* --- windows -------------------------------------------------------------------------------- */

/* Columns of one line of a window: from first (of the rank), n, line j of the array. */
typedef struct line {
    int first, n, j;
} line;

static gwf_status find_window(gwf_plugin *plugin, const char *name, const gwf_window *asked,
                              gwf_window *window)
{
    const gwf_column_list *set = &plugin->columns;
    const gwf_window all = {.ni = -1};
    *window = asked ? *asked : all;
    if (plugin->stage == STAGE_REGISTER)
        return gwf_fail(&plugin->error, GWF_ERR_ARGUMENT,
                        "%s: gwf_plugin_ready() has not been called", name);
    if (!asked && set->n_blocks == 0) *window = (gwf_window){0};
    if (set->n_blocks == 0 && window->ni == 0) return GWF_OK;
    if (window->block < 0 || window->block >= set->n_blocks)
        return gwf_fail(&plugin->error, GWF_ERR_ARGUMENT, "%s: block %d, expected 0 to %d", name,
                        window->block, set->n_blocks - 1);
    const gwf_block *block = &set->blocks[window->block];
    if (!asked) *window = (gwf_window){.ni = block->ni, .nj = block->nj};
    if (window->i >= 0 && window->j >= 0 && window->ni >= 0 && window->nj >= 0 &&
        window->ni <= block->ni - window->i && window->nj <= block->nj - window->j)
        return GWF_OK;
    return gwf_fail(&plugin->error, GWF_ERR_ARGUMENT,
                    "%s: columns from (%d, %d) on, %d x %d of them, are not within block %d of "
                    "%d x %d columns",
                    name, window->i, window->j, window->ni, window->nj, window->block, block->ni,
                    block->nj);
}

static line line_of(const gwf_plugin *plugin, const gwf_window *window, int j)
{
    const gwf_block *block = &plugin->columns.blocks[window->block];
    return (line){block->first + (window->j + j) * block->ni + window->i, window->ni, j};
}

static int levels_at(const gwf_plugin *plugin, plugin_place place)
{
    return place == AT_SURFACE ? 1 : plugin->levels + (place == AT_INTERFACE);
}

static gwf_status check_array(gwf_plugin *plugin, const char *name, plugin_place place,
                              const gwf_window *window, const gwf_array *array)
{
    const int levels = levels_at(plugin, place);
    if (window->ni == 0 || window->nj == 0) return GWF_OK;
    if (!array || !array->data)
        return gwf_fail(&plugin->error, GWF_ERR_ARGUMENT, "%s: no array given", name);
    if (array->kind != GWF_REAL32 && array->kind != GWF_REAL64)
        return gwf_fail(&plugin->error, GWF_ERR_ARGUMENT, "%s: reals of %d bytes, expected 4 or 8",
                        name, (int)array->kind);
    if (array->levels == levels) return GWF_OK;
    return gwf_fail(&plugin->error, GWF_ERR_ARGUMENT, "%s: %d levels, expected %d", name,
                    array->levels, levels);
}

/* ours and theirs: the unit that the plugin has and the one that the host says; out: from ours. */
static gwf_status check_unit(gwf_plugin *plugin, const char *name, plugin_unit *cache,
                             const char *ours, const char *theirs, bool out)
{
    if (!theirs) return gwf_fail(&plugin->error, GWF_ERR_ARGUMENT, "%s: no unit given", name);
    if (cache->text[0] && strcmp(cache->text, theirs) == 0) return GWF_OK;
    cache->text[0] = '\0';
    const gwf_status status = gwf_units_convert(out ? ours : theirs, out ? theirs : ours,
                                                &cache->scale, &cache->offset, &plugin->error);
    if (status != GWF_OK) gwf_error_prefix(&plugin->error, "%s", name);
    if (status == GWF_OK && strlen(theirs) < sizeof cache->text) strcpy(cache->text, theirs);
    return status;
}

/* --- faults --------------------------------------------------------------------------------- */

/* "latitude 45, longitude 10.5 (column 17)" */
static const char *place_text(const gwf_plugin *plugin, int c, char text[static 96])
{
    char id[32] = "";
    if (plugin->columns.id) snprintf(id, sizeof id, " (column %d)", plugin->columns.id[c] + 1);
    snprintf(text, 96, "latitude %g, longitude %g%s", plugin->columns.lat[c],
             plugin->columns.lon[c], id);
    return text;
}

static void note_bad_value(gwf_plugin *plugin, plugin_field field, int c, int k, double value)
{
    char place[96], level[32] = "";
    plugin_fault *fault = &plugin->bad_input;
    if (fault->found) return;
    fault->found = true;
    if (fields[field].place != AT_SURFACE) snprintf(level, sizeof level, ", level %d", k + 1);
    gwf_fail(&fault->error, GWF_ERR_DATA, "%s at %s%s is %g, expected a finite value",
             fields[field].name, place_text(plugin, c, place), level, value);
}

static void note_bad_pressure(gwf_plugin *plugin, int c, int k, double above, double p)
{
    char place[96];
    plugin_fault *fault = &plugin->bad_pressure;
    if (fault->found) return;
    fault->found = true;
    gwf_fail(&fault->error, GWF_ERR_DATA,
             "p_half at %s: %g Pa at interface %d from the top, %g Pa above it, expected pressures "
             "that rise from the top (0 or more) to the ground",
             place_text(plugin, c, place), p, k + 1, above);
}

/* --- putting -------------------------------------------------------------------------------- */

typedef struct source {
    const gwf_array *array;
    double scale, offset;
} source;

static double value_at(const source *from, int i, int j, int k)
{
    const gwf_array *a = from->array;
    const ptrdiff_t at = i * a->stride_i + j * a->stride_j + k * a->stride_level;
    const double x = a->kind == GWF_REAL32 ? (double)((const float *)a->data)[at]
                                           : ((const double *)a->data)[at];
    return from->scale * x + from->offset;
}

/* n values of a line at a level, from column i of the line on, to float; false where one is not
 * finite. Values of the unit wanted stay as they are. */
static bool copy_values(const source *from, int i, int j, int k, int n, float *to)
{
    const gwf_array *a = from->array;
    const ptrdiff_t at = i * a->stride_i + j * a->stride_j + k * a->stride_level;
    const ptrdiff_t step = a->stride_i;
    const double scale = from->scale, offset = from->offset;
    const bool plain = scale == 1 && offset == 0;
    if (a->kind == GWF_REAL32) {
        const float *x = (const float *)a->data + at;
        for (int c = 0; c < n && plain; c++) to[c] = x[c * step];
        for (int c = 0; c < n && !plain; c++) to[c] = (float)(scale * (double)x[c * step] + offset);
    } else {
        const double *x = (const double *)a->data + at;
        for (int c = 0; c < n && plain; c++) to[c] = (float)x[c * step];
        for (int c = 0; c < n && !plain; c++) to[c] = (float)(scale * x[c * step] + offset);
    }
    size_t where;
    return !gwf_find_non_finite(to, (size_t)n, &where);
}

/* A line's columns done .. done + n - 1, which lie side by side in the outgoing message. */
static void put_run(gwf_plugin *plugin, plugin_field field, const source *from, const line *l,
                    int done, int n)
{
    const gwf_place place = gwf_route_out(plugin->transfer.in)[l->first + done];
    const int row = plugin->row[fields[field].slot],
              levels = levels_at(plugin, fields[field].place);
    for (int k = 0; k < levels; k++) {
        float *to =
            gwf_route_values(plugin->transfer.in) + place.first + (size_t)(row + k) * place.stride;
        if (copy_values(from, done, l->j, k, n, to)) continue;
        for (int i = done; i < done + n; i++)
            if (!isfinite(to[i - done]))
                note_bad_value(plugin, field, l->first + i, k, value_at(from, i, l->j, k));
    }
}

static void put_line(gwf_plugin *plugin, plugin_field field, const source *from, const line *l)
{
    for (int done = 0; done < l->n;) {
        const gwf_place place = gwf_route_out(plugin->transfer.in)[l->first + done];
        const int n = place.run < l->n - done ? place.run : l->n - done;
        if (place.first != GWF_NOWHERE) put_run(plugin, field, from, l, done, n);
        done += n;
    }
}

/* u and v are needed again, beside their tendencies. */
static void keep_wind(gwf_plugin *plugin, plugin_field field, const source *from, const line *l)
{
    double *to = plugin->wind[0][field == PUT_U ? 0 : 1];
    for (int k = 0; to && k < plugin->levels; k++)
        for (int i = 0; i < l->n; i++)
            to[(size_t)k * (size_t)plugin->columns.n + (size_t)(l->first + i)] =
                value_at(from, i, l->j, k);
}

static void put_mask(gwf_plugin *plugin, const source *from, const line *l)
{
    float *to = plugin->mask + l->first;
    plugin->masked = true;
    if (copy_values(from, 0, l->j, 0, l->n, to)) return;
    for (int c = 0; c < l->n; c++)
        if (!isfinite(to[c])) note_bad_value(plugin, PUT_MASK, l->first + c, 0, (double)to[c]);
}

static void check_rising(gwf_plugin *plugin, const line *l)
{
    const size_t n = (size_t)plugin->columns.n;
    for (int k = 0; k <= plugin->levels; k++)
        for (int i = 0; i < l->n; i++) {
            const double *p = &plugin->p_half[0][(size_t)k * n + (size_t)(l->first + i)];
            const double above = k ? p[-(ptrdiff_t)n] : 0;
            if (!((k ? *p > above : *p >= 0) && *p < INFINITY))
                note_bad_pressure(plugin, l->first + i, k, above, *p);
        }
}

/* From the top down in p_half, whatever the host's order; the lowest one travels. */
static void put_interfaces(gwf_plugin *plugin, const source *from, const line *l)
{
    const size_t n = (size_t)plugin->columns.n;
    const int levels = plugin->levels, row = plugin->row[SLOT_PS];
    const bool up = value_at(from, 0, l->j, levels) < value_at(from, 0, l->j, 0);
    if (!plugin->order_known) plugin->bottom_up = up;
    plugin->order_known = true;
    for (int k = 0; k <= levels; k++) {
        double *to = plugin->p_half[0] + (size_t)k * n + (size_t)l->first;
        const int theirs = plugin->bottom_up ? levels - k : k;
        for (int i = 0; i < l->n; i++) to[i] = value_at(from, i, l->j, theirs);
    }
    check_rising(plugin, l);
    for (int i = 0; i < l->n; i++) {
        const gwf_place place = gwf_route_out(plugin->transfer.in)[l->first + i];
        const double ps = plugin->p_half[0][(size_t)levels * n + (size_t)(l->first + i)];
        if (place.first != GWF_NOWHERE)
            gwf_route_values(plugin->transfer.in)[place.first + (size_t)row * place.stride] =
                (float)ps;
    }
}

static void put_any(gwf_plugin *plugin, plugin_field field, const source *from, const line *l)
{
    for (int i = 0; i < l->n; i++) plugin->stamp[field][l->first + i] = plugin->round;
    if (field == PUT_U || field == PUT_V) keep_wind(plugin, field, from, l);
    if (field == PUT_MASK)
        put_mask(plugin, from, l);
    else if (field == PUT_P_HALF)
        put_interfaces(plugin, from, l);
    else
        put_line(plugin, field, from, l);
}

/* The network has no use for this field. */
static bool is_spare(const gwf_plugin *plugin, plugin_field field)
{
    const plugin_slot slot = fields[field].slot;
    const bool heated = plugin->wind[0][0] && (field == PUT_U || field == PUT_V);
    return slot != SLOT_NONE && plugin->row[slot] == plugin->row[slot + 1] && !heated;
}

gwf_status gwf_put(gwf_plugin *plugin, const char *name, const char *units, const gwf_window *asked,
                   const gwf_array *array)
{
    int field = 0;
    gwf_window window;
    if (!plugin) return GWF_ERR_ARGUMENT;
    while (field < PLUGIN_FIELD_COUNT && !is_named(name, fields[field].name, fields[field].cf))
        field++;
    if (field == PLUGIN_FIELD_COUNT) return no_such(plugin, name, false);
    GWF_TRY(find_window(plugin, fields[field].name, asked, &window));
    GWF_TRY(check_array(plugin, fields[field].name, fields[field].place, &window, array));
    plugin_unit *unit = &plugin->unit[field];
    GWF_TRY(check_unit(plugin, fields[field].name, unit, fields[field].unit, units, false));
    if (is_spare(plugin, (plugin_field)field)) return GWF_OK;
    const source from = {array, unit->scale, unit->offset};
    for (int j = 0; j < window.nj && window.ni > 0; j++) {
        const line l = line_of(plugin, &window, j);
        put_any(plugin, (plugin_field)field, &from, &l);
    }
    return GWF_OK;
}

/* --- is everything there? ------------------------------------------------------------------- */

static bool was_put(const gwf_plugin *plugin, plugin_field field, int c)
{
    const uint32_t stamp = plugin->stamp[field][c];
    return field == PUT_ZS ? stamp != 0 : stamp == plugin->round;
}

/* Every column has one of two fields (may be the same), and all have the same one. */
static gwf_status check_put(gwf_plugin *plugin, plugin_field one, plugin_field other, bool *which)
{
    char place[96], names[64];
    const int n = plugin->columns.n;
    *which = n > 0 && was_put(plugin, other, 0) && !was_put(plugin, one, 0);
    const plugin_field wanted = *which ? other : one;
    for (int c = 0; c < n; c++) {
        if (was_put(plugin, wanted, c)) continue;
        snprintf(names, sizeof names, one == other ? "%s" : "%s or %s", fields[one].name,
                 fields[other].name);
        return gwf_fail(&plugin->error, GWF_ERR_ARGUMENT,
                        "the network needs %s, which was not put for the column at %s", names,
                        place_text(plugin, c, place));
    }
    return GWF_OK;
}

gwf_status plugin_fields_check(gwf_plugin *plugin, bool *theta, bool *w)
{
    static const plugin_field pairs[][2] = {
        {PUT_U, PUT_U}, {PUT_V, PUT_V}, {PUT_P, PUT_P}, {PUT_P_HALF, PUT_P_HALF}, {PUT_ZS, PUT_ZS}};
    bool ignored;
    *theta = *w = false;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (!is_spare(plugin, pairs[i][0]) || pairs[i][0] == PUT_P_HALF)
            GWF_TRY(check_put(plugin, pairs[i][0], pairs[i][1], &ignored));
    if (!is_spare(plugin, PUT_OMEGA)) GWF_TRY(check_put(plugin, PUT_OMEGA, PUT_W, w));
    if (!is_spare(plugin, PUT_T) && (plugin->reads_temperature || *w))
        GWF_TRY(check_put(plugin, PUT_T, PUT_THETA, theta));
    if (!plugin->bad_pressure.found) return GWF_OK;
    plugin->error = plugin->bad_pressure.error;
    return plugin->error.status;
}

void plugin_fields_next(gwf_plugin *plugin)
{
    double *p_half = plugin->p_half[0];
    plugin->p_half[0] = plugin->p_half[1];
    plugin->p_half[1] = p_half;
    for (int i = 0; i < 2; i++) {
        double *wind = plugin->wind[0][i];
        plugin->wind[0][i] = plugin->wind[1][i];
        plugin->wind[1][i] = wind;
    }
    plugin->bad_input.found = plugin->bad_pressure.found = false;
    plugin->round++;
}

/* --- getting -------------------------------------------------------------------------------- */

/* (levels, columns) from the top; NULL: zeros. */
static const double *values_of(const gwf_plugin *plugin, result_name result)
{
    const plugin_results *r = &plugin->now;
    const double *const values[RESULT_COUNT] = {r->du, r->dv, r->dt, r->half_u, r->half_v, NULL};
    return plugin->silent && results[result].place == AT_MIDDLE ? NULL : values[result];
}

typedef struct target {
    const gwf_array *array;
    double scale, offset;
    bool add;
} target;

/* n values x, or (NULL) zeros, to a line of the host's array at one of its levels. */
static void give_values(const target *to, const double *x, int j, int k, int n)
{
    const gwf_array *a = to->array;
    const ptrdiff_t at = j * a->stride_j + k * a->stride_level, step = a->stride_i;
    const double scale = to->scale, offset = to->offset;
    float *single = (float *)a->data + at;
    double *both = (double *)a->data + at;
    for (int i = 0; i < n; i++) {
        const double value = scale * (x ? x[i] : 0) + offset;
        if (a->kind == GWF_REAL32)
            single[i * step] = (float)(to->add ? single[i * step] + value : value);
        else
            both[i * step] = to->add ? both[i * step] + value : value;
    }
}

static void give_flags(const gwf_plugin *plugin, const target *to, const line *l)
{
    for (int i = 0; i < l->n; i++) {
        const double flag = plugin->silent ? GWF_FLAG_ZERO : plugin->now.flag[l->first + i];
        gwf_array one = *to->array;
        one.data = (char *)one.data + i * one.stride_i * (ptrdiff_t)one.kind;
        const target place = {&one, to->scale, to->offset, to->add};
        give_values(&place, &flag, l->j, 0, 1);
    }
}

static void give_line(const gwf_plugin *plugin, result_name result, const target *to, const line *l)
{
    const double *values = values_of(plugin, result);
    const int levels = levels_at(plugin, results[result].place);
    const size_t n = (size_t)plugin->columns.n;
    if (result == GET_FLAG) {
        give_flags(plugin, to, l);
        return;
    }
    for (int k = 0; k < levels; k++) {
        const size_t ours = (size_t)(plugin->bottom_up ? levels - 1 - k : k);
        give_values(to, values ? values + ours * n + (size_t)l->first : NULL, l->j, k, l->n);
    }
}

static gwf_status hand_out(gwf_plugin *plugin, const char *name, const char *units,
                           const gwf_window *asked, const gwf_array *array, bool add)
{
    int result = 0;
    gwf_window window;
    if (!plugin) return GWF_ERR_ARGUMENT;
    while (result < RESULT_COUNT && !is_named(name, results[result].name, results[result].cf))
        result++;
    if (result == RESULT_COUNT) return no_such(plugin, name, true);
    name = results[result].name;
    if (result == GET_DT && !plugin->now.dt)
        return gwf_fail(&plugin->error, GWF_ERR_ARGUMENT, "dt: option heating is off");
    GWF_TRY(find_window(plugin, name, asked, &window));
    GWF_TRY(check_array(plugin, name, results[result].place, &window, array));
    plugin_unit *unit = &plugin->result_unit[result];
    GWF_TRY(check_unit(plugin, name, unit, results[result].unit, units, true));
    const target to = {array, unit->scale, unit->offset, add};
    for (int j = 0; j < window.nj && window.ni > 0; j++) {
        const line l = line_of(plugin, &window, j);
        give_line(plugin, (result_name)result, &to, &l);
    }
    return GWF_OK;
}

gwf_status gwf_get(gwf_plugin *plugin, const char *result, const char *units,
                   const gwf_window *window, const gwf_array *array)
{
    return hand_out(plugin, result, units, window, array, false);
}

gwf_status gwf_add(gwf_plugin *plugin, const char *result, const char *units,
                   const gwf_window *window, const gwf_array *array)
{
    return hand_out(plugin, result, units, window, array, true);
}
