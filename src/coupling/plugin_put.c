/* gwf_put(): fields of the host on their way to the network's grid. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coupling/plugin_internal.h"
#include "fields/threads.h"

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

static gwf_status no_such_field(gwf_plugin *plugin, const char *asked)
{
    char names[128];
    size_t used = 0;
    for (int i = 0; i < PLUGIN_FIELD_COUNT && used < sizeof names; i++)
        used +=
            (size_t)snprintf(names + used, sizeof names - used, i ? ", %s" : "%s", fields[i].name);
    return gwf_fail(&plugin->error, GWF_ERR_ARGUMENT, "there is no field %.40s: expected %s",
                    asked ? asked : "(null)", names);
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
        fine &= (plugin->mask[i] = calloc(n, sizeof **plugin->mask)) != NULL;
        for (int b = 0; b < 2 && strcmp(plugin_options_of(plugin)->heating, "on") == 0; b++)
            fine &= (plugin->wind[i][b] = calloc(levels * n, sizeof(double))) != NULL;
    }
    fine &= (plugin->bad_level = calloc(levels + 1, 1)) != NULL;
    plugin->round = 1;
    for (size_t c = 0; fine && c < n; c++) plugin->mask[0][c] = 1;
    if (fine) return GWF_OK;
    return gwf_fail(&plugin->error, GWF_ERR_MEMORY, "no memory for %d columns of %d levels",
                    plugin->columns.n, plugin->levels);
}

void plugin_fields_free(gwf_plugin *plugin)
{
    for (int i = 0; i < PLUGIN_FIELD_COUNT; i++) free(plugin->stamp[i]);
    for (int i = 0; i < 2; i++) {
        free(plugin->p_half[i]);
        free(plugin->mask[i]);
        for (int b = 0; b < 2; b++) free(plugin->wind[i][b]);
    }
    free(plugin->bad_level);
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

/* An array of the host and what becomes of its values. */
typedef struct source {
    const gwf_array *array;
    gwf_linear unit;
} source;

enum { MANY = 1 << 15 }; /* values that are worth several threads */

static int threads_for(const gwf_plugin *plugin, int n)
{
    return n * plugin->levels < MANY ? 1 : plugin->options->threads;
}

/* Level k of `to` columns, from column i of the line on; notes whether a value is not finite. */
static void put_level(gwf_plugin *plugin, const source *from, gwf_segment at, float *to)
{
    size_t where;
    gwf_array_to_floats(from->array, at, from->unit, to);
    plugin->bad_level[at.k] = gwf_find_non_finite(to, (size_t)at.n, &where);
}

/* Those of a level that was found to have some. */
static void note_level(gwf_plugin *plugin, plugin_field field, const source *from, gwf_segment at,
                       int first)
{
    for (int i = 0; i < at.n; i++) {
        double value;
        const gwf_segment one = {at.i + i, at.j, at.k, 1};
        gwf_array_to_doubles(from->array, one, from->unit, &value);
        if (!isfinite((float)value)) note_bad_value(plugin, field, first + i, at.k, value);
    }
}

/* Columns done .. done + n - 1 of a line, which lie side by side in the outgoing message. */
static void put_run(gwf_plugin *plugin, plugin_field field, const source *from,
                    const plugin_line *l, int done, int n)
{
    const gwf_route_place place = gwf_route_out(plugin->transfer.in)[l->first + done];
    float *const to = gwf_route_values(plugin->transfer.in) + place.first +
                      (size_t)plugin->row[fields[field].slot] * place.stride;
    const int levels = plugin_levels_at(plugin, fields[field].place);
    GWF_PARALLEL(threads_for(plugin, n))
    for (int k = 0; k < levels; k++)
        put_level(plugin, from, (gwf_segment){done, l->j, k, n}, to + (size_t)k * place.stride);
    for (int k = 0; k < levels; k++)
        if (plugin->bad_level[k])
            note_level(plugin, field, from, (gwf_segment){done, l->j, k, n}, l->first + done);
}

static void put_line(gwf_plugin *plugin, plugin_field field, const source *from,
                     const plugin_line *l)
{
    const plugin_slot slot = fields[field].slot;
    if (plugin->row[slot] == plugin->row[slot + 1]) return;
    for (int done = 0; done < l->n;) {
        const gwf_route_place place = gwf_route_out(plugin->transfer.in)[l->first + done];
        const int n = place.run < l->n - done ? place.run : l->n - done;
        if (place.first != GWF_NOWHERE) put_run(plugin, field, from, l, done, n);
        done += n;
    }
}

/* u and v are needed again, beside their tendencies. */
static void keep_wind(gwf_plugin *plugin, plugin_field field, const source *from,
                      const plugin_line *l)
{
    double *to = plugin->wind[0][field == PUT_U ? 0 : 1];
    for (int k = 0; to && k < plugin->levels; k++)
        gwf_array_to_doubles(from->array, (gwf_segment){0, l->j, k, l->n}, from->unit,
                             to + (size_t)k * (size_t)plugin->columns.n + (size_t)l->first);
}

static void put_mask(gwf_plugin *plugin, const source *from, const plugin_line *l)
{
    plugin->masked[0] = true;
    put_level(plugin, from, (gwf_segment){0, l->j, 0, l->n}, plugin->mask[0] + l->first);
    if (plugin->bad_level[0])
        note_level(plugin, PUT_MASK, from, (gwf_segment){0, l->j, 0, l->n}, l->first);
}

/* Interface k of n columns rises over the one above it, a row before p. */
static bool rises(const double *p, size_t row, int k, int n)
{
    int wrong = 0;
    const double *above = p - (k ? row : 0);
    for (int i = 0; i < n; i++) wrong += !((k ? p[i] > above[i] : p[i] >= 0) && p[i] < INFINITY);
    return wrong == 0;
}

/* Columns first .. first + n - 1 have a pressure that cannot be: the first one is noted. */
static void note_columns(gwf_plugin *plugin, int first, int n)
{
    const size_t row = (size_t)plugin->columns.n;
    for (int c = first; c < first + n; c++)
        for (int k = 0; k <= plugin->levels; k++) {
            const double *p = plugin->p_half[0] + (size_t)k * row + (size_t)c;
            if (!rises(p, row, k, 1)) note_bad_pressure(plugin, c, k, k ? *(p - row) : 0, *p);
        }
}

/* The lowest interface travels. */
static void put_surface_pressure(gwf_plugin *plugin, const plugin_line *l)
{
    const double *ps = plugin->p_half[0] + (size_t)plugin->levels * (size_t)plugin->columns.n;
    float *values = gwf_route_values(plugin->transfer.in);
    for (int c = l->first; c < l->first + l->n; c++) {
        const gwf_route_place place = gwf_route_out(plugin->transfer.in)[c];
        if (place.first == GWF_NOWHERE) continue;
        values[place.first + (size_t)plugin->row[SLOT_PS] * place.stride] = (float)ps[c];
    }
}

/* Whether the first column of a line says that levels run from the ground up. */
static bool runs_up(const gwf_plugin *plugin, const source *from, const plugin_line *l)
{
    double first, last;
    gwf_array_to_doubles(from->array, (gwf_segment){0, l->j, 0, 1}, from->unit, &first);
    gwf_array_to_doubles(from->array, (gwf_segment){0, l->j, plugin->levels, 1}, from->unit, &last);
    return last < first;
}

/* Columns done .. done + n - 1 of a line, from the top down in p_half whatever the host's order;
 * whether all of them rise. */
static bool put_pressures(gwf_plugin *plugin, const source *from, const plugin_line *l, int done,
                          int n)
{
    const size_t row = (size_t)plugin->columns.n;
    double *to = plugin->p_half[0] + l->first + done;
    bool fine = true;
    for (int k = 0; k <= plugin->levels; k++, to += row) {
        const int theirs = plugin->bottom_up ? plugin->levels - k : k;
        gwf_array_to_doubles(from->array, (gwf_segment){done, l->j, theirs, n}, from->unit, to);
        fine &= rises(to, row, k, n);
    }
    return fine;
}

static void put_interfaces(gwf_plugin *plugin, const source *from, const plugin_line *l)
{
    enum { BLOCK = 512 }; /* columns whose last interface is still in the cache */
    const int blocks = (l->n + BLOCK - 1) / BLOCK;
    bool fine = true;
    if (!plugin->order_known) plugin->bottom_up = runs_up(plugin, from, l);
    plugin->order_known = true;
    GWF_PARALLEL(threads_for(plugin, l->n))
    for (int b = 0; b < blocks; b++) {
        const int done = b * BLOCK, left = l->n - done;
        if (put_pressures(plugin, from, l, done, left < BLOCK ? left : BLOCK)) continue;
        GWF_PRAGMA(omp atomic write)
        fine = false;
    }
    if (!fine) note_columns(plugin, l->first, l->n);
    put_surface_pressure(plugin, l);
}

static void put_any(gwf_plugin *plugin, plugin_field field, const source *from,
                    const plugin_line *l)
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
    while (field < PLUGIN_FIELD_COUNT &&
           !plugin_is_named(name, fields[field].name, fields[field].cf))
        field++;
    if (field == PLUGIN_FIELD_COUNT) return no_such_field(plugin, name);
    GWF_TRY(plugin_find_window(plugin, fields[field].name, asked, &window));
    GWF_TRY(plugin_check_array(plugin, fields[field].name, fields[field].place, &window, array));
    plugin_unit *unit = &plugin->unit[field];
    GWF_TRY(plugin_check_unit(plugin, fields[field].name, unit, fields[field].unit, units, false));
    if (is_spare(plugin, (plugin_field)field)) return GWF_OK;
    const source from = {array, unit->linear};
    plugin_join_lines(plugin, array, &window);
    for (int j = 0; j < window.nj && window.ni > 0; j++) {
        const plugin_line l = plugin_line_of(plugin, &window, j);
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
    plugin->masked[1] = plugin->masked[0]; /* a mask stays until another is put */
    if (plugin->masked[1])
        memcpy(plugin->mask[1], plugin->mask[0], (size_t)plugin->columns.n * sizeof **plugin->mask);
    plugin->bad_input.found = plugin->bad_pressure.found = false;
    plugin->round++;
}
